#pragma once

#include <batchmate/batch/shared_queue.hpp>
#include <batchmate/eval/any_evaluator.hpp>
#include <batchmate/play/self_play.hpp>
#include <batchmate/search/any_search.hpp>

#include "any_batching.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>

inline constexpr int episodes = 20;

/// The hash of 20 games; every one of them must have been delivered.
template <batchmate::game G, class S, class B, class E>
std::uint64_t hash_of_games(S const& search, B const& policy, E evaluator, int threads,
                            std::uint64_t seed = 5) {
  batchmate::self_play<G, S, B, E> play(G{}, search, policy, std::move(evaluator));
  int delivered = 0;
  batchmate::statistics const done =
      play.run({.episodes = episodes, .seed = seed, .threads = threads},
               [&](batchmate::episode<G> const& e) { delivered += e.number == delivered; });
  REQUIRE(delivered == episodes);
  return done.episodes_hash;
}

/// Checks that the games are the same under all batching: of the 60 combinations of policy, batch size and threads one
/// in `every`, but five at least. They come in an order in which the first 5 meet every policy, every size and every
/// number of threads, the first 20 every policy with every size and with every number of threads.
template <batchmate::game G>
void check_same_games(batchmate::any_search<G> const& search, std::string const& name,
                      batchmate::any_evaluator<G> const& evaluator, int every) {
  CAPTURE(search.identity());
  CAPTURE(name);
  std::uint64_t const expected = hash_of_games<G>(search, any_batching(batchmate::immediate{}), evaluator, 1);
  auto const check = [&](any_batching const& policy, batchmate::any_evaluator<G> asked, int threads) {
    CAPTURE(policy.identity());
    CAPTURE(threads);
    REQUIRE(hash_of_games<G>(search, policy, std::move(asked), threads) == expected);
  };
  constexpr int sizes[] = {1, 7, 64, 1000}, policies = 5;
  int left = std::max(policies, 60 / every);
  for (int round = 0; round < 12; ++round)
    for (int policy = 0; policy < policies && left-- > 0; ++policy) {
      int const max_batch = sizes[(round + policy) % 4], threads = 1 + (round + round / 4 + policy) % 3;
      if (policy < 4) {
        check(any_batching::all(max_batch)[static_cast<std::size_t>(policy)], evaluator, threads);
      } else {
        batchmate::shared_queue const queue{
            .games = 12, .max_batch = max_batch, .processors = 1 + threads % 2};
        check(any_batching(queue), queue.connect<G>(evaluator), threads);
      }
    }
}
