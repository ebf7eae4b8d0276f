#pragma once

#include <batchmate/core/error.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <set>
#include <string>
#include <string_view>
#include <utility>

namespace batchmate {

/// The number of bytes of the UTF-8 character that `text` begins with, or 0 where that is no valid one
/// (Unicode 15, table 3-7).
inline int utf8_length(std::string_view text) {
  auto const byte = [&](std::size_t i) { return i < text.size() ? static_cast<unsigned char>(text[i]) : 0u; };
  auto const follows = [&](std::size_t i) { return (byte(i) & 0xc0) == 0x80; };
  unsigned const first = byte(0), second = byte(1);
  if (text.empty()) return 0;
  if (first < 0x80) return 1;
  if (first >= 0xc2 && first < 0xe0) return follows(1) ? 2 : 0;
  if (first >= 0xe0 && first < 0xf0) {
    bool const overlong = first == 0xe0 && second < 0xa0, surrogate = first == 0xed && second >= 0xa0;
    return follows(1) && follows(2) && !overlong && !surrogate ? 3 : 0;
  }
  if (first >= 0xf0 && first < 0xf5) {
    bool const overlong = first == 0xf0 && second < 0x90, beyond = first == 0xf4 && second >= 0x90;
    return follows(1) && follows(2) && follows(3) && !overlong && !beyond ? 4 : 0;
  }
  return 0;
}

/// A foreign text as a message may show it: characters that could steer a terminal and bytes that are no
/// UTF-8 become `?`, and `...` stands for what exceeds 80 bytes.
inline std::string printable(std::string_view text) {
  constexpr std::size_t longest = 80;
  std::string shown;
  for (std::size_t at = 0; at < text.size();) {
    auto const length = static_cast<std::size_t>(utf8_length(text.substr(at)));
    if (shown.size() + std::max<std::size_t>(length, 1) > longest) return shown + "...";
    bool const ascii_control = length == 1 && (text[at] < 0x20 || text[at] == 0x7f);
    bool const late_control =
        length == 2 && text[at] == '\xc2' && static_cast<unsigned char>(text[at + 1]) < 0xa0;
    if (length == 0 || ascii_control || late_control)
      shown += '?';
    else
      shown += text.substr(at, length);
    at += std::max<std::size_t>(length, 1);
  }
  return shown;
}

/// Reads JSON (RFC 8259) whose structure the caller knows: every call takes the next value and throws
/// `file_error` if it is another. Nesting goes as deep as the caller's calls do. It never looks beyond
/// `text`, and holds no more memory than the string and the objects' names that it is reading.
class json_reader {
 public:
  /// `where` begins every message; `text` stays owned by the caller.
  json_reader(std::string_view text, std::string where) : text_(text), where_(std::move(where)) {}

  /// Takes an object: calls `field(name)` for each of its fields in order, which takes the field's value. A
  /// name that comes twice is refused.
  template <class Field>
  void object(Field&& field) {
    std::set<std::string> seen;
    take('{', "an object");
    if (try_take('}')) return;
    do {
      std::string name = string();
      if (!seen.insert(name).second) fail("a new name", concat('"', printable(name), "\" again"));
      take(':', "':'");
      field(std::as_const(name));
    } while (try_take(','));
    take('}', "',' or '}'");
  }

  /// Takes an array: calls `item()` for each of its items in order, which takes it.
  template <class Item>
  void array(Item&& item) {
    take('[', "an array");
    if (try_take(']')) return;
    do item();
    while (try_take(','));
    take(']', "',' or ']'");
  }

  /// Takes a string of valid UTF-8.
  std::string string() {
    std::string value;
    take('"', "a string");
    while (at_ < text_.size() && text_[at_] != '"') {
      if (text_[at_] == '\\') {
        escape(value);
        continue;
      }
      int const length = utf8_length(text_.substr(at_));
      if (length == 0 || static_cast<unsigned char>(text_[at_]) < 0x20) fail("a character of a string");
      value.append(text_.substr(at_, static_cast<std::size_t>(length)));
      at_ += static_cast<std::size_t>(length);
    }
    if (at_ == text_.size()) fail("the string's closing quote");
    ++at_;
    return value;
  }

