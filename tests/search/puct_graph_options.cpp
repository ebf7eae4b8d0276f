#include <batchmate/search/puct_graph_options.hpp>

#include "../support/fields.hpp"

#include <doctest/doctest.h>

#include <set>
#include <string>

namespace bm = batchmate;

TEST_CASE("every setting is passed on to puct, under the name that it has there") {
  std::set<std::string> of_puct;
  for_each_field<bm::puct>([&](auto const& field) { of_puct.insert(field.name); });
  for_each_field<bm::puct_graph>([&](auto const& field) {
    CAPTURE(field.name);
    CHECK(of_puct.contains(field.name));
    bm::puct_graph changed;
    change(changed.*field.place);
    CHECK(changed.as_puct().identity() != bm::puct_graph{}.as_puct().identity());
    CHECK(changed.identity() != bm::puct_graph{}.identity());
  });
}

TEST_CASE("settings out of range are refused") {
  CHECK_THROWS_AS(bm::puct_graph{.full_share = 0.5f}.check(), bm::contract_error);
  CHECK_THROWS_AS(bm::puct_graph{.forced_playouts = -1}.check(), bm::contract_error);
  CHECK_THROWS_AS(bm::puct_graph{.resign_below = -2}.check(), bm::contract_error);
  CHECK_NOTHROW(bm::puct_graph{.full_share = 0.5f, .cheap_simulations = 20}.check());
}
