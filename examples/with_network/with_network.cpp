// Self-play with a network: the one shipped for Connect Four, on the CPU. Start it in the project's folder.

#include <batchmate/batchmate.hpp>
#include <batchmate/onednn.hpp>

#include <cstdio>

namespace bm = batchmate;

int main() {
  bm::onednn network(bm::load_network("examples/networks/connect4.safetensors"));
  bm::self_play sp{bm::connect4{}, bm::puct{.simulations = 100}, bm::lockstep{.games = 64}, network};
  auto const done = sp.run({.episodes = 20, .threads = 2}, [](bm::sample<bm::connect4> const&) {});
  std::printf("%.0f positions/s in batches of %.1f\n", done.boards_per_second(), done.mean_batch());
}
