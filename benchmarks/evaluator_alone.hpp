#pragma once

#include "measure.hpp"
#include "random_positions.hpp"

#include <batchmate/eval/batch_buffer.hpp>
#include <batchmate/eval/concepts.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <deque>
#include <thread>
#include <vector>

namespace batchmate::benchmarks {

/// Work done, the wall time it took, and the processor time of all threads of the program meanwhile.
struct amount {
  double boards = 0, seconds = 0, cpu = 0;
  double rate() const { return seconds > 0 ? boards / seconds : 0; }  ///< boards a second
  double rate_of_cpu() const { return cpu > 0 ? boards / cpu : 0; }   ///< boards a processor second
  amount& operator+=(amount const& o) {
    boards += o.boards;
    seconds += o.seconds;
    cpu += o.cpu;
    return *this;
  }
};

/// Repeats `step`, which returns how many boards it did, until `seconds` are over.
template <class Step>
amount repeat(double seconds, Step step) {
  using clock = std::chrono::steady_clock;
  auto const begin = clock::now();
  double const cpu_before = cpu_seconds();
  amount done;
  while (done.seconds < seconds) {
    done.boards += step();
    done.seconds = std::chrono::duration<double>(clock::now() - begin).count();
  }
  done.cpu = cpu_seconds() - cpu_before;
  return done;
}

/// An evaluator with a batch of random positions, ready to be asked again and again by one thread.
template <game G, class E>
class evaluator_alone {
 public:
  evaluator_alone(E const& evaluator, int rows) : evaluator_(evaluator), buffer_(evaluator_, rows) {
    reserve(evaluator_, {layout_of<G>(), 1, rows});
    auto const positions = random_positions<G>(rows);
    for (int b = 0; b < rows; ++b) {
      buffer_.positions()[b] = positions[static_cast<std::size_t>(b)];
      buffer_.rows()[b].legal = buffer_.positions()[b].legal_actions();
      buffer_.rows()[b].encode(buffer_.positions()[b]);
    }
  }

  /// Evaluates the batch once; its rows.
  int step() {
    evaluator_.submit(0, buffer_.view(0, buffer_.capacity()));
    evaluator_.wait(0);
    return buffer_.capacity();
  }

 private:
  E evaluator_;
  batch_buffer<G> buffer_;
};

/// The same on several threads, each with a copy of the evaluator and a batch of its own.
template <game G, class E>
class evaluators_alone {
 public:
  evaluators_alone(E const& evaluator, int rows, int threads) {
    for (int w = 0; w < threads; ++w) each_.emplace_back(evaluator, rows);
  }

  /// All threads work for `seconds`; the time is that until the last of them has ended.
  amount run(double seconds) {
    using clock = std::chrono::steady_clock;
    auto const begin = clock::now();
    double const cpu_before = cpu_seconds();
    std::atomic<std::int64_t> boards{0};
    {
      std::vector<std::jthread> threads;
      for (auto& one : each_)
        threads.emplace_back(
            [&] { boards += static_cast<std::int64_t>(repeat(seconds, [&] { return one.step(); }).boards); });
    }
    return {static_cast<double>(boards), std::chrono::duration<double>(clock::now() - begin).count(),
            cpu_seconds() - cpu_before};
  }

 private:
  std::deque<evaluator_alone<G, E>> each_;  // (threads)
};

}  // namespace batchmate::benchmarks
