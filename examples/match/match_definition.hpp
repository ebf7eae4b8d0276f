#pragma once

#include <batchmate/core/error.hpp>
#include <batchmate/core/random.hpp>
#include <batchmate/eval/answers.hpp>
#include <batchmate/eval/any_evaluator.hpp>
#include <batchmate/game/sgf.hpp>

#include <common/openings.hpp>
#include <common/searches.hpp>
#include <match/match.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

/// An evaluator, and which of its slots to use.
template <batchmate::game G>
struct evaluator_slot {
  batchmate::any_evaluator<G>* evaluator = nullptr;
  int slot = 0;
};

/// One thread's games. What both players ask for is evaluated in batches, one for each player.
template <batchmate::game_with_text G>
class match_worker {
 public:
  /// A worker with `games` games in flight. The evaluators are reserved for their slots, and all that is passed
  /// outlives the worker.
  match_worker(match_settings const& settings, int games, std::array<evaluator_slot<G>, 2> const& evaluators,
               std::vector<opening<G>> const& openings, scoreboard& board)
      : settings_(settings), openings_(openings), board_(board) {
    for (std::size_t p = 0; p < 2; ++p) {
      players_[p].at = evaluators[p];
      players_[p].buffer =
          batchmate::batch_buffer<G>(*evaluators[p].evaluator, rows_for(settings.players[p].search, games));
    }
    std::array const searches{common::search_of<G>(settings.players[0].search),
                              common::search_of<G>(settings.players[1].search)};
    for (int i = 0; i < games; ++i) begin(*games_.emplace_back(std::make_unique<one_game>(searches)));
  }

  /// The most rows of a batch for so many games.
  static int rows_for(common::search_choice const& search, int games) {
    return static_cast<int>(std::min(std::int64_t{common::max_rows(search)} * games, std::int64_t{4096}));
  }

  /// Plays until there is no game left. While a batch of one player is evaluated, the other's is made.
  void play() {
    try {
      while (playing_ > 0 && !board_.over())
        for (std::size_t p = 0; p < 2; ++p) step(p);
    } catch (...) {
      let_evaluators_end();
      throw;
    }
    let_evaluators_end();
  }

 private:
  using tree_type = typename batchmate::any_search<G>::template tree<G>;

  struct player {
    evaluator_slot<G> at;
    batchmate::batch_buffer<G> buffer;
    int asked = 0;          // rows of the batch under way
    std::size_t first = 0;  // game to begin with, as the last step stopped there for want of rows
  };

  struct one_game {
    explicit one_game(std::array<batchmate::any_search<G>, 2> const& searches)
        : trees{tree_type(searches[0]), tree_type(searches[1])} {}

    int number = -1;  // none is played if negative
    G position;
    std::size_t to_move = 0;         // player
    int first_row = 0, rows = 0;     // of the batch under way
    std::vector<int> actions;        // since the opening
    std::array<tree_type, 2> trees;  // (players)
  };

  /// Takes the answers that a player has waited for, and asks for more.
  void step(std::size_t p) {
    player& now = players_[p];
    absorb(p);
    batchmate::row_range<G> rows(now.buffer.positions(), now.buffer.rows(), now.buffer.capacity());
    std::size_t const count = games_.size(), first = std::exchange(now.first, 0);
    for (std::size_t i = 0; i < count; ++i) {
      std::size_t const at = (first + i) % count;
      go_on(*games_[at], p, rows);
      if (!rows.full()) continue;
      now.first = (at + 1) % count;
      break;
    }
    now.asked = rows.used();
    if (now.asked == 0) return;
    if (now.at.evaluator->needs_planes()) rows.encode(now.at.evaluator->moves_rows());
    now.at.evaluator->submit(now.at.slot, now.buffer.view(0, now.asked));
  }

