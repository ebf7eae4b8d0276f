#pragma once

#include <batchmate/core/random.hpp>
#include <batchmate/net/layers.hpp>
#include <batchmate/net/network.hpp>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>

namespace batchmate {

/// What `random:10x128:1` asks for.
struct random_network_spec {
  int blocks = 0;          ///< residual blocks
  int channels = 0;        ///< of the tower
  std::uint64_t seed = 0;  ///< of the weights

  friend bool operator==(random_network_spec const&, random_network_spec const&) = default;
};

/// Reads `random:BLOCKSxCHANNELS:SEED`, or returns nothing for any other text.
inline std::optional<random_network_spec> parse_random_network_spec(std::string_view text) {
  random_network_spec spec;
  auto const literal = [&](std::string_view expected) {
    bool const found = text.starts_with(expected);
    if (found) text.remove_prefix(expected.size());
    return found;
  };
  auto const number = [&](auto& out) {
    auto const [end, failed] = std::from_chars(text.data(), text.data() + text.size(), out);
    if (failed != std::errc{} || text.starts_with('-')) return false;
    text.remove_prefix(static_cast<std::size_t>(end - text.data()));
    return true;
  };
  bool const well_formed = literal("random:") && number(spec.blocks) && literal("x") &&
                           number(spec.channels) && literal(":") && number(spec.seed) && text.empty();
  if (!well_formed) return std::nullopt;
  return spec;
}

/// A network of random weights, named `random:6x64:1`, a function of the extents and the seed alone: He's
/// initialisation (He et al., ICCV 2015), with the last convolution of each block scaled down so that
/// activations stay of order 1 in deep towers, and heads that give policies and values which differ from
/// position to position. Throws `contract_error` for extents that no network can have.
inline network random_network(network_extents const& extents, std::uint64_t seed) {
  network net = network_without_weights(extents);
  net.name = concat("random:", extents.blocks, "x", extents.channels, ":", seed);
  random_key key{seed};
  float const share_of_block = 1 / std::sqrt(2 * static_cast<float>(std::max(extents.blocks, 1)));
  for_each_layer(net, [&](std::string const& layer_name, auto& layer) {
    random_stream random(key = key.split(0));
    std::size_t const weights = weight_count(layer);
    float const fan_in = static_cast<float>(weights) / static_cast<float>(layer.outputs);
    float const gain = layer_name.ends_with(".second") ? share_of_block : 1.0f;
    float const deviation = gain * std::sqrt(2 / fan_in);
    // Twelve uniform numbers make a normal one closely enough, and are the same on every machine.
    auto const normal = [&] {
      float sum = -6;
      for (int i = 0; i < 12; ++i) sum += random.uniform();
      return sum;
    };
    layer.weights.resize(weights);
    for (float& weight : layer.weights) weight = deviation * normal();
    layer.bias.resize(static_cast<std::size_t>(layer.outputs));
    for (float& bias : layer.bias) bias = 0.1f * normal();
  });
  return net;
}

}  // namespace batchmate
