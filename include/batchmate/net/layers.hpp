#pragma once

#include <batchmate/core/error.hpp>
#include <batchmate/core/random.hpp>
#include <batchmate/net/network.hpp>

#include <bit>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace batchmate {

/// Everything that the extents of a network's layers follow from.
struct network_extents {
  shape input{};            ///< planes, rows, columns
  int num_globals = 0;      ///< constant planes after the packed ones
  int num_actions = 0;      ///< A
  int blocks = 6;           ///< residual blocks of the tower
  int channels = 64;        ///< C, of the tower
  int policy_channels = 8;  ///< P, of the policy head's 1x1 convolution
  int value_channels = 8;   ///< V, of the value head's 1x1 convolution
  int hidden = 64;          ///< outputs of the value head's hidden layer
  int value_outputs = 3;    ///< 3: win, draw and loss; 1: a scalar

  friend bool operator==(network_extents const&, network_extents const&) = default;
};

/// The extents that a network's layers were made for.
inline network_extents extents_of(network const& net) {
  return {
      net.input,        net.num_globals,         net.num_actions,        static_cast<int>(net.blocks.size()),
      net.channels(),   net.policy_conv.outputs, net.value_conv.outputs, net.value_hidden.outputs,
      net.value.outputs};
}

/// The extents of a layer's weights, the slowest first.
inline std::vector<std::uint64_t> weight_extents(convolution const& layer) {
  auto const n = [](int extent) { return static_cast<std::uint64_t>(extent); };
  return {n(layer.outputs), n(layer.inputs), n(layer.kernel), n(layer.kernel)};
}
/// The extents of a layer's weights, the slowest first.
inline std::vector<std::uint64_t> weight_extents(dense_layer const& layer) {
  return {static_cast<std::uint64_t>(layer.outputs), static_cast<std::uint64_t>(layer.inputs)};
}

/// The product of a layer's weight extents.
template <class Layer>
std::size_t weight_count(Layer const& layer) {
  std::size_t count = 1;
  for (auto const extent : weight_extents(layer)) count *= extent;
  return count;
}

/// Calls `visit(name, layer)` for every layer, from the stem to the value, by the names that files give them:
/// `stem`, `blocks.0.first`, `policy_conv`. The layers are `convolution`s and `dense_layer`s, const if the
/// network is.
template <class Network, class Visit>
void for_each_layer(Network& net, Visit&& visit) {
  visit(std::string("stem"), net.stem);
  for (std::size_t i = 0; i < net.blocks.size(); ++i) {
    visit("blocks." + std::to_string(i) + ".first", net.blocks[i].first);
    visit("blocks." + std::to_string(i) + ".second", net.blocks[i].second);
  }
  visit(std::string("policy_conv"), net.policy_conv);
  visit(std::string("policy"), net.policy);
  visit(std::string("value_conv"), net.value_conv);
  visit(std::string("value_hidden"), net.value_hidden);
  visit(std::string("value"), net.value);
}

/// Throws `contract_error` unless the extents are such as a network can have: positive, no dimension beyond
/// any sensible one (boards to 64 x 64, 1,024 planes and blocks, 8,192 channels, 65,536 actions), 1 or 3
/// value outputs.
inline void check_extents(network_extents const& e) {
  auto const within = [](char const* what, int number, int least, int most) {
    expects(number >= least && number <= most, "network: ", what, " must be ", least, " to ", most, ", got ",
            number);
  };
  within("planes", e.input.planes, 1, 1024);
  within("rows", e.input.rows, 1, 64);
  within("columns", e.input.columns, 1, 64);
  within("globals", e.num_globals, 0, 1024);
  within("actions", e.num_actions, 1, 65536);
  within("blocks", e.blocks, 0, 1024);
  within("channels", e.channels, 1, 8192);
  within("policy channels", e.policy_channels, 1, 1024);
  within("value channels", e.value_channels, 1, 1024);
  within("hidden", e.hidden, 1, 65536);
  expects(e.value_outputs == 1 || e.value_outputs == 3,
          "network: value outputs must be 3 (win, draw, loss) or 1, got ", e.value_outputs);
}

/// A network whose layers have their extents but no numbers yet: weights and biases are empty. Throws
/// `contract_error` as `check_extents` does.
inline network network_without_weights(network_extents const& e) {
  check_extents(e);
  network net;
  net.input = e.input;
  net.num_globals = e.num_globals;
  net.num_actions = e.num_actions;
  int const inputs = e.input.planes + e.num_globals, cells = e.input.cells();
  net.stem = {e.channels, inputs, 3, {}, {}};
  convolution const inner{e.channels, e.channels, 3, {}, {}};
  net.blocks.assign(static_cast<std::size_t>(e.blocks), {inner, inner});
  net.policy_conv = {e.policy_channels, e.channels, 1, {}, {}};
  net.policy = {e.num_actions, e.policy_channels * cells, {}, {}};
  net.value_conv = {e.value_channels, e.channels, 1, {}, {}};
  net.value_hidden = {e.hidden, e.value_channels * cells, {}, {}};
  net.value = {e.value_outputs, e.hidden, {}, {}};
  return net;
}

/// Throws `contract_error` unless every layer has the extents that follow from the network's own, and as many
/// weights and biases as they ask for.
inline void check_network(network const& net) {
  network const expected = network_without_weights(extents_of(net));
  std::vector<std::vector<std::uint64_t>> extents;
  for_each_layer(expected,
                 [&](std::string const&, auto const& layer) { extents.push_back(weight_extents(layer)); });
  std::size_t at = 0;
  for_each_layer(net, [&](std::string const& layer_name, auto const& layer) {
    expects(weight_extents(layer) == extents[at], "network ", net.name, ": the layer ", layer_name,
            " does not fit its neighbours");
    expects(layer.weights.size() == weight_count(layer) &&
                layer.bias.size() == static_cast<std::size_t>(layer.outputs),
            "network ", net.name, ": the layer ", layer_name, " has ", layer.weights.size(), " weights and ",
            layer.bias.size(), " biases, expected ", weight_count(layer), " and ", layer.outputs);
    ++at;
  });
}

/// A hash of everything the network computes with: extents, weights, biases, bit by bit; not its name nor its game.
inline std::uint64_t network_hash(network const& net) {
  std::uint64_t hash = 0;
  auto const add = [&](std::uint64_t word) { hash = mix_bits(hash * 0x9e3779b97f4a7c15ULL + word + 1); };
  for (int const extent :
       {net.input.planes, net.input.rows, net.input.columns, net.num_globals, net.num_actions})
    add(static_cast<std::uint64_t>(extent));
  for_each_layer(net, [&](std::string const&, auto const& layer) {
    for (auto const extent : weight_extents(layer)) add(extent);
    for (float const weight : layer.weights) add(std::bit_cast<std::uint32_t>(weight));
    for (float const bias : layer.bias) add(std::bit_cast<std::uint32_t>(bias));
  });
  return hash;
}

}  // namespace batchmate
