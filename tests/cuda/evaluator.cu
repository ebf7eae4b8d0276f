// The promises of the evaluator, on a GPU: `ctest -L '^gpu$'`. No machine with a GPU has run them yet; tests/emulated_gpu
// runs all but one of them on an emulated one.
#include <batchmate/batchmate.hpp>
#include <batchmate/cuda/evaluator.hpp>

#include "../support/any_batching.hpp"
#include "agreement.hpp"
#include "device.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <concepts>
#include <cstdint>
#include <set>
#include <string>
#include <vector>

namespace bm = batchmate;
using bm::cuda::precision;

namespace {

using small = random_position<3, 7, 7, 50, 1>;
using tower9 = random_position<3, 9, 9, 82, 0>;
using tower11 = random_position<3, 11, 11, 121, 0>;
using tower13 = random_position<3, 13, 13, 169, 0>;
using tower19 = random_position<18, 19, 19, 362, 1>;

static_assert(bm::evaluator_for<bm::cudnn, small>);
static_assert(std::copyable<bm::cudnn>);

template <bm::game G>
bm::network network_of(int blocks, int channels, std::uint64_t seed, int value_outputs = 3) {
  auto extents = extents_for<G>(blocks, channels);
  extents.value_outputs = value_outputs;
  return bm::random_network(extents, seed);
}

template <bm::game G>
void check_against_reference(int blocks, int channels, int value_outputs, std::uint64_t seed) {
  auto const net = network_of<G>(blocks, channels, seed, value_outputs);
  std::vector<G> positions;
  for (std::uint64_t i = 0; i < (emulated ? 5 : 40); ++i) positions.push_back({seed * 1000 + i});
  for (auto const p : {precision::fp32, precision::fp16, precision::bf16}) {
    CAPTURE(bm::cuda::name_of(p));
    CAPTURE(channels);
    bm::cudnn evaluator(net, {.precision = p, .max_chunk = 64});
    auto const off = compare_with_reference(net, evaluator, positions);
    CHECK(off.value < tolerance(p));
    CHECK(off.prior < tolerance(p));
  }
}

/// Puts one position at rows 0, 17 and last among random ones, in every bucket and on every lane; all its answers must
/// have the bits of the first.
template <bm::game G>
void check_rows_stand_alone(int blocks, int channels, precision p, int most) {
  bm::cudnn evaluator(network_of<G>(blocks, channels, 7), {.precision = p, .max_chunk = most});
  evaluator.reserve({bm::layout_of<G>(), 4, most});
  std::vector<float> expected;
  std::uint64_t next = 1000;
  for (int const rows : evaluator.buckets())
    for (int slot = 0; slot < 2; ++slot) {
      std::vector<G> positions, others;
      for (int b = 0; b < rows; ++b) {
        bool const mine = b == 0 || b == 17 || b == rows - 1;
        positions.push_back({mine ? 5 : next++});
        others.push_back({next++});
      }
      pinned_batch<G> batch(evaluator, positions), neighbour(evaluator, others);
      evaluator.submit(1 - slot,
                       slot ? batch.view() : neighbour.view());  // so that both lanes are used in turn
      evaluator.submit(slot, slot ? neighbour.view() : batch.view());
      evaluator.wait(0);
      evaluator.wait(1);
      if (expected.empty()) expected = batch.answer(0);
      for (int const b : {0, 17, rows - 1}) {
        CAPTURE(channels);
        CAPTURE(rows);
        CAPTURE(b);
        if (b < rows) CHECK(same_bits(batch.answer(b), expected));
      }
    }
}

template <bm::game G, class S, class B>
std::uint64_t hash_of_games(S const& search, B const& policy, bm::cudnn const& evaluator, int threads) {
  bm::self_play<G, S, B, bm::cudnn> play(G{}, search, policy, evaluator);
  int const episodes = emulated ? 3 : 20;
  int delivered = 0;
  auto const done = play.run({.episodes = episodes, .seed = 5, .threads = threads},
                             [&](bm::episode<G> const& e) { delivered += e.number == delivered; });
  REQUIRE(delivered == episodes);
  return done.episodes_hash;
}

/// The network that plays games here.
template <bm::game G>
bm::network playing_network() {
  return network_of<G>(emulated ? 1 : 2, emulated ? 8 : 32, 3);
}

template <bm::game G, class S>
void check_same_games(S const& search) {
  bm::cudnn const evaluator(playing_network<G>(), {.max_chunk = 1024});
  auto const expected = hash_of_games<G>(search, any_batching(bm::immediate{}), evaluator, 1);
  int turn = 0;
  for (int const max_batch : emulated ? std::vector{1, 7} : std::vector{1, 7, 64, 1000}) {
    for (any_batching const& policy : any_batching::all(max_batch)) {
      CAPTURE(policy.identity());
      CHECK(hash_of_games<G>(search, policy, evaluator, 1 + turn++ % 3) == expected);
    }
    bm::shared_queue const queue{.games = 12, .max_batch = max_batch, .processors = 1 + max_batch % 2};
    CHECK(hash_of_games<G>(search, queue, evaluator, 1 + max_batch % 3) == expected);
  }
}

}  // namespace

