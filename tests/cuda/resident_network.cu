#include <batchmate/cuda/resident_network.hpp>

#include "agreement.hpp"
#include "device.hpp"
#include "host_network.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <cstdint>
#include <optional>
#include <vector>

namespace bm = batchmate;
using namespace bm::cuda;

namespace {

using position = random_position<3, 7, 7, 50, 1>;

bm::network small_network(std::uint64_t seed) {
  return bm::random_network(extents_for<position>(2, 16), seed);
}

resident_network resident(bm::network const& net, precision p, std::vector<int> const& rows,
                          board_symmetries const& symmetries = {}) {
  device_info const where = devices().at(0);
  packed_network packed(net, p);
  tower_plan const plan = on_device(where.number, [&] {
    auto const handle = make_cudnn_handle();
    return choose_plan(plan_target(handle.get()), packed.shape(), rows);
  });
  resident_network made(where, packed, plan, symmetries);
  for (int const n : rows) made.prepare(n);
  return made;
}

/// What a batch is answered.
struct answers {
  std::vector<float> values, priors;
};

/// The answers to a batch, straight from the kernels.
answers answers_of(resident_network const& net, filled_batch<position>& batch, int rows) {
  activations on(net.packed(), bm::layout_of<position>(), rows);
  auto const stream = make_stream();
  check(cudaMemsetAsync(on.packed_rows.get(), 0, static_cast<std::size_t>(rows) * sizeof(bm::row<position>),
                        stream.get()),
        "cudaMemsetAsync");
  check(cudaMemcpyAsync(on.packed_rows.get(), batch.rows.data(), batch.rows.size() * sizeof(batch.rows[0]),
                        cudaMemcpyHostToDevice, stream.get()),
        "cudaMemcpyAsync");
  resident_network::visit const here(net);
  net.enqueue(on, rows, stream.get());
  return {from_gpu<float>(on.values.get(), batch.rows.size(), stream.get()),
          from_gpu<float>(on.priors.get(), batch.rows.size() * 50, stream.get())};
}

}  // namespace

TEST_CASE("the device computes what the host computes with the same arithmetic" *
          doctest::skip(no_device())) {
  filled_batch<position> batch(numbered_positions<position>(20)), expected(batch.positions);
  for (auto const p : {precision::fp32, precision::fp16, precision::bf16}) {
    CAPTURE(name_of(p));
    host_network(small_network(1), p).submit(0, expected.view());
    auto const found = answers_of(resident(small_network(1), p, {32}), batch, 32).values;
    for (std::size_t b = 0; b < 20; ++b) CHECK(std::abs(found[b] - expected.values[b]) < tolerance(p));
  }
}

TEST_CASE("symmetries by table give what the host gives" * doctest::skip(no_device())) {
  board_symmetries turned;  // a quarter of a turn, which is not its own inverse, and more of them
  turned.count = 4;
  for (int s = 0; s < 4; ++s) {
    auto const place = [](int cell, int turns) {
      for (; turns > 0; --turns) cell = cell % 7 * 7 + 6 - cell / 7;
      return cell;
    };
    for (int cell = 0; cell < 49; ++cell) turned.cells.push_back(place(cell, (4 - s) % 4));
    for (int a = 0; a < 50; ++a) turned.actions.push_back(a < 49 ? place(a, s) : a);
    for (int a = 0; a < 50; ++a) turned.unactions.push_back(a < 49 ? place(a, (4 - s) % 4) : a);
  }
  REQUIRE(turned.fit(bm::layout_of<position>()));
  filled_batch<position> batch(numbered_positions<position>(20)), expected(batch.positions),
      plain(batch.positions);
  host_network(small_network(1), precision::fp32).submit(0, plain.view());
  for (bool const random : {true, false}) {
    turned.seed = random ? std::optional<std::uint64_t>(3) : std::nullopt;
    for (std::size_t b = 0; b < 20 && !random; ++b)
      batch.rows[b].symmetry = expected.rows[b].symmetry = b % 4;
    host_network(small_network(1), precision::fp32, turned).submit(0, expected.view());
    auto const found = answers_of(resident(small_network(1), precision::fp32, {32}, turned), batch, 32);
    for (std::size_t b = 0; b < 20; ++b) CHECK(std::abs(found.values[b] - expected.values[b]) < 1e-4f);
    for (std::size_t b = 0; b < 20; ++b)
      for (int i = 0; i < batch.rows[b].legal.count(); ++i) {
        std::size_t const at = b * 50 + static_cast<std::size_t>(i);
        CHECK(std::abs(found.priors[at] - expected.priors[at]) < 1e-4f);
      }
    CHECK(expected.values != plain.values);
    CHECK((expected.values[4] == plain.values[4] || random));
  }
}

TEST_CASE("replaced weights are in use from then on" * doctest::skip(no_device())) {
  filled_batch<position> batch(numbered_positions<position>(8));
  auto net = resident(small_network(1), precision::fp16, {8});
  auto const before = answers_of(net, batch, 8).values;
  net.replace(packed_network(small_network(2), precision::fp16));
  auto const after = answers_of(net, batch, 8).values;
  CHECK(after == answers_of(resident(small_network(2), precision::fp16, {8}), batch, 8).values);
  CHECK(before != after);
  auto const larger = bm::random_network(extents_for<position>(3, 16), 1);
  CHECK_THROWS_AS(net.replace(packed_network(larger, precision::fp16)), bm::contract_error);
}
