#include <batchmate/cuda/symmetry.hpp>
#include <batchmate/game/connect4.hpp>
#include <batchmate/game/go.hpp>
#include <batchmate/game/hex.hpp>
#include <batchmate/game/othello.hpp>

#include "host_network.hpp"

#include "../eval/network_rows.hpp"

#include <doctest/doctest.h>

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

TEST_CASE_TEMPLATE(
    "a position shown under a symmetry, named or drawn, gets the answers of the moved position", G,
    bm::connect4, bm::hex7, bm::othello, bm::go<5>) {
  auto const net = bm::random_network(extents_for<G>(1, 8), 5);
  auto const rows = bm::symmetries_of<G>();
  board_symmetries const drawn(rows, 7), named(rows);
  host_network const plain(net, precision::fp32), draws(net, precision::fp32, drawn),
      moves(net, precision::fp32, named);
  CHECK_FALSE(draws.moves_rows());
  CHECK(moves.moves_rows());
  int moved_rows = 0;
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    G position, moved;
    std::vector<int> actions;
    bm::random_stream random(bm::random_key{seed});
    for (int ply = 0; ply < 5; ++ply) {
      auto const legal = position.legal_actions();
      actions.push_back(legal.nth(static_cast<int>(random.below(static_cast<std::uint32_t>(legal.count())))));
      position.play(actions.back());
    }
    filled_batch<G> found({position}), found_named({position});
    int const s = symmetry_of(found.view().raw().row(0), bm::layout_of<G>(), drawn.choice());
    CHECK(s == rows.pick(7, found.view().raw().row(0)));
    for (int const a : actions) moved.play(G::symmetric_action(s, a));
    filled_batch<G> expected({moved});
    draws.submit(0, found.view());
    found_named.rows[0].symmetry = static_cast<std::uint64_t>(s);
    moves.submit(0, found_named.view());
    CHECK(found_named.values == found.values);
    CHECK(found_named.priors == found.priors);
    plain.submit(0, expected.view());
    moved_rows += s > 0;
    CHECK(found.values[0] == expected.values[0]);
    auto const legal = position.legal_actions(), moved_legal = moved.legal_actions();
    for (int a = 0; a < G::num_actions; ++a) {
      if (!legal.test(a)) continue;
      int const to = G::symmetric_action(s, a);
      REQUIRE(moved_legal.test(to));
      CHECK(found.priors[static_cast<std::size_t>(legal_rank(legal.words, a))] ==
            expected.priors[static_cast<std::size_t>(legal_rank(moved_legal.words, to))]);
    }
  }
  CHECK(moved_rows > 3);
  CHECK(moved_rows < 20);
}

TEST_CASE("with tables at hand, a row that names no symmetry has the very answer of a network without") {
  auto const net = bm::random_network(extents_for<bm::hex7>(1, 8), 5);
  host_network const plain(net, precision::fp16),
      moves(net, precision::fp16, board_symmetries(bm::symmetries_of<bm::hex7>()));
  filled_batch<bm::hex7> one({bm::hex7{}}), other({bm::hex7{}});
  plain.submit(0, one.view());
  moves.submit(0, other.view());
  CHECK(one.values == other.values);
  CHECK(one.priors == other.priors);
}
