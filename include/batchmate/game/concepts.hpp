#pragma once

#include <batchmate/core/error.hpp>
#include <batchmate/core/planes.hpp>

#include <concepts>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>

namespace batchmate {

/// The value of "the player to move has lost", "drawn" and "has won" as `result()` gives them.
inline constexpr float loss = -1.0f, draw = 0.0f, win = 1.0f;

// clang-format 14 takes requirements for blocks.
// clang-format off

/// A two-player, zero-sum, perfect-information game whose players alternate strictly, as a plain value type: an
/// object is a position, a default-constructed one the usual start.
///
/// A type G models `game` if it is trivially copyable, default-constructible, and has
///  1. `static constexpr int num_actions`: A, 1 to 65,535; actions are the integers 0 to A - 1;
///  2. `static constexpr shape input`: planes, rows and columns of what a network sees;
///  3. `static constexpr int max_plies`: no game is longer than this;
///  4. `action_set<num_actions> legal_actions() const`: not empty while `result()` is empty;
///  5. `void play(int action)`: plays a legal action; afterwards the other player is to move;
///  6. `std::optional<float> result() const`: empty while the game goes on, then its value in [-1, 1] for the
///     player to move;
///  7. `void encode(plane_bits<input>& planes) const`: sets the bits of the planes, which come in zeroed, as the
///     player to move sees the board.
///
/// None of these may throw, allocate or depend on anything but the object. A pass and a swap of sides are actions.
/// A game need not know searches, networks or batches, and needs no base class. Optional extras are the
/// concepts below. `check_game` (game/conformance.hpp) plays any game at random and says what it breaks.
template <class G>
concept game =
    std::is_trivially_copyable_v<G> && std::default_initializable<G> &&
    requires(G& position, G const& fixed, int action, plane_bits<G::input>& planes) {
      { G::num_actions } -> std::convertible_to<int>;
      { G::input } -> std::convertible_to<shape>;
      { G::max_plies } -> std::convertible_to<int>;
      { fixed.legal_actions() } -> std::same_as<action_set<G::num_actions>>;
      { position.play(action) };
      { fixed.result() } -> std::same_as<std::optional<float>>;
      { fixed.encode(planes) };
    };

/// The result of a position, as `result()` gives it. Throws `contract_error` for one outside [-1, 1], NaN above all: it
/// would spread through a search.
template <game G>
std::optional<float> checked_result(G const& position) {
  std::optional<float> const found = position.result();
  if (found)
    expects(*found >= loss && *found <= win, "game: a position's result is ", *found, ", expected -1 to 1");
  return found;
}

/// A game that also shows the network numbers that are no planes (komi, say): `static constexpr int num_globals`
/// and `void encode_globals(float* out) const`, which writes that many.
template <class G>
concept game_with_globals = game<G> && requires(G const& fixed, float* out) {
  { G::num_globals } -> std::convertible_to<int>;
  { fixed.encode_globals(out) };
};

/// A game with `std::uint64_t key() const`: equal for equal positions, as good as surely different otherwise.
template <class G>
concept game_with_key = game<G> && requires(G const& fixed) {
  { fixed.key() } -> std::same_as<std::uint64_t>;
};

/// A game with board symmetries: `static constexpr int num_symmetries` (number 0 is the identity),
/// `static int symmetric_cell(int symmetry, int cell)` and `static int symmetric_action(int symmetry, int action)`:
/// where a cell of every plane, and an action, go. Playing the moved actions from the start leads to the moved planes, with
/// the same globals.
template <class G>
concept game_with_symmetries = game<G> && requires(int symmetry, int i) {
  { G::num_symmetries } -> std::convertible_to<int>;
  { G::symmetric_cell(symmetry, i) } -> std::same_as<int>;
  { G::symmetric_action(symmetry, i) } -> std::same_as<int>;
};

/// A game that people can read: `static std::string name()`; `static std::string action_text(int)`, neither with white space, and
/// `static std::optional<int> parse_action(std::string_view)`, its inverse (empty for what is no action);
/// `std::string to_text() const`, one line, and `static std::optional<G> from_text(std::string_view)`, its inverse
/// (empty for what is no position, as a move); `std::string draw() const`, the board over several lines.
template <class G>
concept game_with_text = game<G> && requires(G const& fixed, int action, std::string_view text) {
  { G::name() } -> std::same_as<std::string>;
  { G::action_text(action) } -> std::same_as<std::string>;
  { G::parse_action(text) } -> std::same_as<std::optional<int>>;
  { fixed.to_text() } -> std::same_as<std::string>;
  { G::from_text(text) } -> std::same_as<std::optional<G>>;
  { fixed.draw() } -> std::same_as<std::string>;
};

/// How many numbers beside the planes a game shows the network.
template <class G>
inline constexpr int num_globals = 0;
template <game_with_globals G>
inline constexpr int num_globals<G> = G::num_globals;

/// How many symmetries a game's board has, the identity included.
template <class G>
inline constexpr int num_symmetries = 1;
template <game_with_symmetries G>
inline constexpr int num_symmetries<G> = G::num_symmetries;

/// The set of a game's actions.
template <class G>
using actions_of = action_set<G::num_actions>;

/// True for every game; for any other type a compile error whose first sentence says what is missing.
template <class G>
consteval bool require_game() {
  static_assert(std::is_trivially_copyable_v<G>, "batchmate::game: must be trivially copyable (plain members only)");
  static_assert(std::default_initializable<G>, "batchmate::game: needs a default constructor, the start position");
  static_assert(requires { { G::num_actions } -> std::convertible_to<int>; },
                "batchmate::game: needs 'static constexpr int num_actions'");
  static_assert(G::num_actions > 0 && G::num_actions < 65536, "batchmate::game: num_actions must be 1 to 65535");
  static_assert(requires { { G::input } -> std::convertible_to<shape>; },
                "batchmate::game: needs 'static constexpr batchmate::shape input{planes, rows, columns}'");
  static_assert(requires { { G::max_plies } -> std::convertible_to<int>; },
                "batchmate::game: needs 'static constexpr int max_plies', the longest game in plies");
  static_assert(requires(G const& g) { { g.legal_actions() } -> std::same_as<action_set<G::num_actions>>; },
                "batchmate::game: needs 'batchmate::action_set<num_actions> legal_actions() const'");
  static_assert(requires(G& g) { g.play(0); }, "batchmate::game: needs 'void play(int action)'");
  static_assert(requires(G const& g) { { g.result() } -> std::same_as<std::optional<float>>; },
                "batchmate::game: needs 'std::optional<float> result() const', for the player to move");
  static_assert(requires(G const& g, plane_bits<G::input>& planes) { g.encode(planes); },
                "batchmate::game: needs 'void encode(batchmate::plane_bits<input>& planes) const'");
  return game<G>;
}

// clang-format on

}  // namespace batchmate
