#include <batchmate/core/random.hpp>
#include <batchmate/search/improved_policy.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <vector>

namespace bm = batchmate;

namespace {

/// A node as the paper has it: all moves, with values in [0, 1].
struct position {
  double value;
  std::vector<double> priors, q;
  std::vector<int> visits;
  bm::value_transform sigma{};

  /// softmax(log P + sigma(completed)), as its formulas are written.
  std::vector<double> improved() const {
    double sum = 0, sum_priors = 0, sum_values = 0;
    for (std::size_t a = 0; a < priors.size(); ++a) {
      if (visits[a] == 0) continue;
      sum += visits[a];
      sum_priors += priors[a];
      sum_values += priors[a] * q[a];
    }
    double const mixed = (value + sum / sum_priors * sum_values) / (1 + sum);
    double const most = *std::max_element(visits.begin(), visits.end());
    std::vector<double> policy;
    for (std::size_t a = 0; a < priors.size(); ++a)
      policy.push_back(std::log(priors[a]) +
                       (sigma.c_visit + most) * sigma.c_scale * (visits[a] > 0 ? q[a] : mixed));
    double const greatest = *std::max_element(policy.begin(), policy.end());
    double total = 0;
    for (double& p : policy) total += p = std::exp(p - greatest);
    for (double& p : policy) p /= total;
    return policy;
  }
};

/// The same node in an arena. Its visited moves must come first.
struct in_arena {
  bm::node_arena arena;
  float unvisited = 0;

  explicit in_arena(position const& p)
      : arena(static_cast<int>(p.priors.size()) + 1, static_cast<int>(p.priors.size())) {
    bm::tree_node& node = arena[0];
    arena.add_edges(node, static_cast<int>(p.priors.size()));
    node.visits = 1;
    node.own_value = static_cast<float>(2 * p.value - 1);
    for (std::size_t a = 0; a < p.priors.size(); ++a) {
      arena.priors(node)[a] = static_cast<float>(p.priors[a]);
      if (p.visits[a] == 0) {
        unvisited += static_cast<float>(p.priors[a]);
        continue;
      }
      bm::tree_node& child = arena[arena.add_child(0)];
      child.visits = static_cast<std::uint32_t>(p.visits[a]);
      child.value_sum = static_cast<float>(-(2 * p.q[a] - 1) * p.visits[a]);
      arena.refresh(child);
      node.visits += child.visits;
    }
  }
};

/// Moves of descending priors, of which the first few are visited.
position random_position(bm::random_stream& random) {
  position p{double{random.uniform()}, {}, {}, {}, {}};
  std::uint32_t const moves = 1 + random.below(12), visited = 1 + random.below(moves);
  for (std::uint32_t a = 0; a < moves; ++a) {
    p.priors.push_back(std::pow(static_cast<double>(random.uniform()), 1 + random.below(9)) + 1e-8);
    p.q.push_back(random.below(4) == 0 ? double(random.below(2)) : double{random.uniform()});
    p.visits.push_back(a < visited ? 1 + static_cast<int>(random.below(30)) : 0);
  }
  double sum = 0;
  for (double prior : p.priors) sum += prior;
  for (double& prior : p.priors) prior /= sum;
  std::sort(p.priors.begin(), p.priors.end(), std::greater<>());
  p.sigma.c_visit = std::array{50.0f, 25.0f, 0.0f}[random.below(3)];
  p.sigma.c_scale = std::array{1.0f, 0.1f, 3.0f}[random.below(3)];
  return p;
}

}  // namespace

TEST_CASE("the improved policy of a case worked out by hand") {
  // Values 0.2 and, of the visited move, -0.1: 0.6 and 0.45 in [0, 1]; v_mix = (0.6 + 0.45) / 2 = 0.525.
  // Logits and sigma: log 0.5 + 51 * 0.45, log 0.3 + 51 * 0.525, log 0.2 + 51 * 0.525.
  position const p{0.6, {0.5, 0.3, 0.2}, {0.45, 0, 0}, {1, 0, 0}, {}};
  in_arena node(p);
  std::array<double, 3> policy{};
  double const value = bm::improved_policy(node.arena, 0, {}, policy.data());
  CHECK(policy[0] == doctest::Approx(0.0213526).epsilon(1e-5));
  CHECK(policy[1] == doctest::Approx(0.5871885).epsilon(1e-5));
  CHECK(policy[2] == doctest::Approx(0.3914590).epsilon(1e-5));
  CHECK(value == doctest::Approx(0.0467971).epsilon(1e-5));  // 0.0213526 * -0.1 + 0.9786475 * 0.05
}

