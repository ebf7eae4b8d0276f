#include <batchmate/batch/immediate.hpp>

#include <doctest/doctest.h>

TEST_CASE("immediate has a game a thread and a row a batch, however many rows a tree could fill") {
  for (int threads : {1, 3}) {
    batchmate::batch_plan const plan = batchmate::immediate{}.plan(threads);
    CHECK(plan.games == threads);
    CHECK(plan.groups == 1);
    CHECK(plan.max_batch == 1);
    CHECK_FALSE(plan.common);
  }
  CHECK(batchmate::immediate{}.identity() == "immediate");
}
