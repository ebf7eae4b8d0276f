#pragma once

#include <cstddef>
#include <cstdint>

namespace batchmate {

/// What an evaluator counted of its own work, where the driver cannot know it. An evaluator that has
/// something to say has `evaluator_report report() const`, callable while it works.
struct evaluator_report {
  std::uint64_t batches = 0;      ///< evaluated, where they differ from those submitted (a queue merges them)
  std::uint64_t rows = 0;         ///< rows in these
  std::uint64_t bucket_rows = 0;  ///< rows that the device worked on, with those that fill up a fixed size
  std::uint64_t cache_lookups = 0;  ///< rows that were looked for in a table of answers
  std::uint64_t cache_hits = 0;     ///< of these, rows answered without being evaluated
  std::uint64_t cache_repeats = 0;  ///< of these hits, rows equal to an earlier row of their batch
  double busy_seconds = 0;          ///< time a device was at work
  double transfer_seconds = 0;      ///< time in transfers that nothing hid
  std::size_t device_bytes = 0;     ///< memory held on a device

  /// The share of the device's rows that were asked for, so that the rest was work for nothing; 0 if there are none.
  double fill() const {
    return bucket_rows > 0 ? static_cast<double>(rows) / static_cast<double>(bucket_rows) : 0;
  }
  /// The share of looked-up rows that needed no evaluation; 0 if there are none.
  double cache_hit_share() const {
    return cache_lookups > 0 ? static_cast<double>(cache_hits) / static_cast<double>(cache_lookups) : 0;
  }

  evaluator_report& operator+=(evaluator_report const& o) {
    batches += o.batches;
    rows += o.rows;
    bucket_rows += o.bucket_rows;
    cache_lookups += o.cache_lookups;
    cache_hits += o.cache_hits;
    cache_repeats += o.cache_repeats;
    busy_seconds += o.busy_seconds;
    transfer_seconds += o.transfer_seconds;
    device_bytes += o.device_bytes;
    return *this;
  }

  /// What was counted after `before`; `device_bytes` stay as they are.
  evaluator_report since(evaluator_report const& before) const {
    evaluator_report later = *this;
    later.batches -= before.batches;
    later.rows -= before.rows;
    later.bucket_rows -= before.bucket_rows;
    later.cache_lookups -= before.cache_lookups;
    later.cache_hits -= before.cache_hits;
    later.cache_repeats -= before.cache_repeats;
    later.busy_seconds -= before.busy_seconds;
    later.transfer_seconds -= before.transfer_seconds;
    return later;
  }
};

/// What the evaluator counted, zeros if it does not count.
template <class E>
evaluator_report report(E const& evaluator) {
  if constexpr (requires { evaluator.report(); })
    return evaluator.report();
  else
    return {};
}

}  // namespace batchmate