TEST_CASE("answers agree with reference: 1e-4 in fp32, 2e-2 in fp16 and bf16, all outputs written" *
          doctest::skip(no_device())) {
  check_against_reference<small>(2, 16, 3, 1);
  check_against_reference<small>(1, 13, 1, 2);
  check_against_reference<small>(0, 32, 3, 3);
  check_against_reference<tower9>(6, 64, 3, 4);
  check_against_reference<tower13>(2, 128, 1, 5);
  check_against_reference<tower19>(1, 96, 3, 6);
}

TEST_CASE("a row's bits depend on its position alone: rows 0, 17 and last, every bucket, both lanes" *
          doctest::skip(emulated || no_device())) {  // an emulated convolution knows no batch
  check_rows_stand_alone<tower9>(6, 64, precision::fp16, 4096);
  check_rows_stand_alone<tower11>(10, 128, precision::fp16, 2048);
  check_rows_stand_alone<tower13>(10, 128, precision::fp16, 4096);
  check_rows_stand_alone<tower13>(15, 192, precision::fp16, 2048);
  check_rows_stand_alone<tower19>(20, 256, precision::fp16, 1024);
  check_rows_stand_alone<tower13>(10, 128, precision::bf16, 2048);
  check_rows_stand_alone<small>(2, 24, precision::fp16, 2048);
  check_rows_stand_alone<tower9>(2, 32, precision::fp32, 1024);
}

TEST_CASE("the games are the same under all batching policies, batch sizes and threads" *
          doctest::skip(no_device())) {
  check_same_games<bm::hex7>(bm::puct{.simulations = 10, .leaves = 4});
  check_same_games<bm::connect4>(bm::puct{.simulations = 12});
  check_same_games<bm::hex7>(bm::top_k{.widths = {2, 3}});
}

TEST_CASE(
    "roots under symmetries are moved on the device, and the games are those of roots moved on the host" *
    doctest::skip(no_device())) {
  using G = bm::hex7;
  auto const net = playing_network<G>();
  bm::cuda::board_symmetries const tables(bm::symmetries_of<G>());
  bm::cudnn const moves(net, {.max_chunk = 256, .symmetries = tables}), plain(net, {.max_chunk = 256});
  CHECK(moves.moves_rows());
  CHECK_FALSE(plain.moves_rows());
  CHECK(moves.identity() == plain.identity());
  bm::puct const without{.simulations = 12}, with{.simulations = 12, .root_symmetries = 2};
  auto const hash = [&](bm::cudnn const& evaluator, bm::puct const& search, int games) {
    return hash_of_games<G>(search, bm::lockstep{.games = games}, evaluator, 2);
  };
  CHECK(hash(moves, without, 9) == hash(plain, without, 9));
  CHECK(hash(moves, with, 9) == hash(plain, with, 20));
  CHECK(hash(moves, with, 9) != hash(moves, without, 9));
}

