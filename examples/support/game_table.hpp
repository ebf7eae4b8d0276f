#pragma once

#include <batchmate/eval/answers.hpp>
#include <batchmate/eval/batch_buffer.hpp>
#include <batchmate/game/sgf.hpp>

#include <support/table.hpp>

#include <algorithm>
#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

/// The table of one game.
template <batchmate::game G>
class game_table final : public table {
 public:
  game_table(common::chosen_evaluator<G> chosen, batchmate::puct const& search)
      : evaluator_(std::move(chosen.evaluator)), network_(std::move(chosen.network)), tree_(search) {
    evaluator_.reserve({batchmate::layout_of<G>(), 1, search.max_rows()});
    buffer_ = batchmate::batch_buffer<G>(evaluator_, search.max_rows());
    restart({G{}});
  }

  std::string draw() const override { return now().draw(); }
  std::string position() const override { return now().to_text(); }
  std::optional<float> result() const override { return now().result(); }
  std::string score() const override { return batchmate::sgf_result(now(), plies() % 2 == 0); }
  int columns() const override { return G::input.columns; }
  int plies() const override { return static_cast<int>(history_.size()) - 1; }
  std::string evaluator() const override { return evaluator_.identity(); }
  std::string network() const override { return network_; }

  std::vector<std::string> moves() const override {
    std::vector<std::string> texts;
    if (!now().result()) now().legal_actions().for_each([&](int a) { texts.push_back(G::action_text(a)); });
    return texts;
  }

  bool set_position(std::string const& text) override {
    std::optional<G> const position = G::from_text(text);
    if (position) restart({*position});
    return position.has_value();
  }

  std::optional<std::string> play(std::string const& move) override {
    if (now().result()) return "the game is over";
    std::optional<int> const action = G::parse_action(move);
    if (!action) return "'" + move + "' is no move of " + G::name() + "; one is " + moves().front();
    if (!now().legal_actions().test(*action)) return "'" + move + "' cannot be played here";
    G next = now();
    next.play(*action);
    history_.push_back(next);
    tree_.advance(*action);
    return std::nullopt;
  }

  void undo(int plies) override {
    history_.resize(history_.size() - static_cast<std::size_t>(std::min(plies, this->plies())));
    restart(std::move(history_));
  }

  analysis think() override {
    analysis found;
    batchmate::row_range<G> root(buffer_.positions(), buffer_.rows(), 1);
    root.next() = now();
    root.push();
    evaluate(root);
    batchmate::batch<G> const answer = buffer_.view(0, 1);
    found.network_value = *answer.values;
    float const* prior = answer.priors_of(0);
    now().legal_actions().for_each(
        [&](int a) { found.network_policy.push_back({.action = G::action_text(a), .prior = *prior++}); });
    sort_by(&move_view::prior, found.network_policy);
    while (!tree_.done()) {
      batchmate::row_range<G> rows(buffer_.positions(), buffer_.rows(), buffer_.capacity());
      tree_.collect(now(), rows);
      evaluate(rows);
      tree_.absorb(buffer_.view(0, rows.used()));
    }
    describe(found);
    return found;
  }

 private:
  G const& now() const { return history_.back(); }

  void restart(std::vector<G> history) {
    history_ = std::move(history);
    tree_.start(batchmate::random_key{}, plies());
  }

  void evaluate(batchmate::row_range<G>& rows) {
    if (rows.used() == 0) return;
    if (evaluator_.needs_planes()) rows.encode(evaluator_.moves_rows());
    batchmate::batch<G> const asked = buffer_.view(0, rows.used());
    evaluator_.submit(0, asked);
    evaluator_.wait(0);
    batchmate::check_answers(asked, evaluator_);
  }

  /// The greatest first.
  static void sort_by(auto move_view::*what, std::vector<move_view>& moves) {
    std::stable_sort(moves.begin(), moves.end(),
                     [&](move_view const& a, move_view const& b) { return a.*what > b.*what; });
  }

  /// Reads a finished search off its tree. A node's edges are sorted by prior, and the visited ones come first.
  void describe(analysis& found) const {
    batchmate::node_arena const& nodes = tree_.nodes();
    batchmate::tree_node const& root = nodes[0];
    found.value = std::clamp(root.value_sum / static_cast<float>(root.visits), -1.0f, 1.0f);
    found.simulations = static_cast<int>(root.visits) - 1;
    found.nodes = static_cast<int>(nodes.size());
    for (int i = 0; i < root.num_edges; ++i) {
      move_view& m = found.moves.emplace_back();
      m.action = G::action_text(nodes.actions(root)[i]);
      m.prior = nodes.priors(root)[i];
      if (i >= root.num_children) continue;
      batchmate::tree_node const& child = nodes[nodes.child(root)[i]];
      m.visits = static_cast<int>(child.visits);
      m.value = 0 - child.value_sum / static_cast<float>(child.visits);
    }
    sort_by(&move_view::visits, found.moves);
    batchmate::decision<G> decided;
    tree_.decide(decided);
    found.move = G::action_text(decided.action);
    found.principal_variation.push_back(found.move);
    auto const* const actions = nodes.actions(root);
    auto place = static_cast<int>(std::find(actions, actions + root.num_edges, decided.action) - actions);
    for (batchmate::tree_node const* at = &root; place < at->num_children; place = most_visited(*at)) {
      if (at != &root) found.principal_variation.push_back(G::action_text(nodes.actions(*at)[place]));
      at = &nodes[nodes.child(*at)[place]];
    }
  }

  /// The place of a node's most visited child; of several, that of greatest prior.
  int most_visited(batchmate::tree_node const& at) const {
    batchmate::node_arena const& nodes = tree_.nodes();
    int best = 0;
    for (int i = 1; i < at.num_children; ++i)
      if (nodes[nodes.child(at)[i]].visits > nodes[nodes.child(at)[best]].visits) best = i;
    return best;
  }

  batchmate::any_evaluator<G> evaluator_;
  std::string network_;
  batchmate::puct::tree<G> tree_;
  batchmate::batch_buffer<G> buffer_;
  std::vector<G> history_;  // the position set last and all since; never empty
};

template <batchmate::game G>
std::unique_ptr<table> make_table(common::evaluator_choice const& choice, batchmate::puct const& search) {
  return std::make_unique<game_table<G>>(common::make_evaluator<G>(choice), search);
}
