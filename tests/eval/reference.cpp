#include "naive_network.hpp"
#include "network_rows.hpp"

#include <batchmate/eval/reference.hpp>

#include <doctest/doctest.h>

#include <cmath>
#include <cstring>
#include <numeric>
#include <vector>

using namespace batchmate;

namespace {

/// A 3x3 kernel with these three numbers in its middle row.
std::vector<float> middle_row(float left, float centre, float right) {
  return {0, 0, 0, left, centre, right, 0, 0, 0};
}

/// One block and one channel on a board of 1 x 2, small enough for paper.
network paper_network(int value_outputs) {
  network net = network_without_weights({.input = {1, 1, 2},
                                         .num_actions = 2,
                                         .blocks = 1,
                                         .channels = 1,
                                         .policy_channels = 1,
                                         .value_channels = 1,
                                         .hidden = 1,
                                         .value_outputs = value_outputs});
  net.name = "paper";
  net.stem.weights = middle_row(0, 2, 1);
  net.stem.bias = {0};
  net.blocks[0].first.weights = middle_row(3, -1, 0);
  net.blocks[0].first.bias = {1};
  net.blocks[0].second.weights = middle_row(0, 1, 0.5f);
  net.blocks[0].second.bias = {-1};
  net.policy_conv.weights = {2};
  net.policy_conv.bias = {-10};
  net.policy.weights = {1, 1, 0, 2};
  net.policy.bias = {0.5f, 0};
  net.value_conv.weights = {1};
  net.value_conv.bias = {0};
  net.value_hidden.weights = {1, -0.5f};
  net.value_hidden.bias = {0.25f};
  net.value.weights = value_outputs == 3 ? std::vector<float>{1, 0, -1} : std::vector<float>{0.5f};
  net.value.bias.assign(static_cast<std::size_t>(value_outputs), 0.0f);
  return net;
}

/// A stone in the first of two cells, both actions legal.
struct two_cells {
  static constexpr int num_actions = 2;
  static constexpr shape input{1, 1, 2};
  static constexpr int max_plies = 1;
  action_set<2> legal_actions() const { return action_set<2>::all(); }
  void play(int) {}
  std::optional<float> result() const { return std::nullopt; }
  void encode(plane_bits<input>& planes) const { planes.set(0, 0, 0); }
};

template <game G>
void evaluate(reference evaluator, filled_batch<G>& filled, int at_once) {
  int const count = static_cast<int>(filled.rows.size());
  evaluator.reserve({layout_of<G>(), 2, at_once});
  for (int first = 0, slot = 0; first < count; first += at_once, slot ^= 1) {
    evaluator.submit(slot, filled.view().slice(first, std::min(at_once, count - first)));
    evaluator.wait(slot);
  }
}

}  // namespace

TEST_CASE("a network of one block and one channel is computed as on paper") {
  // stem      [2*1 + 1*0, 2*0]                 = [2, 0]
  // first     relu[-2 + 1, 0 + 3*2 + 1]        = [0, 7]
  // second    relu[0 + 7/2 - 1 + 2, 7 - 1 + 0] = [4.5, 6]
  // policy    relu[2*4.5 - 10, 2*6 - 10] = [0, 2], logits [0 + 2 + 0.5, 2*2] = [2.5, 4]
  // value     relu(4.5 - 6/2 + 0.25) = 1.75
  filled_batch<two_cells> filled({two_cells{}});
  evaluate(reference(paper_network(1)), filled, 1);
  CHECK(filled.priors[0] == doctest::Approx(1 / (1 + std::exp(1.5))));
  CHECK(filled.priors[1] == doctest::Approx(1 / (1 + std::exp(-1.5))));
  CHECK(filled.values[0] == doctest::Approx(std::tanh(0.875)));
  evaluate(reference(paper_network(3)), filled, 1);
  double const won = std::exp(1.75), lost = std::exp(-1.75);
  CHECK(filled.values[0] == doctest::Approx((won - lost) / (won + 1 + lost)));
}

