#pragma once

#include <batchmate/core/error.hpp>
#include <batchmate/search/concepts.hpp>
#include <batchmate/search/node_arena.hpp>
#include <batchmate/search/puct_graph_options.hpp>
#include <batchmate/search/root_average.hpp>
#include <batchmate/search/root_noise.hpp>
#include <batchmate/search/root_target.hpp>

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstdint>
#include <memory>

namespace batchmate {

template <game_with_key G>
class puct_graph::tree {
 public:
  explicit tree(puct_graph const& settings)
      : settings_((settings.check(), settings.as_puct())),
        nodes_(std::make_unique<node[]>(size(settings.max_nodes()))),
        edges_(std::make_unique_for_overwrite<edge[]>(size(settings.max_nodes()) * G::num_actions)),
        path_(std::make_unique<step[]>(size(settings.max_nodes()))),
        table_(std::make_unique<std::uint32_t[]>(table_size(settings))),
        mask_(table_size(settings) - 1),
        average_(settings.root_symmetries) {}

  /// What a graph with these settings allocates.
  static std::size_t bytes(puct_graph const& settings) {
    return sizeof(tree) + 4 * table_size(settings) + root_average<G>::bytes(settings.root_symmetries) +
           size(settings.max_nodes()) * (sizeof(node) + sizeof(step) + sizeof(edge) * G::num_actions);
  }

  void start(random_key episode, int ply) {
    episode_ = episode;
    ply_ = ply;
    begin_move();
  }

  void collect(G const& root, row_range<G>& out) {
    if (out.full()) return;
    bool asks = num_nodes_ == 0;
    if (asks) leaf_ = find_or_add(root);
    if (average_.waiting()) {
      average_.collect(root, out, 1);
      waiting_ = true;
      return;
    }
    if (asks) {
      out.next() = root;
    } else if (descents_ == 0) {
      prepare_root();
    }
    while (!asks && descents_ < wanted_) {
      out.next() = root;
      asks = descend(out.next());
      if (!asks) back_up();
    }
    if (asks) out.push();
    waiting_ = asks;
  }

  void absorb(batch<G> const& mine) {
    if (mine.count == 0) return;
    if (average_.waiting()) {
      if (average_.absorb(mine)) absorb(average_.answer());
      return;
    }
    node& at = nodes_[leaf_];
    expand(at, mine.rows[0].legal, mine.priors_of(0));
    at.own_value = at.value = mine.values[0];
    at.visits = 1;
    back_up();
    waiting_ = false;
  }

  bool done() const { return num_nodes_ > 0 && !waiting_ && descents_ >= wanted_; }

  void decide(decision<G>& outcome) const {
    node const& root = nodes_[0];
    outcome.value = std::clamp(root.value, -1.0f, 1.0f);
    outcome.raw_value = root.own_value;
    outcome.simulations = descents_;
    outcome.full = full_;
    outcome.resign = outcome.value < settings_.resign_below;
    std::array<float, G::num_actions> weights;
    float const total = weigh_moves(weights.data());
    surprise_sum surprise;
    for (int i = 0; i < root.num_children; ++i) {
      std::uint16_t const action = edges_[root.first_edge + size(i)].action;
      outcome.policy[action] = weights[i] / total;
      surprise.add(outcome.policy[action], network_priors_[action]);
    }
    outcome.surprise = surprise.total();
    int const most = static_cast<int>(std::max_element(weights.data(), weights.data() + root.num_children) -
                                      weights.data());
    float const chosen =
        ply_ < settings_.temperature_plies ? settings_.temperature : settings_.final_temperature;
    int const place = chosen == 0 ? most
                                  : draw_move<G::num_actions>(weights.data(), root.num_children, most, chosen,
                                                              move_key().split(purpose::move));
    outcome.action = edges_[root.first_edge + size(place)].action;
  }

  void advance(int) {
    ++ply_;
    begin_move();
  }

  /// Nodes in the graph.
  int num_nodes() const { return num_nodes_; }

