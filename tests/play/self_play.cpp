#include <batchmate/batchmate.hpp>

#include "../support/any_batching.hpp"
#include "../support/fake_network.hpp"
#include "../support/hash_game.hpp"
#include "../support/nim.hpp"
#include "../support/threaded_network.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <stdexcept>
#include <stop_token>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace bm = batchmate;
using namespace std::chrono_literals;

namespace {

template <bm::game G>
using erased_play = bm::self_play<G, bm::puct, any_batching, bm::any_evaluator<G>>;

template <bm::game G>
erased_play<G> players(any_batching policy, bm::any_evaluator<G> evaluator, int simulations = 8) {
  return {G{}, bm::puct{.simulations = simulations}, std::move(policy), std::move(evaluator)};
}

/// A device that all workers share, and one for each worker, and none.
template <bm::game G>
std::vector<bm::any_evaluator<G>> evaluators(threaded_network::settings with = {}) {
  with.shared = true;
  threaded_network shared{with};
  with.shared = false;
  return {fake_network{with.counts}, std::move(shared), threaded_network{with}};
}

/// A game that keeps its contract or breaks it in a chosen way.
enum class breach { none, too_long, stuck, not_a_number };
template <breach Breach>
struct flawed_nim : nim {
  bm::action_set<3> legal_actions() const {
    if (Breach == breach::stuck && stones < 4) return {};
    return nim::legal_actions();
  }
  void play(int action) {
    nim::play(action);
    if (Breach == breach::too_long) stones = 10;
  }
  std::uint64_t key() const { return static_cast<std::uint64_t>(stones); }
  std::optional<float> result() const {
    if (Breach == breach::not_a_number && stones == 0) return std::nanf("");
    return nim::result();
  }
};

/// A search that asks about its root alone and keeps its contract, or breaks it in a chosen way near the end of a game.
enum class slip {
  none,
  illegal_action,
  illegal_policy,
  empty_policy,
  negative_policy,
  not_a_number,
  idle,
  greedy
};
struct slipping_search {
  slip kind = slip::none;

  int max_rows() const { return 1; }
  template <bm::game G>
  std::size_t tree_bytes() const {
    return sizeof(tree<G>);
  }
  std::string identity() const { return "slipping"; }

  template <bm::game G>
  class tree {
   public:
    explicit tree(slipping_search const& settings) : kind_(settings.kind) {}
    void start(bm::random_key, int ply) { ply_ = ply, answered_ = false; }
    void advance(int) { start({}, ply_ + 1); }
    void collect(G const& root, bm::row_range<G>& out) {
      stones_ = root.stones;
      if (slips(slip::idle)) return;
      do {
        out.next() = root;
        out.push();
      } while (slips(slip::greedy));
    }
    void absorb(bm::batch<G> const&) { answered_ = true; }
    bool done() const { return answered_; }
    /// Writes what is not as it should be only: no move may see what the one before has left.
    void decide(bm::decision<G>& outcome) const {
      outcome.action = slips(slip::illegal_action) ? 2 : 0;
      outcome.policy[0] = slips(slip::empty_policy) ? 0.0f : 1.0f;
      if (slips(slip::illegal_policy)) outcome.policy = {0.5f, 0, 0.5f};
      if (slips(slip::negative_policy)) outcome.policy = {1.5f, -0.5f, 0};
      if (slips(slip::not_a_number)) outcome.value = std::nanf("");
      if (ply_ % 2 == 0 && stones_ > 2) outcome.policy = {0.5f, 0.5f, 0};
      if (ply_ == 3) outcome.full = false;
    }

   private:
    bool slips(slip how) const { return kind_ == how && stones_ <= 2; }
    slip kind_;
    int ply_ = 0, stones_ = 0;
    bool answered_ = false;
  };
};

/// Whether two positions are the same to a network.
template <bm::game G>
bool looks_like(G const& a, G const& b) {
  bm::plane_bits<G::input> planes_a, planes_b;
  a.encode(planes_a);
  b.encode(planes_b);
  return planes_a == planes_b && a.legal_actions() == b.legal_actions();
}

auto const ignore = [](auto const&) {};

}  // namespace

