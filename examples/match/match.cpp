// Two networks, or a network and a simple opponent, play a match from random openings, each played with both
// colours.

#include <common/evaluators.hpp>
#include <common/flags.hpp>
#include <common/games.hpp>
#include <common/program.hpp>

#include "match.hpp"

#include <nlohmann/json.hpp>

#include <cmath>
#include <cstdio>
#include <fstream>
#include <string>

namespace {

struct job {
  std::string game = "connect4", first = "shipped", second = "uniform", summary;
  match_settings match{};
};

/// A player's name as an evaluator: `uniform`, `rollout`, or a network on the best evaluator built in.
template <batchmate::game G>
batchmate::any_evaluator<G> player(std::string const& name) {
  bool const simple = name == "uniform" || name == "rollout";
  return common::make_evaluator<G>({.kind = simple ? name : "auto", .network = name}).evaluator;
}

template <batchmate::game G>
int play(job const& wanted) {
  auto first = player<G>(wanted.first), second = player<G>(wanted.second);
  nlohmann::json summary{{"game", wanted.game},
                         {"first", first.identity()},
                         {"second", second.identity()},
                         {"search", wanted.match.search.identity()},
                         {"openings", wanted.match.openings},
                         {"seed", wanted.match.seed}};
  match_score const score = match<G>(wanted.match, std::move(first), std::move(second)).play();
  summary["wins"] = score.wins;
  summary["draws"] = score.draws;
  summary["losses"] = score.losses;
  summary["score"] = score.score();
  std::printf("%s: %s against %s, %d simulations a move\n", wanted.game.c_str(), wanted.first.c_str(),
              wanted.second.c_str(), wanted.match.search.simulations);
  std::printf("%d games: %d won (%d moving first), %d drawn, %d lost; score %.1f %%\n", score.games(),
              score.wins, score.wins_moving_first, score.draws, score.losses, 100 * score.score());
  if (wanted.summary.empty()) return 0;
  std::ofstream file(wanted.summary);
  file << summary.dump(2) << '\n';
  if (!file.flush()) throw batchmate::file_error(wanted.summary + ": cannot be written");
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  job wanted;
  wanted.match.search = {.simulations = 100, .noise_fraction = 0, .temperature = 0};
  CLI::App app{"Plays a match between two evaluators at equal simulations, all games at once.", "match"};
  app.add_option("--game", wanted.game, "game")
      ->check(CLI::IsMember(common::game_names()))
      ->capture_default_str();
  app.add_option("--first", wanted.first, "network file, shipped, random:BxC:SEED, uniform or rollout")
      ->capture_default_str();
  app.add_option("--second", wanted.second, "the opponent, likewise")->capture_default_str();
  app.add_option("--simulations", wanted.match.search.simulations, "visits of the root's children a move")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  app.add_option("--exploration", wanted.match.search.exploration, "c_puct")->capture_default_str();
  app.add_option("--fpu-reduction", wanted.match.search.fpu_reduction,
                 "what an unvisited move is worth less than its parent")
      ->capture_default_str();
  app.add_option("--openings", wanted.match.openings, "random openings, each played with both colours")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  app.add_option("--opening-plies", wanted.match.opening_plies, "random moves before the players take over")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  app.add_option("--seed", wanted.match.seed, "of the openings")->capture_default_str();
  app.add_option("--summary", wanted.summary, "file to write the result to, as JSON");
  if (auto const status = common::parse(app, argc, argv)) return *status;
  return common::guarded("match", [&] {
    return common::with_game(wanted.game, [&]<batchmate::game G>() { return play<G>(wanted); });
  });
}
