// A type that is no search is told so in one sentence, the first error.
//
// BAD NO_TREE: batchmate::search: needs a nested 'template <batchmate::game Game> class tree', which takes this game
// BAD NO_ROWS: batchmate::search: needs 'int max_rows() const', the most rows of one tree in one step
// BAD NO_COLLECT: batchmate::search: tree needs start, collect, absorb, done, decide and advance
// BAD NO_IDENTITY: batchmate::search: tree needs start, collect, absorb, done, decide and advance
#include <batchmate/game/tictactoe.hpp>
#include <batchmate/search/concepts.hpp>

#include <cstddef>
#include <string>

namespace bm = batchmate;

struct favourite {
#ifndef NO_ROWS
  int max_rows() const { return 1; }
#endif
#ifndef NO_IDENTITY
  std::string identity() const { return "favourite"; }
#endif
  template <bm::game G>
  std::size_t tree_bytes() const {
    return 0;
  }
#ifndef NO_TREE
  template <bm::game G>
  class tree {
   public:
    explicit tree(favourite const&) {}
    void start(bm::random_key, int) {}
#ifndef NO_COLLECT
    void collect(G const&, bm::row_range<G>&) {}
#endif
    void absorb(bm::batch<G> const&) {}
    bool done() const { return true; }
    void decide(bm::decision<G>&) const {}
    void advance(int) {}
  };
#endif
};

static_assert(bm::require_search<favourite, bm::tictactoe>());
