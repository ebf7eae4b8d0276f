#include <common/text.hpp>
#include <match/settings.hpp>

#include <algorithm>
#include <cstddef>
#include <string_view>

using common::change_setting, common::known_search, common::listed, common::set, common::setting_keys,
    common::settings_in, common::split, common::strongest_searches;

namespace {

/// The name of an evaluator. Throws `common::usage_error` if it is none.
std::string evaluator_in(std::string const& where, std::string const& name) {
  if (auto const fault = common::evaluator_fault(name); !fault.empty())
    throw common::usage_error(where + ": " + fault);
  return name;
}

/// Changes a setting of an evaluator; whether it has one of that name.
bool change(std::string const& flag, common::evaluator_choice& evaluator, std::string const& key,
            std::string const& value) {
  auto const one_of = [&](std::string& field, std::vector<std::string> const& names) {
    if (std::find(names.begin(), names.end(), value) == names.end())
      throw common::usage_error(flag + ": " + key + ": there is no '" + value + "'");
    field = value;
  };
  auto const up_to = [&](int& field, int most, std::string const& expected) {
    if (!set(field, value) || field < 0 || field > most)
      throw common::usage_error(flag + ": " + key + ": expected " + expected + ", found '" + value + "'");
  };
  if (key == "evaluator") return evaluator.kind = evaluator_in(flag + ": evaluator", value), true;
  if (key == "precision") return one_of(evaluator.precision, common::precision_names()), true;
  if (key == "plan") return evaluator.plan = value, true;
  if (key == "symmetry") return one_of(evaluator.symmetry, common::symmetry_names()), true;
  if (key == "fixed-rows") return up_to(evaluator.fixed_rows, 8192, "0 to 8192 rows"), true;
  if (key == "cache") return up_to(evaluator.cache, 1 << 28, "a number of answers"), true;
  return false;
}

/// The search that the settings name, else the first one.
known_search search_in(std::string const& flag, setting_list const& settings) {
  auto const known = strongest_searches();
  auto chosen = known.front();
  for (auto const& setting : settings) {
    if (setting.first != "search") continue;
    std::string const& name = setting.second;
    auto const found =
        std::find_if(known.begin(), known.end(), [&](auto const& s) { return s.name == name; });
    if (found == known.end()) {
      std::vector<std::string> names;
      for (auto const& s : known) names.push_back(s.name);
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
  known_search const chosen = search_in(flag, own);
  bool const simple = !common::needs_network(network);
  std::string const kind = simple ? evaluator_in(flag, network) : "auto";
  player_settings player{text, {.kind = kind, .network = network, .flag = flag}, chosen.settings};
  for (auto const& [key, value] : usual)
    if (!change_setting("--" + key, player.search, key, value))
      common::complain("match",
                       "note: --" + key + " has no effect with search=" + chosen.name + " of " + flag);
  for (auto const& [key, value] : own) {
    if (key == "search" || change_setting(flag, player.search, key, value)) continue;
    if (simple || !change(flag, player.evaluator, key, value))
      throw common::usage_error(flag + ": there is no setting '" + key + "' of " + chosen.name + " with " +
                                network + "; " + chosen.name + " has " + listed(setting_keys(player.search)));
  }
  common::check_search(flag, player.search);
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
      "  evaluator, precision, plan, fixed-rows, symmetry, cache (as selfplay's flags), search\n";
  for (known_search const& search : common::known_searches())
    text += std::string("  search=") + search.name + ": " + listed(setting_keys(search.settings)) + "\n";
  return text;
}
