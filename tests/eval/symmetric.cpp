#include "network_rows.hpp"

#include "../support/moving_network.hpp"
#include "../support/threaded_network.hpp"

#include <batchmate/batch/immediate.hpp>
#include <batchmate/batch/lockstep.hpp>
#include <batchmate/batch/overlapped.hpp>
#include <batchmate/batch/shared_queue.hpp>
#include <batchmate/eval/any_evaluator.hpp>
#include <batchmate/eval/cached.hpp>
#include <batchmate/eval/reference.hpp>
#include <batchmate/eval/symmetric.hpp>
#include <batchmate/game/connect4.hpp>
#include <batchmate/game/go.hpp>
#include <batchmate/game/hex.hpp>
#include <batchmate/game/mnk.hpp>
#include <batchmate/game/othello.hpp>
#include <batchmate/play/self_play.hpp>
#include <batchmate/search/puct.hpp>

#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <map>
#include <set>
#include <utility>
#include <vector>

using namespace batchmate;

namespace {

symmetry_settings constexpr average{.mode = symmetry_settings::modes::average};

/// A fake network that does not know the game.
struct raw_network : fake_network {
  using fake_network::submit;
  void submit(int, raw_batch const& rows) const { answer(rows); }
};

/// The same on a thread of its own, for rows of G.
template <game G>
struct raw_device : threaded_network {
  using threaded_network::submit, threaded_network::threaded_network;
  void submit(int slot, raw_batch const& rows) {
    threaded_network::submit(slot, batch<G>{rows.count, nullptr, reinterpret_cast<row<G> const*>(rows.rows),
                                            rows.values, rows.priors});
  }
};

template <game G>
raw_device<G> device(bool shared) {
  threaded_network::settings with;
  with.shared = shared;
  return raw_device<G>(std::move(with));
}

/// A position of a random game, seen under every symmetry.
template <game G>
struct images {
  images(std::uint64_t seed, int plies) : of(G::num_symmetries) {
    random_stream random(random_key{seed}.split(purpose::test));
    for (int ply = 0; ply < plies; ++ply) {
      auto const legal = of[0].legal_actions();
      int const action = legal.nth(static_cast<int>(random.below(static_cast<std::uint32_t>(legal.count()))));
      std::vector<G> next = of;
      for (int s = 0; s < G::num_symmetries; ++s)
        next[static_cast<std::size_t>(s)].play(G::symmetric_action(s, action));
      if (next[0].result()) return;
      of = next;
    }
  }
  std::vector<G> of;  // (symmetries)
};

/// Positions of random games at many plies.
template <game G>
std::vector<images<G>> some_images(int count) {
  std::vector<images<G>> all;
  for (int i = 0; i < count; ++i) all.emplace_back(static_cast<std::uint64_t>(i), 1 + i * 7 % 40);
  return all;
}

/// What an evaluator says of one position: the prior of each action, the value last.
template <game G, class E>
std::vector<float> ask(E& evaluator, G const& position) {
  filled_batch<G> filled({position});
  evaluator.submit(0, filled.view());
  evaluator.wait(0);
  std::vector<float> said(G::num_actions + 1);
  said.back() = filled.values[0];
  auto prior = filled.priors.begin();
  filled.rows[0].legal.for_each([&](int action) { said[static_cast<std::size_t>(action)] = *prior++; });
  return said;
}

/// The same of a moved position, moved back.
template <game G>
std::vector<float> ask_moved(images<G> const& seen, int symmetry) {
  fake_network network;
  auto const moved = ask(network, seen.of[static_cast<std::size_t>(symmetry)]);
  std::vector<float> said = moved;
  for (int action = 0; action < G::num_actions; ++action)
    said[static_cast<std::size_t>(action)] =
        moved[static_cast<std::size_t>(G::symmetric_action(symmetry, action))];
  return said;
}

template <game G>
reference small_network() {
  return reference(random_network(extents_for<G>(1, 8), 2));
}

/// Whether row b of a batch was answered as row c of another one, bit for bit.
template <game G>
bool same_row(filled_batch<G>& one, int b, filled_batch<G>& other, int c) {
  auto const bytes =
      static_cast<std::size_t>(one.rows[static_cast<std::size_t>(b)].legal.count()) * sizeof(float);
  return std::memcmp(&one.view().values[b], &other.view().values[c], sizeof(float)) == 0 &&
         std::memcmp(one.view().priors_of(b), other.view().priors_of(c), bytes) == 0;
}

/// The hash of twenty games of connect4.
template <class B>
std::uint64_t hash_of_games(B const& policy, any_evaluator<connect4> evaluator, int threads) {
  self_play play{connect4{}, puct{.simulations = 8, .leaves = 2}, policy, std::move(evaluator)};
  int delivered = 0;
  auto const done = play.run({.episodes = 20, .seed = 5, .threads = threads},
                             [&](episode<connect4> const&) { ++delivered; });
  CHECK(delivered == 20);
  return done.episodes_hash;
}

/// The same, after it was found to be so under every batching policy.
std::uint64_t hash_under_all(any_evaluator<connect4> const& evaluator) {
  std::uint64_t const hash = hash_of_games(immediate{}, evaluator, 1);
  CHECK(hash == hash_of_games(immediate{}, evaluator, 3));
  CHECK(hash == hash_of_games(lockstep{.games = 64}, evaluator, 1));
  CHECK(hash == hash_of_games(lockstep{.games = 11, .max_batch = 7}, evaluator, 3));
  CHECK(hash == hash_of_games(overlapped{.games = 13, .groups = 3, .max_batch = 64}, evaluator, 2));
  CHECK(hash == hash_of_games(shared_queue{.games = 12, .max_batch = 7, .processors = 2}, evaluator, 2));
  return hash;
}

}  // namespace

