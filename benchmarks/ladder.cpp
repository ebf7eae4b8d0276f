#include "groups.hpp"

#if BATCHMATE_WITH_ONEDNN

#include "hex13_job.hpp"
#include "tower.hpp"

namespace batchmate::benchmarks {

// The same job under every batching policy. With the small tower a rung is 32 games, played to the end; with the
// large one, where these would take ten minutes, it ends by time, and its games/s is of those few that were finished.
void add_ladder(measuring const& wanted) {
  // Of 256 rows in flight: a processor of the queue that may take more takes what waits, and leaves the other none.
  std::pair<char const*, any_policy> const rungs[] = {
      {"immediate", immediate{}},
      {"per_tree", per_tree{}},
      {"lockstep", lockstep{.games = 32, .max_batch = 256}},
      {"overlapped", overlapped{.games = 32, .max_batch = 256}},
      {"shared_queue", shared_queue{.games = 32, .max_batch = 64, .processors = 2}}};
  for (auto const& size : towers)
    for (std::string const search : {"top_k", "puct"})
      for (auto const& [policy_name, rung] : rungs)
        add(concat("ladder/hex13/", size.name(), "/", search, "/", policy_name),
            [=, policy = rung](benchmark::State& state) {
              bool const small = size.channels < 128;
              record(state,
                     play_hex13(search_named(search), policy, onednn_of<hex13>(size), 2,
                                small ? run_length{.episodes = 32} : run_length{.seconds = wanted.seconds}));
            });
}

// One thread and one leaf a game, so that the games in flight are the rows of a batch.
void add_sweep(measuring const& wanted) {
  for (auto const& size : towers)
    for (int games : {1, 8, 57, 400, 1000, 4000})
      add(concat("sweep/hex13/", size.name(), "/puct/games:", games), [=](benchmark::State& state) {
        record(state, play_hex13(puct{.simulations = 100}, lockstep{.games = games}, onednn_of<hex13>(size),
                                 1, {.seconds = wanted.seconds}));
      });
}

// Exactly so many games, all of them to the end: fewer and fewer are in flight towards it. With the large tower they are
// the first four of the ladder's, whose games/s are its boards/s divided by their boards a game.
void add_whole_games(measuring const& wanted) {
  for (auto const& size : towers)
    for (std::string const search : {"top_k", "puct"}) {
      bool const small = size.channels < 128;
      if (!small && !wanted.whole_games) continue;
      int const episodes = small ? 32 : 4;
      add(concat("whole_games/hex13/", size.name(), "/", search, "/episodes:", episodes),
          [=](benchmark::State& state) {
            measured const done = play_hex13(search_named(search), lockstep{.games = 16, .max_batch = 256},
                                             onednn_of<hex13>(size), 2, {.episodes = episodes});
            record(state, done);
            auto const games = static_cast<double>(done.counted.episodes);
            state.counters["boards/game"] = static_cast<double>(done.counted.boards) / games;
            state.counters["moves/game"] = static_cast<double>(done.counted.rows) / games;
          });
    }
}

}  // namespace batchmate::benchmarks

#endif
