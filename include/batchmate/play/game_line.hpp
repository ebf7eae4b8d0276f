#pragma once

#include <batchmate/play/episode.hpp>

#include <string>

namespace batchmate {

/// An episode as one line for people: its number, the result for the first player (`1-0`, `0-1` or
/// `1/2-1/2`), then the moves: `17 1-0 d4 e5 c6`, and `resigns` where the next player did. Where a game did not begin
/// at the usual start, the position at which it began comes before the moves, as `to_text` writes it, in square
/// brackets: `17 1-0 [x../... o] b2 c1`. The first player is the one who is to move there.
template <game_with_text G>
std::string game_line(episode<G> const& played) {
  float const last = played.result();
  float const first = played.samples.size() % 2 == 0 ? last : -last;
  std::string line = std::to_string(played.number) + (first > 0 ? " 1-0" : first < 0 ? " 0-1" : " 1/2-1/2");
  G const& opening = played.samples.empty() ? played.final_position : played.samples.front().position;
  if (std::string const at = opening.to_text(); at != G{}.to_text()) line += " [" + at + ']';
  for (sample<G> const& s : played.samples) line += ' ' + G::action_text(s.action);
  return played.resigned ? line + " resigns" : line;
}

}  // namespace batchmate
