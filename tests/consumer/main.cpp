// A user's program: a game of their own, evaluated.
#include <batchmate/eval/uniform.hpp>
#include <batchmate/game/concepts.hpp>

#include <optional>

namespace bm = batchmate;

struct nim {
  static constexpr int num_actions = 3;
  static constexpr bm::shape input{1, 2, 5};
  static constexpr int max_plies = 10;
  int stones = 10;

  bm::action_set<num_actions> legal_actions() const {
    bm::action_set<num_actions> legal;
    for (int a = 0; a < 3 && a < stones; ++a) legal.set(a);
    return legal;
  }
  void play(int action) { stones -= action + 1; }
  std::optional<float> result() const { return stones ? std::nullopt : std::optional(bm::loss); }
  void encode(bm::plane_bits<input>& planes) const {
    for (int s = 0; s < stones; ++s) planes.set(0, s / 5, s % 5);
  }
};
static_assert(bm::require_game<nim>());

int main() {
  nim const position{2};
  bm::row<nim> row{};
  row.legal = position.legal_actions();
  row.encode(position);
  float value = -1, priors[nim::num_actions] = {};
  bm::uniform{}.submit(0, bm::batch<nim>{1, &position, &row, &value, priors});
  return value == 0 && priors[0] == 0.5f && priors[1] == 0.5f ? 0 : 1;
}
