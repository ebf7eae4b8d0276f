#pragma once

#include <batchmate/core/error.hpp>
#include <batchmate/eval/answers.hpp>
#include <batchmate/search/concepts.hpp>
#include <batchmate/search/improved_policy.hpp>
#include <batchmate/search/node_arena.hpp>
#include <batchmate/search/root_average.hpp>
#include <batchmate/search/sequential_halving.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <tuple>

namespace batchmate {

/// Gumbel AlphaZero's search (Danihelka et al., "Policy improvement by planning with Gumbel", ICLR 2022): it is
/// expected to improve on the network's policy even with few simulations.
///
/// At the root, the `max_considered` moves of greatest log P(a) + g(a) with Gumbel noise g are a sample without
/// replacement. Sequential halving spreads the simulations over these, keeping the half of greatest log P(a) + g(a) +
/// sigma(q(a)) time after time, and the greatest of the most visited is played. Below the root a simulation takes the
/// move whose visits lag most behind the improved policy. Formulas stand at `value_transform`.
///
/// Training target: the root's improved policy; the decision's value is what is expected under it. A zero prior
/// counts as 1e-8. The tree is not reused after a move: halving compares moves by equal visits, which inherited
/// visits are not.
struct gumbel {
  int simulations = 64;     ///< visits of the root's children before a move is made
  int max_considered = 16;  ///< root moves that are compared; all, where fewer are legal
  float c_visit = 50;       ///< of `value_transform`
  float c_scale = 1;        ///< of `value_transform`
  float noise_scale = 1;    ///< factor of the Gumbel noise; 0 to play as well as possible
  int sampling_plies = 0;   ///< first plies, whose move is drawn by visits instead (appendix F: 30 in Go)
  float resign_below = -1;  ///< `decision` advises to resign below this root value; -1 never does
  int root_symmetries = 1;  ///< the root has the mean of evaluations under so many symmetries, as in `puct`
  int leaves = 1;  ///< moves of a round that may be in flight together; fills batches and changes no game

  /// What programs may change, in the order they show it.
  static constexpr std::tuple fields{search_field{"simulations", &gumbel::simulations},
                                     search_field{"max-considered", &gumbel::max_considered},
                                     search_field{"c-visit", &gumbel::c_visit},
                                     search_field{"c-scale", &gumbel::c_scale},
                                     search_field{"noise", &gumbel::noise_scale},
                                     search_field{"sampling-plies", &gumbel::sampling_plies},
                                     search_field{"resign-below", &gumbel::resign_below},
                                     search_field{"root-symmetries", &gumbel::root_symmetries},
                                     search_field{"leaves", &gumbel::leaves}};

  /// One game's tree.
  template <game G>
  class tree;

  int max_rows() const { return std::min({leaves, max_considered, simulations}); }

  /// The most nodes a tree can hold: the root and one a simulation.
  int max_nodes() const { return simulations + 1; }

  template <game G>
  std::size_t tree_bytes() const {
    return tree<G>::bytes(*this);
  }

  /// `leaves` is missing: it changes no game.
  std::string identity() const {
    return concat("gumbel simulations=", simulations, " considered=", max_considered, " c_visit=", c_visit,
                  " c_scale=", c_scale, " noise=", noise_scale, " sampling_plies=", sampling_plies) +
           (resign_below != -1 ? concat(" resign_below=", resign_below) : "") +
           (root_symmetries > 1 ? concat(" root_symmetries=", root_symmetries) : "");
  }

