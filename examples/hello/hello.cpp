#include <batchmate/batchmate.hpp>

#include <cstdio>
#include <optional>

namespace bm = batchmate;

struct nim {  // take 1, 2 or 3 stones; whoever takes the last one wins
  static constexpr int num_actions = 3;
  static constexpr bm::shape input{1, 1, 10};  // planes, rows, columns: what a network would see
  static constexpr int max_plies = 10;
  int stones = 10;

  bm::action_set<num_actions> legal_actions() const {
    bm::action_set<num_actions> legal;
    for (int a = 0; a < 3 && a < stones; ++a) legal.set(a);
    return legal;
  }
  void play(int action) { stones -= action + 1; }
  std::optional<float> result() const {  // for the player to move
    return stones == 0 ? std::optional(bm::loss) : std::nullopt;
  }
  void encode(bm::plane_bits<input>& planes) const {
    for (int i = 0; i < stones; ++i) planes.set(0, 0, i);
  }
};

int main() {
  bm::self_play sp{nim{}, bm::puct{.simulations = 400}, bm::lockstep{.games = 64}, bm::uniform{}};
  sp.run({.episodes = 3, .seed = 7}, [](bm::sample<nim> const& s) {
    std::printf("game %d: %2d stones, search says 1: %2.0f %%, 2: %2.0f %%, 3: %2.0f %%; takes %d and %s\n",
                int(s.episode), s.position.stones, 100 * s.policy[0], 100 * s.policy[1], 100 * s.policy[2],
                s.action + 1, s.outcome > 0 ? "wins" : "loses");
  });
}
