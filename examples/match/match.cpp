// Two networks, or a network and a simple opponent, play a match from random openings, each played with both
// colours.

#include <common/flags.hpp>
#include <common/games.hpp>
#include <common/program.hpp>

#include <match/match.hpp>

#include <nlohmann/json.hpp>

#include <cstdio>
#include <fstream>
#include <string>

namespace {

struct job {
  std::string game = "connect4", first = "shipped", second = "uniform", summary;
  match_settings match{};
};

/// A player's name as an evaluator: `uniform`, `rollout`, or a network on the best evaluator built in.
common::evaluator_choice player(std::string const& name) {
  bool const simple = name == "uniform" || name == "rollout";
  return {.kind = simple ? name : "auto", .network = name};
}

void print(job const& wanted, match_score const& score) {
  std::printf("%s: %s against %s, %d simulations a move\n", wanted.game.c_str(), wanted.first.c_str(),
              wanted.second.c_str(), wanted.match.search.simulations);
  std::printf("%d games: %d won (%d moving first), %d drawn, %d lost; score %.1f %%\n", score.games(),
              score.wins, score.wins_moving_first, score.draws, score.losses, 100 * score.score());
}

/// Writes the result as JSON, if that is wanted. Throws `batchmate::file_error`.
void write(job const& wanted, match_result const& result) {
  if (wanted.summary.empty()) return;
  match_score const& score = result.score;
  nlohmann::json const summary{{"game", wanted.game},
                               {"first", result.first},
                               {"second", result.second},
                               {"search", wanted.match.search.identity()},
                               {"openings", wanted.match.openings},
                               {"seed", wanted.match.seed},
                               {"wins", score.wins},
                               {"draws", score.draws},
                               {"losses", score.losses},
                               {"score", score.score()}};
  std::ofstream file(wanted.summary);
  file << summary.dump(2) << '\n';
  if (!file.flush()) throw batchmate::file_error(wanted.summary + ": cannot be written");
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
    match_result const result = common::with_game(wanted.game, [&]<batchmate::game G>() {
      return play_match<G>(wanted.match, player(wanted.first), player(wanted.second));
    });
    print(wanted, result.score);
    write(wanted, result);
    return 0;
  });
}
