// An evaluator of one's own: anything that gives positions a value and priors. Here it counts lines of Connect Four,
// first at once, then on a thread of its own, as a device would; both go where a network goes.

#include <batchmate/batchmate.hpp>

#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <future>
#include <string>
#include <utility>
#include <vector>

namespace bm = batchmate;

namespace {

using game = bm::connect4;

/// Values what the lines of four are worth that only one player has stones in; prefers moves in the middle.
struct lines {
  float scale = 0.01f;  ///< value of a single stone in a line; two are worth 8 of these, three 27

  /// Answers every row; a row's answer depends on that row alone.
  void submit(int /*slot*/, bm::batch<game> const& asked) const {
    for (int b = 0; b < asked.count; ++b) {
      bm::row<game> const& row = asked.rows[b];
      asked.values[b] = std::tanh(scale * static_cast<float>(worth_of_lines(row.planes)));
      float* const priors = asked.priors_of(b);  // of the legal actions, in ascending order
      int n = 0;
      float sum = 0;
      row.legal.for_each([&](int a) { sum += priors[n++] = static_cast<float>(7 - std::abs(a - 3)); });
      for (int i = 0; i < n; ++i) priors[i] /= sum;
    }
  }
  /// The work was done in `submit`.
  void wait(int /*slot*/) const {}
  /// Everything the numbers depend on; it is stored with the data.
  std::string identity() const { return bm::concat("lines:", scale); }

 private:
  /// Lines without a stone of the other player: the player to move's (plane 0) less the opponent's.
  static int worth_of_lines(bm::plane_bits<game::input> const& planes) {
    static constexpr int directions[4][2] = {{0, 1}, {1, 0}, {1, 1}, {1, -1}};
    int sum = 0;
    for (int row = 0; row < 6; ++row)
      for (int column = 0; column < 7; ++column)
        for (auto const [down, right] : directions) {
          if (row + 3 * down > 5 || column + 3 * right > 6 || column + 3 * right < 0) continue;
          int own = 0, other = 0;
          for (int i = 0; i < 4; ++i) {
            own += planes.test(0, row + i * down, column + i * right);
            other += planes.test(1, row + i * down, column + i * right);
          }
          if (own == 0 || other == 0) sum += own * own * own - other * other * other;
        }
    return sum;
  }
};

/// Any evaluator on another thread: `submit` only starts the work, `wait` blocks and passes its exceptions on.
template <bm::evaluator_for<game> E>
class in_background {
 public:
  explicit in_background(E inner) : inner_(std::move(inner)) {}

  void reserve(bm::reservation const& wanted) {
    bm::reserve(inner_, wanted);
    batches_.resize(static_cast<std::size_t>(wanted.slots));
  }
  void submit(int slot, bm::batch<game> const& asked) {
    batches_[static_cast<std::size_t>(slot)] =
        std::async(std::launch::async, [inner = inner_, slot, asked]() mutable {
          inner.submit(slot, asked);
          inner.wait(slot);
        });
  }
  void wait(int slot) {
    auto const& batch = batches_[static_cast<std::size_t>(slot)];
    if (batch.valid()) batch.get();
  }
  std::string identity() const { return inner_.identity(); }  // the same numbers

 private:
  E inner_;
  std::vector<std::shared_future<void>> batches_;  // (slots)
};

/// A move by a search of 100 simulations, driven by hand: the search collects positions, the evaluator answers.
template <bm::evaluator_for<game> E>
int move(E& evaluator, game const& position) {
  bm::puct::tree<game> tree({.simulations = 100, .noise_fraction = 0, .temperature = 0});
  bm::batch_buffer<game> buffer(evaluator, 1);
  for (tree.start(bm::random_key{1}, 0); !tree.done();) {
    bm::row_range<game> rows(buffer.positions(), buffer.rows(), 1);
    tree.collect(position, rows);
    if (bm::needs_planes(evaluator)) rows.encode();
    evaluator.submit(0, buffer.view(0, rows.used()));
    evaluator.wait(0);
    tree.absorb(buffer.view(0, rows.used()));
  }
  bm::decision<game> decided;
  tree.decide(decided);
  return decided.action;
}

/// Points of `first` against `second` in a game that begins with two given moves; `first` moves next.
template <class First, class Second>
double points(First first, Second second, int opening) {
  game position;
  position.play(opening / 7);
  position.play(opening % 7);
  bool first_to_move = true;
  for (; !position.result(); first_to_move = !first_to_move)
    position.play(first_to_move ? move(first, position) : move(second, position));
  return 0.5 + 0.5 * (first_to_move ? *position.result() : -*position.result());
}

template <bm::evaluator_for<game> E>
std::uint64_t self_play(E evaluator) {
  bm::self_play players{game{}, bm::puct{.simulations = 50}, bm::overlapped{.games = 32},
                        std::move(evaluator)};
  auto const done = players.run({.episodes = 100, .seed = 7}, [](bm::sample<game> const&) {});
  std::printf(
      "self-play: %lld games, %.1f positions a batch, %2.0f %% of the time in submit, %2.0f %% waiting\n",
      static_cast<long long>(done.episodes), done.mean_batch(), 100 * done.evaluator_share,
      100 * done.waiting_share);
  return done.episodes_hash;
}

}  // namespace

int main() {
  std::uint64_t const at_once = self_play(lines{}), in_the_background = self_play(in_background(lines{}));
  std::printf("the same games: %s\n", at_once == in_the_background ? "yes" : "no");

  double score = 0;
  for (int opening = 0; opening < 49; ++opening)
    score += points(lines{}, bm::uniform{}, opening) + 1 - points(bm::uniform{}, lines{}, opening);
  std::printf("lines against uniform, 98 games: %.0f %% of the points\n", 100 * score / 98);
  return at_once == in_the_background && score > 49 ? 0 : 1;
}
