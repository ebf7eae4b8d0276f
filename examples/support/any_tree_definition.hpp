#pragma once

#include <common/any_tree.hpp>

namespace common {

/// The tree of a search that is known.
template <batchmate::game G, batchmate::search_for<G> S>
struct tree_of final : any_tree<G> {
  explicit tree_of(S const& settings) : tree(settings) {}
  void start(batchmate::random_key episode, int ply) override { tree.start(episode, ply); }
  void collect(G const& root, batchmate::row_range<G>& out) override { tree.collect(root, out); }
  void absorb(batchmate::batch<G> const& mine) override { tree.absorb(mine); }
  bool done() const override { return tree.done(); }
  void decide(batchmate::decision<G>& outcome) const override { tree.decide(outcome); }
  void advance(int action) override { tree.advance(action); }
  typename S::template tree<G> tree;
};

/// Calls `visit` with the settings of a search that can search the game.
template <batchmate::game_with_text G, class Visit>
auto visit_search_of(any_search const& search, Visit&& visit) {
  using found = decltype(visit(batchmate::puct()));
  return std::visit(
      [&]<class S>(S const& settings) -> found {
        if constexpr (batchmate::search_for<S, G>)
          return visit(settings);
        else
          throw usage_error("the search graph needs a game that tells which positions are equal, as " +
                            G::name() + " does not");
      },
      search);
}

template <batchmate::game_with_text G>
std::unique_ptr<any_tree<G>> make_tree(any_search const& search) {
  return visit_search_of<G>(search, []<class S>(S const& settings) -> std::unique_ptr<any_tree<G>> {
    return std::make_unique<tree_of<G, S>>(settings);
  });
}

template <batchmate::game_with_text G>
std::size_t tree_bytes(any_search const& search) {
  return visit_search_of<G>(search, [](auto const& settings) { return settings.template tree_bytes<G>(); });
}

}  // namespace common
