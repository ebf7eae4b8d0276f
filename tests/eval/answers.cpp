#include <batchmate/eval/answers.hpp>

#include "../support/fake_network.hpp"
#include "../support/nim.hpp"

#include <doctest/doctest.h>

#include <limits>
#include <vector>

namespace bm = batchmate;

namespace {

struct one_row {
  nim position;
  bm::row<nim> row;
  float value = 0.5f;
  float priors[3] = {0.25f, 0.25f, 0.5f};

  one_row() { row.legal = position.legal_actions(); }
  void check() {
    bm::batch<nim> const rows{1, &position, &row, &value, priors};
    bm::check_answers(rows, fake_network{});
  }
};

}  // namespace

TEST_CASE("sums and least numbers of any length agree with adding up and looking") {
  for (int n : {0, 1, 7, 8, 9, 16, 23, 169}) {
    std::vector<float> x(static_cast<std::size_t>(n));
    double expected = 0;
    for (int i = 0; i < n; ++i) expected += x[static_cast<std::size_t>(i)] = static_cast<float>(i % 5) / 8;
    CHECK(bm::sum_and_least(x.data(), n).sum == expected);  // multiples of 1/8: exact
    CHECK(bm::sum_and_least(x.data(), n).least == 0);
    for (int i = 0; i < n; ++i) {
      x[static_cast<std::size_t>(i)] -= 1;
      CHECK(bm::sum_and_least(x.data(), n).least == static_cast<float>(i % 5) / 8 - 1);
      x[static_cast<std::size_t>(i)] += 1;
    }
  }
}

TEST_CASE("answers that keep the contract pass, rounding included") {
  CHECK_NOTHROW(one_row{}.check());
  one_row rounded;
  rounded.value = 1.00001f;
  rounded.priors[0] = 0.2501f;
  CHECK_NOTHROW(rounded.check());
}

TEST_CASE("what is no legal action's prior is not looked at") {
  one_row row;
  row.position.stones = 2;
  row.row.legal = row.position.legal_actions();
  row.priors[1] = 0.75f;
  row.priors[2] = std::numeric_limits<float>::quiet_NaN();
  CHECK_NOTHROW(row.check());
}

TEST_CASE("values outside [-1, 1], priors that do not sum to 1 and NaN are the evaluator's fault") {
  float constexpr nan = std::numeric_limits<float>::quiet_NaN();
  for (float value : {1.01f, -1.01f, nan, std::numeric_limits<float>::infinity()}) {
    one_row row;
    row.value = value;
    CHECK_THROWS_WITH_AS(row.check(), doctest::Contains("evaluator fake: row 0: expected a value"),
                         bm::evaluation_error);
  }
  for (float prior : {0.0f, 0.3f, nan, std::numeric_limits<float>::infinity()}) {
    one_row row;
    row.priors[1] = prior;
    CHECK_THROWS_WITH_AS(row.check(), doctest::Contains("evaluator fake: row 0: expected priors"),
                         bm::evaluation_error);
  }
}

TEST_CASE("negative priors are the evaluator's fault, and rows are counted from where the caller says") {
  one_row row;
  row.priors[0] = -0.25f;
  row.priors[1] = 0.75f;
  bm::batch<nim> const rows{1, &row.position, &row.row, &row.value, row.priors};
  CHECK_THROWS_WITH_AS(
      bm::check_answers(rows, fake_network{}, 11),
      doctest::Contains("evaluator fake: row 11: expected priors that are not negative, found -0.25"),
      bm::evaluation_error);
}

TEST_CASE("a position without legal actions is the game's fault") {
  one_row row;
  row.row.legal = {};
  CHECK_THROWS_WITH_AS(row.check(), doctest::Contains("game:"), bm::contract_error);
}
