#include <batchmate/cuda/arithmetic.hpp>
#include <batchmate/eval/heads.hpp>

#include "../eval/network_rows.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

namespace bm = batchmate;
using namespace bm::cuda;

namespace {

using position = random_position<11, 6, 13, 200, 3>;

/// The softmax of one row as a warp computes it.
std::vector<float> warp_softmax(std::vector<float> const& logits, bm::action_set<200> const& legal) {
  std::vector<float> priors(200, 9.0f);
  float largest = -INFINITY, part[lanes];
  for (int l = 0; l < lanes; ++l)
    largest = std::max(largest, look_at_logits(logits.data(), {}, legal.words, 200, l).largest);
  for (int l = 0; l < lanes; ++l) part[l] = exp_sum_of_lane(logits.data(), {}, legal.words, 200, l, largest);
  float const sum = sum_over_lanes(part);
  for (int l = 0; l < lanes; ++l)
    write_priors_of_lane(logits.data(), {}, legal.words, 200, l, largest, sum, legal.count(), priors.data());
  return priors;
}

}  // namespace

TEST_CASE_TEMPLATE("unpacking gives planes as 0 and 1, then globals, then zeros, sixteen bytes at a time",
                   Element, __half, __nv_bfloat16, float) {
  static_assert(sizeof(packet<Element>) == 16);
  auto const layout = bm::layout_of<position>();
  filled_batch<position> batch(numbered_positions<position>(5));
  for (int b = 0; b < 5; ++b)
    for (int cell = 0; cell < 6 * 13; ++cell)
      for (int first = 0; first < 16; first += packet<Element>::size) {
        auto const found = unpack_cell<Element>(batch.view().raw().row(b), layout, cell, first);
        for (int i = 0; i < packet<Element>::size; ++i) {
          int const channel = first + i;
          auto const& row = batch.rows[static_cast<std::size_t>(b)];
          float expected = 0;
          if (channel < 11)
            expected = row.planes.test(channel, cell / 13, cell % 13) ? 1.0f : 0.0f;
          else if (channel < 14)
            expected = widen(narrow<Element>(row.globals[static_cast<std::size_t>(channel - 11)]));
          REQUIRE(widen(found.at[i]) == expected);
        }
      }
}

TEST_CASE("the lanes' softmax is that of the host's heads, in legal order, with zeros behind") {
  bm::random_stream random(bm::random_key{3});
  for (int turn = 0; turn < 50; ++turn) {
    std::vector<float> logits(200), expected(200);
    for (auto& x : logits) x = 20 * (random.uniform() - 0.5f);
    bm::action_set<200> legal;
    for (int a = 0; a < 200; ++a)
      if (random.below(50) < static_cast<std::uint32_t>(turn)) legal.set(a);
    legal.set(static_cast<int>(random.below(200)));
    int const count = bm::softmax_legal(logits.data(), legal.words, 200, expected.data());
    auto const found = warp_softmax(logits, legal);
    for (int i = 0; i < count; ++i)
      REQUIRE(found[static_cast<std::size_t>(i)] ==
              doctest::Approx(expected[static_cast<std::size_t>(i)]).epsilon(1e-5));
    for (int i = count; i < 200; ++i) REQUIRE(found[static_cast<std::size_t>(i)] == 0);
  }
}

TEST_CASE("without a legal action all priors are zero") {
  for (float const p : warp_softmax(std::vector<float>(200, 1.0f), {})) CHECK(p == 0);
}

TEST_CASE("logits that are not finite are seen, but only those of legal actions") {
  std::vector<float> logits(200, 0.0f);
  bm::action_set<200> legal;
  legal.set(37);
  legal.set(69);
  float const inf = std::numeric_limits<float>::infinity(), nan = std::numeric_limits<float>::quiet_NaN();
  for (float const bad : {inf, -inf, nan}) {
    logits[37] = bad;
    CHECK_FALSE(look_at_logits(logits.data(), {}, legal.words, 200, 5).finite);
    CHECK(look_at_logits(logits.data(), {}, legal.words, 200, 6).finite);
    logits[37] = 0;
    logits[101] = bad;
    CHECK(look_at_logits(logits.data(), {}, legal.words, 200, 5).finite);
    logits[101] = 0;
  }
}

