#include "naive_network.hpp"
#include "network_rows.hpp"

#include <batchmate/eval/heads.hpp>

#include <doctest/doctest.h>

#include <cmath>
#include <cstring>
#include <vector>

using namespace batchmate;

TEST_CASE("softmax runs over the legal actions in ascending order") {
  std::vector<float> logits(130, 100.0f);
  logits[1] = 1, logits[64] = 2, logits[129] = 0;
  std::uint64_t const legal[] = {2, 1, 2};
  float priors[4] = {9, 9, 9, 9};
  CHECK(softmax_legal(logits.data(), legal, 130, priors) == 3);
  double const total = std::exp(1.0) + std::exp(2.0) + 1;
  CHECK(priors[0] == doctest::Approx(std::exp(1.0) / total));
  CHECK(priors[1] == doctest::Approx(std::exp(2.0) / total));
  CHECK(priors[2] == doctest::Approx(1 / total));
  CHECK(priors[3] == 9);
}

TEST_CASE("softmax neither overflows nor fails on one action or none") {
  float const logits[] = {1e30f, -1e30f, 1e30f};
  float priors[3];
  std::uint64_t legal = 7;
  softmax_legal(logits, &legal, 3, priors);
  CHECK(priors[0] == 0.5f);
  CHECK(priors[1] == 0.0f);
  CHECK(priors[2] == 0.5f);
  legal = 2;
  CHECK(softmax_legal(logits, &legal, 3, priors) == 1);
  CHECK(priors[0] == 1.0f);
  legal = 0;
  CHECK(softmax_legal(logits, &legal, 3, priors) == 0);
}

TEST_CASE("the value is win minus loss, or a tanh") {
  float const wdl[] = {1, 0, -1}, lost[] = {-1e30f, 0, 1e30f}, scalar[] = {0.5f};
  double const total = std::exp(1.0) + 1 + std::exp(-1.0);
  CHECK(value_from_outputs(wdl, 3) == doctest::Approx((std::exp(1.0) - std::exp(-1.0)) / total));
  CHECK(value_from_outputs(lost, 3) == -1.0f);
  CHECK(value_from_outputs(scalar, 1) == doctest::Approx(std::tanh(0.5)));
}

TEST_CASE("a network that does not fit the game is refused in a sentence") {
  using game_type = random_position<2, 3, 4, 5, 1>;
  network net = random_network(extents_for<game_type>(1, 4), 1);
  row_layout const layout = layout_of<game_type>();
  CHECK_NOTHROW(check_fits(net, layout));
  CHECK_NOTHROW(check_fits(net, layout, "any game"));
  net.game = "some game";
  CHECK_NOTHROW(check_fits(net, layout, "some game"));
  CHECK_THROWS_WITH_AS(check_fits(net, layout, "other game"),
                       "network random:1x4:1 is for some game, but the game is other game", contract_error);
  row_layout other = layout;
  other.num_actions = 6;
  CHECK_THROWS_WITH_AS(check_fits(net, other),
                       "network random:1x4:1 gives priors for 5 actions, but the game has 6", contract_error);
  other = layout;
  other.input.columns = 3;
  CHECK_THROWS_WITH_AS(
      check_fits(net, other),
      "network random:1x4:1 takes 2 planes of 3 x 4 and 1 globals, but the game has 2 planes of 3 x "
      "3 and 1 globals",
      contract_error);
}

TEST_CASE("both heads agree with their definition, for every layout of the tower and any number of rows") {
  using game_type = random_position<2, 3, 5, 70, 0>;
  for (int const value_outputs : {3, 1}) {
    network_extents extents = extents_for<game_type>(0, 12);
    extents.policy_channels = 3, extents.value_channels = 5, extents.hidden = 21,
    extents.value_outputs = value_outputs;
    network const net = random_network(extents, 5);
    heads const both(net);
    constexpr int rows = 19, cells = 15, channels = 12;
    filled_batch<game_type> filled(numbered_positions<game_type>(rows));
    std::vector<float> tower(rows * cells * channels);  // (rows, C, H, W)
    random_stream random(random_key{4});
    for (float& x : tower) x = random.uniform();
    std::vector<float> scratch(both.scratch_floats());
    for (int const block : {1, 4, 12}) {
      CAPTURE(block);
      std::vector<float> arranged(tower.size());
      for (int r = 0; r < rows; ++r)
        for (int c = 0; c < channels; ++c)
          for (int cell = 0; cell < cells; ++cell)
            arranged[static_cast<std::size_t>(r * cells * channels + (c / block * cells + cell) * block +
                                              c % block)] =
                tower[static_cast<std::size_t>((r * channels + c) * cells + cell)];
      auto const view = filled.view();
      auto const row_of_tower = [&](int r) { return arranged.data() + r * cells * channels; };
      both.run(row_of_tower, block, view.raw(), 0, rows, scratch.data());
      double worst = 0;
      for (int b = 0; b < rows; ++b) {
        naive::numbers const x(tower.begin() + b * cells * channels,
                               tower.begin() + (b + 1) * cells * channels);
        auto const expected = naive::heads(net, x, view.rows[b].legal);
        worst = std::max(worst, std::abs(expected.value - view.values[b]));
        for (std::size_t i = 0; i < expected.priors.size(); ++i)
          worst = std::max(worst, std::abs(expected.priors[i] - view.priors_of(b)[i]));
      }
      CHECK(worst < 1e-6);
      auto const values = filled.values, priors = filled.priors;
      for (int first = 0; first < rows; first += 3) {
        int const count = std::min(3, rows - first);
        both.run([&](int r) { return row_of_tower(first + r); }, block, view.raw(), first, count,
                 scratch.data());
      }
      CHECK(std::memcmp(values.data(), filled.values.data(), values.size() * sizeof(float)) == 0);
      CHECK(std::memcmp(priors.data(), filled.priors.data(), priors.size() * sizeof(float)) == 0);
    }
    CHECK(both.memory_bytes() > 4 * (net.policy.weights.size() + net.value_hidden.weights.size()));
  }
}
