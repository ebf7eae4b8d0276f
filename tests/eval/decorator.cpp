#include "network_rows.hpp"

#include <batchmate/core/error.hpp>
#include <batchmate/eval/decorator.hpp>

#include <doctest/doctest.h>

#include <cstdint>
#include <memory>
#include <utility>

using namespace batchmate;

namespace {

struct own_memory {
  std::shared_ptr<std::byte> allocate(std::size_t bytes) {
    given += bytes;
    return {new std::byte[bytes], std::default_delete<std::byte[]>()};
  }
  std::size_t given = 0;
};

}  // namespace

TEST_CASE("a raw buffer lies in the evaluator's memory, and its parts do not overlap") {
  own_memory evaluator;
  row_layout const layout = layout_of<random_position<2, 3, 3, 5, 1>>();
  raw_buffer const buffer(evaluator, layout, 3);
  CHECK(evaluator.given == raw_buffer::bytes(layout, 3));
  raw_batch const rows = buffer.view(3);
  CHECK(rows.count == 3);
  CHECK(rows.layout == layout);
  for (int b = 0; b < 3; ++b) {
    CHECK(rows.row(b) == buffer.row(b));
    for (int w = 0; w < layout.words(); ++w) {
      CHECK(buffer.row(b)[w] == 0);
      buffer.row(b)[w] = ~std::uint64_t{0};
    }
    rows.values[b] = 1;
    for (int a = 0; a < 5; ++a) rows.priors_of(b)[a] = 2;
  }
  for (int b = 0; b < 3; ++b) {
    for (int w = 0; w < layout.words(); ++w) CHECK(buffer.row(b)[w] == ~std::uint64_t{0});
    CHECK(rows.values[b] == 1);
    for (int a = 0; a < 5; ++a) CHECK(rows.priors_of(b)[a] == 2);
  }
}

TEST_CASE("the answers of a batch are fetched once, by whoever waits first") {
  pending_batch pending;
  int fetched = 0;
  auto const fetch = [&] { ++fetched; };
  pending.wait(fetch);
  CHECK(fetched == 0);
  pending.submit([] { return true; });
  pending.wait(fetch);
  pending.wait(fetch);
  CHECK(fetched == 1);
  pending.submit([] { return false; });
  pending.wait(fetch);
  CHECK(fetched == 1);
}

TEST_CASE("a failure reaches all who wait, until the next batch") {
  pending_batch pending;
  pending.submit([] { return true; });
  auto const fail = [] { throw evaluation_error("no"); };
  CHECK_THROWS_AS(pending.wait(fail), evaluation_error);
  CHECK_THROWS_AS(pending.wait([] {}), evaluation_error);
  CHECK_THROWS_AS(pending.submit([]() -> bool { throw contract_error("no"); }), contract_error);
  CHECK_NOTHROW(pending.wait(fail));
}

TEST_CASE("copies do not take over what was reserved, moved ones do") {
  reserved_part<int> part;
  part.at = std::make_unique<int>(3);
  reserved_part<int> const copy(part);
  CHECK(!copy.at);
  CHECK(*part.at == 3);
  reserved_part<int> moved(std::move(part));
  CHECK(*moved.at == 3);
  moved = copy;
  CHECK(!moved.at);
}
