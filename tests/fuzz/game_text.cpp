// Any bytes as a position and as an action of every shipped game. The first byte chooses the game; the rest is the
// text, or, after a '!', moves to play from the start and changes to make in the text of where they lead.

#include "fuzz.hpp"

#include <batchmate/game/breakthrough.hpp>
#include <batchmate/game/concepts.hpp>
#include <batchmate/game/connect4.hpp>
#include <batchmate/game/go.hpp>
#include <batchmate/game/hex.hpp>
#include <batchmate/game/mnk.hpp>
#include <batchmate/game/othello.hpp>
#include <batchmate/game/tictactoe.hpp>

#include <iterator>
#include <string>

using namespace batchmate;

namespace {

/// The n-th legal action, counted round and round.
template <game G>
int nth_legal(G const& position, unsigned n) {
  auto const legal = position.legal_actions();
  fuzz::require(legal.count() > 0, "a position without a result has a legal action");
  n %= static_cast<unsigned>(legal.count());
  for (int action = 0; action < G::num_actions; ++action)
    if (legal.test(action) && n-- == 0) return action;
  std::abort();
}

/// Plays on for some moves from a position that text led to, and looks at everything on the way.
template <game_with_text G>
void play_on(G position, std::string_view choices) {
  for (int ply = 0; ply < 16 && !position.result(); ++ply) {
    plane_bits<G::input> planes{};
    position.encode(planes);
    if constexpr (game_with_key<G>) static_cast<void>(position.key());
    if constexpr (game_with_globals<G>) {
      float numbers[num_globals<G>];
      position.encode_globals(numbers);
    }
    auto const n = static_cast<unsigned char>(choices.empty() ? '\0' : choices[ply % choices.size()]);
    int const action = nth_legal(position, n);
    fuzz::require(G::parse_action(G::action_text(action)) == action, "an action's text names it");
    position.play(action);
  }
  fuzz::require(!position.draw().empty(), "a position can be drawn");
}

/// Moves until a byte 255, then pairs of a place and a character for the text of where they lead.
template <game_with_text G>
std::string text_after(std::string_view script) {
  G position;
  std::size_t at = 0;
  for (; at < script.size() && script[at] != '\xff' && !position.result(); ++at)
    position.play(nth_legal(position, static_cast<unsigned char>(script[at])));
  std::string text = position.to_text();
  for (++at; at + 1 < script.size(); at += 2)
    text[static_cast<unsigned char>(script[at]) % text.size()] = script[at + 1];
  return text;
}

template <game_with_text G>
void read_text(std::string_view input) {
  bool const is_script = input.starts_with('!');
  std::string const text = is_script ? text_after<G>(input.substr(1)) : std::string(input);
  if (auto const position = G::from_text(text)) {
    fuzz::require(position->to_text() == text, "a position's text is the one that it was read from");
    play_on(*position, input);
  }
  if (auto const action = G::parse_action(text)) {
    fuzz::require(*action >= 0 && *action < G::num_actions, "an action that was read is one of the game's");
    fuzz::require(G::action_text(*action) == text, "an action's text is the one that it was read from");
  }
}

/// A new game with text is one more of these, at the end.
constexpr void (*games[])(std::string_view) = {
    read_text<tictactoe>,      //
    read_text<connect4>,       //
    read_text<hex<1>>,         //
    read_text<hex<3, true>>,   //
    read_text<hex7>,           //
    read_text<hex13>,          //
    read_text<hex<19>>,        //
    read_text<othello>,        //
    read_text<mnk<4, 3, 3>>,   //
    read_text<gomoku>,         //
    read_text<go<2>>,          //
    read_text<go<5>>,          //
    read_text<go<19>>,         //
    read_text<breakthrough8>,  //
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
  if (size > 0) games[data[0] % std::size(games)](fuzz::text_of(data + 1, size - 1));
  return 0;
}
