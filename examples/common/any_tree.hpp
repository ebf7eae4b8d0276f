#pragma once

#include <batchmate/search/concepts.hpp>

#include <common/program.hpp>
#include <common/searches.hpp>

#include <cstddef>
#include <memory>
#include <string>
#include <utility>
#include <variant>

namespace common {

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

/// A tree of a search. Throws `usage_error` if the search cannot search the game. Every game's is compiled in a file of
/// its own, once for all programs.
template <batchmate::game_with_text G>
std::unique_ptr<any_tree<G>> make_tree(any_search const& search);

/// What such a tree allocates. Throws as `make_tree` does.
template <batchmate::game_with_text G>
std::size_t tree_bytes(any_search const& search);

/// The most rows that one tree fills in one step.
inline int max_rows(any_search const& search) {
  return std::visit([](auto const& settings) { return settings.max_rows(); }, search);
}

/// Name and settings, everything that changes games.
inline std::string identity(any_search const& search) {
  return std::visit([](auto const& settings) { return settings.identity(); }, search);
}

/// Any search as one type: each step of a tree is a virtual call, and a driver is compiled once for all.
struct erased_search {
  any_search of;

  /// One game's tree.
  template <batchmate::game G>
  class tree {
   public:
    explicit tree(erased_search const& search) : tree_(make_tree<G>(search.of)) {}
    void start(batchmate::random_key episode, int ply) { tree_->start(episode, ply); }
    void collect(G const& root, batchmate::row_range<G>& out) { tree_->collect(root, out); }
    void absorb(batchmate::batch<G> const& mine) { tree_->absorb(mine); }
    bool done() const { return tree_->done(); }
    void decide(batchmate::decision<G>& outcome) const { tree_->decide(outcome); }
    void advance(int action) { tree_->advance(action); }

   private:
    std::unique_ptr<any_tree<G>> tree_;
  };

  int max_rows() const { return common::max_rows(of); }
  std::string identity() const { return common::identity(of); }
  template <batchmate::game G>
  std::size_t tree_bytes() const {
    return common::tree_bytes<G>(of);
  }
};

/// Calls `visit` with the search: with `puct` itself, which is what is played most, and with others erased.
template <class Visit>
auto visit_search(any_search const& search, Visit&& visit) {
  if (auto const* const puct = std::get_if<batchmate::puct>(&search)) return visit(*puct);
  return visit(erased_search{search});
}

}  // namespace common
