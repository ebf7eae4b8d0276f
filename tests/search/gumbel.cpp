#include <batchmate/batch/immediate.hpp>
#include <batchmate/batch/lockstep.hpp>
#include <batchmate/batch/overlapped.hpp>
#include <batchmate/eval/uniform.hpp>
#include <batchmate/game/connect4.hpp>
#include <batchmate/game/tictactoe.hpp>
#include <batchmate/play/self_play.hpp>
#include <batchmate/search/gumbel.hpp>

#include "../support/drive.hpp"
#include "../support/fake_network.hpp"
#include "../support/hash_game.hpp"
#include "../support/nim.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <limits>
#include <map>
#include <memory>
#include <numeric>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace bm = batchmate;

static_assert(bm::search_for<bm::gumbel, nim> && bm::require_search<bm::gumbel, bm::connect4>());

namespace {

/// Answers for nim from a table by the number of stones; the priors are those of taking 1, 2 and 3.
struct nim_table {
  std::array<float, 11> values{};
  std::array<float, 3> priors{0.5f, 0.3f, 0.2f};

  void submit(int, bm::batch<nim> const& rows) const {
    for (int b = 0; b < rows.count; ++b) {
      rows.values[b] = values[static_cast<std::size_t>(rows.positions[b].stones)];
      int const legal = rows.rows[b].legal.count();
      float const sum = std::accumulate(priors.begin(), priors.begin() + legal, 0.0f);
      for (int i = 0; i < legal; ++i) rows.priors_of(b)[i] = priors[static_cast<std::size_t>(i)] / sum;
    }
  }
  void wait(int) const {}
  std::string identity() const { return "table"; }
};

/// What a search says, and how often it visited each move.
template <bm::game G>
struct found : bm::decision<G> {
  std::array<int, G::num_actions> visits{};
};

/// Searches one move.
template <bm::game G, class E>
found<G> think(G const& root, bm::gumbel const& settings, E evaluator, bm::random_key key = {}, int ply = 0,
               int capacity = 64) {
  bm::gumbel::tree<G> tree(settings);
  bm::batch_buffer<G> buffer(evaluator, capacity);
  tree.start(key, ply);
  search_one_move(tree, root, evaluator, buffer, capacity);
  found<G> outcome;
  tree.decide(outcome);
  bm::node_arena const& nodes = tree.nodes();
  for (int i = 0; i < nodes[0].num_children; ++i)
    outcome.visits[nodes.actions(nodes[0])[i]] = static_cast<int>(nodes[nodes.child(nodes[0])[i]].visits);
  return outcome;
}

void check_policy(bm::decision<nim> const& outcome, std::array<double, 3> const& expected) {
  for (std::size_t a = 0; a < 3; ++a) CHECK(std::abs(outcome.policy[a] - expected[a]) < 1e-5);
}

/// The values of the cases worked out by hand; moves lead from 10 stones to 9, 8 or 7.
nim_table const by_hand{{0, 0, 0, 0, 0.25f, 0.3f, -0.5f, 0.06f, -0.04f, 0.1f, 0.2f}};
bm::gumbel quiet(int simulations) { return {.simulations = simulations, .noise_scale = 0}; }

}  // namespace

TEST_CASE("one simulation, by hand: the greatest logit is visited and played") {
  auto const outcome = think(nim{}, quiet(1), by_hand);
  CHECK(outcome.visits == std::array{1, 0, 0});
  CHECK(outcome.action == 0);
  // q = -0.1, v_mix = (0.2 - 0.1) / 2 = 0.05, the weight of a value 51 / 2:
  // 0.5 * exp(-2.55) : 0.3 * exp(1.275) : 0.2 * exp(1.275).
  check_policy(outcome, {0.0213526, 0.5871885, 0.3914590});
  CHECK(std::abs(outcome.value - 0.0467971) < 1e-5);
  CHECK(outcome.raw_value == 0.2f);
  // 0.0213526 * log(0.0213526 / 0.5) + 0.9786474 * log(1.9572949)
  CHECK(std::abs(outcome.surprise - 0.5898898) < 1e-5);
}

