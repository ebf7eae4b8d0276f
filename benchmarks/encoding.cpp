#include "groups.hpp"
#include "random_positions.hpp"

#include <batchmate/eval/batch.hpp>
#include <batchmate/game/connect4.hpp>
#include <batchmate/game/hex.hpp>

#include <cstddef>

namespace batchmate::benchmarks {
namespace {

template <game G>
void add_one(std::string const& name) {
  benchmark::RegisterBenchmark(("encoding/" + name).c_str(), [](benchmark::State& state) {
    auto const positions = random_positions<G>(1024);
    std::vector<row<G>> rows(positions.size());
    std::int64_t packed = 0;
    for (auto _ : state) {
      for (std::size_t i = 0; i < positions.size(); ++i) {
        rows[i].legal = positions[i].legal_actions();
        rows[i].encode(positions[i]);
      }
      packed += static_cast<std::int64_t>(positions.size());
      benchmark::DoNotOptimize(rows.data());
      benchmark::ClobberMemory();
    }
    auto const count = static_cast<double>(packed);
    state.counters["positions/s"] = benchmark::Counter(count, benchmark::Counter::kIsRate);
    state.counters["s/position"] =
        benchmark::Counter(count, benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
    state.counters["row_bytes"] = sizeof(row<G>);
  });
}

}  // namespace

void add_encoding(measuring const&) {
  add_one<connect4>("connect4");
  add_one<hex<9>>("hex9");
  add_one<hex<13>>("hex13");
}

}  // namespace batchmate::benchmarks
