#include <batchmate/batch/evaluation_queue.hpp>
#include <batchmate/game/connect4.hpp>

#include "../support/fake_network.hpp"
#include "../support/nim.hpp"
#include "../support/threaded_network.hpp"

#include <doctest/doctest.h>

#include <dlfcn.h>
#include <pthread.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <deque>
#include <exception>
#include <future>
#include <latch>
#include <memory>
#include <optional>
#include <stdexcept>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

namespace bm = batchmate;
using namespace std::chrono_literals;

namespace {
std::atomic<int> threads_left = 1 << 30;  // that this program may still start
}

/// Stands before the C library's: a container may have no thread to spare.
extern "C" int pthread_create(pthread_t* thread, pthread_attr_t const* attributes, void* (*start)(void*),
                              void* argument) noexcept {
  static auto const real =
      reinterpret_cast<int (*)(pthread_t*, pthread_attr_t const*, void* (*)(void*), void*)>(
          dlsym(RTLD_NEXT, "pthread_create"));
  return threads_left-- > 0 ? real(thread, attributes, start, argument) : EAGAIN;
}

namespace {

/// What the fake network says of a position by itself.
template <bm::game G>
bm::evaluation<G> alone(G const& position) {
  bm::row<G> row;
  row.legal = position.legal_actions();
  row.encode(position);
  bm::evaluation<G> e;
  fake_answer(bm::batch<G>{1, &position, &row, &e.value, e.priors.data()}.raw(), 0);
  return e;
}

bm::connect4 random_position(std::uint64_t number) {
  bm::random_stream random{bm::random_key{number}};
  bm::connect4 position;
  for (std::uint32_t plies = random.below(12); plies > 0; --plies) {
    bm::connect4 next = position;
    auto const legal = next.legal_actions();
    next.play(legal.nth(static_cast<int>(random.below(static_cast<std::uint32_t>(legal.count())))));
    if (next.result()) break;
    position = next;
  }
  return position;
}

/// Many threads ask about many positions; every answer must be right.
template <class E>
void ask_from_threads(E evaluator, bm::queue_settings const& settings) {
  bm::evaluation_queue<bm::connect4, E> queue(std::move(evaluator), settings);
  std::atomic<int> wrong = 0;
  {
    std::vector<std::jthread> threads;
    for (std::uint64_t t = 0; t < 4; ++t)
      threads.emplace_back([&, t] {
        for (std::uint64_t i = 0; i < 60; ++i) {
          bm::connect4 const position = random_position(t * 100 + i);
          auto const found = queue.evaluate(position), expected = alone(position);
          wrong += found.value != expected.value || found.priors != expected.priors;
        }
      });
  }
  CHECK(wrong == 0);
  CHECK(queue.report().rows == 240);
  CHECK(queue.report().batches >= 240u / static_cast<unsigned>(settings.max_batch));
}

/// Says that it has begun a batch, and waits until it may answer.
struct gated_network : fake_network {
  std::shared_ptr<std::latch> begun = std::make_shared<std::latch>(1), gate = std::make_shared<std::latch>(1);

  void submit(int slot, bm::batch<nim> const& rows) const {
    if (!begun->try_wait()) begun->count_down();
    gate->wait();
    fake_network::submit(slot, rows);
  }
};

/// Asks again and again from its own callback.
struct asker_in_a_row {
  bm::evaluation_queue<nim, fake_network>& queue;
  std::latch& done;
  int left;

  void ask() {
    queue.evaluate(nim{}, [this](bm::evaluation<nim> const&, std::exception_ptr const&) {
      if (--left > 0)
        ask();
      else
        done.count_down();
    });
  }
};

}  // namespace

TEST_CASE("any number of threads get the answers to their own positions") {
  for (int max_batch : {1, 3, 100})
    for (int processors : {1, 2}) {
      bm::queue_settings const settings{.max_batch = max_batch, .deadline = 100us, .processors = processors};
      ask_from_threads(fake_network{}, settings);
      ask_from_threads(threaded_network{}, settings);
    }
}

TEST_CASE("a batch leaves when it is full, without waiting for the deadline") {
  auto const counts = std::make_shared<fake_counts>();
  bm::evaluation_queue<nim, fake_network> queue(fake_network{counts}, {.max_batch = 4, .deadline = 1h});
  std::vector<std::future<void>> asked;
  for (int i = 0; i < 8; ++i) asked.push_back(std::async(std::launch::async, [&] { queue.evaluate(nim{}); }));
  for (auto& a : asked) CHECK(a.wait_for(20s) == std::future_status::ready);
  CHECK(counts->batches == 2);
  CHECK(counts->largest == 4);
}

TEST_CASE("a batch leaves at the deadline, and when all askers wait") {
  bm::evaluation_queue<nim, fake_network> late(fake_network{}, {.max_batch = 100, .deadline = 1ms});
  CHECK(late.evaluate(nim{}).value == alone(nim{}).value);
  bm::evaluation_queue<nim, fake_network> only(fake_network{},
                                               {.max_batch = 100, .deadline = 1h, .askers = 1});
  for (int i = 0; i < 5; ++i) CHECK(only.evaluate(nim{}).value == alone(nim{}).value);
}

