/// CUDA's runtime, as far as the library uses it, for devices that are emulated by the host: memory is the host's,
/// filled with NaN, streams are threads. It is as strict as the real one where that helps to find mistakes.
#include "device_code.hpp"
#include "grid.hpp"
#include "kernel_table.hpp"
#include "stream.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <map>
#include <mutex>
#include <set>
#include <utility>

CUstream_st::CUstream_st(int of)
    : device(of), worker_([this] {
        std::unique_lock lock(mutex_);
        for (;;) {
          changed_.wait(lock, [&] { return ending_ || !waiting_.empty(); });
          if (waiting_.empty()) return;
          work const now = std::move(waiting_.front());
          waiting_.pop_front();
          busy_ = true;
          lock.unlock();
          now();
          lock.lock();
          busy_ = false;
          changed_.notify_all();
        }
      }) {}

CUstream_st::~CUstream_st() {
  std::lock_guard lock(mutex_);
  ending_ = true;
  changed_.notify_all();
}

void CUstream_st::put(work what) {
  if (capturing) {
    captured.push_back(std::move(what));
    return;
  }
  std::lock_guard lock(mutex_);
  waiting_.push_back(std::move(what));
  changed_.notify_all();
}

bool CUstream_st::has_work() {
  std::lock_guard lock(mutex_);
  return busy_ || !waiting_.empty();
}

void CUstream_st::finish() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return waiting_.empty() && !busy_; });
}

namespace {

constexpr int device_count = 2;
constexpr std::size_t device_memory = std::size_t{8} << 30;

thread_local int device = 0;
thread_local cudaError_t last_error = cudaSuccess;
thread_local CUstream_st* capturing_stream = nullptr;
std::mutex captures_mutex;
std::set<CUstream_st*> captures;  // of all threads

/// Allocations by where they begin. They end where they were asked to, so that sanitizers see who goes on.
class memory_map {
 public:
  void* take(std::size_t bytes) {
    void* made = nullptr;
    if (posix_memalign(&made, 256, bytes) != 0) return nullptr;
    std::memset(made, 0xff, bytes);  // NaN as a number of any precision
    std::lock_guard lock(mutex_);
    ranges_[static_cast<std::byte*>(made)] = bytes;
    return made;
  }
  bool give_back(void* at) {
    {
      std::lock_guard lock(mutex_);
      if (ranges_.erase(static_cast<std::byte*>(at)) == 0) return false;
    }
    std::free(at);
    return true;
  }
  bool holds(void const* at, std::size_t bytes) {
    auto* const from = static_cast<std::byte*>(const_cast<void*>(at));
    std::lock_guard lock(mutex_);
    auto const after = ranges_.upper_bound(from);
    if (after == ranges_.begin()) return false;
    auto const& [begin, size] = *std::prev(after);
    return from + bytes <= begin + size;
  }

 private:
  std::mutex mutex_;
  std::map<std::byte*, std::size_t> ranges_;
};

std::array<memory_map, device_count> on_devices;
memory_map pinned;

memory_map& memory_of(int number) { return on_devices[static_cast<std::size_t>(number)]; }

/// What the runtime remembers until somebody asks.
cudaError_t said(cudaError_t status) {
  if (status != cudaSuccess) last_error = status;
  return status;
}

/// Whether the thread is capturing, where that must not be; the capture is spoilt then.
bool spoils_capture() {
  if (capturing_stream) capturing_stream->broken = true;
  return capturing_stream != nullptr;
}

cudaError_t put(cudaStream_t on, work what) {
  if (!on || on->device != device) return said(cudaErrorInvalidResourceHandle);
  on->put(std::move(what));
  return cudaSuccess;
}

cudaError_t synchronize(cudaStream_t on) {
  if (on->capturing) {
    on->broken = true;
    return said(cudaErrorStreamCaptureUnsupported);
  }
  on->finish();
  return cudaSuccess;
}

}  // namespace

namespace emulated_gpu {

std::uint64_t clock() {
  return static_cast<std::uint64_t>(std::chrono::steady_clock::now().time_since_epoch().count());
}
int current_device() { return device; }
void break_captures(int number) {
  std::lock_guard lock(captures_mutex);
  for (CUstream_st* each : captures)
    if (each->device == number) each->broken = true;
}

bool is_memory_of(int number, void const* from, std::size_t bytes) {
  return memory_of(number).holds(from, bytes);
}

}  // namespace emulated_gpu

