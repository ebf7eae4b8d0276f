#pragma once

#include <batchmate/cuda/resources.hpp>
#include <batchmate/eval/batch_buffer.hpp>

#include "../eval/network_rows.hpp"

#include <cstddef>
#include <cstdio>
#include <cstring>
#include <vector>

/// Whether the tests that need a GPU can run here; where not, they are listed as skipped. It is asked before `main`, where
/// nobody would catch anything.
inline bool no_device() noexcept {
  static bool const none = [] {
    try {
      return batchmate::cuda::devices().empty();
    } catch (batchmate::cuda::error const& e) {
      std::fprintf(stderr, "%s\n", e.what());
      return true;
    }
  }();
  return none;
}

/// Whether the GPU is one that the host emulates (tests/emulated_gpu). That is slow, so tests have it do less.
#ifdef BATCHMATE_EMULATED_GPU
inline constexpr bool emulated = true;
#else
inline constexpr bool emulated = false;
#endif

/// Host numbers on the device.
template <class T>
batchmate::cuda::device_bytes on_gpu(std::vector<T> const& numbers) {
  auto made = batchmate::cuda::allocate_device(numbers.size() * sizeof(T));
  auto const with = batchmate::cuda::make_stream();
  batchmate::cuda::check(cudaMemcpyAsync(made.get(), numbers.data(), numbers.size() * sizeof(T),
                                         cudaMemcpyHostToDevice, with.get()),
                         "cudaMemcpyAsync");
  return made;
}

/// Device numbers on the host, when the stream has finished.
template <class T>
std::vector<T> from_gpu(std::byte const* from, std::size_t count, cudaStream_t after) {
  std::vector<T> numbers(count);
  batchmate::cuda::check(
      cudaMemcpyAsync(numbers.data(), from, count * sizeof(T), cudaMemcpyDeviceToHost, after),
      "cudaMemcpyAsync");
  batchmate::cuda::check(cudaStreamSynchronize(after), "cudaStreamSynchronize");
  return numbers;
}

/// Value and priors of one row.
template <batchmate::game G>
std::vector<float> answer_of(filled_batch<G>& batch, int b) {
  auto const view = batch.view();
  std::vector<float> all{view.values[b]};
  all.insert(all.end(), view.priors_of(b), view.priors_of(b) + view.rows[b].legal.count());
  return all;
}

/// Whether two rows of numbers are the same to the last bit.
inline bool same_bits(std::vector<float> const& a, std::vector<float> const& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0;
}

/// A batch in the evaluator's own pinned memory, with outputs poisoned by NaN.
template <batchmate::game G>
class pinned_batch {
 public:
  template <class E>
  pinned_batch(E& evaluator, std::vector<G> const& positions)
      : buffer_(evaluator, static_cast<int>(positions.size())), count_(static_cast<int>(positions.size())) {
    for (int b = 0; b < count_; ++b) {
      buffer_.rows()[b] = {};
      buffer_.rows()[b].encode(positions[static_cast<std::size_t>(b)]);
      buffer_.rows()[b].legal = positions[static_cast<std::size_t>(b)].legal_actions();
    }
    poison();
  }
  /// Fills the outputs with NaN.
  void poison() {
    auto const out = view();
    std::memset(out.values, 0xff, static_cast<std::size_t>(count_) * sizeof(float));
    std::memset(out.priors, 0xff, static_cast<std::size_t>(count_) * sizeof(float) * G::num_actions);
  }
  batchmate::batch<G> view() const { return buffer_.view(0, count_); }
  /// Value and priors of one row.
  std::vector<float> answer(int b) const {
    auto const out = view();
    std::vector<float> all{out.values[b]};
    all.insert(all.end(), out.priors_of(b), out.priors_of(b) + out.rows[b].legal.count());
    return all;
  }

 private:
  batchmate::batch_buffer<G> buffer_;
  int count_;
};
