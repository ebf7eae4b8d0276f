#include "grid.hpp"

#include "device_code.hpp"

#include <setjmp.h>
#include <ucontext.h>

#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <vector>

#if defined(__has_feature)  // Clang's way of saying it
#if __has_feature(thread_sanitizer)
#define __SANITIZE_THREAD__ 1
#elif __has_feature(address_sanitizer)
#define __SANITIZE_ADDRESS__ 1
#endif
#endif
#if defined(__SANITIZE_THREAD__)
#include <sanitizer/tsan_interface.h>
#endif

namespace emulated_gpu {
namespace {

constexpr int warp = 32;
constexpr std::size_t stack_bytes = 128 * 1024;

[[noreturn]] void give_up(char const* why) {
  std::fprintf(stderr, "emulated_gpu: %s\n", why);
  std::abort();
}

/// A context of its own that a thread of the block runs in, and what the sanitizer must know of it.
class fiber {
 public:
  /// The one that is running.
  fiber() : entered_(true) {
#if defined(__SANITIZE_THREAD__)
    known_ = __tsan_get_current_fiber();
#endif
  }
  /// One that will run `entry`, which must not return.
  explicit fiber(void (*entry)()) : stack_(new std::byte[stack_bytes]), owns_(true) {
    getcontext(&context_);
    context_.uc_stack.ss_sp = stack_.get();
    context_.uc_stack.ss_size = stack_bytes;
    makecontext(&context_, entry, 0);
#if defined(__SANITIZE_THREAD__)
    known_ = __tsan_create_fiber(0);
#endif
  }
  ~fiber() {
#if defined(__SANITIZE_THREAD__)
    if (owns_) __tsan_destroy_fiber(known_);
#endif
  }
  fiber(fiber const&) = delete;

  /// Goes on in another one; returns when somebody comes back to this.
  void switch_to(fiber& other) {
#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
#if defined(__SANITIZE_THREAD__)
    __tsan_switch_to_fiber(other.known_, 0);
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

/// One thread of a block, from its first to its last instruction.
struct thread_state {
  place at;
  bool finished = true;
  long barriers = 0;    // that it has come to
  long exchanges = 0;   // that it has come to
  float given[2] = {};  // to the last two exchanges
};

/// The blocks of one host thread. Fibers are kept for the next block.
class block_runner {
 public:
  void run(uint3 block, dim3 size, std::function<void()> const& body) {
    body_ = &body;
    std::size_t const count = size.x;
    threads_.assign(count, {});
    while (fibers_.size() < count) fibers_.push_back(std::make_unique<fiber>(&block_runner::enter));
    for (std::size_t t = 0; t < count; ++t) {
      threads_[t].at = {{static_cast<unsigned>(t), 0, 0}, block, size};
      threads_[t].finished = false;
    }
    bool const backwards = block.x % 2 == 1;  // nothing may depend on who is first
    for (left_ = count; left_ > 0;) {
      moved_ = false;
      for (std::size_t i = 0; i < count; ++i) {
        now_ = backwards ? count - 1 - i : i;
        if (!threads_[now_].finished) scheduler_.switch_to(*fibers_[now_]);
      }
      if (!moved_) give_up("the threads of a block wait for each other for ever");
    }
  }

  place const& here() const { return threads_[now_].at; }

  void sync() {
    thread_state& me = threads_[now_];
    ++me.barriers;
    moved_ = true;
    wait_until([&] {
      for (auto const& other : threads_)
        if (!other.finished && other.barriers < me.barriers) return false;
      return true;
    });
  }

  /// What every lane of the caller's warp gave to this exchange: calls `use` with each lane's number, in order.
  template <class Use>
  void exchange(float mine, Use&& use) {
    std::size_t const first = now_ / warp * warp;
    if (first + warp > threads_.size()) give_up("an exchange in a warp that is not full");
    thread_state& me = threads_[now_];
    std::size_t const place = static_cast<std::size_t>(me.exchanges % 2);
    me.given[place] = mine;
    ++me.exchanges;
    moved_ = true;
    wait_until([&] {
      for (std::size_t l = 0; l < warp; ++l) {
        if (threads_[first + l].exchanges >= me.exchanges) continue;
        if (threads_[first + l].finished) give_up("a lane of a warp left before an exchange of all");
        return false;
      }
      return true;
    });
    for (std::size_t l = 0; l < warp; ++l) use(static_cast<int>(l), threads_[first + l].given[place]);
  }

 private:
  /// Lets the others go on until something holds.
  template <class Condition>
  void wait_until(Condition&& holds) {
    for (; !holds(); moved_ |= holds()) fibers_[now_]->switch_to(scheduler_);
  }

  static void enter();

  fiber scheduler_;
  std::vector<std::unique_ptr<fiber>> fibers_;
  std::vector<thread_state> threads_;
  std::function<void()> const* body_ = nullptr;
  std::size_t now_ = 0, left_ = 0;
  bool moved_ = false;  // whether any thread did something in this round
};

block_runner& runner() {
  static thread_local block_runner mine;
  return mine;
}

void block_runner::enter() {
  for (block_runner& r = runner();;) {
    (*r.body_)();
    r.threads_[r.now_].finished = true;
    r.moved_ = true;
    --r.left_;
    r.fibers_[r.now_]->switch_to(r.scheduler_);
  }
}

}  // namespace

place const& here() { return runner().here(); }
void sync_block() { runner().sync(); }

float of_lane_xor(float mine, int mask) {
  float found = 0;
  int const wanted = static_cast<int>(here().thread.x % warp) ^ mask;
  runner().exchange(mine, [&](int lane, float x) { found = lane == wanted ? x : found; });
  return found;
}

bool all_of_warp(bool mine) {
  bool all = true;
  runner().exchange(mine ? 1.0f : 0.0f, [&](int, float x) { all = all && x != 0; });
  return all;
}

void run_grid(dim3 grid, dim3 block, std::function<void()> const& thread) {
  for (unsigned y = 0; y < grid.y; ++y)
    for (unsigned x = 0; x < grid.x; ++x) runner().run({x, y, 0}, block, thread);
}

}  // namespace emulated_gpu
