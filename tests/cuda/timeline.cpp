#include <batchmate/cuda/timeline.hpp>

#include <doctest/doctest.h>

using batchmate::cuda::receipt;
using batchmate::cuda::timeline;

namespace {

constexpr std::uint64_t second = 1'000'000'000;

receipt batch(std::uint64_t up, std::uint64_t begin, std::uint64_t end, std::uint64_t down) {
  return {up * second, begin * second, end * second, down * second, 0};
}

}  // namespace

TEST_CASE("one batch alone: its computation is busy time, its transfers are visible") {
  timeline t;
  t.add(batch(10, 12, 20, 23));
  CHECK(t.busy_seconds() == doctest::Approx(8));
  CHECK(t.visible_transfer_seconds() == doctest::Approx(5));
}

TEST_CASE("transfers behind another batch's computation are hidden, overlapping computations count once") {
  timeline t;
  t.add(batch(10, 12, 20, 22));
  t.add(batch(13, 18, 30, 33));
  CHECK(t.busy_seconds() == doctest::Approx(18));
  CHECK(t.visible_transfer_seconds() == doctest::Approx(2 + 3));
}

TEST_CASE("a transfer may be hidden in part, and from both sides") {
  timeline t;
  t.add(batch(0, 1, 4, 5));
  t.add(batch(3, 6, 9, 9));  // up from 3 to 6: hidden until 4
  CHECK(t.busy_seconds() == doctest::Approx(6));
  CHECK(t.visible_transfer_seconds() == doctest::Approx(1 + 1 + 2));
}

TEST_CASE("the order of receipts does not matter, and many of them are added up") {
  timeline forwards, backwards;
  for (std::uint64_t i = 0; i < 1000; ++i) forwards.add(batch(10 * i, 10 * i + 1, 10 * i + 8, 10 * i + 9));
  for (std::uint64_t i = 0; i < 1000; i += 10)
    for (std::uint64_t j = 10; j-- > 0;)
      backwards.add(batch(10 * (i + j), 10 * (i + j) + 1, 10 * (i + j) + 8, 10 * (i + j) + 9));
  CHECK(forwards.busy_seconds() == doctest::Approx(7000));
  CHECK(forwards.visible_transfer_seconds() == doctest::Approx(2000));
  CHECK(backwards.busy_seconds() == doctest::Approx(7000));
  CHECK(backwards.visible_transfer_seconds() == doctest::Approx(2000));
}
