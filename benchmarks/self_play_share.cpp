#include "groups.hpp"

#if BATCHMATE_WITH_ONEDNN

#include "evaluator_alone.hpp"
#include "hex13_job.hpp"
#include "tower.hpp"

#include <algorithm>

namespace batchmate::benchmarks {
namespace {

constexpr int rows = 16;  // of a batch, of one worker

/// What share of its evaluator's speed self-play reaches. The two take turns, and each turn's time ends when
/// the last of the threads has finished its last batch.
void measure(benchmark::State& state, double turn_seconds, tower_size const& size, any_policy const& policy,
             int threads) {
  onednn const evaluator = onednn_of<hex13>(size);
  evaluators_alone<hex13, onednn> alone(evaluator, rows, threads);
  amount playing, evaluating;
  statistics last;
  double lowest = 1e9, highest = 0;
  alone.run(0.1);
  for (int turn = 0; turn < 4; ++turn) {
    measured const done =
        play_hex13(puct{.simulations = 100}, policy, evaluator, threads, {.seconds = turn_seconds});
    last = done.counted;
    amount const played{static_cast<double>(last.boards), last.seconds, done.cpu_seconds};
    amount const evaluated = alone.run(turn_seconds);
    lowest = std::min(lowest, played.rate() / evaluated.rate());
    highest = std::max(highest, played.rate() / evaluated.rate());
    playing += played;
    evaluating += evaluated;
  }
  state.SetIterationTime(playing.seconds + evaluating.seconds);
  state.counters["boards/s"] = playing.rate();
  state.counters["alone_boards/s"] = evaluating.rate();
  state.counters["ratio"] = playing.rate() / evaluating.rate();
  state.counters["cpu_ratio"] = playing.rate_of_cpu() / evaluating.rate_of_cpu();
  state.counters["lowest_ratio"] = lowest;
  state.counters["highest_ratio"] = highest;
  state.counters["batch"] = last.mean_batch();
  state.counters["search_share"] = last.search_share;
  state.counters["encoding_share"] = last.encoding_share;
  state.counters["evaluator_share"] = last.evaluator_share;
  state.counters["waiting_share"] = last.waiting_share;
}

}  // namespace

// One leaf a game and step, so that the games of a group are the rows of its batch.
void add_self_play_share(measuring const& wanted) {
  for (auto const& size : towers)
    for (int threads : {1, 2}) {
      auto const name = [&](char const* policy) {
        return concat("self_play_share/hex13/", size.name(), "/", policy, "/workers:", threads);
      };
      any_policy const in_step = lockstep{.games = rows * threads};
      any_policy const in_groups = overlapped{.games = 2 * rows * threads};
      double const turn = wanted.seconds / 2;
      add(name("lockstep"), [=](auto& state) { measure(state, turn, size, in_step, threads); });
      add(name("overlapped"), [=](auto& state) { measure(state, turn, size, in_groups, threads); });
    }
}

}  // namespace batchmate::benchmarks

#endif
