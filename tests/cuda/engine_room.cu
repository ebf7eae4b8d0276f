#include <batchmate/cuda/engine_room.hpp>

#include "device.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstdint>
#include <limits>
#include <string>
#include <thread>
#include <vector>

namespace bm = batchmate;
using bm::cuda::engine_room;

namespace {

using position = random_position<3, 7, 7, 50, 1>;

bm::network small_network(std::uint64_t seed) {
  return bm::random_network(extents_for<position>(2, 32), seed);
}

/// Answers of all positions, by a room made for the purpose.
std::vector<std::vector<float>> answers(engine_room& room, int slot, std::vector<position> const& positions) {
  filled_batch<position> batch(positions);
  room.submit(slot, batch.view().raw());
  room.wait(slot);
  std::vector<std::vector<float>> all;
  for (int b = 0; b < static_cast<int>(positions.size()); ++b) all.push_back(answer_of(batch, b));
  return all;
}

/// Whether the first two devices may serve one evaluator.
bool has_two_alike() {
  auto const all = bm::cuda::devices();
  return all.size() > 1 && all[0].name == all[1].name;
}

}  // namespace

TEST_CASE("devices that are not there are refused" * doctest::skip(no_device())) {
  CHECK_THROWS_WITH_AS(engine_room(small_network(1), {.devices = {999}}), doctest::Contains("device 999"),
                       bm::contract_error);
  int const first = bm::cuda::devices()[0].number;
  CHECK_THROWS_WITH_AS(engine_room(small_network(1), {.devices = {first, first}}),
                       doctest::Contains("is named twice"), bm::contract_error);
}

TEST_CASE("batches larger than a chunk are cut up, and the answers are the same" *
          doctest::skip(no_device())) {
  auto const positions = numbered_positions<position>(500);
  engine_room whole(small_network(1), {});
  // What is chosen for a tower that is not pinned depends on the largest chunk, and another plan has other bits. Both have
  // enough rows to be computed as 500 are.
  engine_room cut(small_network(1), {.max_chunk = 200, .plan = whole.plan()}),
      fixed(small_network(1), {.fixed_rows = 200, .plan = whole.plan()});
  std::vector<std::vector<float>> const expected = [&] {
    whole.reserve({bm::layout_of<position>(), 2, 500});
    return answers(whole, 0, positions);
  }();
  for (engine_room* room : {&cut, &fixed}) {
    room->reserve({bm::layout_of<position>(), 2, 500});
    auto const found = answers(*room, 1, positions);
    int different = 0;
    for (std::size_t b = 0; b < 500; ++b) different += !same_bits(found[b], expected[b]);
    CHECK(different == 0);
    CHECK(room->report().batches == 1);
    CHECK(room->report().rows == 500);
  }
}

TEST_CASE("batch sizes that may be computed in another way than the largest are left out" *
          doctest::skip(no_device())) {
  engine_room const room(small_network(1), {}), small(small_network(1), {.max_chunk = 2});
  if (emulated) CHECK(room.buckets().front() == 4);  // of fewer rows the emulated plans want no workspace
  CHECK(small.buckets() == std::vector{1, 2});
  CHECK(small.identity().find(":chunk2:") != std::string::npos);
  CHECK(room.identity().find(":chunk") == std::string::npos);
}

TEST_CASE("threads that submit to different slots at once get the answers of one that does not" *
          doctest::skip(no_device())) {
  engine_room room(small_network(1), {});
  room.reserve({bm::layout_of<position>(), 6, 300});
  auto const positions = numbered_positions<position>(300);
  auto const expected = answers(room, 0, positions);
  constexpr unsigned turns = emulated ? 3 : 20;
  std::vector<int> different(3);
  {
    std::vector<std::jthread> threads;
    for (int t = 0; t < 3; ++t)
      threads.emplace_back([&, t] {
        for (unsigned turn = 0; turn < turns; ++turn) {
          auto const found = answers(room, 2 * t + static_cast<int>(turn % 2), positions);
          for (std::size_t b = 0; b < 300; ++b)
            different[static_cast<std::size_t>(t)] += !same_bits(found[b], expected[b]);
        }
      });
  }
  CHECK(different == std::vector<int>(3));
  auto const report = room.report();
  CHECK(report.batches == 3 * turns + 1);
  CHECK(report.rows == (3 * turns + 1) * 300);
  int const bucket = *std::lower_bound(room.buckets().begin(), room.buckets().end(), 300);
  CHECK(report.bucket_rows == (3 * turns + 1) * static_cast<unsigned>(bucket));
  CHECK(report.fill() == 300.0 / bucket);
  CHECK(report.busy_seconds > 0);
  CHECK(report.transfer_seconds >= 0);
  CHECK(report.device_bytes > 0);
}

