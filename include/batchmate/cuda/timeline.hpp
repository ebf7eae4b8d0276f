#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <deque>

namespace batchmate::cuda {

/// When a batch was where, by the device's own clock in nanoseconds; written by the device.
struct receipt {
  std::uint64_t upload_begin = 0;   ///< the rows begin to go up
  std::uint64_t compute_begin = 0;  ///< the first kernel
  std::uint64_t compute_end = 0;    ///< the last kernel has ended
  std::uint64_t download_end = 0;   ///< the answers are down
  /// The first row of the bucket with a result that is not finite, or `no_fault`; it may be one that only fills the
  /// bucket up. Of the type that atomicMin takes.
  unsigned long long fault = no_fault;

  static constexpr unsigned long long no_fault = ~0ull;  ///< all results are finite
};

/// Adds up, from the receipts of batches that overlap on a device, how long it was at work and how long it did
/// nothing but transfers.
class timeline {
 public:
  /// Takes the receipt of a batch; the order does not matter within the last `remembered` of them.
  void add(receipt const& r) {
    auto const later = [](receipt const& a, receipt const& b) { return a.compute_begin < b.compute_begin; };
    pending_.insert(std::upper_bound(pending_.begin(), pending_.end(), r, later), r);
    if (pending_.size() > remembered) settle();
  }

  /// Seconds in which at least one batch was computed.
  double busy_seconds() const { return 1e-9 * static_cast<double>(finished().busy_); }
  /// Seconds in which data moved and nothing was computed.
  double visible_transfer_seconds() const { return 1e-9 * static_cast<double>(finished().transfers_); }

 private:
  static constexpr std::size_t remembered = 32;

  timeline finished() const {
    timeline all = *this;
    while (!all.pending_.empty()) all.settle();
    return all;
  }

  /// Counts the oldest batch. Batches before it lie in `settled_`, those after it in `pending_`.
  void settle() {
    receipt const r = pending_.front();
    std::uint64_t const from = std::max(r.compute_begin, busy_until_);
    if (r.compute_end > from) busy_ += r.compute_end - from;
    busy_until_ = std::max(busy_until_, r.compute_end);
    count_transfer(r.upload_begin, r.compute_begin);
    count_transfer(r.compute_end, r.download_end);
    pending_.pop_front();
    settled_.push_back(r);
    if (settled_.size() > remembered) settled_.pop_front();
  }

  /// Adds what no batch's computation covers.
  void count_transfer(std::uint64_t from, std::uint64_t to) {
    auto const skip = [&](receipt const& other) {
      if (from >= to || other.compute_begin >= to || other.compute_end <= from) return;
      if (other.compute_begin > from) transfers_ += other.compute_begin - from;
      from = other.compute_end;
    };
    for (auto const& other : settled_) skip(other);
    for (auto const& other : pending_) skip(other);
    if (from < to) transfers_ += to - from;
  }

  std::deque<receipt> settled_, pending_;  // by the beginning of their computation
  std::uint64_t busy_ = 0, transfers_ = 0, busy_until_ = 0;
};

}  // namespace batchmate::cuda
