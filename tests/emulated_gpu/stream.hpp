#pragma once

#include <cuda_runtime.h>

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

/// What CUDA's opaque types are here.
using work = std::function<void()>;

/// A thread of the host that does what it is given, in order.
struct CUstream_st {
  explicit CUstream_st(int device);
  ~CUstream_st();

  void put(work what);  ///< or notes it, while capturing
  void finish();        ///< returns when all is done
  bool has_work();      ///< whether something is not

  int const device;
  bool capturing = false;
  std::atomic<bool> broken{false};  // whether something forbidden was done while capturing
  std::vector<work> captured;

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<work> waiting_;
  bool busy_ = false, ending_ = false;
  std::jthread worker_;  // last
};

struct CUevent_st {
  int device = 0;
  bool timed = false;
  std::mutex mutex;
  std::condition_variable changed;
  std::uint64_t recorded = 0, reached = 0;  // how often
  std::uint64_t time = 0;                   // nanoseconds, when it was reached last
};

struct CUgraph_st {
  std::vector<work> nodes;
};

struct CUgraphExec_st {
  int device = 0;
  std::vector<work> nodes;
};

namespace emulated_gpu {

/// The calling thread's device.
int current_device();
/// What waits for a whole device does this to the captures of all threads there.
void break_captures(int device);
/// Whether these bytes are of one allocation on a device.
bool is_memory_of(int device, void const* from, std::size_t bytes);

}  // namespace emulated_gpu