extern "C" {

char const* cudaGetErrorString(cudaError_t status) {
  return status == cudaSuccess ? "no error" : "an error of the emulated device";
}
char const* cudaGetErrorName(cudaError_t) { return "emulated"; }
cudaError_t cudaGetLastError() { return std::exchange(last_error, cudaSuccess); }

cudaError_t cudaGetDeviceCount(int* count) {
  *count = device_count;
  return cudaSuccess;
}
cudaError_t cudaGetDeviceProperties(cudaDeviceProp* properties, int number) {
  if (number < 0 || number >= device_count) return said(cudaErrorInvalidDevice);
  *properties = {};
  std::strcpy(properties->name, "Emulated GPU");
  properties->major = 9;
  properties->multiProcessorCount = 132;
  return cudaSuccess;
}
cudaError_t cudaGetDevice(int* number) {
  *number = device;
  return cudaSuccess;
}
cudaError_t cudaSetDevice(int number) {
  if (number < 0 || number >= device_count) return said(cudaErrorInvalidDevice);
  device = number;
  return cudaSuccess;
}

cudaError_t cudaFuncSetAttribute(void const*, cudaFuncAttribute, int) { return cudaSuccess; }
/// Of a kernel with one block a multiprocessor: a chip of two parts of 18 multiprocessors and six of 16.
cudaError_t cudaOccupancyMaxActiveClusters(int* clusters, void const*, cudaLaunchConfig_t const* wanted) {
  int const size = static_cast<int>(wanted->attrs->val.clusterDim.x);
  *clusters = 2 * (18 / size) + 6 * (16 / size);
  return cudaSuccess;
}

cudaError_t cudaMalloc(void** made, std::size_t bytes) {
  if (spoils_capture()) return said(cudaErrorStreamCaptureUnsupported);
  *made = bytes <= device_memory ? memory_of(device).take(bytes) : nullptr;
  return *made ? cudaSuccess : said(cudaErrorMemoryAllocation);
}
cudaError_t cudaFree(void* at) {
  if (spoils_capture()) return said(cudaErrorStreamCaptureUnsupported);
  emulated_gpu::break_captures(device);
  bool const known =
      !at || std::any_of(on_devices.begin(), on_devices.end(), [&](auto& m) { return m.give_back(at); });
  return known ? cudaSuccess : said(cudaErrorInvalidValue);
}
cudaError_t cudaHostAlloc(void** made, std::size_t bytes, unsigned) {
  if (spoils_capture()) return said(cudaErrorStreamCaptureUnsupported);
  *made = pinned.take(bytes);
  return *made ? cudaSuccess : said(cudaErrorMemoryAllocation);
}
cudaError_t cudaFreeHost(void* at) {
  emulated_gpu::break_captures(device);
  return !at || pinned.give_back(at) ? cudaSuccess : said(cudaErrorInvalidValue);
}

cudaError_t cudaStreamCreateWithFlags(cudaStream_t* made, unsigned) {
  *made = new CUstream_st(device);
  return cudaSuccess;
}
/// Ends the program if there is work left, which the real one would go on with.
cudaError_t cudaStreamDestroy(cudaStream_t on) {
  if (on->has_work()) std::abort();
  delete on;
  return cudaSuccess;
}
cudaError_t cudaStreamSynchronize(cudaStream_t on) { return synchronize(on); }

cudaError_t cudaMemsetAsync(void* at, int value, std::size_t bytes, cudaStream_t on) {
  if (!on || !memory_of(on->device).holds(at, bytes)) return said(cudaErrorInvalidValue);
  return put(on, [=] { std::memset(at, value, bytes); });
}
/// From memory that is not pinned the bytes are taken at once; into such memory the call waits.
cudaError_t cudaMemcpyAsync(void* to, void const* from, std::size_t bytes, cudaMemcpyKind kind,
                            cudaStream_t on) {
  bool const up = kind == cudaMemcpyHostToDevice;
  void const* const there = up ? to : from;
  void const* const here = up ? from : to;
  if (!on || (!up && kind != cudaMemcpyDeviceToHost) || !memory_of(on->device).holds(there, bytes))
    return said(cudaErrorInvalidValue);
  if (pinned.holds(here, bytes)) return put(on, [=] { std::memcpy(to, from, bytes); });
  if (up) {
    auto const* const bytes_of = static_cast<std::byte const*>(from);
    return put(on, [to, held = std::vector<std::byte>(bytes_of, bytes_of + bytes)] {
      std::memcpy(to, held.data(), held.size());
    });
  }
  cudaError_t const status = put(on, [=] { std::memcpy(to, from, bytes); });
  return status != cudaSuccess ? status : synchronize(on);
}

cudaError_t cudaEventCreateWithFlags(cudaEvent_t* made, unsigned flags) {
  *made = new CUevent_st;
  (*made)->device = device;
  (*made)->timed = (flags & cudaEventDisableTiming) == 0;
  return cudaSuccess;
}
cudaError_t cudaEventDestroy(cudaEvent_t event) {
  cudaEventSynchronize(event);
  delete event;
  return cudaSuccess;
}
cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t on) {
  if (event->device != device) return said(cudaErrorInvalidResourceHandle);
  std::uint64_t const mine = [&] {
    std::lock_guard lock(event->mutex);
    return ++event->recorded;
  }();
  return put(on, [=] {
    std::lock_guard lock(event->mutex);
    event->reached = mine;
    event->time = emulated_gpu::clock();
    event->changed.notify_all();
  });
}
cudaError_t cudaEventSynchronize(cudaEvent_t event) {
  std::unique_lock lock(event->mutex);
  event->changed.wait(lock, [&, wanted = event->recorded] { return event->reached >= wanted; });
  return cudaSuccess;
}
cudaError_t cudaEventElapsedTime(float* milliseconds, cudaEvent_t from, cudaEvent_t to) {
  if (!from->timed || !to->timed) return said(cudaErrorInvalidResourceHandle);
  std::scoped_lock lock(from->mutex, to->mutex);
  if (from->reached < from->recorded || to->reached < to->recorded) return said(cudaErrorNotReady);
  *milliseconds = 1e-6f * static_cast<float>(to->time - from->time);
  return cudaSuccess;
}

