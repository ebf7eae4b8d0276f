#include <batchmate/core/error.hpp>

#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>
#include <limits>
#include <sstream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>

namespace bm = batchmate;

namespace {

/// Counts how often it is read.
struct counted {
  int* times;
  operator std::string_view() const { return ++*times, "text"; }
};

}  // namespace

TEST_CASE("concat strings its arguments together") {
  CHECK(bm::concat("lockstep: games must be positive, got ", -3, '!') ==
        "lockstep: games must be positive, got -3!");
  CHECK(bm::concat(std::string("a"), std::string_view("b"), "c", 'd') == "abcd");
  CHECK(bm::concat().empty());
}

TEST_CASE("concat writes numbers as streams do") {
  auto const same = [](auto number) {
    std::ostringstream text;
    text << number;
    CHECK(bm::concat(number) == text.str());
  };
  same(0);
  same(std::numeric_limits<std::int64_t>::min());
  same(std::numeric_limits<std::uint64_t>::max());
  same(std::size_t{7});
  same(short{-5});
  same(true);
  for (float number : {0.0f, -2.0f, 0.1f, 1.0f / 3, 1e-9f, 123456.0f, 1234567.0f, 3e38f}) same(number);
  same(std::numeric_limits<double>::quiet_NaN());
  same(-std::numeric_limits<double>::infinity());
}

TEST_CASE("a broken precondition throws its message") {
  CHECK_NOTHROW(bm::expects(true, "never"));
  CHECK_THROWS_WITH_AS(bm::expects(false, "games must be positive, got ", 0), "games must be positive, got 0",
                       bm::contract_error);
}

TEST_CASE("a kept precondition builds no message") {
  int times = 0;
  bm::expects(true, counted{&times});
  CHECK(times == 0);
  CHECK_THROWS_WITH(bm::expects(false, counted{&times}), "text");
  CHECK(times == 1);
}

TEST_CASE("every error of the library is an error, and none is another") {
  CHECK_THROWS_AS(throw bm::file_error("f"), bm::error);
  CHECK_THROWS_AS(throw bm::contract_error("c"), bm::error);
  CHECK_THROWS_AS(throw bm::evaluation_error("e"), bm::error);
  CHECK_THROWS_AS(throw bm::error("e"), std::runtime_error);
  static_assert(!std::is_base_of_v<bm::contract_error, bm::file_error>);
  static_assert(!std::is_base_of_v<bm::file_error, bm::evaluation_error>);
}
