#pragma once

#include <batchmate/core/random.hpp>

#include <match/elo.hpp>
#include <match/sprt.hpp>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <iterator>
#include <map>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <utility>

/// One finished game of a match. Game 2p + c is of pair p; where c is 1, the second player moves first.
struct finished_game {
  int half_points = 0;  ///< of the first player: 2 for a win, 1 for a draw
  int plies = 0;        ///< from the opening on
  std::string line;     ///< for the file of games
  std::string sgf{};    ///< the game as SGF, with its line's end; empty unless it is asked for
};

/// The result of a match, from the first player's side.
struct match_score {
  pair_counts pairs;
  int wins = 0, draws = 0, losses = 0;
  int wins_moving_first = 0;     ///< of the wins, those where the first player moved first after the opening
  std::int64_t plies = 0;        ///< of all games, from their openings on
  std::uint64_t games_hash = 0;  ///< of the lines of all games in order
  verdict found = verdict::none;

  int games() const { return wins + draws + losses; }
};

/// Hands out the games of a match and counts the finished ones, in the order of their numbers however they finish:
/// what is counted, and the pair that ends a sequential test, depend on the games alone. All threads share one.
class scoreboard {
 public:
  using clock = std::chrono::steady_clock;  ///< tells when progress is due

  /// `on_game` gets every counted game in order; `on_progress` is called about every `every`, if that is
  /// positive. Both are called by one thread at a time.
  scoreboard(std::optional<sprt> test, std::stop_token stop,
             std::function<void(finished_game const&)> on_game,
             std::function<void(match_score const&)> on_progress = {},
             std::chrono::duration<double> every = {})
      : test_(test),
        stop_(std::move(stop)),
        on_game_(std::move(on_game)),
        on_progress_(std::move(on_progress)),
        every_(every) {}

  /// Says how many pairs there are, before the first game.
  void open(int pairs) {
    games_ = 2 * pairs;
    opened_ = told_ = clock::now();
  }

  /// The number of the next game to play; nothing if there is none.
  std::optional<int> begin() {
    if (over()) return std::nullopt;
    int const game = next_.fetch_add(1);
    return game < games_ ? std::optional(game) : std::nullopt;
  }

  /// Whether the games under way are of no use any more: the test is decided, or the program is to end.
  bool over() const { return over_ || stop_.stop_requested(); }

  /// Ends the match: a thread has failed.
  void give_up() { over_ = true; }

  /// Takes a finished game.
  void finish(int number, finished_game game) {
    std::scoped_lock const lock(mutex_);
    waiting_.emplace(number, std::move(game));
    while (score_.found == verdict::none && waiting_.contains(counted_) && waiting_.contains(counted_ + 1)) {
      count_pair(waiting_.at(counted_), waiting_.at(counted_ + 1));
      waiting_.erase(waiting_.begin(), std::next(waiting_.begin(), 2));
      counted_ += 2;
    }
    auto const now = clock::now();
    if (!on_progress_ || every_.count() <= 0 || now - told_ < every_) return;
    told_ = now;
    on_progress_(score_);
  }

  /// Since `open`.
  double seconds() const { return std::chrono::duration<double>(clock::now() - opened_).count(); }

  /// What has been counted; call it when all threads have ended.
  match_score const& score() const { return score_; }

 private:
  void count_pair(finished_game const& moving_first, finished_game const& moving_second) {
    score_.wins_moving_first += moving_first.half_points == 2;
    for (finished_game const* game : {&moving_first, &moving_second}) {
      ++(game->half_points == 2 ? score_.wins : game->half_points == 1 ? score_.draws : score_.losses);
      score_.plies += game->plies;
      for (char const c : game->line)
        score_.games_hash = batchmate::mix_bits(score_.games_hash * 31 + static_cast<unsigned char>(c) + 1);
      on_game_(*game);
    }
    ++score_.pairs.of[static_cast<std::size_t>(moving_first.half_points + moving_second.half_points)];
    if (!test_) return;
    score_.found = decide(*test_, score_.pairs);
    if (score_.found != verdict::none) over_ = true;
  }

  int games_ = 0;
  std::optional<sprt> test_;
  std::stop_token stop_;
  std::function<void(finished_game const&)> on_game_;
  std::function<void(match_score const&)> on_progress_;
  std::chrono::duration<double> every_;
  std::atomic<int> next_{0};
  std::atomic<bool> over_{false};
  std::mutex mutex_;  // of all that follows
  clock::time_point opened_, told_;
  std::map<int, finished_game> waiting_;  // finished, but an earlier one is not
  int counted_ = 0;                       // games
  match_score score_;
};
