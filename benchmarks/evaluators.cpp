#include "groups.hpp"

#if BATCHMATE_WITH_ONEDNN

#include "evaluator_alone.hpp"
#include "onednn_chain.hpp"
#include "tower.hpp"

#include <batchmate/game/connect4.hpp>
#include <batchmate/game/hex.hpp>

namespace batchmate::benchmarks {
namespace {

/// The evaluator and a plain chain of the same convolutions take turns on one thread, so that whatever slows
/// the machine down for a while slows both.
template <game G>
void add_one(measuring const& wanted, std::string const& game_name, tower_size const& size, int rows) {
  add(concat("evaluator/", game_name, "/", size.name(), "/rows:", rows), [=](benchmark::State& state) {
    cpu::single_threaded const alone;
    evaluator_alone<G, onednn> evaluator(onednn_of<G>(size), rows);
    onednn_chain chain(rows, G::input.planes, G::input.rows, G::input.columns, size.blocks, size.channels,
                       cpu::has_bf16());
    int const turns = rows > 16 ? 3 : 6;  // of a second each for the largest
    double const turn_seconds = wanted.seconds / (2 * turns);
    evaluator.step();
    chain.run();
    amount ours, plain;
    for (int turn = 0; turn < turns; ++turn) {
      ours += repeat(turn_seconds, [&] { return evaluator.step(); });
      plain += repeat(turn_seconds, [&] { return chain.run(), chain.rows(); });
    }
    state.SetIterationTime(ours.seconds + plain.seconds);
    state.counters["boards/s"] = ours.rate();
    state.counters["chain_boards/s"] = plain.rate();
    state.counters["boards/CPU-s"] = ours.rate_of_cpu();
    state.counters["ratio"] = ours.rate() / plain.rate();
    state.counters["cpu_ratio"] = ours.rate_of_cpu() / plain.rate_of_cpu();
  });
}

template <game G>
void add_game(measuring const& wanted, std::string const& name, tower_size const& size) {
  for (int rows : {1, 8, 16, 57, 400}) add_one<G>(wanted, name, size, rows);
}

}  // namespace

void add_evaluators(measuring const& wanted) {
  for (auto const& size : towers) add_game<hex<13>>(wanted, "hex13", size);
  add_game<hex<9>>(wanted, "hex9", {4, 64});
  add_game<connect4>(wanted, "connect4", {4, 64});
}

}  // namespace batchmate::benchmarks

#endif
