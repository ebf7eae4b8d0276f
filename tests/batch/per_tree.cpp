#include <batchmate/batch/per_tree.hpp>

#include <doctest/doctest.h>

TEST_CASE("per_tree has a game a thread and batches as large as its tree can fill") {
  for (int threads : {1, 3}) {
    batchmate::batch_plan const plan = batchmate::per_tree{}.plan(threads);
    CHECK(plan.games == threads);
    CHECK(plan.groups == 1);
    CHECK(plan.max_batch == 0);
    CHECK_FALSE(plan.common);
  }
  CHECK(batchmate::per_tree{}.identity() == "per_tree");
}
