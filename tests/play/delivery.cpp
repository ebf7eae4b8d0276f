#include <batchmate/play/delivery.hpp>

#include "../support/nim.hpp"

#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <semaphore>
#include <stdexcept>
#include <thread>
#include <vector>

namespace bm = batchmate;

namespace {

/// An episode of `plies` samples.
bm::episode<nim> played(std::int64_t number, int plies) {
  bm::episode<nim> e;
  e.number = number;
  for (int ply = 0; ply < plies; ++ply)
    e.samples.push_back({.episode = number, .ply = ply, .action = ply % 3});
  return e;
}

constexpr std::size_t plenty = 100'000;  // bytes

bm::run_options numbers(std::int64_t first, std::int64_t stride, std::int64_t count) {
  return {.episodes = count, .first_episode = first, .stride = stride};
}

}  // namespace

TEST_CASE("numbers are handed out in order, from the first by the stride, as many as asked") {
  bm::run_options const options = numbers(10, 3, 4);
  bm::delivery<nim> episodes(options, plenty, [](bm::episode<nim> const&) {});
  for (std::int64_t expected : {10, 13, 16, 19}) {
    CHECK_FALSE(episodes.exhausted());
    CHECK(episodes.begin() == expected);
  }
  CHECK(episodes.exhausted());
  CHECK(episodes.begin() == std::nullopt);
}

TEST_CASE("episodes reach the sink in the order of their numbers, whatever order they finish in") {
  std::vector<std::int64_t> seen;
  std::vector<std::size_t> plies;
  bm::run_options const options = numbers(2, 2, 4);
  bm::delivery<nim> episodes(options, plenty, [&](bm::episode<nim> const& e) {
    seen.push_back(e.number);
    plies.push_back(e.samples.size());
  });
  for (int i = 0; i < 4; ++i) (void)episodes.begin();
  auto finish = [&](std::int64_t number, int length) {
    auto e = played(number, length);
    episodes.finish(e);
    CHECK(e.samples.empty());
  };
  finish(6, 3);
  finish(4, 2);
  CHECK(seen.empty());
  finish(2, 1);
  CHECK(seen == std::vector<std::int64_t>{2, 4, 6});
  finish(8, 4);
  CHECK(seen == std::vector<std::int64_t>{2, 4, 6, 8});
  CHECK(plies == std::vector<std::size_t>{1, 2, 3, 4});
  CHECK(episodes.count().episodes == 4);
  CHECK(episodes.count().rows == 10);
}

TEST_CASE("no episode begins while those that wait for an older one take more than they may") {
  std::size_t const each = bm::delivery<nim>::bytes_of(4);
  for (bool const in_order : {true, false}) {
    bm::run_options options = numbers(0, 1, 100);
    options.in_order = in_order;
    bm::delivery<nim> episodes(options, 3 * each, [](bm::episode<nim> const&) {});
    auto finish = [&](std::int64_t number, int plies) {
      auto e = played(number, plies);
      episodes.finish(e);
    };
    CHECK(2 * bm::delivery<nim>::bytes_of(10) > 3 * each);
    for (std::int64_t i = 0; i < 5; ++i) CHECK(episodes.begin() == i);
    for (std::int64_t i : {2, 4, 1}) finish(i, 4);
    CHECK(episodes.begin() == 5);
    finish(5, 1);
    CHECK(episodes.begin() == std::nullopt);
    CHECK_FALSE(episodes.exhausted());
    finish(0, 4);  // lets 1 and 2 go, too: 4 and 5 wait for 3
    CHECK(episodes.begin() == 6);
    finish(3, 4);
    CHECK(episodes.begin() == 7);
    CHECK(episodes.begin() == 8);
    for (std::int64_t i : {7, 8}) finish(i, 10);  // two take more than three of the others
    CHECK(episodes.begin() == std::nullopt);
    finish(6, 4);
    CHECK(episodes.begin() == 9);
  }
}

TEST_CASE("what waits for an episode that was given up is delivered by flush, in order") {
  std::vector<std::int64_t> seen;
  bm::run_options const options = numbers(0, 1, 4);
  bm::delivery<nim> episodes(options, plenty, [&](bm::episode<nim> const& e) { seen.push_back(e.number); });
  for (int i = 0; i < 4; ++i) (void)episodes.begin();
  for (std::int64_t number : {3, 1}) {
    auto e = played(number, 1);
    episodes.finish(e);
  }
  CHECK(seen.empty());
  episodes.flush();
  CHECK(seen == std::vector<std::int64_t>{1, 3});
  episodes.flush();
  CHECK(seen.size() == 2);
}

TEST_CASE("the hash of all games does not depend on the order they finish in, but on each of them") {
  auto const hash = [](std::vector<std::int64_t> const& order, int length) {
    bm::run_options const options = numbers(0, 1, 3);
    bm::delivery<nim> episodes(options, plenty, [](bm::episode<nim> const&) {});
    for (int i = 0; i < 3; ++i) (void)episodes.begin();
    for (std::int64_t number : order) {
      auto e = played(number, number == 2 ? length : 2);
      episodes.finish(e);
    }
    return episodes.count().episodes_hash;
  };
  CHECK(hash({0, 1, 2}, 2) == hash({2, 0, 1}, 2));
  CHECK(hash({0, 1, 2}, 2) != hash({0, 1, 2}, 3));
  CHECK(hash({0, 1}, 2) != hash({0, 1, 2}, 2));
}

