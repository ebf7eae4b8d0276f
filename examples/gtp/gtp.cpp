// The Go Text Protocol, version 2, for every game: black is who moves first. Points of Go are named as there (letters
// without I, row 1 at the bottom); all other moves are the library's texts, which for Hex are those of its programs.

#include <batchmate/game/sgf.hpp>

#include <common/flags.hpp>
#include <common/program.hpp>
#include <common/summary.hpp>

#include <support/table_flags.hpp>

#include <algorithm>
#include <cctype>
#include <cstddef>
#include <cstdio>
#include <functional>
#include <iostream>
#include <map>
#include <memory>
#include <sstream>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace {

using words = std::vector<std::string>;

/// What a command gets for an answer that begins with `?`.
struct refusal : std::runtime_error {
  using std::runtime_error::runtime_error;
};

std::string lower(std::string text) {
  for (char& c : text) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return text;
}

/// The first of some words; refuses where there is none.
std::string const& only(words const& arguments, char const* what) {
  if (arguments.empty()) throw refusal(std::string("syntax error: expected ") + what);
  return arguments[0];
}

/// Obeys one command after the other, at a table.
class engine {
 public:
  engine(table& at, std::string game, float resign_below)
      : table_(at), game_(std::move(game)), start_(at.position()), resign_below_(resign_below) {
    if (!is_go()) commands_.erase("komi");
  }

  /// Reads commands to the end, or `quit`.
  void serve() {
    std::string line;
    while (!ended_ && std::getline(std::cin, line)) {
      words found = split(line);
      if (found.empty()) continue;
      std::string id;
      if (std::all_of(found[0].begin(), found[0].end(), [](unsigned char c) { return std::isdigit(c); })) {
        id = found[0];
        found.erase(found.begin());
      }
      char status = '=';
      std::string const answer = answer_to(found, status);
      std::printf("%c%s%s%s\n\n", status, id.c_str(), answer.empty() ? "" : " ", answer.c_str());
      std::fflush(stdout);
    }
  }

 private:
  /// Words of a line without its comment; control characters are left out, as the protocol says.
  static words split(std::string const& line) {
    std::string text;
    for (char c : line.substr(0, line.find('#')))
      if (c == '\t' || !std::iscntrl(static_cast<unsigned char>(c))) text += c;
    std::istringstream in(text);
    words found;
    for (std::string word; in >> word;) found.push_back(word);
    return found;
  }

  std::string answer_to(words const& line, char& status) {
    try {
      auto const known = line.empty() ? commands_.end() : commands_.find(line[0]);
      if (known == commands_.end()) throw refusal("unknown command");
      return known->second({line.begin() + 1, line.end()});
    } catch (refusal const& reason) {
      status = '?';
      return reason.what();
    }
  }

  bool is_go() const {
    return game_.starts_with("go") && game_.find_first_not_of("0123456789", 2) == game_.npos;
  }
  bool black_to_move() const { return table_.plies() % 2 == 0; }

  /// Refuses another colour than that of whoever is to move: turns alternate.
  void check_turn(std::string const& colour) const {
    std::string const name = lower(colour);
    bool const black = name == "b" || name == "black", white = name == "w" || name == "white";
    if (!black && !white) throw refusal("syntax error: '" + colour + "' is no colour");
    if (black != black_to_move()) throw refusal("illegal move: it is the other player's turn");
  }

  /// A point of Go as the protocol names it, and back; other games' moves as they are.
  std::string vertex_of(std::string const& move) const {
    if (!is_go() || move == "pass") return move;
    char const letter = static_cast<char>(std::toupper(static_cast<unsigned char>(move[0])));
    return static_cast<char>(letter + (letter >= 'I')) + turned_row(move);
  }
  std::string move_of(std::string const& vertex) const {
    if (!is_go()) return vertex;
    std::string const move = lower(vertex);
    if (move == "pass") return move;
    bool const point = move.size() >= 2 && move.size() <= 3 && move[0] != 'i' &&
                       move.find_first_not_of("0123456789", 1) == move.npos;
    if (!point) throw refusal("syntax error: '" + vertex + "' is no point");
    return static_cast<char>(move[0] - (move[0] > 'i')) + turned_row(move);
  }
  /// The number of a row, counted from the other side.
  std::string turned_row(std::string const& point) const {
    return std::to_string(table_.columns() + 1 - std::stoi(point.substr(1)));
  }

  std::string play(words const& arguments) {
    if (arguments.size() != 2) throw refusal("syntax error: expected a colour and a move");
    check_turn(arguments[0]);
    std::string const move = move_of(arguments[1]);
    if (table_.play(move) && table_.play(lower(move))) throw refusal("illegal move");
    return "";
  }

