#pragma once

#include <batchmate/core/random.hpp>
#include <batchmate/eval/answers.hpp>

#include <match/match.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <memory>
#include <string>
#include <utility>
#include <vector>

/// All games of a match at once: in every step the positions of each player's searches are one batch.
template <batchmate::game G>
class match {
 public:
  match(match_settings const& settings, batchmate::any_evaluator<G> first, batchmate::any_evaluator<G> second)
      : settings_(settings), players_{std::move(first), std::move(second)} {
    for (auto& player : players_) {
      player.reserve({batchmate::layout_of<G>(), 1, rows()});
      buffers_.emplace_back(player, rows());
    }
    for (G const& opening : random_openings())
      for (int swapped = 0; swapped < 2; ++swapped) games_.emplace_back(settings_.search, opening, swapped);
    for (std::size_t g = 0; g < games_.size(); ++g)
      for (auto& tree : games_[g].trees) tree->start(batchmate::random_key{settings_.seed}.split(g), 0);
  }

  /// Plays all games to their end.
  match_score play() {
    while (step(0) + step(1) > 0) {
    }
    match_score score;
    for (one_game const& g : games_) {
      // The result is for the player to move at the end.
      float const result = *g.position.result() * (g.to_move == 0 ? 1.0f : -1.0f);
      if (result > 0) {
        ++score.wins;
        score.wins_moving_first += !g.swapped;
      } else {
        ++(result < 0 ? score.losses : score.draws);
      }
    }
    return score;
  }

 private:
  using tree_of = batchmate::puct::tree<G>;

  struct one_game {
    one_game(batchmate::puct const& search, G const& opening, bool swap)
        : position(opening), to_move(swap), swapped(swap) {
      for (auto& tree : trees) tree = std::make_unique<tree_of>(search);
    }
    G position;
    int to_move;   // which player
    bool swapped;  // the second player moves first
    int first_row = 0, rows = 0;
    std::array<std::unique_ptr<tree_of>, 2> trees;  // (players)
  };

  int rows() const { return 2 * settings_.openings * settings_.search.max_rows(); }

  /// Goes on with all games in which this player is to move, then evaluates their leaves; how many games that
  /// were.
  int step(int player) {
    auto& evaluator = players_[static_cast<std::size_t>(player)];
    auto& buffer = buffers_[static_cast<std::size_t>(player)];
    batchmate::row_range<G> rows(buffer.positions(), buffer.rows(), buffer.capacity());
    int busy = 0;
    for (one_game& g : games_)
      if (g.to_move == player && !g.position.result()) {
        think(g, rows);
        ++busy;
      }
    if (evaluator.needs_planes()) rows.encode();
    batchmate::batch<G> const asked = buffer.view(0, rows.used());
    if (asked.count > 0) evaluator.submit(0, asked);
    if (asked.count > 0) evaluator.wait(0);
    batchmate::check_answers(asked, evaluator);
    for (one_game& g : games_)
      if (g.rows > 0)
        g.trees[static_cast<std::size_t>(player)]->absorb(asked.slice(g.first_row, std::exchange(g.rows, 0)));
    return busy;
  }

  /// Searches until rows are pushed or a move has been made.
  void think(one_game& g, batchmate::row_range<G>& rows) {
    tree_of& tree = *g.trees[static_cast<std::size_t>(g.to_move)];
    while (!tree.done()) {
      g.first_row = rows.used();
      tree.collect(g.position, rows);
      g.rows = rows.used() - g.first_row;
      if (g.rows > 0) return;
    }
    tree.decide(decision_);
    g.position.play(decision_.action);
    if (g.position.result()) {
      g.to_move ^= 1;
      return;
    }
    for (auto& each : g.trees) each->advance(decision_.action);
    g.to_move ^= 1;
  }

  /// Distinct unfinished positions after random moves from the start.
  std::vector<G> random_openings() const {
    std::vector<G> openings;
    std::vector<std::string> seen;
    batchmate::random_stream random(batchmate::random_key{settings_.seed}.split(batchmate::purpose::opening));
    for (int tries = 0; static_cast<int>(openings.size()) < settings_.openings; ++tries) {
      batchmate::expects(tries < 1000 * settings_.openings, "match: there are not ", settings_.openings,
                         " distinct openings of ", settings_.opening_plies, " plies");
      G position;
      for (int ply = 0; ply < settings_.opening_plies && !position.result(); ++ply) {
        auto const legal = position.legal_actions();
        position.play(legal.nth(static_cast<int>(random.below(static_cast<std::uint32_t>(legal.count())))));
      }
      if (position.result() || std::find(seen.begin(), seen.end(), position.to_text()) != seen.end())
        continue;
      seen.push_back(position.to_text());
      openings.push_back(position);
    }
    return openings;
  }

  match_settings settings_;
  std::array<batchmate::any_evaluator<G>, 2> players_;
  std::vector<batchmate::batch_buffer<G>> buffers_;  // (players)
  std::vector<one_game> games_;
  batchmate::decision<G> decision_;
};

template <batchmate::game G>
match_result play_match(match_settings const& settings, common::evaluator_choice const& first,
                        common::evaluator_choice const& second) {
  auto one = common::make_evaluator<G>(first).evaluator, other = common::make_evaluator<G>(second).evaluator;
  match_result result{one.identity(), other.identity(), {}};
  result.score = match<G>(settings, std::move(one), std::move(other)).play();
  return result;
}
