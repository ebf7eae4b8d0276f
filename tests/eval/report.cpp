#include <batchmate/eval/report.hpp>

#include "../support/fake_network.hpp"

#include <doctest/doctest.h>

namespace bm = batchmate;

namespace {

struct counting {
  bm::evaluator_report report() const { return {2, 30, 4, 0.5, 0.25, 1000}; }
};

}  // namespace

TEST_CASE("an evaluator that does not count reports zeros") {
  bm::evaluator_report const r = bm::report(fake_network{});
  CHECK(r.batches == 0);
  CHECK(r.rows == 0);
  CHECK(r.device_bytes == 0);
}

TEST_CASE("reports add up field by field") {
  bm::evaluator_report r = bm::report(counting{});
  r += bm::report(counting{});
  CHECK(r.batches == 4);
  CHECK(r.rows == 60);
  CHECK(r.cache_hits == 8);
  CHECK(r.busy_seconds == 1);
  CHECK(r.transfer_seconds == 0.5);
  CHECK(r.device_bytes == 2000);
}

TEST_CASE("what was counted since an earlier report leaves the memory held") {
  bm::evaluator_report const r = bm::report(counting{}).since({1, 10, 4, 0.25, 0.25, 1000});
  CHECK(r.batches == 1);
  CHECK(r.rows == 20);
  CHECK(r.cache_hits == 0);
  CHECK(r.busy_seconds == 0.25);
  CHECK(r.transfer_seconds == 0);
  CHECK(r.device_bytes == 1000);
}
