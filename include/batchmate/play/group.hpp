#pragma once

#include <batchmate/core/error.hpp>
#include <batchmate/eval/batch_buffer.hpp>
#include <batchmate/search/concepts.hpp>

#include <atomic>
#include <cstdint>
#include <vector>

namespace batchmate {

/// The games that share a batch, seen from the evaluator: two buffers of rows that take turns, and the
/// meeting point of the workers that fill them.
///
/// A step of worker w: `meet` and `wait`, read the answers of its rows in `answered()` while it fills `free_rows(w)`,
/// `arrive`. The last of the workers to arrive submits. With one worker no other thread is ever waited for.
template <game G>
class batch_group {
 public:
  /// Buffers for `rows` rows, of which every one of the workers gets a range; evaluator slots `first_slot` and
  /// `first_slot + 1` are its own.
  template <class E>
  batch_group(E& evaluator, int first_slot, int workers, int rows)
      : first_slot_(first_slot), rows_(rows), used_(static_cast<std::size_t>(workers)) {
    for (auto& buffer : buffers_) buffer = batch_buffer<G>(evaluator, rows);
  }

  /// Blocks until the other workers have come to this step, too; false if the group's work is over or the run
  /// has failed.
  bool meet(std::uint64_t step) {
    for (std::uint64_t seen; (seen = submitted_.load(std::memory_order_acquire)) < step;)
      submitted_.wait(seen, std::memory_order_acquire);
    return submitted_.load(std::memory_order_acquire) < over;
  }

  /// Blocks until the batch of the step before is answered.
  template <class E>
  void wait(E& evaluator, std::uint64_t step) {
    if (step > 0) evaluator.wait(slot(step - 1));
  }

  /// No other worker fills its batches.
  bool is_private() const { return used_.size() == 1; }

  /// The rows of worker w that step `step` fills.
  row_range<G> free_rows(int w, std::uint64_t step) const {
    batch_buffer<G> const& buffer = buffers_[step & 1];
    int const first = first_row(w);
    return {buffer.positions() + first, buffer.rows() + first, first_row(w + 1) - first};
  }

  /// The rows of worker w that step `step` reads the answers of: those the step before filled.
  batch<G> answered(int w, std::uint64_t step) const {
    return buffers_[(step & 1) ^ 1].view(first_row(w), first_row(w + 1) - first_row(w));
  }

  /// Says that worker w has filled `used` rows in this step. The last worker submits all of them and returns
  /// their number; the others get -1. If no worker has any and `nothing_left()`, the group's work is over.
  template <class E, class Over>
  int arrive(E& evaluator, int w, int used, std::uint64_t step, Over&& nothing_left) {
    int const workers = static_cast<int>(used_.size());
    used_[static_cast<std::size_t>(w)] = used;
    if (arrived_.fetch_add(1, std::memory_order_acq_rel) + 1 < workers) return -1;
    arrived_.store(0, std::memory_order_relaxed);
    int total = 0, end = 0;
    for (int i = 0; i < workers; ++i) {
      total += used_[static_cast<std::size_t>(i)];
      if (used_[static_cast<std::size_t>(i)] > 0) end = first_row(i) + used_[static_cast<std::size_t>(i)];
    }
    if (total > 0) evaluator.submit(slot(step), buffers_[step & 1].view(0, end));
    // A step without rows is nothing to wait for, but a game may yet begin in it.
    // Only a failed run can have moved `submitted_` on meanwhile; that stands.
    std::uint64_t expected = step;
    submitted_.compare_exchange_strong(expected, total == 0 && nothing_left() ? over : step + 1);
    if (workers > 1) submitted_.notify_all();
    return total;
  }

  /// Waits for batches that a failed run left under way, as they point into the buffers. What is wrong with
  /// them does not matter any more.
  template <class E>
  void drain(E& evaluator) noexcept {
    for (int s = 0; s < 2; ++s) {
      try {
        evaluator.wait(first_slot_ + s);
      } catch (...) {  // the run throws its first failure
      }
    }
  }

  /// Wakes all that wait, for good: the run has failed.
  void give_up() {
    submitted_.store(over);
    submitted_.notify_all();
  }

 private:
  static constexpr std::uint64_t over = ~std::uint64_t{0};

  /// Where the range of worker w begins: ranges differ by one row at most.
  int first_row(int w) const {
    return static_cast<int>(std::int64_t{rows_} * w / static_cast<std::int64_t>(used_.size()));
  }
  int slot(std::uint64_t step) const { return first_slot_ + static_cast<int>(step & 1); }

  int const first_slot_, rows_;
  batch_buffer<G> buffers_[2];
  std::vector<int> used_;                    // (workers) rows filled in this step
  std::atomic<int> arrived_{0};              // workers that have filled theirs
  std::atomic<std::uint64_t> submitted_{0};  // steps submitted, or `over`
};

}  // namespace batchmate
