#include <batchmate/core/random.hpp>
#include <batchmate/game/go.hpp>
#include <batchmate/game/hex.hpp>
#include <batchmate/game/mnk.hpp>
#include <batchmate/game/othello.hpp>
#include <batchmate/game/sgf_reader.hpp>

#include <doctest/doctest.h>

#include <string>
#include <string_view>
#include <vector>

namespace bm = batchmate;
using format = bm::sgf_format;

namespace {

using swap_hex = bm::hex<5, true>;

template <class G>
std::vector<int> random_game(std::uint64_t seed, G position) {
  bm::random_stream random(bm::random_key{seed}.split(bm::purpose::test));
  std::vector<int> actions;
  while (!position.result()) {
    auto const legal = position.legal_actions();
    actions.push_back(legal.nth(static_cast<int>(random.below(static_cast<std::uint32_t>(legal.count())))));
    position.play(actions.back());
  }
  return actions;
}

/// The one game of a text.
bm::sgf_record only(std::string_view text, format const& f) {
  auto const games = bm::read_sgf(text, f);
  REQUIRE(games.size() == 1);
  return games[0];
}

/// What `read_sgf` says of a text that it refuses.
std::string complaint(std::string_view text, format const& f = format::go(9)) {
  try {
    bm::read_sgf(text, f);
  } catch (bm::file_error const& fault) {
    return fault.what();
  }
  return "";
}

/// Whether a text is read or refused as a file is, and nothing else happens.
bool read_or_refused(std::string_view text) {
  try {
    bm::read_sgf(text, format::go(9));
  } catch (bm::file_error const& fault) {
    std::string_view const message = fault.what();
    for (char c : message)
      if (c < ' ' || c > '~') return false;
    return message.starts_with("sgf: ") && message.size() < 200;
  }
  return true;
}

}  // namespace

TEST_CASE("random games come back as they were written, alone and as a collection") {
  std::string collection;
  std::vector<bm::sgf_record> written;
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    auto const opening = bm::go<5>::with_komi(static_cast<double>(seed) / 2);
    auto const record = bm::sgf_of<bm::go<5>>(random_game(seed, opening), opening);
    CHECK((record.result.starts_with("B+") || record.result.starts_with("W+") || record.result == "0"));
    CHECK(only(bm::write_sgf(record), format::go(5)) == record);
    CHECK(bm::replay_sgf<bm::go<5>>(record, opening).result().has_value());
    collection += bm::write_sgf(record);
    written.push_back(record);
  }
  CHECK(bm::read_sgf(collection, format::go(5)) == written);
  CHECK(bm::read_sgf("", format::go(5)).empty());
}

TEST_CASE_TEMPLATE("random games of every game come back with their moves and their last position", G,
                   bm::go<7>, bm::othello, bm::gomoku, bm::mnk<3, 5, 4>, bm::hex13, swap_hex) {
  int special = 0;  // passes and swaps
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    CAPTURE(seed);
    auto const actions = random_game(seed, G());
    auto const written = bm::sgf_of<G>(actions);
    auto const back = only(bm::write_sgf(written), G::sgf);
    CHECK(back == written);
    CHECK(back.actions == actions);
    G position;
    for (int action : actions) {
      position.play(action);
      special += action == G::sgf.pass || action == G::sgf.swap;
    }
    CHECK(bm::replay_sgf<G>(back).to_text() == position.to_text());
    float const black = actions.size() % 2 == 0 ? *position.result() : -*position.result();
    CHECK(back.result.starts_with(black == 0 ? "0" : black > 0 ? "B+" : "W+"));
  }
  CHECK((special > 0) == (G::sgf.pass >= 0 || G::sgf.swap >= 0));
}

TEST_CASE("a Hex game with a swap reads as Hex programs write it") {
  auto const record = only("(;FF[4]GM[11]SZ[5];B[b1];W[swap-pieces];B[c3])", swap_hex::sgf);
  CHECK(bm::replay_sgf<swap_hex>(record).to_text() == "...../o..../..x../...../..... o");
}

TEST_CASE("of a file made elsewhere the main line is read, and the rest skipped") {
  auto const record = only(
      "\xef\xbb\xbf (;FF [4]\n GM[1]SZ[9:9] C[a comment ] \n PB[x]HA[0]KM[7.50]\r\n"
      ";B[ee]LB[aa:1][bb:2]C[with [brackets\\] and \\\\]\n"
      "(;W[cc]BL[12.5](;B[tt];W[])(;B[aa];AB[bb]))\n"
      "(;W[dd];B[dd];W[illegal]))",
      format::go(9));
  CHECK(record.actions == std::vector<int>{40, 20, 81, 81});
  CHECK(record.half_komi == 15);
  CHECK(record.black == "x");
  CHECK(only("(;B[aa])", format::go(19)).actions.size() == 1);  // the size and game that are usual
  CHECK(only("(;GM[11];B[a1])", format::hex(11)).actions.size() == 1);
}

TEST_CASE("a Hex game that is given up ends there") {
  CHECK(only("(;GM[11]SZ[5];B[b1];W[resign])", format::hex(5)).actions.size() == 1);
  CHECK(only("(;GM[11]SZ[5];B[Forfeit])", format::hex(5)).actions.empty());
  CHECK_THROWS_WITH_AS(bm::read_sgf("(;GM[11]SZ[5];B[b1];W[resign];W[c1])", format::hex(5)),
                       "sgf: at byte 30: move 2 comes after the game was given up", bm::file_error);
}

