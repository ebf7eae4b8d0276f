#pragma once

#include <batchmate/core/error.hpp>
#include <batchmate/search/concepts.hpp>
#include <batchmate/search/root_average.hpp>
#include <batchmate/search/root_target.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <string>
#include <tuple>
#include <vector>

namespace batchmate {

/// The fixed-width tree: below the root stand the best `widths[0]` moves, below each of these the best `widths[1]`,
/// and so on; the last positions are worth what the network says, all others the best of their moves (minimax).
///
/// The best moves are those of greatest log P(a) + temperature * g(a) with Gumbel noise g, which samples without
/// replacement in proportion to P^(1 / temperature) (Kool et al., ICML 2019). Every depth is one wave of rows.
///
/// Training target: P(a) * exp(q(a) / target_temperature) over the root's searched moves, normalised; q is a
/// move's minimax value. Of all policies over these moves it has the greatest mean q less target_temperature times its
/// Kullback-Leibler divergence from P (in Grill et al., ICML 2020, the divergence is that of P from the policy).
struct top_k {
  std::array<int, 8> widths{6, 10};  ///< moves kept at each depth; the first 0 ends the list
  float temperature = 1;             ///< of the sampling of moves; 0 takes those of greatest prior
  float target_temperature = 0.1f;   ///< of the training target, in units of value; positive
  int temperature_plies = 0;         ///< first plies, whose move is drawn from the target; later the best
  float resign_below = -1;           ///< `decision` advises to resign below this root value; -1 never does
  int root_symmetries = 1;  ///< the root has the mean of evaluations under so many symmetries, as in `puct`

  /// What programs may change, in the order they show it.
  static constexpr std::tuple fields{search_field{"widths", &top_k::widths},
                                     search_field{"temperature", &top_k::temperature},
                                     search_field{"target-temperature", &top_k::target_temperature},
                                     search_field{"temperature-plies", &top_k::temperature_plies},
                                     search_field{"resign-below", &top_k::resign_below},
                                     search_field{"root-symmetries", &top_k::root_symmetries}};

  /// One game's tree, level by level.
  template <game G>
  class tree;

  /// Depths below the root.
  int depth() const { return static_cast<int>(std::find(widths.begin(), widths.end(), 0) - widths.begin()); }

  /// Throws `contract_error` as `check` does.
  int max_rows() const {
    check();
    int rows = 1;
    for (int d = 0; d < depth(); ++d) rows *= widths[d];
    return rows;
  }

  /// The most nodes a tree can hold. Throws `contract_error` as `check` does.
  int max_nodes() const {
    check();
    int nodes = 1, level = 1;
    for (int d = 0; d < depth(); ++d) nodes += level *= widths[d];
    return nodes;
  }

  template <game G>
  std::size_t tree_bytes() const {
    return tree<G>::bytes(*this);
  }

  std::string identity() const {
    std::string text = concat("top_k widths=", widths[0]);
    for (int d = 1; d < depth(); ++d) text += concat(",", widths[d]);
    return text +
           concat(" temperature=", temperature, " target=", target_temperature,
                  " plies=", temperature_plies) +
           (resign_below != -1 ? concat(" resign_below=", resign_below) : "") +
           (root_symmetries > 1 ? concat(" root_symmetries=", root_symmetries) : "");
  }

