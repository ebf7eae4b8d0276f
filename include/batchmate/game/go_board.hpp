#pragma once

#include <batchmate/core/bits.hpp>
#include <batchmate/core/macros.hpp>
#include <batchmate/core/random.hpp>

#include <algorithm>
#include <array>
#include <cstdint>
#include <type_traits>

namespace batchmate {

/// The stones on a Go board, without whose turn it is or what was there before. Player 0 is black, `x`. Cell
/// row * N + column, row 0 at the top. A chain is a maximal set of connected stones of one colour, its liberties
/// the empty points next to it.
///
/// Chains are not stored: they are found by flooding bit sets, so that a position is small to copy, and a
/// move that captures nothing costs a few dozen instructions.
template <int N>
struct go_board {
  static constexpr int num_cells = N * N;  ///< points of the board
  using cells = bit_set<num_cells>;        ///< a set of points

  cells stones[2];         ///< by player
  std::uint64_t hash = 0;  ///< the exclusive or of the stones' keys: equal for equal stones

  /// The points without a stone.
  constexpr cells empty() const { return ~(stones[0] | stones[1]); }

  /// Adds a stone to an empty point, whatever follows from it.
  constexpr void add(int player, int cell) {
    stones[player].set(cell);
    hash ^= key_of(player, cell);
  }

  /// Puts a stone on an empty point and takes what has no liberty off the board: the opponent's chains, or,
  /// if there are none, the stone's own chain. Returns the points cleared.
  constexpr cells place(int player, int cell) {
    add(player, cell);
    cells taken;
    cells const free = empty();
    bool meets = false, roomy = false;
    for (int next : neighbours[cell]) {
      meets |= stones[1 - player].test(next);
      roomy |= free.test(next);
    }
    if (roomy && !meets) return taken;
    cells const open = spread(free);
    for (int next : neighbours[cell])
      if (stones[1 - player].test(next) && !open.test(next) && !taken.test(next))
        taken |= chain_without(open, 1 - player, next);
    if (taken.any()) {
      remove(1 - player, taken);
    } else if (!open.test(cell)) {
      taken = chain_without(open, player, cell);
      remove(player, taken);
    }
    return taken;
  }

  /// The hash after `place(player, cell)` if nothing is taken.
  constexpr std::uint64_t hash_with(int player, int cell) const { return hash ^ key_of(player, cell); }

  /// The points where a stone of `player` surely takes nothing off the board; there may be a few more.
  constexpr cells surely_quiet(int player) const {
    cells const free = empty(), roomy = two_neighbours(free);
    // A chain with a stone that has two empty neighbours is neither captured nor a suicide by one move.
    cells const mine = fill(stones[player] & roomy, stones[player]);
    cells const theirs = fill(stones[1 - player] & roomy, stones[1 - player]);
    return free & ~spread(stones[1 - player] & ~theirs) & (spread(free) | spread(mine));
  }

  /// The stones of `player` whose chains have one liberty, to `one`, and two, to `two`.
  constexpr void short_of_liberties(int player, cells& one, cells& two) const {
    cells const free = empty();
    for (cells rest = stones[player]; rest.any();) {
      cells const chain = fill(cells::only(rest.first()), rest);
      rest &= ~chain;
      int const liberties = (spread(chain) & free).count();
      if (liberties == 1) one |= chain;
      if (liberties == 2) two |= chain;
    }
  }

  /// Black's area less white's: a player's stones, and the empty points from which only stones of that player
  /// are reached over empty ones.
  constexpr int area_lead() const {
    cells const free = empty();
    cells const black = fill(spread(stones[0]) & free, free), white = fill(spread(stones[1]) & free, free);
    return stones[0].count() + (black & ~white).count() - stones[1].count() - (white & ~black).count();
  }

  /// Whether every chain has a liberty, as after every move.
  constexpr bool all_have_liberties() const {
    cells const open = spread(empty());
    for (cells const& colour : stones)
      if (!(fill(colour & open, colour) == colour)) return false;
    return true;
  }

  /// The points next to a member of `set`, which may themselves be members.
  static BATCHMATE_INLINE constexpr cells spread(cells const& set) {
    cells near;
    for (int w = 0; w < cells::num_words; ++w) {  // in one pass, which counts on the largest boards
      std::uint64_t const here = set.words[w];
      near.words[w] =
          (here & not_last.words[w]) << 1 | (here & not_first.words[w]) >> 1 | here << N | here >> N;
      if (w > 0) {
        std::uint64_t const below = set.words[w - 1];
        near.words[w] |= (below & not_last.words[w - 1]) >> 63 | below >> (64 - N);
      }
      if (w + 1 < cells::num_words) {
        std::uint64_t const above = set.words[w + 1];
        near.words[w] |= (above & not_first.words[w + 1]) << 63 | above << (64 - N);
      }
    }
    near.words[cells::num_words - 1] &= cells::last_mask;
    return near;
  }

  /// What is connected with `seed`, a subset of `within`, inside `within`.
  static constexpr cells fill(cells const& seed, cells const& within) {
    cells filled = seed, rest = within & ~seed;
    for (cells frontier = seed; frontier.any(); rest &= ~frontier) {
      frontier = spread(frontier) & rest;
      filled |= frontier;
    }
    return filled;
  }

  friend constexpr bool operator==(go_board const& a, go_board const& b) {
    return a.hash == b.hash && a.stones[0] == b.stones[0] && a.stones[1] == b.stones[1];
  }

