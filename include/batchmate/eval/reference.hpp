#pragma once

#include <batchmate/core/error.hpp>
#include <batchmate/eval/concepts.hpp>
#include <batchmate/eval/heads.hpp>
#include <batchmate/net/layers.hpp>
#include <batchmate/net/network.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace batchmate {

/// The network in fp32 loops of fixed order, without dependencies: what every faster evaluator is measured
/// against, and what serves where there is none. All work is done in `submit`; any number of slots.
///
/// A board lies as (H + 2, W + 2, C) in a frame of zeros, C rounded up to whole registers. The three rows of inputs
/// of a 3x3 convolution are then three runs of memory, and the convolution is a dense layer over all cells:
///
///     0 0 0 0 0      one output cell adds to its bias the products of row, column, channel, in this order
///     0[a b c]0
///     0[d e f]0      the frame between the rows is computed, too, and zeroed again
///     0[g h i]0
///     0 0 0 0 0
class reference {
 public:
  /// Throws `contract_error` if the network's layers do not fit one another.
  explicit reference(network net) : shared_(std::make_shared<parts const>(std::move(net))) {}

  /// Allocates scratch. Throws `contract_error` if the network does not fit the rows.
  void reserve(reservation const& wanted) {
    check_fits(shared_->net, wanted.layout);
    input_.assign(board_size(shared_->stem.channels), 0.0f);
    for (auto* board : {&x_, &y_, &z_}) board->assign(board_size(shared_->stem.layer.padded_outputs()), 0.0f);
    tower_.resize(tower_size());
    scratch_.resize(shared_->both_heads.scratch_floats());
  }

  template <game G>
  void submit(int slot, batch<G> const& rows) {
    submit(slot, rows.raw());
  }
  /// The same without the game's type.
  void submit(int, raw_batch const& rows) {
    expects(!tower_.empty(), "reference: 'reserve' must come before the first batch");
    for (int b = 0; b < rows.count; ++b) evaluate(rows, b);
  }
  void wait(int) const {}

  std::string identity() const { return shared_->identity; }
  /// Bytes of one copy's scratch; the weights are shared by all copies.
  std::size_t memory_bytes(reservation const&) const {
    auto const floats = board_size(shared_->stem.channels) +
                        3 * board_size(shared_->stem.layer.padded_outputs()) + tower_size() +
                        shared_->both_heads.scratch_floats();
    return floats * sizeof(float);
  }

 private:
  /// A 3x3 convolution as a dense layer over (row, column, channel) of its inputs.
  struct packed_convolution {
    packed_convolution(convolution const& from, int padded_inputs) : channels(padded_inputs) {
      int const inputs = 9 * channels;
      std::vector<float> weights(static_cast<std::size_t>(from.outputs) * static_cast<std::size_t>(inputs),
                                 0.0f);
      auto weight = from.weights.begin();
      for (std::ptrdiff_t k = 0; k < from.outputs; ++k)
        for (int c = 0; c < from.inputs; ++c)
          for (int tap = 0; tap < 9; ++tap)
            weights[static_cast<std::size_t>(k * inputs + tap * channels + c)] = *weight++;
      layer = pack_dense(from.outputs, inputs, weights.data(), from.bias.data());
    }
    int channels;        // of the input, with padding
    packed_dense layer;  // (K, 3, 3, channels)
  };

  /// What never changes.
  struct parts {
    explicit parts(network n)
        : net((check_network(n), std::move(n))), stem(net.stem, net.inputs()), both_heads(net) {
      int const channels = stem.layer.padded_outputs();
      for (auto const& block : net.blocks) {
        convolutions.emplace_back(block.first, channels);
        convolutions.emplace_back(block.second, channels);
      }
      char hash[17];
      std::snprintf(hash, sizeof hash, "%016llx", static_cast<unsigned long long>(network_hash(net)));
      identity = "reference:" + net.name + ":" + hash + (dense_is_fused() ? ":fp32-fma" : ":fp32");
    }
    network net;
    packed_convolution stem;
    std::vector<packed_convolution> convolutions;  // two a block
    heads both_heads;
    std::string identity;
  };

  int width() const { return shared_->net.input.columns + 2; }
  int first_cell() const { return width() + 1; }
  /// From the first cell of the board to its last, with the frame between the rows.
  int span_of_cells() const { return shared_->net.input.rows * width() - 2; }
  std::size_t board_size(int channels) const {
    int const cells = (shared_->net.input.rows + 2) * width();
    return static_cast<std::size_t>(cells) * static_cast<std::size_t>(channels);
  }
  std::size_t tower_size() const {
    return static_cast<std::size_t>(shared_->net.channels()) *
           static_cast<std::size_t>(shared_->net.input.cells());
  }

  void evaluate(raw_batch const& rows, int b) {
    network const& net = shared_->net;
    int const channels = net.channels(), padded = shared_->stem.layer.padded_outputs();
    unpack(rows, b);
    convolve(shared_->stem, input_, true, x_);
    for (std::size_t i = 0; i < shared_->convolutions.size(); i += 2) {
      convolve(shared_->convolutions[i], x_, true, y_);
      convolve(shared_->convolutions[i + 1], y_, false, z_);
      for (std::size_t n = 0; n < x_.size(); ++n) x_[n] = std::max(z_[n] + x_[n], 0.0f);
    }
    float* to = tower_.data();
    for (int r = 0; r < net.input.rows; ++r)
      for (int c = 0; c < net.input.columns; ++c)
        to = std::copy_n(x_.data() + (first_cell() + r * width() + c) * padded, channels, to);
    shared_->both_heads.run([&](int) { return tower_.data(); }, channels, rows, b, 1, scratch_.data());
  }

  /// Writes the planes as 0 and 1, and the globals into every cell.
  void unpack(raw_batch const& rows, int b) {
    shape const& input = shared_->net.input;
    std::uint64_t const* const words = rows.row(b);
    auto const* const globals =
        reinterpret_cast<char const*>(words + rows.layout.plane_words() + rows.layout.legal_words());
    for (int r = 0; r < input.rows; ++r)
      for (int c = 0; c < input.columns; ++c) {
        float* const to = input_.data() + (first_cell() + r * width() + c) * shared_->stem.channels;
        int const cell = r * input.columns + c;
        for (int plane = 0; plane < input.planes; ++plane)
          to[plane] =
              static_cast<float>(words[plane * input.words_per_plane() + cell / 64] >> (cell % 64) & 1);
        std::memcpy(to + input.planes, globals,
                    static_cast<std::size_t>(shared_->net.num_globals) * sizeof(float));
      }
  }

  /// y = layer(x), or relu of it, with the frame of y zero.
  void convolve(packed_convolution const& of, std::vector<float> const& x, bool relu,
                std::vector<float>& y) const {
    int const outputs = of.layer.padded_outputs();
    dense_input const runs{x.data(), of.channels, 3 * of.channels, std::ptrdiff_t{width()} * of.channels};
    run_dense(of.layer, runs, span_of_cells(), relu, y.data() + first_cell() * outputs);
    for (int r = 1; r < shared_->net.input.rows; ++r)
      std::fill_n(y.data() + ((r + 1) * width() - 1) * outputs, 2 * outputs, 0.0f);
  }

  std::shared_ptr<parts const> shared_;
  std::vector<float> input_;      // (H + 2, W + 2, planes + globals)
  std::vector<float> x_, y_, z_;  // (H + 2, W + 2, C and padding)
  std::vector<float> tower_;      // (H, W, C)
  std::vector<float> scratch_;    // of the heads
};

}  // namespace batchmate
