#pragma once

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
using any_search = std::variant<batchmate::puct, batchmate::gumbel, batchmate::puct_graph, batchmate::top_k>;

/// The searches by name, with their settings' defaults.
std::vector<std::pair<std::string, any_search>> known_searches();

/// The keys of a search's settings.
std::vector<std::string> setting_keys(any_search search);

/// Changes a setting of a search; whether it has one of that name. Throws `usage_error`, which begins with the flag's
/// name, for a bad value.
bool change_setting(std::string const& flag, any_search& search, std::string const& key,
                    std::string const& value);

/// Throws `usage_error`, which begins with the flag's name, for settings that cannot be.
void check_search(std::string const& flag, any_search const& search);

/// Settings as names and values in the order they were given.
using setting_list = std::vector<std::pair<std::string, std::string>>;

/// `KEY=VALUE` after the first `from` parts of a text that commas separate. Throws `usage_error`, which begins with the
/// flag's name.
setting_list settings_in(std::string const& flag, std::string const& text, std::size_t from);

/// `a, b and c`
std::string listed(std::vector<std::string> const& words);

}  // namespace common
