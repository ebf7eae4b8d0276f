#pragma once

#include <batchmate/core/error.hpp>
#include <batchmate/core/random.hpp>
#include <batchmate/eval/batch_buffer.hpp>
#include <batchmate/search/concepts.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <memory>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace batchmate {

/// How much `check_search` plays.
struct check_search_options {
  int games = 4;                 ///< games, each played five times, at least 1
  std::uint64_t seed = 1;        ///< the same seed plays the same games
  int rows_of_a_move = 1 << 20;  ///< a search that asks for more is taken to go on for ever
};

/// What `check_search` saw.
struct check_search_counts {
  int games = 0;           ///< games played to their end
  int plies = 0;           ///< moves decided in these
  std::int64_t rows = 0;   ///< positions these took
  int rows_of_a_step = 0;  ///< the most of one `collect`
  friend constexpr bool operator==(check_search_counts const&, check_search_counts const&) = default;
};

/// An evaluator without a network: what it says of a row is a hash of its bytes. Values are multiples of 1/64; priors
/// have ties, and in every fourth row zeros.
struct hashed_answers {
  template <game G>
  void submit(int, batch<G> const& rows) const {
    for (int b = 0; b < rows.count; ++b) {
      raw_batch const raw = rows.raw();
      random_key key;
      for (int w = 0; w < raw.layout.words(); ++w) key = key.split(raw.row(b)[w]);
      random_stream random{key};
      rows.values[b] = static_cast<float>(random.below(129)) / 64 - 1;
      float* const priors = rows.priors_of(b);
      int const legal = rows.rows[b].legal.count();
      float const least = random.below(4) == 0 ? 1 : 0;
      float sum = 0;
      for (int i = 0; i < legal; ++i) {
        priors[i] = static_cast<float>(1u << random.below(4)) - least;
        if (i + 1 == legal && sum == 0) priors[i] = 1;
        sum += priors[i];
      }
      for (int i = 0; i < legal; ++i) priors[i] /= sum;
    }
  }
  void wait(int) const {}
  std::string identity() const { return "hashed"; }
};

/// One tree and the game it plays, taken from batch to batch as by the driver.
template <game G, search_for<G> S>
class checked_tree {
 public:
  /// A game to play, and what was decided when it was played first: empty before.
  struct game_record {
    random_key key;  ///< the game's own
    G opening;       ///< where it begins
    int ply;         ///< of the opening
    std::vector<decision<G>> decisions{};
    std::int64_t rows = 0;
  };

  explicit checked_tree(S const& search, int limit)
      : tree_(search), most_rows_(search.max_rows()), limit_(limit) {}

  /// Leaves what it played and begins a game. `how` ends what is complained of, and `number` names the game there.
  void start(game_record& game, int number, std::string_view how) {
    game_ = &game;
    number_ = number;
    how_ = how;
    known_ = !game.decisions.empty();
    position_ = game.opening;
    ply_ = game.ply;
    rows_ = rows_of_move_ = 0;
    over_ = false;
    tree_.start(game.key, game.ply);
  }
  bool over() const { return over_; }                ///< the game has ended
  int rows_of_a_step() const { return most_seen_; }  ///< the most so far

  /// Takes the answers to its rows, if it has any.
  void absorb(batch<G> const& answered) {
    if (rows_ > 0) tree_.absorb(answered.slice(first_row_, rows_));
    rows_ = 0;
  }

  /// Goes on until rows have been pushed, the range is full, or the game is over.
  void advance(row_range<G>& out) {
    while (!over_ && rows_ == 0 && !out.full()) {
      if (tree_.done())
        make_move();
      else
        collect(out);
    }
  }

  /// Throws `contract_error` if a row that was pushed last is a finished position.
  void check_rows(G const* positions) const {
    for (int b = first_row_; b < first_row_ + rows_; ++b)
      expects(!positions[b].result(), "search: expected rows of unfinished positions, found a finished one",
              where());
  }

 private:
  std::string where() const { return concat(" at ply ", ply_, " of game ", number_, how_); }

  void collect(row_range<G>& out) {
    first_row_ = out.used();
    tree_.collect(position_, out);
    rows_ = out.used() - first_row_;
    expects(rows_ > 0 || tree_.done(), "search: collect pushed no row and is not done,", where());
    expects(rows_ <= most_rows_, "search: expected at most max_rows() = ", most_rows_,
            " rows in a step, found ", rows_, where());
    expects(limit_ - rows_ >= rows_of_move_, "search: expected a move to be found with ", limit_,
            " rows, found no end", where());
    rows_of_move_ += rows_;
    most_seen_ = std::max(most_seen_, rows_);
    if (!known_) game_->rows += rows_;
  }