TEST_CASE_TEMPLATE("it agrees with a second implementation in double precision", G,
                   random_position<1, 1, 1, 1, 0>, random_position<3, 4, 6, 7, 0>,
                   random_position<2, 9, 9, 82, 3>, random_position<4, 2, 5, 65, 2>,
                   random_position<1, 13, 13, 169, 0>) {
  struct tower {
    int blocks, channels;
  };
  for (tower const t : {tower{0, 3}, tower{2, 16}, tower{1, 20}, tower{6, 8}})
    for (int const value_outputs : {3, 1}) {
      network_extents extents = extents_for<G>(t.blocks, t.channels);
      extents.value_outputs = value_outputs;
      network const net = random_network(extents, 11);
      filled_batch<G> filled(numbered_positions<G>(4));
      evaluate(reference(net), filled, 4);
      double worst = 0;
      auto const view = filled.view();
      for (int b = 0; b < view.count; ++b) {
        auto const expected = naive::evaluate(net, view.rows[b]);
        worst = std::max(worst, std::abs(expected.value - view.values[b]));
        for (std::size_t i = 0; i < expected.priors.size(); ++i)
          worst = std::max(worst, std::abs(expected.priors[i] - view.priors_of(b)[i]));
      }
      CAPTURE(t.blocks);
      CAPTURE(t.channels);
      CHECK(worst < 1e-5);
    }
}

TEST_CASE("priors are probabilities, values lie in [-1, 1], and both differ from position to position") {
  using G = random_position<3, 7, 7, 49, 0>;
  filled_batch<G> filled(numbered_positions<G>(50));
  evaluate(reference(random_network(extents_for<G>(6, 32), 3)), filled, 50);
  float lowest = 1, highest = -1, sharpest = 0;
  auto const view = filled.view();
  for (int b = 0; b < view.count; ++b) {
    int const legal = view.rows[b].legal.count();
    float const* const priors = view.priors_of(b);
    CHECK(std::accumulate(priors, priors + legal, 0.0f) == doctest::Approx(1).epsilon(1e-5));
    CHECK(*std::min_element(priors, priors + legal) >= 0);
    sharpest = std::max(sharpest, *std::max_element(priors, priors + legal) * static_cast<float>(legal));
    lowest = std::min(lowest, view.values[b]);
    highest = std::max(highest, view.values[b]);
  }
  CHECK(lowest >= -1);
  CHECK(highest <= 1);
  CHECK(highest - lowest > 0.05f);
  CHECK(sharpest > 1.5f);
}

TEST_CASE("activations stay of order 1 in a tower of 20 blocks") {
  using G = random_position<3, 5, 5, 25, 0>;
  filled_batch<G> filled(numbered_positions<G>(20));
  evaluate(reference(random_network(extents_for<G>(20, 32), 1)), filled, 20);
  for (float const value : filled.values) CHECK(std::abs(value) < 0.999f);
}

TEST_CASE("a row has the same bits in every batch, place, slot and copy") {
  using G = random_position<3, 6, 5, 31, 1>;
  filled_batch<G> all(numbered_positions<G>(64));
  reference const evaluator(random_network(extents_for<G>(2, 24), 9));
  evaluate(evaluator, all, 64);
  for (int const at_once : {1, 2, 3, 7, 8, 9, 16, 33}) {
    filled_batch<G> some(all.positions);
    evaluate(evaluator, some, at_once);
    CHECK(std::memcmp(some.values.data(), all.values.data(), all.values.size() * sizeof(float)) == 0);
    bool equal = true;
    for (int b = 0; b < 64; ++b)
      equal =
          equal && std::memcmp(some.view().priors_of(b), all.view().priors_of(b),
                               static_cast<std::size_t>(all.rows[static_cast<std::size_t>(b)].legal.count()) *
                                   sizeof(float)) == 0;
    CHECK(equal);
  }
}

TEST_CASE("it refuses what does not fit, and names itself by its weights") {
  using G = random_position<3, 6, 5, 31, 1>;
  network const net = random_network(extents_for<G>(2, 8), 9);
  reference evaluator(net);
  CHECK_THROWS_AS(evaluator.reserve({layout_of<two_cells>(), 1, 1}), contract_error);
  filled_batch<G> filled(numbered_positions<G>(1));
  CHECK_THROWS_AS(evaluator.submit(0, filled.view()), contract_error);
  network broken = net;
  broken.policy.weights.pop_back();
  CHECK_THROWS_AS(reference{broken}, contract_error);
  network other = net;
  other.blocks[1].second.bias[3] += 1e-6f;
  CHECK(evaluator.identity().starts_with("reference:random:2x8:9:"));
  CHECK(evaluator.identity() == reference(net).identity());
  CHECK(evaluator.identity() != reference(other).identity());
  CHECK(memory_bytes(evaluator, {layout_of<G>(), 1, 1}) > 0);
}
