// Any bytes as SGF, a game's or a move's. The first byte chooses the format; the rest is the text.

#include "fuzz.hpp"

#include <batchmate/game/go.hpp>
#include <batchmate/game/sgf.hpp>
#include <batchmate/game/sgf_reader.hpp>

#include <iterator>
#include <string>
#include <vector>

using namespace batchmate;

namespace {

constexpr sgf_format formats[] = {
    sgf_format::go(5),         sgf_format::go(19),  sgf_format::othello(),   sgf_format::gomoku(15, 15),
    sgf_format::gomoku(3, 26), sgf_format::hex(11), sgf_format::hex(5, true)};

/// All games as one collection.
std::string written(std::vector<sgf_record> const& games) {
  std::string text;
  for (sgf_record const& game : games) text += write_sgf(game);
  return text;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
  if (size == 0) return 0;
  sgf_format const& format = formats[data[0] % std::size(formats)];
  std::string_view const text = fuzz::text_of(data + 1, size - 1);
  fuzz::reads_or_refuses([&] {
    auto const games = read_sgf(text, format);
    std::string const once = written(games);
    fuzz::require(written(read_sgf(once, format)) == once,
                  "games that were read can be written and read again");
    for (sgf_record const& game : games) {
      fuzz::require(game.format == format, "a game has the format that was asked for");
      if (format == go<5>::sgf) fuzz::reads_or_refuses([&] { replay_sgf<go<5>>(game); });
    }
  });
  if (auto const action = parse_sgf_move(format, text))
    fuzz::require(parse_sgf_move(format, sgf_move(format, *action)) == action, "a move's text names it");
  if (auto const halves = parse_half_points(text))
    fuzz::require(parse_half_points(half_points_text(*halves)) == halves,
                  "a number of points is read exactly");
  return 0;
}
