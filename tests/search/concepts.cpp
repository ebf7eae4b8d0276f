#include <batchmate/game/connect4.hpp>
#include <batchmate/game/tictactoe.hpp>
#include <batchmate/search/concepts.hpp>
#include <batchmate/search/puct.hpp>
#include <batchmate/search/puct_graph.hpp>
#include <batchmate/search/top_k.hpp>

#include "../support/nim.hpp"

#include <doctest/doctest.h>

#include <cstring>

namespace bm = batchmate;

namespace {

/// The smallest search: the network's favourite move.
struct favourite {
  int max_rows() const { return 1; }
  template <bm::game G>
  std::size_t tree_bytes() const {
    return sizeof(tree<G>);
  }
  std::string identity() const { return "favourite"; }

  template <bm::game G>
  class tree {
   public:
    explicit tree(favourite const&) {}
    void start(bm::random_key, int) {}
    void collect(G const&, bm::row_range<G>&) {}
    void absorb(bm::batch<G> const&) {}
    bool done() const { return true; }
    void decide(bm::decision<G>&) const {}
    void advance(int) {}
  };
};
struct without_rows : favourite {
  void max_rows() const {}
};
struct without_tree {
  int max_rows() const { return 1; }
};
struct without_identity : favourite {
  void identity() const {}
};
struct with_foreign_tree : favourite {
  template <bm::game G>
  class tree : public favourite::tree<G> {};  // not constructible from the settings
};

}  // namespace

TEST_CASE("the shipped searches and the smallest one model search_for the games they search") {
  static_assert(bm::search_for<bm::puct, nim> && bm::search_for<bm::puct, bm::connect4>);
  static_assert(bm::search_for<bm::top_k, nim> && bm::search_for<bm::top_k, bm::connect4>);
  // Nim has no key.
  static_assert(bm::search_for<bm::puct_graph, bm::connect4> && !bm::search_for<bm::puct_graph, nim>);
  CHECK(bm::search_for<favourite, nim>);
  CHECK(bm::require_search<bm::puct, nim>());
  CHECK(bm::require_search<bm::top_k, nim>());
  CHECK(bm::require_search<favourite, nim>());
}

TEST_CASE("near-misses are no searches") {
  CHECK_FALSE(bm::search_for<without_rows, nim>);
  CHECK_FALSE(bm::search_for<without_tree, nim>);
  CHECK_FALSE(bm::search_for<without_identity, nim>);
  CHECK_FALSE(bm::search_for<with_foreign_tree, nim>);
  CHECK_FALSE(bm::search_for<int, nim>);
}

TEST_CASE("a row range deals its rows one after the other until it is full") {
  nim positions[3];
  bm::row<nim> rows[3];
  bm::row_range<nim> range(positions, rows, 2);
  CHECK(range.used() == 0);
  for (int stones : {2, 5}) {
    CHECK_FALSE(range.full());
    range.next().stones = stones;
    range.push();
  }
  CHECK(range.full());
  CHECK(range.used() == 2);
  CHECK(positions[0].stones == 2);
  CHECK(positions[1].stones == 5);
  CHECK(rows[0].legal.count() == 2);
  CHECK(rows[1].legal.count() == 3);
}

TEST_CASE("a position that was not pushed leaves its row free") {
  nim positions[2];
  bm::row<nim> rows[2];
  bm::row_range<nim> range(positions, rows, 2);
  range.next().stones = 1;
  range.next().stones = 3;
  range.push();
  CHECK(range.used() == 1);
  CHECK(positions[0].stones == 3);
}

TEST_CASE("encoding packs the rows filled so far and no others") {
  nim positions[2];
  bm::row<nim> rows[2];
  bm::row_range<nim> range(positions, rows, 2);
  range.next().stones = 4;
  range.push();
  rows[0].planes.words[0] = ~0ull;  // of an earlier batch
  rows[1].planes.words[0] = 77;
  range.encode();
  CHECK(rows[0].planes.words[0] == 0xf);
  CHECK(rows[1].planes.words[0] == 77);
}