TEST_CASE("fewer moves than may be considered, by hand: all are visited, then the best again") {
  auto const outcome = think(nim{}, quiet(4), by_hand);
  // q = -0.1, 0.04, -0.06: log P + 51 * (q + 1) / 2 = 22.257, 25.316, 22.361. The fourth simulation goes on from 8
  // stones by the greatest prior to 7, where our value is 0.06.
  CHECK(outcome.visits == std::array{1, 2, 1});
  CHECK(outcome.action == 1);
  // q = -0.1, 0.05, -0.06 and the weight 52 / 2: 0.5 * exp(-3.9) : 0.3 : 0.2 * exp(-2.86).
  double const a = 0.5 * std::exp(-3.9), c = 0.2 * std::exp(-2.86), sum = a + 0.3 + c;
  check_policy(outcome, {a / sum, 0.3 / sum, c / sum});
  CHECK(std::abs(outcome.value - (-0.1 * a + 0.05 * 0.3 - 0.06 * c) / sum) < 1e-5);
}

TEST_CASE("visits below the root, by hand") {
  auto const outcome = think(nim{}, quiet(7), by_hand);
  // After three visits the last two stay, as above. Both are visited twice more:
  // - 8 stones: first to 7 by prior, ours to move, 0.06. Then the opponent's q is -0.06, v_mix (-0.04 - 0.06) / 2,
  //   improved 0.5 * exp(-0.255) : 0.3 : 0.2 = 0.437, 0.338, 0.225, of which 1/2 is taken off the first:
  //   to 6 stones, -0.5.  q = (0.04 + 0.06 - 0.5) / 3
  // - 7 stones: first to 6 by prior, -0.5 for us. Then the opponent's q is 0.5, v_mix (0.06 + 0.5) / 2, improved
  //   0.996, 0.002, 0.001: to 6 again and on to 5, 0.3 for the opponent.  q = (-0.06 - 0.5 - 0.3) / 3
  CHECK(outcome.visits == std::array{1, 3, 3});
  CHECK(outcome.action == 1);
  // q = -0.1, -0.133333, -0.286667 and the weight 53 / 2.
  check_policy(outcome, {0.7994344, 0.1982930, 0.0022727});
  CHECK(std::abs(outcome.value - -0.1070340) < 1e-5);
}

TEST_CASE("more simulations than halving needs, by hand: the last two are visited in turn") {
  nim_table const table{{0, 0.5f, 0.1f}, {0.6f, 0.4f, 0}};
  auto const outcome = think(nim{2}, quiet(5), table);
  // Taking both wins. After taking one, the opponent's value is 0.5, then 1, because its only move wins. Four
  // simulations are two rounds; the fifth begins another with the better move.
  CHECK(outcome.visits == std::array{2, 3, 0});
  CHECK(outcome.action == 1);
  check_policy(outcome, {0, 1, 0});
  CHECK(std::abs(outcome.value - 1) < 1e-5);
}

TEST_CASE("a single legal move gets all simulations") {
  auto const outcome = think(nim{1}, quiet(9), by_hand);
  CHECK(outcome.visits == std::array{9, 0, 0});
  CHECK(outcome.action == 0);
  CHECK(outcome.policy == std::array<float, 3>{1, 0, 0});
  CHECK(outcome.value == 1);
  CHECK(outcome.surprise == 0);
}

TEST_CASE("a zero prior counts as a very small one") {
  nim_table table = by_hand;
  table.priors = {1, 0, 0};
  auto const outcome = think(nim{}, quiet(1), table);
  // 1 * exp(-2.55) : 1e-8 * exp(1.275) twice
  check_policy(outcome, {0.9999991, 4.583e-7, 4.583e-7});
  CHECK(outcome.policy[1] > 4.5e-7f);
  // A win is found nevertheless: log 1e-8 is -18, and sigma's range is 51 and more.
  CHECK(think(nim{3}, quiet(3), table).action == 2);
}

