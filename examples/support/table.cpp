#include <common/games.hpp>

#include <support/game_table.hpp>

std::unique_ptr<table> make_table(std::string const& game, common::evaluator_choice const& choice,
                                  batchmate::puct const& search) {
  return common::with_game(game, [&]<batchmate::game G>() -> std::unique_ptr<table> {
    return std::make_unique<game_table<G>>(common::make_evaluator<G>(choice), search);
  });
}
