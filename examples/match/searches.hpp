#pragma once

#include <batchmate/search/concepts.hpp>

#include <common/searches.hpp>

#include <memory>
#include <string>
#include <variant>

using common::any_search;

/// One game's tree of any search; the calls are those of the search concept.
template <batchmate::game G>
struct any_tree {
  any_tree() = default;
  any_tree(any_tree const&) = delete;
  any_tree& operator=(any_tree const&) = delete;
  virtual ~any_tree() = default;

  virtual void start(batchmate::random_key episode, int ply) = 0;
  virtual void collect(G const& root, batchmate::row_range<G>& out) = 0;
  virtual void absorb(batchmate::batch<G> const& mine) = 0;
  virtual bool done() const = 0;
  virtual void decide(batchmate::decision<G>& outcome) const = 0;
  virtual void advance(int action) = 0;
};

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

/// A tree of the search that a variant holds.
template <batchmate::game G>
std::unique_ptr<any_tree<G>> make_tree(any_search const& search) {
  return std::visit(
      []<class S>(S const& settings) -> std::unique_ptr<any_tree<G>> {
        return std::make_unique<tree_of<G, S>>(settings);
      },
      search);
}

/// The most rows that one tree fills in one step.
inline int max_rows(any_search const& search) {
  return std::visit([](auto const& settings) { return settings.max_rows(); }, search);
}

/// Name and settings, everything that changes games.
inline std::string identity(any_search const& search) {
  return std::visit([](auto const& settings) { return settings.identity(); }, search);
}
