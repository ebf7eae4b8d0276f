#include <batchmate/game/concepts.hpp>
#include <batchmate/game/connect4.hpp>
#include <batchmate/game/hex.hpp>
#include <batchmate/game/tictactoe.hpp>

#include "../support/nim.hpp"

#include <doctest/doctest.h>

#include <memory>
#include <string>

namespace bm = batchmate;

// Near-misses: nim with one thing missing or wrong.
namespace near_miss {

struct not_copyable : nim {
  std::string log;
};
struct no_start : nim {
  explicit no_start(int n) { stones = n; }
};
struct no_num_actions {
  static constexpr bm::shape input{1, 1, 1};
  static constexpr int max_plies = 1;
  bm::action_set<3> legal_actions() const { return {}; }
  void play(int) {}
  std::optional<float> result() const { return {}; }
  void encode(bm::plane_bits<input>&) const {}
};
struct no_input {
  static constexpr int num_actions = 3, max_plies = 1;
  bm::action_set<3> legal_actions() const { return {}; }
  void play(int) {}
  std::optional<float> result() const { return {}; }
  template <class Planes>
  void encode(Planes&) const {}
};
struct no_max_plies {
  static constexpr int num_actions = 3;
  static constexpr bm::shape input{1, 1, 1};
  bm::action_set<3> legal_actions() const { return {}; }
  void play(int) {}
  std::optional<float> result() const { return {}; }
  void encode(bm::plane_bits<input>&) const {}
};
struct legal_of_other_size : nim {
  bm::action_set<4> legal_actions() const { return {}; }
};
struct legal_not_const : nim {
  bm::action_set<3> legal_actions() { return {}; }
};
struct play_of_pointer : nim {
  void play(int*) {}
};
struct bare_result : nim {
  float result() const { return 0; }
};
struct encode_of_other_shape : nim {
  void encode(bm::plane_bits<bm::shape{2, 1, 10}>&) const {}
};
struct encode_not_const : nim {
  void encode(bm::plane_bits<input>&) {}
};

struct with_globals : nim {
  static constexpr int num_globals = 2;
  void encode_globals(float* out) const { out[0] = out[1] = 0; }
};
struct uncounted_globals : nim {
  void encode_globals(float* out) const { *out = 0; }
};
struct short_key : nim {
  std::uint32_t key() const { return 0; }
};
struct cells_without_actions : nim {
  static constexpr int num_symmetries = 1;
  static int symmetric_cell(int, int cell) { return cell; }
};
struct writes_only : bm::tictactoe {
  static std::optional<int> from_text(std::string_view) { return std::nullopt; }
};

}  // namespace near_miss

using namespace near_miss;

TEST_CASE("the 25-line game and the shipped games model game") {
  static_assert(bm::game<nim> && bm::game<bm::tictactoe> && bm::game<bm::connect4> && bm::game<bm::hex13>);
  static_assert(bm::game<bm::hex<13, true>> && bm::game<bm::hex<1>> && bm::game<bm::hex<19, true>>);
  CHECK(bm::require_game<nim>());
}

TEST_CASE("a type with a member that is not trivially copyable is no game") {
  CHECK_FALSE(bm::game<not_copyable>);
}
TEST_CASE("a type without a default constructor is no game") { CHECK_FALSE(bm::game<no_start>); }
TEST_CASE("a type without num_actions is no game") { CHECK_FALSE(bm::game<no_num_actions>); }
TEST_CASE("a type without input is no game") { CHECK_FALSE(bm::game<no_input>); }
TEST_CASE("a type without max_plies is no game") { CHECK_FALSE(bm::game<no_max_plies>); }
TEST_CASE("legal actions of another size make no game") { CHECK_FALSE(bm::game<legal_of_other_size>); }
TEST_CASE("legal actions that are not const make no game") { CHECK_FALSE(bm::game<legal_not_const>); }
TEST_CASE("a play that takes no int makes no game") { CHECK_FALSE(bm::game<play_of_pointer>); }
TEST_CASE("a result that cannot be empty makes no game") { CHECK_FALSE(bm::game<bare_result>); }
TEST_CASE("an encode of another shape makes no game") { CHECK_FALSE(bm::game<encode_of_other_shape>); }
TEST_CASE("an encode that is not const makes no game") { CHECK_FALSE(bm::game<encode_not_const>); }

TEST_CASE("globals are counted where they are, and are an extra") {
  CHECK(bm::game_with_globals<with_globals>);
  CHECK(bm::num_globals<with_globals> == 2);
  CHECK(bm::num_globals<nim> == 0);
  CHECK(bm::game<uncounted_globals>);
  CHECK_FALSE(bm::game_with_globals<uncounted_globals>);
}

TEST_CASE("symmetries are counted where they are, and otherwise there is the identity") {
  CHECK(bm::num_symmetries<bm::tictactoe> == 8);
  CHECK(bm::num_symmetries<bm::connect4> == 2);
  CHECK(bm::num_symmetries<nim> == 1);
}

TEST_CASE("an extra that is not whole is no extra, and the type still a game") {
  CHECK(bm::game<short_key>);
  CHECK_FALSE(bm::game_with_key<short_key>);
  CHECK(bm::game<cells_without_actions>);
  CHECK_FALSE(bm::game_with_symmetries<cells_without_actions>);
  CHECK(bm::game<writes_only>);
  CHECK_FALSE(bm::game_with_text<writes_only>);
  CHECK_FALSE(bm::game_with_text<nim>);
}