TEST_CASE("komi may have a sign, and escaped line breaks are none") {
  CHECK(only("(;SZ[9]KM[+6.5])", format::go(9)).half_komi == 13);
  CHECK(complaint("(;SZ[9]KM[+-5])") == "sgf: at byte 7: KM[+-5] is no komi in whole or half points");
  auto const record = only("(;SZ[9]PB[a\\\nb\\\r\nc]PW[a\nb\r\nc\n\nd\\\t])", format::go(9));
  CHECK(record.black == "abc");
  CHECK(record.white == "a b c  d ");
}

TEST_CASE("what is wrong with a file is said with its place") {
  CHECK(complaint("(;SZ[9];B[aa](;W[bb]);B[cc])") == "sgf: at byte 21: expected '(' or ')', found ';'");
  CHECK(complaint("hello") == "sgf: at byte 0: expected '(', a game's beginning, found 'h'");
  CHECK(complaint("()") == "sgf: at byte 1: expected ';', a node's beginning, found ')'");
  CHECK(complaint("(;SZ[9]") == "sgf: at byte 7: expected ';', '(' or ')', found the end");
  CHECK(complaint("(;SZ[9];B[aa") == "sgf: at byte 12: expected ']' for the '[' at byte 9, found the end");
  CHECK(complaint("(;SZ[9];B[aa\\]") == "sgf: at byte 14: expected ']' for the '[' at byte 9, found the end");
  CHECK(complaint("(;SZ[9];B)") == "sgf: at byte 9: expected '[' after the name of a property, found ')'");
  CHECK(complaint("(;SZ[9];b[aa])") == "sgf: at byte 8: expected ';', '(' or ')', found 'b'");
  CHECK(complaint("(;SZ[9])\x01") == "sgf: at byte 8: expected '(', a game's beginning, found byte 1");
  CHECK(complaint("(;SZ[13])") == "sgf: at byte 2: expected a board of 9 x 9, found SZ[13]");
  CHECK(complaint("(;B[aa])") == "sgf: at byte 7: expected a board of 9 x 9, found SZ[19]");
  CHECK(complaint("(;GM[4]SZ[9])") == "sgf: at byte 2: expected GM[1], found GM[4]");
  CHECK(complaint("(;FF[5]SZ[9])") == "sgf: at byte 2: expected FF[1] to FF[4], found FF[5]");
  CHECK(complaint("(;SZ[9]KM[3.75])") == "sgf: at byte 7: KM[3.75] is no komi in whole or half points");
  CHECK(complaint("(;SZ[9];W[aa])") == "sgf: at byte 8: expected B as move 1, found W");
  CHECK(complaint("(;SZ[9];B[aa];B[bb])") == "sgf: at byte 14: expected W as move 2, found B");
  CHECK(complaint("(;SZ[9];B[aa]W[bb])") == "sgf: at byte 13: both B and W in a node");
  CHECK(complaint("(;SZ[9];B[aa]B[bb])") == "sgf: at byte 13: property B stands twice in a node");
  CHECK(complaint("(;SZ[9];B[aa][bb])") == "sgf: at byte 8: property B has 2 values");
  CHECK(complaint("(;SZ[9];B[aa];SZ[9])") == "sgf: at byte 14: property SZ after the root");
  CHECK(complaint("(;SZ[9];B[\x1b\xff])") == "sgf: at byte 8: move 1, B[??], is no move on 9 x 9");
  CHECK(complaint("(;SZ[9]AB[aa][bb])") ==
        "sgf: at byte 7: property AB sets a position up; games must begin from the usual one");
  CHECK(complaint("(;SZ[" + std::string(1000, '9') + "])").size() < 100);
}

TEST_CASE("names come back whatever characters they have") {
  bm::sgf_record record;
  record.format = format::gomoku(3, 4);
  record.black = "a [bracket] and a \\";
  record.white = "x]y\\\\]";
  record.rules = "free: style";
  record.actions = {0, 11};
  CHECK(only(bm::write_sgf(record), record.format) == record);
  CHECK(complaint(bm::write_sgf(record), format::gomoku(3, 3)) ==
        "sgf: at byte 34: expected a board of 3 x 3, found SZ[4:3]");
}

TEST_CASE("moves that the game does not allow are refused when they are replayed") {
  auto const twice = only("(;SZ[9];B[aa];W[aa])", format::go(9));
  CHECK_THROWS_WITH_AS(bm::replay_sgf<bm::go9>(twice), "sgf: move 2, W[aa], is not legal", bm::file_error);
}

TEST_CASE("no bytes can do more than be refused") {
  std::string const valid =
      "(;FF[4]GM[1]SZ[9]KM[7.5]RE[B+0.5]PB[a\\]b];B[ee](;W[cc];B[]C[x])(;W[dd]))(;SZ[9];B[aa])";
  REQUIRE(complaint(valid).empty());
  bool fine = true;
  for (std::size_t n = 0; n < valid.size(); ++n) {
    fine = fine && read_or_refused(std::string_view(valid).substr(0, n));
    for (int c = 0; c < 256; ++c) {
      std::string damaged = valid;
      damaged[n] = static_cast<char>(c);
      fine = fine && read_or_refused(damaged);
    }
  }
  bm::random_stream random(bm::random_key{9}.split(bm::purpose::test));
  std::string_view const alphabet = "(;)[]\\ABWSZ9:\n\0\xff", letters = alphabet;
  for (int i = 0; i < 20000; ++i) {
    std::string text = i % 2 == 0 ? "(;SZ[9]" : "(;";
    for (std::uint32_t n = random.below(30); n > 0; --n)
      text += letters[random.below(static_cast<std::uint32_t>(letters.size()))];
    fine = fine && read_or_refused(text);
  }
  CHECK(fine);
  std::string deep;
  for (int i = 0; i < 1000000; ++i) deep += "(;";
  CHECK(read_or_refused(deep));
  CHECK(complaint("(;SZ[9]" + deep + std::string(1000001, ')')).empty());
}