TEST_CASE(
    "a row that is to be moved shows the position under the symmetry once it is packed, and as it is until "
    "then") {
  using G = bm::tictactoe;
  G position, images[2];
  for (int a : {0, 1, 5}) {
    position.play(a);
    for (int i = 0; i < 2; ++i) images[i].play(G::symmetric_action(3 + i, a));
  }
  G positions[4];
  bm::row<G> rows[4], plain, moved[2];
  plain.legal = position.legal_actions();
  plain.encode(position);
  for (int i = 0; i < 2; ++i) {
    moved[i].legal = images[i].legal_actions();
    moved[i].encode(images[i]);
  }
  bm::moved_row shown[2] = {{.symmetry = 3}, {.symmetry = 4}};
  bm::row_range<G> range(positions, rows, 4);
  for (int i = 0; i < 4; ++i) {
    range.next() = position;
    i == 1 || i == 2 ? range.push(shown[i - 1]) : range.push();
  }
  for (bm::row<G> const& r : rows) CHECK(r.legal == plain.legal);
  CHECK_FALSE(shown[0].moved);
  for (int times = 0; times < 2; ++times) {
    range.encode();
    CHECK(std::memcmp(rows, &plain, sizeof(plain)) == 0);
    CHECK(std::memcmp(rows + 1, moved, sizeof(moved)) == 0);
    CHECK(std::memcmp(rows + 3, &plain, sizeof(plain)) == 0);
    CHECK(shown[0].moved);
    CHECK(shown[1].moved);
  }
  CHECK(positions[1].to_text() == position.to_text());
}

TEST_CASE("for an evaluator that moves rows, a row names its symmetry and shows the position as it is") {
  using G = bm::tictactoe;
  G positions[2];
  for (G& p : positions) p.play(1);
  bm::row<G> rows[2], plain;
  plain.legal = positions[0].legal_actions();
  plain.encode(positions[0]);
  bm::moved_row shown{.symmetry = 5};
  bm::row_range<G> range(positions, rows, 2);
  range.push();
  range.push(shown);
  range.encode(true);
  CHECK(std::memcmp(rows, &plain, sizeof(plain)) == 0);
  CHECK_FALSE(shown.moved);
  CHECK(rows[1].symmetry == 5);
  range.encode(false);
  CHECK(rows[1].symmetry == 0);
  CHECK(shown.moved);
  range.encode(true);
  CHECK(rows[1].legal == plain.legal);
  CHECK(rows[1].symmetry == 5);
}

TEST_CASE("rows of a game without symmetries are never moved") {
  nim positions[1];
  bm::row<nim> rows[1];
  bm::moved_row shown;
  bm::row_range<nim> range(positions, rows, 1);
  range.next().stones = 4;
  range.push(shown);
  range.encode(true);
  CHECK(rows[0].symmetry == 0);
  range.encode();
  CHECK(rows[0].planes.words[0] == 0xf);
  CHECK_FALSE(shown.moved);
}

TEST_CASE("a default range is full") { CHECK(bm::row_range<nim>().full()); }

TEST_CASE("a decision that is none is refused, and the message says where") {
  auto const legal = nim{}.legal_actions();
  auto const refused = [&](auto const& spoil) {
    bm::decision<nim> found{.action = 1, .value = -0.5f, .policy = {0.25f, 0.75f, 0}};
    spoil(found);
    bm::check_decision(found, legal, [] { return " at ply 3"; });
  };
  CHECK_NOTHROW(refused([](auto&) {}));
  for (int action : {-1, 3})
    CHECK_THROWS_WITH_AS(refused([&](auto& d) { d.action = action; }),
                         doctest::Contains(" at ply 3, which is not legal there"), bm::contract_error);
  CHECK_THROWS_WITH_AS(refused([](auto& d) { d.value = 1.1f; }),
                       "search: expected a value in [-1, 1], found 1.1 at ply 3", bm::contract_error);
  CHECK_THROWS_WITH_AS(refused([](auto& d) { d.policy[0] = 0; }),
                       doctest::Contains("found 0.75 of 0.75 there at ply 3"), bm::contract_error);
  CHECK_THROWS_WITH_AS(refused([](auto& d) {
                         d.policy = {-0.25f, 1.25f, 0};
                       }),
                       doctest::Contains("some of it negative, at ply 3"), bm::contract_error);
}
