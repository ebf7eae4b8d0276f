// What can be seen of the evaluator on a machine without a GPU.
#include <batchmate/cuda/evaluator.hpp>

#include "device.hpp"

#include <doctest/doctest.h>

#include <string>

namespace bm = batchmate;

namespace {

using position = random_position<3, 7, 7, 50, 1>;

bm::network small_network() { return bm::random_network(extents_for<position>(1, 8), 1); }

static_assert(bm::evaluator_for<bm::cudnn, position>);

}  // namespace

TEST_CASE("options out of range are refused before any device is touched") {
  auto const refused = [](auto const& change, std::string const& message) {
    bm::cudnn_options options;
    change(options);
    CHECK_THROWS_WITH_AS(bm::cudnn(small_network(), options), doctest::Contains(message.c_str()),
                         bm::contract_error);
  };
  refused([](auto& o) { o.lanes = 0; }, "lanes must be 1 to 8, got 0");
  refused([](auto& o) { o.max_chunk = 9000; }, "max_chunk must be 1 to 8192, got 9000");
  refused([](auto& o) { o.fixed_rows = -1; }, "fixed_rows must be 0 to 8192, got -1");
}

TEST_CASE("where there is no device, that is said in one sentence" * doctest::skip(!no_device())) {
  CHECK_THROWS_WITH_AS(bm::cudnn(small_network(), {}), doctest::Contains("cudnn: no CUDA device"),
                       bm::contract_error);
  CHECK_THROWS_WITH_AS(bm::cudnn(small_network(), {.devices = {1}}),
                       doctest::Contains("cudnn: no CUDA device"), bm::contract_error);
}
