#pragma once

#include <batchmate/core/error.hpp>
#include <batchmate/game/sgf.hpp>

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace batchmate {

/// Reads SGF whose games are all of one format: of every game the main line, the first of its variations. Use
/// `read_sgf`.
class sgf_reader {
 public:
  sgf_reader(std::string_view text, sgf_format const& format) : text_(text), format_(format) {}

  /// All games, to the end of the text. Throws `file_error`.
  std::vector<sgf_record> read() {
    std::vector<sgf_record> games;
    if (text_.starts_with("\xef\xbb\xbf")) at_ = 3;  // the mark of UTF-8
    skip_space();
    while (at_ < text_.size()) {
      games.push_back(read_game());
      skip_space();
    }
    return games;
  }

 private:
  /// Throws with the place, what was expected there, and the character that was found.
  [[noreturn]] void fail(std::string const& expected) const {
    throw file_error(concat("sgf: at byte ", at_, ": expected ", expected, ", found ", found()));
  }
  /// Throws with the place and what is wrong.
  [[noreturn]] void refuse(std::size_t at, std::string const& fault) const {
    throw file_error(concat("sgf: at byte ", at, ": ", fault));
  }

  std::string found() const {
    if (at_ >= text_.size()) return "the end";
    unsigned char const c = static_cast<unsigned char>(text_[at_]);
    return c > ' ' && c < 0x7f ? concat("'", text_[at_], "'") : concat("byte ", int{c});
  }

  /// A value for a message: short, and without what a terminal might obey.
  static std::string shown(std::string_view value) {
    std::string text(value.substr(0, 20));
    for (char& c : text)
      if (c < ' ' || c > '~') c = '?';
    return '[' + text + (value.size() > 20 ? "...]" : "]");
  }

  char peek() const { return at_ < text_.size() ? text_[at_] : '\0'; }
  void skip_space() {
    while (at_ < text_.size() && std::string_view(" \t\r\n\v\f").find(text_[at_]) != std::string_view::npos)
      ++at_;
  }

  /// One tree, without recursion, so that no depth of brackets can exhaust the stack.
  sgf_record read_game() {
    game_ = {};
    game_.format = format_;
    nodes_ = 0;
    seen_size_ = given_up_ = false;
    if (peek() != '(') fail("'(', a game's beginning");
    bool main_line = true, fresh = false;  // fresh: a '(' that has no node yet
    bool closed = false;                   // a variation has ended here, after which there are no more nodes
    for (std::size_t depth = 0;;) {
      char const c = peek();
      if (c == '(' && !fresh && (depth == 0 || nodes_ > 0)) {
        ++depth;
        fresh = true;
        closed = false;
      } else if (c == ';' && depth > 0 && !closed) {
        ++at_;
        read_node(main_line);
        fresh = false;
        skip_space();
        continue;
      } else if (c == ')' && depth > 0 && !fresh) {
        main_line = false;  // the first variation that ends has been the main line
        closed = true;
        --depth;
      } else {
        fail(fresh ? "';', a node's beginning" : closed ? "'(' or ')'" : "';', '(' or ')'");
      }
      ++at_;
      if (depth == 0) break;
      skip_space();
    }
    return std::move(game_);
  }

  void read_node(bool main_line) {
    bool const root = nodes_++ == 0;
    known_.clear();
    for (skip_space(); peek() >= 'A' && peek() <= 'Z'; skip_space()) {
      std::size_t const begin = at_;
      while (peek() >= 'A' && peek() <= 'Z') ++at_;
      std::string_view const name = text_.substr(begin, at_ - begin);
      skip_space();
      if (peek() != '[') fail("'[' after the name of a property");
      int values = 0;
      for (; peek() == '['; ++values, skip_space()) {
        std::string_view const value = read_value();
        if (main_line && values == 0) take(name, value, begin, root);
      }
      if (main_line && values > 1 && is_known(name))
        refuse(begin, concat("property ", name, " has ", values, " values"));
    }
    if (main_line && root && !seen_size_) check_size("", at_);
  }

  /// What stands between brackets, escapes included.
  std::string_view read_value() {
    std::size_t const begin = ++at_;
    while (at_ < text_.size() && text_[at_] != ']') at_ += text_[at_] == '\\' ? 2 : 1;
    if (at_ >= text_.size()) {
      at_ = text_.size();
      fail(concat("']' for the '[' at byte ", begin - 1));
    }
    return text_.substr(begin, at_++ - begin);
  }

  static bool is_known(std::string_view name) {
    for (std::string_view known : {"B", "W", "FF", "GM", "SZ", "KM", "RE", "PB", "PW", "RU"})
      if (name == known) return true;
    return false;
  }

  /// Takes a property of the main line that this reader knows.
  void take(std::string_view name, std::string_view value, std::size_t at, bool root) {
    if (name == "AB" || name == "AW" || name == "AE" || name == "PL")
      refuse(at, concat("property ", name, " sets a position up; games must begin from the usual one"));
    if (!is_known(name)) return;
    if ((known_ + ' ').find(concat(' ', name, ' ')) != std::string::npos)
      refuse(at, concat("property ", name, " stands twice in a node"));
    known_ += concat(' ', name);
    if (name == "B" || name == "W") return take_move(name, value, at);
    if (name == "KM" && !(game_.half_komi = parse_half_points(
                              value.substr(value.starts_with('+') && !value.starts_with("+-")))))
      refuse(at, concat("KM", shown(value), " is no komi in whole or half points"));
    if (name == "RE") game_.result = plain(value);
    if (name == "PB") game_.black = plain(value);
    if (name == "PW") game_.white = plain(value);
    if (name == "RU") game_.rules = plain(value);
    if (!root) {
      if (name == "FF" || name == "GM" || name == "SZ")
        refuse(at, concat("property ", name, " after the root"));
      return;
    }
    if (name == "FF" && (value.size() != 1 || value[0] < '1' || value[0] > '4'))
      refuse(at, concat("expected FF[1] to FF[4], found FF", shown(value)));
    if (name == "GM" && value != std::to_string(format_.game))
      refuse(at, concat("expected GM[", format_.game, "], found GM", shown(value)));
    if (name == "SZ") check_size(value, at);
  }

  void take_move(std::string_view name, std::string_view value, std::size_t at) {
    bool const black = game_.actions.size() % 2 == 0;
    std::size_t const number = game_.actions.size() + 1;
    if (known_.find(name == "B" ? " W" : " B") != std::string::npos) refuse(at, "both B and W in a node");
    if ((name == "B") != black)
      refuse(at, concat("expected ", black ? "B" : "W", " as move ", number, ", found ", name));
    if (given_up_) refuse(at, concat("move ", number, " comes after the game was given up"));
    given_up_ = format_.game == 11 && gives_up(value);
    if (given_up_) return;
    auto const action = parse_sgf_move(format_, value);
    if (!action)
      refuse(at, concat("move ", number, ", ", name, shown(value), ", is no move on ", format_.columns, " x ",
                        format_.rows));
    game_.actions.push_back(*action);
  }

  /// How a game of Hex may end.
  static bool gives_up(std::string_view value) {
    std::string small(value);
    for (char& c : small) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    return small == "resign" || small == "forfeit";
  }

  /// An empty value stands for the size that a game has if none is given.
  void check_size(std::string_view value, std::size_t at) {
    seen_size_ = true;
    std::string const columns = std::to_string(format_.columns), rows = std::to_string(format_.rows);
    int const usual = format_.game == 1 ? 19 : format_.game == 11 ? 11 : format_.columns;
    std::string const size = value.empty() ? std::to_string(usual) : std::string(value);
    if (size != columns + ':' + rows && (columns != rows || size != columns))
      refuse(at, concat("expected a board of ", columns, " x ", rows, ", found SZ", shown(size)));
  }

  /// Text without its escapes; line breaks become spaces, escaped ones nothing.
  static std::string plain(std::string_view value) {
    std::string text;
    auto const breaks = [&](std::size_t i) {
      return i < value.size() && (value[i] == '\n' || value[i] == '\r');
    };
    for (std::size_t i = 0; i < value.size(); ++i) {
      bool const escaped = value[i] == '\\';
      if (escaped && ++i == value.size()) break;
      bool const line_break = breaks(i);
      if (line_break && breaks(i + 1) && value[i] != value[i + 1]) ++i;  // two characters, one break
      if (!(escaped && line_break)) text += static_cast<unsigned char>(value[i]) < ' ' ? ' ' : value[i];
    }
    return text;
  }

  std::string_view text_;
  sgf_format format_;
  std::size_t at_ = 0;
  sgf_record game_;         // the one being read
  std::size_t nodes_ = 0;   // of it
  bool seen_size_ = false;  // of its board
  bool given_up_ = false;   // by its last move
  std::string known_;       // properties of the node that have been taken, each after a space
};

/// The games of an SGF collection, one or more, which must all be of the given format; of each its main line.
/// Properties that do not matter are skipped. Throws `file_error`, which names the place and what was expected, for
/// text that is not SGF, for another game or size, for positions that were set up, and for moves that are none
/// or out of turn. Whether a move is legal only the game knows: see `replay_sgf`.
inline std::vector<sgf_record> read_sgf(std::string_view text, sgf_format const& format) {
  return sgf_reader(text, format).read();
}

}  // namespace batchmate
