#pragma once

#include <batchmate/core/error.hpp>
#include <batchmate/eval/answers.hpp>
#include <batchmate/play/delivery.hpp>
#include <batchmate/play/statistics.hpp>
#include <batchmate/search/concepts.hpp>

#include <cstdint>

namespace batchmate {

/// One game in flight: its position, its tree, and what has been recorded of it.
template <game G, search_for<G> S>
class game_slot {
 public:
  explicit game_slot(S const& search) : tree_(search) { played_.samples.reserve(G::max_plies); }

  /// What a slot allocates.
  static std::size_t bytes(S const& search) {
    return sizeof(game_slot) + search.template tree_bytes<G>() + G::max_plies * sizeof(sample<G>);
  }

  bool active() const { return active_; }     ///< a game is being played
  bool waiting() const { return rows_ > 0; }  ///< it has rows in the batch under way

  /// Begins an episode from a position that is not finished; `network` is noted in its samples.
  void start(std::int64_t number, random_key seed, G const& position, int network = 0) {
    active_ = between_moves_ = true;
    network_ = network;
    played_.number = number;
    position_ = position;
    tree_.start(seed.split(static_cast<std::uint64_t>(number)), 0);
  }

  /// Goes on with an episode that another slot has begun; `network` is noted in its further samples.
  void resume(episode<G> begun, random_key seed, G const& opening, int network) {
    start(begun.number, seed, opening, network);
    played_ = std::move(begun);
    played_.samples.reserve(G::max_plies);
    if (played_.samples.empty()) return;
    position_ = played_.samples.back().position;
    position_.play(played_.samples.back().action);
    tree_.start(seed.split(static_cast<std::uint64_t>(played_.number)),
                static_cast<int>(played_.samples.size()));
  }

  /// Gives the game up between two moves, for another slot to resume.
  episode<G> leave() {
    active_ = false;
    episode<G> begun = std::move(played_);
    played_.samples = {};
    played_.samples.reserve(G::max_plies);
    return begun;
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
    check_answers(mine, evaluator);
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
    }
    return false;
  }

  /// The finished game, for `delivery` to take.
  episode<G>& finished() {
    active_ = false;
    played_.final_position = position_;
    set_outcomes(played_);
    return played_;
  }

 private:
  /// Plays the move the search decided on; true if that ends the game.
  bool make_move(worker_counters& counters) {
    tree_.decide(decision_);
    int const ply = static_cast<int>(played_.samples.size());
    expects(decision_.action >= 0 && decision_.action < G::num_actions &&
                position_.legal_actions().test(decision_.action),
            "search: chose action ", decision_.action, " at ply ", ply, " of episode ", played_.number,
            ", which is not legal there");
    played_.samples.push_back({position_, played_.number, ply, decision_.action, decision_.simulations,
                               network_, decision_.full, decision_.surprise, decision_.value, 0,
                               decision_.policy});
    counters.simulations += static_cast<std::uint64_t>(decision_.simulations);
    position_.play(decision_.action);
    if (position_.result()) return true;
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
  int network_ = 0;
  bool active_ = false;
  bool between_moves_ = true;
};

}  // namespace batchmate