TEST_CASE_TEMPLATE("exactly the episodes asked for arrive, in order, with sound samples", G, nim,
                   bm::tictactoe, hash_game<9, 12>) {
  for (any_batching const& policy : any_batching::all(5))
    for (int threads : {1, 2, 3}) {
      CAPTURE(policy.identity());
      auto play = players<G>(policy, fake_network{});
      std::int64_t next = 4;
      bm::statistics const done = play.run(
          {.episodes = 30, .seed = 2, .threads = threads, .first_episode = 4}, [&](bm::episode<G> const& e) {
            REQUIRE(e.number == next++);
            G position{};
            REQUIRE(e.final_position.result().has_value());
            float outcome =
                *e.final_position.result() * (e.samples.size() % 2 ? -1.0f : 1.0f);  // for the first
            for (int ply = 0; auto const& s : e.samples) {
              REQUIRE(looks_like(s.position, position));
              REQUIRE(s.episode == e.number);
              REQUIRE(s.ply == ply++);
              REQUIRE(s.outcome == outcome);
              REQUIRE(std::abs(s.value) <= 1);
              REQUIRE(s.simulations > 0);
              float sum = 0;
              for (int a = 0; a < G::num_actions; ++a) {
                float const p = s.policy[static_cast<std::size_t>(a)];
                REQUIRE(p >= 0);
                REQUIRE((p == 0 || position.legal_actions().test(a)));
                sum += p;
              }
              REQUIRE(sum == doctest::Approx(1));
              REQUIRE(s.policy[static_cast<std::size_t>(s.action)] > 0);
              outcome = -outcome;
              position.play(s.action);
            }
            REQUIRE(looks_like(e.final_position, position));
          });
      CHECK(next == 34);
      CHECK(done.episodes == 30);
      CHECK(done.in_flight == 0);
    }
}

TEST_CASE("a sink of samples sees the moves of all games in order") {
  auto play = players<nim>(bm::lockstep{.games = 5}, fake_network{});
  std::vector<std::pair<std::int64_t, int>> seen;
  bm::statistics const done = play.run(
      {.episodes = 6, .threads = 2}, [&](bm::sample<nim> const& s) { seen.emplace_back(s.episode, s.ply); });
  CHECK(std::is_sorted(seen.begin(), seen.end()));
  CHECK(static_cast<std::int64_t>(seen.size()) == done.rows);
}

TEST_CASE("ranks that take turns at the episodes play the same games as one") {
  using G = bm::tictactoe;
  std::map<std::int64_t, std::uint64_t> one, ranks;
  auto play = players<G>(bm::overlapped{.games = 4}, fake_network{});
  std::uint64_t const hash =
      play.run({.episodes = 30}, [&](bm::episode<G> const& e) { one[e.number] = e.hash(); }).episodes_hash;
  std::uint64_t sum = 0;
  for (int rank = 0; rank < 3; ++rank)
    sum += play.run({.episodes = 10, .threads = 2, .first_episode = rank, .stride = 3},
                    [&](bm::episode<G> const& e) { ranks[e.number] = e.hash(); })
               .episodes_hash;
  CHECK(one == ranks);
  CHECK(hash == sum);
}

TEST_CASE("boards and batches are those the evaluator was asked for") {
  for (int max_batch : {1, 6, 1000})
    for (any_batching const& policy : any_batching::all(max_batch))
      for (int threads : {1, 3}) {
        CAPTURE(policy.identity());
        CAPTURE(threads);
        auto const counts = std::make_shared<fake_counts>();
        auto play = players<bm::connect4>(policy, fake_network{counts});
        bm::statistics const done = play.run({.episodes = 10, .threads = threads}, ignore);
        CHECK(done.boards == counts->rows);
        CHECK(done.batches == counts->batches);
        CHECK(counts->largest <= static_cast<std::uint64_t>(max_batch));
        CHECK(done.mean_batch() == doctest::Approx(double(counts->rows) / double(counts->batches)));
        CHECK(done.simulations <= done.boards + 8 * static_cast<std::uint64_t>(done.rows));
        CHECK(done.simulations > static_cast<std::uint64_t>(done.rows));
      }
}

TEST_CASE("on a shared device all workers fill one batch") {
  threaded_network::settings with;
  auto play = players<bm::connect4>(bm::lockstep{.games = 12}, threaded_network(with));
  bm::statistics const done = play.run({.episodes = 24, .threads = 3}, ignore);
  CHECK(with.counts->largest > 4);  // a worker alone has four games
  CHECK(done.batches == with.counts->batches);
  CHECK(done.boards <= with.counts->rows);  // rows between the workers' are evaluated for nothing
}

