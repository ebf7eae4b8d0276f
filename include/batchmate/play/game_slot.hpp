#pragma once

#include <batchmate/core/error.hpp>
#include <batchmate/eval/answers.hpp>
#include <batchmate/play/delivery.hpp>
#include <batchmate/play/statistics.hpp>
#include <batchmate/search/concepts.hpp>

#include <cstddef>
#include <cstdint>

namespace batchmate {

/// How an episode is to be played.
template <game G>
struct episode_plan {
  random_key key;          ///< the episode's own
  G opening;               ///< where it begins
  int network = 0;         ///< noted in its samples
  bool may_resign = true;  ///< a search that advises to resign ends the game, but not before its first move
};

/// One game in flight: its position, its tree, and what has been recorded of it.
template <game G, search_for<G> S>
class game_slot {
 public:
  explicit game_slot(S const& search) : tree_(search) {}

  /// What a slot takes, but for the samples of its game.
  static std::size_t bytes(S const& search) {
    return sizeof(game_slot) - sizeof(typename S::template tree<G>) + search.template tree_bytes<G>();
  }

  bool active() const { return active_; }     ///< a game is being played
  bool waiting() const { return rows_ > 0; }  ///< it has rows in the batch under way

  /// Begins an episode.
  void start(std::int64_t number, episode_plan<G> const& plan) {
    played_.samples.reserve(G::max_plies);
    active_ = between_moves_ = true;
    plan_ = plan;
    played_.number = number;
    position_ = plan.opening;
    played_.would_resign = -1;
    played_.resigned = played_.played_through = played_.saved = false;
    tree_.start(plan.key, 0);
  }

  /// Goes on with an episode that another slot has begun.
  void resume(episode<G> begun, episode_plan<G> const& plan) {
    played_.samples = std::move(begun.samples);
    start(begun.number, plan);
    played_.would_resign = begun.would_resign;
    if (played_.samples.empty()) return;
    position_ = played_.samples.back().position;
    position_.play(played_.samples.back().action);
    tree_.start(plan.key, static_cast<int>(played_.samples.size()));
  }

  /// Gives the game up between two moves, for another slot to resume.
  episode<G> leave() {
    active_ = false;
    return std::exchange(played_, {});
  }
  /// The move before has been made, and the search of the next one has not begun.
  bool between_moves() const { return between_moves_; }

  /// Gives the game up.
  void abandon() {
    active_ = false;
    rows_ = 0;
    played_.samples.clear();
  }

  /// Takes the answers to its rows of the group's batch.
  template <class E>
  void absorb(batch<G> const& answered, E const& evaluator) {
    batch<G> const mine = answered.slice(first_row_, rows_);
    check_answers(mine, evaluator, first_row_);
    tree_.absorb(mine);
    rows_ = 0;
  }

  /// Searches and plays until rows have been pushed, the range is full, or the game is over; true if it is
  /// over. With `leaving` also until a move has been made.
  bool advance(row_range<G>& out, worker_counters& counters, bool leaving = false) {
    while (!out.full()) {
      if (tree_.done()) {
        if (make_move(counters)) return true;
        between_moves_ = true;
        continue;
      }
      if (leaving && between_moves_) return false;
      between_moves_ = false;
      first_row_ = out.used();
      tree_.collect(position_, out);
      rows_ = out.used() - first_row_;
      if (rows_ > 0) return false;
      expects(tree_.done(), "search: collect pushed no row and is not done, at ply ", played_.samples.size(),
              " of episode ", played_.number);
    }
    return false;
  }

  /// The finished game, for `delivery` to take.
  episode<G>& finished() {
    active_ = false;
    played_.final_position = position_;
    set_outcomes(played_);
    if (played_.would_resign >= 0) {
      // The same player is to move every second ply.
      float const last = played_.result();
      bool const is_to_move = (static_cast<int>(played_.samples.size()) - played_.would_resign) % 2 == 0;
      played_.played_through = true;
      played_.saved = (is_to_move ? last : -last) > loss;
    }
    return played_;
  }

 private:
  /// Plays the move the search decided on; true if that ends the game.
  bool make_move(worker_counters& counters) {
    decision_ = {};
    tree_.decide(decision_);
    int const ply = static_cast<int>(played_.samples.size());
    if (decision_.resign && ply > 0) {
      if (plan_.may_resign) return played_.resigned = true;
      if (played_.would_resign < 0) played_.would_resign = ply;
    }
    auto const legal = position_.legal_actions();
    check_decision(decision_, legal, [&] { return concat(" at ply ", ply, " of episode ", played_.number); });
    played_.samples.push_back({position_, played_.number, ply, decision_.action, decision_.simulations,
                               plan_.network, decision_.full, decision_.surprise, decision_.value, 0,
                               decision_.policy});
    counters.simulations += static_cast<std::uint64_t>(decision_.simulations);
    position_.play(decision_.action);
    if (checked_result(position_)) return true;
    expects(ply + 1 < G::max_plies, "game: episode ", played_.number,
            " is not finished after max_plies = ", G::max_plies, " plies");
    expects(position_.legal_actions().any(), "game: episode ", played_.number,
            " has neither a result nor a legal action after ", ply + 1, " plies");
    tree_.advance(decision_.action);
    return false;
  }

  typename S::template tree<G> tree_;
  G position_{};
  episode<G> played_;
  decision<G> decision_;
  int first_row_ = 0, rows_ = 0;  // of the group's batch
  episode_plan<G> plan_{};
  bool active_ = false;
  bool between_moves_ = true;
};

}  // namespace batchmate
