#include "../hex13_job.hpp"
#include "device_alone.hpp"
#include "groups.hpp"

#include <algorithm>

namespace batchmate::benchmarks {
namespace {

common::cudnn_evaluator evaluator_of(gpu_run const& run) {
  return {tower_for<hex13>(10, 128), {.plan = run.plan}};
}

/// A batch size of whole waves, some 1,200 rows.
int usual_rows(common::cudnn_evaluator const& evaluator) {
  auto const buckets = evaluator.buckets();
  return *std::min(std::lower_bound(buckets.begin(), buckets.end(), 1150), buckets.end() - 1);
}

/// Runs the reference job: hex13, 10 blocks of 128 channels, `top_k` with widths 6,10.
measured play_job(benchmark::State& state, gpu_run const& run, any_policy const& policy,
                  common::cudnn_evaluator const& evaluator, double seconds) {
  measured const done =
      play_hex13(top_k{.widths = {6, 10}}, policy, evaluator, run.threads, {.seconds = seconds});
  record(state, done);
  statistics const& s = done.counted;
  state.counters["fill"] = s.evaluator.fill();
  state.counters["transfer_share"] = s.evaluator.transfer_seconds / s.seconds;
  state.counters["device_MiB"] = static_cast<double>(s.evaluator.device_bytes) / (1 << 20);
  return done;
}

}  // namespace

void add_device_ladder(gpu_run const& run) {
  int const games = 4096;
  auto const add_one = [&](char const* policy_name, auto policy_for) {
    add(concat("device_ladder/hex13/10x128/top_k/", policy_name), [=](benchmark::State& state) {
      auto const evaluator = evaluator_of(run);
      play_job(state, run, policy_for(usual_rows(evaluator)), evaluator, run.seconds);
    });
  };
  add_one("immediate", [](int) { return immediate{}; });
  add_one("per_tree", [](int) { return per_tree{}; });
  add_one("lockstep", [](int) { return lockstep{.games = games}; });
  add_one("overlapped", [](int) { return overlapped{.games = games}; });
  add_one("shared_queue",
          [](int rows) { return shared_queue{.games = games, .max_batch = rows, .processors = 2}; });
}

// Sizes that people choose, which need not be whole waves: `fill` tells what they waste.
void add_device_sweep(gpu_run const& run) {
  for (int const rows : {57, 400, 1000, 4000})
    add(concat("device_sweep/hex13/10x128/top_k/overlapped/rows:", rows), [=](benchmark::State& state) {
      play_job(state, run, overlapped{.games = 8192, .max_batch = rows}, evaluator_of(run), run.seconds);
    });
  for (int const groups : {2, 3, 4})
    add(concat("device_sweep/hex13/10x128/top_k/overlapped/groups:", groups), [=](benchmark::State& state) {
      auto const evaluator = evaluator_of(run);
      play_job(state, run, overlapped{.games = 8192, .groups = groups, .max_batch = usual_rows(evaluator)},
               evaluator, run.seconds);
    });
}

// Self-play beside its evaluator alone at the same batch size, in one run. A game takes some 9,800 boards, so that few games
// have to be in flight if several generations of them are to end within the time.
void add_reference_job(gpu_run const& run) {
  add("reference_job/hex13/10x128/top_k/overlapped", [=](benchmark::State& state) {
    int const games = 768;
    auto const evaluator = evaluator_of(run);
    int const rows = usual_rows(evaluator);
    statistics const s = play_job(state, run, overlapped{.games = games, .groups = 3, .max_batch = rows},
                                  evaluator, run.steady_seconds)
                             .counted;
    device_work const alone = device_alone<hex13>(evaluator_of(run), rows).run(run.seconds);
    state.counters["alone_boards/s"] = alone.boards / alone.seconds;
    state.counters["ratio"] = s.boards_per_second() / (alone.boards / alone.seconds);
    if (s.episodes < 2 * games) return;  // too short a run to say
    // All games begin at the same time: those that were finished alone would be too few for the boards, so half of each in
    // flight is added.
    double const finished = static_cast<double>(s.episodes) + 0.5 * games;
    state.counters["boards/game"] = static_cast<double>(s.boards) / finished;
    state.counters["minutes_for_500000_games"] = 500000 / (finished / s.seconds) / 60;
  });
}

}  // namespace batchmate::benchmarks