  /// Throws `contract_error` for a field out of range.
  void check() const {
    expects(simulations > 0 && simulations <= max_simulations, "gumbel: simulations must be 1 to ",
            max_simulations, ", got ", simulations);
    expects(max_considered > 0, "gumbel: max_considered must be positive, got ", max_considered);
    expects(c_visit >= 0 && std::isfinite(c_visit), "gumbel: c_visit must be finite and not negative, got ",
            c_visit);
    expects(c_scale >= 0 && std::isfinite(c_scale), "gumbel: c_scale must be finite and not negative, got ",
            c_scale);
    expects(noise_scale >= 0 && std::isfinite(noise_scale),
            "gumbel: noise_scale must be finite and not negative, got ", noise_scale);
    expects(sampling_plies >= 0, "gumbel: sampling_plies must not be negative, got ", sampling_plies);
    expects(resign_below >= -1 && resign_below <= 1, "gumbel: resign_below must be -1 to 1, got ",
            resign_below);
    expects(root_symmetries > 0, "gumbel: root_symmetries must be positive, got ", root_symmetries);
    expects(leaves > 0 && leaves <= 1024, "gumbel: leaves must be 1 to 1024, got ", leaves);
  }

  /// The weight of values.
  value_transform sigma() const { return {c_visit, c_scale}; }
};

template <game G>
class gumbel::tree {
 public:
  explicit tree(gumbel const& settings)
      : settings_((settings.check(), settings)),
        arena_(settings_.max_nodes(), G::num_actions),
        unvisited_(std::make_unique_for_overwrite<float[]>(nodes_of(settings_))),
        contenders_(std::make_unique_for_overwrite<contender[]>(contenders_of(settings_))),
        flight_(std::make_unique_for_overwrite<std::uint32_t[]>(rows_of(settings_))),
        average_(settings_.root_symmetries) {}

  void start(random_key episode, int ply) {
    episode_ = episode;
    ply_ = ply;
    begin_move();
  }

  void collect(G const& root, row_range<G>& out) {
    in_flight_ = 0;
    if (average_.waiting()) return average_.collect(root, out, settings_.max_rows());
    if (arena_[0].state == node_state::pending) {
      if (out.full()) return;
      out.next() = root;
      send(0, out);
      return;
    }
    if (arena_[0].state == node_state::evaluated) prepare_root(root);
    // The moves of a round have a subtree each, so that the answers for one do not matter to the others: however many
    // are in flight, the result is the same.
    for (;; begin_round()) {
      for (; next_ < round_size_ && in_flight_ < settings_.max_rows() && !out.full(); ++next_)
        simulate(contenders_[next_].place, root, out);
      if (next_ < round_size_ || in_flight_ > 0 || done()) return;
    }
  }

  void absorb(batch<G> const& mine) {
    if (average_.waiting()) {
      flight_[0] = 0;
      if (average_.absorb(mine)) absorb(average_.answer());
      return;
    }
    for (int i = 0; i < mine.count; ++i) {
      std::uint32_t const leaf = flight_[i];
      tree_node& n = arena_[leaf];
      arena_.add_edges(n, mine.rows[i].legal.count());
      for (int k = 0; k < n.num_edges; ++k) arena_.priors(n)[k] = std::max(mine.priors_of(i)[k], least_prior);
      n.state = node_state::evaluated;
      n.own_value = mine.values[i];
      if (leaf == 0)
        n.visits = 1;
      else
        back_up(leaf, mine.values[i]);
    }
  }

  bool done() const { return finished_ == settings_.simulations; }

  void decide(decision<G>& outcome) const {
    tree_node const& root = arena_[0];
    std::array<double, G::num_actions> policy;
    double const value = improved_policy(arena_, 0, settings_.sigma(), policy.data());
    outcome.value = std::clamp(static_cast<float>(value), -1.0f, 1.0f);
    outcome.raw_value = root.own_value;
    outcome.simulations = finished_;
    double surprise = 0;
    for (int i = 0; i < root.num_edges; ++i) {
      outcome.policy[arena_.actions(root)[i]] = static_cast<float>(policy[i]);
      if (policy[i] > 0) surprise += policy[i] * std::log(policy[i] / arena_.priors(root)[i]);
    }
    outcome.surprise = std::max(0.0f, static_cast<float>(surprise));
    outcome.resign = outcome.value < settings_.resign_below;
    outcome.action = arena_.actions(root)[ply_ < settings_.sampling_plies ? drawn_move() : best_move()];
  }

  void advance(int) {
    ++ply_;
    begin_move();
  }

  /// The nodes, for people who look at a finished search; node 0 is the root, whose `value_sum` is not kept.
  node_arena const& nodes() const { return arena_; }