TEST_CASE("shares of time are shares, and a slow device is waited for") {
  threaded_network::settings with;
  with.delay = 200us;
  auto play = players<nim>(bm::lockstep{.games = 4}, threaded_network(with));
  bm::statistics const done = play.run({.episodes = 20, .threads = 1}, ignore);
  double const all = done.search_share + done.encoding_share + done.evaluator_share + done.waiting_share;
  CHECK(all == doctest::Approx(1));
  CHECK(done.waiting_share > 0.5);
  CHECK(done.seconds >= 200e-6 * static_cast<double>(done.batches));
  CHECK(done.boards_per_second() == doctest::Approx(static_cast<double>(done.boards) / done.seconds));
}

TEST_CASE("games take turns at scarce rows") {
  // The first rows of a run are the first positions of all games, not one game's whole search.
  struct first_rows {
    std::shared_ptr<std::vector<int>> stones = std::make_shared<std::vector<int>>();
    void submit(int, bm::batch<nim> const& rows) const {
      for (int b = 0; b < rows.count; ++b) stones->push_back(rows.positions[b].stones);
      fake_network{}.submit(0, rows);
    }
    void wait(int) const {}
    std::string identity() const { return "first rows"; }
  } seen;
  auto play = players<nim>(bm::lockstep{.games = 6, .max_batch = 1}, seen);
  play.run({.episodes = 6}, ignore);
  REQUIRE(seen.stones->size() > 6);
  for (std::size_t i = 0; i < 6; ++i) CHECK((*seen.stones)[i] == 10);
}

TEST_CASE("a stop request ends the run soon, and what was finished is delivered") {
  for (auto& evaluator : evaluators<bm::connect4>())
    for (int threads : {1, 2, 3}) {
      auto play = players<bm::connect4>(bm::overlapped{.games = 9, .groups = 3}, std::move(evaluator));
      evaluator = evaluators<bm::connect4>().front();
      std::stop_source stop;
      std::int64_t delivered = 0, last = -1;
      bm::run_options options{.episodes = 1'000'000, .threads = threads};
      options.stop = stop.get_token();
      bm::statistics const done = play.run(options, [&](bm::episode<bm::connect4> const& e) {
        CHECK(e.number > last);
        last = e.number;
        if (++delivered == 5) stop.request_stop();
      });
      CHECK(done.episodes == delivered);
      CHECK(delivered >= 5);
      CHECK(delivered < 1000);
    }
}

TEST_CASE("no episodes is no work") {
  auto play = players<nim>(bm::lockstep{}, fake_network{});
  bm::statistics const done = play.run({.episodes = 0, .threads = 2}, ignore);
  CHECK(done.episodes == 0);
  CHECK(done.boards == 0);
}

TEST_CASE("more workers than games do no harm") {
  for (auto& evaluator : evaluators<nim>()) {
    auto play = players<nim>(bm::lockstep{.games = 1}, std::move(evaluator));
    CHECK(play.run({.episodes = 5, .threads = 3}, ignore).episodes == 5);
  }
}

TEST_CASE("an exception of the evaluator ends the run and is thrown from it") {
  for (int threads : {1, 2, 3})
    for (std::uint64_t at : {1, 7}) {
      for (any_batching const& policy : any_batching::all(64)) {
        CAPTURE(policy.identity());
        for (auto where : {failing_network::place::submit, failing_network::place::wait}) {
          auto play = players<nim>(policy, failing_network{at, where});
          CHECK_THROWS_AS(play.run({.episodes = 50, .threads = threads}, ignore), planned_failure);
        }
        for (bool shared : {true, false}) {
          threaded_network::settings with;
          with.shared = shared;
          with.fails_at = at;
          auto play = players<nim>(policy, threaded_network(with));
          CHECK_THROWS_AS(play.run({.episodes = 50, .threads = threads}, ignore), planned_failure);
          CHECK(*with.in_flight == 0);
        }
      }
    }
}

TEST_CASE("answers that break the contract are refused with the evaluator's name") {
  using fault = faulty_network::fault;
  for (fault what : {fault::nan_value, fault::nan_prior, fault::large_value, fault::large_priors})
    for (int threads : {1, 2}) {
      auto play = players<nim>(bm::lockstep{.games = 4}, faulty_network{5, what});
      CHECK_THROWS_WITH_AS(play.run({.episodes = 50, .threads = threads}, ignore),
                           doctest::Contains("evaluator faulty: row"), bm::evaluation_error);
    }
}

