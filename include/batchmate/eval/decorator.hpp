#pragma once

#include <batchmate/eval/batch_buffer.hpp>

#include <cstddef>
#include <cstdint>
#include <exception>
#include <memory>
#include <mutex>
#include <utility>

namespace batchmate {

/// The arrays of a batch that a decorator asks the evaluator inside, in memory that this one likes.
class raw_buffer {
 public:
  /// Room for `capacity` rows of a layout, zeroed.
  template <class E>
  raw_buffer(E& evaluator, row_layout const& layout, int capacity)
      : layout_(layout), memory_(allocate_for(evaluator, bytes(layout, capacity))) {
    auto const n = static_cast<std::size_t>(capacity);
    std::byte* const values = memory_.get() + padded(n * static_cast<std::size_t>(layout.row_bytes));
    values_ = reinterpret_cast<float*>(values);
    priors_ = reinterpret_cast<float*>(values + padded(n * sizeof(float)));
  }

  /// What a buffer of this capacity allocates.
  static std::size_t bytes(row_layout const& layout, int capacity) {
    auto const n = static_cast<std::size_t>(capacity);
    return padded(n * static_cast<std::size_t>(layout.row_bytes)) + padded(n * sizeof(float)) +
           padded(n * static_cast<std::size_t>(layout.num_actions) * sizeof(float));
  }

  /// The packed row b, to be written.
  std::uint64_t* row(int b) const {
    return reinterpret_cast<std::uint64_t*>(memory_.get()) + static_cast<std::ptrdiff_t>(b) * layout_.words();
  }
  /// Its first rows.
  raw_batch view(int count) const { return {count, layout_, row(0), values_, priors_}; }

 private:
  static constexpr std::size_t padded(std::size_t n) { return (n + 63) / 64 * 64; }

  row_layout layout_;
  std::shared_ptr<std::byte> memory_;
  float* values_ = nullptr;  // (capacity)
  float* priors_ = nullptr;  // (capacity, A)
};

/// A batch under way in a decorator, which several threads may wait for: the first of them fetches the answers. A
/// failure reaches all of them.
class pending_batch {
 public:
  /// Calls `begin()`, which says whether anything was submitted to the evaluator inside.
  template <class Begin>
  void submit(Begin&& begin) {
    std::lock_guard lock(mutex_);
    failure_ = nullptr;
    under_way_ = false;
    under_way_ = begin();
  }

  /// Calls `finish()`, which waits for the evaluator inside and hands out what it answered, unless that has been done
  /// or there is nothing to wait for.
  template <class Finish>
  void wait(Finish&& finish) {
    std::lock_guard lock(mutex_);
    if (std::exchange(under_way_, false)) {
      try {
        finish();
      } catch (...) {
        failure_ = std::current_exception();
      }
    }
    if (failure_) std::rethrow_exception(failure_);
  }

 private:
  std::mutex mutex_;
  bool under_way_ = false;
  std::exception_ptr failure_;
};

/// A part that `reserve` makes and that copies of its owner do not take over: they begin without one.
template <class Part>
struct reserved_part {
  reserved_part() = default;
  reserved_part(reserved_part&&) noexcept = default;
  reserved_part& operator=(reserved_part&&) noexcept = default;
  reserved_part(reserved_part const&) {}
  reserved_part& operator=(reserved_part const& other) {
    if (this != &other) at.reset();
    return *this;
  }
  ~reserved_part() = default;

  std::unique_ptr<Part> at;  ///< null until `reserve`
};

}  // namespace batchmate
