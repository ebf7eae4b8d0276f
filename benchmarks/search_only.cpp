#include "groups.hpp"

#include <batchmate/batch/lockstep.hpp>
#include <batchmate/eval/uniform.hpp>
#include <batchmate/game/breakthrough.hpp>
#include <batchmate/game/connect4.hpp>
#include <batchmate/game/go.hpp>
#include <batchmate/game/hex.hpp>
#include <batchmate/game/mnk.hpp>
#include <batchmate/game/othello.hpp>
#include <batchmate/search/gumbel.hpp>
#include <batchmate/search/puct.hpp>
#include <batchmate/search/puct_graph.hpp>
#include <batchmate/search/top_k.hpp>

#include <algorithm>

namespace batchmate::benchmarks {
namespace {

/// One thread, the free evaluator, and few enough games that their trees stay in the cache.
template <game G, class S>
void add_one(measuring const& wanted, std::string const& name, S const& search) {
  add("search_only/" + name, [=](benchmark::State& state) {
    measured const done =
        play(G{}, search, lockstep{.games = 4}, uniform{}, 1, {.seconds = std::min(wanted.seconds, 2.0)});
    record(state, done);
    state.counters["simulations/CPU-s"] = static_cast<double>(done.counted.simulations) / done.cpu_seconds;
    state.SetLabel(search.identity());
  });
}

/// The same with so many games that their trees leave the cache. Measured when every tree has been full once.
void add_cold(int games) {
  add(concat("search_games/hex13/puct/simulations:100/games:", games), [=](benchmark::State& state) {
    puct const search{.simulations = 100, .noise_fraction = 0, .reuse_tree = false};
    std::uint64_t const warm_up = 110 * static_cast<std::uint64_t>(games);
    measured const done = play(hex<13>{}, search, lockstep{.games = games}, uniform{}, 1,
                               {.boards = warm_up + 500'000, .warm_up = warm_up});
    record(state, done);
    state.counters["boards/CPU-s"] = done.warm_boards / done.warm_cpu_seconds;
  });
}

}  // namespace

// Every simulation counted is a new descent: trees are not reused, and there is no noise.
void add_search_only(measuring const& wanted) {
  auto const descents = [](int simulations) {
    return puct{.simulations = simulations, .noise_fraction = 0, .reuse_tree = false};
  };
  add_one<connect4>(wanted, "connect4/puct/simulations:100", descents(100));
  add_one<connect4>(wanted, "connect4/puct/simulations:800", descents(800));
  add_one<hex<9>>(wanted, "hex9/puct/simulations:100", descents(100));
  add_one<hex<13>>(wanted, "hex13/puct/simulations:100", descents(100));
  add_one<hex<13>>(wanted, "hex13/puct/simulations:400", descents(400));
  // Without a reduction the free evaluator's equal values make Hex trees wide and flat. With one they are deep.
  puct deep = descents(100);
  deep.fpu_reduction = 0.25f;
  add_one<hex<9>>(wanted, "hex9/puct_deep/simulations:100", deep);
  add_one<hex<13>>(wanted, "hex13/puct_deep/simulations:100", deep);
  add_one<hex<13>>(wanted, "hex13/top_k/widths:6,10", top_k{.widths = {6, 10}});
  for (int games : {4, 64, 1024, 4096}) add_cold(games);
  add_one<othello>(wanted, "othello/puct/simulations:100", descents(100));
  add_one<breakthrough8>(wanted, "breakthrough8/puct/simulations:100", descents(100));
  add_one<gomoku>(wanted, "gomoku/puct/simulations:100", descents(100));
  add_one<go9>(wanted, "go9/puct/simulations:100", descents(100));
  add_one<go13>(wanted, "go13/puct/simulations:100", descents(100));
  add_one<connect4>(wanted, "connect4/gumbel/simulations:100", gumbel{.simulations = 100});
  add_one<connect4>(wanted, "connect4/graph/simulations:100",
                    puct_graph{.simulations = 100, .noise_fraction = 0});
}

}  // namespace batchmate::benchmarks