 private:
  struct node {
    std::uint64_t key = 0;
    plane_bits<G::input> planes{};  // what a key might confuse
    std::size_t first_edge = 0;
    float own_value = 0, value = 0;  // U and Q, for the player to move
    int visits = 0;                  // 0 until it has been evaluated
    int passed = 0;                  // the last descent that came here
    std::uint16_t num_edges = 0, num_children = 0;
  };
  struct edge {
    float prior;
    int visits;
    std::uint32_t child;  // once it has visits
    std::uint16_t action;
  };
  struct step {
    std::uint32_t from;
    std::size_t edge;
  };

  static std::size_t size(int n) { return static_cast<std::size_t>(n); }
  static std::size_t table_size(puct_graph const& settings) {
    return std::bit_ceil(2 * size(settings.max_nodes()));
  }

  random_key move_key() const { return episode_.split(static_cast<std::uint64_t>(ply_)); }

  void begin_move() {
    num_nodes_ = descents_ = path_size_ = 0;
    num_edges_ = 0;
    waiting_ = false;
    random_stream chance{move_key().split(purpose::move).split(purpose::sampling)};
    full_ = settings_.full_share == 1 || chance.uniform() < settings_.full_share;
    wanted_ = full_ ? settings_.simulations : settings_.cheap_simulations;
    average_.begin(move_key().split(purpose::symmetry), full_);
    std::fill_n(table_.get(), mask_ + 1, 0u);
  }

  /// The node of a position, a new one without visits if there is none yet.
  std::uint32_t find_or_add(G const& position) {
    std::uint64_t const key = position.key();
    plane_bits<G::input> planes;
    position.encode(planes);
    std::size_t slot = mix_bits(key) & mask_;
    for (; table_[slot] != 0; slot = (slot + 1) & mask_)
      if (node const& known = nodes_[table_[slot] - 1]; known.key == key && known.planes == planes)
        return table_[slot] - 1;
    auto const n = static_cast<std::uint32_t>(num_nodes_++);
    table_[slot] = n + 1;
    nodes_[n] = {.key = key, .planes = planes};
    return n;
  }

  /// Goes down to a node that is new, finished or on the way already; true if it is to be evaluated.
  bool descend(G& position) {
    ++descents_;
    path_size_ = 0;
    for (std::uint32_t n = 0;;) {
      node& at = nodes_[n];
      at.passed = descents_;
      int const forced = n == 0 && settings_.forced_playouts > 0 ? forced_child() : -1;
      int const place = forced >= 0 ? forced : select(at);
      std::size_t const e = at.first_edge + size(place);
      path_[path_size_++] = {n, e};
      position.play(edges_[e].action);
      if (place == at.num_children) edges_[e].child = find_or_add(position);
      n = edges_[e].child;
      node& next = nodes_[n];
      if (next.visits == 0) {
        leaf_ = n;
        auto const result = checked_result(position);
        if (!result) return true;
        next.own_value = next.value = *result;
        next.visits = 1;
        next.num_edges = 0;
      }
      if (next.num_edges == 0 || next.passed == descents_) return false;
    }
  }

  int select(node const& at) const {
    auto const visits = static_cast<std::uint32_t>(at.visits);
    float const c =
        settings_.exploration_growth == 0 ? settings_.exploration : settings_.exploration_at(visits);
    float const scale = c * std::sqrt(static_cast<float>(at.visits));
    edge const* const edges = edges_.get() + at.first_edge;
    float best = -1e30f, seen = 0;
    int place = 0;
    for (int i = 0; i < at.num_children; ++i) {
      float const score =
          -nodes_[edges[i].child].value + scale * (edges[i].prior / static_cast<float>(1 + edges[i].visits));
      if (score > best) best = score, place = i;
      seen += edges[i].prior;
    }
    if (at.num_children == at.num_edges) return place;
    float const unvisited = settings_.unvisited_value(at.value, seen, full_ && &at == nodes_.get());
    return unvisited + scale * edges[at.num_children].prior > best ? at.num_children : place;
  }

  /// The first of the root's children that has not had its forced visits, -1 if there is none.
  int forced_child() const {
    node const& root = nodes_[0];
    edge const* const edges = edges_.get() + root.first_edge;
    for (int i = 0; i < root.num_children && full_; ++i)
      if (static_cast<float>(edges[i].visits) <
          forced_visits(edges[i].prior, static_cast<float>(root.visits - 1), settings_.forced_playouts))
        return i;
    return -1;
  }

