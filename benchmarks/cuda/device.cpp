#include "device_alone.hpp"
#include "groups.hpp"

#include <batchmate/game/hex.hpp>

#include <algorithm>
#include <set>
#include <vector>

namespace batchmate::benchmarks {
namespace {

template <game G>
void measure(benchmark::State& state, gpu_run const& run, int blocks, int channels, int rows) {
  network const net = tower_for<G>(blocks, channels);
  common::cudnn_evaluator const evaluator(net, {});
  auto const buckets = evaluator.buckets();
  int const bucket = *std::min(std::lower_bound(buckets.begin(), buckets.end(), rows), buckets.end() - 1);
  device_work const done = device_alone<G>(evaluator, bucket).run(run.seconds / 3);
  state.SetIterationTime(done.seconds);
  double const teraflops = 1e-12 * flops_of(net) * done.boards / done.seconds;
  auto& counters = state.counters;
  counters["boards/s"] = done.boards / done.seconds;
  counters["batch"] = bucket;
  counters["us_a_batch"] = 1e6 * done.seconds / done.batches;
  counters["TFLOP/s"] = teraflops;
  counters["gemm_share"] = teraflops / run.gemm_teraflops;
  counters["device_share"] = done.report.busy_seconds / done.seconds;
  counters["transfer_share"] = done.report.transfer_seconds / done.seconds;
  counters["device_MiB"] = static_cast<double>(done.report.device_bytes) / (1 << 20);
}

template <game G>
void add_tower(gpu_run const& run, std::string const& board, int blocks, int channels) {
  for (int const rows : {1, 100, 400, 1000, 2000, 4096})
    add(concat("device/", blocks, "x", channels, "@", board, "/rows:", rows),
        [=](benchmark::State& state) { measure<G>(state, run, blocks, channels, rows); });
}

}  // namespace

// Rows are rounded up to the next batch size that there is a graph for: the counter `batch`.
void add_device_alone(gpu_run const& run) {
  add_tower<hex<9>>(run, "9x9", 6, 64);
  add_tower<hex<11>>(run, "11x11", 10, 128);
  add_tower<hex<13>>(run, "13x13", 10, 128);
  add_tower<hex<13>>(run, "13x13", 15, 192);
  add_tower<hex<19>>(run, "19x19", 20, 256);
}

}  // namespace batchmate::benchmarks
