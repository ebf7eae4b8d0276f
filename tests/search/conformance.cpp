#include <batchmate/game/connect4.hpp>
#include <batchmate/game/go.hpp>
#include <batchmate/game/hex.hpp>
#include <batchmate/game/tictactoe.hpp>
#include <batchmate/search/any_search.hpp>
#include <batchmate/search/conformance.hpp>
#include <batchmate/search/gumbel.hpp>
#include <batchmate/search/puct.hpp>
#include <batchmate/search/puct_graph.hpp>
#include <batchmate/search/top_k.hpp>

#include "../support/hash_game.hpp"
#include "../support/nim.hpp"

#include <doctest/doctest.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <string>

namespace bm = batchmate;

namespace {

/// What `check_search` says of a search: the message, or nothing.
template <bm::game G, class S>
std::string complaint(S const& search) {
  try {
    bm::check_search<G>(search, {.games = 4, .seed = 2, .rows_of_a_move = 500});
  } catch (bm::contract_error const& e) {
    return e.what();
  }
  return "";
}

bool contains(std::string const& text, std::string const& part) {
  return text.find(part) != std::string::npos;
}

using tree_game = hash_game<9, 12>;

}  // namespace

TEST_CASE_TEMPLATE("a shipped search keeps the contract", G, nim, tree_game, bm::tictactoe, bm::connect4,
                   bm::hex<5>) {
  auto const counts = bm::check_search<G>(bm::puct{.simulations = 30});
  CHECK(counts.games == 4);
  CHECK(counts.plies >= 4);
  CHECK(counts.rows > counts.plies);
  CHECK(counts.rows_of_a_step == 1);
  CHECK(bm::check_search<G>(bm::puct{.simulations = 40, .leaves = 6}).rows_of_a_step > 1);
  bm::check_search<G>(bm::puct{.simulations = 30, .temperature_plies = 4, .reuse_tree = false});
  bm::check_search<G>(bm::puct{.simulations = 30, .prove = true});
  bm::check_search<G>(bm::gumbel{.simulations = 16});
  CHECK(bm::check_search<G>(bm::top_k{.widths = {3, 4}}).rows_of_a_step > 3);
  bm::check_search<G>(bm::top_k{.widths = {2, 2, 2}, .temperature_plies = 3});
  bm::check_search<G>(bm::any_search<G>(bm::puct{.simulations = 20}));
  if constexpr (bm::game_with_key<G>) {
    bm::check_search<G>(bm::puct_graph{.simulations = 50});
  }
  if constexpr (bm::game_with_symmetries<G>) {
    bm::check_search<G>(bm::puct{.simulations = 20, .root_symmetries = 2, .leaves = 3});
    bm::check_search<G>(bm::top_k{.widths = {4, 2}, .root_symmetries = 8});
  }
}

TEST_CASE("the same seed plays the same games, another seed others") {
  auto const counts = [](std::uint64_t seed) {
    return bm::check_search<bm::connect4>(bm::puct{.simulations = 20}, {.games = 5, .seed = seed});
  };
  CHECK(counts(3).games == 5);
  CHECK(counts(3) == counts(3));
  CHECK_FALSE(counts(3) == counts(4));
}

TEST_CASE("a check of no games is refused") {
  CHECK_THROWS_AS(bm::check_search<nim>(bm::puct{}, {.games = 0}), bm::contract_error);
  CHECK_THROWS_AS(bm::check_search<nim>(bm::puct{}, {.rows_of_a_move = 0}), bm::contract_error);
}

TEST_CASE("the answers that it gives are such as an evaluator gives, with ties and zeros among the priors") {
  using G = bm::connect4;
  bm::hashed_answers evaluator;
  bm::batch_buffer<G> buffer(evaluator, 100);
  bm::row_range<G> out(buffer.positions(), buffer.rows(), 100);
  G position;
  for (bm::random_stream random(bm::random_key{4}); !out.full(); out.push()) {
    int const legal = position.legal_actions().count();
    position.play(
        position.legal_actions().nth(static_cast<int>(random.below(static_cast<std::uint32_t>(legal)))));
    if (position.result()) position = {};
    out.next() = position;
  }
  out.encode();
  auto const rows = buffer.view(0, 100);
  evaluator.submit(0, rows);
  evaluator.wait(0);
  bm::check_answers(rows, evaluator);
  int zeros = 0, ties = 0;
  for (int b = 0; b < 100; ++b) {
    zeros += rows.priors_of(b)[0] == 0;
    ties += rows.priors_of(b)[0] == rows.priors_of(b)[1];
  }
  CHECK(zeros > 0);
  CHECK(ties > 0);
}

