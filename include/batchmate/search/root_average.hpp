#pragma once

#include <batchmate/core/error.hpp>
#include <batchmate/core/random.hpp>
#include <batchmate/search/concepts.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>

namespace batchmate {

/// The mean of what an evaluator says of a search's root under several symmetries of the board (an option of KataGo's,
/// rootNumSymmetriesToSample). Each takes a row like any other; a search hands over `collect` and `absorb` while it is
/// `waiting`, and then takes the `answer` as that of a single row.
///
/// Means are taken in double, in the order of the symmetries, whatever batches the rows were in: such a sum is exact as
/// a rule, so that an image of the board has the same mean. An evaluator that reads positions and not rows is shown the
/// root as it is every time. What it does is not inlined, so that searches which do without stay as fast as they are.
template <game G>
class root_average {
  static constexpr int known = num_symmetries<G>;

 public:
  /// Over so many symmetries, or all that the game has; 1 is the root as it is, which needs no mean. Throws
  /// `contract_error` for more than 1 and a game without symmetries.
  explicit root_average(int symmetries) : count_(std::min(symmetries, known)) {
    expects(symmetries == 1 || known > 1,
            "search: root_symmetries must be 1 for a game without symmetries, got ", symmetries);
    if (count_ > 1) state_ = std::make_unique<state>();
  }

  /// What it allocates.
  static std::size_t bytes(int symmetries) { return std::min(symmetries, known) > 1 ? sizeof(state) : 0; }

  /// Another root comes next, of which there is a mean to be taken, if `wanted` and over more symmetries than one. Under
  /// which ones, if not under all, is drawn by the key.
  [[gnu::noinline]] void begin(random_key key, bool wanted = true) {
    pushed_ = 0;
    left_ = wanted && state_ ? count_ : 0;
    if (left_ == 0) return;
    state_->sums.fill(0);
    state_->value = 0;
    state_->seen.legal = {};
    random_stream random{key};
    for (int s = 0, chosen = 0; chosen < count_; ++s)
      if (random.below(static_cast<std::uint32_t>(known - s)) < static_cast<std::uint32_t>(count_ - chosen))
        state_->shown[chosen++].symmetry = s;
  }

  /// Rows or answers are missing.
  bool waiting() const { return left_ > 0; }

  /// Pushes rows that show the root, `most` at most, as long as there is room.
  [[gnu::noinline]] void collect(G const& root, row_range<G>& out, int most) {
    for (; most > 0 && pushed_ < count_ && !out.full(); --most) {
      out.next() = root;
      out.push(state_->shown[pushed_++]);
    }
  }

  /// Takes the answers to the rows pushed last; true if they were the last ones.
  [[gnu::noinline]] bool absorb(batch<G> const& mine) {
    for (int i = 0; i < mine.count; ++i, --left_) {
      state_->value += mine.values[i];
      add(state_->shown[count_ - left_], mine.rows[i].legal, mine.priors_of(i));
    }
    if (left_ > 0) return false;
    state_->mean = static_cast<float>(state_->value / count_);
    int n = 0;
    state_->seen.legal.for_each([&](int a) { state_->priors[n++] = prior_of(a); });
    return true;
  }

  /// The mean as the answer to one row, whose planes and position are missing; from `absorb` to the next `begin`.
  batch<G> answer() const { return {1, nullptr, &state_->seen, &state_->mean, state_->priors.data()}; }

  /// The mean prior of a legal action.
  float prior_of(int action) const { return static_cast<float>(state_->sums[action] / count_); }

 private:
  struct state {
    std::array<moved_row, known> shown;       // (count), the symmetries in ascending order
    std::array<double, G::num_actions> sums;  // of the priors, by the root's actions
    std::array<float, G::num_actions> priors;
    double value = 0;
    float mean = 0;
    row<G> seen{};  // its legal actions alone
  };

  void add(moved_row const& shown, actions_of<G> const& legal, float const* priors) {
    std::array<float, G::num_actions> by_action{};  // as the evaluator saw them
    legal.for_each([&](int a) { by_action[a] = *priors++; });
    for (int a = 0; a < G::num_actions; ++a) {
      int const there = moved(shown, a);
      state_->sums[a] += by_action[there];
      if (legal.test(there)) state_->seen.legal.set(a);
    }
  }

  static int moved(moved_row const& shown, int action) {
    if constexpr (game_with_symmetries<G>)
      if (shown.moved) return G::symmetric_action(shown.symmetry, action);
    return action;
  }

  std::unique_ptr<state> state_;  // if there are more symmetries than one
  int count_;                     // symmetries that are shown
  int pushed_ = 0;                // of their rows
  int left_ = 0;                  // rows to be answered
};

}  // namespace batchmate