  void make_move() {
    decision<G> found, again;
    tree_.decide(found);
    check_decision(found, position_.legal_actions(), [this] { return where(); });
    expects(std::abs(found.raw_value) <= 1.0001f, "search: expected a raw value in [-1, 1], found ",
            found.raw_value, where());
    tree_.decide(again);
    compare(found, again, "the same decision when asked twice");
    auto const n = static_cast<std::size_t>(ply_ - game_->ply);
    if (known_)
      compare(game_->decisions[n], found, "the decision of a tree that is alone and has room for all rows");
    else
      game_->decisions.push_back(found);
    position_.play(found.action);
    ++ply_;
    rows_of_move_ = 0;
    over_ = checked_result(position_).has_value();
    if (over_) return;
    expects(ply_ < G::max_plies && position_.legal_actions().any(),
            "game: a game is not over after max_plies, or cannot go on; check_game says more");
    tree_.advance(found.action);
  }

  void compare(decision<G> const& expected, decision<G> const& found, std::string_view what) const {
    auto const same = [&](char const* part, auto const& a, auto const& b) {
      if (std::memcmp(&a, &b, sizeof a) == 0) return;
      std::string numbers;
      if constexpr (std::is_arithmetic_v<std::remove_cvref_t<decltype(a)>>)
        numbers = concat(" ", b, " and not ", a);
      throw contract_error(concat("search: expected ", what, ", found another ", part, numbers, where()));
    };
    same("action", expected.action, found.action);
    same("value", expected.value, found.value);
    same("number of simulations", expected.simulations, found.simulations);
    same("policy", expected.policy, found.policy);
    same("full", expected.full, found.full);
    same("resign", expected.resign, found.resign);
    same("surprise", expected.surprise, found.surprise);
    same("raw value", expected.raw_value, found.raw_value);
  }

  typename S::template tree<G> tree_;
  int const most_rows_, limit_;
  game_record* game_ = nullptr;
  bool known_ = false;  // the game has been played before
  G position_{};
  std::string how_;
  int number_ = 0, ply_ = 0;
  int first_row_ = 0, rows_ = 0;  // of the batch
  int rows_of_move_ = 0, most_seen_ = 0;
  bool over_ = true;
};

/// Plays the same games in several ways, and holds every promise of the `search_for` contract against what is decided.
/// Use `check_search`.
template <game G, search_for<G> S>
class search_checker {
 public:
  /// Takes memory for the batches, of two trees at least.
  search_checker(S const& search, check_search_options const& options)
      : search_(search), options_(options), most_rows_(search.max_rows()) {
    expects(options.games > 0 && options.rows_of_a_move > 0,
            "check_search: games and rows_of_a_move must be positive, got ", options.games, " and ",
            options.rows_of_a_move);
    expects(most_rows_ > 0, "search: expected max_rows() above 0, found ", most_rows_);
    expects(!std::string(search.identity()).empty(), "search: expected an identity, found an empty one");
    std::size_t const tree_bytes = search.template tree_bytes<G>();
    expects(tree_bytes >= sizeof(typename S::template tree<G>),
            "search: expected tree_bytes() of at least a tree's ", sizeof(typename S::template tree<G>),
            ", found ", tree_bytes);
    for (auto& b : buffers_) b = batch_buffer<G>(evaluator_, all_room());
    for (int g = 0; g < options.games; ++g) draw_game(g);
  }

  /// Throws `contract_error` for the first promise that is broken.
  check_search_counts run() {
    for (int g = 0; g < games(); ++g) play_alone(g, all_room(), "");
    for (int g = 0; g < games(); ++g) play_alone(g, all_room(), " by a second tree of the same settings");
    for (int g = 0; g < games(); ++g) play_alone(g, 1, " with one row a step");
    play_with_a_used_tree();
    play_together();
    return counts_;
  }

 private:
  using tree = checked_tree<G, S>;

  int games() const { return options_.games; }
  int all_room() const { return 2 * most_rows_; }
  typename tree::game_record& game(int g) { return games_[static_cast<std::size_t>(g % games())]; }

