#pragma once

#include <batchmate/play/self_play.hpp>

#include <benchmark/benchmark.h>

#include <chrono>
#include <cstdint>
#include <ctime>
#include <exception>
#include <stop_token>

namespace batchmate::benchmarks {

/// How long the program measures, from its command line.
struct measuring {
  double seconds = 3;        ///< of every run of self-play that is ended by time
  bool whole_games = false;  ///< also what plays many or slow games to their end, many minutes
};

/// What a run of self-play counted, and the processor time that all threads of the program took meanwhile.
struct measured {
  statistics counted;
  double cpu_seconds = 0;
  double warm_boards = 0;       ///< of `counted.boards`, those after the warm-up
  double warm_cpu_seconds = 0;  ///< of `cpu_seconds`, those after the warm-up
};

/// Processor seconds of the program so far, over all threads.
inline double cpu_seconds() { return static_cast<double>(std::clock()) / CLOCKS_PER_SEC; }

/// When a run of self-play ends.
struct run_length {
  double seconds = 0;                             ///< games are given up after so long; 0: never
  std::uint64_t boards = 0;                       ///< games are given up after so many boards; 0: never
  std::uint64_t warm_up = 0;                      ///< boards that `warm_boards` leaves out
  std::int64_t episodes = std::int64_t{1} << 40;  ///< games to finish
};

/// Plays until the run's length is reached. Batches that are under way when it is are waited for and counted.
template <game G, class S, class B, class E>
measured play(G const& opening, S const& search, B const& policy, E evaluator, int threads,
              run_length const& length) {
  using std::chrono::milliseconds;
  self_play self(opening, search, policy, std::move(evaluator));
  std::stop_source stop;
  struct {
    std::uint64_t boards = 0;
    double cpu_seconds = 0;
  } warm_at;
  run_options options{.episodes = length.episodes, .threads = threads, .stop = stop.get_token()};
  if (length.boards > 0)
    options.progress_every = milliseconds(10);
  else if (length.seconds > 0)
    options.progress_every = milliseconds(static_cast<std::int64_t>(1000 * length.seconds));
  options.progress = [&](statistics const& now) {
    bool const late = length.seconds > 0 && now.seconds >= length.seconds;
    if (warm_at.boards == 0 && now.boards >= length.warm_up) warm_at = {now.boards, cpu_seconds()};
    if (late || (length.boards > 0 && now.boards >= length.boards)) stop.request_stop();
  };
  double const before = cpu_seconds();
  measured done{.counted = self.run(options, [](episode<G> const&) {})};
  double const after = cpu_seconds();
  done.cpu_seconds = after - before;
  if (warm_at.boards > 0) {
    done.warm_boards = static_cast<double>(done.counted.boards - warm_at.boards);
    done.warm_cpu_seconds = after - warm_at.cpu_seconds;
  }
  return done;
}

/// Hands what was counted to Google Benchmark.
inline void record(benchmark::State& state, measured const& done) {
  statistics const& s = done.counted;
  state.SetIterationTime(s.seconds);
  auto& counters = state.counters;
  counters["boards/s"] = s.boards_per_second();
  counters["games/s"] = s.games_per_second();
  counters["simulations/s"] = s.simulations_per_second();
  counters["batch"] = s.mean_batch();
  counters["search_share"] = s.search_share;
  counters["encoding_share"] = s.encoding_share;
  counters["evaluator_share"] = s.evaluator_share;
  counters["waiting_share"] = s.waiting_share;
  counters["cores"] = s.seconds > 0 ? done.cpu_seconds / s.seconds : 0;
  if (s.evaluator.busy_seconds > 0 && s.seconds > 0)
    counters["device_share"] = s.evaluator.busy_seconds / s.seconds;
}

/// Benchmarks that have failed so far.
inline int failures = 0;

/// Registers a benchmark that measures once and times itself. If it throws, that is its result, and the others go on.
template <class Body>
void add(std::string const& name, Body body) {
  benchmark::RegisterBenchmark(name.c_str(),
                               [body](benchmark::State& state) {
                                 try {
                                   for (auto _ : state) body(state);
                                 } catch (std::exception const& e) {
                                   ++failures;
                                   state.SkipWithError(e.what());
                                 }
                               })
      ->Iterations(1)
      ->UseManualTime()
      ->Unit(benchmark::kSecond);
}

}  // namespace batchmate::benchmarks