  void absorb(std::size_t p) {
    player& now = players_[p];
    if (now.asked == 0) return;
    now.at.evaluator->wait(now.at.slot);
    batchmate::batch<G> const answered = now.buffer.view(0, std::exchange(now.asked, 0));
    batchmate::check_answers(answered, *now.at.evaluator);
    for (auto& game : games_)
      if (game->rows > 0 && game->to_move == p)
        game->trees[p].absorb(answered.slice(game->first_row, std::exchange(game->rows, 0)));
  }

  /// Goes on with a game while this player is to move, until rows are pushed.
  void go_on(one_game& game, std::size_t p, batchmate::row_range<G>& rows) {
    while (game.number >= 0 && game.to_move == p && !rows.full()) {
      tree_type& tree = game.trees[p];
      if (tree.done()) {
        move(game);
        continue;
      }
      game.first_row = rows.used();
      tree.collect(game.position, rows);
      game.rows = rows.used() - game.first_row;
      if (game.rows > 0) return;
      batchmate::expects(tree.done(), "search: collect pushed no row and is not done, in game ", game.number);
    }
  }

  /// Plays the move that the search has found.
  void move(one_game& game) {
    decision_ = {};
    game.trees[game.to_move].decide(decision_);
    batchmate::check_decision(decision_, game.position.legal_actions(),
                              [&] { return batchmate::concat(" in game ", game.number); });
    game.position.play(decision_.action);
    game.actions.push_back(decision_.action);
    game.to_move ^= 1;
    if (game.position.result())
      finish(game);
    else
      for (auto& tree : game.trees) tree.advance(decision_.action);
  }

  void finish(one_game& game) {
    // The result is for the player to move at the end.
    float const result = *game.position.result() * (game.to_move == 0 ? 1.0f : -1.0f);
    finished_game done{result > 0 ? 2 : result < 0 ? 0 : 1, static_cast<int>(game.actions.size()), ""};
    char const* const points[] = {"0", "1/2", "1"};
    int const pair = game.number / 2;
    done.line = batchmate::concat(pair, '\t', game.number % 2 == 0 ? "first" : "second", '\t',
                                  points[done.half_points], '\t',
                                  openings_[static_cast<std::size_t>(pair)].text, '\t');
    for (std::size_t i = 0; i < game.actions.size(); ++i)
      done.line += (i > 0 ? " " : "") + G::action_text(game.actions[i]);
    if constexpr (batchmate::game_with_sgf<G>)
      if (settings_.sgf) done.sgf = sgf_of(game, openings_[static_cast<std::size_t>(pair)]);
    board_.finish(game.number, std::move(done));
    --playing_;
    begin(game);
  }

  /// The whole game with its opening. Black is who moves first in it, and that may be either player.
  std::string sgf_of(one_game const& game, opening<G> const& from) const {
    std::vector<int> actions = from.actions;
    actions.insert(actions.end(), game.actions.begin(), game.actions.end());
    auto record = batchmate::sgf_of<G>(std::move(actions), from.first);
    std::size_t const black = (static_cast<std::size_t>(game.number) + from.actions.size()) % 2;
    record.black = settings_.players[black].text;
    record.white = settings_.players[1 - black].text;
    return batchmate::write_sgf(record);
  }

  /// Begins the next game of the match, if one is left.
  void begin(one_game& game) {
    auto const number = board_.begin();
    game.number = number.value_or(-1);
    if (!number) return;
    ++playing_;
    game.position = openings_[static_cast<std::size_t>(*number / 2)].position;
    game.to_move = static_cast<std::size_t>(*number % 2);
    game.actions.clear();
    for (std::size_t p = 0; p < 2; ++p)
      game.trees[p].start(
          batchmate::random_key{settings_.seed}.split(static_cast<std::uint64_t>(*number)).split(p), 0);
  }

  /// The buffers must outlive what is under way, whatever has become of it.
  void let_evaluators_end() {
    for (player& each : players_) {
      try {
        if (each.asked > 0) each.at.evaluator->wait(each.at.slot);
      } catch (std::exception const&) {
        // Nobody waits for these answers.
      }
    }
  }

