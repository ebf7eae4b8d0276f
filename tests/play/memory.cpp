// What `self_play::memory` says before a run, against what the run allocates.
#include <batchmate/batch/evaluation_queue.hpp>
#include <batchmate/batch/lockstep.hpp>
#include <batchmate/batch/overlapped.hpp>
#include <batchmate/eval/any_evaluator.hpp>
#include <batchmate/eval/reference.hpp>
#include <batchmate/eval/uniform.hpp>
#include <batchmate/game/connect4.hpp>
#include <batchmate/game/hex.hpp>
#include <batchmate/net/random_network.hpp>
#include <batchmate/play/self_play.hpp>
#include <batchmate/search/gumbel.hpp>
#include <batchmate/search/puct.hpp>
#include <batchmate/search/puct_graph.hpp>
#include <batchmate/search/top_k.hpp>

#include <doctest/doctest.h>

#include <malloc.h>

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <new>
#include <utility>
#include <vector>

namespace bm = batchmate;

namespace {

std::atomic<std::size_t> held{0}, most{0};  // bytes from operator new, now and at the most
thread_local bool none_left = false;        // so that a thread gets no more

void* take(std::size_t bytes, std::size_t alignment) {
  if (none_left) throw std::bad_alloc();
  void* const at = std::aligned_alloc(alignment, (bytes + alignment - 1) / alignment * alignment);
  if (!at) throw std::bad_alloc();
  std::size_t const now = held += malloc_usable_size(at);
  for (std::size_t seen = most; seen < now && !most.compare_exchange_weak(seen, now);) {
  }
  return at;
}

void give_back(void* at) {
  if (at) held -= malloc_usable_size(at);
  std::free(at);
}

}  // namespace

// Those that do not throw come down to these.
void* operator new(std::size_t bytes) { return take(bytes, __STDCPP_DEFAULT_NEW_ALIGNMENT__); }
void* operator new(std::size_t bytes, std::align_val_t alignment) {
  return take(bytes, std::max(static_cast<std::size_t>(alignment), sizeof(void*)));
}
void operator delete(void* at) noexcept { give_back(at); }
void operator delete(void* at, std::size_t) noexcept { give_back(at); }
void operator delete(void* at, std::align_val_t) noexcept { give_back(at); }
// The forms for arrays, too, but not where a sanitizer has its own.
void* operator new[](std::size_t bytes) { return operator new(bytes); }
void* operator new[](std::size_t bytes, std::align_val_t alignment) { return operator new(bytes, alignment); }
void operator delete[](void* at) noexcept { give_back(at); }
void operator delete[](void* at, std::size_t) noexcept { give_back(at); }
void operator delete[](void* at, std::align_val_t) noexcept { give_back(at); }
void operator delete(void* at, std::size_t, std::align_val_t) noexcept { give_back(at); }

namespace {

/// What the plan leaves out: a game's share of the worker's and the run's own, and what malloc rounds up to whole pages.
constexpr std::size_t unplanned_per_game = 2560;

/// Plays some games and compares the most that the run held with the most it said it would.
template <bm::game G, class S, class B>
void check_bound(S const& search, B const& policy, int threads,
                 bm::any_evaluator<G> evaluator = bm::uniform{}, bm::openings<G> const& opening = {},
                 std::int64_t episodes = 0) {
  if (episodes == 0) episodes = 2 * policy.games;
  bm::self_play play{opening, search, policy, std::move(evaluator)};
  std::size_t const planned = play.memory(threads).total(), before = held;
  most = before;
  auto const done = play.run({.episodes = episodes, .threads = threads}, [](bm::episode<G> const&) {});
  std::size_t const used = most - before;
  std::size_t const unplanned = unplanned_per_game * static_cast<std::size_t>(policy.games);
  CAPTURE(planned);
  CAPTURE(used);
  CHECK(done.episodes == episodes);
  CHECK(used <= planned + unplanned);
  CHECK(used > planned / 2);
  CHECK(unplanned < planned / 10);
}

}  // namespace

