#pragma once

#include <csignal>
#include <ctime>

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <stop_token>
#include <thread>

namespace common {

/// What signals do to a program that runs for long. The first SIGINT, SIGTERM or SIGHUP, as of a terminal that is closed,
/// is a stop request; under `nohup` SIGHUP is nothing. A second one ends the program at once, unless it comes within
/// 100 ms of the first: `timeout` and terminals signal a process and its group. SIGPIPE and SIGXFSZ are ignored, so
/// that a write fails with a reason. Make it before any other thread, which inherits that these signals are not
/// delivered to it.
class interrupt_watch {
 public:
  interrupt_watch() {
    std::signal(SIGPIPE, SIG_IGN);
    std::signal(SIGXFSZ, SIG_IGN);
    sigemptyset(&signals_);
    sigaddset(&signals_, SIGINT);
    sigaddset(&signals_, SIGTERM);
    struct sigaction hang_up {};
    sigaction(SIGHUP, nullptr, &hang_up);
    if (hang_up.sa_handler != SIG_IGN) sigaddset(&signals_, SIGHUP);
    pthread_sigmask(SIG_BLOCK, &signals_, nullptr);
    thread_ = std::jthread([this](std::stop_token const& end) { watch(end); });
  }

  /// Stop is requested at the first signal.
  std::stop_token token() const { return stop_.get_token(); }
  /// The exit status that says which signal came first, or 0 if none did.
  int status() const {
    int const received = received_;
    return received == 0 ? 0 : 128 + received;
  }

 private:
  void watch(std::stop_token const& end) {
    std::timespec const moment{0, 50'000'000};
    while (!end.stop_requested()) {
      int const signal = sigtimedwait(&signals_, nullptr, &moment);
      if (signal <= 0) continue;
      auto const now = std::chrono::steady_clock::now();
      if (int none = 0; received_.compare_exchange_strong(none, signal)) {
        first_ = now;
        stop_.request_stop();
      } else if (now - first_ > std::chrono::milliseconds(100)) {
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
