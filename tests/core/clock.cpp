#include <batchmate/core/clock.hpp>

#include <doctest/doctest.h>

#include <chrono>
#include <cstdint>
#include <thread>

using namespace std::chrono_literals;

TEST_CASE("ticks do not run backwards, and grow with time") {
  std::uint64_t const begin = batchmate::ticks();
  std::uint64_t before = begin;
  for (int i = 0; i < 1000; ++i) {
    std::uint64_t const now = batchmate::ticks();
    CHECK(now >= before);
    before = now;
  }
  std::this_thread::sleep_for(2ms);
  std::uint64_t const short_sleep = batchmate::ticks();
  std::this_thread::sleep_for(40ms);
  std::uint64_t const long_sleep = batchmate::ticks();
  CHECK(short_sleep > begin);
  CHECK(long_sleep - short_sleep > (short_sleep - before) / 4);
}