  /// The weights by which the root's children are targets and are played; returns their sum.
  float weigh_moves(float* weights) const {
    node const& root = nodes_[0];
    edge const* const edges = edges_.get() + root.first_edge;
    auto const total = static_cast<float>(root.visits - 1);
    for (int i = 0; i < root.num_children; ++i) weights[i] = static_cast<float>(edges[i].visits);
    if (settings_.forced_playouts == 0 || !full_) return total;
    std::array<float, G::num_actions> priors, values;
    for (int i = 0; i < root.num_children; ++i) {
      priors[i] = edges[i].prior;
      values[i] = -nodes_[edges[i].child].value;
    }
    float const scale = settings_.exploration_at(static_cast<std::uint32_t>(root.visits)) *
                        std::sqrt(static_cast<float>(root.visits));
    return prune_forced(priors.data(), values.data(), weights, root.num_children, scale, total,
                        settings_.forced_playouts);
  }

  /// Counts the moves of the path and finds the values along it anew.
  void back_up() {
    while (path_size_ > 0) {
      auto const [from, chosen] = path_[--path_size_];
      node& at = nodes_[from];
      if (edges_[chosen].visits++ == 0) ++at.num_children;
      ++at.visits;
      float sum = at.own_value;
      for (int i = 0; i < at.num_children; ++i) {
        edge const& e = edges_[at.first_edge + size(i)];
        sum -= nodes_[e.child].value * static_cast<float>(e.visits);
      }
      at.value = sum / static_cast<float>(at.visits);
    }
  }

  void expand(node& at, actions_of<G> const& legal, float const* priors) {
    std::array<float, G::num_actions> sorted;
    std::array<std::uint16_t, G::num_actions> actions;
    int count = 0;
    legal.for_each([&](int a) { actions[count++] = static_cast<std::uint16_t>(a); });
    std::copy_n(priors, count, sorted.data());
    sort_by_prior<G::num_actions>(sorted.data(), actions.data(), count);
    at.first_edge = num_edges_;
    at.num_edges = static_cast<std::uint16_t>(count);
    for (int i = 0; i < count; ++i) edges_[num_edges_++] = {sorted[i], 0, 0, actions[i]};
  }

  /// Makes the root's priors those that its search goes by, before any of its moves has been visited.
  void prepare_root() {
    node const& root = nodes_[0];
    edge* const edges = edges_.get() + root.first_edge;
    std::array<float, G::num_actions> priors;
    std::array<std::uint16_t, G::num_actions> actions;
    for (int i = 0; i < root.num_edges; ++i) {
      priors[i] = network_priors_[edges[i].action] = edges[i].prior;
      actions[i] = edges[i].action;
    }
    if (!full_) return;
    prepare_priors<G::num_actions>(priors.data(), actions.data(), root.num_edges, settings_,
                                   settings_.noise_fraction > 0, move_key().split(purpose::noise));
    sort_by_prior<G::num_actions>(priors.data(), actions.data(), root.num_edges);
    for (int i = 0; i < root.num_edges; ++i) edges[i] = {priors[i], 0, 0, actions[i]};
  }

  puct settings_;
  std::unique_ptr<node[]> nodes_;           // (max_nodes)
  std::unique_ptr<edge[]> edges_;           // (max_nodes * actions), a block a node, sorted by prior
  std::unique_ptr<step[]> path_;            // (max_nodes), the way of the simulation under way
  std::unique_ptr<std::uint32_t[]> table_;  // (a power of two), by key: node + 1, 0 where free
  std::size_t mask_;
  root_average<G> average_;  // of the root's evaluations, if there are several
  std::size_t num_edges_ = 0;
  std::uint32_t leaf_ = 0;
  int num_nodes_ = 0, path_size_ = 0, ply_ = 0;
  int descents_ = 0, wanted_ = 0;  // simulations begun, and those that this move takes
  bool full_ = true;               // this move's search is not a cheap one
  bool waiting_ = false;           // for the evaluation of the leaf
  random_key episode_;
  std::array<float, G::num_actions> network_priors_;  // of the root, by action
};

}  // namespace batchmate
