#include <batchmate/game/connect4.hpp>
#include <batchmate/search/concepts.hpp>
#include <batchmate/search/puct.hpp>
#include <batchmate/search/puct_graph.hpp>
#include <batchmate/search/top_k.hpp>

#include "../support/nim.hpp"

#include <doctest/doctest.h>

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

TEST_CASE("a default range is full") { CHECK(bm::row_range<nim>().full()); }