  /// Every second game begins as one does that was begun elsewhere: after some moves.
  void draw_game(int g) {
    random_key const key =
        random_key{options_.seed}.split(purpose::test).split(static_cast<std::uint64_t>(g));
    random_stream random(key.split(purpose::opening));
    G position;
    int ply = 0;
    for (int wanted = g % 2 == 0 ? 0 : 1 + static_cast<int>(random.below(4)); ply < wanted; ++ply) {
      auto const legal = position.legal_actions();
      expects(legal.any(), "game: a position has neither a result nor a legal action");
      G next = position;
      next.play(legal.nth(static_cast<int>(random.below(static_cast<std::uint32_t>(legal.count())))));
      if (next.result()) break;
      position = next;
    }
    games_.push_back({key, position, ply});
  }

  void play_alone(int g, int room, std::string_view how) {
    tree player(search_, options_.rows_of_a_move);
    player.start(game(g), g, how);
    bool const first = game(g).decisions.empty();
    play({&player}, room);
    if (!first) return;
    ++counts_.games;
    counts_.plies += static_cast<int>(game(g).decisions.size());
    counts_.rows += game(g).rows;
    counts_.rows_of_a_step = std::max(counts_.rows_of_a_step, player.rows_of_a_step());
  }

  /// One tree plays all games, each after a part of another, which it leaves while rows are under way.
  void play_with_a_used_tree() {
    random_stream random(random_key{options_.seed}.split(purpose::test).split(purpose::move));
    tree player(search_, options_.rows_of_a_move);
    for (int g = 0; g < games(); ++g) {
      std::string_view const how = " by a tree that was used before";
      auto& other = game(g + 1);
      player.start(other, (g + 1) % games(), how);
      play({&player}, 1, 1 + random.below(static_cast<std::uint32_t>(other.rows) + 1));
      player.start(game(g), g, how);
      play({&player}, most_rows_);
    }
  }

  /// All games in batches that have no room for all of them, so that waves are cut anywhere.
  void play_together() {
    std::vector<std::unique_ptr<tree>> trees;
    std::vector<tree*> players;
    for (int g = 0; g < games(); ++g) {
      players.push_back(trees.emplace_back(std::make_unique<tree>(search_, options_.rows_of_a_move)).get());
      players.back()->start(game(g), g, " with all games in common batches");
    }
    play(players, most_rows_ + most_rows_ / 2 + 1);
  }

  /// Goes on with all trees, `room` rows a step, until their games are over, or for so many steps. The answers are
  /// read while the next rows are written, as in a run.
  void play(std::vector<tree*> const& players, int room,
            std::uint32_t steps = std::numeric_limits<std::uint32_t>::max()) {
    batch<G> answered;
    std::size_t first = 0;  // whose turn it is to begin
    for (std::uint32_t step = 0; step < steps; ++step) {
      batch_buffer<G> const& buffer = buffers_[step & 1];
      row_range<G> out(buffer.positions(), buffer.rows(), room);
      std::size_t next = first;
      for (std::size_t i = 0; i < players.size(); ++i) {
        std::size_t const at = (first + i) % players.size();
        players[at]->absorb(answered);
        if (out.full()) continue;
        players[at]->advance(out);
        players[at]->check_rows(buffer.positions());
        next = at + 1;
      }
      first = next % players.size();
      if (out.used() == 0) return;
      out.encode(moves_rows(evaluator_));
      answered = buffer.view(0, out.used());
      evaluator_.submit(0, answered);
      evaluator_.wait(0);
    }
  }

  S search_;
  check_search_options options_;
  int most_rows_;
  hashed_answers evaluator_;
  batch_buffer<G> buffers_[2];
  std::vector<typename tree::game_record> games_;
  check_search_counts counts_;
};

/// Plays games of G by a search's trees, with answers that are hashes of the rows, and throws `contract_error` where it
/// breaks the contract of `search_for`: steps that push at most `max_rows` rows, of unfinished positions, or end the
/// search; decisions as `check_decision` wants them, up to the end of the game; and the same, bit for bit, of a second
/// tree, with one row a step, with all games in common batches, and of a tree that has left another game.
///
/// It says nothing of how well the search plays.
template <game G, class S>
check_search_counts check_search(S const& search, check_search_options const& options = {}) {
  static_assert(require_game<G>() && require_search<S, G>());
  return search_checker<G, S>(search, options).run();
}

}  // namespace batchmate