TEST_CASE("askers who are answered together and ask again at once meet in one batch") {
  constexpr int askers = 16, rounds = 100;
  auto const counts = std::make_shared<fake_counts>();
  {
    std::latch done(askers);
    bm::evaluation_queue<nim, fake_network> queue(fake_network{counts}, {.deadline = 1h, .askers = askers});
    std::deque<asker_in_a_row> all;
    for (int i = 0; i < askers; ++i) all.push_back({queue, done, rounds});
    for (auto& one : all) one.ask();
    done.wait();
  }
  CHECK(counts->rows == askers * rounds);
  CHECK(counts->batches == rounds);
}

TEST_CASE("positions join a batch as long as no processor can begin with it") {
  gated_network const network;
  std::atomic<int> answered = 0;
  {
    bm::evaluation_queue<nim, gated_network> queue(network, {.deadline = 0us});
    auto const ask = [&] {
      queue.evaluate(nim{}, [&](bm::evaluation<nim> const&, std::exception_ptr const&) { ++answered; });
    };
    ask();
    network.begun->wait();
    for (int i = 0; i < 5; ++i) {
      ask();
      std::this_thread::sleep_for(2ms);  // far beyond the deadline
    }
    network.gate->count_down();
  }
  CHECK(answered == 6);
  CHECK(network.counts->batches == 2);
  CHECK(network.counts->largest == 5);
}

TEST_CASE("callbacks get the answer or the failure, and closing the queue answers all") {
  std::atomic<int> right = 0, failed = 0;
  {
    bm::evaluation_queue<nim, failing_network> queue(failing_network{2}, {.max_batch = 1, .deadline = 0us});
    for (int i = 0; i < 10; ++i)
      queue.evaluate(nim{}, [&](bm::evaluation<nim> const& e, std::exception_ptr const& failure) {
        if (failure)
          ++failed;
        else
          right += e.value == alone(nim{}).value;
      });
  }
  CHECK(right == 9);
  CHECK(failed == 1);
}

TEST_CASE("a failure reaches everyone in its batch, and the queue goes on") {
  using place = failing_network::place;
  bm::evaluation_queue<nim, failing_network> queue(failing_network{1, place::submit},
                                                   {.max_batch = 3, .deadline = 1h});
  std::atomic<int> failures = 0;
  auto const ask = [&] {
    try {
      queue.evaluate(nim{});
    } catch (planned_failure const&) {
      ++failures;
    }
  };
  for (int round = 0; round < 2; ++round) {
    std::vector<std::jthread> threads;
    for (int i = 0; i < 3; ++i) threads.emplace_back(ask);
  }
  CHECK(failures == 3);
}

TEST_CASE("answers that break the contract reach nobody") {
  bm::evaluation_queue<nim, faulty_network> queue(faulty_network{}, {.max_batch = 1});
  CHECK_THROWS_AS(queue.evaluate(nim{}), bm::evaluation_error);
  CHECK_NOTHROW(queue.evaluate(nim{}));
}

TEST_CASE("a request of many rows is answered when the last of its batches is, whatever fails in between") {
  bm::evaluation_queue<nim, failing_network> queue(failing_network{2}, {.max_batch = 2, .deadline = 100us});
  fake_network any;
  bm::batch_buffer<nim> buffer(any, 7);
  for (int b = 0; b < 7; ++b) {
    buffer.positions()[b].stones = 1 + b;
    buffer.rows()[b].legal = buffer.positions()[b].legal_actions();
    buffer.rows()[b].encode(buffer.positions()[b]);
  }
  bm::evaluation_ticket ticket;
  for (bool fails : {true, false}) {
    queue.enqueue(buffer.view(0, 7), ticket);
    if (fails)
      CHECK_THROWS_AS(ticket.wait(), planned_failure);
    else
      CHECK_NOTHROW(ticket.wait());
  }
  for (int b = 0; b < 7; ++b) CHECK(buffer.view(b, 1).values[0] == alone(buffer.positions()[b]).value);
  CHECK_NOTHROW(ticket.wait());  // nothing is asked: nothing to wait for
}

TEST_CASE("a finished position and settings out of range are refused") {
  bm::evaluation_queue<nim, fake_network> queue(fake_network{});
  CHECK(queue.identity() == "fake");
  nim finished;
  finished.stones = 0;
  CHECK_THROWS_AS(queue.evaluate(finished), bm::contract_error);
  using queue_of_nim = bm::evaluation_queue<nim, fake_network>;
  CHECK_THROWS_AS(queue_of_nim(fake_network{}, {.max_batch = 0}), bm::contract_error);
  CHECK_THROWS_AS(queue_of_nim(fake_network{}, {.processors = 0}), bm::contract_error);
}

TEST_CASE("a queue that cannot have its threads ends those that it has, and says so") {
  for (int const left : {0, 1, 2, 3, 4}) {
    CAPTURE(left);
    auto const before = threads_left.exchange(left);
    if (left < 4)
      CHECK_THROWS_AS((bm::evaluation_queue<nim, fake_network>(fake_network{}, {.processors = 2})),
                      std::system_error);
    else
      CHECK_NOTHROW((bm::evaluation_queue<nim, fake_network>(fake_network{}, {.processors = 2})));
    threads_left = before;
  }
}
