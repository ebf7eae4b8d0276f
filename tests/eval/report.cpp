#include <batchmate/eval/report.hpp>

#include "../support/fake_network.hpp"

#include <doctest/doctest.h>

namespace bm = batchmate;

namespace {

struct counting {
  bm::evaluator_report report() const {
    return {.batches = 2,
            .rows = 30,
            .bucket_rows = 40,
            .cache_lookups = 8,
            .cache_hits = 4,
            .cache_repeats = 3,
            .busy_seconds = 0.5,
            .transfer_seconds = 0.25,
            .device_bytes = 1000};
  }
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
  CHECK(r.bucket_rows == 80);
  CHECK(r.cache_lookups == 16);
  CHECK(r.cache_hits == 8);
  CHECK(r.cache_repeats == 6);
  CHECK(r.busy_seconds == 1);
  CHECK(r.transfer_seconds == 0.5);
  CHECK(r.device_bytes == 2000);
}

TEST_CASE("what was counted since an earlier report leaves the memory held") {
  bm::evaluator_report const r = bm::report(counting{})
                                     .since({.batches = 1,
                                             .rows = 10,
                                             .bucket_rows = 10,
                                             .cache_lookups = 5,
                                             .cache_hits = 4,
                                             .cache_repeats = 1,
                                             .busy_seconds = 0.25,
                                             .transfer_seconds = 0.25,
                                             .device_bytes = 1000});
  CHECK(r.batches == 1);
  CHECK(r.rows == 20);
  CHECK(r.bucket_rows == 30);
  CHECK(r.cache_lookups == 3);
  CHECK(r.cache_hits == 0);
  CHECK(r.cache_repeats == 2);
  CHECK(r.busy_seconds == 0.25);
  CHECK(r.transfer_seconds == 0);
  CHECK(r.device_bytes == 1000);
}

TEST_CASE("shares are of what was counted, and 0 of nothing") {
  CHECK(bm::report(counting{}).fill() == 0.75);
  CHECK(bm::report(counting{}).cache_hit_share() == 0.5);
  CHECK(bm::evaluator_report{}.fill() == 0);
  CHECK(bm::evaluator_report{}.cache_hit_share() == 0);
}
