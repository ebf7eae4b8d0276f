#include <batchmate/eval/batch_buffer.hpp>
#include <batchmate/game/hex.hpp>

#include "../support/fake_network.hpp"
#include "../support/nim.hpp"

#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <utility>

namespace bm = batchmate;

namespace {

/// Hands out memory of its own, full of ones.
struct allocating : fake_network {
  std::shared_ptr<std::size_t> allocated = std::make_shared<std::size_t>(0);
  std::shared_ptr<std::byte> allocate(std::size_t bytes) {
    *allocated += bytes;
    std::shared_ptr<std::byte> memory = bm::allocate_for(network, bytes);
    std::memset(memory.get(), 0xff, bytes);
    return memory;
  }
  fake_network network;
};

bool aligned(void const* p) { return reinterpret_cast<std::uintptr_t>(p) % 64 == 0; }

}  // namespace

TEST_CASE_TEMPLATE("a buffer has aligned, zeroed rows that do not overlap, and start positions", G, nim,
                   bm::hex<5>, bm::hex13) {
  fake_network evaluator;
  for (int capacity : {1, 3, 64}) {
    bm::batch_buffer<G> const buffer(evaluator, capacity);
    bm::batch<G> const all = buffer.view(0, capacity);
    CHECK(buffer.capacity() == capacity);
    CHECK(all.count == capacity);
    CHECK((aligned(all.rows) && aligned(all.values) && aligned(all.priors) && aligned(all.positions)));
    std::size_t const n = static_cast<std::size_t>(capacity);
    auto const* const first = reinterpret_cast<std::byte const*>(all.rows);
    CHECK(reinterpret_cast<std::byte const*>(all.rows + n) <= reinterpret_cast<std::byte const*>(all.values));
    CHECK(all.values + n <= all.priors);
    CHECK(reinterpret_cast<std::byte const*>(all.priors + n * G::num_actions) <=
          reinterpret_cast<std::byte const*>(all.positions));
    CHECK(reinterpret_cast<std::byte const*>(all.positions + n) <=
          first + bm::batch_buffer<G>::bytes(capacity));
    for (int b = 0; b < capacity; ++b) {
      CHECK(all.rows[b].legal.none());
      CHECK(all.values[b] == 0);
      CHECK(all.positions[b].legal_actions() == G{}.legal_actions());
    }
  }
}

TEST_CASE("a view begins at its first row") {
  fake_network evaluator;
  bm::batch_buffer<nim> const buffer(evaluator, 8);
  bm::batch<nim> const all = buffer.view(0, 8), part = buffer.view(3, 2);
  CHECK(part.count == 2);
  CHECK(part.rows == all.rows + 3);
  CHECK(part.values == all.values + 3);
  CHECK(part.priors_of(1) == all.priors_of(4));
  CHECK(part.positions == all.positions + 3);
}

TEST_CASE("an evaluator's own memory is used, zeroed, and as much as was said") {
  allocating evaluator;
  bm::batch_buffer<nim> const buffer(evaluator, 5);
  CHECK(*evaluator.allocated == bm::batch_buffer<nim>::bytes(5));
  CHECK(buffer.view(0, 5).values[4] == 0);
}

TEST_CASE("moving a buffer moves its memory") {
  fake_network evaluator;
  bm::batch_buffer<nim> first(evaluator, 4);
  auto* const rows = first.rows();
  bm::batch_buffer<nim> const second = std::move(first);
  CHECK(second.rows() == rows);
}