TEST_CASE("Gumbel noise samples moves by prior, without replacement") {
  int const turns = 20000;
  std::array<int, 3> first{};
  std::map<std::pair<int, int>, int> pairs;
  for (int turn = 0; turn < turns; ++turn) {
    bm::random_key const key = bm::random_key{9}.split(static_cast<std::uint64_t>(turn));
    ++first[static_cast<std::size_t>(think(nim{}, {.simulations = 1}, by_hand, key, 0, 1).action)];
    auto const visits = think(nim{}, {.simulations = 2, .max_considered = 2}, by_hand, key, 0, 1).visits;
    for (int a = 0; a < 3; ++a)
      for (int b = a + 1; b < 3; ++b)
        pairs[{a, b}] += visits[static_cast<std::size_t>(a)] * visits[static_cast<std::size_t>(b)];
  }
  auto const& p = by_hand.priors;
  for (std::size_t a = 0; a < 3; ++a) {
    CHECK(std::abs(first[a] / double{turns} - p[a]) < 0.015);
    for (std::size_t b = a + 1; b < 3; ++b)
      CHECK(std::abs(pairs[{a, b}] / double{turns} - p[a] * p[b] * (1 / (1 - p[a]) + 1 / (1 - p[b]))) <
            0.015);
  }
}

namespace {

/// The search as a textbook has it: nodes own their children and their positions, values are in [0, 1] as in the
/// paper, all sums are over all moves, and the network answers at once.
template <bm::game G>
class textbook {
 public:
  textbook(bm::gumbel const& settings, bm::random_key key) : settings_(settings), key_(key) {}

  found<G> search(G const& position) {
    node root{position};
    expand(root);
    random_logits(root);
    std::vector<int> left = root.moves;
    by_score(root, left);
    left.resize(std::min(left.size(), static_cast<std::size_t>(settings_.max_considered)));
    double const considered = static_cast<double>(left.size());
    while (done_ < settings_.simulations) {
      double const share = settings_.simulations / (std::ceil(std::log2(considered)) * double(left.size()));
      for (int round = 0; round < std::max(1.0, std::floor(share)); ++round) {
        by_score(root, left);
        for (int move : left)
          if (done_ < settings_.simulations) visit(root, move);
        if (done_ == settings_.simulations) break;
      }
      by_score(root, left);
      if (left.size() > 2) left.resize(std::max<std::size_t>(2, left.size() / 2));
    }
    return outcome(root);
  }

  int rows = 0;            ///< evaluations
  bool ambiguous = false;  ///< rounding may have decided between moves

 private:
  struct node {
    G position;
    std::vector<int> moves{};
    std::map<int, double> priors{}, logits{};  // logits with noise, at the root
    std::map<int, std::unique_ptr<node>> children{};
    double value = 0, sum = 0;  // of this node, in [-1, 1]
    int visits = 0;
  };

  void expand(node& at) {
    bm::row<G> row;
    row.legal = at.position.legal_actions();
    row.encode(at.position);
    float priors[G::num_actions], value = 0;
    fake_answer(bm::batch<G>{1, &at.position, &row, &value, priors}.raw(), 0);
    int k = 0;
    row.legal.for_each([&](int a) {
      at.moves.push_back(a);
      at.priors[a] = std::max(1e-8f, priors[k++]);
    });
    at.value = value;
    ++rows;
  }

  void random_logits(node& root) {
    bm::random_stream random{key_.split(0).split(bm::purpose::sampling)};
    for (int a : root.moves)
      root.logits[a] = std::log(root.priors[a]) +
                       (settings_.noise_scale > 0 ? settings_.noise_scale * random.gumbel() : 0);
  }

  static int visits_of(node const& at, int a) {
    auto const child = at.children.find(a);
    return child == at.children.end() ? 0 : child->second->visits;
  }
  static double q_of(node const& at, int a) {
    node const& child = *at.children.at(a);
    return (1 - static_cast<float>(child.sum) / static_cast<float>(child.visits)) / 2;
  }
  static double most_visits(node const& at) {
    int most = 0;
    for (int a : at.moves) most = std::max(most, visits_of(at, a));
    return most;
  }
  double sigma(node const& at, double q) const {
    return (settings_.c_visit + most_visits(at)) * settings_.c_scale * q;
  }

