#include "network_rows.hpp"

#include "../support/threaded_network.hpp"

#include <batchmate/core/error.hpp>
#include <batchmate/eval/any_evaluator.hpp>
#include <batchmate/eval/cached.hpp>
#include <batchmate/eval/reference.hpp>
#include <batchmate/eval/uniform.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <deque>
#include <memory>
#include <string>
#include <thread>
#include <vector>

using namespace batchmate;

using G = random_position<2, 5, 5, 26, 1>;

namespace {

/// Answers by the rows, but only in `wait`, and counts the rows. It checks that rows and positions belong together.
struct late {
  void reserve(reservation const& wanted) { pending.resize(static_cast<std::size_t>(wanted.slots)); }
  void submit(int slot, batch<G> const& rows) {
    if (*fail) throw evaluation_error("late: failed");
    pending[static_cast<std::size_t>(slot)] = rows;
    evaluated += rows.count;
  }
  void wait(int slot) {
    auto& rows = pending[static_cast<std::size_t>(slot)];
    for (int b = 0; b < rows.count; ++b) {
      row<G> expected{};
      expected.encode(rows.positions[b]);
      CHECK(expected.planes == rows.rows[b].planes);
      CHECK(expected.globals == rows.rows[b].globals);
      CHECK(rows.rows[b].legal == rows.positions[b].legal_actions());
      rows.values[b] = value_of(rows.positions[b]);
      for (int i = 0; i < rows.rows[b].legal.count(); ++i)
        rows.priors_of(b)[i] = value_of(rows.positions[b]) + static_cast<float>(i);
    }
    rows.count = 0;
  }
  std::string identity() const { return "late"; }
  static float value_of(G const& position) { return static_cast<float>(position.seed); }

  std::shared_ptr<bool> fail = std::make_shared<bool>(false);
  int evaluated = 0;
  std::vector<batch<G>> pending;
};

/// The same batch answered by another evaluator and by itself, bit by bit over all that the contract promises.
bool same_answers(filled_batch<G>& a, filled_batch<G>& b) {
  bool same = std::memcmp(a.values.data(), b.values.data(), a.values.size() * sizeof(float)) == 0;
  for (std::size_t r = 0; r < a.rows.size(); ++r)
    same =
        same && std::memcmp(a.view().priors_of(static_cast<int>(r)), b.view().priors_of(static_cast<int>(r)),
                            static_cast<std::size_t>(a.rows[r].legal.count()) * sizeof(float)) == 0;
  return same;
}

std::vector<G> positions_of(std::vector<std::uint64_t> const& seeds) {
  std::vector<G> positions;
  for (auto const seed : seeds) positions.push_back({seed});
  return positions;
}

bool answered(filled_batch<G>& filled) {
  bool right = true;
  for (std::size_t b = 0; b < filled.rows.size(); ++b)
    right = right && filled.values[b] == late::value_of(filled.positions[b]) &&
            filled.view().priors_of(static_cast<int>(b))[0] == late::value_of(filled.positions[b]);
  return right;
}

}  // namespace

TEST_CASE("each row is evaluated once, within a batch and from batch to batch") {
  cached evaluator{late{}, {.entries = 1000}};
  static_assert(require_evaluator<cached<late>, G>());
  reserve(evaluator, {layout_of<G>(), 1, 8});
  filled_batch<G> first(positions_of({1, 2, 1, 3, 2, 1}));
  evaluator.submit(0, first.view());
  evaluator.wait(0);
  CHECK(answered(first));
  CHECK(evaluator.counts() == cache_counts{.hits = 0, .repeats = 3, .misses = 3});
  filled_batch<G> second(positions_of({3, 4, 1, 4}));
  evaluator.submit(0, second.view());
  evaluator.wait(0);
  evaluator.wait(0);
  CHECK(answered(second));
  CHECK(evaluator.counts() == cache_counts{.hits = 2, .repeats = 4, .misses = 4});
  filled_batch<G> third(positions_of({4, 3}));
  evaluator.submit(0, third.view());
  evaluator.wait(0);
  CHECK(answered(third));
  CHECK(evaluator.counts() == cache_counts{.hits = 4, .repeats = 4, .misses = 4});
  CHECK(evaluator.inner().evaluated == 4);
  CHECK(evaluator.identity() == "late");
}

