#include <batchmate/batch/lockstep.hpp>

#include <doctest/doctest.h>

namespace bm = batchmate;

TEST_CASE("lockstep has one group of all games, which workers share on a device") {
  bm::batch_plan const plan = bm::lockstep{.games = 9, .max_batch = 100}.plan(2);
  CHECK(plan.games == 9);
  CHECK(plan.groups == 1);
  CHECK(plan.max_batch == 100);
  CHECK(plan.common);
}

TEST_CASE("lockstep refuses settings out of range and names the field") {
  CHECK_THROWS_WITH_AS((bm::lockstep{.games = 0}.plan(1)), "lockstep: games must be positive, got 0",
                       bm::contract_error);
  CHECK_THROWS_WITH_AS((bm::lockstep{.max_batch = -1}.plan(1)),
                       "lockstep: max_batch must not be negative, got -1", bm::contract_error);
  CHECK_NOTHROW((bm::lockstep{.max_batch = 0}.plan(1)));
}

TEST_CASE("lockstep's identity names its settings") {
  CHECK(bm::lockstep{.games = 9, .max_batch = 100}.identity() == "lockstep games=9 max_batch=100");
}
