#pragma once

#include <batchmate/eval/concepts.hpp>

#include "fake_network.hpp"

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <exception>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <utility>

/// A fake network that answers on a thread of its own, as a device does: `submit` returns at once. A copy has
/// another thread; the counts are common to all copies.
class threaded_network {
 public:
  struct settings {
    bool shared = true;                  ///< one object serves all workers
    std::chrono::microseconds delay{0};  ///< a batch
    std::uint64_t fails_at = 0;          ///< the number of a batch that fails, from 1; 0: none
    std::shared_ptr<fake_counts> counts = std::make_shared<fake_counts>();
    std::shared_ptr<std::atomic<int>> in_flight = std::make_shared<std::atomic<int>>(0);  ///< batches
  };

  threaded_network() : threaded_network(settings{}) {}
  explicit threaded_network(settings with) : device_(std::make_unique<device>(std::move(with))) {}
  threaded_network(threaded_network const& other) : threaded_network(other.device_->with) {}
  threaded_network(threaded_network&&) noexcept = default;
  threaded_network& operator=(threaded_network const& other) { return *this = threaded_network(other); }
  threaded_network& operator=(threaded_network&&) noexcept = default;
  ~threaded_network() = default;

  template <batchmate::game G>
  void submit(int slot, batchmate::batch<G> const& rows) {
    device_->submit(slot, rows.raw());
  }
  void wait(int slot) { device_->wait(slot); }
  bool is_shared() const { return device_->with.shared; }
  std::string identity() const { return "fake"; }

  fake_counts const& counts() const { return *device_->with.counts; }

 private:
  struct device {
    explicit device(settings s) : with(std::move(s)), thread([this] { work(); }) {}
    device(device const&) = delete;
    device& operator=(device const&) = delete;
    ~device() {
      {
        std::lock_guard lock(mutex);
        closing = true;
      }
      changed.notify_all();
      thread.join();
    }

    void submit(int slot, batchmate::raw_batch const& rows) {
      {
        std::lock_guard lock(mutex);
        queue.emplace_back(slot, rows);
        ++pending[slot];
      }
      ++*with.in_flight;
      changed.notify_all();
    }

    void wait(int slot) {
      std::unique_lock lock(mutex);
      changed.wait(lock, [&] { return pending[slot] == 0; });
      if (failures[slot]) std::rethrow_exception(failures[slot]);
    }

    void work() {
      std::unique_lock lock(mutex);
      for (;;) {
        changed.wait(lock, [this] { return closing || !queue.empty(); });
        if (queue.empty()) return;
        auto const [slot, rows] = queue.front();
        queue.pop_front();
        lock.unlock();
        if (with.delay.count() > 0) std::this_thread::sleep_for(with.delay);
        bool const fails = with.counts->add(rows.count) == with.fails_at;
        for (int b = 0; b < rows.count && !fails; ++b) fake_answer(rows, b);
        --*with.in_flight;
        lock.lock();
        if (fails) failures[slot] = std::make_exception_ptr(planned_failure());
        --pending[slot];
        changed.notify_all();
      }
    }

    settings const with;
    std::mutex mutex;
    std::condition_variable changed;
    std::deque<std::pair<int, batchmate::raw_batch>> queue;
    std::map<int, int> pending;                  // batches by slot
    std::map<int, std::exception_ptr> failures;  // by slot
    bool closing = false;
    std::thread thread;
  };

  std::unique_ptr<device> device_;
};