TEST_CASE("a report adds the look-ups to what the evaluator inside counted") {
  struct counting : late {
    evaluator_report report() const { return {.rows = static_cast<std::uint64_t>(evaluated)}; }
  };
  cached evaluator{counting{}, {.entries = 1000}};
  CHECK(evaluator.report().cache_lookups == 0);
  reserve(evaluator, {layout_of<G>(), 1, 8});
  for (int turn = 0; turn < 2; ++turn) {
    filled_batch<G> rows(positions_of({1, 2, 1, 3}));
    evaluator.submit(0, rows.view());
    evaluator.wait(0);
  }
  evaluator_report const found = report(evaluator);
  CHECK(found.rows == 3);
  CHECK(found.cache_lookups == 8);
  CHECK(found.cache_hits == 5);
  CHECK(found.cache_repeats == 1);
  CHECK(found.cache_hit_share() == 0.625);
}

TEST_CASE("rows without their game are answered as rows with it") {
  static_assert(raw_evaluator<cached<reference>> && !raw_evaluator<cached<late>>);
  cached evaluator{reference{random_network({.input = G::input,
                                             .num_globals = num_globals<G>,
                                             .num_actions = G::num_actions,
                                             .blocks = 1,
                                             .channels = 4},
                                            1)}};
  reserve(evaluator, {layout_of<G>(), 1, 8});
  filled_batch<G> with(positions_of({1, 2, 3})), without(with.positions);
  evaluator.submit(0, with.view());
  evaluator.wait(0);
  evaluator.submit(0, without.view().raw());
  evaluator.wait(0);
  CHECK(same_answers(with, without));
  CHECK(evaluator.counts() == cache_counts{.hits = 3, .repeats = 0, .misses = 3});
}

TEST_CASE("two slots may be under way with the same rows") {
  cached evaluator{late{}};
  reserve(evaluator, {layout_of<G>(), 2, 4});
  filled_batch<G> a(positions_of({1, 2, 3})), b(positions_of({3, 4, 3, 1})), c(positions_of({4, 2}));
  evaluator.submit(0, a.view());
  evaluator.submit(1, b.view());
  evaluator.wait(0);
  CHECK(answered(a));
  evaluator.submit(0, c.view());
  evaluator.wait(1);
  CHECK(answered(b));
  evaluator.wait(0);
  CHECK(answered(c));
  CHECK(evaluator.counts() == cache_counts{.hits = 1, .repeats = 1, .misses = 7});
}

TEST_CASE("rows that differ in their legal actions, globals or symmetry alone are different rows") {
  cached evaluator{reference(random_network(extents_for<G>(1, 8), 2))};
  reserve(evaluator, {layout_of<G>(), 1, 5});
  filled_batch<G> filled(positions_of({1, 1, 1, 1, 1}));
  filled.rows[1].legal = action_set<26>::only(5);
  filled.rows[2].globals[0] = 3;
  filled.rows[4].symmetry = 1;
  evaluator.submit(0, filled.view());
  evaluator.wait(0);
  CHECK(evaluator.counts() == cache_counts{.hits = 0, .repeats = 1, .misses = 4});
  CHECK(filled.view().priors_of(1)[0] == 1.0f);
  CHECK(filled.values[2] != filled.values[0]);
  CHECK(filled.values[3] == filled.values[0]);
}

TEST_CASE("rows with equal hashes are told apart by their bytes") {
  answer_table table;
  row_layout const layout{{1, 1, 1}, 2, 0, 16};
  table.reserve(8, layout);
  std::array<std::uint64_t, 2> const a{1, 3}, b{0, 3};
  std::array<float, 2> const priors{0.25f, 0.75f};
  std::array<float, 2> found{};
  float value = 9;
  table.insert(7, a.data(), 2, 0.5f, priors.data());
  CHECK_FALSE(table.find(7, b.data(), 2, value, found.data()));
  CHECK(value == 9);
  table.insert(7, b.data(), 2, -0.5f, priors.data());
  CHECK(table.find(7, a.data(), 2, value, found.data()));
  CHECK(value == 0.5f);
  CHECK(found == priors);
  CHECK(table.find(7, b.data(), 2, value, found.data()));
  CHECK(value == -0.5f);
}

TEST_CASE("the row that was not used for longest gives way in a full bucket") {
  answer_table table;
  table.reserve(4, {{1, 1, 1}, 2, 0, 16});
  std::array<float, 2> priors{};
  float value = 0;
  auto const insert = [&](std::uint64_t n) {
    std::array<std::uint64_t, 2> const row{n, 3};
    table.insert(answer_table::hash_of(row.data(), 2), row.data(), 2, static_cast<float>(n), priors.data());
  };
  auto const find = [&](std::uint64_t n) {
    std::array<std::uint64_t, 2> const row{n, 3};
    return table.find(answer_table::hash_of(row.data(), 2), row.data(), 2, value, priors.data());
  };
  for (std::uint64_t n = 0; n < 4; ++n) insert(n);
  CHECK(find(0));
  insert(4);
  CHECK(find(0));
  CHECK_FALSE(find(1));
  CHECK(find(4));
  CHECK(value == 4);
}

