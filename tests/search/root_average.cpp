#include <batchmate/core/error.hpp>
#include <batchmate/eval/any_evaluator.hpp>
#include <batchmate/eval/cached.hpp>
#include <batchmate/eval/reference.hpp>
#include <batchmate/eval/rollout.hpp>
#include <batchmate/eval/uniform.hpp>
#include <batchmate/game/tictactoe.hpp>
#include <batchmate/net/random_network.hpp>
#include <batchmate/search/gumbel.hpp>
#include <batchmate/search/puct.hpp>
#include <batchmate/search/puct_graph.hpp>
#include <batchmate/search/root_average.hpp>
#include <batchmate/search/top_k.hpp>

#include "../support/drive.hpp"
#include "../support/fake_network.hpp"
#include "../support/moving_network.hpp"
#include "../support/nim.hpp"
#include "../support/same_games.hpp"

#include <doctest/doctest.h>

#include <array>
#include <cstring>
#include <set>
#include <vector>

namespace bm = batchmate;

namespace {

using G = bm::tictactoe;  // has all eight symmetries of a square
using moves = std::vector<int>;

/// What an evaluator says of a position, priors by action.
struct opinion {
  std::array<float, G::num_actions> priors{};
  float value = 0;

  bool operator==(opinion const&) const = default;
};

G position_after(moves const& played, int symmetry = 0) {
  G position;
  for (int a : played) position.play(G::symmetric_action(symmetry, a));
  return position;
}

template <class E>
opinion ask(E& evaluator, G const& position) {
  bm::batch_buffer<G> buffer(evaluator, 1);
  bm::row_range<G> out(buffer.positions(), buffer.rows(), 1);
  out.next() = position;
  out.push();
  out.encode();
  evaluator.submit(0, buffer.view(0, 1));
  opinion said;
  said.value = *buffer.view(0, 1).values;
  float const* prior = buffer.view(0, 1).priors;
  position.legal_actions().for_each([&](int a) { said.priors[a] = *prior++; });
  return said;
}

/// The mean over boards that are played as the symmetry has them.
template <class E>
opinion mean_by_hand(E& evaluator, moves const& played) {
  std::array<double, G::num_actions> sums{};
  double value = 0;
  for (int s = 0; s < 8; ++s) {
    opinion const said = ask(evaluator, position_after(played, s));
    value += said.value;
    for (int a = 0; a < G::num_actions; ++a) sums[a] += said.priors[G::symmetric_action(s, a)];
  }
  opinion mean;
  mean.value = static_cast<float>(value / 8);
  for (int a = 0; a < G::num_actions; ++a) mean.priors[a] = static_cast<float>(sums[a] / 8);
  return mean;
}

/// A fake network that has the mean ready for one position.
struct prepared {
  fake_network network{};
  bm::row<G> root{};
  opinion mean{};

  prepared(moves const& played) {
    G const position = position_after(played);
    root.legal = position.legal_actions();
    root.encode(position);
    mean = mean_by_hand(network, played);
  }
  void submit(int slot, bm::batch<G> const& rows) const {
    network.submit(slot, rows);
    for (int b = 0; b < rows.count; ++b) {
      if (std::memcmp(rows.rows + b, &root, sizeof(root)) != 0) continue;
      rows.values[b] = mean.value;
      float* prior = rows.priors_of(b);
      root.legal.for_each([&](int a) { *prior++ = mean.priors[a]; });
    }
  }
  void wait(int) const {}
  std::string identity() const { return "prepared"; }
};

/// One search of a position; `rows` of it were evaluated.
struct outcome {
  bm::decision<G> decided;
  int rows;
};

template <class S, class E>
outcome search(S const& settings, moves const& played, E evaluator, int capacity) {
  typename S::template tree<G> tree(settings);
  bm::batch_buffer<G> buffer(evaluator, capacity);
  tree.start(bm::random_key{4}, 2);
  outcome found{};
  found.rows = search_one_move(tree, position_after(played), evaluator, buffer, capacity);
  tree.decide(found.decided);
  return found;
}

/// What a puct tree holds of its root's network, by action.
opinion root_of(bm::puct::tree<G> const& tree) {
  bm::node_arena const& nodes = tree.nodes();
  opinion seen;
  seen.value = nodes[0].own_value;
  for (int i = 0; i < nodes[0].num_edges; ++i)
    seen.priors[nodes.actions(nodes[0])[i]] = nodes.priors(nodes[0])[i];
  return seen;
}

bm::reference small_network() {
  bm::network_extents extents;
  extents.input = G::input;
  extents.num_actions = G::num_actions;
  extents.blocks = 1;
  extents.channels = extents.policy_channels = extents.value_channels = 3;
  extents.hidden = 4;
  bm::reference network(bm::random_network(extents, 3));
  network.reserve({bm::layout_of<G>(), 1, 4});
  return network;
}

bm::puct const plain{.simulations = 100, .root_symmetries = 8, .noise_fraction = 0};

}  // namespace