  /// A move by the search, which `generate` plays, too.
  std::string think(words const& arguments, bool generate) {
    std::string const& colour = only(arguments, "a colour");
    if (table_.result()) {
      if (is_go()) return "pass";
      throw refusal("the game is over");
    }
    check_turn(colour);
    analysis const found = table_.think();
    if (found.value < resign_below_) return "resign";
    if (generate) table_.play(found.move);
    return vertex_of(found.move);
  }

  std::string undo() {
    if (table_.plies() == 0) throw refusal("cannot undo");
    table_.undo(1);
    return "";
  }

  std::string set_size(words const& arguments) {
    if (only(arguments, "a size") != std::to_string(table_.columns())) throw refusal("unacceptable size");
    return clear();
  }

  /// The game's start; for Go with the komi that was set last.
  std::string clear() {
    table_.set_position(start_);
    return "";
  }

  /// Komi is a part of Go's text, between who moves first and the moves; those played stay.
  std::string set_komi(words const& arguments) {
    std::string const komi = only(arguments, "a number"), old = start_;
    std::string const moves = table_.position().substr(old.size());
    auto const halves = batchmate::parse_half_points(komi);
    if (!halves ||
        !table_.set_position(old.substr(0, old.rfind(' ') + 1) + batchmate::half_points_text(*halves)))
      throw refusal("syntax error: '" + komi + "' is no komi in half points");
    start_ = table_.position();
    words const played = split(moves);
    for (std::string const& move : played) table_.play(move);
    return "";
  }

  std::string score() const {
    if (!table_.result()) throw refusal("cannot score: the game goes on");
    return table_.score();
  }

  /// The board over several lines; that of Go with the protocol's coordinates.
  std::string drawing() const {
    std::istringstream lines(table_.draw());
    std::string text;
    for (std::string line; std::getline(lines, line); text += "\n" + line) {
      std::size_t const at = line.find_first_not_of(' ');
      if (!is_go() || at == line.npos) continue;
      if (std::isdigit(static_cast<unsigned char>(line[at]))) {
        std::string const row = turned_row(' ' + line.substr(at));
        line = std::string(line.find(' ', at) - row.size(), ' ') + row + line.substr(line.find(' ', at));
      } else if (text.empty()) {
        for (char& c : line)
          if (c != ' ') c = vertex_of(c + std::string("1"))[0];
      }
    }
    return text;
  }

  std::string list() const {
    std::string text;
    for (auto const& [name, command] : commands_) text += (text.empty() ? "" : "\n") + name;
    return text;
  }

  table& table_;
  std::string game_;
  std::string start_;  // the position from which games begin
  float resign_below_;
  bool ended_ = false;
  std::map<std::string, std::function<std::string(words const&)>> commands_{
      {"protocol_version", [](words const&) { return "2"; }},
      {"name", [](words const&) { return "batchmate"; }},
      {"version", [this](words const&) { return common::version + " " + table_.network(); }},
      {"known_command",
       [this](words const& w) { return commands_.contains(only(w, "a command")) ? "true" : "false"; }},
      {"list_commands", [this](words const&) { return list(); }},
      {"quit",
       [this](words const&) {
         ended_ = true;
         return "";
       }},
      {"boardsize", [this](words const& w) { return set_size(w); }},
      {"clear_board", [this](words const&) { return clear(); }},
      {"komi", [this](words const& w) { return set_komi(w); }},
      {"play", [this](words const& w) { return play(w); }},
      {"genmove", [this](words const& w) { return think(w, true); }},
      {"reg_genmove", [this](words const& w) { return think(w, false); }},
      {"undo", [this](words const&) { return undo(); }},
      {"final_score", [this](words const&) { return score(); }},
      {"time_settings",
       [](words const&) { return ""; }},  // it thinks for as many simulations as it was told to
      {"time_left", [](words const&) { return ""; }},
      {"showboard", [this](words const&) { return drawing(); }}};
};

}  // namespace

int main(int argc, char** argv) {
  float resign_below = -1;
  CLI::App app{"Speak the Go Text Protocol, for boards with a GUI and for matches against other programs.",
               "gtp"};
  table_flags flags(app, 400);
  app.add_option("--resign-below", resign_below,
                 "Resign where the search's value is below this, -1 to 1; -1: never")
      ->check(CLI::Range(-1.0, 1.0))
      ->capture_default_str();
  if (auto const status = common::parse(app, argc, argv)) return *status;
  return common::guarded("gtp", [&] {
    std::unique_ptr<table> const at = flags.make_table();
    engine(*at, flags.game, resign_below).serve();
    common::finish_output();
    return 0;
  });
}