TEST_CASE("answers are bit-identical to those without a cache, in a table of any size") {
  network const net = random_network(extents_for<G>(1, 8), 2);
  random_stream random(random_key{6});
  reference plain(net);
  plain.reserve({layout_of<G>(), 2, 16});
  for (int const entries : {4, 40, 4000}) {
    cached evaluator{reference(net), {.entries = entries}};
    reserve(evaluator, {layout_of<G>(), 2, 16});
    bool same = true;
    for (int round = 0; round < 60; ++round) {
      std::vector<std::uint64_t> seeds(1 + random.below(16));
      for (auto& seed : seeds) seed = random.below(50);
      filled_batch<G> expected(positions_of(seeds)), found(positions_of(seeds));
      plain.submit(round % 2, expected.view());
      evaluator.submit(round % 2, found.view());
      evaluator.wait(round % 2);
      same = same && same_answers(expected, found);
    }
    CAPTURE(entries);
    CHECK(same);
    if (entries == 4000) CHECK(evaluator.counts().misses == 50);
    if (entries == 4) CHECK(evaluator.counts().misses > 200);
    CHECK(evaluator.counts().hits > 0);
    CHECK(evaluator.identity() == plain.identity());
  }
}

TEST_CASE("a failure inside leaves the cache usable") {
  late inner;
  cached evaluator{inner};
  reserve(evaluator, {layout_of<G>(), 1, 4});
  filled_batch<G> filled(positions_of({1, 2}));
  *inner.fail = true;
  CHECK_THROWS_AS(evaluator.submit(0, filled.view()), evaluation_error);
  CHECK_NOTHROW(evaluator.wait(0));
  *inner.fail = false;
  evaluator.submit(0, filled.view());
  evaluator.wait(0);
  CHECK(answered(filled));
  CHECK(evaluator.inner().evaluated == 2);
}

TEST_CASE("around a shared evaluator, threads may submit on their slots and wait for the same ones") {
  cached evaluator{threaded_network{}, {.entries = 40}};
  CHECK(is_shared(evaluator));
  int constexpr slots = 4, rounds = 60;
  reserve(evaluator, {layout_of<G>(), slots, 16});
  std::deque<filled_batch<G>> asked;
  for (int i = 0; i < slots * rounds; ++i) {
    random_stream random(random_key{7}.split(static_cast<std::uint64_t>(i)));
    std::vector<std::uint64_t> seeds(1 + random.below(16));
    for (auto& seed : seeds) seed = random.below(30);
    asked.emplace_back(positions_of(seeds));
  }
  std::uint64_t rows = 0;
  {
    std::vector<std::jthread> threads;
    for (int slot = 0; slot < slots; ++slot)
      threads.emplace_back([&, slot] {
        for (int round = 0; round < rounds; ++round) {
          evaluator.submit(slot, asked[static_cast<std::size_t>(slot * rounds + round)].view());
          std::jthread const other([&] { evaluator.wait(slot); });
          evaluator.wait(slot);
        }
      });
  }
  bool same = true;
  for (auto& found : asked) {
    filled_batch<G> expected(found.positions);
    for (int b = 0; b < expected.view().count; ++b) fake_answer(expected.view().raw(), b);
    same = same && same_answers(expected, found);
    rows += found.rows.size();
  }
  CHECK(same);
  cache_counts const counts = evaluator.counts();
  CHECK(counts.hits + counts.repeats + counts.misses == rows);
  CHECK(counts.misses == evaluator.inner().counts().rows);
  CHECK(counts.hits > 0);
  CHECK(counts.repeats > 0);
}

TEST_CASE("everybody who waits for a batch that failed is told") {
  threaded_network::settings with;
  with.fails_at = 1;
  cached evaluator{threaded_network{with}};
  reserve(evaluator, {layout_of<G>(), 1, 4});
  filled_batch<G> filled(positions_of({1, 2}));
  evaluator.submit(0, filled.view());
  CHECK_THROWS_AS(evaluator.wait(0), planned_failure);
  CHECK_THROWS_AS(evaluator.wait(0), planned_failure);
}

