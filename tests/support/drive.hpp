#pragma once

#include <batchmate/eval/batch_buffer.hpp>
#include <batchmate/eval/concepts.hpp>
#include <batchmate/search/concepts.hpp>

/// Searches one move of a tree with an evaluator, `capacity` rows a step at most; returns the rows it took.
template <batchmate::game G, class Tree, class E>
int search_one_move(Tree& tree, G const& root, E& evaluator, batchmate::batch_buffer<G>& buffer,
                    int capacity) {
  int total = 0;
  while (!tree.done()) {
    batchmate::row_range<G> out(buffer.positions(), buffer.rows(), capacity);
    tree.collect(root, out);
    if (out.used() == 0) continue;
    out.encode(batchmate::moves_rows(evaluator));
    batchmate::batch<G> const rows = buffer.view(0, out.used());
    evaluator.submit(0, rows);
    evaluator.wait(0);
    tree.absorb(rows);
    total += out.used();
  }
  return total;
}
