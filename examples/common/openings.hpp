#pragma once

#include <batchmate/core/error.hpp>
#include <batchmate/core/random.hpp>
#include <batchmate/game/concepts.hpp>
#include <batchmate/net/atomic_file.hpp>
#include <batchmate/net/json.hpp>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <sstream>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

/// A position from which a pair of games begins.
template <batchmate::game_with_text G>
struct opening {
  G position;
  std::string text;            ///< the moves from the start with a space between them, or the position
  G first{};                   ///< where the moves begin: the start, or the position itself
  std::vector<int> actions{};  ///< the moves
};

/// Distinct unfinished positions after random moves from the start; a function of the seed. Throws
/// `contract_error` if there are too few.
template <batchmate::game_with_text G>
std::vector<opening<G>> random_openings(int count, int plies, std::uint64_t seed) {
  std::vector<opening<G>> openings;
  std::unordered_set<std::string> seen;
  batchmate::random_stream random(batchmate::random_key{seed}.split(batchmate::purpose::opening));
  for (std::int64_t misses = 0; static_cast<int>(openings.size()) < count; ++misses) {
    batchmate::expects(misses < 100'000 + 100 * std::int64_t{count}, "openings: found ", openings.size(),
                       " distinct positions after ", plies, " random plies, expected ", count);
    opening<G> made;
    for (int ply = 0; ply < plies && !made.position.result(); ++ply) {
      auto const legal = made.position.legal_actions();
      int const action = legal.nth(static_cast<int>(random.below(static_cast<std::uint32_t>(legal.count()))));
      made.text += (ply == 0 ? "" : " ") + G::action_text(action);
      made.actions.push_back(action);
      made.position.play(action);
    }
    if (made.position.result() || !seen.insert(made.position.to_text()).second) continue;
    if (plies == 0) made.text = made.position.to_text();
    openings.push_back(made);
    misses = 0;
  }
  return openings;
}

/// The position that a line of a file of openings describes: as `to_text` writes it, or by moves from the start.
/// Throws `contract_error`, which says what is wrong with it.
template <batchmate::game_with_text G>
opening<G> parse_opening(std::string const& line) {
  opening<G> made;
  if (auto const position = G::from_text(line)) {
    made.text = line;
    made.position = made.first = *position;
  } else {
    std::istringstream moves(line);
    for (std::string move; moves >> move;) {
      auto const action = G::parse_action(move);
      std::size_t const ply = made.actions.size() + 1;
      std::string const shown = batchmate::printable(move);
      batchmate::expects(action.has_value(), "'", shown, "' is no move of ", G::name(),
                         ", nor is the line a position");
      batchmate::expects(!made.position.result(), "the game is over before move ", ply, ", '", shown, "'");
      batchmate::expects(made.position.legal_actions().test(*action), "move ", ply, ", '", shown,
                         "', cannot be played");
      made.position.play(*action);
      made.actions.push_back(*action);
      made.text += (ply == 1 ? "" : " ") + move;
    }
    batchmate::expects(!made.actions.empty(), "there is no move in this line");
  }
  batchmate::expects(!made.position.result(), "the game is over in this position");
  return made;
}

/// The openings of a file's text, one a line; empty lines and those that begin with `#` do not count. Throws
/// `file_error`, which names the file and the line, for one that is no opening, and for a position that comes twice:
/// players that play alike would play its games twice, too.
template <batchmate::game_with_text G>
std::vector<opening<G>> openings_of(std::string const& text, std::string const& source) {
  std::istringstream lines(text);
  std::vector<opening<G>> openings;
  std::unordered_map<std::string, int> seen;  // the line of a position
  int number = 0;
  for (std::string line; std::getline(lines, line);) {
    ++number;
    line.erase(line.find_last_not_of(" \t\r") + 1);
    line.erase(0, line.find_first_not_of(" \t"));
    if (line.empty() || line[0] == '#') continue;
    try {
      openings.push_back(parse_opening<G>(line));
      auto const [at, fresh] = seen.emplace(openings.back().position.to_text(), number);
      batchmate::expects(fresh, "the same position as in line ", at->second);
    } catch (batchmate::contract_error const& e) {
      throw batchmate::file_error(batchmate::concat(source, ":", number, ": ", e.what()));
    }
  }
  if (openings.empty()) throw batchmate::file_error(source + ": holds no opening");
  return openings;
}

/// The openings of a file of at most 256 MiB. Throws `file_error` as `openings_of` does, and where it cannot be read.
template <batchmate::game_with_text G>
std::vector<opening<G>> openings_in(std::filesystem::path const& path) {
  auto const bytes = batchmate::read_file(path, std::size_t{1} << 28);
  return openings_of<G>({reinterpret_cast<char const*>(bytes.data()), bytes.size()}, path.string());
}