  /// Those of equally many visits by g + logits + sigma(q), the greatest first.
  void by_score(node const& root, std::vector<int>& moves) const {
    auto const score = [&](int a) {
      return root.logits.at(a) + (visits_of(root, a) > 0 ? sigma(root, q_of(root, a)) : 0);
    };
    auto const before = [&](int a, int b) {
      // Moves whose logits and values are equal keep the order of the root's logits, then actions.
      if (score(a) != score(b)) return score(a) > score(b);
      return root.logits.at(a) != root.logits.at(b) ? root.logits.at(a) > root.logits.at(b) : a < b;
    };
    std::sort(moves.begin(), moves.end(), before);
  }

  double completed(node const& at, int a) const {
    if (visits_of(at, a) > 0) return q_of(at, a);
    double visits = 0, priors = 0, values = 0;
    for (int b : at.moves) {
      if (visits_of(at, b) == 0) continue;
      visits += visits_of(at, b);
      priors += at.priors.at(b);
      values += at.priors.at(b) * q_of(at, b);
    }
    double const own = (at.value + 1) / 2;
    return visits == 0 ? own : (own + visits / priors * values) / (1 + visits);
  }

  std::map<int, double> improved(node const& at) const {
    std::map<int, double> policy;
    double greatest = -1e300, total = 0;
    for (int a : at.moves) {
      policy[a] = std::log(at.priors.at(a)) + sigma(at, completed(at, a));
      greatest = std::max(greatest, policy[a]);
    }
    for (auto& [a, p] : policy) total += p = std::exp(p - greatest);
    for (auto& [a, p] : policy) p /= total;
    return policy;
  }

  int select(node const& at) {
    std::map<int, double> lack = improved(at);
    double visits = 0;
    for (int a : at.moves) visits += visits_of(at, a);
    for (auto& [a, l] : lack) l -= visits_of(at, a) / (1 + visits);
    std::vector<int> order = at.moves;
    std::stable_sort(order.begin(), order.end(),
                     [&](int a, int b) { return at.priors.at(a) > at.priors.at(b); });
    int best = order[0];
    for (int a : order)
      if (lack[a] > lack[best] + 1e-12) best = a;
    for (int a : order) {
      bool const same = at.priors.at(a) == at.priors.at(best) && visits_of(at, a) == visits_of(at, best) &&
                        completed(at, a) == completed(at, best);
      ambiguous = ambiguous || (!same && std::abs(lack[a] - lack[best]) < 5e-6);
    }
    return best;
  }

  void visit(node& root, int move) {
    double const value = descend(root, move);
    root.sum += value;
    ++root.visits;
    ++done_;
  }
  /// Plays a move and goes on; the value for the player to move at `at`.
  double descend(node& at, int move) {
    auto& child = at.children[move];
    double value = 0;
    if (!child) {
      child = std::make_unique<node>(node{at.position});
      child->position.play(move);
      if (!child->position.result()) expand(*child);
      value = child->position.result().value_or(static_cast<float>(child->value));
    } else {
      value = child->position.result() ? double{*child->position.result()} : descend(*child, select(*child));
    }
    ++child->visits;
    child->sum += value;
    return -value;
  }

  found<G> outcome(node const& root) const {
    found<G> result;
    std::vector<int> best;
    for (int a : root.moves)
      if (visits_of(root, a) == most_visits(root)) best.push_back(a);
    by_score(root, best);
    result.action = best[0];
    result.simulations = done_;
    double value = 0;
    for (auto const& [a, p] : improved(root)) {
      result.policy[static_cast<std::size_t>(a)] = static_cast<float>(p);
      result.visits[static_cast<std::size_t>(a)] = visits_of(root, a);
      value += p * (2 * completed(root, a) - 1);
    }
    result.value = static_cast<float>(value);
    return result;
  }

