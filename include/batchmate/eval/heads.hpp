#pragma once

#include <batchmate/core/bits.hpp>
#include <batchmate/core/error.hpp>
#include <batchmate/eval/batch.hpp>
#include <batchmate/eval/dense.hpp>
#include <batchmate/net/network.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

namespace batchmate {

/// Softmax over the legal actions alone: `priors` receives their probabilities in ascending order of action.
/// The sums run in that order. Returns how many there are; with none, nothing is written.
BATCHMATE_HD inline int softmax_legal(float const* logits, std::uint64_t const* legal_words, int num_actions,
                                      float* priors) {
  int count = 0;
  float largest = 0;
  for (int w = 0; w < (num_actions + 63) / 64; ++w)
    for (std::uint64_t rest = legal_words[w]; rest; rest &= rest - 1) {
      float const logit = logits[w * 64 + bit_set<64>::lowest(rest)];
      if (count == 0 || logit > largest) largest = logit;
      priors[count++] = logit;
    }
  float sum = 0;
  for (int i = 0; i < count; ++i) sum += priors[i] = std::exp(priors[i] - largest);
  float const scale = 1 / sum;
  for (int i = 0; i < count; ++i) priors[i] *= scale;
  return count;
}

/// The value in [-1, 1] for the player to move, from the value head's outputs: with 3, the chance of a win
/// less the chance of a loss under softmax over (win, draw, loss); with 1, its tanh.
BATCHMATE_HD inline float value_from_outputs(float const* outputs, int count) {
  if (count == 1) return std::tanh(outputs[0]);
  float largest = outputs[0];
  for (int i = 1; i < 3; ++i)
    if (outputs[i] > largest) largest = outputs[i];
  float const wins = std::exp(outputs[0] - largest), draws = std::exp(outputs[1] - largest),
              losses = std::exp(outputs[2] - largest);
  return (wins - losses) / (wins + draws + losses);
}

/// Throws `contract_error` unless the network takes rows of this layout and, where both name one, this game.
inline void check_fits(network const& net, row_layout const& layout, std::string_view game = {}) {
  expects(net.input == layout.input && net.num_globals == layout.num_globals, "network ", net.name, " takes ",
          net.input.planes, " planes of ", net.input.rows, " x ", net.input.columns, " and ", net.num_globals,
          " globals, but the game has ", layout.input.planes, " planes of ", layout.input.rows, " x ",
          layout.input.columns, " and ", layout.num_globals, " globals");
  expects(net.num_actions == layout.num_actions, "network ", net.name, " gives priors for ", net.num_actions,
          " actions, but the game has ", layout.num_actions);
  expects(net.game.empty() || game.empty() || net.game == game, "network ", net.name, " is for ", net.game,
          ", but the game is ", game);
}

/// The policy and value head of a network in fp32 with sums of fixed order: what every evaluator on the host
/// runs after its tower. An object never changes, so threads may share it.
class heads {
 public:
  static constexpr int max_rows = 16;  ///< rows worked on together, which bounds the scratch

  /// Repacks the weights of both heads; the network itself is not kept.
  explicit heads(network const& net)
      : cells_(net.input.cells()),
        policy_channels_(net.policy_conv.outputs),
        value_channels_(net.value_conv.outputs),
        both_(pack_both(net)),
        policy_(pack_by_cell(net.policy, policy_channels_, cells_)),
        hidden_(pack_by_cell(net.value_hidden, value_channels_, cells_)),
        value_(pack_dense(net.value.outputs, net.value.inputs, net.value.weights.data(),
                          net.value.bias.data())) {}

  /// Floats of scratch that one thread needs for `run`.
  std::size_t scratch_floats() const {
    int const a_row =
        features_size() + policy_.padded_outputs() + hidden_.padded_outputs() + value_.padded_outputs();
    return static_cast<std::size_t>(a_row) * max_rows;
  }

  /// Bytes held by the repacked weights.
  std::size_t memory_bytes() const {
    std::size_t lines = 0;
    for (auto const* layer : {&both_, &policy_, &hidden_, &value_})
      lines += layer->weights.size() + layer->bias.size();
    return lines * sizeof(packed_dense::line);
  }