cudaError_t cudaStreamBeginCapture(cudaStream_t on, cudaStreamCaptureMode) {
  if (on->capturing) return said(cudaErrorIllegalState);
  on->capturing = true;
  on->broken = false;
  on->captured.clear();
  capturing_stream = on;
  std::lock_guard lock(captures_mutex);
  captures.insert(on);
  return cudaSuccess;
}
cudaError_t cudaStreamEndCapture(cudaStream_t on, cudaGraph_t* made) {
  if (!on->capturing) return said(cudaErrorIllegalState);
  on->capturing = false;
  capturing_stream = nullptr;
  std::lock_guard lock(captures_mutex);
  captures.erase(on);
  *made = on->broken ? nullptr : new CUgraph_st{std::move(on->captured)};
  return on->broken ? said(cudaErrorStreamCaptureInvalidated) : cudaSuccess;
}
cudaError_t cudaGraphDestroy(cudaGraph_t graph) {
  delete graph;
  return cudaSuccess;
}
cudaError_t cudaGraphInstantiate(cudaGraphExec_t* made, cudaGraph_t graph, unsigned long long) {
  *made = new CUgraphExec_st{device, graph->nodes};
  return cudaSuccess;
}
cudaError_t cudaGraphExecDestroy(cudaGraphExec_t graph) {
  delete graph;
  return cudaSuccess;
}
cudaError_t cudaGraphLaunch(cudaGraphExec_t graph, cudaStream_t on) {
  if (graph->device != on->device) return said(cudaErrorInvalidResourceHandle);
  return put(on, [nodes = graph->nodes] {
    for (auto const& each : nodes) each();
  });
}

cudaError_t cudaLaunchKernel(void const* kernel, dim3 grid, dim3 block, void** arguments, std::size_t,
                             cudaStream_t on) {
  auto const thread = emulated_gpu::bind(kernel, arguments);
  if (!thread) return said(cudaErrorInvalidDeviceFunction);
  if (block.x < 1 || block.x > 1024 || block.y != 1 || block.z != 1 || grid.x < 1 || grid.y < 1 ||
      grid.y > 65535 || grid.z != 1)
    return said(cudaErrorInvalidConfiguration);
  return put(on, [=] { emulated_gpu::run_grid(grid, block, thread); });
}

}  // extern "C"