TEST_CASE("an exception of the sink ends the run, and the sink is not called again") {
  for (auto& evaluator : evaluators<nim>())
    for (int threads : {1, 2, 3}) {
      auto play = players<nim>(bm::overlapped{.games = 8}, std::move(evaluator));
      evaluator = evaluators<nim>().back();
      int calls = 0;
      auto const full = [&](bm::episode<nim> const&) {
        if (++calls == 3) throw std::domain_error("disk full");
      };
      CHECK_THROWS_AS(play.run({.episodes = 100, .threads = threads}, full), std::domain_error);
      CHECK(calls == 3);
    }
}

TEST_CASE("batches under way when a run fails are waited for before it throws") {
  for (bool shared : {true, false})
    for (int threads : {1, 2}) {
      threaded_network::settings with;
      with.shared = shared;
      with.delay = 2ms;
      auto play = players<nim>(bm::overlapped{.games = 16, .groups = 4}, threaded_network(with), 2);
      auto const full = [&](bm::episode<nim> const&) { throw std::domain_error("disk full"); };
      CHECK_THROWS_AS(play.run({.episodes = 100, .threads = threads}, full), std::domain_error);
      CHECK(*with.in_flight == 0);
    }
}

TEST_CASE("progress is reported while games are played, with counts that grow") {
  threaded_network::settings with;
  with.delay = 100us;
  auto play = players<nim>(bm::lockstep{.games = 4}, threaded_network(with));
  auto const here = std::this_thread::get_id();
  int calls = 0;
  std::uint64_t boards = 0;
  bm::run_options options{.episodes = 60, .threads = 2, .progress_every = 2ms};
  options.progress = [&](bm::statistics const& s) {
    ++calls;
    CHECK(std::this_thread::get_id() == here);
    CHECK(s.boards >= boards);
    CHECK(s.episodes + s.in_flight <= 60);
    boards = s.boards;
  };
  bm::statistics const done = play.run(options, ignore);
  CHECK(calls >= 2);
  CHECK(done.boards >= boards);
}

TEST_CASE("an exception of the progress function ends the run") {
  for (auto& evaluator : evaluators<bm::connect4>())
    for (int threads : {1, 3}) {
      auto play = players<bm::connect4>(bm::lockstep{.games = 4}, std::move(evaluator));
      evaluator = evaluators<bm::connect4>().back();
      bm::run_options options{.episodes = 1'000'000, .threads = threads, .progress_every = 3ms};
      options.progress = [](bm::statistics const&) { throw std::domain_error("no terminal"); };
      CHECK_THROWS_AS(play.run(options, ignore), std::domain_error);
    }
}

TEST_CASE("a game that breaks its contract is told so") {
  for (int threads : {1, 2}) {
    bm::run_options const options{.episodes = 10, .threads = threads};
    CHECK(players<flawed_nim<breach::none>>(bm::lockstep{.games = 3}, bm::uniform{})
              .run(options, ignore)
              .episodes == 10);
    CHECK_THROWS_WITH_AS(
        players<flawed_nim<breach::too_long>>(bm::lockstep{.games = 3}, bm::uniform{}).run(options, ignore),
        doctest::Contains("max_plies = 10"), bm::contract_error);
    CHECK_THROWS_WITH_AS(
        players<flawed_nim<breach::stuck>>(bm::lockstep{.games = 3}, bm::uniform{}).run(options, ignore),
        doctest::Contains("neither a result nor a legal action"), bm::contract_error);
  }
}

TEST_CASE("a search that breaks its contract is told so") {
  std::pair<slip, char const*> const slips[] = {
      {slip::illegal_action, "search: chose action 2 at ply 8 of episode"},
      {slip::illegal_policy, "sums to 1 over the legal actions, found 0.5 of 1 there at ply 8 of episode"},
      {slip::empty_policy, "sums to 1 over the legal actions, found 0 of 0 there at ply 8 of episode"},
      {slip::negative_policy, "found 1 of 1 there, some of it negative, at ply 8 of episode"},
      {slip::not_a_number, "search: expected a value in [-1, 1], found nan at ply 8 of episode"},
      {slip::idle, "search: collect pushed no row and is not done, at ply 8 of episode"},
      {slip::greedy, "search: asks for more rows than the batch has left"}};
  for (int threads : {1, 2})
    for (auto const& [kind, message] : slips) {
      CAPTURE(message);
      bm::self_play play{nim{}, slipping_search{kind}, bm::lockstep{.games = 4}, bm::uniform{}};
      CHECK_THROWS_WITH_AS(play.run({.episodes = 10, .threads = threads}, ignore), doctest::Contains(message),
                           bm::contract_error);
    }
}

