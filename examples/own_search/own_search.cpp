// A search of one's own: it looks one move ahead, at the value of every position that a move leads to. It never calls
// the evaluator, so that every batching policy can run it, and gives the same games under each.

#include <batchmate/batchmate.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <string>

namespace bm = batchmate;

/// Chooses a move by chance in proportion to exp(value / temperature), which is the training target, too.
struct one_ply {
  float temperature = 0.1f;

  template <bm::game G>
  class tree;

  int max_rows() const { return 4; }  // a step; more moves take more steps
  template <bm::game G>
  std::size_t tree_bytes() const {
    return sizeof(tree<G>);
  }
  std::string identity() const { return bm::concat("one_ply temperature=", temperature); }
};

template <bm::game G>
class one_ply::tree {
 public:
  explicit tree(one_ply const& settings) : settings_(settings) {
    bm::expects(settings.temperature > 0, "one_ply: temperature must be positive, got ",
                settings.temperature);
  }

  void start(bm::random_key episode, int ply) { episode_ = episode, ply_ = ply, seen_ = waiting_ = 0; }
  void advance(int /*action*/) { start(episode_, ply_ + 1); }

  /// Plays the moves one after the other, in ascending order. A finished position needs no evaluation. Results and values
  /// are for the player to move there, who is the opponent.
  void collect(G const& root, bm::row_range<G>& out) {
    legal_ = root.legal_actions();
    for (; seen_ < legal_.count() && waiting_ < settings_.max_rows() && !out.full(); ++seen_) {
      G& next = out.next();
      next = root;
      next.play(legal_.nth(seen_));
      if (auto const result = next.result()) {
        values_[at(seen_)] = -*result;
      } else {
        out.push();
        asked_[at(waiting_++)] = seen_;
      }
    }
  }
  void absorb(bm::batch<G> const& mine) {
    for (int i = 0; i < mine.count; ++i) values_[at(asked_[at(i)])] = -mine.values[i];
    waiting_ = 0;
  }
  bool done() const { return seen_ > 0 && seen_ == legal_.count() && waiting_ == 0; }

  /// What is random follows from episode and ply alone.
  void decide(bm::decision<G>& outcome) const {
    float const best = *std::max_element(values_.begin(), values_.begin() + seen_);
    auto const weight = [&](int i) { return std::exp((values_[at(i)] - best) / settings_.temperature); };
    float sum = 0;
    for (int i = 0; i < seen_; ++i) sum += weight(i);
    float left = sum * bm::random_stream(episode_.split(static_cast<std::uint64_t>(ply_))).uniform();
    outcome.action = -1;
    for (int i = 0; i < seen_; ++i) {
      int const action = legal_.nth(i);
      outcome.policy[at(action)] = weight(i) / sum;
      left -= weight(i);
      if (outcome.action < 0 && (left < 0 || i == seen_ - 1))
        outcome.action = action, outcome.value = values_[at(i)];
    }
    outcome.simulations = seen_;
  }

 private:
  static std::size_t at(int i) { return static_cast<std::size_t>(i); }

  one_ply settings_;
  bm::random_key episode_;
  int ply_ = 0, seen_ = 0, waiting_ = 0;  // seen_: moves played so far; waiting_: rows without an answer
  bm::actions_of<G> legal_;               // of the root
  std::array<float, G::num_actions> values_{};  // of the legal moves, in order, for the root's player
  std::array<int, G::num_actions> asked_{};     // which of them the rows are of
};

static_assert(bm::search_for<one_ply, bm::connect4>);

template <bm::batching B>
std::uint64_t play(B const& batching, int threads) {
  bm::self_play players{bm::connect4{}, one_ply{}, batching, bm::rollout{.playouts = 8}};
  auto const done =
      players.run({.episodes = 200, .seed = 7, .threads = threads}, [](bm::sample<bm::connect4> const&) {});
  std::printf("%-60s %d threads: %5.1f positions a batch, games %016llx\n", batching.identity().c_str(),
              threads, done.mean_batch(), static_cast<unsigned long long>(done.episodes_hash));
  return done.episodes_hash;
}

int main() {
  bm::check_search<bm::connect4>(one_ply{});  // throws where the contract is broken
  std::uint64_t const one_by_one = play(bm::immediate{}, 1);
  bool const same =
      play(bm::lockstep{.games = 16}, 1) == one_by_one && play(bm::overlapped{.games = 24}, 2) == one_by_one;
  std::printf("the same games: %s\n", same ? "yes" : "no");
  return same ? 0 : 1;
}
