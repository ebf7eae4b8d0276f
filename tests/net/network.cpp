#include <batchmate/net/network.hpp>

#include <doctest/doctest.h>

TEST_CASE("a network's channels and inputs follow from its stem, planes and globals") {
  batchmate::network net;
  net.input = {3, 5, 5};
  net.num_globals = 2;
  net.stem.outputs = 16;
  CHECK(net.channels() == 16);
  CHECK(net.inputs() == 5);
}
