#pragma once

#include <batchmate/eval/concepts.hpp>

#include <cstddef>
#include <cstring>
#include <memory>
#include <new>

namespace batchmate {

/// Memory that an evaluator likes to read and write, 64-byte aligned and zeroed: its own if it allocates
/// (pinned, say), else the heap.
template <class E>
std::shared_ptr<std::byte> allocate_for(E& evaluator, std::size_t bytes) {
  std::shared_ptr<std::byte> memory;
  if constexpr (requires { evaluator.allocate(bytes); }) memory = evaluator.allocate(bytes);
  if (!memory)
    memory = {static_cast<std::byte*>(::operator new (bytes, std::align_val_t{64})),
              [](std::byte* p) { ::operator delete (p, std::align_val_t{64}); }};
  std::memset(memory.get(), 0, bytes);
  return memory;
}

/// The arrays of one batch, for an evaluator to read and to answer into.
template <game G>
class batch_buffer {
 public:
  batch_buffer() = default;
  template <class E>
  batch_buffer(E& evaluator, int capacity)
      : capacity_(capacity), memory_(allocate_for(evaluator, bytes(capacity))) {
    std::byte* at = memory_.get();
    auto const take = [&at]<class T>(T*& array, std::size_t count) {
      array = reinterpret_cast<T*>(at);
      at += padded(count * sizeof(T));
    };
    std::size_t const n = static_cast<std::size_t>(capacity);
    take(rows_, n);
    take(values_, n);
    take(priors_, n * G::num_actions);
    take(positions_, n);
    for (std::size_t b = 0; b < n; ++b) new (positions_ + b) G{};
  }

  /// What a buffer of this capacity allocates.
  static std::size_t bytes(int capacity) {
    std::size_t const n = static_cast<std::size_t>(capacity);
    return padded(n * sizeof(row<G>)) + padded(n * sizeof(float)) +
           padded(n * G::num_actions * sizeof(float)) + padded(n * sizeof(G));
  }

  int capacity() const { return capacity_; }  ///< rows
  G* positions() const { return positions_; }
  row<G>* rows() const { return rows_; }

  /// Its rows from `first` on.
  batch<G> view(int first, int count) const {
    return batch<G>{capacity_, positions_, rows_, values_, priors_}.slice(first, count);
  }

 private:
  static constexpr std::size_t padded(std::size_t n) { return (n + 63) / 64 * 64; }

  int capacity_ = 0;
  std::shared_ptr<std::byte> memory_;
  row<G>* rows_ = nullptr;   // (capacity)
  float* values_ = nullptr;  // (capacity)
  float* priors_ = nullptr;  // (capacity, A)
  G* positions_ = nullptr;   // (capacity)
};

}  // namespace batchmate
