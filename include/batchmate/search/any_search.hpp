#pragma once

#include <batchmate/search/concepts.hpp>

#include <concepts>
#include <cstddef>
#include <memory>
#include <string>
#include <utility>

namespace batchmate {

/// A search to be put behind `Any`, an `any_search<G>`.
template <class S, class Any>
concept search_behind = !std::same_as<S, Any> && search_for<S, typename Any::game_type>;

/// Any search of G, for programs that choose it at run time: each step of a tree is a virtual call, some 4 % of a search
/// whose evaluator is free, and `self_play` is compiled once for all searches.
///
///     any_search<hex7> const search = few ? any_search<hex7>(gumbel{.simulations = 16}) : puct{};
template <game G>
class any_search {
 public:
  using game_type = G;  ///< what it searches

  template <search_behind<any_search> S>
  any_search(S search)  // NOLINT: converts on purpose
      : held_(std::make_shared<holder<S> const>(std::move(search))) {}

  int max_rows() const { return held_->max_rows(); }
  std::string identity() const { return held_->identity(); }
  template <std::same_as<G> Game>
  std::size_t tree_bytes() const {
    return held_->tree_bytes();
  }

 private:
  struct any_tree {
    virtual ~any_tree() = default;
    virtual void start(random_key episode, int ply) = 0;
    virtual void collect(G const& root, row_range<G>& out) = 0;
    virtual void absorb(batch<G> const& mine) = 0;
    virtual bool done() const = 0;
    virtual void decide(decision<G>& outcome) const = 0;
    virtual void advance(int action) = 0;
  };

  template <class S>
  struct tree_of final : any_tree {
    explicit tree_of(S const& search) : tree(search) {}
    void start(random_key episode, int ply) override { tree.start(episode, ply); }
    void collect(G const& root, row_range<G>& out) override { tree.collect(root, out); }
    void absorb(batch<G> const& mine) override { tree.absorb(mine); }
    bool done() const override { return tree.done(); }
    void decide(decision<G>& outcome) const override { tree.decide(outcome); }
    void advance(int action) override { tree.advance(action); }
    typename S::template tree<G> tree;
  };

  struct interface {
    virtual ~interface() = default;
    virtual int max_rows() const = 0;
    virtual std::string identity() const = 0;
    virtual std::size_t tree_bytes() const = 0;
    virtual std::unique_ptr<any_tree> make_tree() const = 0;
  };

  template <class S>
  struct holder final : interface {
    explicit holder(S s) : search(std::move(s)) {}
    int max_rows() const override { return search.max_rows(); }
    std::string identity() const override { return search.identity(); }
    std::size_t tree_bytes() const override { return search.template tree_bytes<G>(); }
    std::unique_ptr<any_tree> make_tree() const override { return std::make_unique<tree_of<S>>(search); }
    S search;
  };

  std::shared_ptr<interface const> held_;

 public:
  /// One game's tree of the search.
  template <std::same_as<G> Game>
  class tree {
   public:
    explicit tree(any_search const& search) : tree_(search.held_->make_tree()) {}

    void start(random_key episode, int ply) { tree_->start(episode, ply); }
    void collect(G const& root, row_range<G>& out) { tree_->collect(root, out); }
    void absorb(batch<G> const& mine) { tree_->absorb(mine); }
    bool done() const { return tree_->done(); }
    void decide(decision<G>& outcome) const { tree_->decide(outcome); }
    void advance(int action) { tree_->advance(action); }

   private:
    std::unique_ptr<any_tree> tree_;
  };
};

}  // namespace batchmate
