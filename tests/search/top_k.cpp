#include <batchmate/game/connect4.hpp>
#include <batchmate/game/hex.hpp>
#include <batchmate/game/tictactoe.hpp>
#include <batchmate/search/top_k.hpp>

#include "../support/drive.hpp"
#include "../support/fake_network.hpp"
#include "../support/hash_game.hpp"
#include "../support/nim.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>
#include <vector>

namespace bm = batchmate;

namespace {

/// The fixed-width tree as a recursive function.
template <bm::game G>
struct minimax {
  bm::top_k settings;
  int nodes = 0;  // below the root
  int evaluations = 0;

  struct move {
    int action;
    float prior, value;  // value for the player to move at the root
  };

  /// The network's value of a position; its priors by action.
  float ask(G const& position, std::array<float, G::num_actions>& priors) {
    ++evaluations;
    bm::row<G> row;
    row.legal = position.legal_actions();
    row.encode(position);
    float value = 0, legal_priors[G::num_actions];
    fake_answer(bm::batch<G>{1, &position, &row, &value, legal_priors}.raw(), 0);
    int k = 0;
    row.legal.for_each([&](int a) { priors[static_cast<std::size_t>(a)] = legal_priors[k++]; });
    return value;
  }

  /// The moves kept at a position, best first, with their values.
  std::vector<move> moves(G const& position, bm::random_key key, int level,
                          std::array<float, G::num_actions> const& priors) {
    bm::random_stream random{key};
    std::vector<std::pair<double, int>> ranked;  // by falling score, then by rising action
    position.legal_actions().for_each([&](int a) {
      double score = std::log(double{priors[static_cast<std::size_t>(a)]});
      if (settings.temperature > 0) score += settings.temperature * random.gumbel();
      ranked.emplace_back(-score, a);
    });
    std::sort(ranked.begin(), ranked.end());
    std::size_t const width = static_cast<std::size_t>(settings.widths[static_cast<std::size_t>(level)]);
    if (ranked.size() > width) ranked.resize(width);
    std::vector<move> kept;
    for (auto const& [score, a] : ranked) {
      ++nodes;
      G next = position;
      next.play(a);
      kept.push_back({a, priors[static_cast<std::size_t>(a)],
                      -value(next, key.split(static_cast<std::uint64_t>(a)), level + 1)});
    }
    return kept;
  }

  /// What a position below the root is worth to the player to move there.
  float value(G const& position, bm::random_key key, int level) {
    if (auto const result = position.result()) return *result;
    std::array<float, G::num_actions> priors{};
    float const guess = ask(position, priors);
    if (level == settings.depth()) return guess;
    float best = -1;
    for (move const& m : moves(position, key, level, priors)) best = std::max(best, m.value);
    return best;
  }

