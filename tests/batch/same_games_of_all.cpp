// Every further game and search keeps the promise of same_games.cpp.
#include <batchmate/batchmate.hpp>

#include "../support/fake_network.hpp"
#include "../support/nim.hpp"
#include "../support/same_games.hpp"

#include <doctest/doctest.h>

namespace bm = batchmate;

TEST_CASE_TEMPLATE("gumbel plays the same games under all batching", G, nim, bm::connect4) {
  check_same_games<G>(bm::gumbel{.simulations = 12}, "fake", fake_network{}, 1);
  check_same_games<G>(bm::gumbel{.simulations = 12, .leaves = 4}, "fake", fake_network{}, 3);
}

TEST_CASE("puct_graph plays the same games under all batching") {
  check_same_games<bm::connect4>(bm::puct_graph{.simulations = 12}, "fake", fake_network{}, 1);
}

TEST_CASE_TEMPLATE("every game is played the same under all batching", G, bm::othello, bm::breakthrough8,
                   bm::mnk<6, 6, 4>, bm::go<5>) {
  check_same_games<G>(bm::puct{.simulations = 4, .leaves = 2}, "fake", fake_network{}, 7);
}

TEST_CASE_TEMPLATE("games on boards of full size are played the same under all batching", G, bm::go9,
                   bm::go13, bm::go19, bm::gomoku) {
  check_same_games<G>(bm::puct{.simulations = 2}, "fake", fake_network{}, 17);
}

TEST_CASE("puct with every option plays the same games under all batching") {
  bm::puct search{.simulations = 16,
                  .exploration_growth = 1,
                  .fpu = bm::first_play::visited_policy,
                  .fpu_reduction = 0.2f,
                  .root_symmetries = 8,
                  .root_temperature = 1.1f,
                  .noise_shaped = true,
                  .forced_playouts = 2,
                  .full_share = 0.5f,
                  .cheap_simulations = 4,
                  .prove = true,
                  .lower_bound_errors = 2,
                  .resign_below = -0.6f,
                  .leaves = 3};
  check_same_games<bm::tictactoe>(search, "fake", fake_network{}, 1);
  check_same_games<bm::connect4>(search, "fake", fake_network{}, 12);
  check_same_games<bm::othello>(search, "fake", fake_network{}, 12);
  search.fpu = bm::first_play::absolute, search.fpu_value = -0.3f;
  search.reuse_tree = false, search.virtual_loss = 3;
  check_same_games<bm::connect4>(search, "fake", fake_network{}, 3);
}
