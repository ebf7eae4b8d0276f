#pragma once

#include <batchmate/cuda/arithmetic.hpp>
#include <batchmate/cuda/plan.hpp>
#include <batchmate/net/layers.hpp>

#include <cmath>
#include <cstddef>
#include <cstring>
#include <string>
#include <vector>

namespace batchmate::cuda {

/// Where a network's weights lie in the one block of memory that holds them on a device, each at a multiple of 256
/// bytes. It follows from the extents alone, so that new weights of the same extents go where the old ones were.
struct weight_places {
  /// A convolution's numbers: weights (K, R, S, C) and bias (K), channels padded, in the tower's precision.
  struct convolution_place {
    std::size_t weights, bias;  ///< bytes from the beginning
  };
  /// A fully connected layer's: weights (inputs, stride) and bias (stride), fp32.
  struct dense_place {
    std::size_t weights, bias;  ///< bytes from the beginning
  };

  std::vector<convolution_place> convolutions;  ///< stem, two a block, head
  dense_place policy, hidden, value;            ///< value: weights (outputs, inputs)
  std::size_t bytes = 0;                        ///< of all
};

/// A network's weights as they lie on a device, and the shapes of its layers there.
class packed_network {
 public:
  /// Outputs that one block of the dense kernel computes; the stride of weights is a multiple of it.
  static constexpr int dense_outputs = 128;

  /// Rounds and reorders the weights. Throws `contract_error` if the network's layers do not fit one another, and for a
  /// convolution's weight that the precision has no number for.
  packed_network(network const& net, precision elements) : shape_(tower_shape_of(net, elements)) {
    check_network(net);
    num_actions_ = net.num_actions;
    value_outputs_ = net.value.outputs;
    policy_channels_ = net.policy_conv.outputs;
    policy_ = dense(net.policy, net.policy_conv.outputs, shape_.head_channels, false);
    hidden_ = dense(net.value_hidden, net.value_conv.outputs, shape_.head_channels, true);
    with_element(elements, [&]<class Element>(Element) { place_convolutions<Element>(net); });
    places_.policy = place(by_cell(net.policy, net.policy_conv.outputs, policy_.stride),
                           padded(net.policy.bias, policy_.stride));
    places_.hidden = place(by_cell(net.value_hidden, net.value_conv.outputs, hidden_.stride),
                           padded(net.value_hidden.bias, hidden_.stride));
    places_.value = place(net.value.weights, net.value.bias);
    places_.bytes = bytes_.size();
  }

  tower_shape const& shape() const { return shape_; }             ///< of the convolutions
  weight_places const& places() const { return places_; }         ///< within `bytes`
  std::vector<std::byte> const& bytes() const { return bytes_; }  ///< to be copied to the device as they are
  int num_actions() const { return num_actions_; }                ///< A
  int value_outputs() const { return value_outputs_; }            ///< 3 or 1
  /// Where in a cell's head channels the value head's begin.
  int value_channel() const { return policy_channels_; }
  dense_shape const& policy() const { return policy_; }  ///< head channels to logits
  dense_shape const& hidden() const { return hidden_; }  ///< head channels from `value_channel` on to hidden

 private:
  static constexpr std::size_t alignment = 256;

  template <class Element>
  void place_convolutions(network const& net) {
    auto const add = [&](convolution const& c, int inputs, int outputs) {
      for (auto const* numbers : {&c.weights, &c.bias})
        for (float const x : *numbers)
          expects(std::isfinite(widen(narrow<Element>(x))), "network ", net.name, ": a weight of ", x,
                  " is too large for this precision; take one of greater range");
      places_.convolutions.push_back(
          {append(krsc<Element>(c, inputs, outputs)), append(narrowed<Element>(c.bias, outputs))});
    };
    add(net.stem, shape_.inputs, shape_.channels);
    for (auto const& block : net.blocks) {
      add(block.first, shape_.channels, shape_.channels);
      add(block.second, shape_.channels, shape_.channels);
    }
    convolution head = net.policy_conv;
    head.outputs += net.value_conv.outputs;
    head.weights.insert(head.weights.end(), net.value_conv.weights.begin(), net.value_conv.weights.end());
    head.bias.insert(head.bias.end(), net.value_conv.bias.begin(), net.value_conv.bias.end());
    add(head, shape_.channels, shape_.head_channels);
  }

  /// (K, C, R, S) to (K, R, S, C), with zeros for channels that are none.
  template <class Element>
  static std::vector<Element> krsc(convolution const& c, int inputs, int outputs) {
    std::size_t const taps = static_cast<std::size_t>(c.kernel * c.kernel),
                      to_inputs = static_cast<std::size_t>(inputs);
    std::vector<Element> packed(static_cast<std::size_t>(outputs) * taps * to_inputs, narrow<Element>(0));
    auto from = c.weights.begin();
    for (std::size_t k = 0; k < static_cast<std::size_t>(c.outputs); ++k)
      for (std::size_t in = 0; in < static_cast<std::size_t>(c.inputs); ++in)
        for (std::size_t tap = 0; tap < taps; ++tap)
          packed[(k * taps + tap) * to_inputs + in] = narrow<Element>(*from++);
    return packed;
  }
  template <class Element>
  static std::vector<Element> narrowed(std::vector<float> const& x, int size) {
    std::vector<Element> out(static_cast<std::size_t>(size), narrow<Element>(0));
    for (std::size_t i = 0; i < x.size(); ++i) out[i] = narrow<Element>(x[i]);
    return out;
  }

  dense_shape dense(dense_layer const& l, int channels, int cell_stride, bool relu) const {
    int const stride = (l.outputs + dense_outputs - 1) / dense_outputs * dense_outputs;
    return {l.inputs, l.outputs, stride, channels, cell_stride, cell_stride * shape_.cells(), relu};
  }
  /// (outputs, channel, cell) to (cell, channel, stride).
  std::vector<float> by_cell(dense_layer const& l, int channels, int stride) const {
    std::size_t const width = static_cast<std::size_t>(stride);
    std::vector<float> packed(static_cast<std::size_t>(l.inputs) * width, 0.0f);
    auto from = l.weights.begin();
    for (std::size_t o = 0; o < static_cast<std::size_t>(l.outputs); ++o)
      for (int c = 0; c < channels; ++c)
        for (int cell = 0; cell < shape_.cells(); ++cell)
          packed[static_cast<std::size_t>(cell * channels + c) * width + o] = *from++;
    return packed;
  }
  static std::vector<float> padded(std::vector<float> x, int size) {
    x.resize(static_cast<std::size_t>(size), 0.0f);
    return x;
  }

  weight_places::dense_place place(std::vector<float> const& weights, std::vector<float> const& bias) {
    std::size_t const at = append(weights);
    return {at, append(bias)};
  }
  template <class T>
  std::size_t append(std::vector<T> const& numbers) {
    std::size_t const at = (bytes_.size() + alignment - 1) / alignment * alignment;
    bytes_.resize(at + numbers.size() * sizeof(T));
    std::memcpy(bytes_.data() + at, numbers.data(), numbers.size() * sizeof(T));
    return at;
  }

  tower_shape shape_;
  int num_actions_ = 0, value_outputs_ = 0, policy_channels_ = 0;
  dense_shape policy_{}, hidden_{};
  weight_places places_;
  std::vector<std::byte> bytes_;
};

}  // namespace batchmate::cuda