TEST_CASE("a move's decision begins anew: none sees what the one before has left") {
  bm::self_play play{nim{}, slipping_search{}, bm::lockstep{.games = 4}, bm::uniform{}};
  play.run({.episodes = 10}, [](bm::sample<nim> const& s) {
    bool const both = s.ply % 2 == 0 && s.position.stones > 2;
    CHECK(s.policy == (both ? std::array{0.5f, 0.5f, 0.0f} : std::array{1.0f, 0.0f, 0.0f}));
    CHECK(s.full == (s.ply != 3));
  });
}

TEST_CASE_TEMPLATE("a game whose result is not a number is told so, whatever the search", S, bm::puct,
                   bm::gumbel, bm::puct_graph, bm::top_k) {
  bm::self_play play{flawed_nim<breach::not_a_number>{}, S{}, bm::lockstep{.games = 3}, bm::uniform{}};
  CHECK_THROWS_WITH_AS(play.run({.episodes = 10}, ignore),
                       doctest::Contains("result is nan, expected -1 to 1"), bm::contract_error);
}

TEST_CASE("bad options and settings are refused") {
  auto play = players<nim>(bm::lockstep{}, fake_network{});
  CHECK_THROWS_AS(play.run({.threads = 0}, ignore), bm::contract_error);
  CHECK_THROWS_AS(play.memory(0), bm::contract_error);
  CHECK_THROWS_AS(play.run({.episodes = -1}, ignore), bm::contract_error);
  CHECK_THROWS_AS(play.run({.stride = 0}, ignore), bm::contract_error);
  CHECK_THROWS_AS(players<nim>(bm::lockstep{.games = 0}, fake_network{}).run({}, ignore), bm::contract_error);
  CHECK_THROWS_AS(players<nim>(bm::lockstep{}, fake_network{}, 0).run({}, ignore), bm::contract_error);
  nim finished;
  finished.stones = 0;
  CHECK_THROWS_AS((erased_play<nim>{finished, {}, bm::lockstep{}, fake_network{}}), bm::contract_error);
}

TEST_CASE("a run that could need more memory than its limit is refused before it begins") {
  auto play = players<bm::connect4>(bm::lockstep{.games = 100}, fake_network{}, 100);
  std::size_t const planned = play.memory(2).total();
  CHECK(planned > 100 * 101 * sizeof(bm::tree_node));
  CHECK(players<nim>(bm::lockstep{.games = (1 << 30) + 1, .max_batch = 64}, fake_network{}).memory().total() >
        std::size_t{1} << 31);
  CHECK(play.run({.episodes = 1, .threads = 2, .memory_limit = planned}, ignore).planned_bytes == planned);
  CHECK_THROWS_WITH_AS(play.run({.episodes = 1, .threads = 2, .memory_limit = planned - 1}, ignore),
                       doctest::Contains("memory limit"), bm::contract_error);
}

TEST_CASE("a second run counts from zero") {
  for (auto& evaluator : evaluators<nim>()) {
    auto play = players<nim>(bm::lockstep{.games = 4}, std::move(evaluator));
    bm::statistics const first = play.run({.episodes = 8}, ignore),
                         second = play.run({.episodes = 8}, ignore);
    CHECK(first.boards == second.boards);
    CHECK(first.batches == second.batches);
    CHECK(first.episodes_hash == second.episodes_hash);
  }
}

TEST_CASE("a second run does not count what the evaluator counted in the first") {
  struct shared_counter : bm::uniform {
    bool is_shared() const { return true; }
    void submit(int, bm::batch<nim> const& rows) {
      bm::uniform::submit(0, rows);
      counted.batches += 1;
    }
    bm::evaluator_report report() const { return counted; }
    bm::evaluator_report counted;
  };
  bm::self_play play{nim{}, bm::puct{.simulations = 8}, bm::lockstep{.games = 4}, shared_counter{}};
  bm::statistics const first = play.run({.episodes = 8}, [](bm::episode<nim> const&) {}),
                       second = play.run({.episodes = 8}, [](bm::episode<nim> const&) {});
  CHECK(first.batches > 0);
  CHECK(second.batches == first.batches);
}

TEST_CASE("games may begin from a given position") {
  bm::connect4 opening;
  for (int column : {3, 3, 2}) opening.play(column);
  bm::self_play play{opening, bm::puct{.simulations = 4}, bm::lockstep{.games = 2}, bm::uniform{}};
  play.run({.episodes = 4}, [&](bm::episode<bm::connect4> const& e) {
    CHECK(e.samples.front().position.to_text() == opening.to_text());
    CHECK(e.samples.front().ply == 0);
  });
}
