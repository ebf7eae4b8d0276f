#include <batchmate/batch/lockstep.hpp>
#include <batchmate/game/connect4.hpp>
#include <batchmate/play/relay.hpp>
#include <batchmate/play/self_play.hpp>
#include <batchmate/search/puct.hpp>

#include "../support/fake_network.hpp"

#include <doctest/doctest.h>

#include <cstdint>
#include <map>
#include <mutex>
#include <thread>

namespace bm = batchmate;

namespace {

using G = bm::connect4;

/// Two runs with a relay between them.
struct two_runs {
  std::map<std::int64_t, bm::episode<G>> finished;  // by number
  bm::statistics first, second;
};

/// Plays 40 games with one search and 30 with the next, to which those change over that the first has begun. Nobody
/// may resign.
two_runs play_two(bm::puct const& one, bm::puct const& next, int threads) {
  two_runs all;
  bm::relay<G> between;
  std::mutex mutex;
  auto const sink = [&](bm::episode<G> const& e) {
    std::lock_guard lock(mutex);
    CHECK(all.finished.emplace(e.number, e).second);
  };
  auto const run = [&](bm::puct const& search, bm::run_options options, bm::relays<G> others) {
    options.seed = 8;
    options.threads = threads;
    options.in_order = false;
    options.play_through = 1;
    bm::self_play play{G{}, search, bm::lockstep{.games = 16}, fake_network{}};
    return play.run(options, sink, others);
  };
  bm::run_options first{.episodes = 1000, .network = 0};
  first.admit = [&](std::int64_t number) {
    if (number < 40) return bm::admission::play;
    between.open();
    return bm::admission::end;
  };
  std::jthread later([&] {
    while (!between.is_open()) std::this_thread::yield();
    all.second = run(next, {.episodes = 30, .network = 1, .first_episode = 40}, {.from = &between});
  });
  all.first = run(one, first, {.to = &between});
  between.close();
  later.join();
  return all;
}

}  // namespace

TEST_CASE("a relay is done once it is closed and empty") {
  bm::relay<G> between;
  CHECK_FALSE(between.is_open());
  bm::episode<G> begun;
  begun.number = 4;
  between.leave(begun);
  between.open();
  CHECK(between.is_open());
  between.close();
  CHECK_FALSE(between.is_done());
  auto const taken = between.take();
  REQUIRE(taken);
  CHECK(taken->number == 4);
  CHECK_FALSE(between.take());
  CHECK(between.is_done());
}

TEST_CASE("games change over from one run to another between two moves, and none is lost or played twice") {
  for (int threads : {1, 3}) {
    two_runs const all = play_two({.simulations = 5}, {.simulations = 5}, threads);
    CHECK(all.first.in_flight == 0);
    CHECK(all.second.in_flight == 0);
    REQUIRE(all.finished.size() == 70);
    int changed = 0;
    for (auto const& [number, e] : all.finished) {
      G position;
      int network = number < 40 ? 0 : 1, plies = 0;
      bool both = false;
      for (auto const& s : e.samples) {
        CHECK(s.ply == plies++);
        CHECK(s.network >= network);
        both |= s.network > network;
        network = s.network;
        REQUIRE(position.legal_actions().test(s.action));
        position.play(s.action);
      }
      CHECK(position.result());
      changed += both;
    }
    CHECK(changed > 0);
  }
}

TEST_CASE("a game that changes over takes along who would have resigned") {
  for (float second_below :
       {-1.0f, -0.25f}) {  // the second run never advises to resign, or as the first does
    CAPTURE(second_below);
    bm::puct one{.simulations = 5}, next{.simulations = 5};
    one.resign_below = -0.25f;
    next.resign_below = second_below;
    two_runs const all = play_two(one, next, 1);
    int remembered = 0;
    std::int64_t played_through = 0, saved = 0;
    for (auto const& entry : all.finished) {
      bm::episode<G> const& e = entry.second;
      CAPTURE(e.number);
      bm::sample<G> const* would = nullptr;  // the first move at which somebody would have resigned
      for (auto const& s : e.samples)
        if (!would && s.ply > 0 && s.value < (s.network == 0 ? -0.25f : second_below)) would = &s;
      CHECK_FALSE(e.resigned);
      CHECK(e.played_through == (would != nullptr));
      CHECK(e.saved == (would && would->outcome > bm::loss));
      remembered += would && would->network < e.samples.back().network;
      played_through += would != nullptr;
      saved += would && would->outcome > bm::loss;
    }
    CHECK(remembered > 0);
    CHECK(all.first.played_through + all.second.played_through == played_through);
    CHECK(all.first.saved + all.second.saved == saved);
  }
}
