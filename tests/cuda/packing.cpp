#include <batchmate/cuda/packing.hpp>
#include <batchmate/game/connect4.hpp>
#include <batchmate/game/hex.hpp>

#include "agreement.hpp"
#include "host_network.hpp"

#include <doctest/doctest.h>

#include <set>

namespace bm = batchmate;
using namespace bm::cuda;

namespace {

using small = random_position<3, 5, 6, 31, 2>;
using many_planes = random_position<18, 9, 9, 82, 1>;
using many_actions = random_position<2, 7, 7, 300, 0>;

/// Checks that the device's arithmetic on packed weights computes the network.
template <bm::game G>
void check_agreement(int blocks, int channels, int value_outputs, int policy_channels = 8, int hidden = 64) {
  auto extents = extents_for<G>(blocks, channels);
  extents.value_outputs = value_outputs;
  extents.policy_channels = policy_channels;
  extents.value_channels = 3;
  extents.hidden = hidden;
  auto const net = bm::random_network(extents, static_cast<std::uint64_t>(blocks * 100 + channels));
  for (auto const p : {precision::fp32, precision::fp16, precision::bf16}) {
    CAPTURE(name_of(p));
    CAPTURE(channels);
    host_network device(net, p);
    auto const off = compare_with_reference(net, device, numbered_positions<G>(6));
    CHECK(off.value < tolerance(p));
    CHECK(off.prior < 2 * tolerance(p));
  }
}

}  // namespace

TEST_CASE(
    "the kernels' arithmetic on the packed weights agrees with reference: 1e-4 in fp32, 2e-2 in fp16 and "
    "bf16") {
  check_agreement<small>(2, 16, 3);
  check_agreement<small>(1, 13, 1, 5, 40);  // channels that need padding everywhere
  check_agreement<small>(0, 8, 3);          // no block
  check_agreement<many_planes>(1, 24, 3);
  check_agreement<many_actions>(1, 8, 3, 2, 130);  // more logits and hidden outputs than a block of threads
}

TEST_CASE("weights lie at multiples of 256 bytes, each place once, and depend on the extents alone") {
  auto const extents = extents_for<small>(3, 20);
  packed_network const one(bm::random_network(extents, 1), precision::fp16);
  packed_network const two(bm::random_network(extents, 2), precision::fp16);
  std::set<std::size_t> begins;
  for (auto const& c : one.places().convolutions) begins.insert({c.weights, c.bias});
  for (auto const& d : {one.places().policy, one.places().hidden, one.places().value})
    begins.insert({d.weights, d.bias});
  CHECK(one.places().convolutions.size() == 8);
  CHECK(begins.size() == 2 * (8 + 3));
  for (auto const at : begins) CHECK(at % 256 == 0);
  CHECK(*begins.rbegin() < one.bytes().size());
  CHECK(one.places().bytes == one.bytes().size());
  CHECK(one.bytes().size() == two.bytes().size());
  CHECK(one.bytes() != two.bytes());
  CHECK(one.places().value.weights == two.places().value.weights);
}

TEST_CASE("layers that do not fit each other are refused") {
  auto net = bm::random_network(extents_for<small>(1, 8), 1);
  net.blocks[0].first.bias.pop_back();
  CHECK_THROWS_AS(packed_network(net, precision::fp16), bm::contract_error);
}

TEST_CASE("a weight that would be infinite in fp16 is refused, and taken in bf16") {
  auto net = bm::random_network(extents_for<small>(1, 8), 1);
  net.blocks[0].first.weights[5] = 1e5f;
  CHECK_THROWS_WITH_AS(packed_network(net, precision::fp16),
                       doctest::Contains("a weight of 100000 is too large"), bm::contract_error);
  CHECK_NOTHROW(packed_network(net, precision::bf16));
}
