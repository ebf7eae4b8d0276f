#pragma once

#include <batchmate/core/error.hpp>
#include <batchmate/core/random.hpp>
#include <batchmate/eval/batch.hpp>

#include <array>
#include <cmath>
#include <concepts>
#include <cstddef>
#include <string>
#include <utility>

namespace batchmate {

/// A row that is to show its position under a symmetry of the board. It belongs to the search that pushes it, and stays
/// where it is until the answer is there.
struct moved_row {
  int symmetry = 0;    ///< of the game's
  bool moved = false;  ///< set when the row has been packed so, not if the evaluator moves it or packs none
  int row = 0;         ///< of the range; set by it
  moved_row* next = nullptr;  ///< of the range's list; set by it
};

/// A setting of a search by the name that programs know it by. A search may list its own as a tuple of these, `fields`.
template <class Place>
struct search_field {
  char const* name;  ///< words with `-` between them
  Place place;       ///< the field, a pointer to a member
};

/// From a name and a field.
template <class Place>
search_field(char const*, Place) -> search_field<Place>;

/// The rows of one batch that a worker may still fill, dealt one after the other.
template <game G>
class row_range {
 public:
  row_range() = default;
  /// `capacity` rows starting at `positions` and `rows`, which the caller owns.
  row_range(G* positions, row<G>* rows, int capacity)
      : positions_(positions), rows_(rows), capacity_(capacity) {}

  bool full() const { return used_ == capacity_; }  ///< no row is free
  int used() const { return used_; }                ///< rows filled so far

  /// The position of the next free row, for a search to build its leaf in. Throws `contract_error` if all are `full()`.
  G& next() {
    expects(!full(), "search: asks for more rows than the batch has left: ", capacity_);
    return positions_[used_];
  }

  /// Keeps the position in `next()`, which is not finished, as a row to be evaluated.
  void push() {
    rows_[used_].legal = positions_[used_].legal_actions();
    ++used_;
  }

  /// The same for a row whose planes and legal actions are moved by a symmetry when it is packed, or by an evaluator
  /// that moves rows. The position stays as it is, and so does all of the row if nobody packs it: an evaluator is shown
  /// one or the other, never half of each.
  void push(moved_row& shown) {
    shown.moved = false;
    shown.row = used_;
    shown.next = std::exchange(moved_, &shown);
    push();
  }

  /// Packs the positions of all rows filled so far, for an evaluator that moves rows or for one that does not.
  void encode(bool evaluator_moves = false) {
    for (int i = 0; i < used_; ++i) rows_[i].encode(positions_[i]);
    if constexpr (game_with_symmetries<G>) {
      for (moved_row* m = moved_; m != nullptr; m = m->next) {
        m->moved = !evaluator_moves;
        row<G>& packed = rows_[m->row];
        packed.legal = positions_[m->row].legal_actions();
        if (evaluator_moves)
          packed.symmetry = static_cast<std::uint64_t>(m->symmetry);
        else
          move(m->symmetry, packed);
      }
    }
  }

 private:
  static void move(int symmetry, row<G>& packed) requires game_with_symmetries<G> {
    auto const planes = std::exchange(packed.planes, {});
    auto const legal = std::exchange(packed.legal, {});
    for (int p = 0; p < G::input.planes; ++p)
      for (int cell = 0; cell < G::input.cells(); ++cell) {
        if (!planes.test(p, cell / G::input.columns, cell % G::input.columns)) continue;
        int const to = G::symmetric_cell(symmetry, cell);
        packed.planes.set(p, to / G::input.columns, to % G::input.columns);
      }
    legal.for_each([&](int action) { packed.legal.set(G::symmetric_action(symmetry, action)); });
  }

