#pragma once

#include <batchmate/core/error.hpp>
#include <batchmate/core/random.hpp>
#include <batchmate/eval/concepts.hpp>
#include <batchmate/eval/report.hpp>

#include <algorithm>
#include <bit>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#ifdef __linux__
#include <sys/prctl.h>
#endif

namespace batchmate::benchmarks {

/// What a modelled device takes for a batch.
///
/// The defaults follow the published figures of a GPU system that plays 13x13 Hex: 917 boards/s in batches of
/// 57.3 rows are 62.5 ms a batch, 6,492 boards/s in batches of 400 are 61.6 ms. Two points that fall by 1.4 %
/// while the rows grow sevenfold fix the time of a batch and no more than a bound on that of a row; 1 us is
/// what the 1.0 GFLOP of a position of that network take at the peak of the fastest GPU of its day. With it
/// the model gives 931 boards/s at 57.3 rows and 6,462 at 400: within 1.5 % and 0.5 % of the published ones.
struct device_time {
  std::chrono::nanoseconds a_batch{61'500'000};  ///< however few its rows are
  std::chrono::nanoseconds a_row{1'000};         ///< added for each row

  /// A device that is so many times faster.
  device_time faster(int times) const { return {a_batch / times, a_row / times}; }
};

/// Not a network: a device made of time alone, for machines that have none. It answers a batch with a hash of
/// each row, asynchronously, from a thread of its own that sleeps for as long as such a device would take;
/// batches queue and are worked on one after the other. So it shows what batching and overlap bring, never
/// how fast a network is. Copies are handles to the same device.
class modelled_device {
 public:
  explicit modelled_device(device_time const& time) : device_(std::make_shared<device>(time)) {}

  bool is_shared() const { return true; }
  void reserve(reservation const& wanted) { device_->reserve(wanted.slots); }
  template <game G>
  void submit(int slot, batch<G> const& rows) {
    device_->submit(slot, rows.raw());
  }
  void wait(int slot) { device_->wait(slot); }
  std::string identity() const {
    return concat("modelled_device:", device_->time.a_batch.count(), "ns+", device_->time.a_row.count(),
                  "ns/row");
  }
  /// Counted since construction; busy means that the modelled device was at work on a batch.
  evaluator_report report() const { return device_->report(); }

 private:
  using clock = std::chrono::steady_clock;

  struct job {
    int slot;
    raw_batch rows;
    clock::time_point submitted;
  };

  struct device {
    explicit device(device_time const& t) : time(t) {}

    void reserve(int slots) {
      std::lock_guard lock(mutex);
      if (under_way.size() < static_cast<std::size_t>(slots))
        under_way.resize(static_cast<std::size_t>(slots));
    }

    void submit(int slot, raw_batch const& rows) {
      {
        std::lock_guard lock(mutex);
        under_way.at(static_cast<std::size_t>(slot)) = true;
        queue.push_back({slot, rows, clock::now()});
      }
      asked.notify_one();
    }

    void wait(int slot) {
      std::unique_lock lock(mutex);
      answered.wait(lock, [&] { return !under_way.at(static_cast<std::size_t>(slot)); });
    }

    evaluator_report report() const {
      std::lock_guard lock(mutex);
      return counted;
    }

    // A batch begins when it was submitted or when the one before it ended, whichever is later, on a schedule of its
    // own: that this thread wakes up late delays the answer, as a driver would, but not the next batch.
    void work(std::stop_token const& stop) {
      sleep_precisely();
      clock::time_point free = clock::now();
      std::unique_lock lock(mutex);
      while (asked.wait(lock, stop, [this] { return !queue.empty(); })) {
        job const now = queue.front();
        queue.pop_front();
        lock.unlock();
        clock::duration const taken = time.a_batch + now.rows.count * time.a_row;
        free = std::max(free, now.submitted) + taken;
        for (int b = 0; b < now.rows.count; ++b) answer(now.rows, b);
        std::this_thread::sleep_until(free);
        lock.lock();
        counted.batches += 1;
        counted.rows += static_cast<std::uint64_t>(now.rows.count);
        counted.busy_seconds += std::chrono::duration<double>(taken).count();
        under_way[static_cast<std::size_t>(now.slot)] = false;
        answered.notify_all();
      }
    }

    device_time const time;
    mutable std::mutex mutex;
    std::condition_variable_any asked;
    std::condition_variable answered;
    std::deque<job> queue;
    std::vector<bool> under_way;  // (slots)
    evaluator_report counted;
    std::jthread thread{[this](std::stop_token const& stop) { work(stop); }};  // last: stops first
  };

  /// Linux lets a sleep run 50 us over by default; 1 ns asks for the timer's own precision.
  static void sleep_precisely() {
#ifdef __linux__
    prctl(PR_SET_TIMERSLACK, 1UL);
#endif
  }

  /// A value in [-0.5, 0.5] and uneven priors that depend on nothing but the row's bytes.
  static void answer(raw_batch const& rows, int b) {
    std::uint64_t const* const words = rows.row(b);
    std::uint64_t hash = 0;
    for (int w = 0; w < rows.layout.words(); ++w) hash = mix_bits(hash ^ words[w]);
    int legal = 0;
    for (int w = 0; w < rows.layout.legal_words(); ++w)
      legal += std::popcount(words[rows.layout.plane_words() + w]);
    rows.values[b] = static_cast<float>(hash >> 40) * 0x1p-24f - 0.5f;
    float* const priors = rows.priors_of(b);
    std::uint32_t total = 0;
    for (int i = 0; i < legal; ++i) total += weight(hash, i);
    float const scale = 1.0f / static_cast<float>(total);
    for (int i = 0; i < legal; ++i) priors[i] = static_cast<float>(weight(hash, i)) * scale;
  }

  /// 1 to 256; shifts only, which every compiler vectorises.
  static std::uint32_t weight(std::uint64_t hash, int i) {
    std::uint32_t x = static_cast<std::uint32_t>(hash) + static_cast<std::uint32_t>(i) * 0x9e3779b9U;
    x ^= x << 13;
    x ^= x >> 17;
    x ^= x << 5;
    return (x >> 24) + 1;
  }

  std::shared_ptr<device> device_;
};

}  // namespace batchmate::benchmarks
