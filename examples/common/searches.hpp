#pragma once

#include <batchmate/batchmate.hpp>

#include <string>
#include <tuple>
#include <utility>
#include <variant>
#include <vector>

namespace common {

/// A search as the programs know it.
template <class S>
struct search_row {
  char const* name;  ///< for `--search`
  char const* help;  ///< what `--help` says of it
  S settings;        ///< unless a flag changes them
};

template <class S>
search_row(char const*, char const*, S) -> search_row<S>;

/// The searches that the programs know, the usual one first. A new one is a line here; its `fields` are the settings that
/// flags can change.
inline constexpr std::tuple search_table{
    search_row{"puct", "AlphaZero's", batchmate::puct{.simulations = 100}},
    search_row{"gumbel", "Gumbel AlphaZero's", batchmate::gumbel{.simulations = 100}},
    search_row{"graph", "puct that shares equal positions; takes puct's flags but --leaves and --no-reuse",
               batchmate::puct_graph{.simulations = 100}},
    search_row{"topk", "a tree of fixed widths, minimax", batchmate::top_k{}}};

template <class... S>
std::variant<S...> choice_among(std::tuple<search_row<S>...> const&);

/// One search of the table, with settings.
using search_choice = decltype(choice_among(search_table));

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

/// A search of the table at run time.
using known_search = search_row<search_choice>;

/// The table's searches, in its order.
std::vector<known_search> known_searches();

/// The same as a match plays them: without noise, and with the best move unless a flag asks for something else, as it is
/// to show strength.
std::vector<known_search> strongest_searches();

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

/// Changes the settings that a text lists as `KEY=VALUE,...`. Throws `usage_error`, which begins with the flag's name,
/// also for a key that the search lacks.
void change_settings(std::string const& flag, search_choice& search, std::string const& text);

/// `a, b and c`
std::string listed(std::vector<std::string> const& words);

}  // namespace common
