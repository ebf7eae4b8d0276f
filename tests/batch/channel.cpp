#include <batchmate/batch/channel.hpp>

#include <doctest/doctest.h>

#include <memory>
#include <optional>
#include <thread>
#include <vector>

TEST_CASE("items come out in the order they went in, also after closing") {
  batchmate::channel<int> numbers;
  for (int i = 0; i < 3; ++i) numbers.push(i);
  numbers.close();
  numbers.push(3);
  for (int i = 0; i < 4; ++i) CHECK(numbers.pop() == i);
  CHECK(numbers.pop() == std::nullopt);
}

TEST_CASE("every item reaches one of the threads that wait, and closing wakes all") {
  batchmate::channel<std::unique_ptr<int>> numbers;
  std::vector<int> sums(3, 0), counts(3, 0);
  {
    std::vector<std::jthread> threads;
    for (std::size_t t = 0; t < 3; ++t)
      threads.emplace_back([&, t] {
        while (auto item = numbers.pop()) sums[t] += **item, ++counts[t];
      });
    for (int i = 1; i <= 1000; ++i) numbers.push(std::make_unique<int>(i));
    numbers.close();
  }
  CHECK(sums[0] + sums[1] + sums[2] == 500500);
  CHECK(counts[0] + counts[1] + counts[2] == 1000);
}