TEST_CASE_TEMPLATE("a moved row is the row of the moved position", G, connect4, hex7, othello, go<5>,
                   gomoku) {
  row_symmetries const symmetries = symmetries_of<G>();
  REQUIRE(symmetries.count == G::num_symmetries);
  for (auto const& seen : some_images<G>(20)) {
    filled_batch<G> filled(seen.of);
    raw_batch const rows = filled.view().raw();
    for (int s = 0; s < G::num_symmetries; ++s) {
      CAPTURE(s);
      std::vector<std::uint64_t> moved(static_cast<std::size_t>(rows.layout.words()), 9);
      symmetries.move(s, rows.row(0), moved.data());
      CHECK(std::memcmp(moved.data(), rows.row(s), static_cast<std::size_t>(rows.layout.row_bytes)) == 0);
    }
  }
}

TEST_CASE_TEMPLATE("an evaluator that moves rows itself is shown them as they are, and answers the same", G,
                   connect4, hex7, othello, go<5>, gomoku) {
  row_symmetries const symmetries = symmetries_of<G>();
  for (symmetry_settings const& settings : {symmetry_settings{.seed = 3}, average}) {
    moving_network const moving{symmetries}, below{symmetries};
    symmetric here{raw_network{}, symmetries, settings};
    symmetric there{moving, symmetries, settings};
    symmetric there_cached{cached{below}, symmetries, settings};
    reserve(here, {layout_of<G>(), 1, 1});
    reserve(there, {layout_of<G>(), 1, 1});
    reserve(there_cached, {layout_of<G>(), 1, 1});
    for (auto const& seen : some_images<G>(10)) {
      auto const expected = ask(here, seen.of[0]);
      CHECK(ask(there, seen.of[0]) == expected);
      CHECK(ask(there_cached, seen.of[0]) == expected);
    }
    CHECK(*moving.named > 0);
    CHECK(*below.named > 0);
    CHECK_FALSE(moves_rows(there));
  }
}

TEST_CASE_TEMPLATE("under one symmetry, a position gets the answers of the moved position, moved back", G,
                   connect4, hex7, othello, go<5>, gomoku) {
  row_symmetries const symmetries = symmetries_of<G>();
  std::map<int, int> met;
  for (std::uint64_t seed = 0; seed < 8; ++seed) {
    symmetric evaluator{raw_network{}, symmetries, {.seed = seed}};
    reserve(evaluator, {layout_of<G>(), 1, 1});
    for (auto const& seen : some_images<G>(16)) {
      filled_batch<G> filled({seen.of[0]});
      int const s = symmetries.pick(seed, filled.view().raw().row(0));
      ++met[s];
      CHECK(ask(evaluator, seen.of[0]) == ask_moved(seen, s));
    }
  }
  for (int s = 0; s < G::num_symmetries; ++s) CHECK(met[s] > 3);
}

TEST_CASE_TEMPLATE("the average is the mean over all symmetries, and the same for a position's images", G,
                   connect4, hex7, othello, go<5>, gomoku) {
  symmetric evaluator{raw_network{}, symmetries_of<G>(), average};
  reserve(evaluator, {layout_of<G>(), 1, 1});
  int different = 0;
  for (auto const& seen : some_images<G>(12)) {
    auto const said = ask(evaluator, seen.of[0]);
    std::vector<double> mean(said.size());
    for (int s = 0; s < G::num_symmetries; ++s) {
      auto const one = ask_moved(seen, s);
      for (std::size_t i = 0; i < mean.size(); ++i)
        mean[i] += static_cast<double>(one[i]) / G::num_symmetries;
      different += one != said;
    }
    for (std::size_t i = 0; i < mean.size(); ++i) CHECK(said[i] == doctest::Approx(mean[i]).epsilon(1e-6));
    for (int s = 0; s < G::num_symmetries; ++s) {
      auto const moved = ask(evaluator, seen.of[static_cast<std::size_t>(s)]);
      bool same = moved.back() == said.back();
      for (int a = 0; a < G::num_actions; ++a)
        same = same && moved[static_cast<std::size_t>(G::symmetric_action(s, a))] ==
                           said[static_cast<std::size_t>(a)];
      CHECK(same);
    }
  }
  CHECK(different > 12);
}