  bm::gumbel settings_;
  bm::random_key key_;
  int done_ = 0;
};

struct compared {
  int searches = 0, ambiguous = 0;
};

/// Searches the positions of a game with the library's tree and with the textbook's.
template <bm::game G>
void compare(bm::gumbel const& settings, std::uint64_t number, compared& counts) {
  CAPTURE(settings.identity());
  CAPTURE(number);
  G position{};
  for (int ply = 0; !position.result(); ++ply) {
    CAPTURE(ply);
    bm::random_key const key = bm::random_key{17}.split(number).split(static_cast<std::uint64_t>(ply));
    textbook<G> book(settings, key);
    found<G> const expected = book.search(position);
    fake_network network;
    found<G> const outcome = think(position, settings, network, key);
    ++counts.searches;
    if (book.ambiguous) {
      ++counts.ambiguous;
    } else {
      REQUIRE(outcome.visits == expected.visits);
      REQUIRE(outcome.action == expected.action);
      REQUIRE(network.counts->rows == static_cast<std::uint64_t>(book.rows));
      REQUIRE(std::abs(outcome.value - expected.value) < 1e-5);
      for (std::size_t a = 0; a < outcome.policy.size(); ++a)
        REQUIRE(std::abs(outcome.policy[a] - expected.policy[a]) < 1e-5);
    }
    position.play(outcome.action);
  }
}

}  // namespace

TEST_CASE_TEMPLATE("visits, moves, policies and values are those of a textbook's Gumbel search", G,
                   bm::tictactoe, hash_game<9, 12>, hash_game<80, 6>) {
  compared counts;
  for (int simulations : {1, 2, 5, 16, 17, 40, 100})
    for (int considered : {1, 2, 3, 7, 16})
      for (std::uint64_t game = 0; game < 4; ++game) {
        bm::gumbel settings{.simulations = simulations, .max_considered = considered};
        settings.noise_scale = game % 2 == 0 ? 1.0f : 0.0f;
        settings.c_scale = game == 1 ? 0.1f : 1.0f;
        settings.c_visit = game == 2 ? 5.0f : 50.0f;
        settings.leaves = game == 3 ? 4 : 1;
        compare<G>(settings, game, counts);
      }
  compare<G>({.simulations = 400, .leaves = 3}, 5, counts);
  CHECK(counts.ambiguous * 20 < counts.searches);
}

TEST_CASE_TEMPLATE("every search is whole, whatever its settings", G, bm::tictactoe, hash_game<80, 6>) {
  for (int simulations : {1, 3, 16, 50})
    for (int considered : {1, 5, 16, 1000})
      for (int leaves : {1, 3, 64}) {
        bm::gumbel const settings{.simulations = simulations,
                                  .max_considered = considered,
                                  .resign_below = considered == 5 ? 0.0f : -1.0f,
                                  .leaves = leaves};
        CAPTURE(settings.identity());
        G position{};
        fake_network network;
        bm::batch_buffer<G> buffer(network, leaves);
        bm::gumbel::tree<G> tree(settings);
        tree.start(bm::random_key{3}, 0);
        for (;;) {
          search_one_move(tree, position, network, buffer, leaves);
          bm::decision<G> outcome;
          tree.decide(outcome);
          double sum = 0;
          for (int a = 0; a < G::num_actions; ++a) {
            float const p = outcome.policy[static_cast<std::size_t>(a)];
            REQUIRE((p == 0 || (p > 0 && position.legal_actions().test(a))));
            sum += p;
          }
          REQUIRE(std::abs(sum - 1) < 1e-5);
          REQUIRE(position.legal_actions().test(outcome.action));
          REQUIRE(std::abs(outcome.value) <= 1);
          REQUIRE(outcome.surprise >= 0);
          REQUIRE(outcome.resign == (considered == 5 && outcome.value < 0));
          REQUIRE(outcome.simulations == simulations);
          bm::node_arena const& nodes = tree.nodes();
          int visits = 0, most = 0;
          for (int i = 0; i < nodes[0].num_children; ++i) {
            int const n = static_cast<int>(nodes[nodes.child(nodes[0])[i]].visits);
            visits += n;
            most = std::max(most, n);
            if (nodes.actions(nodes[0])[i] == outcome.action) REQUIRE(n == most);
          }
          REQUIRE(visits == simulations);
          REQUIRE(nodes[0].num_children <= considered);
          REQUIRE(static_cast<int>(nodes.size()) <= settings.max_nodes());
          position.play(outcome.action);
          if (position.result()) break;
          tree.advance(outcome.action);
        }
      }
}

