#include <batchmate/play/group.hpp>

#include "../support/fake_network.hpp"
#include "../support/nim.hpp"

#include <doctest/doctest.h>

#include <chrono>
#include <stdexcept>
#include <thread>
#include <utility>
#include <vector>

namespace bm = batchmate;

namespace {

/// Notes what is submitted and waited for.
struct noting {
  std::vector<std::pair<int, int>> submitted;  // slot, rows
  std::vector<int> waited;                     // slots
  bool fails = false;

  void submit(int slot, bm::batch<nim> const& rows) {
    submitted.emplace_back(slot, rows.count);
    fake_network{}.submit(slot, rows);
  }
  void wait(int slot) {
    waited.push_back(slot);
    if (fails) throw planned_failure();
  }
  std::string identity() const { return "noting"; }
};

/// What a worker does before it reads the answers.
bool come(bm::batch_group<nim>& group, noting& evaluator, std::uint64_t step) {
  if (!group.meet(step)) return false;
  group.wait(evaluator, step);
  return true;
}

int fill(bm::row_range<nim> rows, int count, int stones) {
  for (int i = 0; i < count; ++i) {
    rows.next().stones = stones;
    rows.push();
  }
  rows.encode();
  return rows.used();
}

auto const more_to_come = [] { return false; };
auto const nothing_left = [] { return true; };

}  // namespace

TEST_CASE("the last worker to arrive submits the rows of all, in slots that take turns") {
  noting evaluator;
  bm::batch_group<nim> group(evaluator, 6, 2, 6);
  REQUIRE(come(group, evaluator, 0));
  CHECK(evaluator.waited.empty());
  CHECK(group.arrive(evaluator, 1, fill(group.free_rows(1, 0), 2, 5), 0, more_to_come) == -1);
  CHECK(group.arrive(evaluator, 0, fill(group.free_rows(0, 0), 1, 7), 0, more_to_come) == 3);
  // Worker 1's rows begin after the three that worker 0 has.
  CHECK(evaluator.submitted == std::vector<std::pair<int, int>>{{6, 5}});
  REQUIRE(come(group, evaluator, 1));
  CHECK(evaluator.waited == std::vector<int>{6});
  CHECK(group.answered(0, 1).positions[0].stones == 7);
  CHECK(group.answered(1, 1).positions[1].stones == 5);
  CHECK(group.arrive(evaluator, 0, fill(group.free_rows(0, 1), 3, 2), 1, more_to_come) == -1);
  CHECK(group.arrive(evaluator, 1, 0, 1, more_to_come) == 3);
  CHECK(evaluator.submitted.back() == std::pair(7, 3));
  CHECK(group.answered(0, 1).positions[0].stones == 7);  // filling one buffer leaves the other alone
  REQUIRE(come(group, evaluator, 2));
  CHECK(group.answered(0, 2).positions[2].stones == 2);
}

TEST_CASE("a batch's rows are dealt to its workers as evenly as can be") {
  noting evaluator;
  for (int workers : {1, 2, 3, 7})
    for (int rows : {7, 8, 20}) {
      bm::batch_group<nim> group(evaluator, 0, workers, rows);
      nim const* next = group.answered(0, 1).positions;
      int sum = 0;
      for (int w = 0; w < workers; ++w) {
        bm::batch<nim> const mine = group.answered(w, 1);
        CHECK(mine.positions == next);
        CHECK(mine.count - rows / workers >= 0);
        CHECK(mine.count - rows / workers <= 1);
        CHECK(fill(group.free_rows(w, 0), mine.count, 5) == mine.count);
        CHECK(group.free_rows(w, 1).full() == (mine.count == 0));
        next += mine.count;
        sum += mine.count;
      }
      CHECK(sum == rows);
    }
}

TEST_CASE("a step without rows submits nothing, and ends the group only if nothing is left") {
  noting evaluator;
  bm::batch_group<nim> group(evaluator, 0, 1, 3);
  CHECK(group.arrive(evaluator, 0, 0, 0, more_to_come) == 0);
  CHECK(come(group, evaluator, 1));
  CHECK(group.arrive(evaluator, 0, fill(group.free_rows(0, 1), 1, 3), 1, nothing_left) == 1);
  CHECK(come(group, evaluator, 2));
  CHECK(group.arrive(evaluator, 0, 0, 2, nothing_left) == 0);
  CHECK_FALSE(come(group, evaluator, 3));
  CHECK(evaluator.submitted.size() == 1);
}

TEST_CASE("giving up wakes those that wait, and nothing revives the group") {
  noting evaluator;
  bm::batch_group<nim> group(evaluator, 0, 2, 2);
  CHECK(group.arrive(evaluator, 0, 1, 0, more_to_come) == -1);
  bool result = true;
  std::thread waiting([&] { result = come(group, evaluator, 1); });
  std::this_thread::sleep_for(std::chrono::milliseconds(5));
  group.give_up();
  waiting.join();
  CHECK_FALSE(result);
  CHECK(group.arrive(evaluator, 1, 1, 0, more_to_come) == 2);
  CHECK_FALSE(come(group, evaluator, 1));
}

TEST_CASE("draining waits for both slots and swallows what is wrong with them") {
  noting evaluator;
  evaluator.fails = true;
  bm::batch_group<nim> group(evaluator, 4, 1, 1);
  CHECK_NOTHROW(group.drain(evaluator));
  CHECK(evaluator.waited == std::vector<int>{4, 5});
}
