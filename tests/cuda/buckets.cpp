#include <batchmate/cuda/buckets.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <vector>

namespace bm = batchmate;
using namespace bm::cuda;

TEST_CASE("batch sizes beyond one wave are whole waves of the device") {
  wave_geometry const hex13{132, 128, 169};
  auto const sizes = batch_buckets(hex13, 4096);
  CHECK(std::vector<int>(sizes.begin(), sizes.begin() + 8) ==
        std::vector<int>{1, 4, 16, 64, 99, 199, 299, 399});
  CHECK(sizes.back() == 4096);
  for (std::size_t i = 4; i + 1 < sizes.size(); ++i) {
    // One row more would need another wave of tiles.
    auto const waves = [&](int rows) { return (rows * 169 + 132 * 128 - 1) / (132 * 128); };
    CHECK(waves(sizes[i] + 1) == waves(sizes[i]) + 1);
  }
}

TEST_CASE("no batch of more than a wave fills less than eight ninths of its waves") {
  for (int const cells : {49, 81, 121, 169, 361}) {
    auto const sizes = batch_buckets({132, 128, cells}, 8192);
    CHECK(std::is_sorted(sizes.begin(), sizes.end()));
    for (std::size_t i = 1; i < sizes.size(); ++i) {
      CHECK(sizes[i] > sizes[i - 1]);
      if (sizes[i - 1] > 10 * 132 * 128 / cells) CHECK(9 * (sizes[i - 1] + 1) >= 8 * (sizes[i] - 1));
    }
  }
}

TEST_CASE("clusters of eight, of which a device has room for 15 or 16, make smaller waves") {
  CHECK(batch_buckets({120, 128, 169}, 100).at(4) == 90);
  CHECK(batch_buckets({128, 128, 169}, 100).at(4) == 96);
}

TEST_CASE("a batch runs in the least size that holds it") {
  std::vector<int> const sizes{1, 8, 99};
  CHECK(bucket_for(sizes, 1) == 0);
  CHECK(bucket_for(sizes, 2) == 1);
  CHECK(bucket_for(sizes, 8) == 1);
  CHECK(bucket_for(sizes, 9) == 2);
  CHECK(bucket_for(sizes, 1000) == 2);
}

TEST_CASE("small limits, and boards larger than a wave, have sizes too") {
  CHECK(batch_buckets({132, 128, 169}, 1) == std::vector<int>{1});
  CHECK(batch_buckets({132, 128, 169}, 8) == std::vector<int>{1, 4, 8});
  CHECK(batch_buckets({1, 128, 361}, 2) == std::vector<int>{1, 2});
  CHECK_THROWS_AS(batch_buckets({0, 128, 169}, 8), bm::contract_error);
  CHECK_THROWS_AS(batch_buckets({132, 128, 169}, 0), bm::contract_error);
}