TEST_CASE("a legal action's rank is the number of legal actions before it") {
  bm::random_stream random(bm::random_key{9});
  bm::action_set<200> legal;
  for (int a = 0; a < 200; ++a)
    if (random.below(3) > 0) legal.set(a);
  int rank = 0;
  legal.for_each([&](int a) { CHECK(legal_rank(legal.words, a) == rank++); });
}

TEST_CASE("the value is that of the host's heads, for three outputs and for one") {
  bm::random_stream random(bm::random_key{4});
  for (int turn = 0; turn < 200; ++turn) {
    float outputs[3];
    for (auto& x : outputs) x = 40 * (random.uniform() - 0.5f);
    for (int const count : {1, 3}) {
      float const found = value_of(outputs[0], outputs[1], outputs[2], count);
      CHECK(found == doctest::Approx(bm::value_from_outputs(outputs, count)).epsilon(1e-5));
      CHECK(std::abs(found) <= 1);
    }
  }
  CHECK(std::isnan(value_of(std::nanf(""), 0, 0, 3)));
  CHECK(std::isnan(value_of(std::nanf(""), 0, 0, 1)));
}

TEST_CASE("lanes add up to the whole, in the order of a warp's butterflies") {
  std::vector<float> a(150), b(150);
  bm::random_stream random(bm::random_key{5});
  double expected = 0;
  for (std::size_t i = 0; i < 150; ++i) {
    a[i] = random.uniform() - 0.5f;
    b[i] = random.uniform();
    expected += static_cast<double>(a[i]) * static_cast<double>(b[i]);
  }
  float part[lanes], butterfly[lanes];
  for (int l = 0; l < lanes; ++l) butterfly[l] = part[l] = dot_of_lane(a.data(), b.data(), 150, l);
  for (int d = lanes / 2; d > 0; d /= 2) {
    float next[lanes];
    for (int l = 0; l < lanes; ++l) next[l] = butterfly[l] + butterfly[l ^ d];
    std::copy(next, next + lanes, butterfly);
  }
  float const found = sum_over_lanes(part);
  CHECK(static_cast<double>(found) == doctest::Approx(expected).epsilon(1e-5));
  for (float const x : butterfly) CHECK(x == found);  // every lane has the same bits
}

TEST_CASE("a row's symmetry is drawn from the row and the seed alone, and all of them occur") {
  filled_batch<position> batch(numbered_positions<position>(200));
  auto const layout = bm::layout_of<position>();
  symmetry_choice const choice{8, true, 1}, reseeded{8, true, 2};
  int seen[8] = {}, other = 0;
  for (int b = 0; b < 200; ++b) {
    int const s = symmetry_of(batch.view().raw().row(b), layout, choice);
    REQUIRE((s >= 0 && s < 8));
    ++seen[s];
    CHECK(symmetry_of(batch.view().raw().row(b), layout, choice) == s);
    other += symmetry_of(batch.view().raw().row(b), layout, reseeded) != s;
  }
  for (int const n : seen) CHECK(n > 8);
  CHECK(other > 140);
}

TEST_CASE("a row's symmetry is the one that it names, if there is such a one") {
  filled_batch<position> batch(numbered_positions<position>(1));
  auto const layout = bm::layout_of<position>();
  for (std::uint64_t const named : {0u, 1u, 7u}) {
    batch.rows[0].symmetry = named;
    CHECK(symmetry_of(batch.view().raw().row(0), layout, {.count = 8}) == static_cast<int>(named));
  }
  for (std::uint64_t const named : {std::uint64_t{8}, std::uint64_t{1} << 32, ~std::uint64_t{0}}) {
    batch.rows[0].symmetry = named;
    CHECK(symmetry_of(batch.view().raw().row(0), layout, {.count = 8}) == 0);
  }
}

TEST_CASE("inputs of a dense layer are found where the head's convolution leaves them") {
  dense_shape const s{6, 4, 128, 2, 8, 24, false};  // 3 cells of 8 channels, of which 2 are taken
  std::vector<float> x(48);
  for (std::size_t i = 0; i < 48; ++i) x[i] = static_cast<float>(i);
  std::vector<float> found;
  for (int i = 0; i < 6; ++i) found.push_back(dense_input_at(s, x.data(), 1, i));
  CHECK(found == std::vector<float>{24, 25, 32, 33, 40, 41});
}
