#include <batchmate/batch/lockstep.hpp>
#include <batchmate/eval/batch_buffer.hpp>
#include <batchmate/play/game_slot.hpp>
#include <batchmate/play/self_play.hpp>
#include <batchmate/search/puct.hpp>
#include <batchmate/search/top_k.hpp>

#include "../support/fake_network.hpp"
#include "../support/nim.hpp"

#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>
#include <vector>

namespace bm = batchmate;

namespace {

constexpr int capacity = 8;

/// Goes on with a slot until its game is over; the rows left to it are as many as `room` says, then 1 to 8.
template <class S>
std::vector<int> play_one(bm::game_slot<nim, S>& slot, int room, bm::worker_counters& counters) {
  fake_network network;
  bm::batch_buffer<nim> buffer(network, capacity);
  for (int step = 0;; ++step) {
    int const rows = room > 0 ? room : 1 + step % capacity;
    bm::row_range<nim> out(buffer.positions(), buffer.rows(), rows);
    if (slot.advance(out, counters)) break;
    REQUIRE(slot.waiting());
    out.encode();
    network.submit(0, buffer.view(0, out.used()));
    slot.absorb(buffer.view(0, rows), network);
    REQUIRE_FALSE(slot.waiting());
  }
  std::vector<int> moves;
  bm::episode<nim> const& done = slot.finished();
  for (auto const& s : done.samples) moves.push_back(s.action);
  CHECK(done.final_position.stones == 0);
  CHECK(done.samples.back().outcome == bm::win);
  return moves;
}

}  // namespace

TEST_CASE("a slot plays the same game however its rows are cut") {
  for (int number = 0; number < 10; ++number) {
    std::vector<std::vector<int>> games;
    for (int room : {1, 2, 5, 8, 0}) {
      bm::worker_counters counters;
      bm::game_slot<nim, bm::puct> slot(bm::puct{.simulations = 20, .leaves = 4});
      CHECK_FALSE(slot.active());
      slot.start(number, {bm::random_key{9}, nim{}});
      CHECK(slot.active());
      games.push_back(play_one(slot, room, counters));
      CHECK_FALSE(slot.active());
      CHECK(games.back() == games.front());
      CHECK(counters.simulations.value() > 0);
    }
  }
}

TEST_CASE("a slot starts anew after a game, and after one that was given up") {
  bm::worker_counters counters;
  bm::game_slot<nim, bm::top_k> slot(bm::top_k{.widths = {2, 2}});
  fake_network network;
  bm::batch_buffer<nim> buffer(network, capacity);
  slot.start(3, {bm::random_key{9}, nim{}});
  std::vector<int> const first = play_one(slot, capacity, counters);
  slot.finished().samples.clear();
  slot.start(4, {bm::random_key{9}, nim{}});
  bm::row_range<nim> out(buffer.positions(), buffer.rows(), capacity);
  CHECK_FALSE(slot.advance(out, counters));
  slot.abandon();
  CHECK_FALSE(slot.active());
  CHECK_FALSE(slot.waiting());
  slot.start(3, {bm::random_key{9}, nim{}});
  CHECK(play_one(slot, capacity, counters) == first);
}

TEST_CASE("nothing is done while no row is free") {
  bm::worker_counters counters;
  bm::game_slot<nim, bm::puct> slot(bm::puct{});
  slot.start(0, {{}, nim{}});
  bm::row_range<nim> full;
  CHECK_FALSE(slot.advance(full, counters));
  CHECK_FALSE(slot.waiting());
}

TEST_CASE("bad answers are refused before the search sees them") {
  bm::worker_counters counters;
  bm::game_slot<nim, bm::puct> slot(bm::puct{});
  fake_network network;
  bm::batch_buffer<nim> buffer(network, capacity);
  slot.start(0, {{}, nim{}});
  bm::row_range<nim> out(buffer.positions(), buffer.rows(), capacity);
  (void)slot.advance(out, counters);
  CHECK_THROWS_AS(slot.absorb(buffer.view(0, capacity), network), bm::evaluation_error);  // priors are zero
}

TEST_CASE("a slot's size grows with its tree") {
  using slot = bm::game_slot<nim, bm::puct>;
  CHECK(slot::bytes(bm::puct{.simulations = 1000}) > slot::bytes(bm::puct{.simulations = 10}) + 990 * 32);
}

