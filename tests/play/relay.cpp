#include <batchmate/batch/lockstep.hpp>
#include <batchmate/game/connect4.hpp>
#include <batchmate/play/relay.hpp>
#include <batchmate/play/self_play.hpp>
#include <batchmate/search/puct.hpp>

#include "../support/fake_network.hpp"

#include <doctest/doctest.h>

#include <cstdint>
#include <map>
#include <thread>

namespace bm = batchmate;

namespace {

using G = bm::connect4;

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
    bm::relay<G> between;
    std::map<std::int64_t, bm::episode<G>> finished;
    std::mutex mutex;
    auto const sink = [&](bm::episode<G> const& e) {
      std::lock_guard lock(mutex);
      CHECK(finished.emplace(e.number, e).second);
    };
    auto const run = [&](bm::run_options options, bm::relays<G> others) {
      options.seed = 8;
      options.threads = threads;
      options.in_order = false;
      bm::self_play play{G{}, bm::puct{.simulations = 5}, bm::lockstep{.games = 16}, fake_network{}};
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
      auto const done = run({.episodes = 30, .network = 1, .first_episode = 40}, {.from = &between});
      CHECK(done.in_flight == 0);
    });
    auto const done = run(first, {.to = &between});
    between.close();
    CHECK(done.in_flight == 0);
    later.join();
    REQUIRE(finished.size() == 70);
    int changed = 0;
    for (auto const& [number, e] : finished) {
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
