#include <batchmate/play/delivery.hpp>

#include "../support/nim.hpp"

#include <doctest/doctest.h>

#include <cstdint>
#include <optional>
#include <stdexcept>
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

bm::run_options numbers(std::int64_t first, std::int64_t stride, std::int64_t count) {
  return {.episodes = count, .first_episode = first, .stride = stride};
}

}  // namespace

TEST_CASE("numbers are handed out in order, from the first by the stride, as many as asked") {
  bm::run_options const options = numbers(10, 3, 4);
  bm::delivery<nim> episodes(options, 100, [](bm::episode<nim> const&) {});
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
  bm::delivery<nim> episodes(options, 100, [&](bm::episode<nim> const& e) {
    seen.push_back(e.number);
    plies.push_back(e.samples.size());
  });
  for (int i = 0; i < 4; ++i) (void)episodes.begin();
  auto finish = [&](std::int64_t number, int length) {
    auto e = played(number, length);
    episodes.finish(e);
    CHECK(e.samples.empty());  // its memory may be another's by now
  };
  finish(6, 3);
  finish(4, 2);
  CHECK(seen.empty());
  finish(2, 1);
  CHECK(seen == std::vector<std::int64_t>{2, 4, 6});
  finish(8, 4);
  CHECK(seen == std::vector<std::int64_t>{2, 4, 6, 8});
  CHECK(plies == std::vector<std::size_t>{1, 2, 3, 4});
  CHECK(episodes.count().finished == 4);
  CHECK(episodes.count().rows == 10);
}

TEST_CASE("no episode begins more than the window ahead of the oldest unfinished one") {
  bm::run_options const options = numbers(0, 1, 10);
  bm::delivery<nim> episodes(options, 3, [](bm::episode<nim> const&) {});
  for (std::int64_t i = 0; i < 3; ++i) CHECK(episodes.begin() == i);
  CHECK(episodes.begin() == std::nullopt);
  CHECK_FALSE(episodes.exhausted());
  auto later = played(1, 1);
  episodes.finish(later);
  CHECK(episodes.begin() == std::nullopt);
  auto oldest = played(0, 1);
  episodes.finish(oldest);
  CHECK(episodes.begin() == 3);
  CHECK(episodes.begin() == 4);
  CHECK(episodes.begin() == std::nullopt);
}

TEST_CASE("what waits for an episode that was given up is delivered by flush, in order") {
  std::vector<std::int64_t> seen;
  bm::run_options const options = numbers(0, 1, 4);
  bm::delivery<nim> episodes(options, 100, [&](bm::episode<nim> const& e) { seen.push_back(e.number); });
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
    bm::delivery<nim> episodes(options, 100, [](bm::episode<nim> const&) {});
    for (int i = 0; i < 3; ++i) (void)episodes.begin();
    for (std::int64_t number : order) {
      auto e = played(number, number == 2 ? length : 2);
      episodes.finish(e);
    }
    return episodes.count().hash;
  };
  CHECK(hash({0, 1, 2}, 2) == hash({2, 0, 1}, 2));
  CHECK(hash({0, 1, 2}, 2) != hash({0, 1, 2}, 3));
  CHECK(hash({0, 1}, 2) != hash({0, 1, 2}, 2));
}

TEST_CASE("a sink that has thrown is not called again") {
  int calls = 0;
  bm::run_options const options = numbers(0, 1, 3);
  bm::delivery<nim> episodes(options, 100, [&](bm::episode<nim> const&) {
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

TEST_CASE("a record that waits keeps its memory, which a later episode gets when it has been handed over") {
  bm::run_options const options = numbers(0, 1, 3);
  bm::delivery<nim> episodes(options, 100, [](bm::episode<nim> const&) {});
  for (int i = 0; i < 3; ++i) (void)episodes.begin();
  auto first = played(0, 2), second = played(1, 2);
  first.samples.reserve(50);
  second.samples.reserve(60);
  episodes.finish(second);
  CHECK(second.samples.capacity() == 0);
  CHECK(episodes.spare_samples().capacity() == 0);
  episodes.finish(first);
  for (std::size_t expected : {60u, 50u, 0u}) {
    auto const spare = episodes.spare_samples();
    CHECK(spare.capacity() == expected);
    CHECK(spare.empty());
  }
}

TEST_CASE("out of order, every episode reaches the sink as it finishes, within the same window") {
  bm::run_options options = numbers(0, 1, 10);
  options.in_order = false;
  std::vector<std::int64_t> seen;
  bm::delivery<nim> episodes(options, 3, [&](bm::episode<nim> const& e) { seen.push_back(e.number); });
  for (std::int64_t i = 0; i < 3; ++i) CHECK(episodes.begin() == i);
  auto finish = [&](std::int64_t number) {
    auto e = played(number, 2);
    episodes.finish(e);
    CHECK(e.samples.empty());
    CHECK(e.samples.capacity() >= 2);
  };
  finish(2);
  finish(1);
  CHECK(seen == std::vector<std::int64_t>{2, 1});
  CHECK(episodes.begin() == std::nullopt);
  finish(0);
  CHECK(episodes.begin() == 3);
  episodes.flush();
  CHECK(seen == std::vector<std::int64_t>{2, 1, 0});
}

TEST_CASE("episodes that are not admitted do not begin, and the window goes past those skipped") {
  bm::run_options options = numbers(0, 1, 10);
  options.admit = [](std::int64_t number) {
    return number == 7 ? bm::admission::end : number % 2 == 0 ? bm::admission::skip : bm::admission::play;
  };
  std::vector<std::int64_t> seen;
  bm::delivery<nim> episodes(options, 3, [&](bm::episode<nim> const& e) { seen.push_back(e.number); });
  CHECK(episodes.begin() == 1);
  CHECK(episodes.begin() == 3);
  CHECK(episodes.begin() == std::nullopt);  // 1 is the oldest, 4 would be beyond the window
  for (std::int64_t number : {3, 1}) {
    auto e = played(number, 1);
    episodes.finish(e);
  }
  CHECK(seen == std::vector<std::int64_t>{1, 3});
  CHECK(episodes.begin() == 5);
  CHECK_FALSE(episodes.exhausted());
  CHECK(episodes.begin() == std::nullopt);
  CHECK(episodes.exhausted());
  CHECK(episodes.count().begun == 3);
}

TEST_CASE("an episode that is given up is not in flight any more") {
  bm::run_options const options = numbers(0, 1, 10);
  bm::delivery<nim> episodes(options, 5, [](bm::episode<nim> const&) {});
  for (int i = 0; i < 3; ++i) (void)episodes.begin();
  episodes.give_up();
  CHECK(episodes.count().begun == 2);
}
