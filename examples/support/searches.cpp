#include <common/program.hpp>
#include <common/searches.hpp>
#include <common/text.hpp>

#include <cstddef>
#include <tuple>

namespace common {

namespace {

/// Calls `visit(name, field)` for every setting that a search lists.
template <class S, class Visit>
void for_settings(S& search, Visit&& visit) {
  if constexpr (requires { S::fields; })
    std::apply([&](auto const&... each) { (visit(each.name, search.*each.place), ...); }, S::fields);
}

/// What a setting is to be, for people.
std::string expectation(bool) { return "0 or 1"; }
std::string expectation(batchmate::first_play) { return "parent, visited-policy or absolute"; }
template <class T>
std::string expectation(T) {
  return "a number";
}
template <std::size_t N>
std::string expectation(std::array<int, N> const&) {
  return "up to " + std::to_string(N) + " whole numbers with / between them";
}

using common::set;  // of numbers and switches

/// A mode for moves without visits, by its name.
bool set(batchmate::first_play& field, std::string_view text) {
  using enum batchmate::first_play;
  for (auto const& [name, mode] :
       {std::pair("parent", parent), {"visited-policy", visited_policy}, {"absolute", absolute}})
    if (text == name) return field = mode, true;
  return false;
}

/// Widths, separated by `/`.
template <std::size_t N>
bool set(std::array<int, N>& field, std::string_view text) {
  auto const parts = split(text, '/');
  field = {};
  for (std::size_t i = 0; i < parts.size(); ++i)
    if (i >= N || !set(field[i], parts[i])) return false;
  return true;
}

}  // namespace

std::vector<known_search> known_searches() {
  return std::apply(
      [](auto const&... rows) {
        return std::vector<known_search>{{rows.name, rows.help, rows.settings}...};
      },
      search_table);
}

std::vector<known_search> strongest_searches() {
  auto searches = known_searches();
  for (known_search& search : searches)
    for (char const* key : {"noise", "temperature"}) change_setting(search.name, search.settings, key, "0");
  return searches;
}

std::vector<std::string> setting_keys(search_choice search) {
  std::vector<std::string> keys;
  std::visit([&](auto& s) { for_settings(s, [&](char const* key, auto&) { keys.emplace_back(key); }); },
             search);
  return keys;
}

bool change_setting(std::string const& flag, search_choice& search, std::string const& key,
                    std::string const& value) {
  bool known = false, good = true;
  std::string expected;
  std::visit(
      [&](auto& s) {
        for_settings(s, [&](char const* name, auto& field) {
          if (key != name) return;
          known = true;
          expected = expectation(field);
          good = set(field, value);
        });
      },
      search);
  if (!good) throw usage_error(flag + ": " + key + ": expected " + expected + ", found '" + value + "'");
  return known;
}

void check_search(std::string const& flag, search_choice const& search) {
  try {
    std::visit([](auto const& s) { s.check(); }, search);
  } catch (batchmate::contract_error const& e) {
    throw usage_error(flag + ": " + e.what());
  }
}

std::string listed(std::vector<std::string> const& words) {
  std::string text;
  for (std::size_t i = 0; i < words.size(); ++i)
    text += (i == 0 ? "" : i + 1 == words.size() ? " and " : ", ") + words[i];
  return text;
}

setting_list settings_in(std::string const& flag, std::string const& text, std::size_t from) {
  setting_list list;
  auto const parts = split(text, ',');
  for (std::size_t i = from; i < parts.size(); ++i) {
    std::size_t const equals = parts[i].find('=');
    if (equals == std::string_view::npos)
      throw usage_error(flag + ": expected KEY=VALUE, found '" + std::string(parts[i]) + "'");
    list.emplace_back(parts[i].substr(0, equals), parts[i].substr(equals + 1));
  }
  return list;
}

void change_settings(std::string const& flag, search_choice& search, std::string const& text) {
  for (auto const& [key, value] : settings_in(flag, text, 0))
    if (!change_setting(flag, search, key, value))
      throw usage_error(flag + ": there is no setting '" + key + "' of " +
                        known_searches()[search.index()].name + "; it has " + listed(setting_keys(search)));
}

}  // namespace common
