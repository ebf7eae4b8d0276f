#include <batchmate/batch/overlapped.hpp>

#include <doctest/doctest.h>

namespace bm = batchmate;

TEST_CASE("overlapped deals its games to groups, which workers share on a device") {
  bm::batch_plan const plan = bm::overlapped{.games = 9, .groups = 3, .max_batch = 100}.plan(2);
  CHECK(plan.games == 9);
  CHECK(plan.groups == 3);
  CHECK(plan.max_batch == 100);
  CHECK(plan.common);
}

TEST_CASE("overlapped refuses settings out of range and names the field") {
  CHECK_THROWS_WITH_AS((bm::overlapped{.groups = 0}.plan(1)), doctest::Contains("groups must be positive"),
                       bm::contract_error);
  CHECK_THROWS_WITH_AS((bm::overlapped{.games = 1, .groups = 2}.plan(1)),
                       doctest::Contains("at least one a group, got 1 for 2 groups"), bm::contract_error);
  CHECK_THROWS_WITH_AS((bm::overlapped{.max_batch = -1}.plan(1)), doctest::Contains("max_batch"),
                       bm::contract_error);
}

TEST_CASE("overlapped's identity names its settings") {
  CHECK(bm::overlapped{.games = 9, .groups = 3, .max_batch = 7}.identity() ==
        "overlapped games=9 groups=3 max_batch=7");
}
