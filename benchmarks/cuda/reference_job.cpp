#include "../hex13_job.hpp"
#include "device_alone.hpp"
#include "groups.hpp"

#include <utility>

namespace batchmate::benchmarks {
namespace {

common::cudnn_evaluator evaluator_of(gpu_run const& run) {
  return {tower_for<hex13>(10, 128), "auto", run.plan};
}

/// Runs the reference job: hex13, 10 blocks of 128 channels, `top_k` with widths 6,10.
measured play_job(benchmark::State& state, gpu_run const& run, any_policy const& policy, double seconds,
                  int threads) {
  measured const done =
      play_hex13(top_k{.widths = {6, 10}}, policy, evaluator_of(run), threads, {.seconds = seconds});
  record(state, done);
  statistics const& s = done.counted;
  if (s.episodes > 0) {
    state.counters["boards/game"] =
        static_cast<double>(s.boards) / static_cast<double>(s.episodes + s.in_flight);
  }
  state.counters["transfer_share"] = s.evaluator.transfer_seconds / s.seconds;
  state.counters["device_MiB"] = static_cast<double>(s.evaluator.device_bytes) / (1 << 20);
  return done;
}

}  // namespace

void add_device_ladder(gpu_run const& run) {
  int const games = 4096;
  std::pair<char const*, any_policy> const rungs[] = {
      {"immediate", immediate{}},
      {"per_tree", per_tree{}},
      {"lockstep", lockstep{.games = games}},
      {"overlapped", overlapped{.games = games}},
      {"shared_queue", shared_queue{.games = games, .max_batch = 1199, .processors = 2}}};
  for (auto const& [policy_name, policy] : rungs)
    add(concat("device_ladder/hex13/10x128/top_k/", policy_name),
        [=, policy = policy](benchmark::State& state) {
          play_job(state, run, policy, run.seconds, run.threads);
        });
}

void add_device_sweep(gpu_run const& run) {
  for (int const rows : {57, 400, 1000, 4000})
    add(concat("device_sweep/hex13/10x128/top_k/overlapped/rows:", rows), [=](benchmark::State& state) {
      play_job(state, run, overlapped{.games = 8192, .max_batch = rows}, run.seconds, run.threads);
    });
  for (int const groups : {2, 3, 4})
    add(concat("device_sweep/hex13/10x128/top_k/overlapped/groups:", groups), [=](benchmark::State& state) {
      play_job(state, run, overlapped{.games = 8192, .groups = groups, .max_batch = 1199}, run.seconds,
               run.threads);
    });
}

// Self-play beside its evaluator alone at the same batch size, in one run. A game takes some 9,800 boards, so that few games
// have to be in flight if several generations of them are to end within the time.
void add_reference_job(gpu_run const& run) {
  add("reference_job/hex13/10x128/top_k/overlapped", [=](benchmark::State& state) {
    measured const done = play_job(state, run, overlapped{.games = 768, .groups = 3, .max_batch = 1199},
                                   run.steady_seconds, run.threads);
    statistics const& s = done.counted;
    device_work const alone = device_alone<hex13>(evaluator_of(run), 1199).run(run.seconds);
    state.counters["alone_boards/s"] = alone.boards / alone.seconds;
    state.counters["ratio"] = s.boards_per_second() / (alone.boards / alone.seconds);
    if (s.episodes > 0) state.counters["minutes_for_500000_games"] = 500000 / s.games_per_second() / 60;
  });
}

}  // namespace batchmate::benchmarks
