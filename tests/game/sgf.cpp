#include <batchmate/game/connect4.hpp>
#include <batchmate/game/go.hpp>
#include <batchmate/game/hex.hpp>
#include <batchmate/game/mnk.hpp>
#include <batchmate/game/othello.hpp>
#include <batchmate/game/sgf.hpp>

#include <doctest/doctest.h>

#include <initializer_list>
#include <string>
#include <vector>

namespace bm = batchmate;
using format = bm::sgf_format;

static_assert(bm::game_with_sgf<bm::go9> && bm::game_with_sgf<bm::othello> && bm::game_with_sgf<bm::gomoku> &&
              bm::game_with_sgf<bm::hex13> && !bm::game_with_sgf<bm::connect4>);

namespace {

/// A game of moves as `parse_action` reads them, written.
template <class G>
std::string written(std::initializer_list<char const*> moves) {
  std::vector<int> actions;
  for (auto const* move : moves) actions.push_back(G::parse_action(move).value());
  return bm::write_sgf(bm::sgf_of<G>(actions));
}

}  // namespace

TEST_CASE("a game of Go is written as people write it") {
  std::vector<int> const actions{40, 30, 81, 81};
  auto record = bm::sgf_of<bm::go9>(actions, bm::go9::with_komi(6.5));
  CHECK(bm::write_sgf(record) ==
        "(;FF[4]GM[1]CA[UTF-8]AP[batchmate]SZ[9]KM[6.5]RE[W+6.5];B[ee];W[dd];B[];W[])\n");
  record.black = "a [bracket] and a \\";
  record.white = "two\nlines";
  record.rules = "Tromp-Taylor";
  std::string const text = bm::write_sgf(record);
  CHECK(text.find("RU[Tromp-Taylor]KM[6.5]PB[a [bracket\\] and a \\\\]PW[two lines]") != text.npos);
}

TEST_CASE("games of Othello, Gomoku and Hex are written as people write them") {
  // The shortest way to take all discs, 13 to none.
  CHECK(written<bm::othello>({"e6", "f4", "e3", "f6", "g5", "d6", "e7", "f5", "c5"}) ==
        "(;FF[4]GM[2]CA[UTF-8]AP[batchmate]SZ[8]RE[B+13]"
        ";B[e6];W[f4];B[e3];W[f6];B[g5];W[d6];B[e7];W[f5];B[c5])\n");
  CHECK(written<bm::gomoku>({"h8", "i9", "h9", "i10", "h10", "i11", "h11", "i12", "a15", "i13"}) ==
        "(;FF[4]GM[4]CA[UTF-8]AP[batchmate]SZ[15]RE[W+]"
        ";B[hh];W[ii];B[hi];W[ij];B[hj];W[ik];B[hk];W[il];B[ao];W[im])\n");
  CHECK(written<bm::mnk<1, 4, 2>>({"a1", "b1", "d1", "c1"}) ==
        "(;FF[4]GM[4]CA[UTF-8]AP[batchmate]SZ[4:1]RE[W+];B[aa];W[ba];B[da];W[ca])\n");
  CHECK(written<bm::mnk<1, 4, 2>>({"a1", "b1", "c1", "d1"}).find("RE[0]") != std::string::npos);
  CHECK(written<bm::hex<3>>({"b1", "a1", "b2", "c1", "b3"}) ==
        "(;FF[4]GM[11]CA[UTF-8]AP[batchmate]SZ[3]RE[B+];B[b1];W[a1];B[b2];W[c1];B[b3])\n");
  CHECK(written<bm::hex<3, true>>({"b1", "swap", "c3", "b2", "c2", "c1"}) ==
        "(;FF[4]GM[11]CA[UTF-8]AP[batchmate]SZ[3]RE[W+]"
        ";B[b1];W[swap-pieces];B[c3];W[b2];B[c2];W[c1])\n");
}

TEST_CASE("a record tells the result in points, a draw, and nothing of a game that goes on") {
  CHECK(bm::sgf_of<bm::go<3>>({4, 9, 9}, bm::go<3>::with_komi(0)).result == "B+9");
  CHECK(bm::sgf_of<bm::go<3>>({4, 9, 9}, bm::go<3>::with_komi(9)).result == "0");
  CHECK(bm::sgf_of<bm::go<3>>({4, 9, 9}, bm::go<3>::with_komi(9.5)).result == "W+0.5");
  CHECK(bm::sgf_of<bm::go<3>>({9, 4, 9, 9}, bm::go<3>::with_komi(-0.5)).result == "W+8.5");
  CHECK(bm::sgf_of<bm::go<3>>({4, 9}).result.empty());
}