  /// The root's moves.
  std::vector<move> search(G const& root, bm::random_key key) {
    nodes = evaluations = 0;
    std::array<float, G::num_actions> priors{};
    ask(root, priors);
    return moves(root, key, 0, priors);
  }
};

template <bm::game G>
void check_decision(bm::decision<G> const& found, std::vector<typename minimax<G>::move> const& moves,
                    bm::top_k const& settings, int ply) {
  auto const best = std::max_element(moves.begin(), moves.end(),
                                     [](auto const& a, auto const& b) { return a.value < b.value; });
  REQUIRE(found.value == best->value);
  std::array<double, G::num_actions> target{};
  double sum = 0;
  for (auto const& m : moves)
    sum += target[static_cast<std::size_t>(m.action)] =
        double{m.prior} * std::exp((double{m.value} - best->value) / settings.target_temperature);
  if (sum == 0) sum = target[static_cast<std::size_t>(best->action)] = 1;
  double total = 0;
  for (std::size_t a = 0; a < target.size(); ++a) {
    REQUIRE(found.policy[a] == doctest::Approx(target[a] / sum).epsilon(1e-4));
    total += found.policy[a];
  }
  REQUIRE(total == doctest::Approx(1));
  double surprise = 0;
  for (auto const& m : moves)
    if (double const share = target[static_cast<std::size_t>(m.action)] / sum; share > 1e-9)
      surprise += share * std::log(share / std::max(m.prior, 1e-6f));
  REQUIRE(found.surprise == doctest::Approx(std::max(surprise, 0.0)).epsilon(1e-3));
  REQUIRE(found.resign == (found.value < settings.resign_below));
  if (ply >= settings.temperature_plies) REQUIRE(found.action == best->action);
  REQUIRE(found.policy[static_cast<std::size_t>(found.action)] >= 0);
}

template <bm::game G>
void compare(bm::top_k const& settings, std::uint64_t number, int capacity) {
  CAPTURE(settings.identity());
  CAPTURE(capacity);
  fake_network network;
  bm::batch_buffer<G> buffer(network, capacity);
  bm::random_key const episode = bm::random_key{23}.split(number);
  bm::top_k::tree<G> tree(settings);
  minimax<G> expected{settings};
  G position{};
  tree.start(episode, 0);
  for (int ply = 0; !position.result(); ++ply) {
    int const rows = search_one_move(tree, position, network, buffer, capacity);
    bm::decision<G> found;
    tree.decide(found);
    auto const moves = expected.search(
        position, episode.split(static_cast<std::uint64_t>(ply)).split(bm::purpose::sampling));
    check_decision<G>(found, moves, settings, ply);
    REQUIRE(found.simulations == expected.nodes);
    REQUIRE(rows == expected.evaluations);
    REQUIRE(position.legal_actions().test(found.action));
    position.play(found.action);
    tree.advance(found.action);
  }
}

}  // namespace

TEST_CASE_TEMPLATE("values and targets are those of a recursive minimax", G, nim, bm::tictactoe, bm::connect4,
                   bm::hex<4>, hash_game<9, 12>, hash_game<80, 6>) {
  int capacity = 0;
  for (std::array<int, 8> widths :
       {std::array<int, 8>{3}, {4, 2}, {2, 3, 2}, {100, 5}, {1, 1, 1, 1}, {6, 10}})
    for (float temperature : {0.0f, 1.0f, 3.0f})
      for (std::uint64_t game = 0; game < 3; ++game)
        compare<G>({.widths = widths,
                    .temperature = temperature,
                    .target_temperature = game == 1 ? 1.0f : 0.1f,
                    .temperature_plies = game == 2 ? 4 : 0,
                    .resign_below = game == 1 ? 0.2f : -1.0f},
                   game, std::array{1, 2, 7, 64}[static_cast<std::size_t>(capacity++ % 4)]);
}

TEST_CASE("the move is drawn from the training target in the first plies, and is the best later") {
  bm::top_k const settings{
      .widths = {3}, .temperature = 0, .target_temperature = 0.5f, .temperature_plies = 1};
  fake_network network;
  bm::batch_buffer<nim> buffer(network, 8);
  bm::top_k::tree<nim> tree(settings);
  std::array<int, 3> drawn{};
  bm::decision<nim> found;
  int const games = 4000;
  for (int game = 0; game < games; ++game) {
    tree.start(bm::random_key{3}.split(static_cast<std::uint64_t>(game)), 0);
    search_one_move(tree, nim{}, network, buffer, 8);
    tree.decide(found);
    ++drawn[static_cast<std::size_t>(found.action)];
  }
  for (std::size_t a = 0; a < 3; ++a)
    CHECK(drawn[a] / double{games} == doctest::Approx(found.policy[a]).epsilon(0.01).scale(3));
  CHECK(*std::max_element(found.policy.begin(), found.policy.end()) < 0.95f);  // there was something to draw
}