TEST_CASE_TEMPLATE("a search goes by the mean as if the evaluator had said it", S, bm::puct, bm::gumbel,
                   bm::puct_graph, bm::top_k) {
  for (moves const& played : {moves{}, moves{0, 4}, moves{1, 5, 3}})
    for (int capacity : {1, 3, 16}) {
      S settings;
      outcome const expected = search(settings, played, prepared(played), capacity);
      settings.root_symmetries = 8;
      outcome const found = search(settings, played, fake_network{}, capacity);
      CHECK(found.rows == expected.rows + 7);
      CHECK(found.decided.policy == expected.decided.policy);
      CHECK(found.decided.value == expected.decided.value);
      CHECK(found.decided.raw_value == expected.decided.raw_value);
      CHECK(found.decided.action == expected.decided.action);
      CHECK(found.decided.surprise == expected.decided.surprise);
      CHECK(found.decided.simulations == expected.decided.simulations);
    }
}

TEST_CASE_TEMPLATE("an evaluator that moves rows itself changes nothing", S, bm::puct, bm::gumbel,
                   bm::puct_graph, bm::top_k) {
  S settings;
  settings.root_symmetries = 5;
  for (int capacity : {1, 16}) {
    moving_network const moving{bm::symmetries_of<G>()};
    outcome const expected = search(settings, {1, 5, 3}, fake_network{}, capacity);
    outcome const found = search(settings, {1, 5, 3}, moving, capacity);
    CHECK(*moving.named >= 4);
    CHECK(found.rows == expected.rows);
    CHECK(found.decided.policy == expected.decided.policy);
    CHECK(found.decided.value == expected.decided.value);
    CHECK(found.decided.raw_value == expected.decided.raw_value);
  }
}

TEST_CASE("a network's opinions of all images of the board are averaged, with leaves in flight, too") {
  bm::reference network = small_network();
  moves const played{0, 4, 1};
  for (int leaves : {1, 3}) {
    bm::puct settings = plain;
    settings.leaves = leaves;
    bm::puct::tree<G> tree(settings);
    bm::batch_buffer<G> buffer(network, 4);
    tree.start(bm::random_key{}, 0);
    search_one_move(tree, position_after(played), network, buffer, 4);
    opinion const mean = mean_by_hand(network, played);
    CHECK(root_of(tree) == mean);
    CHECK(mean != ask(network, position_after(played)));
  }
}

TEST_CASE("a turned board has turned priors, and the same value") {
  bm::reference network = small_network();
  moves const played{0, 4, 1};
  bm::batch_buffer<G> buffer(network, 1);
  for (int s = 1; s < 8; ++s) {
    bm::puct::tree<G> tree(plain), turned(plain);
    tree.start(bm::random_key{}, 0);
    turned.start(bm::random_key{}, 0);
    search_one_move(tree, position_after(played), network, buffer, 1);
    search_one_move(turned, position_after(played, s), network, buffer, 1);
    opinion const one = root_of(tree), other = root_of(turned);
    CHECK(one.value == other.value);
    for (int a = 0; a < G::num_actions; ++a) CHECK(one.priors[a] == other.priors[G::symmetric_action(s, a)]);
  }
}