TEST_CASE("graphs and plain launches play the same games" * doctest::skip(no_device())) {
  bm::puct const search{.simulations = 12};
  auto const net = playing_network<bm::connect4>();
  bm::overlapped const policy{.games = 20};
  CHECK(hash_of_games<bm::connect4>(search, policy, bm::cudnn(net, {.graphs = true}), 2) ==
        hash_of_games<bm::connect4>(search, policy, bm::cudnn(net, {.graphs = false}), 2));
}

TEST_CASE("weights can be replaced between batches, and copies see it" * doctest::skip(no_device())) {
  auto const first = network_of<small>(2, 32, 1), second = network_of<small>(2, 32, 2);
  bm::cudnn evaluator(first), copy = evaluator, other(second);
  bm::reservation const room{bm::layout_of<small>(), 2, 100};
  evaluator.reserve(room);
  other.reserve(room);
  pinned_batch<small> before(evaluator, numbered_positions<small>(100)),
      after(evaluator, numbered_positions<small>(100)), expected(other, numbered_positions<small>(100));
  std::string const identity = evaluator.identity();
  evaluator.submit(0, before.view());
  copy.replace(second);  // the batch in flight still sees the first
  evaluator.submit(1, after.view());
  other.submit(0, expected.view());
  for (int slot : {0, 1}) evaluator.wait(slot);
  other.wait(0);
  int same = 0;
  for (int b = 0; b < 100; ++b) {
    CHECK(same_bits(after.answer(b), expected.answer(b)));
    same += same_bits(before.answer(b), after.answer(b));
  }
  CHECK(same == 0);
  CHECK(evaluator.identity() == other.identity());
  CHECK(evaluator.identity() != identity);
  CHECK_THROWS_AS(evaluator.replace(network_of<small>(3, 32, 1)), bm::contract_error);
}

TEST_CASE("two evaluators work at once" * doctest::skip(no_device())) {
  bm::cudnn one(network_of<small>(2, 32, 1)),
      two(network_of<small>(4, 64, 2), {.precision = precision::bf16});
  bm::reservation const room{bm::layout_of<small>(), 2, 300};
  one.reserve(room);
  two.reserve(room);
  auto const positions = numbered_positions<small>(300);
  pinned_batch<small> first(one, positions), second(two, positions);
  one.submit(0, first.view());
  one.wait(0);
  two.submit(0, second.view());
  two.wait(0);
  for (int turn = 0; turn < (emulated ? 3 : 30); ++turn) {
    pinned_batch<small> of_one(one, positions), of_two(two, positions);
    one.submit(turn % 2, of_one.view());
    two.submit(turn % 2, of_two.view());
    one.wait(turn % 2);
    two.wait(turn % 2);
    int different = 0;
    for (int b = 0; b < 300; ++b)
      different +=
          !same_bits(of_one.answer(b), first.answer(b)) + !same_bits(of_two.answer(b), second.answer(b));
    CHECK(different == 0);
  }
}

TEST_CASE("a saved plan gives the same identity and the same bits; one of another cuDNN is refused" *
          doctest::skip(no_device())) {
  auto const net = network_of<tower9>(2, 64, 1);
  bm::cudnn chosen(net), given(net, {.plan = bm::cuda::parse_plan(bm::cuda::text_of(chosen.plan()), "text")});
  CHECK(chosen.identity() == given.identity());
  CHECK(chosen.identity().find("cudnn-" + bm::cuda::cudnn_version()) == 0);
  CHECK(chosen.note().find("plan: ") != std::string::npos);
  auto plan = chosen.plan();
  plan.cudnn = "9.0.0";
  CHECK_THROWS_WITH_AS(bm::cudnn(net, {.plan = plan}), doctest::Contains("made with cuDNN 9.0.0"),
                       bm::contract_error);
}

TEST_CASE("a network for another game is refused" * doctest::skip(no_device())) {
  auto net = network_of<bm::hex7>(1, 16, 1);
  net.game = "chess";
  bm::cudnn evaluator(net);
  evaluator.reserve({bm::layout_of<bm::hex7>(), 1, 1});
  filled_batch<bm::hex7> batch({bm::hex7{}});
  CHECK_THROWS_AS(evaluator.submit(0, batch.view()), bm::contract_error);
  CHECK_THROWS_AS(evaluator.reserve({bm::layout_of<small>(), 1, 1}), bm::contract_error);
}
