// Any bytes as a file of openings. The first byte chooses the game; the rest is the text.

#include "fuzz.hpp"

#include <batchmate/game/breakthrough.hpp>
#include <batchmate/game/connect4.hpp>
#include <batchmate/game/go.hpp>
#include <batchmate/game/hex.hpp>
#include <batchmate/game/othello.hpp>
#include <batchmate/game/tictactoe.hpp>
#include <batchmate/play/openings.hpp>

#include <common/openings.hpp>

#include <iterator>
#include <set>
#include <string>

using namespace batchmate;

namespace {

/// Whether a game can begin there, and its moves lead there.
template <game_with_text G>
void check_opening(opening<G> const& read) {
  G at = read.first;
  for (int const action : read.actions) {
    fuzz::require(!at.result() && at.legal_actions().test(action), "a move that was read is legal");
    at.play(action);
  }
  std::string const text = read.position.to_text();
  fuzz::require(at.to_text() == text, "the moves that were read lead to the position");
  fuzz::require(!at.result() && at.legal_actions().count() > 0, "a game can begin at an opening");
  auto const again = G::from_text(text);
  fuzz::require(again && again->to_text() == text, "a position that was read can be written and read again");
}

template <game_with_text G>
void read_openings(std::string const& text) {
  fuzz::reads_or_refuses([&] {
    auto const all = openings_of<G>(text, "file");
    batchmate::openings<G> begin{{}, 3};
    std::set<std::string> seen;
    std::string written;
    for (opening<G> const& read : all) {
      check_opening(read);
      fuzz::require(seen.insert(read.position.to_text()).second, "no position comes twice");
      begin.positions.push_back(read.position);
      written += read.text + "\n";
    }
    auto const again = openings_of<G>(written, "again");
    fuzz::require(again.size() == all.size(), "openings that were read can be written and read again");
    for (std::size_t i = 0; i < all.size(); ++i)
      fuzz::require(again[i].text == all[i].text && again[i].actions == all[i].actions &&
                        again[i].position.to_text() == all[i].position.to_text(),
                    "an opening is read again as it was");
    begin.check();
    for (int episode = 0; episode < 3; ++episode)
      fuzz::require(!begin(random_key{7}, episode).result(), "no game is over where it begins");
  });
}

constexpr void (*games[])(std::string const&) = {
    read_openings<tictactoe>,     //
    read_openings<connect4>,      //
    read_openings<hex<3, true>>,  //
    read_openings<othello>,       //
    read_openings<go<5>>,         //
    read_openings<breakthrough8>  //
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
  if (size > 0) games[data[0] % std::size(games)](std::string(fuzz::text_of(data + 1, size - 1)));
  return 0;
}