  G* positions_ = nullptr;  // (capacity)
  row<G>* rows_ = nullptr;  // (capacity)
  int capacity_ = 0, used_ = 0;
  moved_row* moved_ = nullptr;  // the last of the rows to be moved, if there are any
};

/// What a finished search says about its root position.
template <game G>
struct decision {
  int action = -1;                             ///< the move to play
  float value = 0;                             ///< expected result for the player to move, in [-1, 1]
  int simulations = 0;                         ///< new simulations it took, reused ones not counted
  std::array<float, G::num_actions> policy{};  ///< the training target: not negative, sums to 1
  bool full = true;     ///< the search was not one that was cut short to reach more positions
  bool resign = false;  ///< the player to move should give the game up, if games may be given up
  /// The Kullback-Leibler divergence of `policy` from the network's own policy, in nats, from 0: how much the
  /// search changed; 0 where unknown.
  float surprise = 0;
  float raw_value = 0;  ///< the network's own value of the position, in [-1, 1]; 0 where unknown
};

/// Throws `contract_error` unless what a search says of a root with these legal actions is what `decision` promises of it;
/// `where()` is a part of the message, as " at ply 3".
template <game G, class Where>
void check_decision(decision<G> const& found, actions_of<G> const& legal, Where const& where) {
  if (!(found.action >= 0 && found.action < G::num_actions && legal.test(found.action))) [[unlikely]]
    throw contract_error(
        concat("search: chose action ", found.action, where(), ", which is not legal there"));
  if (!(std::abs(found.value) <= 1.0001f)) [[unlikely]]
    throw contract_error(concat("search: expected a value in [-1, 1], found ", found.value, where()));
  if (!(found.surprise >= 0 && std::isfinite(found.surprise) && found.simulations >= 0)) [[unlikely]]
    throw contract_error(concat("search: expected a finite surprise and simulations from 0, found ",
                                found.surprise, " and ", found.simulations, where()));
  float sum = 0, of_legal = 0;
  bool negative = false;
  for (float const share : found.policy) {
    sum += share;
    negative |= share < 0;
  }
  legal.for_each([&](int action) { of_legal += found.policy[static_cast<std::size_t>(action)]; });
  if (negative || !(std::abs(sum - 1) < 0.01f) || !(std::abs(of_legal - 1) < 0.01f)) [[unlikely]]
    throw contract_error(
        concat("search: expected a policy that is not negative and sums to 1 over the legal actions, found ",
               of_legal, " of ", sum, " there", negative ? ", some of it negative," : "", where()));
}

/// A search over one game's tree that stops whenever it needs the network and goes on when the answers are there.
///
/// A type S models `search_for<G>` if it is a copyable aggregate of settings with
///  1. `int max_rows() const`: the most rows one tree fills in one step;
///  2. `template <game G> class tree`, constructed from (S const&), which allocates all the tree will ever need, with
///     - `void start(random_key episode, int ply)`: forgets everything; the next search is that of this ply;
///     - `void collect(G const& root, row_range<G>& out)`: goes on until it needs evaluations or is done, and pushes
///       the leaves; what does not fit is pushed by a later call. Called only when all rows of the call before have
///       been absorbed;
///     - `void absorb(batch<G> const& mine)`: takes the answers for exactly the rows of the last `collect`, in order;
///     - `bool done() const`: the search of this move has ended;
///     - `void decide(decision<G>&) const`: its outcome, once done, in place of a default one;
///     - `void advance(int action)`: the action was played; the next search is that of the position after it;
///  3. `template <game G> std::size_t tree_bytes() const`: what a tree takes, itself and all it allocates;
///  4. `std::string identity() const`: name and settings, everything that changes games.
///
/// A search may ask more of its games than to be games: `tree` and `tree_bytes` are constrained then, and S models
/// `search_for` those games alone. `puct_graph`, for one, needs a `key()`.
///
/// A tree never calls an evaluator, and what it decides may depend on the answers and keys alone, not on how its rows
/// were spread over batches. Ships: `puct`, the default; `gumbel`, with few simulations a move; `puct_graph`, where
/// many positions are reached in several ways; and `top_k`, a few wide waves a move. `check_search`
/// (search/conformance.hpp) plays games with any search, in several batchings, and says what it breaks.
template <class S, class G>
concept search_for = game<G> && std::copyable<S> &&
    requires(S const& settings, typename S::template tree<G>& tree, typename S::template tree<G> const& fixed,
             G const& root, row_range<G>& out, batch<G> const& mine, decision<G>& outcome, random_key key,
             int ply) {
  { settings.max_rows() } -> std::convertible_to<int>;
  { settings.template tree_bytes<G>() } -> std::convertible_to<std::size_t>;
  { settings.identity() } -> std::convertible_to<std::string>;
  typename S::template tree<G>;
  requires std::constructible_from<typename S::template tree<G>, S const&>;
  {tree.start(key, ply)};
  {tree.collect(root, out)};
  {tree.absorb(mine)};
  { fixed.done() } -> std::convertible_to<bool>;
  {fixed.decide(outcome)};
  {tree.advance(ply)};
};

/// True for every search of G; for any other type a compile error whose first sentence says what is missing.
template <class S, class G>
consteval bool require_search() {
  if constexpr (game<G>) {  // what is no game has been told so
    static_assert(
        requires { typename S::template tree<G>; },
        "batchmate::search: needs a nested 'template <batchmate::game Game> class tree', which takes this "
        "game; puct_graph takes those alone that have 'std::uint64_t key() const'");
    static_assert(
        requires(S const& s) {
          { s.max_rows() } -> std::convertible_to<int>;
        },
        "batchmate::search: needs 'int max_rows() const', the most rows of one tree in one step");
    static_assert(
        search_for<S, G>,
        "batchmate::search: tree needs start, collect, absorb, done, decide and advance, and the settings "
        "tree_bytes and identity, as search/concepts.hpp lists them");
  }
  return true;
}

}  // namespace batchmate