  /// What a tree with these settings allocates.
  static std::size_t bytes(gumbel const& settings) {
    return sizeof(tree) + node_arena::bytes(settings.max_nodes(), G::num_actions) +
           nodes_of(settings) * sizeof(float) + contenders_of(settings) * sizeof(contender) +
           rows_of(settings) * sizeof(std::uint32_t) + root_average<G>::bytes(settings.root_symmetries);
  }

 private:
  static constexpr float least_prior = 1e-8f;  // above 0, below the least number of fp16

  /// A root move that takes part in the halving.
  struct contender {
    double logit;  // log P + g
    double score;  // logit + sigma(q), as of the last ranking
    int place;     // among the root's edges

    bool operator<(contender const& other) const {
      return score != other.score ? score > other.score : place < other.place;
    }
  };

  static std::size_t nodes_of(gumbel const& s) { return static_cast<std::size_t>(s.max_nodes()); }
  static std::size_t rows_of(gumbel const& s) { return static_cast<std::size_t>(s.max_rows()); }
  static std::size_t contenders_of(gumbel const& s) {
    return static_cast<std::size_t>(std::min(s.max_considered, G::num_actions));
  }

  void begin_move() {
    arena_.clear();
    next_ = round_size_ = finished_ = in_flight_ = 0;
    average_.begin(move_key().split(purpose::symmetry));
  }

  /// Puts the contenders in front of the root's edges, the greatest logit first, and begins the first round.
  void prepare_root(G const& root) {
    struct edge {
      double logit;
      float prior;
      std::uint16_t action;
      bool operator<(edge const& other) const {
        return logit != other.logit ? logit > other.logit : action < other.action;
      }
    };
    tree_node& at = arena_[0];
    std::array<edge, G::num_actions> edges;
    random_stream random{move_key().split(purpose::sampling)};
    int count = 0;
    root.legal_actions().for_each([&](int a) {
      float const prior = arena_.priors(at)[count];
      double const noise = settings_.noise_scale > 0 ? settings_.noise_scale * random.gumbel() : 0;
      edges[count++] = {std::log(double{prior}) + noise, prior, static_cast<std::uint16_t>(a)};
    });
    num_contenders_ = std::min(settings_.max_considered, count);
    std::partial_sort(edges.begin(), edges.begin() + num_contenders_, edges.begin() + count);
    for (int i = 0; i < count; ++i) {
      arena_.priors(at)[i] = edges[i].prior;
      arena_.actions(at)[i] = edges[i].action;
    }
    at.state = node_state::sorted;
    for (int i = 0; i < num_contenders_; ++i) contenders_[i] = {edges[i].logit, edges[i].logit, i};
    schedule_ = {settings_.simulations, num_contenders_};
    round_size_ = std::min(num_contenders_, settings_.simulations);
  }

  /// Goes on to the next round; nothing may be in flight.
  void begin_round() {
    int const before = schedule_.moves(), left = settings_.simulations - finished_;
    // A round that visits all of them again may do so in any order.
    if (schedule_.next() || left < before) rank(before);
    round_size_ = std::min(schedule_.moves(), left);
    next_ = 0;
  }

  /// Orders the first `count` contenders, which have had equally many visits, by score.
  void rank(int count) {
    double const weight = settings_.sigma().weight(schedule_.visits());
    for (int i = 0; i < count; ++i)
      contenders_[i].score = contenders_[i].logit + weight * q_of(contenders_[i].place);
    std::sort(contenders_.get(), contenders_.get() + count);
  }

  /// One simulation that begins with a root move.
  BATCHMATE_INLINE void simulate(int place, G const& root, row_range<G>& out) {
    G& position = out.next();
    position = root;
    for (std::uint32_t n = 0;; place = select(n, position)) {
      position.play(arena_.actions(arena_[n])[place]);
      if (place < arena_[n].num_children) {
        n = arena_.child(arena_[n])[place];
      } else {
        n = add_child(n);
        if (!position.result()) return send(n, out);
        arena_[n].state = node_state::terminal;
      }
      if (arena_[n].state == node_state::terminal) return back_up(n, *checked_result(position));
    }
  }