TEST_CASE("Gumbel noise takes first moves in proportion to their priors") {
  bm::top_k const settings{.widths = {1}, .temperature = 1};
  fake_network network;
  bm::batch_buffer<nim> buffer(network, 8);
  float priors[3], value = 0;
  nim const root{};
  bm::row<nim> row;
  row.legal = root.legal_actions();
  row.encode(root);
  fake_answer(bm::batch<nim>{1, &root, &row, &value, priors}.raw(), 0);
  bm::top_k::tree<nim> tree(settings);
  std::array<int, 3> taken{};
  int const games = 4000;
  for (int game = 0; game < games; ++game) {
    tree.start(bm::random_key{4}.split(static_cast<std::uint64_t>(game)), 0);
    search_one_move(tree, root, network, buffer, 8);
    bm::decision<nim> found;
    tree.decide(found);
    ++taken[static_cast<std::size_t>(found.action)];
  }
  for (std::size_t a = 0; a < 3; ++a)
    CHECK(taken[a] / double{games} == doctest::Approx(priors[a]).epsilon(0.01).scale(3));
}

TEST_CASE("a zero prior is taken only when nothing else is left") {
  struct zeros {
    void submit(int, bm::batch<nim> const& rows) const {
      for (int b = 0; b < rows.count; ++b) {
        rows.values[b] = 0;
        std::fill_n(rows.priors_of(b), rows.rows[b].legal.count(), 0.0f);
        rows.priors_of(b)[rows.rows[b].legal.count() - 1] = 1;
      }
    }
    void wait(int) const {}
  } evaluator;
  bm::batch_buffer<nim> buffer(evaluator, 4);
  for (int width : {1, 2}) {
    bm::top_k::tree<nim> tree(bm::top_k{.widths = {width}});
    tree.start({}, 0);
    search_one_move(tree, nim{}, evaluator, buffer, 4);
    bm::decision<nim> found;
    tree.decide(found);
    CHECK(found.action == 2);
    CHECK(found.policy[2] == 1);
    CHECK(found.simulations == width);
  }
}

TEST_CASE("settings out of range are refused with the field's name") {
  auto const message = [](bm::top_k const& settings) {
    try {
      settings.check();
    } catch (bm::contract_error const& e) {
      return std::string(e.what());
    }
    return std::string();
  };
  CHECK(message({}).empty());
  CHECK(message({.widths = {0}}).find("widths") != std::string::npos);
  CHECK(message({.widths = {2, -1}}).find("widths") != std::string::npos);
  CHECK(message({.widths = {6, 0, 10}}).find("behind a 0") != std::string::npos);
  CHECK(message({.widths = {60000, 60000, 60000}}).find("last level") != std::string::npos);
  CHECK(message({.temperature = -1}).find("temperature") != std::string::npos);
  CHECK(message({.resign_below = -2}).find("resign_below") != std::string::npos);
  CHECK(message({.target_temperature = 0}).find("target_temperature") != std::string::npos);
  CHECK_THROWS_AS((bm::top_k{.widths = {60000, 60000, 60000}}.max_rows()), bm::contract_error);
  CHECK_THROWS_AS((bm::top_k{.widths = {60000, 60000, 60000}}.max_nodes()), bm::contract_error);
}

TEST_CASE("depth, rows and nodes follow from the widths, and the identity names every setting") {
  bm::top_k const settings{.widths = {6, 10}};
  CHECK(settings.depth() == 2);
  CHECK(settings.max_rows() == 60);
  CHECK(settings.max_nodes() == 67);
  CHECK(bm::top_k{.widths = {1, 2, 3, 1, 2, 3, 1, 2}}.depth() == 8);
  CHECK(settings.identity() != bm::top_k{.widths = {6, 11}}.identity());
  CHECK(settings.identity() != bm::top_k{.temperature = 2}.identity());
  CHECK(settings.identity() != bm::top_k{.target_temperature = 2}.identity());
  CHECK(settings.identity() != bm::top_k{.temperature_plies = 2}.identity());
  CHECK(settings.identity() != bm::top_k{.resign_below = 0}.identity());
}
