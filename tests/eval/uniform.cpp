#include "network_rows.hpp"

#include <batchmate/eval/uniform.hpp>

#include <doctest/doctest.h>

#include <numeric>

using namespace batchmate;

TEST_CASE("every position is even and every legal action equally good") {
  using G = random_position<1, 2, 3, 70, 0>;
  filled_batch<G> filled(numbered_positions<G>(9));
  uniform evaluator;
  auto const view = filled.view();
  evaluator.submit(0, view);
  evaluator.wait(0);
  for (int b = 0; b < view.count; ++b) {
    int const legal = view.rows[b].legal.count();
    CHECK(view.values[b] == 0);
    CHECK(std::accumulate(view.priors_of(b), view.priors_of(b) + legal, 0.0f) == doctest::Approx(1));
    for (int i = 0; i < legal; ++i) CHECK(view.priors_of(b)[i] == view.priors_of(b)[0]);
    CHECK(view.priors_of(b)[legal] == 9.0f);  // untouched
  }
  CHECK(evaluator.identity() == "uniform");
  CHECK_FALSE(needs_planes(evaluator));
  static_assert(require_evaluator<uniform, G>());
}