// Searches with one fault each, all but for the member that is wrong the one below.
namespace {

enum class fault {
  none,
  no_identity,
  no_rows,
  no_bytes,
  illegal_action,
  value,
  not_a_number,
  policy_sum,
  policy_negative,
  raw_value,
  surprise,
  simulations,
  second_thoughts,  // decides otherwise when asked again
  idle,             // pushes nothing, and is not done
  endless,          // is never done
  greedy,           // pushes more than max_rows
  full,             // does not look whether the range is full
  finished,         // asks about finished positions
  counts_steps,     // goes by how often it was called
  counts_rows,      // goes by how many answers come at once
  places,           // takes the range's beginning for its own
  shares,           // two trees write to the same place
  random,           // no two trees are the same
  remembers_game,   // start forgets less than everything
  remembers_rows,   // start forgets what is under way, but not quite
  stuck             // advance does not begin a new search
};

/// What all trees of a search with `fault::shares` write to.
struct scratch {
  float last = 0;
  int trees = 0;
};

/// Looks at the positions after each move, `width` rows a step at most, and plays the best one.
struct one_ply {
  fault what = fault::none;
  int width = 3;
  std::shared_ptr<scratch> common = std::make_shared<scratch>();

  int max_rows() const { return what == fault::no_rows ? 0 : width; }
  template <bm::game G>
  std::size_t tree_bytes() const {
    return what == fault::no_bytes ? 8 : sizeof(tree<G>);
  }
  std::string identity() const { return what == fault::no_identity ? "" : "one_ply"; }

  template <bm::game G>
  class tree;
};

template <bm::game G>
class one_ply::tree {
 public:
  explicit tree(one_ply const& settings)
      : what_(settings.what), width_(settings.width), common_(settings.common), number_(common_->trees++) {}

  void start(bm::random_key, int) {
    if (what_ != fault::remembers_game) moves_ = 0;
    int const waiting = what_ == fault::remembers_rows ? waiting_ : 0;
    begin_move();
    left_over_ = waiting;
  }
  void advance(int) {
    ++moves_;
    if (what_ != fault::stuck) begin_move();
  }

  void collect(G const& root, bm::row_range<G>& out) {
    ++steps_;
    if (what_ == fault::idle && moves_ == 1) return;
    legal_ = root.legal_actions();
    int const most = what_ == fault::greedy ? 2 * width_ : width_;
    int const begin = what_ == fault::places ? 0 : out.used();
    while (seen_ < legal_.count() && out.used() - begin < most) {
      if (out.full() && (what_ != fault::full || waiting_ == 0)) break;
      G next = root;
      next.play(legal_.nth(seen_));
      if (auto const result = next.result(); result && what_ != fault::finished) {
        values_[at(seen_++)] = -*result;
        continue;
      }
      out.next() = next;
      out.push();
      asked_[at(waiting_++)] = seen_++;
    }
    if (what_ == fault::endless && waiting_ == 0) seen_ = 0, collect(root, out);
  }
  void absorb(bm::batch<G> const& mine) {
    for (int i = 0; i < mine.count; ++i) {
      float& value = values_[at(asked_[at(i)])] = -mine.values[i];
      if (what_ == fault::counts_rows) value = value * 0.99f + 0.001f * static_cast<float>(mine.count);
      common_->last = value;
    }
    waiting_ = 0;
  }
  bool done() const {
    return what_ != fault::endless && seen_ > 0 && seen_ == legal_.count() && waiting_ == 0;
  }

  void decide(bm::decision<G>& outcome) const {
    int best = 0;
    for (int i = 1; i < seen_; ++i)
      if (values_[at(i)] > values_[at(best)]) best = i;
    outcome.action = legal_.nth(best);
    outcome.value = values_[at(best)];
    outcome.simulations = seen_;
    outcome.policy[at(outcome.action)] = 1;
    spoil(outcome);
  }

 private:
  static std::size_t at(int i) { return static_cast<std::size_t>(i); }

  void begin_move() {
    seen_ = waiting_ = steps_ = left_over_ = 0;
    common_->last = 0;
  }
  void spoil(bm::decision<G>& outcome) const;

  fault what_;
  int width_;
  std::shared_ptr<scratch> common_;
  int number_;                                  // of the tree
  int moves_ = 0, seen_ = 0, waiting_ = 0;      // waiting_: rows without an answer
  int steps_ = 0, left_over_ = 0;               // of this move
  bm::actions_of<G> legal_;                     // of the root
  std::array<float, G::num_actions> values_{};  // of the legal moves, in order, for the root's player
  std::array<int, G::num_actions> asked_{};     // which of them the rows are of
  mutable int decided_ = 0;
};

template <bm::game G>
void one_ply::tree<G>::spoil(bm::decision<G>& outcome) const {
  switch (
      auto const bias = [&](int n) { outcome.value = outcome.value * 0.9f + 0.001f * static_cast<float>(n); };
      what_) {
    case fault::counts_steps:
      return bias(steps_);
    case fault::shares:
      outcome.value = common_->last;
      return;
    case fault::random:
      return bias(number_);
    case fault::remembers_game:
      return bias(moves_);
    case fault::remembers_rows:
      return bias(left_over_);
    default:
      break;
  }
  if (moves_ != 1) return;
  switch (what_) {
    case fault::illegal_action:
      outcome.action = G::num_actions;
      break;
    case fault::value:
      outcome.value = 1.5f;
      break;
    case fault::not_a_number:
      outcome.value = std::numeric_limits<float>::quiet_NaN();
      break;
    case fault::policy_sum:
      outcome.policy[at(outcome.action)] = 0.5f;
      break;
    case fault::policy_negative:
      outcome.policy[0] -= 0.5f, outcome.policy[1] += 0.5f;
      break;
    case fault::raw_value:
      outcome.raw_value = -2;
      break;
    case fault::surprise:
      outcome.surprise = -1;
      break;
    case fault::simulations:
      outcome.simulations = -1;
      break;
    case fault::second_thoughts:
      outcome.full = ++decided_ % 2 == 0;
      break;
    default:
      break;
  }
}

/// One of Connect Four with a column that is full at the start, for a policy beside the legal moves.
struct narrow : bm::connect4 {
  narrow() {
    for (int i = 0; i < 6; ++i) play(6);
  }
};
struct astray : one_ply {
  template <bm::game G>
  struct tree : one_ply::tree<G> {
    explicit tree(astray const& settings) : one_ply::tree<G>(settings) {}
    void decide(bm::decision<G>& outcome) const {
      one_ply::tree<G>::decide(outcome);
      outcome.policy = {};
      outcome.policy[6] = 1;
    }
  };
  template <bm::game G>
  std::size_t tree_bytes() const {
    return sizeof(tree<G>);
  }
};

}  // namespace

