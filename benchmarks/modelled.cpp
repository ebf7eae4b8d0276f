#include "groups.hpp"
#include "hex13_job.hpp"
#include "modelled_device.hpp"

#include <chrono>
#include <utility>
#include <vector>

namespace batchmate::benchmarks {
namespace {

struct named_device {
  char const* name;
  device_time time;
};

/// The replaced system's, and two faster ones, whose batch takes about as long as the search by `puct` or `top_k`
/// that fills it.
named_device const devices[] = {
    {"62ms", device_time{}}, {"3.1ms", device_time{}.faster(20)}, {"0.62ms", device_time{}.faster(100)}};

void measure(benchmark::State& state, measuring const& wanted, device_time const& time,
             any_search const& search, any_policy const& policy, int threads) {
  record(state, play_hex13(search, policy, modelled_device(time), threads, {.seconds = wanted.seconds}));
}

/// Each policy as one would set it for a device: up to 1,024 rows a batch, and a queue that waits for a quarter
/// of a batch's time and keeps two batches at the device.
std::vector<std::pair<char const*, any_policy>> rungs(device_time const& time) {
  auto const deadline = std::chrono::duration_cast<std::chrono::microseconds>(time.a_batch / 4);
  return {
      {"immediate", immediate{}},
      {"per_tree", per_tree{}},
      {"lockstep", lockstep{.games = 128, .max_batch = 1024}},
      {"overlapped", overlapped{.games = 256, .max_batch = 1024}},
      {"shared_queue", shared_queue{.games = 256, .max_batch = 1024, .deadline = deadline, .processors = 2}}};
}

}  // namespace

void add_modelled_ladder(measuring const& wanted) {
  for (auto const& device : devices)
    for (std::string const search : {"top_k", "puct"})
      for (auto const& [policy_name, rung] : rungs(device.time))
        add(concat("modelled_ladder/hex13/", device.name, "/", search, "/", policy_name),
            [=, policy = rung](benchmark::State& state) {
              measure(state, wanted, device.time, search_named(search), policy, 2);
            });
}

// One thread and one leaf a game, so that the games in flight are the rows of a batch.
void add_modelled_sweep(measuring const& wanted) {
  for (auto const& device : devices)
    for (int games : {1, 8, 57, 400, 1000, 4000})
      add(concat("modelled_sweep/hex13/", device.name, "/puct/games:", games), [=](benchmark::State& state) {
        measure(state, wanted, device.time, puct{.simulations = 100}, lockstep{.games = games}, 1);
      });
}

}  // namespace batchmate::benchmarks
