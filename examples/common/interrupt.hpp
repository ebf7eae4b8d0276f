#pragma once

#include <csignal>
#include <ctime>

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <stop_token>
#include <thread>

namespace common {

/// Turns the first SIGINT or SIGTERM into a stop request; a second one ends the program at once, unless it
/// comes within a second of the first: `timeout` and terminals signal a process and its group. Make it
/// before any other thread, which inherits that these signals are not delivered to it.
class interrupt_watch {
 public:
  interrupt_watch() {
    sigemptyset(&signals_);
    sigaddset(&signals_, SIGINT);
    sigaddset(&signals_, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &signals_, nullptr);
    thread_ = std::jthread([this](std::stop_token const& end) { watch(end); });
  }

  /// Stop is requested at the first signal.
  std::stop_token token() const { return stop_.get_token(); }
  /// The signal that came, or 0.
  int received() const { return received_; }

 private:
  void watch(std::stop_token const& end) {
    std::timespec const moment{0, 50'000'000};
    while (!end.stop_requested()) {
      int const signal = sigtimedwait(&signals_, nullptr, &moment);
      if (signal <= 0) continue;
      auto const now = std::chrono::steady_clock::now();
      if (received_.exchange(signal) == 0) {
        first_ = now;
        stop_.request_stop();
      } else if (now - first_ > std::chrono::seconds(1)) {
        std::_Exit(128 + signal);
      }
    }
  }

  sigset_t signals_{};
  std::stop_source stop_;
  std::atomic<int> received_{0};
  std::chrono::steady_clock::time_point first_;  // when the first signal came
  std::jthread thread_;                          // last, so that it ends first
};

}  // namespace common
