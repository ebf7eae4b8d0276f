#pragma once

#include <common/interrupt.hpp>

#include <unistd.h>

#include <atomic>
#include <csignal>
#include <stop_token>

/// What signals do to a run: SIGINT and SIGTERM ask it to stop, and SIGHUP is SIGTERM, as whoever closes a terminal
/// wants the run to end, but not to lose anything; under `nohup` it is nothing. SIGPIPE and SIGXFSZ are ignored, so
/// that a write fails with a reason. Make it before any other thread.
class run_signals {
 public:
  run_signals() {
    std::signal(SIGPIPE, SIG_IGN);
    std::signal(SIGXFSZ, SIG_IGN);
    struct sigaction before {};
    sigaction(SIGHUP, nullptr, &before);
    if (before.sa_handler == SIG_IGN) return;
    struct sigaction hang_up {};
    hang_up.sa_handler = [](int) {
      is_hung_up = true;
      kill(getpid(), SIGTERM);
    };
    hang_up.sa_flags = SA_RESTART;
    sigaction(SIGHUP, &hang_up, nullptr);
  }

  /// Stop is requested at the first signal.
  std::stop_token token() const { return watch_.token(); }
  /// The exit status that says which signal ended the run, or 0 if none came.
  int status() const {
    int const received = watch_.received();
    return received == 0 ? 0 : 128 + (received == SIGTERM && is_hung_up ? SIGHUP : received);
  }

 private:
  static inline std::atomic<bool> is_hung_up{false};

  common::interrupt_watch const watch_;
};