 private:
  /// The points next to two members of `set` or more.
  static constexpr cells two_neighbours(cells const& set) {
    cells const left = (set & not_last) << 1, right = (set & not_first) >> 1, up = set << N, down = set >> N;
    return (left & right) | (up & down) | ((left | right) & (up | down));
  }

  /// The chain of the stone at `cell` if no stone of it is in `open`, else the empty set.
  constexpr cells chain_without(cells const& open, int player, int cell) const {
    cells chain = cells::only(cell);
    for (cells frontier = chain;;) {
      frontier = spread(frontier) & stones[player] & ~chain;
      if (frontier.none()) return chain;
      if ((frontier & open).any()) return {};
      chain |= frontier;
    }
  }

  constexpr void remove(int player, cells const& taken) {
    stones[player] &= ~taken;
    taken.for_each([&](int cell) { hash ^= key_of(player, cell); });
  }

  static constexpr cells all_but_column(int column) {
    cells set = cells::all();
    for (int row = 0; row < N; ++row) set.reset(row * N + column);
    return set;
  }
  static constexpr cells not_first = all_but_column(0), not_last = all_but_column(N - 1);

  using index = std::conditional_t<(num_cells <= 256), std::uint8_t, std::uint16_t>;

  /// (cells, 4); where the board ends, the cell itself, which is never what one looks for beside it.
  static constexpr auto neighbours = [] {
    std::array<std::array<index, 4>, num_cells> table{};
    for (int cell = 0; cell < num_cells; ++cell) {
      int const row = cell / N, column = cell % N;
      table[cell] = {static_cast<index>(row > 0 ? cell - N : cell),
                     static_cast<index>(column > 0 ? cell - 1 : cell),
                     static_cast<index>(column < N - 1 ? cell + 1 : cell),
                     static_cast<index>(row < N - 1 ? cell + N : cell)};
    }
    return table;
  }();

  static constexpr std::uint64_t key_of(int player, int cell) {
    return keys[static_cast<std::size_t>(player * num_cells + cell)];
  }
  static constexpr auto keys = [] {
    std::array<std::uint64_t, 2 * num_cells> table{};
    for (std::uint64_t i = 0; i < table.size(); ++i) table[i] = mix_bits(i + 0x676f);
    return table;
  }();
};

/// Every board that a game of Go has had, for the rule of positional superko: exact, without storing them.
///
/// A filter of `FilterWords` 64-bit words (Bloom, CACM 13, 1970; all bits of a board in one word, as Putze, Sanders
/// and Singler block it, JEA 14, 2010) says at once of nearly every new board that it is new. For others the game
/// is played again from its first board, and the boards themselves are compared: a collision of hashes costs time,
/// never a legal move.
template <int N, int MaxPlies, int FilterWords = (MaxPlies + 4) / 4>
class go_history {
 public:
  using board = go_board<N>;  ///< the stones
  /// An action as it is stored: a cell, or N * N for the pass.
  using action = std::conditional_t<(N * N < 256), std::uint8_t, std::uint16_t>;

  /// Before the first move on an empty board; `x` is to move.
  constexpr go_history() { note(0); }
  /// Before the first move from `first`; `first_player` is to move.
  constexpr go_history(board const& first, int first_player)
      : first_(first), first_player_(static_cast<std::uint8_t>(first_player)) {
    note(first.hash);
  }

  /// Takes down that `played` led to `now`. No more than MaxPlies times.
  constexpr void add(int played, board const& now) {
    actions_[ply_++] = static_cast<action>(played);
    if (played != board::num_cells) note(now.hash);
  }

  /// Whether the board after placing a stone that takes nothing may have been there before, by its hash.
  constexpr bool may_hold(std::uint64_t hash) const {
    std::uint64_t const bits = bits_of(hash);
    return (filter_[word_of(hash)] & bits) == bits;
  }

  /// Whether a board has been there before.
  constexpr bool holds(board const& wanted) const {
    if (!may_hold(wanted.hash)) return false;
    board now = first_;
    if (now == wanted) return true;
    for (int ply = 0; ply < ply_; ++ply) {
      if (actions_[ply] == board::num_cells) continue;
      now.place(player(ply), actions_[ply]);
      if (now == wanted) return true;
    }
    return false;
  }

  constexpr board const& first() const { return first_; }  ///< the board before the first move
  constexpr int ply() const { return ply_; }               ///< moves played
  constexpr int player(int ply) const {
    return first_player_ ^ (ply & 1);
  }                                                              ///< who moves at a ply: 0 for `x`
  constexpr int played(int ply) const { return actions_[ply]; }  ///< the action at a ply

 private:
  static constexpr std::size_t word_of(std::uint64_t hash) {
    return static_cast<std::size_t>((hash >> 32) * FilterWords >> 32);
  }
  /// Up to five bits, from the lower half of the hash.
  static constexpr std::uint64_t bits_of(std::uint64_t hash) {
    std::uint64_t bits = 0;
    for (int i = 0; i < 5; ++i) bits |= std::uint64_t{1} << (hash >> 6 * i & 63);
    return bits;
  }
  constexpr void note(std::uint64_t hash) { filter_[word_of(hash)] |= bits_of(hash); }

  std::array<std::uint64_t, FilterWords> filter_{};
  board first_{};
  std::array<action, MaxPlies> actions_{};  // (ply_) used
  std::uint16_t ply_ = 0;
  std::uint8_t first_player_ = 0;
};

}  // namespace batchmate
