#pragma once

#include <batchmate/core/error.hpp>
#include <batchmate/core/random.hpp>
#include <batchmate/eval/concepts.hpp>
#include <batchmate/eval/evaluator_probe.hpp>

#include <algorithm>
#include <cmath>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <future>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace batchmate {

/// How much `check_evaluator` asks.
struct check_evaluator_options {
  int positions = 64;      ///< of random games, at least 1; each is asked about some 30 times
  int rows = 32;           ///< of the largest batch, at least 1
  int slots = 4;           ///< batches that are under way at once, at least 1
  std::uint64_t seed = 1;  ///< the same seed asks the same
};

/// What `check_evaluator` saw.
struct check_evaluator_counts {
  int positions = 0;  ///< asked about, those that are shown under a symmetry counted twice
  int batches = 0;    ///< answered, by the evaluator and its copy
  int rows = 0;       ///< answered in these
  friend constexpr bool operator==(check_evaluator_counts const&, check_evaluator_counts const&) = default;
};

/// Numbers from 0 to n - 1 in random order, again and again.
class shuffled_deck {
 public:
  /// The order follows from the key.
  shuffled_deck(std::size_t n, random_key key) : random_(key), left_(n) {
    for (std::size_t i = 0; i < n; ++i) cards_.push_back(static_cast<int>(i));
  }
  /// The next ones.
  std::vector<int> deal(int count) {
    std::vector<int> dealt;
    for (; count > 0; --count) {
      if (left_ == 0) left_ = cards_.size();
      std::swap(cards_[random_.below(static_cast<std::uint32_t>(left_))], cards_[left_ - 1]);
      dealt.push_back(cards_[--left_]);
    }
    return dealt;
  }

 private:
  random_stream random_;
  std::size_t left_;
  std::vector<int> cards_;
};

/// Asks an evaluator about positions of random games in many ways, and holds every promise of the `evaluator_for`
/// contract against the answers. Use `check_evaluator`.
template <game G, evaluator_for<G> E>
class evaluator_checker {
 public:
  /// Takes the evaluator as it is before its first batch, and copies it as a driver would.
  evaluator_checker(E evaluator, check_evaluator_options const& options)
      : options_(options), key_(random_key{options.seed}.split(purpose::test)) {
    expects(options.positions > 0 && options.rows > 0 && options.slots > 0,
            "check_evaluator: positions, rows and slots must be positive, got ", options.positions, ", ",
            options.rows, " and ", options.slots);
    bool const planes = needs_planes(evaluator), moves = moves_rows(evaluator);
    draw_questions(planes, moves);
    if (!is_shared(evaluator)) {
      if constexpr (std::copyable<E>)
        copy_.emplace(evaluator, options.slots, options.rows, questions_);
      else
        expects(false, "evaluator ", std::string(evaluator.identity()),
                ": expected to be copyable, as every worker has its own, or to be shared");
    }
    probe_.emplace(std::move(evaluator), options.slots, options.rows, questions_);
  }

  /// Throws `contract_error` for the first promise that is broken.
  check_evaluator_counts run() {
    try {
      for (int i = 0; i < asked(); ++i) probe_->ask(0, {i}, "");
      ask_misled();
      if constexpr (game_with_symmetries<G>) check_moved_rows();
      ask_in_all_sizes();
      ask_in_turns(*probe_, 0, options_.slots, ", with other batches under way");
      probe_->wait_for_nothing();
      if (copy_) {
        ask_copy();
      } else {
        ask_from_threads();
        leave_rows_unfilled();
      }
    } catch (...) {
      probe_->drain();
      if (copy_) copy_->drain();
      throw;
    }
    return {asked(), probe_->batches() + (copy_ ? copy_->batches() : 0),
            probe_->rows() + (copy_ ? copy_->rows() : 0)};
  }

 private:
  using probe = evaluator_probe<G, E>;

