#pragma once

#include <batchmate/net/json.hpp>

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <type_traits>
#include <vector>

namespace common {

/// The parts of a text between separators.
inline std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  for (;;) {
    std::size_t const end = text.find(separator);
    parts.push_back(text.substr(0, end));
    if (end == std::string_view::npos) return parts;
    text.remove_prefix(end + 1);
  }
}

/// A foreign text of any length as a message may show it: what `batchmate::printable` does not show becomes `?`.
inline std::string shown(std::string_view text) {
  std::string all;
  while (!text.empty()) {
    auto const length = static_cast<std::size_t>(std::max(1, batchmate::utf8_length(text)));
    all += batchmate::printable(text.substr(0, length));
    text.remove_prefix(length);
  }
  return all;
}

/// A number that is the whole text, or nothing.
template <class T>
std::optional<T> number_in(std::string_view text) {
  T value{};
  auto const [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

/// Sets a number, or a switch that is 0 or 1, to what a text says; false if it says nothing of the kind.
template <class T>
bool set(T& field, std::string_view text) {
  if constexpr (std::is_same_v<T, bool>) {
    field = text == "1";
    return text == "0" || text == "1";
  } else {
    std::optional<T> const value = number_in<T>(text);
    field = value.value_or(field);
    return value.has_value();
  }
}

}  // namespace common