TEST_CASE("a row's answer depends on nothing but the row") {
  using G = go<5>;
  std::vector<G> positions;
  for (auto const& seen : some_images<G>(24)) positions.push_back(seen.of[0]);
  for (auto const& settings : {symmetry_settings{.seed = 3}, average}) {
    symmetric evaluator{small_network<G>(), symmetries_of<G>(), settings};
    reserve(evaluator, {layout_of<G>(), 2, 24});
    filled_batch<G> together(positions), turned({positions.rbegin(), positions.rend()});
    evaluator.submit(0, together.view());
    evaluator.submit(1, turned.view());
    evaluator.wait(1);
    evaluator.wait(0);
    evaluator.wait(0);
    for (int b = 0; b < 24; ++b) {
      filled_batch<G> alone({positions[static_cast<std::size_t>(b)]});
      evaluator.submit(b % 2, alone.view());
      evaluator.wait(b % 2);
      CHECK(same_row(together, b, alone, 0));
      CHECK(same_row(together, b, turned, 23 - b));
    }
  }
}

TEST_CASE("a row without legal actions, as nobody filled it, is evaluated for nothing") {
  symmetric evaluator{raw_network{}, symmetries_of<connect4>(), average};
  reserve(evaluator, {layout_of<connect4>(), 1, 2});
  filled_batch<connect4> filled({connect4{}, connect4{}});
  filled.rows[0] = {};
  evaluator.submit(0, filled.view());
  evaluator.wait(0);
  filled_batch<connect4> alone({connect4{}});
  evaluator.submit(0, alone.view());
  evaluator.wait(0);
  CHECK(same_row(filled, 1, alone, 0));
  CHECK(evaluator.inner().counts->rows == 6);
}

TEST_CASE("an evaluator is named with its symmetries, and asks for as many rows as it needs") {
  symmetric const one{raw_network{}, symmetries_of<go<5>>(), {.seed = 12}};
  symmetric const all{raw_network{}, symmetries_of<go<5>>(), average};
  CHECK(one.identity() == "fake:symmetry=random:12");
  CHECK(all.identity() == "fake:symmetry=average");
  CHECK_FALSE(is_shared(one));
  CHECK(is_shared(symmetric{device<connect4>(true), symmetries_of<connect4>()}));
  reservation const wanted{layout_of<go<5>>(), 2, 16};
  std::size_t const rows = 2 * 16 * (sizeof(row<go<5>>) + 27 * sizeof(float));
  CHECK(memory_bytes(one, wanted) > rows);
  CHECK(memory_bytes(one, wanted) < 2 * rows);
  CHECK(memory_bytes(all, wanted) > 8 * rows);
  CHECK(memory_bytes(all, wanted) < 9 * rows);
}

TEST_CASE("what does not fit is refused") {
  CHECK_THROWS_AS((symmetric{raw_network{}, row_symmetries{}}), contract_error);
  symmetric evaluator{raw_network{}, symmetries_of<connect4>(), average};
  filled_batch<connect4> filled({connect4{}, connect4{}});
  CHECK_THROWS_AS(evaluator.submit(0, filled.view()), contract_error);
  CHECK_THROWS_WITH_AS(reserve(evaluator, {layout_of<hex7>(), 1, 1}), doctest::Contains("not of the game"),
                       contract_error);
  CHECK_THROWS_WITH_AS(reserve(evaluator, {layout_of<connect4>(), 1, 1 << 24}),
                       doctest::Contains("too large"), contract_error);
  reserve(evaluator, {layout_of<connect4>(), 1, 1});
  CHECK_THROWS_AS(evaluator.submit(0, filled.view()), contract_error);
  CHECK_THROWS_AS(evaluator.submit(1, filled.view()), contract_error);
  filled_batch<hex7> other({hex7{}});
  CHECK_THROWS_AS(evaluator.submit(0, other.view()), contract_error);
}

TEST_CASE("decorators of any kind and in any order play the same games under all batching") {
  using G = connect4;
  auto const symmetries = symmetries_of<G>();
  std::uint64_t const plain = hash_of_games(immediate{}, raw_network{}, 1);
  CHECK(plain == hash_under_all(cached(device<G>(false), {.entries = 64})));
  CHECK(plain == hash_under_all(cached(device<G>(true), {.entries = 64})));

  std::uint64_t const one = hash_of_games(immediate{}, symmetric(raw_network{}, symmetries, {.seed = 1}), 1);
  CHECK(one == hash_under_all(symmetric(device<G>(false), symmetries, {.seed = 1})));
  CHECK(one == hash_under_all(cached(symmetric(device<G>(true), symmetries, {.seed = 1}), {64})));
  CHECK(one == hash_under_all(symmetric(cached(device<G>(true), {64}), symmetries, {.seed = 1})));

  std::uint64_t const all = hash_of_games(immediate{}, symmetric(raw_network{}, symmetries, average), 1);
  CHECK(all == hash_under_all(symmetric(device<G>(true), symmetries, average)));
  CHECK(all == hash_under_all(cached(symmetric(device<G>(false), symmetries, average), {64})));

  std::uint64_t const other =
      hash_of_games(immediate{}, symmetric(raw_network{}, symmetries, {.seed = 2}), 1);
  CHECK(std::set{plain, one, all, other}.size() == 4);
}
