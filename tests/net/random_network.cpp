#include <batchmate/net/random_network.hpp>

#include <doctest/doctest.h>

#include <cmath>
#include <string>

using namespace batchmate;

TEST_CASE("random:BLOCKSxCHANNELS:SEED is read and nothing else is") {
  CHECK(parse_random_network_spec("random:10x128:1") == random_network_spec{10, 128, 1});
  CHECK(parse_random_network_spec("random:0x8:18446744073709551615") ==
        random_network_spec{0, 8, UINT64_MAX});
  for (char const* text :
       {"", "random", "random:", "random:10x128", "random:10x128:", "random:10x128:1 ", " random:10x128:1",
        "random:x128:1", "random:10x:1", "random:10:128:1", "random:-1x128:1", "random:+1x128:1",
        "random:1x-2:1", "random:1x2:-3", "random:99999999999x1:1", "random:1x1:18446744073709551616",
        "Random:1x1:1", "shipped"}) {
    CAPTURE(text);
    CHECK_FALSE(parse_random_network_spec(text));
  }
}

TEST_CASE("a random network is a function of its extents and its seed") {
  network_extents const extents{.input = {3, 5, 5}, .num_actions = 25, .blocks = 2, .channels = 16};
  network const net = random_network(extents, 1);
  CHECK(net.name == "random:2x16:1");
  CHECK(extents_of(net) == extents);
  CHECK_NOTHROW(check_network(net));
  CHECK(network_hash(net) == network_hash(random_network(extents, 1)));
  CHECK(network_hash(net) != network_hash(random_network(extents, 2)));
  CHECK(net.blocks[0].first.weights != net.blocks[1].first.weights);
  CHECK_THROWS_AS(random_network({.input = {3, 5, 5}, .num_actions = 25, .blocks = 2, .channels = 0}, 1),
                  contract_error);
}

TEST_CASE("random weights have mean 0 and the deviation that their fan-in asks for") {
  network const net = random_network({.input = {3, 5, 5}, .num_actions = 25, .blocks = 8, .channels = 64}, 3);
  auto const deviation = [](std::vector<float> const& weights) {
    double sum = 0, squares = 0;
    for (double const w : weights) sum += w, squares += w * w;
    auto const n = static_cast<double>(weights.size());
    CHECK(std::abs(sum / n) < 4 * std::sqrt(squares / n / n));
    return std::sqrt(squares / n);
  };
  CHECK(deviation(net.blocks[3].first.weights) == doctest::Approx(std::sqrt(2.0 / (64 * 9))).epsilon(0.02));
  CHECK(deviation(net.blocks[3].second.weights) ==
        doctest::Approx(std::sqrt(2.0 / (64 * 9) / 16)).epsilon(0.02));
  CHECK(deviation(net.policy.weights) == doctest::Approx(std::sqrt(2.0 / 200)).epsilon(0.05));
}
