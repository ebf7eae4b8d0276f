#include <batchmate/batchmate.hpp>

#include <cstdio>

namespace bm = batchmate;

struct nim {  // take 1, 2 or 3 stones; whoever takes the last one wins
  static constexpr int num_actions = 3, max_plies = 10;
  static constexpr bm::shape input{1, 1, 10};  // planes, rows, columns: what a network would see
  int stones = 10;

  bm::action_set<3> legal_actions() const {
    bm::action_set<3> legal;
    for (int a = 0; a < 3 && a < stones; ++a) legal.set(a);
    return legal;
  }
  void play(int action) { stones -= action + 1; }
  std::optional<float> result() const { return stones ? std::nullopt : std::optional(bm::loss); }
  void encode(bm::plane_bits<input>& planes) const {
    for (int i = 0; i < stones; ++i) planes.set(0, 0, i);
  }
};

int main() {
  bm::self_play sp{nim{}, bm::puct{.simulations = 400}, bm::lockstep{.games = 64}, bm::uniform{}};
  sp.run({.episodes = 3, .seed = 7}, [](bm::sample<nim> const& s) {
    std::printf("game %d: %2d stones, takes %d (%.0f %% of the visits), outcome %+.0f\n", int(s.episode),
                s.position.stones, s.action + 1, 100 * s.policy[s.action], s.outcome);
  });
}