TEST_CASE("the honest search, which the faulty ones are made of, is told nothing") {
  CHECK(complaint<bm::connect4>(one_ply{}) == "");
  CHECK(complaint<bm::tictactoe>(one_ply{.width = 2}) == "");
}

TEST_CASE("a search whose settings say too little is told so") {
  auto const told = [](fault what) { return complaint<bm::connect4>(one_ply{what}); };
  CHECK(told(fault::no_identity) == "search: expected an identity, found an empty one");
  CHECK(told(fault::no_rows) == "search: expected max_rows() above 0, found 0");
  CHECK(contains(told(fault::no_bytes), "search: expected tree_bytes() of at least a tree's "));
}

TEST_CASE("a search that decides on what a decision cannot be is told so") {
  auto const told = [](fault what) { return complaint<bm::connect4>(one_ply{what}); };
  CHECK(told(fault::illegal_action) == "search: chose action 7 at ply 1 of game 0, which is not legal there");
  CHECK(told(fault::value) == "search: expected a value in [-1, 1], found 1.5 at ply 1 of game 0");
  CHECK(contains(told(fault::not_a_number), "search: expected a value in [-1, 1], found nan"));
  CHECK(
      contains(told(fault::policy_sum), "sums to 1 over the legal actions, found 0.5 of 0.5 there at ply 1"));
  CHECK(contains(told(fault::policy_negative), "some of it negative, at ply 1 of game 0"));
  CHECK(
      contains(complaint<narrow>(astray{}), "sums to 1 over the legal actions, found 0 of 1 there at ply 0"));
  CHECK(told(fault::raw_value) == "search: expected a raw value in [-1, 1], found -2 at ply 1 of game 0");
  CHECK(contains(told(fault::surprise),
                 "search: expected a finite surprise and simulations from 0, found -1 and "));
  CHECK(told(fault::simulations) ==
        "search: expected a finite surprise and simulations from 0, found 0 and -1 at ply 1 of game 0");
  CHECK(told(fault::second_thoughts) ==
        "search: expected the same decision when asked twice, found another full 1 and not 0 at ply 1 of "
        "game 0");
}

TEST_CASE("a search whose steps are not what was agreed is told so") {
  auto const told = [](fault what) { return complaint<bm::connect4>(one_ply{what}); };
  CHECK(told(fault::idle) == "search: collect pushed no row and is not done, at ply 1 of game 0");
  CHECK(told(fault::endless) ==
        "search: expected a move to be found with 500 rows, found no end at ply 0 of game 0");
  CHECK(told(fault::greedy) ==
        "search: expected at most max_rows() = 3 rows in a step, found 6 at ply 0 of game 0");
  CHECK(told(fault::full) == "search: asks for more rows than the batch has left: 1");
  CHECK(contains(told(fault::finished),
                 "search: expected rows of unfinished positions, found a finished one at ply "));
  std::string const placed = told(fault::places);
  CHECK(contains(placed, "search: collect pushed no row and is not done, at ply "));
  CHECK(contains(placed, " of game 1 with all games in common batches"));
  CHECK(contains(told(fault::stuck), ", which is not legal there"));
}

TEST_CASE("a search that depends on more than answers and keys is told so") {
  auto const told = [](fault what) { return complaint<bm::connect4>(one_ply{what}); };
  std::string const another =
      "search: expected the decision of a tree that is alone and has room for all rows, found another ";
  CHECK(contains(told(fault::counts_steps), another + "value "));
  CHECK(contains(told(fault::counts_steps), " at ply 0 of game 0 with one row a step"));
  CHECK(contains(told(fault::counts_rows), " with one row a step"));
  CHECK(contains(told(fault::random), " at ply 0 of game 0 by a second tree of the same settings"));
  CHECK(contains(told(fault::remembers_game), " by a tree that was used before"));
  CHECK(contains(told(fault::remembers_rows), " by a tree that was used before"));
  CHECK(contains(told(fault::shares), " with all games in common batches"));
}