TEST_CASE("a game ends where the search advises to resign, if that is let, and is told from a finished one") {
  bm::puct search{.simulations = 20};
  search.resign_below = 0.99f;  // whoever is not sure to win gives up
  bm::worker_counters counters;
  bm::game_slot<nim, bm::puct> slot(search);
  fake_network network;
  auto const play = [&](bool may_resign) {
    slot.start(1, {bm::random_key{9}, nim{}, 0, may_resign});
    for (;;) {
      bm::batch_buffer<nim> buffer(network, capacity);
      bm::row_range<nim> out(buffer.positions(), buffer.rows(), capacity);
      if (slot.advance(out, counters)) break;
      out.encode();
      network.submit(0, buffer.view(0, out.used()));
      slot.absorb(buffer.view(0, capacity), network);
    }
    bm::episode<nim> const ended = slot.finished();
    slot.finished().samples.clear();
    return ended;
  };
  auto const given_up = play(true), whole = play(false);
  CHECK(given_up.resigned);
  CHECK_FALSE(given_up.played_through);
  CHECK_FALSE(given_up.final_position.result());
  CHECK(given_up.result() == bm::loss);
  REQUIRE(!given_up.samples.empty());
  CHECK(given_up.samples.back().outcome == bm::win);
  CHECK_FALSE(whole.resigned);
  CHECK(whole.played_through);
  REQUIRE(whole.samples.size() >= given_up.samples.size());
  for (std::size_t i = 0; i < given_up.samples.size(); ++i)
    CHECK(whole.samples[i].action == given_up.samples[i].action);
  // Who would have resigned was to move after the moves that both games share, and the last mover has won.
  bool const resigner_moved_last = (whole.samples.size() - given_up.samples.size()) % 2 == 1;
  CHECK(whole.saved == resigner_moved_last);
}

namespace {

/// A run of 300 games in which a search may advise to resign.
struct resigning_run {
  std::vector<bm::episode<nim>> games;
  bm::statistics done;
};

constexpr float resign_below = 0.1f;

resigning_run play_resigning(float play_through, int threads = 1, int games = 16) {
  resigning_run run;
  bm::puct search{.simulations = 8};
  search.resign_below = resign_below;
  bm::self_play play{nim{}, search, bm::lockstep{.games = games}, fake_network{}};
  run.done = play.run({.episodes = 300, .seed = 4, .threads = threads, .play_through = play_through},
                      [&](bm::episode<nim> const& e) { run.games.push_back(e); });
  return run;
}

/// The first ply at which somebody would resign in a game played to its end; -1 if nobody would.
int resigns_at(bm::episode<nim> const& whole) {
  for (auto const& s : whole.samples)
    if (s.ply > 0 && s.value < resign_below) return s.ply;
  return -1;
}

}  // namespace

TEST_CASE("games end where somebody resigns, but for the share that is played through, and all are counted") {
  auto const whole = play_resigning(1), short_ones = play_resigning(0);
  std::vector<bool> through_before(300, false);
  for (float share : {0.0f, 0.3f, 0.6f, 1.0f}) {
    CAPTURE(share);
    auto const run = play_resigning(share);
    REQUIRE(run.games.size() == 300);
    std::int64_t would = 0, resigned = 0, through = 0, saved = 0, rows = 0;
    for (std::size_t i = 0; i < 300; ++i) {
      bm::episode<nim> const &e = run.games[i], &full = whole.games[i];
      int const at = resigns_at(full);
      would += at >= 0;
      resigned += e.resigned;
      through += e.played_through;
      saved += e.saved;
      rows += static_cast<std::int64_t>(e.samples.size());
      // It is the whole game or the one that ends early, nothing else.
      REQUIRE(e.resigned + e.played_through == (at >= 0));
      REQUIRE(e.saved == (e.played_through && full.samples[static_cast<std::size_t>(at)].outcome > bm::loss));
      REQUIRE(e.samples.size() == (e.resigned ? static_cast<std::size_t>(at) : full.samples.size()));
      REQUIRE(e.hash() == (e.resigned ? short_ones : whole).games[i].hash());
      // Who resigned was to move after the last sample and has lost, whatever the whole game's end.
      if (e.resigned) REQUIRE(e.samples.back().outcome == bm::win);
      // Which games are played through is drawn once for all shares.
      REQUIRE(e.played_through >= through_before[i]);
      through_before[i] = e.played_through;
    }
    REQUIRE(would > 150);
    CHECK(through >= static_cast<std::int64_t>((share - 0.1f) * static_cast<float>(would)));
    CHECK(through <= static_cast<std::int64_t>((share + 0.1f) * static_cast<float>(would)));
    if (share == 0) CHECK(through == 0);
    if (share == 1) CHECK(through == would);
    if (share > 0) CHECK((saved > 0 && saved < through));
    CHECK(run.done.resigned == resigned);
    CHECK(run.done.played_through == through);
    CHECK(run.done.saved == saved);
    CHECK(run.done.rows == rows);
    CHECK(run.done.wrong_resignations() ==
          (through > 0 ? std::optional(static_cast<double>(saved) / static_cast<double>(through))
                       : std::nullopt));
    auto const elsewhere = play_resigning(share, 3, 7);
    CHECK(elsewhere.done.episodes_hash == run.done.episodes_hash);
    CHECK(elsewhere.done.resigned == resigned);
    CHECK(elsewhere.done.saved == saved);
  }
}