TEST_CASE("improved policies are those of the formulas as written") {
  bm::random_stream random{bm::random_key{1}};
  for (int turn = 0; turn < 20000; ++turn) {
    position const p = random_position(random);
    in_arena const node(p);
    std::vector<double> const expected = p.improved();
    std::vector<double> policy(p.priors.size());
    bm::improved_policy(node.arena, 0, p.sigma, policy.data());
    double sum = 0;
    for (std::size_t a = 0; a < policy.size(); ++a) {
      // Values pass through fp32, and sigma multiplies their errors by up to 120 here.
      REQUIRE(std::abs(policy[a] - expected[a]) < 1e-5);
      sum += policy[a];
    }
    REQUIRE(sum == doctest::Approx(1).epsilon(1e-9));
  }
}

TEST_CASE("a value of the network far above all moves, all visited, changes nothing") {
  position const p{1, {0.5, 0.3, 0.2}, {0.01, 0.02, 0}, {1, 1, 1}, {.c_visit = 50, .c_scale = 60}};
  in_arena const node(p);
  std::array<double, 3> policy{};
  double const value = bm::improved_policy(node.arena, 0, p.sigma, policy.data());
  CHECK(policy[1] == doctest::Approx(1));
  CHECK(value == doctest::Approx(2 * 0.02 - 1));
}

TEST_CASE("the edge taken is that whose visits lag most behind the improved policy") {
  bm::random_stream random{bm::random_key{2}};
  int unvisited = 0;
  for (int turn = 0; turn < 20000; ++turn) {
    position const p = random_position(random);
    in_arena node(p);
    std::vector<double> lack = p.improved();
    for (std::size_t a = 0; a < lack.size(); ++a) lack[a] -= p.visits[a] / double(node.arena[0].visits);
    auto const place = static_cast<std::size_t>(
        bm::most_lacking_edge<12>(node.arena, node.arena[0], node.unvisited, p.sigma));
    REQUIRE(place < lack.size());
    REQUIRE(lack[place] > *std::max_element(lack.begin(), lack.end()) - 1e-5);
    unvisited += p.visits[place] == 0;
  }
  CHECK(unvisited > 1000);
  CHECK(unvisited < 19000);
}

TEST_CASE("of equal edges the first is taken, and without visits the first of all") {
  position p{0.5, {0.25, 0.25, 0.25, 0.25}, {0.5, 0.5, 0.5, 0.5}, {1, 1, 1, 1}, {}};
  auto const taken = [&] {
    in_arena node(p);
    return bm::most_lacking_edge<4>(node.arena, node.arena[0], node.unvisited, p.sigma);
  };
  CHECK(taken() == 0);
  p.visits = {2, 1, 1, 1};
  CHECK(taken() == 1);
  p.visits = {1, 1, 0, 0};
  CHECK(taken() == 2);
  p.visits = {0, 0, 0, 0};
  CHECK(taken() == 0);
}

TEST_CASE("a move that is far better is taken although its prior is the least there is") {
  position p{0.5, {1, 1e-8, 1e-8}, {0, 1, 0}, {9, 1, 0}, {.c_visit = 50, .c_scale = 1}};
  in_arena node(p);
  CHECK(bm::most_lacking_edge<3>(node.arena, node.arena[0], node.unvisited, p.sigma) == 1);
  // Here the moves without visits are better than the bad one: their sum must not be lost in 1 - 0.99999998.
  p = {0.9, {1, 1e-8, 1e-8}, {0, 0, 0}, {1, 0, 0}, {}};
  in_arena unseen(p);
  std::vector<double> const policy = p.improved();
  CHECK(policy[1] - 0 > policy[0] - 0.5);
  CHECK(bm::most_lacking_edge<3>(unseen.arena, unseen.arena[0], unseen.unvisited, p.sigma) == 1);
}