TEST_CASE("rows in flight and room in batches change nothing") {
  for (int simulations : {5, 16, 60})
    for (std::uint64_t seed = 0; seed < 5; ++seed) {
      bm::gumbel settings{.simulations = simulations};
      bm::random_key const key{seed};
      auto const expected = think(hash_game<80, 6>{}, settings, fake_network{}, key, 0, 1);
      for (int leaves : {2, 5, 16, 100})
        for (int capacity : {1, 3, 16, 64}) {
          settings.leaves = leaves;
          auto const outcome = think(hash_game<80, 6>{}, settings, fake_network{}, key, 0, capacity);
          REQUIRE(outcome.policy == expected.policy);
          REQUIRE(outcome.value == expected.value);
          REQUIRE(outcome.action == expected.action);
          REQUIRE(outcome.visits == expected.visits);
        }
    }
}

TEST_CASE("the moves of a round are in flight together") {
  auto const batches = [](int leaves) {
    fake_network network;
    think(bm::connect4{}, {.simulations = 16, .leaves = leaves}, network);
    return network.counts->batches.load();
  };
  CHECK(batches(1) == 1 + 16);
  CHECK(batches(7) == 1 + 1 + 1 + 3);  // the root, then rounds of 7, 3, 2, 2 and 2
  CHECK(batches(2) == 1 + 4 + 2 + 3);
  CHECK(bm::gumbel{.simulations = 64, .leaves = 16}.max_rows() == 16);
  CHECK(bm::gumbel{.simulations = 64, .max_considered = 8, .leaves = 16}.max_rows() == 8);
  CHECK(bm::gumbel{.simulations = 3, .leaves = 16}.max_rows() == 3);
}

TEST_CASE("in the first plies moves may be drawn by visits, and noise differs from ply to ply") {
  bm::gumbel settings = quiet(7);
  settings.sampling_plies = 3;
  std::array<int, 3> drawn{};
  int const turns = 3000;
  for (int turn = 0; turn < turns; ++turn) {
    bm::random_key const key{static_cast<std::uint64_t>(turn)};
    auto const outcome = think(nim{}, settings, by_hand, key, 2, 1);
    ++drawn[static_cast<std::size_t>(outcome.action)];
    if (turn < 10) CHECK(think(nim{}, settings, by_hand, key, 3, 1).action == 1);
  }
  for (std::size_t a = 0; a < 3; ++a)
    CHECK(std::abs(drawn[a] / double{turns} - std::array{1, 3, 3}[a] / 7.0) < 0.04);
  auto const visits = [](std::uint64_t key, int ply) {
    return think(hash_game<80, 6>{}, {.simulations = 16}, fake_network{}, bm::random_key{key}, ply).visits;
  };
  CHECK(visits(1, 0) == visits(1, 0));
  CHECK(visits(1, 0) != visits(2, 0));
  CHECK(visits(1, 0) != visits(1, 1));
}

namespace {

/// The position after moves in the game's own notation.
template <bm::game G>
G after(std::initializer_list<char const*> moves) {
  G position;
  for (char const* move : moves) position.play(*G::parse_action(move));
  return position;
}

}  // namespace

