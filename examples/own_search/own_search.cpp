// A search of one's own: flat Monte Carlo, which tries the moves of the root, the promising ones more often. It never
// calls the evaluator, so that every batching policy can run it, and gives the same games under each.

#include <batchmate/batchmate.hpp>
#include <batchmate/eval/rollout.hpp>

#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <string>

namespace bm = batchmate;

/// Every simulation plays a move, then some random ones, and has that position evaluated. Which move is decided by
/// UCB1 (Auer et al., Machine Learning 47, 2002). The training target is the share of simulations of each move.
struct flat_ucb {
  int simulations = 64;   ///< positions looked at before a move is made
  int random_plies = 4;   ///< random moves between the root's move and the position that is judged
  float exploration = 1;  ///< weight of what is uncertain

  template <bm::game G>
  class tree;

  int max_rows() const { return 1; }
  template <bm::game G>
  std::size_t tree_bytes() const {
    return sizeof(tree<G>);
  }
  std::string identity() const {
    return bm::concat("flat_ucb simulations=", simulations, " random_plies=", random_plies,
                      " exploration=", exploration);
  }
};

template <bm::game G>
class flat_ucb::tree {
 public:
  explicit tree(flat_ucb const& settings) : settings_(settings) {
    bm::expects(settings.simulations > 0, "flat_ucb: simulations must be positive, got ",
                settings.simulations);
  }

  void start(bm::random_key episode, int ply) {
    episode_ = episode;
    ply_ = ply;
    visits_ = {};
    sums_ = {};
    simulations_ = 0;
  }
  void advance(int /*action*/) { start(episode_, ply_ + 1); }

  /// Goes on until a position needs the evaluator. Finished positions do not: their result is known.
  void collect(G const& root, bm::row_range<G>& out) {
    while (!done() && !out.full()) {
      G& leaf = out.next();
      leaf = root;
      simulate(leaf);
      if (!leaf.result()) return out.push();
      count(*leaf.result());
    }
  }
  void absorb(bm::batch<G> const& mine) {
    for (int i = 0; i < mine.count; ++i) count(mine.values[i]);
  }
  bool done() const { return simulations_ == settings_.simulations; }

  void decide(bm::decision<G>& outcome) const {
    float sum = 0;
    outcome.action = 0;
    for (std::size_t a = 0; a < G::num_actions; ++a) {
      outcome.policy[a] = visits_[a] / static_cast<float>(simulations_);
      if (visits_[a] > visits_[static_cast<std::size_t>(outcome.action)])
        outcome.action = static_cast<int>(a);
      sum += sums_[a];
    }
    outcome.value = sum / static_cast<float>(simulations_);
    outcome.simulations = simulations_;
  }

 private:
  /// Plays the chosen move and random ones. Random numbers follow from episode, ply and simulation alone.
  void simulate(G& leaf) {
    arm_ = choose(leaf.legal_actions());
    leaf.play(static_cast<int>(arm_));
    sign_ = -1;
    bm::random_stream random(episode_.split(static_cast<std::uint64_t>(ply_))
                                 .split(bm::purpose::sampling)
                                 .split(static_cast<std::uint64_t>(simulations_)));
    for (int i = 0; i < settings_.random_plies && !leaf.result(); ++i, sign_ = -sign_) {
      auto const legal = leaf.legal_actions();
      leaf.play(legal.nth(static_cast<int>(random.below(static_cast<std::uint32_t>(legal.count())))));
    }
  }

  /// The move of greatest mean value and uncertainty; a move never tried is the most uncertain.
  std::size_t choose(bm::actions_of<G> const& legal) const {
    float best = -1e30f;
    std::size_t chosen = 0;
    legal.for_each([&](int action) {
      auto const a = static_cast<std::size_t>(action);
      float const n = visits_[a];
      float const score = n > 0 ? sums_[a] / n + settings_.exploration *
                                                     std::sqrt(std::log(static_cast<float>(simulations_)) / n)
                                : 1e30f;
      if (score > best) best = score, chosen = a;
    });
    return chosen;
  }

  /// `value` is for the player to move at the position reached.
  void count(float value) {
    visits_[arm_] += 1;
    sums_[arm_] += sign_ * value;
    ++simulations_;
  }

  flat_ucb settings_;
  bm::random_key episode_;
  int ply_ = 0, simulations_ = 0;
  std::array<float, G::num_actions> visits_{};  // (A)
  std::array<float, G::num_actions> sums_{};    // (A), of values for the player to move at the root
  std::size_t arm_ = 0;                         // the root's move of the simulation under way
  float sign_ = 1;                              // -1 if the opponent is to move at its end
};

static_assert(bm::search_for<flat_ucb, bm::connect4>);

template <bm::batching B>
std::uint64_t play(B const& batching, int threads) {
  bm::self_play players{bm::connect4{}, flat_ucb{.simulations = 200}, batching, bm::rollout{}};
  auto const done =
      players.run({.episodes = 30, .seed = 7, .threads = threads}, [](bm::sample<bm::connect4> const&) {});
  std::printf("%-60s %d threads: %5.1f positions a batch, games %016llx\n", batching.identity().c_str(),
              threads, done.mean_batch(), static_cast<unsigned long long>(done.episodes_hash));
  return done.episodes_hash;
}

int main() {
  std::uint64_t const one_by_one = play(bm::immediate{}, 1);
  bool const same =
      play(bm::lockstep{.games = 16}, 1) == one_by_one && play(bm::overlapped{.games = 24}, 2) == one_by_one;
  std::printf("the same games: %s\n", same ? "yes" : "no");
  return same ? 0 : 1;
}
