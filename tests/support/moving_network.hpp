#pragma once

#include <batchmate/eval/symmetric.hpp>

#include "fake_network.hpp"

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

/// A fake network that moves rows itself, as a device does: its answer to a row is that to the moved row, moved back.
struct moving_network {
  batchmate::row_symmetries symmetries;  ///< of the game
  fake_network network{};                ///< what it shows moved rows to, one at a time
  /// Rows that named a symmetry, over all copies.
  std::shared_ptr<std::atomic<int>> named = std::make_shared<std::atomic<int>>(0);

  template <batchmate::game G>
  void submit(int slot, batchmate::batch<G> const& rows) const {
    submit(slot, rows.raw());
  }
  void submit(int, batchmate::raw_batch const& rows) const {
    batchmate::row_layout const& layout = rows.layout;
    auto const num_actions = static_cast<std::size_t>(layout.num_actions);
    std::vector<std::uint64_t> moved(static_cast<std::size_t>(layout.words()));
    std::vector<float> answered(num_actions), by_action(num_actions);
    for (int b = 0; b < rows.count; ++b) {
      int const symmetry = static_cast<int>(rows.row(b)[layout.symmetry_word()]);
      *named += symmetry > 0;
      symmetries.move(symmetry, rows.row(b), moved.data());
      network.answer({1, layout, moved.data(), rows.values + b, answered.data()});
      float const* next = answered.data();
      symmetries.for_each_legal(moved.data(),
                                [&](int action) { by_action[static_cast<std::size_t>(action)] = *next++; });
      float* prior = rows.priors_of(b);
      std::uint16_t const* const there = symmetries.actions.data() + symmetry * layout.num_actions;
      symmetries.for_each_legal(rows.row(b), [&](int action) { *prior++ = by_action[there[action]]; });
    }
  }
  void wait(int) const {}
  bool moves_rows() const { return true; }
  std::string identity() const { return "moving"; }
};
