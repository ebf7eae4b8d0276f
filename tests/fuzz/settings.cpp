// Any bytes as settings of a search, KEY=VALUE with commas between them. The first byte chooses the search.

#include "fuzz.hpp"

#include <support/searches.cpp>

#include <algorithm>
#include <string>
#include <variant>
#include <vector>

using namespace common;

namespace {

/// The settings as they were written.
std::string written(setting_list const& list) {
  std::string text;
  for (auto const& [key, value] : list) text += (text.empty() ? "" : ",") + key + "=" + value;
  return text;
}

/// The search with these settings, all of which it has. Throws `usage_error` for one that it refuses.
search_choice changed(search_choice search, setting_list const& list) {
  auto const keys = setting_keys(search);
  for (auto const& [key, value] : list) {
    bool const known = change_setting("--set", search, key, value);
    fuzz::require(known == (std::ranges::count(keys, key) == 1), "a setting is known by its key");
  }
  check_search("--set", search);
  return search;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
  if (size == 0) return 0;
  auto const known = known_searches();
  search_choice const usual = known[data[0] % known.size()].settings;
  std::string const text(fuzz::text_of(data + 1, size - 1));
  try {
    auto const list = settings_in("--set", text, 0);
    fuzz::require(written(list) == text, "settings are read exactly");
    search_choice const search = changed(usual, list);
    fuzz::require(search.index() == usual.index(), "settings change no search into another");
    fuzz::require(max_rows(search) > 0, "a search asks for rows");
    std::visit([](auto const& s) { fuzz::require(s.max_nodes() > 0, "a tree holds nodes"); }, search);
    // Where the last of two values counts, settings that are given twice are those that are given once.
    setting_list twice = list;
    twice.insert(twice.end(), list.begin(), list.end());
    fuzz::require(identity(changed(usual, twice)) == identity(search), "the last value of a setting counts");
  } catch (usage_error const& refusal) {
    fuzz::require(std::string_view(refusal.what()).starts_with("--set: "), "a refusal names the flag");
  }
  return 0;
}