  /// Takes an integer from 0 to 2^64 - 1, written in digits alone.
  std::uint64_t natural() {
    skip_space();
    std::size_t const begin = at_;
    std::uint64_t value = 0;
    for (; at_ < text_.size() && text_[at_] >= '0' && text_[at_] <= '9'; ++at_) {
      auto const digit = static_cast<std::uint64_t>(text_[at_] - '0');
      if (value > (UINT64_MAX - digit) / 10) fail("an integer below 2^64");
      value = value * 10 + digit;
    }
    if (at_ == begin || (text_[begin] == '0' && at_ - begin > 1)) fail("an integer");
    return value;
  }

  /// Throws unless nothing but white space is left.
  void end() {
    skip_space();
    if (at_ != text_.size()) fail("the end");
  }

 private:
  [[noreturn]] void fail(std::string_view expected, std::string const& found) const {
    throw file_error(concat(where_, ": expected ", expected, " at byte ", at_, ", found ", found));
  }
  [[noreturn]] void fail(std::string_view expected) const {
    if (at_ >= text_.size()) fail(expected, "the end");
    auto const c = static_cast<unsigned char>(text_[at_]);
    fail(expected, c > 0x20 && c < 0x7f ? concat('\'', text_[at_], '\'') : concat("byte ", int{c}));
  }

  void skip_space() {
    while (at_ < text_.size() && std::string_view(" \t\r\n").find(text_[at_]) != std::string_view::npos)
      ++at_;
  }
  bool try_take(char c) {
    skip_space();
    if (at_ == text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }
  void take(char c, std::string_view expected) {
    if (!try_take(c)) fail(expected);
  }

  void escape(std::string& out) {
    ++at_;
    if (at_ == text_.size()) fail("an escaped character");
    char const c = text_[at_];
    constexpr std::string_view letters = "\"\\/bfnrt", meant = "\"\\/\b\f\n\r\t";
    if (auto const i = letters.find(c); i != std::string_view::npos) {
      out += meant[i];
      ++at_;
    } else if (c == 'u') {
      append_utf8(out, code_point());
    } else {
      fail("an escaped character");
    }
  }

  /// Takes `uXXXX`, or a pair of surrogates `uXXXX\uXXXX`.
  std::uint32_t code_point() {
    std::uint32_t const high = code_unit();
    if (high < 0xd800 || high > 0xdfff) return high;
    if (high > 0xdbff || text_.substr(at_, 2) != "\\u") fail("a pair of surrogates");
    ++at_;
    std::uint32_t const low = code_unit();
    if (low < 0xdc00 || low > 0xdfff) fail("the second of a pair of surrogates");
    return 0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00);
  }
  std::uint32_t code_unit() {
    ++at_;
    std::uint32_t value = 0;
    for (int i = 0; i < 4; ++i, ++at_) {
      char const c = at_ < text_.size() ? text_[at_] : ' ';
      int const digit = c >= '0' && c <= '9'   ? c - '0'
                        : c >= 'a' && c <= 'f' ? c - 'a' + 10
                        : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                               : -1;
      if (digit < 0) fail("a hexadecimal digit");
      value = value * 16 + static_cast<std::uint32_t>(digit);
    }
    return value;
  }
  static void append_utf8(std::string& out, std::uint32_t c) {
    auto const put = [&](std::uint32_t byte) { out += static_cast<char>(byte); };
    if (c < 0x80) return put(c);
    if (c < 0x800) {
      put(0xc0 | c >> 6);
    } else if (c < 0x10000) {
      put(0xe0 | c >> 12);
      put(0x80 | (c >> 6 & 0x3f));
    } else {
      put(0xf0 | c >> 18);
      put(0x80 | (c >> 12 & 0x3f));
      put(0x80 | (c >> 6 & 0x3f));
    }
    put(0x80 | (c & 0x3f));
  }

  std::string_view text_;
  std::string where_;
  std::size_t at_ = 0;
};

/// The text as a JSON string, quoted, with ASCII's control characters escaped. Throws `contract_error` unless
/// it is valid UTF-8.
inline std::string json_string(std::string_view text) {
  std::string out = "\"";
  for (std::size_t at = 0; at < text.size();) {
    int const length = utf8_length(text.substr(at));
    expects(length > 0, "json: text is not UTF-8 at byte ", at);
    auto const c = static_cast<unsigned char>(text[at]);
    constexpr char digits[] = "0123456789abcdef";
    if (c == '"' || c == '\\') out += '\\';
    if (c < 0x20 || c == 0x7f)
      out.append("\\u00").append(1, digits[c >> 4]).append(1, digits[c & 15]);
    else
      out.append(text.substr(at, static_cast<std::size_t>(length)));
    at += static_cast<std::size_t>(length);
  }
  return out + '"';
}

}  // namespace batchmate
