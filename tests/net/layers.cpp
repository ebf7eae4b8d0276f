#include <batchmate/net/layers.hpp>

#include <doctest/doctest.h>

#include <string>
#include <vector>

using namespace batchmate;

namespace {

network_extents small_extents() {
  return {.input = {3, 4, 5},
          .num_globals = 2,
          .num_actions = 7,
          .blocks = 2,
          .channels = 6,
          .policy_channels = 2,
          .value_channels = 3,
          .hidden = 9,
          .value_outputs = 3};
}

network zeros() {
  network net = network_without_weights(small_extents());
  for_each_layer(net, [](std::string const&, auto& layer) {
    layer.weights.assign(weight_count(layer), 0.0f);
    layer.bias.assign(static_cast<std::size_t>(layer.outputs), 0.0f);
  });
  return net;
}

}  // namespace

TEST_CASE("the extents of all layers follow from those of the network") {
  network const net = network_without_weights(small_extents());
  std::vector<std::string> found;
  for_each_layer(net, [&](std::string const& name, auto const& layer) {
    std::string text = name;
    for (auto const extent : weight_extents(layer)) text += " " + std::to_string(extent);
    found.push_back(text);
  });
  CHECK(found == std::vector<std::string>{"stem 6 5 3 3", "blocks.0.first 6 6 3 3", "blocks.0.second 6 6 3 3",
                                          "blocks.1.first 6 6 3 3", "blocks.1.second 6 6 3 3",
                                          "policy_conv 2 6 1 1", "policy 7 40", "value_conv 3 6 1 1",
                                          "value_hidden 9 60", "value 3 9"});
  CHECK(extents_of(net) == small_extents());
  CHECK(net.inputs() == 5);
}

TEST_CASE("extents that no network can have are refused by name") {
  auto const refused = [](auto change, char const* message) {
    network_extents e = small_extents();
    change(e);
    CHECK_THROWS_WITH_AS(network_without_weights(e), message, contract_error);
  };
  refused([](auto& e) { e.blocks = -1; }, "network: blocks must be 0 to 1024, got -1");
  refused([](auto& e) { e.channels = 0; }, "network: channels must be 1 to 8192, got 0");
  refused([](auto& e) { e.input.rows = 65; }, "network: rows must be 1 to 64, got 65");
  refused([](auto& e) { e.num_actions = 2'000'000'000; },
          "network: actions must be 1 to 65536, got 2000000000");
  refused([](auto& e) { e.value_outputs = 2; },
          "network: value outputs must be 3 (win, draw, loss) or 1, got 2");
}

TEST_CASE("a network whose layers do not fit is refused by the layer's name") {
  CHECK_NOTHROW(check_network(zeros()));
  network net = zeros();
  net.name = "n";
  net.blocks[1].second.inputs = 5;
  CHECK_THROWS_WITH_AS(check_network(net), "network n: the layer blocks.1.second does not fit its neighbours",
                       contract_error);
  net = zeros();
  net.policy.bias.pop_back();
  CHECK_THROWS_WITH_AS(check_network(net),
                       "network : the layer policy has 280 weights and 6 biases, expected 280 and 7",
                       contract_error);
}

TEST_CASE("the hash tells networks apart by every number and extent, and by no name") {
  network const net = zeros();
  std::uint64_t const hash = network_hash(net);
  network other = net;
  other.name = "other";
  other.game = "hex7";
  CHECK(network_hash(other) == hash);
  for_each_layer(other, [&](std::string const& name, auto& layer) {
    CAPTURE(name);
    layer.weights.back() = 1;
    CHECK(network_hash(other) != hash);
    layer.weights.back() = -0.0f;
    CHECK(network_hash(other) != hash);
    layer.weights.back() = 0;
    layer.bias.front() = 1;
    CHECK(network_hash(other) != hash);
    layer.bias.front() = 0;
  });
  CHECK(network_hash(other) == hash);
  other.input = {3, 5, 4};
  CHECK(network_hash(other) != hash);
}