TEST_CASE("operator new is counted, and what is given back is not held") {
  std::size_t const before = held;
  {
    std::vector<char> const some(100'000);
    CHECK(held - before >= 100'000);
    CHECK(held - before < 110'000);
  }
  CHECK(held == before);
}

TEST_CASE("memory() is a bound of what a run with puct allocates, and not a wild one") {
  check_bound<bm::connect4>(bm::puct{.simulations = 200}, bm::lockstep{.games = 16}, 1);
  check_bound<bm::connect4>(bm::puct{.simulations = 200, .leaves = 4}, bm::overlapped{.games = 16}, 2);
  check_bound<bm::hex7>(bm::puct{.simulations = 100}, bm::lockstep{.games = 8}, 1);
}

TEST_CASE("memory() is a bound of what a run with gumbel or puct_graph allocates, and not a wild one") {
  check_bound<bm::connect4>(bm::gumbel{.simulations = 200}, bm::lockstep{.games = 16}, 1);
  check_bound<bm::connect4>(bm::puct_graph{.simulations = 200}, bm::lockstep{.games = 16}, 1);
}

TEST_CASE("memory() is a bound of what a run with top_k allocates, and not a wild one") {
  check_bound<bm::connect4>(bm::top_k{.widths = {7, 7, 7}}, bm::lockstep{.games = 16}, 1);
  check_bound<bm::hex7>(bm::top_k{.widths = {8, 8}}, bm::overlapped{.games = 16}, 2);
}

TEST_CASE("memory() is a bound where many short games wait for the end of a long one") {
  using G = bm::connect4;
  G last;  // before the last move of a game
  for (bm::random_stream random{bm::random_key{1}};;) {
    auto const legal = last.legal_actions();
    G next = last;
    next.play(legal.nth(static_cast<int>(random.below(static_cast<std::uint32_t>(legal.count())))));
    if (next.result()) break;
    last = next;
  }
  bm::openings<G> opening{std::vector<G>(1000, last)};
  opening.positions[0] = {};
  check_bound<G>(bm::puct{.simulations = 150, .noise_fraction = 0, .temperature = 0},
                 bm::lockstep{.games = 16}, 1, bm::uniform{}, opening, 1000);
}

TEST_CASE("episodes are bounded where all of them are long and wait for one that does not end") {
  using G = bm::connect4;
  constexpr std::size_t games = 16, longest = G::max_plies * sizeof(bm::sample<G>);
  std::size_t const most_waiting = games * bm::delivery<G>::bytes_of(G::max_plies);
  for (int const plies : {G::max_plies, 7})
    for (bool const in_order : {true, false}) {
      bm::run_options const options{.episodes = 10'000, .in_order = in_order};
      std::size_t const before = most = held.load();
      std::vector<std::vector<bm::sample<G>>> of_the_sink;
      bm::delivery<G> episodes(options, most_waiting,
                               [&](bm::episode<G> const& e) { of_the_sink.push_back(e.samples); });
      std::vector<bm::episode<G>> slots(games);
      for (bool more = true; more;) {
        more = false;
        for (bm::episode<G>& slot : slots) {
          auto const number = episodes.begin();
          if (!number) continue;
          slot.number = *number;
          slot.samples.reserve(G::max_plies);
          more = true;
        }
        for (std::size_t s = 1; s < games; ++s) {  // the first one does not end
          if (slots[s].samples.capacity() == 0) continue;
          slots[s].samples.resize(static_cast<std::size_t>(plies));
          episodes.finish(slots[s]);
        }
      }
      CAPTURE(plies);
      CAPTURE(in_order);
      CHECK(most - before <= (games + 1) * longest + most_waiting + games * 512);
      CHECK(most - before > most_waiting);
    }
}

TEST_CASE("a queue that gets no memory for a request says so, and goes on without it") {
  using G = bm::connect4;
  bm::evaluation_queue<G, bm::uniform> queue(bm::uniform{});
  bm::uniform evaluator;
  bm::batch_buffer<G> buffer(evaluator, 1000);
  for (int b = 0; b < 1000; ++b) buffer.rows()[b].legal = G{}.legal_actions();
  bm::evaluation_ticket ticket;
  bool thrown = false;
  none_left = true;
  try {
    queue.enqueue(buffer.view(0, 1000), ticket);
  } catch (std::bad_alloc const&) {
    thrown = true;
  }
  none_left = false;
  CHECK(thrown);
  CHECK_NOTHROW(ticket.wait());  // nothing is asked
  CHECK(queue.evaluate(G{}).value == 0);
  CHECK(queue.report().rows == 1);
}

TEST_CASE("memory() knows what a network needs") {
  bm::network_extents const small{
      .input = bm::connect4::input, .num_actions = bm::connect4::num_actions, .blocks = 1, .channels = 16};
  check_bound<bm::connect4>(bm::puct{.simulations = 100}, bm::lockstep{.games = 8}, 1,
                            bm::reference(bm::random_network(small, 1)));
}