TEST_CASE("a copy begins with an empty table and wants a reservation of its own") {
  cached evaluator{late{}};
  reserve(evaluator, {layout_of<G>(), 1, 4});
  filled_batch<G> filled(positions_of({1, 2}));
  evaluator.submit(0, filled.view());
  evaluator.wait(0);
  cached copy = evaluator;
  CHECK_THROWS_AS(copy.submit(0, filled.view()), contract_error);
  reserve(copy, {layout_of<G>(), 1, 4});
  copy.submit(0, filled.view());
  copy.wait(0);
  CHECK(answered(filled));
  CHECK(copy.inner().evaluated == 4);
  evaluator.submit(0, filled.view());
  CHECK(evaluator.inner().evaluated == 2);
}

TEST_CASE("what cannot be cached is refused") {
  CHECK_THROWS_AS((cached{late{}, {.entries = 0}}), contract_error);
  cached evaluator{late{}};
  filled_batch<G> filled(positions_of({1, 2, 3}));
  CHECK_THROWS_AS(evaluator.submit(0, filled.view()), contract_error);
  reserve(evaluator, {layout_of<G>(), 1, 2});
  CHECK_THROWS_AS(evaluator.submit(0, filled.view()), contract_error);
  CHECK_THROWS_AS(evaluator.submit(1, filled.view()), contract_error);
  CHECK_THROWS_AS(evaluator.wait(-1), contract_error);
  struct reads_positions : late {
    bool needs_planes() const { return false; }
  };
  cached positions_cached{reads_positions{}};
  CHECK_THROWS_WITH_AS(reserve(positions_cached, {layout_of<G>(), 1, 2}),
                       doctest::Contains("reads positions"), contract_error);
}

TEST_CASE("its memory covers the table, the slots and the evaluator inside") {
  reservation const wanted{layout_of<G>(), 2, 16};
  reference const inner(random_network(extents_for<G>(1, 8), 2));
  cached const evaluator{inner, {.entries = 1000}};
  std::size_t const least = memory_bytes(inner, wanted) + 1000 * (sizeof(row<G>) + 27 * sizeof(float));
  CHECK(memory_bytes(evaluator, wanted) > least);
  CHECK(memory_bytes(evaluator, wanted) < 2 * least);
}

namespace {

/// Answers with the number of its network, which all copies see replaced.
struct replaceable {
  void submit(int, batch<G> const& rows) {
    for (int b = 0; b < rows.count; ++b) {
      rows.values[b] = static_cast<float>(*network);
      std::fill_n(rows.priors_of(b), rows.rows[b].legal.count(), 0.0f);
    }
    evaluated += rows.count;
    if (replace_after_submit) ++*network;
  }
  void wait(int) const {}
  std::string identity() const { return "replaceable"; }
  std::uint64_t network_version() const { return *network; }

  std::shared_ptr<std::uint64_t> network = std::make_shared<std::uint64_t>(1);
  bool replace_after_submit = false;
  int evaluated = 0;
};

}  // namespace

TEST_CASE_TEMPLATE("answers of a network that has been replaced are forgotten", Inner, replaceable,
                   any_evaluator<G>) {
  replaceable device;
  auto const network = device.network;
  cached<Inner> evaluator{Inner(device)};
  evaluator.reserve({layout_of<G>(), 1, 8});
  filled_batch<G> batch(positions_of({1, 2, 3, 4, 5, 6, 7, 8}));
  auto const value = [&] {
    evaluator.submit(0, batch.view());
    evaluator.wait(0);
    return batch.values[0];
  };
  CHECK(value() == 1);
  CHECK(value() == 1);
  CHECK(evaluator.counts().misses == 8);
  *network = 2;
  CHECK(value() == 2);
  CHECK(value() == 2);
  CHECK(evaluator.counts().misses == 16);
  *network = 1;  // nothing of it is left
  CHECK(value() == 1);
  CHECK(evaluator.counts().misses == 24);
}

TEST_CASE("answers are not kept if the network is replaced while they are asked for") {
  cached<replaceable> evaluator{replaceable{std::make_shared<std::uint64_t>(1), true}};
  evaluator.reserve({layout_of<G>(), 1, 8});
  filled_batch<G> batch(positions_of({1, 2, 3, 4, 5, 6, 7, 8}));
  for (int turn = 1; turn <= 3; ++turn) {
    evaluator.submit(0, batch.view());
    evaluator.wait(0);
    CHECK(batch.values[0] == static_cast<float>(turn));
    CHECK(evaluator.counts().misses == static_cast<std::uint64_t>(8 * turn));
  }
}
