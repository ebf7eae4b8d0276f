#include "groups.hpp"
#include "hex13_job.hpp"

#include <batchmate/eval/uniform.hpp>

#include <fstream>
#include <sstream>
#include <string>

#ifdef __GLIBC__
#include <malloc.h>
#endif

namespace batchmate::benchmarks {
namespace {

/// Gives back what earlier benchmarks freed and lets the kernel's high-water mark start again (Linux).
void forget_peak() {
#ifdef __GLIBC__
  malloc_trim(0);
#endif
  std::ofstream("/proc/self/clear_refs") << "5";
}

/// The most memory the process has held since `forget_peak`, in bytes; 0 where the kernel does not say.
double peak_bytes() {
  std::ifstream file("/proc/self/status");
  for (std::string line; std::getline(file, line);)
    if (line.starts_with("VmHWM:")) {
      double kilobytes = 0;
      std::istringstream(line.substr(6)) >> kilobytes;
      return kilobytes * 1024;
    }
  return 0;
}

void add_one(std::string const& name, int games, run_length const& length) {
  add("memory/" + name, [=](benchmark::State& state) {
    forget_peak();
    puct const search{.simulations = 400};
    measured const done = play_hex13(search, lockstep{.games = games}, uniform{}, 2, length);
    record(state, done);
    state.counters["peak_bytes"] = peak_bytes();
    state.counters["bytes/game"] = peak_bytes() / games;
    state.counters["planned_bytes"] = static_cast<double>(done.counted.planned_bytes);
    state.counters["boards/game"] = static_cast<double>(done.counted.boards) / games;
    state.SetLabel(search.identity());
  });
}

}  // namespace

// The trees are full after 400 boards a game. What still grows then are the records of games in flight, which
// are full when games end: that takes as long as the games do.
void add_memory(measuring const& wanted) {
  add_one("hex13/simulations:400/games:4096", 4096, {.boards = 4096 * 600});
  if (wanted.whole_games)
    add_one("hex13/simulations:400/games:4096/to_the_end", 4096, {.episodes = 4096 + 1024});
}

}  // namespace batchmate::benchmarks