TEST_CASE("a root that is kept from the tree before is evaluated again, and nothing else of it changes") {
  fake_network network;
  bm::puct::tree<G> tree(plain);
  bm::batch_buffer<G> buffer(network, 1);
  tree.start(bm::random_key{}, 0);
  search_one_move(tree, G{}, network, buffer, 1);
  bm::decision<G> decided;
  tree.decide(decided);
  tree.advance(decided.action);
  bm::tree_node const before = tree.nodes()[0];
  moves const played{decided.action};
  REQUIRE(before.num_edges > 0);
  REQUIRE(before.num_children > 1);
  CHECK(root_of(tree) == ask(network, position_after(played)));

  for (int row = 0; row < 8; ++row) {
    CHECK_FALSE(tree.done());
    CHECK(root_of(tree) == ask(network, position_after(played)));
    bm::row_range<G> out(buffer.positions(), buffer.rows(), 1);
    tree.collect(position_after(played), out);
    REQUIRE(out.used() == 1);
    out.encode();
    network.submit(0, buffer.view(0, 1));
    tree.absorb(buffer.view(0, 1));
  }
  opinion const mean = mean_by_hand(network, played);
  CHECK(root_of(tree) == mean);
  bm::tree_node const& after = tree.nodes()[0];
  CHECK(after.visits == before.visits);
  CHECK(after.value_sum == doctest::Approx(before.value_sum - before.own_value + mean.value));
  float const* const priors = tree.nodes().priors(after);
  for (int i = 0; i < after.num_children; ++i) {
    auto const visits = static_cast<float>(tree.nodes()[tree.nodes().child(after)[i]].visits);
    CHECK(tree.nodes().u(after)[i] == priors[i] / (1 + visits));
  }
  for (int i = after.num_children + 1; i < after.num_edges; ++i) CHECK(priors[i - 1] >= priors[i]);
  int const simulations = plain.simulations - static_cast<int>(before.visits) + 1;
  search_one_move(tree, position_after(played), network, buffer, 1);
  tree.decide(decided);
  CHECK(decided.simulations == simulations);
}

TEST_CASE("cheap searches are not averaged") {
  bm::puct settings{.simulations = 20, .full_share = 0, .cheap_simulations = 4};
  int const rows = search(settings, {}, fake_network{}, 1).rows;
  settings.root_symmetries = 8;
  CHECK(search(settings, {}, fake_network{}, 1).rows == rows);
  settings.full_share = 1;
  CHECK(search(settings, {}, fake_network{}, 1).rows > rows + 7);
}

TEST_CASE("fewer symmetries than the game has are drawn anew for every root, each at most once") {
  bm::root_average<G> average(3);
  G positions[3];
  bm::row<G> rows[3];
  float values[3] = {}, priors[3 * G::num_actions] = {};
  std::set<std::set<std::uint64_t>> seen;
  for (std::uint64_t root = 0; root < 60; ++root) {
    average.begin(bm::random_key{root});
    bm::row_range<G> out(positions, rows, 3);
    average.collect(position_after({0, 1, 5}), out, 100);
    CHECK(out.used() == 3);
    out.encode();
    std::set<std::uint64_t> shown;
    for (auto const& r : rows) shown.insert(r.planes.words[0] << 16 | r.planes.words[1]);
    CHECK(shown.size() == 3);
    seen.insert(shown);
    CHECK(average.absorb({3, positions, rows, values, priors}));
    CHECK_FALSE(average.waiting());
  }
  CHECK(seen.size() > 30);  // of 56
}

