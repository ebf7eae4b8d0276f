// Any bytes as a network's file.

#include "container.hpp"

#include <batchmate/net/network_file.hpp>
#include <batchmate/net/random_network.hpp>

#include <cmath>

using namespace batchmate;

namespace {

/// The file of a small network of any extents, in one of the types that weights may have, or in any.
std::string small_network_file(random_stream& random) {
  auto const upto = [&](std::uint32_t n) { return 1 + static_cast<int>(random.below(n)); };
  network_extents const extents{.input = {upto(2), upto(3), upto(3)},
                                .num_globals = upto(3) - 1,
                                .num_actions = upto(4),
                                .blocks = upto(3) - 1,
                                .channels = upto(2),
                                .policy_channels = upto(2),
                                .value_channels = upto(2),
                                .hidden = upto(2),
                                .value_outputs = random.below(2) ? 3 : 1};
  network const net = network_without_weights(extents);
  auto const text = [](int number) { return std::to_string(number); };
  fuzz::container parts{{{"format", std::string(network_format)},
                         {"game", "any"},
                         {"planes", text(extents.input.planes)},
                         {"rows", text(extents.input.rows)},
                         {"columns", text(extents.input.columns)},
                         {"globals", text(extents.num_globals)},
                         {"actions", text(extents.num_actions)},
                         {"blocks", text(extents.blocks)},
                         {"channels", text(extents.channels)},
                         {"value", extents.value_outputs == 3 ? "wdl" : "scalar"}},
                        {}};
  dtype const types[] = {dtype::f32, dtype::f16, dtype::bf16};
  auto const put = [&](std::string name, std::vector<std::uint64_t> of) {
    fuzz::owned_tensor t{{std::move(name), types[random.below(3)], std::move(of), {}}, {}};
    fuzz::fit_bytes(t);
    parts.tensors.push_back(std::move(t));
  };
  for_each_layer(net, [&](std::string const& name, auto const& layer) {
    put(name + ".weight", weight_extents(layer));
    put(name + ".bias", {static_cast<std::uint64_t>(layer.outputs)});
  });
  return fuzz::file_of(parts);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
  fuzz::reads_or_refuses([&] {
    network const net = network_from(tensor_file(fuzz::bytes_of(data, size), "file"), "name");
    check_network(net);
    for_each_layer(net, [](std::string const&, auto const& layer) {
      for (auto const* numbers : {&layer.weights, &layer.bias})
        for (float const number : *numbers)
          fuzz::require(std::isfinite(number), "a network's numbers are finite");
    });
    fuzz::require(net.game == printable(net.game), "the name of a network's game can be shown");
    fuzz::require(network_without_weights(extents_of(net)).blocks.size() == net.blocks.size(),
                  "a network has the extents it says");
  });
  return 0;
}

extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size, std::size_t max_size,
                                               unsigned seed) {
  random_stream random(random_key{seed}.split(purpose::test));
  if (random.below(16) == 0) {
    std::string const file = small_network_file(random);
    if (file.size() <= max_size) {
      std::memcpy(data, file.data(), file.size());
      size = file.size();
      if (random.below(2)) return size;
    }
  }
  return fuzz::mutate_container(data, size, max_size, seed);
}
