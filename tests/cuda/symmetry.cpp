#include <batchmate/cuda/symmetry.hpp>
#include <batchmate/game/connect4.hpp>
#include <batchmate/game/hex.hpp>

#include "host_network.hpp"

#include "../eval/network_rows.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <vector>

namespace bm = batchmate;
using namespace bm::cuda;

TEST_CASE("the tables of a game are permutations, the first of them the identity") {
  board_symmetries const all(bm::symmetries_of<bm::connect4>());
  REQUIRE(all.count == 2);
  REQUIRE(all.cells.size() == 2 * 42);
  REQUIRE(all.actions.size() == 2 * 7);
  for (int cell = 0; cell < 42; ++cell) {
    CHECK(all.cells[static_cast<std::size_t>(cell)] == cell);
    int const r = cell / 7, c = cell % 7;
    CHECK(all.cells[static_cast<std::size_t>(42 + cell)] == r * 7 + 6 - c);
  }
  for (int a = 0; a < 7; ++a) CHECK(all.actions[static_cast<std::size_t>(7 + a)] == 6 - a);
}

TEST_CASE_TEMPLATE("a position shown under a symmetry gets the answers of the moved position, moved back", G,
                   bm::connect4, bm::hex7) {
  auto const net = bm::random_network(extents_for<G>(1, 8), 5);
  auto const rows = bm::symmetries_of<G>();
  board_symmetries const all(rows, 7);
  host_network const plain(net, precision::fp32), symmetric(net, precision::fp32, all);
  int moved_rows = 0;
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    G position, moved;
    std::vector<int> moves;
    bm::random_stream random(bm::random_key{seed});
    for (int ply = 0; ply < 5; ++ply) {
      auto const legal = position.legal_actions();
      moves.push_back(legal.nth(static_cast<int>(random.below(static_cast<std::uint32_t>(legal.count())))));
      position.play(moves.back());
    }
    filled_batch<G> found({position});
    int const s = symmetry_of(found.view().raw().row(0), bm::layout_of<G>(), all.seed, all.count);
    CHECK(s == rows.pick(7, found.view().raw().row(0)));
    for (int const a : moves) moved.play(G::symmetric_action(s, a));
    filled_batch<G> expected({moved});
    symmetric.submit(0, found.view());
    plain.submit(0, expected.view());
    moved_rows += s > 0;
    CHECK(found.values[0] == expected.values[0]);
    auto const legal = position.legal_actions(), moved_legal = moved.legal_actions();
    for (int a = 0; a < G::num_actions; ++a) {
      if (!legal.test(a)) continue;
      int const to = G::symmetric_action(s, a);
      REQUIRE(moved_legal.test(to));
      // The sum behind them runs in another order.
      CHECK(found.priors[static_cast<std::size_t>(legal_rank(legal.words, a))] ==
            doctest::Approx(expected.priors[static_cast<std::size_t>(legal_rank(moved_legal.words, to))]));
    }
  }
  CHECK(moved_rows > 3);
  CHECK(moved_rows < 17);
}
