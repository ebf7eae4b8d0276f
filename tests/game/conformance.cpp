#include <batchmate/game/conformance.hpp>
#include <batchmate/game/connect4.hpp>
#include <batchmate/game/hex.hpp>
#include <batchmate/game/tictactoe.hpp>

#include "../support/nim.hpp"

#include <doctest/doctest.h>

#include <array>
#include <limits>
#include <stdexcept>
#include <string>

namespace bm = batchmate;

namespace {

/// What `check_game` says of a game: the message, or nothing.
template <class G>
std::string complaint(int games = 20) {
  try {
    bm::check_game<G>({.games = games, .seed = 3, .no_move_loses = true});
  } catch (bm::contract_error const& e) {
    return e.what();
  }
  return "";
}

bool contains(std::string const& text, std::string const& part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE_TEMPLATE("a shipped game keeps the contract", G, nim, bm::tictactoe, bm::connect4, bm::hex<1>,
                   bm::hex<2>, bm::hex<5>, bm::hex7, bm::hex<8>, bm::hex9, bm::hex11, bm::hex13, bm::hex<19>,
                   bm::hex<2, true>, bm::hex<5, true>, bm::hex<8, true>, bm::hex<13, true>) {
  CHECK(bm::require_game<G>());
  auto const counts = bm::check_game<G>({.games = 50, .no_move_loses = true});
  CHECK(counts.games == 50);
  CHECK(counts.first_wins + counts.second_wins + counts.draws == 50);
  CHECK(counts.longest <= G::max_plies);
  CHECK(counts.plies >= counts.games);
}

TEST_CASE("the same seed checks the same games, another seed others") {
  auto const once = bm::check_game<bm::connect4>({.games = 20, .seed = 5});
  CHECK(once == bm::check_game<bm::connect4>({.games = 20, .seed = 5}));
  CHECK_FALSE(once == bm::check_game<bm::connect4>({.games = 20, .seed = 6}));
}

TEST_CASE("a check of no games is refused") {
  CHECK_THROWS_AS(bm::check_game<nim>({.games = 0}), bm::contract_error);
}

// Games with one fault each. All are tictactoe or nim but for the member that is wrong.
namespace {

/// Tic-tac-toe for a derived G to spoil: text gives a G.
template <class G>
struct tictactoe : bm::tictactoe {
  static std::optional<G> from_text(std::string_view text) {
    G position;
    auto const read = bm::tictactoe::from_text(text);
    static_cast<bm::tictactoe&>(position) = read.value_or(bm::tictactoe{});
    return read ? std::optional(position) : std::nullopt;
  }
};

struct stuck : nim {
  bm::action_set<3> legal_actions() const { return stones > 4 ? nim::legal_actions() : bm::action_set<3>{}; }
};
struct endless : nim {
  static constexpr int max_plies = 3;
};
struct overpaid : nim {
  std::optional<float> result() const { return stones == 0 ? std::optional(-2.0f) : std::nullopt; }
};
struct turned_result : nim {
  std::optional<float> result() const { return stones == 0 ? std::optional(bm::win) : std::nullopt; }
};
struct not_a_number : nim {
  std::optional<float> result() const {
    return stones == 0 ? std::optional(std::numeric_limits<float>::quiet_NaN()) : std::nullopt;
  }
};
struct over_at_once : nim {
  over_at_once() { stones = 0; }
};
struct throwing : nim {
  void play(int action) {
    if (stones == 3) throw std::runtime_error("three stones");
    nim::play(action);
  }
};
struct forgetful : nim {  // encode depends on more than the object
  void encode(bm::plane_bits<input>& planes) const {
    static int calls = 0;
    if (++calls % 2) nim::encode(planes);
  }
};
struct spilling : nim {  // the bits beyond the ten cells
  void encode(bm::plane_bits<input>& planes) const { planes.words[0] = ~std::uint64_t{0}; }
};
struct straying : nim {  // a plane that there is not
  void encode(bm::plane_bits<input>& planes) const {
    for (int i = 0; i < stones; ++i) planes.set(stones % 2, 0, i);
  }
};
struct too_many : nim {
  bm::action_set<3> legal_actions() const {
    auto legal = nim::legal_actions();
    legal.words[0] |= 8;
    return legal;
  }
};
int shared_stones[2];
struct shared : nim {  // a position that lives elsewhere too
  shared() { shared_stones[0] = 10; }
  void play(int action) { shared_stones[0] -= action + 1, nim::play(action); }
  void encode(bm::plane_bits<input>& planes) const { planes.words[0] = shared_stones[0] & 0x3ff; }
};
struct random_play : nim {  // play depends on more than the object
  void play(int action) {
    static int calls = 0;
    nim::play(++calls % 3 == 0 ? 0 : action);
  }
};
struct same_keys : tictactoe<same_keys> {
  std::uint64_t key() const { return 1; }
};
struct address_keys : tictactoe<address_keys> {
  std::uint64_t key() const { return reinterpret_cast<std::uintptr_t>(this); }
};
struct wrong_cells : tictactoe<wrong_cells> {
  static int symmetric_cell(int s, int cell) {
    return s == 1 ? cell : bm::tictactoe::symmetric_cell(s, cell);
  }
};
struct wrong_actions : tictactoe<wrong_actions> {
  static int symmetric_action(int s, int) { return s; }
};
struct no_identity : tictactoe<no_identity> {
  static int symmetric_cell(int s, int cell) { return bm::tictactoe::symmetric_cell((s + 1) % 8, cell); }
};
struct out_of_board : tictactoe<out_of_board> {
  static int symmetric_action(int s, int action) { return action + s; }
};
struct biased : bm::hex<4> {  // turned by 90 degrees: a bijection, but no symmetry of the game
  static constexpr int turn(int cell) { return cell % 4 * 4 + 3 - cell / 4; }
  static int symmetric_cell(int s, int cell) { return s ? turn(cell) : cell; }
  static int symmetric_action(int s, int cell) { return s ? turn(cell) : cell; }
  static std::optional<biased> from_text(std::string_view text) {
    auto const read = bm::hex<4>::from_text(text);
    return read ? std::optional(biased{*read}) : std::nullopt;
  }
};
struct mute : tictactoe<mute> {
  static std::string action_text(int) { return "a1"; }
};
struct gullible : tictactoe<gullible> {
  static std::optional<int> parse_action(std::string_view text) {
    return bm::tictactoe::parse_action(text).value_or(0);
  }
};
struct believing : tictactoe<believing> {
  static std::optional<believing> from_text(std::string_view text) {
    return tictactoe<believing>::from_text(text).value_or(believing{});
  }
};
struct ambiguous : tictactoe<ambiguous> {
  static std::optional<ambiguous> from_text(std::string_view text) {
    return text == "a1" ? std::optional(ambiguous{}) : tictactoe<ambiguous>::from_text(text);
  }
};
struct illegible : tictactoe<illegible> {
  static std::optional<illegible> from_text(std::string_view) { return std::nullopt; }
};
struct amnesiac : tictactoe<amnesiac> {  // reads the board, but not who is to move
  static std::optional<amnesiac> from_text(std::string_view text) {
    auto p = tictactoe<amnesiac>::from_text(text);
    if (p && p->result() == std::nullopt && p->legal_actions().count() < 4) p = amnesiac{};
    return p;
  }
};
struct chatty : tictactoe<chatty> {
  std::string to_text() const { return bm::tictactoe::to_text() + "\n"; }
  static std::optional<chatty> from_text(std::string_view text) {
    return tictactoe<chatty>::from_text(text.substr(0, text.empty() ? 0 : text.size() - 1));
  }
};
struct lazy : tictactoe<lazy> {  // state that from_text does not rebuild shows only when the game goes on
  int ply = 0;
  void play(int action) { ++ply, bm::tictactoe::play(action); }
  std::optional<float> result() const {
    if (ply == 5) return bm::draw;
    return bm::tictactoe::result();
  }
};
struct self_pointing : nim {
  nim const* myself = this;
  void encode(bm::plane_bits<input>& planes) const { myself->encode(planes); }
};
struct uninitialised : nim {
  uninitialised() { asm volatile("" : "+m"(bit)); }  // leaves it as the memory was
  std::uint8_t bit;
  void encode(bm::plane_bits<input>& planes) const {
    nim::encode(planes);
    if (bit) planes.set(0, 0, 9);
  }
};
struct stale : nim {  // keeps the first planes that anybody asked for
  mutable std::optional<bm::plane_bits<input>> seen;
  void encode(bm::plane_bits<input>& planes) const {
    if (!seen) nim::encode(seen.emplace());
    planes = *seen;
  }
};
struct sided_global : tictactoe<sided_global> {
  static constexpr int num_globals = 1;
  void encode_globals(float* out) const { *out = legal_actions().test(0); }
};
struct trusting : tictactoe<trusting> {  // reads a full board as one on which nobody has won or drawn
  bool full = false;
  static std::optional<trusting> from_text(std::string_view text) {
    if (auto read = tictactoe::from_text(text)) return read;
    trusting odd;
    odd.full =
        text.size() > 9 && text.size() < 14 && text.find_first_not_of("xo./ ") == std::string_view::npos;
    return odd.full ? std::optional(odd) : std::nullopt;
  }
  std::string to_text() const { return full ? "xxx/xxx/xxx x" : tictactoe::to_text(); }
  bm::action_set<9> legal_actions() const {
    return full ? bm::action_set<9>{} : bm::tictactoe::legal_actions();
  }
};
struct wordy : tictactoe<wordy> {
  static std::string action_text(int action) { return "put " + bm::tictactoe::action_text(action); }
  static std::optional<int> parse_action(std::string_view text) {
    return text.starts_with("put ") ? bm::tictactoe::parse_action(text.substr(4)) : std::nullopt;
  }
};
struct spaced_name : tictactoe<spaced_name> {
  static std::string name() { return "tic tac toe"; }
};
struct half_done : nim {  // extras that are not whole
  static constexpr int num_symmetries = 2;
};
struct narrow_key : nim {
  int key() const { return stones; }
};
struct uncounted : nim {
  void encode_globals(float* out) const { *out = 0; }
};
struct unshown : nim {
  static constexpr int num_globals = 1;
};
struct doubled : nim {
  static constexpr int num_globals = 1;
  void encode_globals(double* out) const { *out = 0; }
};
struct changing_key : nim {
  std::uint64_t key() { return static_cast<std::uint64_t>(stones); }
};
struct unnumbered : nim {
  static int symmetric_cell(int, int cell) { return cell; }
};
struct not_its_own : bm::tictactoe {};  // from_text gives another type
struct restless : nim {                 // globals that count the calls
  static constexpr int num_globals = 1;
  void encode_globals(float* out) const {
    static float calls = 0;
    *out = ++calls;
  }
};
struct unending_global : nim {
  static constexpr int num_globals = 2;
  void encode_globals(float* out) const { out[0] = 0, out[1] = std::numeric_limits<float>::infinity(); }
};

}  // namespace

TEST_CASE("a game with a planted fault is told what it breaks") {
  CHECK(contains(complaint<stuck>(), "expected a legal action while there is no result, found none"));
  CHECK(contains(complaint<endless>(), "expected an end within max_plies, 3, found a game that goes on"));
  CHECK(contains(complaint<overpaid>(), "expected a result in [-1, 1], found -2"));
  CHECK(contains(complaint<turned_result>(), "who cannot have won by the other one's move, found 1"));
  CHECK(bm::check_game<turned_result>().games == 100);
  CHECK(contains(complaint<not_a_number>(), "expected a result in [-1, 1], found nan"));
  CHECK(contains(complaint<over_at_once>(), "expected a default-constructed game to be unfinished"));
  CHECK(contains(complaint<throwing>(), "expected no exception, found one that says 'three stones'"));
  CHECK(contains(complaint<forgetful>(), "a difference in encode"));
  CHECK(contains(complaint<spilling>(), "expected no bit beyond the cells of plane 0"));
  CHECK(contains(complaint<straying>(),
                 "expected encode to set cells of its 1 planes of 1 x 10, found one beyond"));
  CHECK(contains(complaint<too_many>(), "expected no legal action beyond num_actions"));
  CHECK(contains(complaint<shared>(), "a copy of the bytes"));
  CHECK(contains(complaint<random_play>(), "expected a replay of the same actions"));
  CHECK(contains(complaint<restless>(), "a difference in encode_globals"));
  CHECK(contains(complaint<self_pointing>(), "a copy, after the original was played on,"));
  CHECK(contains(complaint<uninitialised>(), "a difference in encode"));
  CHECK(contains(complaint<stale>(), "nobody having looked on the way, to give an equal position"));
  CHECK(contains(complaint<unending_global>(), "expected finite globals, found inf"));
}

// Games without a fault.
namespace {

struct summing : tictactoe<summing> {  // under a symmetry it adds in another order
  static constexpr int num_globals = 1;
  void encode_globals(float* out) const {
    *out = 0;
    legal_actions().for_each([&](int a) { *out += a % 2 == 1 ? 0.3f : a == 4 ? 0.7f : 0.1f; });
  }
};
struct shows_none : nim {
  static constexpr int num_globals = 0;
};
struct aggregate {
  static constexpr int num_actions = 3, max_plies = 10;
  static constexpr bm::shape input{1, 1, 10};
  int taken;  // 0 by G{}
  nim then() const {
    nim n;
    n.stones -= taken;
    return n;
  }
  bm::action_set<3> legal_actions() const { return then().legal_actions(); }
  void play(int action) { taken += action + 1; }
  std::optional<float> result() const { return then().result(); }
  void encode(bm::plane_bits<input>& planes) const { then().encode(planes); }
};
struct large : nim {
  std::array<char, 1 << 20> more{};
};

}  // namespace

TEST_CASE("a game without a fault is told nothing") {
  CHECK(complaint<summing>() == "");
  CHECK(complaint<shows_none>() == "");
  CHECK(complaint<aggregate>() == "");
  CHECK(complaint<large>(2) == "");
}

TEST_CASE("a game with a faulty key is told so") {
  CHECK(contains(complaint<same_keys>(), "expected different positions to have different keys"));
  CHECK(contains(complaint<address_keys>(), "a difference in key"));
}

TEST_CASE("a game with faulty symmetries is told so") {
  CHECK(contains(complaint<wrong_cells>(), "expected symmetry 1 to move the planes"));
  CHECK(contains(complaint<wrong_actions>(), "symmetric_action(0, .) to be"));
  CHECK(contains(complaint<no_identity>(), "symmetric_cell(0, .) to be the identity"));
  CHECK(contains(complaint<out_of_board>(), "symmetric_action(1, 8) in 0 to 8, found 9"));
  CHECK(contains(complaint<sided_global>(), "expected symmetry 1 to keep the globals"));
  CHECK(contains(complaint<biased>(), "expected symmetry 1 to "));
}

TEST_CASE("a game with faulty text is told so") {
  CHECK(contains(complaint<mute>(), "expected parse_action(\"a1\") to give 1, found 0"));
  CHECK(contains(complaint<gullible>(), "expected parse_action to refuse garbage"));
  CHECK(contains(complaint<believing>(), "expected from_text to refuse garbage"));
  CHECK(contains(complaint<ambiguous>(), "expected from_text to refuse what is a move, found 'a1' accepted"));
  CHECK(contains(complaint<illegible>(), "expected from_text to read what to_text wrote"));
  CHECK(contains(complaint<amnesiac>(), "expected from_text to give an equal position"));
  CHECK(contains(complaint<chatty>(), "expected to_text to give one line"));
  CHECK(contains(complaint<trusting>(), "to give positions that have a result or a legal action"));
  CHECK(contains(complaint<wordy>(), "action_text to give text without white space, found 'put a1'"));
  CHECK(contains(complaint<spaced_name>(), "name to give text without white space, found 'tic tac toe'"));
  CHECK(contains(complaint<lazy>(), "a position read from text and played on"));
}

TEST_CASE("an extra that is not whole is reported rather than ignored") {
  CHECK(contains(complaint<half_done>(), "symmetric_action to come with all of game_with_symmetries"));
  CHECK(
      contains(complaint<unnumbered>(), "num_symmetries, symmetric_cell and symmetric_action to come with"));
  CHECK(contains(complaint<narrow_key>(), "key to be const and to give a std::uint64_t"));
  CHECK(contains(complaint<changing_key>(), "key to be const and to give a std::uint64_t"));
  CHECK(contains(complaint<unshown>(), "encode_globals to come with all of game_with_globals"));
  CHECK(contains(complaint<doubled>(), "encode_globals to come with all of game_with_globals"));
  CHECK(contains(complaint<uncounted>(), "encode_globals to come with all of game_with_globals"));
  CHECK(contains(complaint<not_its_own>(), "from_text to come with all of game_with_text"));
}

TEST_CASE("a complaint names the game, the game's number and the ply") {
  CHECK(complaint<endless>() ==
        "game (anonymous namespace)::endless, game 0, ply 3: expected an end within max_plies, 3, found a "
        "game that "
        "goes on");
  CHECK(contains(complaint<same_keys>(), "game tictactoe, game 0, ply 1: "));
}
