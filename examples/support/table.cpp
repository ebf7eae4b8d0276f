#include <common/games.hpp>

#include <support/table.hpp>

std::unique_ptr<table> make_table(std::string const& game, common::evaluator_choice const& choice,
                                  batchmate::puct const& search) {
  return common::with_game(game, [&]<batchmate::game G>() { return make_table<G>(choice, search); });
}
