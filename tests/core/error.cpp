#include <batchmate/core/error.hpp>

#include <doctest/doctest.h>

#include <stdexcept>
#include <string>
#include <type_traits>

namespace bm = batchmate;

namespace {

/// Counts how often it is streamed.
struct counted {
  int* times;
};
std::ostream& operator<<(std::ostream& out, counted const& c) { return out << ++*c.times; }

}  // namespace

TEST_CASE("concat strings its arguments together") {
  CHECK(bm::concat("lockstep: games must be positive, got ", -3, '!') ==
        "lockstep: games must be positive, got -3!");
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
  CHECK_THROWS_WITH(bm::expects(false, counted{&times}), "1");
}

TEST_CASE("every error of the library is an error, and none is another") {
  CHECK_THROWS_AS(throw bm::file_error("f"), bm::error);
  CHECK_THROWS_AS(throw bm::contract_error("c"), bm::error);
  CHECK_THROWS_AS(throw bm::evaluation_error("e"), bm::error);
  CHECK_THROWS_AS(throw bm::error("e"), std::runtime_error);
  static_assert(!std::is_base_of_v<bm::contract_error, bm::file_error>);
  static_assert(!std::is_base_of_v<bm::file_error, bm::evaluation_error>);
}