TEST_CASE("a sink that has thrown is not called again") {
  int calls = 0;
  bm::run_options const options = numbers(0, 1, 3);
  bm::delivery<nim> episodes(options, plenty, [&](bm::episode<nim> const&) {
    ++calls;
    throw std::runtime_error("disk full");
  });
  for (int i = 0; i < 3; ++i) (void)episodes.begin();
  auto first = played(0, 1), second = played(1, 1);
  CHECK_THROWS_AS(episodes.finish(first), std::runtime_error);
  episodes.finish(second);
  episodes.flush();
  CHECK(calls == 1);
}

TEST_CASE("a record that waits takes what it needs; the memory that it was made in stays for the next game") {
  std::vector<std::size_t> capacities;
  bm::run_options const options = numbers(0, 1, 3);
  bm::delivery<nim> episodes(options, plenty,
                             [&](bm::episode<nim> const& e) { capacities.push_back(e.samples.capacity()); });
  for (int i = 0; i < 3; ++i) (void)episodes.begin();
  auto first = played(0, 2), second = played(1, 3);
  first.samples.reserve(50);
  second.samples.reserve(60);
  episodes.finish(second);
  episodes.finish(first);
  CHECK(capacities == std::vector<std::size_t>{50, 3});
  for (auto const* e : {&first, &second}) CHECK(e->samples.empty());
  CHECK(first.samples.capacity() == 50);
  CHECK(second.samples.capacity() == 60);
}

TEST_CASE("out of order, every episode reaches the sink as it finishes") {
  bm::run_options options = numbers(0, 1, 10);
  options.in_order = false;
  std::vector<std::int64_t> seen;
  bm::delivery<nim> episodes(options, plenty, [&](bm::episode<nim> const& e) { seen.push_back(e.number); });
  for (std::int64_t i = 0; i < 3; ++i) CHECK(episodes.begin() == i);
  for (std::int64_t number : {2, 1, 0}) {
    auto e = played(number, 2);
    episodes.finish(e);
    CHECK(e.samples.empty());
    CHECK(e.samples.capacity() >= 2);
    CHECK(seen.back() == number);
  }
  episodes.flush();
  CHECK(seen == std::vector<std::int64_t>{2, 1, 0});
}

TEST_CASE("episodes that are not admitted do not begin, nor do those skipped count as waiting") {
  bm::run_options options = numbers(0, 1, 10);
  options.admit = [](std::int64_t number) {
    return number == 7 ? bm::admission::end : number % 2 == 0 ? bm::admission::skip : bm::admission::play;
  };
  std::vector<std::int64_t> seen;
  bm::delivery<nim> episodes(options, 0, [&](bm::episode<nim> const& e) { seen.push_back(e.number); });
  CHECK(episodes.begin() == 1);
  CHECK(episodes.begin() == 3);
  auto finish = [&](std::int64_t number) {
    auto e = played(number, 1);
    episodes.finish(e);
  };
  finish(3);
  CHECK(episodes.begin() == std::nullopt);  // while 3 waits for 1
  finish(1);
  CHECK(seen == std::vector<std::int64_t>{1, 3});
  CHECK(episodes.begin() == 5);
  CHECK_FALSE(episodes.exhausted());
  CHECK(episodes.begin() == std::nullopt);
  CHECK(episodes.exhausted());
  CHECK(episodes.count().in_flight == 1);
}

TEST_CASE("an episode that is given up is not in flight any more") {
  bm::run_options const options = numbers(0, 1, 10);
  bm::delivery<nim> episodes(options, plenty, [](bm::episode<nim> const&) {});
  for (int i = 0; i < 3; ++i) (void)episodes.begin();
  episodes.give_up();
  CHECK(episodes.count().in_flight == 2);
}

TEST_CASE("what a run has done can be seen while the sink is at work") {
  std::binary_semaphore entered{0}, looked{0};
  bm::run_options const options = numbers(0, 1, 3);
  bm::delivery<nim> episodes(options, plenty, [&](bm::episode<nim> const&) {
    entered.release();
    looked.acquire();
  });
  for (int i = 0; i < 3; ++i) (void)episodes.begin();
  std::jthread const worker([&] {
    auto first = played(0, 4);
    episodes.finish(first);
  });
  entered.acquire();
  CHECK(episodes.count().episodes == 1);
  CHECK(episodes.count().rows == 4);
  CHECK(episodes.count().in_flight == 2);
  looked.release();
}

TEST_CASE("wins and draws are counted for whoever moved first") {
  bm::run_options const options = numbers(0, 1, 6);
  bm::delivery<nim> episodes(options, plenty, [](bm::episode<nim> const&) {});
  std::int64_t number = 0;
  for (float const outcome : {bm::win, bm::draw, bm::loss, bm::win, 0.5f, -0.5f}) {
    (void)episodes.begin();
    auto e = played(number++, 3);
    for (std::size_t ply = 0; ply < 3; ++ply) e.samples[ply].outcome = ply % 2 == 0 ? outcome : -outcome;
    episodes.finish(e);
  }
  CHECK(episodes.count().first_won == 3);
  CHECK(episodes.count().drawn == 1);
}
