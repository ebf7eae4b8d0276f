#pragma once

#include <batchmate/game/concepts.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <type_traits>

namespace batchmate {

/// The globals of a row whose game has none: takes no room.
struct no_globals {
  /// Never written to.
  float* data() { return nullptr; }
  friend bool operator==(no_globals, no_globals) { return true; }
};

/// One packed position as it travels to an evaluator: planes, legal actions, globals and how to look at it; every byte
/// is determined by these, so that equal rows may be found by memcmp.
template <game G>
struct row {
  plane_bits<G::input> planes;  ///< (C, words_per_plane)
  actions_of<G> legal;          ///< bit a: action a is legal
  /// (globals, rounded up to an even number with zeros), fp32
  [[no_unique_address]] std::conditional_t<num_globals<G> == 0, no_globals,
                                           std::array<float, (num_globals<G> + 1) / 2 * 2>>
      globals{};
  /// Number of the symmetry of the board under which the evaluator is to look at the position, which it answers for as
  /// it is here; 0, the identity, for all evaluators but those that move rows. A part of the row, so that whatever
  /// copies or compares rows need not know of it.
  std::uint64_t symmetry = 0;

  /// Replaces the planes and globals by those of a position, to be seen as it is; `legal` stays.
  void encode(G const& position) {
    planes = {};
    symmetry = 0;
    position.encode(planes);
    if constexpr (game_with_globals<G>) position.encode_globals(globals.data());
  }
};

/// Where the parts of a row lie, for evaluators that are written once for all games.
struct row_layout {
  shape input{};        ///< planes, rows, columns
  int num_actions = 0;  ///< A
  int num_globals = 0;  ///< fp32 numbers after the legal actions
  int row_bytes = 0;    ///< a multiple of 8

  /// 64-bit words of packed planes, from the row's beginning.
  BATCHMATE_HD constexpr int plane_words() const { return input.planes * input.words_per_plane(); }
  /// 64-bit words of legal actions, after the planes.
  BATCHMATE_HD constexpr int legal_words() const { return (num_actions + 63) / 64; }
  /// 64-bit words of a row.
  BATCHMATE_HD constexpr int words() const { return row_bytes / 8; }
  /// Which of them, the last one, is the number of the symmetry.
  BATCHMATE_HD constexpr int symmetry_word() const { return words() - 1; }
  friend constexpr bool operator==(row_layout const&, row_layout const&) = default;
};

/// The layout of a game's rows.
template <game G>
constexpr row_layout layout_of() {
  static_assert(std::is_trivially_copyable_v<row<G>>);
  constexpr row_layout layout{G::input, G::num_actions, num_globals<G>, static_cast<int>(sizeof(row<G>))};
  static_assert(layout.plane_words() + layout.legal_words() + (num_globals<G> + 1) / 2 + 1 == layout.words(),
                "a row has no gaps");
  return layout;
}

/// A batch with the game's type left behind: rows are bytes in a `row_layout`.
struct raw_batch {
  int count;                  ///< B
  row_layout layout;          ///< of `rows`
  std::uint64_t const* rows;  ///< (B, words)
  float* values;              ///< (B)
  float* priors;              ///< (B, A)

  /// The packed row b.
  std::uint64_t const* row(int b) const { return rows + static_cast<std::ptrdiff_t>(b) * layout.words(); }
  /// The priors of row b.
  float* priors_of(int b) const { return priors + static_cast<std::ptrdiff_t>(b) * layout.num_actions; }
};

/// What an evaluator is asked and where it answers. The batch owns nothing.
template <game G>
struct batch {
  int count = 0;  ///< B, rows to evaluate
  /// (B) none finished, but for rows of a shared batch nobody filled. Of a row that was packed under a symmetry of the
  /// board this is the position as it was before: an evaluator reads rows, or else positions, but not both.
  G const* positions = nullptr;
  row<G> const* rows = nullptr;  ///< (B) `legal` always filled; the rest if the evaluator needs planes
  float* values = nullptr;       ///< (B) out: expected result for the player to move, in [-1, 1]
  /// (B, A) out: row b begins with the priors of its legal actions in ascending order of action, which are
  /// not negative and sum to 1; the rest of the row is unspecified.
  float* priors = nullptr;

  /// The priors of row b.
  float* priors_of(int b) const { return priors + static_cast<std::ptrdiff_t>(b) * G::num_actions; }

  /// Rows `first` to `first + n - 1` alone.
  batch slice(int first, int n) const {
    return {n, positions + first, rows + first, values + first, priors_of(first)};
  }

  /// The same batch for an evaluator that does not know the game.
  raw_batch raw() const {
    return {count, layout_of<G>(), reinterpret_cast<std::uint64_t const*>(rows), values, priors};
  }
};

}  // namespace batchmate