  /// Positions of random games, about a fourth of those that are passed; the first is the start.
  void draw_questions(bool planes, bool moves) {
    random_stream random(key_);
    while (static_cast<int>(questions_.size()) < options_.positions) {
      G position, moved;
      auto const symmetry = static_cast<int>(random.below(num_symmetries<G>));
      for (int ply = 0; !position.result() && static_cast<int>(questions_.size()) < options_.positions;
           ++ply) {
        auto const legal = position.legal_actions();
        expects(ply < G::max_plies && legal.any(),
                "game: a game is not over after max_plies, or cannot go on; check_game says more");
        if (random.below(4) == 0 || questions_.empty())
          questions_.push_back(question(position, moved, symmetry, planes, moves));
        int const action =
            legal.nth(static_cast<int>(random.below(static_cast<std::uint32_t>(legal.count()))));
        position.play(action);
        if constexpr (game_with_symmetries<G>)
          moved.play(G::symmetric_action(symmetry, action));
        else
          moved.play(action);
      }
      expects(!questions_.empty(), "game: the start is a finished position; check_game says more");
    }
  }

  /// A position as `row_range` packs it: moved by a symmetry, or for an evaluator that moves rows, naming it.
  static evaluator_question<G> question(G const& position, G const& moved, int symmetry, bool planes,
                                        bool moves) {
    evaluator_question<G> q{moves ? position : moved, {}, moves ? moved : position, symmetry};
    q.packed.legal = q.position.legal_actions();
    if (planes) q.packed.encode(q.position);
    if (moves) q.packed.symmetry = static_cast<std::uint64_t>(symmetry);
    return q;
  }

  int asked() const { return static_cast<int>(questions_.size()); }
  shuffled_deck deck(std::uint64_t n) const { return {questions_.size(), key_.split(n)}; }
  /// The sizes of batches, ascending.
  std::vector<int> sizes() const {
    std::vector<int> all{1, 2, 3, 7, options_.rows / 2 + 1, options_.rows - 1, options_.rows};
    std::erase_if(all, [&](int n) { return n < 1 || n > options_.rows; });
    std::sort(all.begin(), all.end());
    all.erase(std::unique(all.begin(), all.end()), all.end());
    return all;
  }

  /// The half that the evaluator does not read may say anything: planes that are not needed are those of an earlier
  /// batch, and the position of a row that was moved is as it was before.
  void ask_misled() {
    if (moves_rows(probe_->evaluator())) return;
    auto const how = needs_planes(probe_->evaluator())
                         ? ", with positions as they were before the rows were moved"
                         : ", with planes that needs_planes() does without";
    for (int i = 0; i < asked(); ++i) probe_->ask(0, {i}, how, true);
  }

  /// Batches of every size: all positions, at all places and among others, and one of a single position.
  void ask_in_all_sizes() {
    for (int const size : sizes()) {
      auto cards = deck(static_cast<std::uint64_t>(size));
      for (int first = 0; first < asked(); first += size) probe_->ask(0, cards.deal(size), "");
      probe_->ask(0, std::vector<int>(static_cast<std::size_t>(size), asked() - 1), ", of equal rows");
    }
  }

  /// As the driver does: each slot's next batch as soon as the one before is taken, and those of the others under way.
  void ask_in_turns(probe& to, int first, int end, std::string_view how, bool several = false) const {
    auto const all = sizes();
    auto cards = deck(static_cast<std::uint64_t>(1000 + first));
    std::size_t const rounds = all.size() + 1;
    for (std::size_t round = 0; round <= rounds; ++round)
      for (int s = first; s < end; ++s) {
        if (round > 0) to.take(s, how, several);
        if (round < rounds) to.submit(s, cards.deal(all[(round + static_cast<std::size_t>(s)) % all.size()]));
      }
  }

  /// A copy answers alike, also while the original is asked on another thread.
  void ask_copy() {
    copy_->holds(std::string(copy_->evaluator().identity()) == std::string(probe_->evaluator().identity()),
                 "a copy to have the same identity, found '", std::string(probe_->evaluator().identity()),
                 "' for the original");
    for (int i = 0; i < asked(); ++i) copy_->ask(0, {i}, " of a copy");
    auto original = std::async(std::launch::async, [&] {
      ask_in_turns(*probe_, 0, options_.slots, ", while a copy is asked, too");
    });
    ask_in_turns(*copy_, 0, options_.slots, " of a copy, while the original is asked, too");
    original.get();
    copy_->wait_for_nothing();
  }