  /// Writes values and priors of the `count` rows of `out` that begin with `first`.
  ///
  /// `tower(r)`, called for 0 to `count` - 1 in this order, returns the tower's outputs of row `first + r`, good until
  /// the next call: (C, H, W) in blocks of `channel_block` channels, element (c, cell) at
  /// `(c / channel_block * H * W + cell) * channel_block + c % channel_block`. So 1 means (C, H, W), C means (H, W, C),
  /// and 16 is what oneDNN calls nChw16c; it divides C.
  template <class Tower>
  void run(Tower&& tower, int channel_block, raw_batch const& out, int first, int count,
           float* scratch) const {
    for (int done = 0; done < count; done += max_rows) {
      int const some = std::min(count - done, max_rows);
      for (int r = 0; r < some; ++r) {
        float const* const from = tower(done + r);
        run_dense(both_, {from, channel_block, channel_block, std::ptrdiff_t{cells_} * channel_block}, cells_,
                  true, scratch + r * features_size());
      }
      run_some(out, first + done, some, scratch);
    }
  }

 private:
  /// Of a row: both 1x1 convolutions, (H * W, P + V and padding).
  int features_size() const { return cells_ * both_.padded_outputs(); }

  /// From the features of `count` rows on, which lie at the beginning of `scratch`.
  void run_some(raw_batch const& out, int first, int count, float* scratch) const {
    float* const features = scratch;                                      // (count, H * W, P + V and padding)
    float* const logits = features + max_rows * features_size();          // (count, A and padding)
    float* const hidden = logits + max_rows * policy_.padded_outputs();   // (count, hidden and padding)
    float* const outputs = hidden + max_rows * hidden_.padded_outputs();  // (count, 3 or 1 and padding)
    auto const of_each_cell = [&](int channel, int channels) -> dense_input {
      return {features + channel, features_size(), channels, both_.padded_outputs()};
    };
    run_dense(policy_, of_each_cell(0, policy_channels_), count, false, logits);
    run_dense(hidden_, of_each_cell(policy_channels_, value_channels_), count, true, hidden);
    run_dense(value_, {hidden, hidden_.padded_outputs(), value_.inputs, 0}, count, false, outputs);
    for (int r = 0; r < count; ++r) {
      int const b = first + r;
      out.values[b] = value_from_outputs(outputs + r * value_.padded_outputs(), value_.outputs);
      softmax_legal(logits + r * policy_.padded_outputs(), out.row(b) + out.layout.plane_words(),
                    policy_.outputs, out.priors_of(b));
    }
  }

  static packed_dense pack_both(network const& net) {
    auto weights = net.policy_conv.weights, bias = net.policy_conv.bias;
    weights.insert(weights.end(), net.value_conv.weights.begin(), net.value_conv.weights.end());
    bias.insert(bias.end(), net.value_conv.bias.begin(), net.value_conv.bias.end());
    return pack_dense(net.policy_conv.outputs + net.value_conv.outputs, net.policy_conv.inputs,
                      weights.data(), bias.data());
  }

  /// The columns of the layer go from (channel, cell) to (cell, channel).
  static packed_dense pack_by_cell(dense_layer const& layer, int channels, int cells) {
    std::vector<float> weights(layer.weights.size());
    std::size_t to = 0;
    for (int o = 0; o < layer.outputs; ++o)
      for (int cell = 0; cell < cells; ++cell)
        for (int c = 0; c < channels; ++c)
          weights[to++] = layer.weights[static_cast<std::size_t>(o) * static_cast<std::size_t>(layer.inputs) +
                                        static_cast<std::size_t>(c * cells + cell)];
    return pack_dense(layer.outputs, layer.inputs, weights.data(), layer.bias.data());
  }

  int cells_, policy_channels_, value_channels_;
  packed_dense both_;    // 1x1: C to P + V
  packed_dense policy_;  // (H * W, P) to A
  packed_dense hidden_;  // (H * W, V) to hidden
  packed_dense value_;   // hidden to 3 or 1
};

}  // namespace batchmate
