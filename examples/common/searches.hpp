#pragma once

#include <batchmate/search/any_search.hpp>
#include <batchmate/search/gumbel.hpp>
#include <batchmate/search/puct.hpp>
#include <batchmate/search/puct_graph.hpp>
#include <batchmate/search/top_k.hpp>

#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace common {

/// The searches that the programs know. A new one is added here, and its settings in support/searches.cpp.
using search_choice =
    std::variant<batchmate::puct, batchmate::gumbel, batchmate::puct_graph, batchmate::top_k>;

/// The most rows that one tree fills in one step.
inline int max_rows(search_choice const& chosen) {
  return std::visit([](auto const& settings) { return settings.max_rows(); }, chosen);
}

/// Name and settings, everything that changes games.
inline std::string identity(search_choice const& chosen) {
  return std::visit([](auto const& settings) { return settings.identity(); }, chosen);
}

/// The search of one game. Throws `usage_error` if it cannot search that. Every game's is compiled in a file of its own,
/// once for all programs.
template <batchmate::game_with_text G>
batchmate::any_search<G> search_of(search_choice const& chosen);

/// The searches by name, with their settings' defaults.
std::vector<std::pair<std::string, search_choice>> known_searches();

/// The keys of a search's settings.
std::vector<std::string> setting_keys(search_choice search);

/// Changes a setting of a search; whether it has one of that name. Throws `usage_error`, which begins with the flag's
/// name, for a bad value.
bool change_setting(std::string const& flag, search_choice& search, std::string const& key,
                    std::string const& value);

/// Throws `usage_error`, which begins with the flag's name, for settings that cannot be.
void check_search(std::string const& flag, search_choice const& search);

/// Settings as names and values in the order they were given.
using setting_list = std::vector<std::pair<std::string, std::string>>;

/// `KEY=VALUE` after the first `from` parts of a text that commas separate. Throws `usage_error`, which begins with the
/// flag's name.
setting_list settings_in(std::string const& flag, std::string const& text, std::size_t from);

/// `a, b and c`
std::string listed(std::vector<std::string> const& words);

}  // namespace common
