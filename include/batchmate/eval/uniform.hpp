#pragma once

#include <batchmate/eval/concepts.hpp>

#include <algorithm>

namespace batchmate {

/// Value 0 and equal priors for every position: a network that knows nothing and costs nothing.
struct uniform {
  static constexpr bool needs_planes() { return false; }

  template <game G>
  void submit(int, batch<G> const& rows) const {
    for (int b = 0; b < rows.count; ++b) {
      int const legal = rows.rows[b].legal.count();
      rows.values[b] = 0;
      std::fill_n(rows.priors_of(b), legal, 1.0f / static_cast<float>(legal));
    }
  }
  void wait(int) const {}
  std::string identity() const { return "uniform"; }
};

}  // namespace batchmate
