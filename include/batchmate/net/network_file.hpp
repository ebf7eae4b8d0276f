#pragma once

#include <batchmate/core/error.hpp>
#include <batchmate/net/layers.hpp>
#include <batchmate/net/network.hpp>
#include <batchmate/net/safetensors.hpp>

#include <algorithm>
#include <bit>
#include <charconv>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

namespace batchmate {

/// The metadata `format` of a network's file; docs/formats.md describes it.
inline constexpr std::string_view network_format = "batchmate-network-1";

/// The number that 16 bits mean as IEEE 754 binary16.
inline float float_from_half(std::uint16_t half) {
  int const exponent = half >> 10 & 31, fraction = half & 1023;
  float const magnitude = exponent == 31 ? (fraction ? std::nanf("") : HUGE_VALF)
                          : exponent     ? std::ldexp(static_cast<float>(1024 + fraction), exponent - 25)
                                         : std::ldexp(static_cast<float>(fraction), -24);
  return half >> 15 ? -magnitude : magnitude;
}

/// The number that 16 bits mean as bfloat16.
inline float float_from_bfloat16(std::uint16_t bits) {
  return std::bit_cast<float>(static_cast<std::uint32_t>(bits) << 16);
}

/// The numbers of a floating-point tensor, widened to fp32. Throws `file_error`, beginning with `where`, for
/// other types (F64 among them) and for numbers that are not finite.
inline std::vector<float> finite_floats(tensor const& t, std::string_view where) {
  auto const fail = [&](auto const&... found) {
    throw file_error(concat(where, ": tensor ", printable(t.name), ": expected ", found...));
  };
  if (t.type != dtype::f32 && t.type != dtype::f16 && t.type != dtype::bf16)
    fail("F32, F16 or BF16, found ", facts_of(t.type).name);
  std::vector<float> numbers(t.bytes.size() / facts_of(t.type).bytes);
  if (t.type == dtype::f32) {
    if (!numbers.empty()) std::memcpy(numbers.data(), t.bytes.data(), t.bytes.size());
  } else {
    for (std::size_t i = 0; i < numbers.size(); ++i) {
      std::uint16_t bits = 0;
      std::memcpy(&bits, t.bytes.data() + 2 * i, sizeof bits);
      numbers[i] = t.type == dtype::f16 ? float_from_half(bits) : float_from_bfloat16(bits);
    }
  }
  for (std::size_t i = 0; i < numbers.size(); ++i)
    if (!std::isfinite(numbers[i])) fail("finite numbers, found ", numbers[i], " at ", i);
  return numbers;
}

/// The extents that the metadata and the heads' tensors of an open file give, which may be such as no network can
/// have. Throws `file_error` as `network_from` does.
inline network_extents extents_from(tensor_file const& file) {
  auto const fail = [&](auto const&... what) { throw file_error(concat(file.where(), ": ", what...)); };
  auto const number = [&](char const* key) {
    std::string const& digits = file.metadata_at(key);
    int value = 0;
    auto const [end, failed] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
    if (failed != std::errc{} || end != digits.data() + digits.size())
      fail("metadata ", key, ": expected an integer, found ", printable(digits));
    return value;
  };
  // The sizes within the heads stand in no metadata: they are the first extents of their tensors.
  auto const outputs = [&](char const* tensor_name) {
    auto const& extents = file.at(tensor_name).extents;
    if (extents.empty() || extents[0] > 65536)
      fail("tensor ", tensor_name, ": expected 2 or 4 sensible extents, found ", extents_text(extents));
    return static_cast<int>(extents[0]);
  };
  std::string const& value_kind = file.metadata_at("value");
  if (value_kind != "wdl" && value_kind != "scalar")
    fail("metadata value: expected wdl or scalar, found ", printable(value_kind));
  return {.input = {number("planes"), number("rows"), number("columns")},
          .num_globals = number("globals"),
          .num_actions = number("actions"),
          .blocks = number("blocks"),
          .channels = number("channels"),
          .policy_channels = outputs("policy_conv.weight"),
          .value_channels = outputs("value_conv.weight"),
          .hidden = outputs("value_hidden.weight"),
          .value_outputs = value_kind == "wdl" ? 3 : 1};
}

/// The network of an open file; `name` is for messages and identities. Throws `file_error` naming the file,
/// the tensor or metadata, what was expected and what was found.
inline network network_from(tensor_file const& file, std::string name) {
  auto const fail = [&](auto const&... what) { throw file_error(concat(file.where(), ": ", what...)); };
  if (std::string const& format = file.metadata_at("format"); format != network_format)
    fail("metadata format: expected ", network_format, ", found ", printable(format));
  network_extents const extents = extents_from(file);
  network net;
  try {
    net = network_without_weights(extents);
  } catch (contract_error const& e) {
    fail(e.what());
  }
  net.name = std::move(name);
  net.game = file.metadata_at("game");
  if (net.game != printable(net.game))
    fail("metadata game: expected a short printable name, found ", printable(net.game));
  // First, so that looking up each tensor of a file takes no longer than the network is large.
  std::size_t tensors = 0;
  for_each_layer(net, [&](std::string const&, auto const&) { tensors += 2; });
  if (tensors < file.tensors().size())
    fail("expected ", tensors, " tensors for ", extents.blocks, " blocks, found ", file.tensors().size());
  auto const take = [&](std::string const& tensor_name, std::vector<std::uint64_t> const& expected) {
    tensor const& found = file.at(tensor_name);
    if (found.extents != expected)
      fail("tensor ", tensor_name, ": expected ", extents_text(expected), ", found ",
           extents_text(found.extents));
    return finite_floats(found, file.where());
  };
  for_each_layer(net, [&](std::string const& layer_name, auto& layer) {
    layer.weights = take(layer_name + ".weight", weight_extents(layer));
    layer.bias = take(layer_name + ".bias", {static_cast<std::uint64_t>(layer.outputs)});
  });
  return net;
}

/// Reads a network; its name is the file's, without folder and extension. Throws `file_error`.
inline network load_network(std::filesystem::path const& path) {
  return network_from(tensor_file(path), path.stem().string());
}

/// Writes a network as fp32, whole or not at all. Throws `file_error`, and `contract_error` for a network
/// whose layers do not fit one another or whose game has a name that no message could show.
inline void save_network(network const& net, std::filesystem::path const& path) {
  check_network(net);
  expects(net.game == printable(net.game), "network ", net.name,
          ": the game's name must be short and printable, got ", printable(net.game));
  network_extents const extents = extents_of(net);
  std::map<std::string, std::string> const metadata{{"format", std::string(network_format)},
                                                    {"game", net.game},
                                                    {"planes", std::to_string(extents.input.planes)},
                                                    {"rows", std::to_string(extents.input.rows)},
                                                    {"columns", std::to_string(extents.input.columns)},
                                                    {"globals", std::to_string(extents.num_globals)},
                                                    {"actions", std::to_string(extents.num_actions)},
                                                    {"blocks", std::to_string(extents.blocks)},
                                                    {"channels", std::to_string(extents.channels)},
                                                    {"value", extents.value_outputs == 3 ? "wdl" : "scalar"}};
  std::vector<tensor> tensors;
  for_each_layer(net, [&](std::string const& layer_name, auto const& layer) {
    tensors.push_back(
        tensor_of<float>(layer_name + ".weight", dtype::f32, weight_extents(layer), layer.weights));
    tensors.push_back(tensor_of<float>(layer_name + ".bias", dtype::f32,
                                       {static_cast<std::uint64_t>(layer.outputs)}, layer.bias));
  });
  save_safetensors(path, tensors, metadata);
}

}  // namespace batchmate