TEST_CASE("Connect Four: wins are taken, threats are met, double threats are seen") {
  auto const best = [](std::initializer_list<char const*> moves, int simulations) {
    return think(after<bm::connect4>(moves), quiet(simulations), bm::uniform{});
  };
  for (auto const& win :
       {best({"4", "1", "4", "2", "4", "3"}, 50), best({"1", "7", "2", "7", "3", "7"}, 50)}) {
    CHECK(win.action == 3);
    CHECK(win.value > 0.9f);
    CHECK(win.policy[3] > 0.9f);
  }
  CHECK(best({"4", "1", "4", "2", "4"}, 500).action == 3);
  CHECK(best({"1", "7", "2", "7", "3"}, 500).action == 3);
  // Three in a row with both ends open cannot be stopped.
  auto const attack = best({"4", "4", "5", "5"}, 3000);
  CHECK((attack.action == 2 || attack.action == 5));
  CHECK(attack.value > 0.6f);
  auto const defence = best({"4", "4", "5"}, 6000);
  CHECK((defence.action == 2 || defence.action == 5));
}

TEST_CASE("Tic-tac-toe: perfect play is a draw") {
  bm::tictactoe position;
  while (!position.result()) position.play(think(position, quiet(2000), bm::uniform{}).action);
  CHECK(*position.result() == bm::draw);
}

namespace {

/// Four policies in one type, so that the driver is compiled once.
struct numbered_batching {
  int number = 0;

  bm::batch_plan plan(int threads) const {
    switch (number) {
      case 0:
        return bm::immediate{}.plan(threads);
      case 1:
        return bm::lockstep{.games = 64}.plan(threads);
      case 2:
        return bm::lockstep{.games = 64, .max_batch = 5}.plan(threads);
      default:
        return bm::overlapped{.games = 7}.plan(threads);
    }
  }
  std::string identity() const { return bm::concat("number ", number); }
};

std::uint64_t hash_of_games(bm::gumbel const& search, numbered_batching const& policy, int threads) {
  bm::self_play play(bm::connect4{}, search, policy, fake_network{});
  int delivered = 0;
  auto const done = play.run({.episodes = 12, .seed = 5, .threads = threads},
                             [&](bm::episode<bm::connect4> const& e) { delivered += e.number == delivered; });
  REQUIRE(delivered == 12);
  return done.episodes_hash;
}

}  // namespace

TEST_CASE("games are the same under all batching") {
  std::set<std::uint64_t> hashes;
  for (int leaves : {1, 3, 16}) {
    bm::gumbel const search{.simulations = 20, .leaves = leaves};
    for (int policy : {0, 1, 2, 3}) hashes.insert(hash_of_games(search, {policy}, 1 + policy % 3));
  }
  CHECK(hashes.size() == 1);
  hashes.insert(hash_of_games({.simulations = 21}, {0}, 1));
  CHECK(hashes.size() == 2);
}

TEST_CASE("settings out of range are refused with the field's name") {
  auto const refused = [](bm::gumbel const& settings, char const* field) {
    CHECK_THROWS_WITH_AS(settings.check(), doctest::Contains(field), bm::contract_error);
  };
  float constexpr nan = std::numeric_limits<float>::quiet_NaN();
  CHECK_NOTHROW(bm::gumbel{}.check());
  refused({.simulations = 0}, "simulations");
  refused({.simulations = bm::max_simulations + 1}, "simulations must be 1 to 131072");
  refused({.max_considered = 0}, "max_considered");
  refused({.c_visit = -1}, "c_visit");
  refused({.c_scale = nan}, "c_scale");
  refused({.noise_scale = -1}, "noise_scale");
  refused({.sampling_plies = -1}, "sampling_plies");
  refused({.resign_below = nan}, "resign_below");
  refused({.leaves = 0}, "leaves");
}

TEST_CASE("the identity names every setting that changes games") {
  std::set<std::string> identities;
  for (bm::gumbel const& settings : std::initializer_list<bm::gumbel>{{},
                                                                      {.simulations = 1},
                                                                      {.max_considered = 1},
                                                                      {.c_visit = 1},
                                                                      {.c_scale = 2},
                                                                      {.noise_scale = 0},
                                                                      {.sampling_plies = 1},
                                                                      {.resign_below = 0}})
    identities.insert(settings.identity());
  CHECK(identities.size() == 8);
  identities.insert(bm::gumbel{.leaves = 5}.identity());
  CHECK(identities.size() == 8);
}