TEST_CASE(
    "an evaluator that reads positions sees the root as it is, and one whose opinion is the same changes "
    "nothing") {
  bm::puct settings{.simulations = 20, .reuse_tree = false};
  auto const play = [&](bm::any_evaluator<G> evaluator) {
    bm::self_play players{G{}, settings, any_batching(bm::lockstep{.games = 3}), evaluator};
    return players.run({.episodes = 10}, [](bm::episode<G> const&) {});
  };
  for (bm::any_evaluator<G> const& evaluator :
       {bm::any_evaluator<G>(bm::uniform{}), bm::any_evaluator<G>(bm::rollout{.playouts = 2})}) {
    settings.root_symmetries = 1;
    bm::statistics const before = play(evaluator);
    settings.root_symmetries = 8;
    bm::statistics const after = play(evaluator);
    CHECK(after.episodes_hash == before.episodes_hash);
    CHECK(after.simulations == before.simulations);
    CHECK(after.boards == before.boards + 7 * before.simulations / 20);
  }
}

TEST_CASE("means of roots are the same under all batching") {
  bm::puct const search{.simulations = 12,
                        .root_symmetries = 5,
                        .root_temperature = 1.1f,
                        .full_share = 0.7f,
                        .cheap_simulations = 3,
                        .prove = true,
                        .leaves = 3};
  check_same_games<G>(search, "fake", fake_network{}, 3);
  check_same_games<G>(search, "cached", bm::cached(fake_network{}, {.entries = 64}), 7);
  moving_network const moving{bm::symmetries_of<G>()}, below{bm::symmetries_of<G>()};
  check_same_games<G>(search, "moving", moving, 7);
  check_same_games<G>(search, "cached, moving", bm::cached(below, {.entries = 64}), 7);
  auto const hash = [&](bm::any_evaluator<G> const& evaluator, auto const& batching) {
    return hash_of_games<G>(bm::any_search<G>(search), any_batching(batching), evaluator, 2);
  };
  std::uint64_t const expected = hash(fake_network{}, bm::immediate{});
  CHECK(hash(moving, bm::lockstep{.games = 9}) == expected);
  CHECK(hash(bm::cached(below), bm::lockstep{.games = 9}) == expected);
  CHECK(*moving.named > 1000);
  CHECK(*below.named > 1000);
}

TEST_CASE("a queue in front of an evaluator that moves rows hands them on as they are") {
  bm::puct const search{.simulations = 8, .root_symmetries = 8};
  moving_network const moving{bm::symmetries_of<G>()};
  CHECK(hash_of_games<G>(search, bm::shared_queue{.games = 12, .max_batch = 7}, moving, 2) ==
        hash_of_games<G>(search, bm::immediate{}, fake_network{}, 1));
  CHECK(*moving.named > 100);
}

TEST_CASE("a game without symmetries has no means, and a count must be positive") {
  CHECK_NOTHROW(bm::puct::tree<nim>({.root_symmetries = 1}));
  CHECK_THROWS_WITH_AS(bm::puct::tree<nim>({.root_symmetries = 2}),
                       doctest::Contains("without symmetries, got 2"), bm::contract_error);
  CHECK_THROWS_AS((bm::puct{.root_symmetries = 0}.check()), bm::contract_error);
  CHECK_THROWS_AS((bm::gumbel{.root_symmetries = 0}.check()), bm::contract_error);
  CHECK_THROWS_AS((bm::puct_graph{.root_symmetries = -1}.check()), bm::contract_error);
  CHECK_THROWS_AS((bm::top_k{.root_symmetries = 0}.check()), bm::contract_error);
}

TEST_CASE_TEMPLATE("the setting is part of a search's name and memory when it is on", S, bm::puct, bm::gumbel,
                   bm::puct_graph, bm::top_k) {
  S const one{};
  S many{};
  many.root_symmetries = 8;
  CHECK(one.identity().find("root_symmetries") == std::string::npos);
  CHECK(many.identity().find("root_symmetries=8") != std::string::npos);
  CHECK(many.template tree_bytes<G>() ==
        one.template tree_bytes<G>() + bm::root_average<G>::bytes(many.root_symmetries));
}