  match_settings const& settings_;
  std::vector<opening<G>> const& openings_;
  scoreboard& board_;
  int playing_ = 0;
  std::array<player, 2> players_;
  std::vector<std::unique_ptr<one_game>> games_;
  batchmate::decision<G> decision_;
};

/// The evaluators of a match: an evaluator that is shared serves all threads, each on a slot of its own; of any other
/// every thread has a copy.
template <batchmate::game G>
class match_evaluators {
 public:
  /// For so many threads and batches of so many rows (players).
  match_evaluators(std::array<batchmate::any_evaluator<G>, 2> evaluators, int threads,
                   std::array<int, 2> rows) {
    for (std::size_t p = 0; p < 2; ++p) {
      bool const shared = evaluators[p].is_shared();
      for (int i = 0; i < (shared ? 1 : threads); ++i) {
        held_[p].push_back(evaluators[p]);
        held_[p].back().reserve({batchmate::layout_of<G>(), shared ? threads : 1, rows[p]});
      }
    }
  }

  /// What a thread uses.
  std::array<evaluator_slot<G>, 2> of(int thread) {
    std::array<evaluator_slot<G>, 2> slots;
    for (std::size_t p = 0; p < 2; ++p) {
      bool const shared = held_[p].size() == 1;
      slots[p] = {&held_[p][shared ? 0 : static_cast<std::size_t>(thread)], shared ? thread : 0};
    }
    return slots;
  }

 private:
  std::array<std::vector<batchmate::any_evaluator<G>>, 2> held_;  // (players, threads or 1)
};

/// Throws `file_error` if games from one of these openings cannot be told as SGF.
template <batchmate::game G>
void check_sgf(std::vector<opening<G>> const& openings) {
  if constexpr (batchmate::game_with_sgf<G>)
    for (auto const& from : openings)
      if (!batchmate::is_usual_opening(from.first))
        throw batchmate::file_error(
            "--sgf: games must begin from the usual position or with moves, not from " + from.text);
}

template <batchmate::game G>
match_facts play_match(match_settings const& settings, scoreboard& board,
                       std::function<void()> const& ready) {
  auto const openings = settings.openings_file.empty()
                            ? random_openings<G>(settings.openings, settings.opening_plies, settings.seed)
                            : openings_in<G>(settings.openings_file);
  if (settings.sgf) check_sgf(openings);
  std::array players{common::make_evaluator<G>(settings.players[0].evaluator).evaluator,
                     common::make_evaluator<G>(settings.players[1].evaluator).evaluator};
  match_facts const facts{{players[0].identity(), players[1].identity()}, static_cast<int>(openings.size())};
  int const games = std::min(settings.games, 2 * facts.openings), threads = std::min(settings.threads, games);
  int const most = (games + threads - 1) / threads;
  match_evaluators<G> evaluators(std::move(players), threads,
                                 {match_worker<G>::rows_for(settings.players[0].search, most),
                                  match_worker<G>::rows_for(settings.players[1].search, most)});
  board.open(facts.openings);
  std::vector<std::unique_ptr<match_worker<G>>> workers;
  for (int thread = 0; thread < threads; ++thread)
    workers.push_back(std::make_unique<match_worker<G>>(
        settings, games / threads + (thread < games % threads), evaluators.of(thread), openings, board));
  ready();
  std::exception_ptr failure;
  std::mutex failing;
  auto const work = [&](int thread) {
    try {
      workers[static_cast<std::size_t>(thread)]->play();
    } catch (...) {
      std::scoped_lock const lock(failing);
      if (!failure) failure = std::current_exception();
      board.give_up();
    }
  };
  {
    std::vector<std::jthread> others;
    try {
      for (int thread = 1; thread < threads; ++thread) others.emplace_back(work, thread);
    } catch (...) {  // the others would play all games
      board.give_up();
      throw;
    }
    work(0);
  }
  if (failure) std::rethrow_exception(failure);
  return facts;
}
