// One position under the magnifying glass: what the network says of it at once, and what a search makes of that.

#include <common/flags.hpp>
#include <common/program.hpp>
#include <common/summary.hpp>

#include <support/table_flags.hpp>

#include <nlohmann/json.hpp>

#include <cstddef>
#include <cstdio>
#include <limits>
#include <memory>
#include <sstream>
#include <string>
#include <vector>

namespace {

char const* const examples = R"(Examples:
  analyse --game connect4 --network shipped --moves "4 4 3" --simulations 800
  analyse --game hex7 --network net.safetensors --position "......./......./......./...x.../......./......./....... o"
  analyse --game connect4 --evaluator rollout:20 --moves "4 3 4 3" --json
  analyse --game hex7 --network net.safetensors --symmetry average --set root-symmetries=2,lower-bound-errors=5
      with the settings of a match or of self-play

Positions are written as the program prints them: rows from the top, x is the first player, then who is to move. All
values are for the player to move: 1 is a win, -1 a loss. The line begins with the move that the search plays. The
same flags give the same numbers. Exit status: 0, 1 for a file or network that cannot be used, 2 for bad flags, among
them a position or move that cannot be.)";

struct job {
  std::string position, moves;
  int top = 10;
  bool json = false;
};

/// Sets the table's position to the one that the flags name. Throws `common::usage_error`.
void set_up(table& at, std::string const& game, job const& wanted) {
  if (!wanted.position.empty() && !at.set_position(wanted.position))
    throw common::usage_error("--position: expected a position of " + game + " such as '" + at.position() +
                              "', found '" + wanted.position + "'");
  std::istringstream moves(wanted.moves);
  for (std::string move; moves >> move;)
    if (auto const fault = at.play(move))
      throw common::usage_error("--moves: " + *fault + " (move " + std::to_string(at.plies() + 1) + ")");
  if (at.result()) throw common::usage_error("the game is over in the position " + at.position());
}

void print_text(table const& at, analysis const& found, int top) {
  std::printf("%s\nposition   %s\n", at.draw().c_str(), at.position().c_str());
  std::printf("evaluator  %s\n", at.evaluator().c_str());
  std::printf("network    value %+.3f, policy", found.network_value);
  auto const& policy = found.network_policy;
  for (std::size_t i = 0; i < policy.size() && i < 5; ++i)
    std::printf("%s %s %.1f %%", i > 0 ? "," : "", policy[i].action.c_str(), 100 * policy[i].prior);
  std::printf("\nsearch     value %+.3f after %d simulations, %d nodes\nline      ", found.value,
              found.simulations, found.nodes);
  for (std::string const& move : found.principal_variation) std::printf(" %s", move.c_str());
  std::printf("\n\n%6s %9s %8s %9s\n", "move", "visits", "value", "prior");
  for (std::size_t i = 0; i < found.moves.size(); ++i) {
    move_view const& m = found.moves[i];
    if (top > 0 && i == static_cast<std::size_t>(top)) {
      std::printf("%6s and %zu more (--top 0 shows all)\n", "...", found.moves.size() - i);
      break;
    }
    std::printf("%6s %9d ", m.action.c_str(), m.visits);
    if (m.value)
      std::printf("%+8.3f", *m.value);
    else
      std::printf("%8s", "-");
    std::printf(" %7.2f %%\n", 100 * m.prior);
  }
}

void print_json(table const& at, analysis const& found, table_flags const& flags) {
  nlohmann::json all{{"game", flags.game},
                     {"position", at.position()},
                     {"network", at.network()},
                     {"evaluator", at.evaluator()},
                     {"search", flags.search().identity()},
                     {"network_value", found.network_value},
                     {"network_policy", nlohmann::json::array()},
                     {"value", found.value},
                     {"simulations", found.simulations},
                     {"nodes", found.nodes},
                     {"move", found.move},
                     {"moves", nlohmann::json::array()},
                     {"principal_variation", found.principal_variation}};
  for (auto const& m : found.network_policy)
    all["network_policy"].push_back({{"move", m.action}, {"prior", m.prior}});
  for (move_view const& m : found.moves)
    all["moves"].push_back({{"move", m.action},
                            {"visits", m.visits},
                            {"value", m.value ? nlohmann::json(*m.value) : nlohmann::json()},
                            {"prior", m.prior}});
  std::printf("%s\n", all.dump(2).c_str());
}

void add_flags(CLI::App& app, job& to) {
  app.add_option("--position", to.position, "Where to begin; default: the start of the game");
  app.add_option("--moves", to.moves, "Moves played from there, separated by spaces");
  app.add_option("--top", to.top, "Moves shown; 0: all")
      ->transform(common::within(0, std::numeric_limits<int>::max()))
      ->capture_default_str();
  app.add_flag("--json", to.json, "Print JSON, with all moves");
}

}  // namespace

int main(int argc, char** argv) {
  job wanted;
  CLI::App app{"Shows what a network and a search make of one position.", "analyse"};
  app.footer(examples);
  table_flags flags(app, 800);
  add_flags(app, wanted);
  if (auto const status = common::parse(app, argc, argv)) return *status;
  return common::guarded("analyse", [&] {
    std::unique_ptr<table> const at = flags.make_table();
    set_up(*at, flags.game, wanted);
    analysis const found = at->think();
    if (wanted.json)
      print_json(*at, found, flags);
    else
      print_text(*at, found, wanted.top);
    common::finish_output();
    return 0;
  });
}