  /// Throws `contract_error` for a field out of range.
  void check() const {
    expects(widths[0] > 0, "top_k: widths must begin with a positive number, got ", widths[0]);
    double rows = 1;
    for (int d = 0; d < depth(); ++d) {
      expects(widths[d] > 0 && widths[d] < 65536, "top_k: widths must be positive, got ", widths[d]);
      rows *= widths[d];
    }
    expects(std::all_of(widths.begin() + depth(), widths.end(), [](int width) { return width == 0; }),
            "top_k: widths must be positive up to the first 0, and 0 behind it, got one behind a 0");
    expects(rows <= 1 << 20, "top_k: the last level must have at most 1048576 positions, got ", rows);
    expects(root_symmetries > 0, "top_k: root_symmetries must be positive, got ", root_symmetries);
    expects(temperature >= 0 && std::isfinite(temperature),
            "top_k: temperature must be finite and not negative, got ", temperature);
    expects(target_temperature > 0 && std::isfinite(target_temperature),
            "top_k: target_temperature must be finite and positive, got ", target_temperature);
    expects(resign_below >= -1 && resign_below <= 1, "top_k: resign_below must be -1 to 1, got ",
            resign_below);
  }
};

template <game G>
class top_k::tree {
 public:
  explicit tree(top_k const& settings)
      : settings_((settings.check(), settings)), average_(settings.root_symmetries) {
    nodes_.reserve(static_cast<std::size_t>(settings_.max_nodes()));
  }

  void start(random_key episode, int ply) {
    episode_ = episode;
    ply_ = ply;
    begin_move();
  }

  void collect(G const& root, row_range<G>& out) {
    if (average_.waiting()) {
      next_ = 1;
      return average_.collect(root, out, settings_.max_rows());
    }
    for (; next_ < static_cast<int>(nodes_.size()) && !out.full(); ++next_) {
      G& position = out.next();
      replay(next_, root, position);
      if (auto const result = next_ > 0 ? checked_result(position) : std::nullopt) {
        nodes_[next_].value = *result;
        nodes_[next_].resolved = true;
      } else {
        out.push();
      }
    }
    skip_resolved();
    if (done()) back_up();
  }

  void absorb(batch<G> const& mine) {
    if (average_.waiting()) {
      if (average_.absorb(mine)) absorb(average_.answer());
      return;
    }
    for (int i = 0; i < mine.count; ++i, skip_resolved()) {
      nodes_[absorbed_].value = mine.values[i];
      if (nodes_[absorbed_].level < settings_.depth())
        expand(absorbed_, mine.rows[i].legal, mine.priors_of(i));
      ++absorbed_;
    }
    if (done()) back_up();
  }

  /// What a tree with these settings allocates.
  static std::size_t bytes(top_k const& settings) {
    return sizeof(tree) + static_cast<std::size_t>(settings.max_nodes()) * sizeof(node) +
           root_average<G>::bytes(settings.root_symmetries);
  }

  bool done() const { return absorbed_ == static_cast<int>(nodes_.size()); }

  void decide(decision<G>& outcome) const {
    outcome.value = nodes_[0].value;
    outcome.simulations = static_cast<int>(nodes_.size()) - 1;
    float best = -2, sum = 0;
    for_root_moves([&](node const& n) {
      if (-n.value > best) best = -n.value, outcome.action = n.action;
    });
    for_root_moves([&](node const& n) {
      sum += outcome.policy[n.action] = n.prior * std::exp((-n.value - best) / settings_.target_temperature);
    });
    // Priors can all be zero in fp16; then the best move alone is the target.
    if (!(sum > 0)) sum = outcome.policy[outcome.action] = 1;
    for (float& p : outcome.policy) p /= sum;
    surprise_sum surprise;
    for_root_moves([&](node const& n) { surprise.add(outcome.policy[n.action], n.prior); });
    outcome.surprise = surprise.total();
    outcome.resign = outcome.value < settings_.resign_below;
    if (ply_ < settings_.temperature_plies) outcome.action = draw_from(outcome);
  }

  void advance(int) {
    ++ply_;
    begin_move();
  }

 private:
  struct node {
    random_key key;   // of the noise drawn below it
    float value = 0;  // for the player to move
    float prior = 1;  // of the move that led here
    int parent = 0;
    int level = 0;
    std::uint16_t action = 0;
    bool resolved = false;  // the game has ended here: no row
    bool inner = false;     // has children
  };

