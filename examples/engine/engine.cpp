// A small game engine that brings its own threads and its own search, and takes only one thing from the library: a
// queue in which the positions of all its threads meet, so that they are evaluated in batches.

#include <batchmate/batch/evaluation_queue.hpp>
#include <batchmate/eval/rollout.hpp>
#include <batchmate/game/connect4.hpp>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdio>
#include <exception>
#include <latch>
#include <memory>
#include <string>
#include <thread>
#include <vector>

namespace bm = batchmate;

namespace {

using position = bm::connect4;
// A network goes here in earnest: bm::reference(bm::load_network("net.safetensors")), bm::onednn(...).
using queue = bm::evaluation_queue<position, bm::rollout>;

/// The engine's own search: alpha-beta to a fixed depth. The value is for the player to move, in [-1, 1].
float alpha_beta(queue& positions, position const& p, int depth, float alpha, float beta) {
  if (auto const result = p.result()) return *result;
  if (depth == 0) return positions.evaluate(p).value;  // blocks until a batch with this position is back
  p.legal_actions().for_each([&](int a) {
    if (alpha >= beta) return;
    position next = p;
    next.play(a);
    alpha = std::max(alpha, -alpha_beta(positions, next, depth - 1, -beta, -alpha));
  });
  return alpha;
}

int alpha_beta_move(queue& positions, position const& p) {
  int best = -1;
  float best_value = -2;
  p.legal_actions().for_each([&](int a) {
    position next = p;
    next.play(a);
    float const value = -alpha_beta(positions, next, 2, -1, -best_value);
    if (value > best_value) best_value = value, best = a;
  });
  return best;
}

/// Another way to ask: one ply deep, for all moves at once, with a callback for each answer.
int greedy_move(queue& positions, position const& p) {
  std::array<float, position::num_actions> values;
  values.fill(-2);
  // Shared, as the last callback may still be leaving `count_down` when `wait` returns.
  auto const open = std::make_shared<std::latch>(p.legal_actions().count());
  p.legal_actions().for_each([&](int a) {
    position next = p;
    next.play(a);
    if (auto const result = next.result()) {
      values[static_cast<std::size_t>(a)] = -*result;
      open->count_down();
      return;
    }
    // The callback runs in a thread of the queue; a failed evaluation leaves the move at the end of the list.
    positions.evaluate(
        next, [&values, open, a](bm::evaluation<position> const& answer, std::exception_ptr const& failure) {
          if (!failure) values[static_cast<std::size_t>(a)] = -answer.value;
          open->count_down();
        });
  });
  open->wait();
  int best = p.legal_actions().first();
  p.legal_actions().for_each([&](int a) {
    if (values[static_cast<std::size_t>(a)] > values[static_cast<std::size_t>(best)]) best = a;
  });
  return best;
}

/// One game from a given first move: x looks three plies ahead, o one.
std::string play_game(queue& positions, int first_move) {
  position p;
  p.play(first_move);
  std::string moves = position::action_text(first_move);
  bool x_to_move = false;
  for (; !p.result(); x_to_move = !x_to_move) {
    int const move = x_to_move ? alpha_beta_move(positions, p) : greedy_move(positions, p);
    p.play(move);
    moves += ' ' + position::action_text(move);
  }
  char const* const winner = *p.result() == bm::draw ? "nobody" : x_to_move ? "o" : "x";
  return "moves " + moves + ": " + winner + " wins";
}

}  // namespace

int main() {
  int const threads = position::num_actions;  // one for each first move
  // Whoever waits has a request open at least, so a batch leaves once so many are; greedy_move opens several at a time.
  queue positions(bm::rollout{.playouts = 8},
                  {.max_batch = 256, .deadline = std::chrono::microseconds(200), .askers = threads});
  std::vector<std::string> games(static_cast<std::size_t>(threads));
  {
    std::vector<std::jthread> players;
    for (int t = 0; t < threads; ++t)
      players.emplace_back([&, t] { games[static_cast<std::size_t>(t)] = play_game(positions, t); });
  }
  for (std::string const& game : games) std::printf("%s\n", game.c_str());
  bm::evaluator_report const done = positions.report();
  std::printf("%d threads asked about %llu positions in %llu batches, %.1f a batch\n", threads,
              static_cast<unsigned long long>(done.rows), static_cast<unsigned long long>(done.batches),
              static_cast<double>(done.rows) / static_cast<double>(done.batches));
}
