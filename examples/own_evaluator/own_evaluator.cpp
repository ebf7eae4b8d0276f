// An evaluator of one's own: anything that gives positions a value and priors. This one counts lines of Connect Four,
// on threads of its own, as a device would: `submit` starts the work and `wait` waits for it.

#include <batchmate/batchmate.hpp>

#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <future>
#include <string>
#include <vector>

namespace bm = batchmate;
using game = bm::connect4;

/// Values what the lines of four are worth that only one player has stones in; prefers moves in the middle.
class lines {
 public:
  /// `scale` is the value of a single stone in a line; two are worth 8 of these, three 27.
  explicit lines(float scale = 0.01f) : scale_(scale) {}

  /// Called once, before the first batch: how many batches may be under way at once, and how large they can be.
  void reserve(bm::reservation const& wanted) { batches_.resize(static_cast<std::size_t>(wanted.slots)); }

  /// Begins to answer all rows; the batch's arrays stay until `wait` has returned. A row's answer depends on that row
  /// alone.
  void submit(int slot, bm::batch<game> const& asked) {
    batches_[static_cast<std::size_t>(slot)] = std::async(std::launch::async, [asked, scale = scale_] {
      for (int b = 0; b < asked.count; ++b) {
        asked.values[b] = std::tanh(scale * static_cast<float>(worth_of_lines(asked.rows[b].planes)));
        float* const priors = asked.priors_of(b);  // of the legal actions, in ascending order
        int n = 0;
        float sum = 0;
        asked.rows[b].legal.for_each(
            [&](int a) { sum += priors[n++] = static_cast<float>(4 - std::abs(a - 3)); });
        for (int i = 0; i < n; ++i) priors[i] /= sum;
      }
    });
  }
  /// Returns when the batch is done; what its thread has thrown is thrown here.
  void wait(int slot) {
    if (auto const& batch = batches_[static_cast<std::size_t>(slot)]; batch.valid()) batch.get();
  }
  /// Everything the numbers depend on; it is stored with the data.
  std::string identity() const { return bm::concat("lines:", scale_); }

 private:
  /// Lines without a stone of the other player: those of the player to move (plane 0) less the opponent's (plane 1).
  static int worth_of_lines(bm::plane_bits<game::input> const& planes) {
    int sum = 0;
    for (int row = 0; row < 6; ++row)
      for (int column = 0; column < 7; ++column)
        for (auto const& [down, right] : {std::array{0, 1}, {1, 0}, {1, 1}, {1, -1}}) {
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

  float scale_;
  std::vector<std::shared_future<void>>
      batches_;  // (slots); shared, as every worker thread gets a copy of its own
};

static_assert(bm::evaluator_for<lines, game>);

template <bm::batching B>
std::uint64_t self_play(B const& batching) {
  bm::self_play players{game{}, bm::puct{.simulations = 100}, batching, lines{}};
  auto const done = players.run({.episodes = 50, .seed = 7}, [](bm::sample<game> const&) {});
  std::printf("%lld games, %4.1f positions a batch, %2.0f %% of the time waiting, games %016llx\n",
              static_cast<long long>(done.episodes), done.mean_batch(), 100 * done.waiting_share,
              static_cast<unsigned long long>(done.episodes_hash));
  return done.episodes_hash;
}

int main() {
  bm::check_evaluator<game>(lines{});  // throws where the contract is broken
  bool const same = self_play(bm::immediate{}) == self_play(bm::overlapped{.games = 32});
  std::printf("the same games: %s\n", same ? "yes" : "no");
  return same ? 0 : 1;
}