  void begin_move() {
    nodes_.clear();
    nodes_.push_back({.key = episode_.split(static_cast<std::uint64_t>(ply_)).split(purpose::sampling)});
    next_ = absorbed_ = 0;
    average_.begin(nodes_[0].key.split(purpose::symmetry));
  }

  /// Answers come for the nodes in order, but none for finished positions.
  void skip_resolved() {
    while (absorbed_ < next_ && nodes_[absorbed_].resolved) ++absorbed_;
  }

  void replay(int n, G const& root, G& position) const {
    if (n == 0) {
      position = root;
      return;
    }
    replay(nodes_[n].parent, root, position);
    position.play(nodes_[n].action);
  }

  struct candidate {
    double score;
    float prior;
    int action;
    bool operator<(candidate const& o) const {  // is better
      return score != o.score ? score > o.score : action < o.action;
    }
  };

  /// Adds the best moves of a node, best first.
  void expand(int parent, actions_of<G> const& legal, float const* priors) {
    std::array<candidate, G::num_actions> best;
    random_stream random{nodes_[parent].key};
    int const width = settings_.widths[nodes_[parent].level];
    int next = 0, kept = 0;
    legal.for_each([&](int a) {
      float const prior = priors[next++];
      double const u = settings_.temperature > 0 ? random.open_unit() : 0;
      bool const full = kept == width;
      if (full && most(prior, u) < best[kept - 1].score) return;
      candidate const c{score(prior, u), prior, a};
      if (full && !(c < best[kept - 1])) return;
      int at = full ? kept - 1 : kept++;
      for (; at > 0 && c < best[at - 1]; --at) best[at] = best[at - 1];
      best[at] = c;
    });
    for (int i = 0; i < kept; ++i) {
      candidate const& c = best[i];
      nodes_.push_back({.key = nodes_[parent].key.split(static_cast<std::uint64_t>(c.action)),
                        .prior = c.prior,
                        .parent = parent,
                        .level = nodes_[parent].level + 1,
                        .action = static_cast<std::uint16_t>(c.action)});
    }
    nodes_[parent].inner = true;
  }

  /// Grows with log P + temperature * g, where g = -log(-log u).
  double score(double prior, double u) const {
    if (settings_.temperature == 0) return prior;
    if (settings_.temperature == 1) return prior / -std::log(u);
    return std::log(prior) - settings_.temperature * std::log(-std::log(u));
  }

  /// No less than the score, without a logarithm, which would be most of what an expansion costs: -log u >= 1 - u.
  double most(double prior, double u) const {
    return settings_.temperature == 1 ? prior / (1 - u) * (1 + 1e-12) : INFINITY;
  }

  /// Minimax: an inner node is worth the best of its moves.
  void back_up() {
    for (node& n : nodes_)
      if (n.inner) n.value = -1;
    for (int n = static_cast<int>(nodes_.size()) - 1; n > 0; --n) {
      float& above = nodes_[nodes_[n].parent].value;
      above = std::max(above, -nodes_[n].value);
    }
  }

  template <class Visit>
  void for_root_moves(Visit&& visit) const {
    for (std::size_t n = 1; n < nodes_.size() && nodes_[n].level == 1; ++n) visit(nodes_[n]);
  }

  int draw_from(decision<G> const& outcome) const {
    random_stream random{episode_.split(static_cast<std::uint64_t>(ply_)).split(purpose::move)};
    float rest = random.uniform();
    for (int a = 0; a < G::num_actions; ++a)
      if (outcome.policy[a] > 0 && (rest -= outcome.policy[a]) < 0) return a;
    return outcome.action;
  }

  top_k settings_;
  std::vector<node> nodes_;  // level by level; reserved for the largest tree
  root_average<G> average_;  // of the root's evaluations, if there are several
  int next_ = 0;             // the first node not yet pushed or resolved
  int absorbed_ = 0;         // the first node not yet answered or resolved
  int ply_ = 0;
  random_key episode_;
};

}  // namespace batchmate
