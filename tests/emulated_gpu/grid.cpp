#include "grid.hpp"

#include "device_code.hpp"

#include <setjmp.h>
#include <ucontext.h>

#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <vector>

#if defined(EMULATED_GPU_TSAN)
#include <sanitizer/tsan_interface.h>
#endif

namespace emulated_gpu {
namespace {

constexpr std::size_t warp = 32;
constexpr std::size_t stack_bytes = 128 * 1024;

[[noreturn]] void give_up(char const* why) {
  std::fprintf(stderr, "emulated_gpu: %s\n", why);
  std::abort();
}

/// To the thread sanitizer every thread of a block is a thread: what orders them is said with these, and what they do
/// to the same memory without is a data race.
void leave_order([[maybe_unused]] char& at) {
#if defined(EMULATED_GPU_TSAN)
  __tsan_release(&at);
#endif
}
void take_order([[maybe_unused]] char& at) {
#if defined(EMULATED_GPU_TSAN)
  __tsan_acquire(&at);
#endif
}

/// A context of its own that a thread of the block runs in, and what the sanitizer must know of it.
class fiber {
 public:
  /// The one that is running.
  fiber() : entered_(true) {
#if defined(EMULATED_GPU_TSAN)
    known_ = __tsan_get_current_fiber();
#endif
  }
  /// One that will run `entry`, which must not return.
  explicit fiber(void (*entry)()) : stack_(new std::byte[stack_bytes]), owns_(true) {
    getcontext(&context_);
    context_.uc_stack.ss_sp = stack_.get();
    context_.uc_stack.ss_size = stack_bytes;
    makecontext(&context_, entry, 0);
#if defined(EMULATED_GPU_TSAN)
    known_ = __tsan_create_fiber(0);
#endif
  }
  ~fiber() {
#if defined(EMULATED_GPU_TSAN)
    if (owns_) __tsan_destroy_fiber(known_);
#endif
  }
  fiber(fiber const&) = delete;

  /// Goes on in another one; returns when somebody comes back to this.
  void switch_to(fiber& other) {
#if defined(EMULATED_GPU_SANITIZED)
#if defined(EMULATED_GPU_TSAN)
    __tsan_switch_to_fiber(other.known_, __tsan_switch_to_fiber_no_sync);
#endif
    swapcontext(&context_, &other.context_);
#else  // the same without a system call each time
    if (_setjmp(left_at_) != 0) return;
    if (other.entered_) _longjmp(other.left_at_, 1);
    other.entered_ = true;
    setcontext(&other.context_);
#endif
  }

 private:
  ucontext_t context_{};
  jmp_buf left_at_{};
  std::unique_ptr<std::byte[]> stack_;
  [[maybe_unused]] bool owns_ = false, entered_ = false;
  [[maybe_unused]] void* known_ = nullptr;
};

/// The blocks of one host thread. Fibers are kept for the next block. Allocates nothing in one of them, which the
/// sanitizer would see.
class block_runner {
 public:
  void run(uint3 block, dim3 size, std::function<void()> const& body) {
    body_ = &body;
    left_ = ready_ = size.x;
    now_ = 0;
    step_ = block.x % 2 == 0 ? 1 : left_ - 1;  // nothing may depend on who is first
    threads_.assign(left_, {});
    warps_.assign((left_ + warp - 1) / warp, {});
    while (fibers_.size() < left_) fibers_.push_back(std::make_unique<fiber>(&block_runner::enter));
    for (unsigned i = 0; i < size.x; ++i) threads_[i].at = {{i, 0, 0}, block, size};
    leave_order(start_);
    go_on(scheduler_);
    if (left_ > 0) give_up("a barrier or an exchange that not all threads come to");
    take_order(end_);
  }

  place const& here() const { return threads_[now_].at; }

  void sync() {
    // The other one is the next barrier's, which some may come to before all have left this one.
    char& order = barrier_[barriers_ % 2];
    leave_order(order);
    wait(state::at_barrier);
    ++at_barrier_;
    open_barrier();
    go_on(*fibers_[now_]);
    take_order(order);
  }

  /// What every lane of the caller's warp gave to this exchange. Orders nothing else.
  float const (&exchange(float mine))[warp] {
    std::size_t const first = now_ / warp * warp;
    warp_state& all = warps_[now_ / warp];
    auto& given = all.given[all.exchanges % 2];  // the other one is the next exchange's
    given[now_ % warp] = mine;
    wait(state::at_exchange);
    if (++all.arrived == warp) {
      all.arrived = 0;
      ++all.exchanges;
      for (std::size_t lane = 0; lane < warp; ++lane) wake(threads_[first + lane]);
    }
    go_on(*fibers_[now_]);
    return given;
  }

 private:
  enum class state { ready, at_barrier, at_exchange, finished };
  struct thread_state {
    place at;
    state is = state::ready;
  };
  struct warp_state {
    std::size_t arrived = 0;  // at the exchange that is under way
    long exchanges = 0;       // that are over
    float given[2][warp] = {};
  };

  static void enter();

  void wait(state why) {
    threads_[now_].is = why;
    --ready_;
  }
  void wake(thread_state& waiting) {
    waiting.is = state::ready;
    ++ready_;
  }
  /// Opens the barrier if all that are left have come to it.
  void open_barrier() {
    if (at_barrier_ < left_) return;
    at_barrier_ = 0;
    ++barriers_;
    for (thread_state& t : threads_)
      if (t.is == state::at_barrier) wake(t);
  }
  /// Lets the next go on that can, or else the scheduler; returns when it is the turn of `me` again.
  void go_on(fiber& me) {
    if (ready_ == 0) return me.switch_to(scheduler_);
    do now_ = (now_ + step_) % threads_.size();
    while (threads_[now_].is != state::ready);
    if (fibers_[now_].get() != &me) me.switch_to(*fibers_[now_]);
  }

  fiber scheduler_;
  std::vector<std::unique_ptr<fiber>> fibers_;
  std::vector<thread_state> threads_;
  std::vector<warp_state> warps_;
  std::function<void()> const* body_ = nullptr;
  std::size_t now_ = 0, step_ = 1, left_ = 0, ready_ = 0, at_barrier_ = 0, barriers_ = 0;
  char start_ = 0, end_ = 0, barrier_[2] = {};  // what orders threads, for the sanitizer
};

block_runner& runner() {
  static thread_local block_runner mine;
  return mine;
}

void block_runner::enter() {
  for (block_runner& r = runner();;) {
    fiber& me = *r.fibers_[r.now_];
    take_order(r.start_);
    (*r.body_)();
    leave_order(r.end_);
    r.wait(state::finished);
    --r.left_;
    r.open_barrier();
    r.go_on(me);
  }
}

}  // namespace

place const& here() { return runner().here(); }
void sync_block() { runner().sync(); }

float of_lane_xor(float mine, int mask) {
  unsigned const lane = here().thread.x % warp;
  return runner().exchange(mine)[lane ^ static_cast<unsigned>(mask)];
}

bool all_of_warp(bool mine) {
  bool all = true;
  for (float x : runner().exchange(mine ? 1.0f : 0.0f)) all = all && x != 0;
  return all;
}

void run_grid(dim3 grid, dim3 block, std::function<void()> const& thread) {
  for (unsigned y = 0; y < grid.y; ++y)
    for (unsigned x = 0; x < grid.x; ++x) runner().run({x, y, 0}, block, thread);
}

}  // namespace emulated_gpu
