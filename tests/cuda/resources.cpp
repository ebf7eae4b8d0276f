#include <batchmate/cuda/resources.hpp>

#include "device.hpp"

#include <doctest/doctest.h>

#include <atomic>
#include <chrono>
#include <string>
#include <thread>
#include <type_traits>

using namespace batchmate::cuda;

static_assert(std::is_nothrow_move_constructible_v<stream> && !std::is_copy_constructible_v<stream>);
static_assert(sizeof(event) == sizeof(void*));

TEST_CASE("without a device there is a sentence that says why") {
  std::string why_not;
  auto const found = devices(&why_not);
  CHECK(found.empty() == !why_not.empty());
  if (!found.empty()) CHECK(cudaGetLastError() == cudaSuccess);
  for (auto const& each : found) {
    CHECK(each.capability >= 80);
    CHECK(each.multiprocessors > 0);
    CHECK_FALSE(each.name.empty());
  }
  MESSAGE(found.size() << " devices; " << why_not);
}

TEST_CASE("memory that cannot be had is an error that says how much was asked for" *
          doctest::skip(no_device())) {
  CHECK_THROWS_WITH_AS(allocate_device(std::size_t{1} << 50),
                       doctest::Contains("cudaMalloc of 1125899906842624 bytes"), error);
  CHECK(cudaGetLastError() == cudaErrorMemoryAllocation);
  CHECK(allocate_device(0) != nullptr);
}

TEST_CASE("captured work runs when the graph is launched, not before" * doctest::skip(no_device())) {
  auto const on = make_stream();
  auto const memory = allocate_device(64);
  auto const pinned = allocate_pinned(64);
  pinned.get()[0] = std::byte{1};
  auto const graph = capture(on.get(), [&] {
    check(cudaMemsetAsync(memory.get(), 7, 64, on.get()), "cudaMemsetAsync");
    check(cudaMemcpyAsync(pinned.get(), memory.get(), 64, cudaMemcpyDeviceToHost, on.get()),
          "cudaMemcpyAsync");
  });
  check(cudaStreamSynchronize(on.get()), "cudaStreamSynchronize");
  CHECK(pinned.get()[0] == std::byte{1});
  check(cudaGraphLaunch(graph.get(), on.get()), "cudaGraphLaunch");
  check(cudaStreamSynchronize(on.get()), "cudaStreamSynchronize");
  CHECK(pinned.get()[63] == std::byte{7});
}

TEST_CASE("an exception during a capture leaves the stream usable" * doctest::skip(no_device())) {
  auto const on = make_stream();
  CHECK_THROWS_AS(capture(on.get(), [] { throw 1; }), int);
  auto const memory = allocate_device(64);
  check(cudaMemsetAsync(memory.get(), 0, 64, on.get()), "cudaMemsetAsync");
  CHECK(cudaStreamSynchronize(on.get()) == cudaSuccess);
}

TEST_CASE("a capture survives what another thread makes and frees" * doctest::skip(no_device())) {
  std::atomic<int> made{0};
  std::string failure;
  std::jthread other([&] {
    try {
      for (; made < 20; ++made) {
        auto const handle = make_cudnn_handle();
        auto const memory = allocate_device(1 << 20);
      }
    } catch (error const& e) {
      failure = e.what();
      made = 20;
    }
  });
  auto const on = make_stream();
  auto const memory = allocate_device(64);
  int broken = 0;
  while (made < 20) {
    try {
      capture(on.get(), [&] {
        check(cudaMemsetAsync(memory.get(), 7, 64, on.get()), "cudaMemsetAsync");
        std::this_thread::sleep_for(std::chrono::milliseconds(1));  // the other one goes on, if it may
      });
    } catch (error const&) {
      ++broken;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  other.join();
  CHECK(failure == "");
  CHECK(broken == 0);
}

TEST_CASE("work on another device returns to the one before" * doctest::skip(no_device())) {
  int const last = devices().back().number;
  int before = 0, inside = -1, after = -1;
  check(cudaGetDevice(&before), "cudaGetDevice");
  on_device(last, [&] { check(cudaGetDevice(&inside), "cudaGetDevice"); });
  check(cudaGetDevice(&after), "cudaGetDevice");
  CHECK(inside == last);
  CHECK(after == before);
}