  /// One object for all threads: each submits to a slot of its own, and two wait for every batch.
  void ask_from_threads() {
    std::vector<std::future<void>> threads;
    for (int s = 0; s < options_.slots; ++s)
      threads.push_back(std::async(std::launch::async, [this, s] {
        ask_in_turns(*probe_, s, s + 1, ", with a thread for every slot", true);
      }));
    for (auto& thread : threads) thread.wait();
    for (auto& thread : threads) thread.get();
  }

  /// In a batch that workers share, rows may be left that nobody filled, but none at its end.
  void leave_rows_unfilled() {
    auto cards = deck(2000);
    random_stream random(key_.split(2001));
    for (int const size : sizes()) {
      auto rows = cards.deal(size);
      for (std::size_t b = 0; b + 1 < rows.size(); ++b)
        if (random.below(2) == 0) rows[b] = probe::nobody;
      probe_->ask(0, std::move(rows), ", with rows that nobody filled");
    }
  }

  /// What moves rows itself answers for them as for those that were moved before, but for rounding.
  void check_moved_rows() {
    if (!moves_rows(probe_->evaluator())) return;
    for (int i = 0, end = asked(); i < end; ++i) {
      auto const& named = questions_[static_cast<std::size_t>(i)];
      if (named.symmetry == 0) continue;
      questions_.push_back(question(named.moved, named.position, 0, needs_planes(probe_->evaluator()), true));
      probe_->ask(0, {asked() - 1}, "");
      compare_moved(questions_[static_cast<std::size_t>(i)], questions_.back());
    }
  }

  void compare_moved(evaluator_question<G> const& named, evaluator_question<G> const& moved) const {
    auto const alike = [&](float found, float expected, auto const&... what) {
      probe_->holds(std::abs(found - expected) < 0.01f, "a row that names symmetry ", named.symmetry,
                    " to be answered as the moved row and the answer to be moved back, found ", what...,
                    found, " and not ", expected);
    };
    std::vector<float> by_action(G::num_actions);
    std::size_t next = 1;
    moved.packed.legal.for_each(
        [&](int a) { by_action[static_cast<std::size_t>(a)] = moved.answer[next++]; });
    alike(named.answer[0], moved.answer[0], "the value ");
    next = 1;
    named.packed.legal.for_each([&](int a) {
      auto const to = static_cast<std::size_t>(G::symmetric_action(named.symmetry, a));
      alike(named.answer[next++], by_action[to], "the prior of action ", a, " to be ");
    });
  }

  check_evaluator_options options_;
  random_key key_;
  std::vector<evaluator_question<G>> questions_;
  std::optional<probe> probe_, copy_;  // the copy only of an evaluator that is not shared
};

/// Asks an evaluator about positions of random games of G and throws `contract_error` where it breaks the contract of
/// `evaluator_for`: an identity that stays; a value and a prior for every legal action, as `check_answers` wants them;
/// nothing else written; each position's answer the same, bit for bit, asked alone and again, in batches of several
/// sizes at every place and among others, in every slot, with batches under way in all of them; positions or planes
/// that it says it does not read left unread; `wait` without a batch. Of an evaluator that is not shared, a copy gives
/// the same answers, and both run at once. A shared one is asked by a thread for every slot, with two that wait, and
/// with rows that nobody filled. One that moves rows answers as for moved rows. Other exceptions are the evaluator's
/// own and go through.
///
/// It says nothing of whether the answers are good ones: compare them with numbers that are known.
template <game G, class E>
check_evaluator_counts check_evaluator(E evaluator, check_evaluator_options const& options = {}) {
  static_assert(require_game<G>() && require_evaluator<E, G>());
  return evaluator_checker<G, E>(std::move(evaluator), options).run();
}

}  // namespace batchmate
