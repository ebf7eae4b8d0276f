#include <match/settings.hpp>

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <optional>
#include <string_view>
#include <type_traits>

namespace {

/// Calls `visit(key, field)` for every setting of a search that a player can have. Noise is off and the best move is
/// played unless a player asks for something else: a match is to show strength.
template <class Visit>
void for_settings(batchmate::puct& search, Visit&& visit) {
  visit("simulations", search.simulations);
  visit("exploration", search.exploration);
  visit("exploration-growth", search.exploration_growth);
  visit("exploration-base", search.exploration_base);
  visit("fpu", search.fpu);
  visit("fpu-reduction", search.fpu_reduction);
  visit("fpu-value", search.fpu_value);
  visit("root-temperature", search.root_temperature);
  visit("noise", search.noise_fraction);
  visit("noise-alpha", search.noise_alpha);
  visit("noise-shaped", search.noise_shaped);
  visit("prove", search.prove);
  visit("temperature", search.temperature);
  visit("temperature-plies", search.temperature_plies);
  visit("final-temperature", search.final_temperature);
  visit("lower-bound-errors", search.lower_bound_errors);
  visit("lower-bound-visits", search.lower_bound_visits);
  visit("reuse", search.reuse_tree);
  visit("leaves", search.leaves);
  visit("virtual-loss", search.virtual_loss);
}

template <class Visit>
void for_settings(batchmate::gumbel& search, Visit&& visit) {
  visit("simulations", search.simulations);
  visit("max-considered", search.max_considered);
  visit("c-visit", search.c_visit);
  visit("c-scale", search.c_scale);
  visit("noise", search.noise_scale);
  visit("sampling-plies", search.sampling_plies);
  visit("leaves", search.leaves);
}

template <class Visit>
void for_settings(batchmate::top_k& search, Visit&& visit) {
  visit("widths", search.widths);
  visit("temperature", search.temperature);
  visit("target-temperature", search.target_temperature);
  visit("temperature-plies", search.temperature_plies);
}

/// The searches by name, as strong as their settings' defaults make them.
std::vector<std::pair<std::string, any_search>> searches() {
  return {{"puct", batchmate::puct{.simulations = 100, .noise_fraction = 0, .temperature = 0}},
          {"gumbel", batchmate::gumbel{.simulations = 100, .noise_scale = 0}},
          {"topk", batchmate::top_k{.temperature = 0}}};
}

/// The parts of a text between separators.
std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  for (;;) {
    std::size_t const end = text.find(separator);
    parts.push_back(text.substr(0, end));
    if (end == std::string_view::npos) return parts;
    text.remove_prefix(end + 1);
  }
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

/// A number that is the whole text, or nothing.
template <class T>
std::optional<T> number_in(std::string_view text) {
  T value{};
  auto const [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

/// Sets a field to what a text says; false if it says nothing of the kind.
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

/// The keys of a search's settings.
std::vector<std::string> keys_of(any_search search) {
  std::vector<std::string> keys;
  std::visit([&](auto& s) { for_settings(s, [&](char const* key, auto&) { keys.emplace_back(key); }); },
             search);
  return keys;
}

/// Changes a setting of a search; whether it has one of that name. Throws `common::usage_error` for a bad value.
bool change(std::string const& flag, any_search& search, std::string const& key, std::string const& value) {
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
  if (!good)
    throw common::usage_error(flag + ": " + key + ": expected " + expected + ", found '" + value + "'");
  return known;
}

/// Changes a setting of an evaluator; whether it has one of that name.
bool change(std::string const& flag, common::evaluator_choice& evaluator, std::string const& key,
            std::string const& value) {
  auto const one_of = [&](std::string& field, std::vector<std::string> const& names) {
    if (std::find(names.begin(), names.end(), value) == names.end())
      throw common::usage_error(flag + ": " + key + ": there is no '" + value + "'");
    field = value;
  };
  if (key == "evaluator") return one_of(evaluator.kind, common::evaluator_names()), true;
  if (key == "precision") return one_of(evaluator.precision, {"auto", "fp32", "bf16", "fp16"}), true;
  if (key == "plan") return evaluator.plan = value, true;
  if (key != "cache") return false;
  if (!set(evaluator.cache, value) || evaluator.cache < 0 || evaluator.cache > 1 << 28)
    throw common::usage_error(flag + ": cache: expected a number of answers, found '" + value + "'");
  return true;
}

/// `a, b and c`
std::string listed(std::vector<std::string> const& words) {
  std::string text;
  for (std::size_t i = 0; i < words.size(); ++i)
    text += (i == 0 ? "" : i + 1 == words.size() ? " and " : ", ") + words[i];
  return text;
}

/// `KEY=VALUE` after the first `from` parts of a text that commas separate.
setting_list settings_in(std::string const& flag, std::string const& text, std::size_t from) {
  setting_list list;
  auto const parts = split(text, ',');
  for (std::size_t i = from; i < parts.size(); ++i) {
    std::size_t const equals = parts[i].find('=');
    if (equals == std::string_view::npos)
      throw common::usage_error(flag + ": expected KEY=VALUE, found '" + std::string(parts[i]) + "'");
    list.emplace_back(parts[i].substr(0, equals), parts[i].substr(equals + 1));
  }
  return list;
}

/// The search that the settings name, else the first one.
std::pair<std::string, any_search> search_in(std::string const& flag, setting_list const& settings) {
  auto known = searches();
  auto chosen = known.front();
  for (auto const& setting : settings) {
    if (setting.first != "search") continue;
    std::string const& name = setting.second;
    auto const found =
        std::find_if(known.begin(), known.end(), [&](auto const& s) { return s.first == name; });
    if (found == known.end()) {
      std::vector<std::string> names;
      for (auto const& s : known) names.push_back(s.first);
      throw common::usage_error(flag + ": search: there is no '" + name + "', but " + listed(names));
    }
    chosen = *found;
  }
  return chosen;
}

}  // namespace

player_settings parse_player(std::string const& flag, std::string const& text, setting_list const& usual) {
  std::string const network(split(text, ',').front());
  setting_list const own = settings_in(flag, text, 1);
  auto [name, search] = search_in(flag, own);
  bool const simple = network == "uniform" || network == "rollout";
  player_settings player{text, {.kind = simple ? network : "auto", .network = network}, search};
  for (auto const& [key, value] : usual) change(flag, player.search, key, value);
  for (auto const& [key, value] : own) {
    if (key == "search" || change(flag, player.search, key, value)) continue;
    if (simple || !change(flag, player.evaluator, key, value))
      throw common::usage_error(flag + ": there is no setting '" + key + "' of " + name + " with " + network +
                                "; " + name + " has " + listed(keys_of(player.search)));
  }
  try {
    std::visit([](auto const& s) { s.check(); }, player.search);
  } catch (batchmate::contract_error const& e) {
    throw common::usage_error(flag + ": " + e.what());
  }
  return player;
}

sprt parse_sprt(std::string const& flag, std::string const& text) {
  sprt test;
  bool has_elo0 = false, has_elo1 = false;
  for (auto const& [key, value] : settings_in(flag, text, 0)) {
    double* const field = key == "elo0"    ? &test.elo0
                          : key == "elo1"  ? &test.elo1
                          : key == "alpha" ? &test.alpha
                          : key == "beta"  ? &test.beta
                                           : nullptr;
    if (!field) throw common::usage_error(flag + ": expected elo0, elo1, alpha or beta, found '" + key + "'");
    if (!set(*field, value))
      throw common::usage_error(flag + ": " + key + ": expected a number, found '" + value + "'");
    has_elo0 |= key == "elo0";
    has_elo1 |= key == "elo1";
  }
  if (!has_elo0 || !has_elo1)
    throw common::usage_error(flag + ": expected elo0=X,elo1=Y, found '" + text + "'");
  try {
    test.check();
  } catch (batchmate::contract_error const& e) {
    throw common::usage_error(flag + ": " + e.what());
  }
  return test;
}

std::string setting_names() {
  std::string text =
      "Settings of a player, as KEY=VALUE after its network:\n"
      "  evaluator, precision, plan, cache (as selfplay's flags), search\n";
  for (auto const& [name, search] : searches())
    text += "  search=" + name + ": " + listed(keys_of(search)) + "\n";
  return text;
}
