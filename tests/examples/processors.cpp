// How many threads the programs take if nobody says.

#include <doctest/doctest.h>

#include "../../examples/common/processors.hpp"

#include <sstream>
#include <string>

namespace {

int of(std::string const& text) {
  std::istringstream cpu_max(text);
  return common::processors_of_quota(cpu_max);
}

}  // namespace

TEST_CASE("a container's share is whole processors, and at least one") {
  CHECK(of("1600000 100000\n") == 16);
  CHECK(of("250000 100000\n") == 2);
  CHECK(of("50000 100000\n") == 1);
}

TEST_CASE("no limit, and no such file, is no share") {
  CHECK(of("max 100000\n") == 0);
  CHECK(of("") == 0);
  CHECK(of("-1 100000\n") == 0);
  CHECK(common::processors() >= 1);
}

TEST_CASE("a process that is bound to one processor has one") {
  cpu_set_t before, one;
  REQUIRE(sched_getaffinity(0, sizeof before, &before) == 0);
  CPU_ZERO(&one);
  for (int cpu = 0; CPU_COUNT(&one) == 0; ++cpu)
    if (CPU_ISSET(cpu, &before)) CPU_SET(cpu, &one);
  REQUIRE(sched_setaffinity(0, sizeof one, &one) == 0);
  CHECK(common::processors() == 1);
  CHECK(sched_setaffinity(0, sizeof before, &before) == 0);
}