  BATCHMATE_INLINE int select(std::uint32_t n, G const& position) {
    tree_node& at = arena_[n];
    if (at.state == node_state::evaluated) sort_edges(at, position);
    return most_lacking_edge<G::num_actions>(arena_, at, unvisited_[n], settings_.sigma());
  }

  std::uint32_t add_child(std::uint32_t n) {
    std::uint32_t const child = arena_.add_child(n);
    if (n == 0) return child;  // the root has no use for it
    // Added up anew each time: a difference can be more wrong than a small sum is large.
    tree_node const& at = arena_[n];
    unvisited_[n] = sum_and_least(arena_.priors(at) + at.num_children, at.num_edges - at.num_children).sum;
    return child;
  }

  void send(std::uint32_t leaf, row_range<G>& out) {
    flight_[in_flight_++] = leaf;
    out.push();
  }

  /// Ends a simulation: adds its value, for the player to move at the leaf, to the leaf and all above it but the
  /// root, whose rounded sum would depend on the order in which a round's moves are answered.
  BATCHMATE_INLINE void back_up(std::uint32_t leaf, float value) {
    ++finished_;
    ++arena_[0].visits;
    for (std::uint32_t n = leaf; n != 0; value = -value) {
      tree_node& at = arena_[n];
      ++at.visits;
      at.value_sum += value;
      arena_.refresh(at);
      n = at.parent;
    }
  }

  /// Puts an evaluated node's edges in order: greater priors first, then smaller actions.
  void sort_edges(tree_node& at, G const& position) {
    std::uint16_t* const actions = arena_.actions(at);
    int count = 0;
    position.legal_actions().for_each([&](int a) { actions[count++] = static_cast<std::uint16_t>(a); });
    at.state = node_state::sorted;
    sort_by_prior<G::num_actions>(arena_.priors(at), actions, count);
  }

  random_key move_key() const { return episode_.split(static_cast<std::uint64_t>(ply_)); }

  tree_node const& root_child(int place) const { return arena_[arena_.child(arena_[0])[place]]; }
  /// The value of a root move, as the root sees it.
  float q_of(int place) const {
    return -root_child(place).value_sum / static_cast<float>(root_child(place).visits);
  }

  /// Of the most visited root moves that of greatest logit + sigma(q).
  int best_move() const {
    int const seen = arena_[0].num_children;  // fewer simulations than contenders leave the last ones out
    std::uint32_t most = 0;
    for (int i = 0; i < seen; ++i) most = std::max(most, root_child(i).visits);
    contender best{0, -1e300, 0};
    for (int i = 0; i < num_contenders_; ++i) {
      contender c = contenders_[i];
      if (c.place >= seen || root_child(c.place).visits < most) continue;
      c.score = c.logit + settings_.sigma().weight(most) * q_of(c.place);
      if (c < best) best = c;
    }
    return best.place;
  }

  /// A root move drawn in proportion to visits.
  int drawn_move() const {
    random_stream random{move_key().split(purpose::move)};
    std::uint32_t rest = random.below(arena_[0].visits - 1);
    int place = 0;
    while (rest >= root_child(place).visits) rest -= root_child(place++).visits;
    return place;
  }

  gumbel settings_;
  node_arena arena_;
  std::unique_ptr<float[]> unvisited_;       // (max_nodes), sums of the priors of the moves without visits
  std::unique_ptr<contender[]> contenders_;  // (num_contenders), those still in the race first
  std::unique_ptr<std::uint32_t[]> flight_;  // (max_rows), nodes whose rows are under way
  root_average<G> average_;                  // of the root's evaluations, if there are several
  sequential_halving schedule_;
  int num_contenders_ = 0;
  int round_size_ = 0;  // contenders that this round visits
  int next_ = 0;        // the first of them without a simulation yet
  int in_flight_ = 0;   // simulations that await an answer
  int finished_ = 0;    // simulations
  int ply_ = 0;
  random_key episode_;
};

}  // namespace batchmate
