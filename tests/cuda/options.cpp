#include <batchmate/cuda/options.hpp>

#include <doctest/doctest.h>

namespace bm = batchmate;

TEST_CASE("the defaults are fp16 on the first device, two lanes, graphs, and a plan chosen without timing") {
  bm::cudnn_options const options;
  CHECK(options.precision == bm::cuda::precision::fp16);
  CHECK(options.devices.empty());
  CHECK(options.lanes == 2);
  CHECK(options.graphs);
  CHECK(options.fixed_rows == 0);
  CHECK_FALSE(options.plan);
  CHECK(options.symmetries.count == 0);
}