TEST_CASE("moves that the game does not allow are refused") {
  CHECK_THROWS_WITH_AS(bm::sgf_of<bm::go9>({0, 0}), "sgf: move 2, W[aa], is not legal", bm::file_error);
  CHECK_THROWS_WITH_AS(bm::sgf_of<bm::go9>({81, 81, 0}), "sgf: move 3, B[aa], comes after the end",
                       bm::file_error);
  CHECK_THROWS_WITH_AS(bm::sgf_of<bm::go9>({82}), "sgf: move 1, action 82, is not legal", bm::file_error);
  CHECK_THROWS_WITH_AS(bm::sgf_of<bm::go9>({-1}), "sgf: move 1, action -1, is not legal", bm::file_error);
  auto const opening = bm::go<3>::from_text(".x./.../... x 7.5");
  CHECK_THROWS_AS(bm::sgf_of<bm::go<3>>({0}, *opening), bm::contract_error);
  auto const passed = bm::go<3>::from_text(".../.../... x 7.5 pass");  // the stones are the usual ones
  CHECK_THROWS_AS(bm::sgf_of<bm::go<3>>({0}, *passed), bm::contract_error);
}

TEST_CASE("moves are written as each game has them") {
  CHECK(bm::sgf_move(format::go(19), 0) == "aa");
  CHECK(bm::sgf_move(format::go(19), 18) == "sa");
  CHECK(bm::sgf_move(format::go(19), 19) == "ab");
  CHECK(bm::sgf_move(format::go(19), 361) == "");
  CHECK(bm::sgf_move(format::gomoku(15, 15), 16) == "bb");
  CHECK(bm::sgf_move(format::gomoku(3, 5), 14) == "ec");
  CHECK(bm::sgf_move(format::othello(), 19) == "d3");
  CHECK(bm::sgf_move(format::othello(), 64) == "");
  CHECK(bm::sgf_move(format::hex(11), 120) == "k11");
  CHECK(bm::sgf_move(format::hex(11, true), 121) == "swap-pieces");
  for (auto const& f :
       {format::go(9), format::go(26), format::othello(), format::gomoku(7, 9), format::hex(13, true)})
    for (int action = 0; action < f.rows * f.columns + (f.pass >= 0) + (f.swap >= 0); ++action)
      CHECK(bm::parse_sgf_move(f, bm::sgf_move(f, action)) == action);
  CHECK(bm::parse_sgf_move(format::go(19), "tt") == 361);  // the older form of a pass
  CHECK(bm::parse_sgf_move(format::go(26), "tt") == 19 * 26 + 19);
  CHECK(bm::parse_sgf_move(format::hex(11, true), "Swap-Pieces") ==
        121);  // Hex does not mind capital letters
  CHECK(bm::parse_sgf_move(format::hex(11), "B2") == 12);
  for (auto const* text : {"a", "aaa", "ja", "aj", "Aa", "a1", " ", "pass"})
    CHECK_FALSE(bm::parse_sgf_move(format::go(9), text));
  for (auto const* text : {"", "tt", "swap-pieces"})
    CHECK_FALSE(bm::parse_sgf_move(format::gomoku(15, 15), text));
}

TEST_CASE("komi is read and written in halves") {
  CHECK(bm::half_points_text(15) == "7.5");
  CHECK(bm::half_points_text(-1) == "-0.5");
  CHECK(bm::half_points_text(-14) == "-7");
  CHECK(bm::half_points_text(0) == "0");
  CHECK(bm::parse_half_points("7.5") == 15);
  CHECK(bm::parse_half_points("-0.50") == -1);
  CHECK(bm::parse_half_points("6") == 12);
  CHECK(bm::parse_half_points("0.0") == 0);
  for (auto const* text : {"", "-", ".", ".5", "7.", "7.25", "7.51", "7,5", " 7", "7 ", "--7", "+7", "1e3",
                           "99999", "123456", "7.5x", "7.00000000000000000000"})
    CHECK_MESSAGE(!bm::parse_half_points(text), text);
}