TEST_CASE("devices of one model share the batches, and a row's answer is the same on each" *
          doctest::skip(!has_two_alike())) {
  engine_room one(small_network(1), {}), both(small_network(1), {.devices = {0, 1}, .lanes = 1});
  auto const positions = numbered_positions<position>(20);
  for (engine_room* room : {&one, &both}) room->reserve({bm::layout_of<position>(), 2, 20});
  for (std::uint64_t turn = 0; turn < 4; ++turn) {
    for (engine_room* room : {&one, &both}) room->replace(small_network(1 + turn % 2));
    auto const expected = answers(one, 0, positions);
    filled_batch<position> first(positions), second(positions);
    both.submit(0, first.view().raw());
    both.submit(1, second.view().raw());  // by the other device, as the first has a batch
    for (int slot : {0, 1}) both.wait(slot);
    for (int b = 0; b < 20; ++b) {
      CHECK(same_bits(answer_of(first, b), expected[static_cast<std::size_t>(b)]));
      CHECK(same_bits(answer_of(second, b), expected[static_cast<std::size_t>(b)]));
    }
  }
  CHECK(both.report().device_bytes > one.report().device_bytes);  // two copies of the weights
}

TEST_CASE("a slot takes one batch at a time, of the rows and the size reserved" *
          doctest::skip(no_device())) {
  engine_room room(small_network(1), {.max_chunk = 64});
  filled_batch<position> batch(numbered_positions<position>(65)), other(batch.positions);
  CHECK_THROWS_AS(room.submit(0, batch.view().raw()), bm::contract_error);
  room.reserve({bm::layout_of<position>(), 2, 64});
  CHECK_THROWS_AS(room.submit(2, batch.view().slice(0, 5).raw()), bm::contract_error);
  CHECK_THROWS_WITH_AS(room.submit(0, batch.view().raw()), doctest::Contains("larger than was reserved"),
                       bm::contract_error);
  room.submit(0, batch.view().slice(0, 5).raw());
  CHECK_THROWS_WITH_AS(room.submit(0, other.view().slice(0, 5).raw()), doctest::Contains("in flight"),
                       bm::contract_error);
  room.wait(0);
  room.wait(0);
  room.wait(1);
  room.submit(1, bm::raw_batch{0, bm::layout_of<position>(), nullptr, nullptr, nullptr});
  room.wait(1);
}

TEST_CASE("weights that overflow are found out, with the network's name, by everybody who waits" *
          doctest::skip(no_device())) {
  bm::network net = small_network(1);
  net.name = "broken.safetensors";
  net.policy.bias[0] = std::numeric_limits<float>::quiet_NaN();
  engine_room room(net, {});
  room.reserve({bm::layout_of<position>(), 2, 64});
  filled_batch<position> batch(numbered_positions<position>(64));
  for (auto& row : batch.rows) row.legal.set(0);
  room.submit(0, batch.view().raw());
  for (int waiter = 0; waiter < 2; ++waiter)
    CHECK_THROWS_WITH_AS(room.wait(0),
                         doctest::Contains("network broken.safetensors: row 0 of a batch of 64"),
                         bm::evaluation_error);
  room.submit(0, batch.view().raw());
  room.replace(small_network(1));  // which is not to blame for the batch before
  CHECK_THROWS_WITH_AS(room.wait(0), doctest::Contains("network broken.safetensors"), bm::evaluation_error);
  room.submit(0, batch.view().raw());
  CHECK_NOTHROW(room.wait(0));
}

TEST_CASE("rows are told of by their number in the batch, and those that fill up a bucket are not" *
          doctest::skip(no_device())) {
  bm::network net = small_network(1);
  net.policy.bias[0] = std::numeric_limits<float>::quiet_NaN();
  engine_room room(net, {.lanes = 1, .fixed_rows = 16});
  room.reserve({bm::layout_of<position>(), 1, 32});
  filled_batch<position> batch(numbered_positions<position>(32));
  for (auto& row : batch.rows) row.legal.reset(0);
  for (std::size_t bad : {19, 21}) batch.rows[bad].legal.set(0);
  auto const submit = [&](int count) {
    room.submit(0, batch.view().slice(0, count).raw());
    room.wait(0);
  };
  CHECK_THROWS_WITH_AS(submit(32), doctest::Contains("row 19 of a batch of 32"), bm::evaluation_error);
  CHECK_NOTHROW(submit(19));  // while the device still has row 19 of the batch before
  CHECK_THROWS_WITH_AS(submit(20), doctest::Contains("row 19 of a batch of 20"), bm::evaluation_error);
}
