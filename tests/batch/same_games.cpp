// The promise the library stands on: batching never changes the games.
#include <batchmate/batch/shared_queue.hpp>
#include <batchmate/batchmate.hpp>
#include <batchmate/eval/cached.hpp>
#include <batchmate/eval/reference.hpp>
#include <batchmate/eval/rollout.hpp>
#include <batchmate/net/random_network.hpp>

#include "../support/fake_network.hpp"
#include "../support/nim.hpp"
#include "../support/same_games.hpp"
#include "../support/threaded_network.hpp"

#include <doctest/doctest.h>

#include <cstdint>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace bm = batchmate;

namespace {

template <bm::game G>
bm::any_evaluator<G> tiny_network() {
  bm::network_extents extents;
  extents.input = G::input;
  extents.num_actions = G::num_actions;
  extents.blocks = 1;
  extents.channels = 4;
  extents.policy_channels = 2;
  extents.value_channels = 2;
  extents.hidden = 8;
  return bm::reference(bm::random_network(extents, 3));
}

template <bm::game G>
bm::any_evaluator<G> asynchronous(bool shared) {
  threaded_network::settings with;
  with.shared = shared;
  return threaded_network(std::move(with));
}

template <class G>
constexpr bool is_small = G::num_actions < 50;
/// Simulations a move: few where games are long.
template <class G>
constexpr int simulations = G::num_actions < 10    ? 12
                            : G::num_actions < 50  ? 6
                            : G::num_actions < 100 ? 5
                                                   : 2;

/// All evaluators under one search.
template <bm::game G>
void check_evaluators(bm::any_search<G> const& search) {
  int const some = is_small<G> ? 3 : 12;
  check_same_games<G>(search, "fake", fake_network{}, is_small<G> ? 1 : 3);
  check_same_games<G>(search, "shared device", asynchronous<G>(true), some);
  check_same_games<G>(search, "own device", asynchronous<G>(false), some);
  check_same_games<G>(search, "uniform", bm::uniform{}, some);
  check_same_games<G>(search, "cached", bm::cached(fake_network{}, {.entries = 64}), some);
  check_same_games<G>(search, "rollout", bm::rollout{.playouts = 1}, some);
  check_same_games<G>(search, "reference", tiny_network<G>(), some);
}

}  // namespace

TEST_CASE_TEMPLATE("puct plays the same games under all batching", G, nim, bm::tictactoe, bm::connect4,
                   bm::hex7, bm::hex9, bm::hex11, bm::hex13) {
  check_evaluators<G>(bm::puct{.simulations = simulations<G>});
  check_evaluators<G>(bm::puct{.simulations = 2 * simulations<G>, .leaves = 4});
}

TEST_CASE_TEMPLATE("top_k plays the same games under all batching", G, nim, bm::tictactoe, bm::connect4,
                   bm::hex7, bm::hex9, bm::hex11, bm::hex13) {
  check_evaluators<G>(bm::top_k{.widths = {2, is_small<G> ? 3 : 1}});
}

TEST_CASE("other seeds, searches and evaluators play other games") {
  using G = bm::tictactoe;
  std::set<std::uint64_t> hashes;
  auto const play = [&](bm::any_search<G> const& search, bm::any_evaluator<G> const& evaluator,
                        std::uint64_t seed) {
    hashes.insert(hash_of_games<G>(search, any_batching(bm::immediate{}), evaluator, 1, seed));
  };
  play(bm::puct{.simulations = 8}, fake_network{}, 5);
  play(bm::puct{.simulations = 9}, fake_network{}, 5);
  play(bm::puct{.simulations = 8, .leaves = 4}, fake_network{}, 5);
  play(bm::puct{.simulations = 8}, bm::uniform{}, 5);
  play(bm::top_k{}, fake_network{}, 5);
  play(bm::puct{.simulations = 8}, fake_network{}, 6);
  CHECK(hashes.size() == 6);
}

TEST_CASE("hundreds of games in flight fill the largest batches, and are the same") {
  using G = bm::connect4;
  bm::any_search<G> const search = bm::puct{.simulations = 4, .leaves = 4};
  auto const play = [&](any_batching const& policy, int threads, std::uint64_t& largest) {
    fake_network network;
    bm::self_play<G, bm::any_search<G>, any_batching, fake_network> games(G{}, search, policy, network);
    auto const hash =
        games.run({.episodes = 600, .seed = 5, .threads = threads}, [](bm::episode<G> const&) {})
            .episodes_hash;
    largest = network.counts->largest;
    return hash;
  };
  std::uint64_t largest = 0;
  std::uint64_t const expected = play(bm::immediate{}, 1, largest);
  CHECK(largest == 1);
  for (int const limit : {64, 1000}) {
    CHECK(play(bm::lockstep{.games = 600, .max_batch = limit}, 1, largest) == expected);
    CHECK(largest == static_cast<std::uint64_t>(limit));
    CHECK(play(bm::overlapped{.games = 600, .groups = 2, .max_batch = limit}, 2, largest) == expected);
    CHECK(largest > static_cast<std::uint64_t>(limit) / 4);
  }
}

TEST_CASE("without type erasure the games are the same, too") {
  using G = bm::connect4;
  bm::puct const search{.simulations = 10, .leaves = 4};
  std::uint64_t const expected = hash_of_games<G>(bm::any_search<G>(search), any_batching(bm::immediate{}),
                                                  bm::any_evaluator<G>(fake_network{}), 1);
  CHECK(hash_of_games<G>(search, bm::per_tree{}, fake_network{}, 2) == expected);
  CHECK(hash_of_games<G>(search, bm::lockstep{.games = 9}, fake_network{}, 3) == expected);
  CHECK(hash_of_games<G>(search, bm::overlapped{.games = 9}, threaded_network{}, 3) == expected);
  CHECK(hash_of_games<G>(search, bm::shared_queue{.games = 9}, fake_network{}, 3) == expected);
}
