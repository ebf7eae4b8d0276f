// symmetries: prints the boards and symmetries of shipped games, a line of JSON each, for test_games.py, which compares
// them with what the trainer knows.

#include <batchmate/game/breakthrough.hpp>
#include <batchmate/game/connect4.hpp>
#include <batchmate/game/go.hpp>
#include <batchmate/game/hex.hpp>
#include <batchmate/game/mnk.hpp>
#include <batchmate/game/othello.hpp>
#include <batchmate/game/tictactoe.hpp>

#include <cstdio>

namespace {

namespace bm = batchmate;

/// `"name": [[target(0, 0), ...], ...]`, a list for each symmetry.
template <class Target>
void print_table(char const* name, int symmetries, int count, Target target) {
  std::printf(", \"%s\": [", name);
  for (int s = 0; s < symmetries; ++s) {
    for (int i = 0; i < count; ++i) std::printf("%s%d", i > 0 ? ", " : s > 0 ? "], [" : "[", target(s, i));
  }
  std::printf("]]");
}

template <bm::game_with_symmetries... Games>
void print() {
  auto const print_one = []<class G>(G const&) {
    constexpr bm::shape input = G::input;
    std::printf("{\"game\": \"%s\", \"sizes\": [%d, %d, %d, %d, %d]", G::name().c_str(), input.planes,
                input.rows, input.columns, bm::num_globals<G>, G::num_actions);
    print_table("cells", G::num_symmetries, input.rows * input.columns, G::symmetric_cell);
    print_table("actions", G::num_symmetries, G::num_actions, G::symmetric_action);
    std::printf("}\n");
  };
  (print_one(Games{}), ...);
}

}  // namespace

int main() {
  print<bm::tictactoe, bm::connect4, bm::hex7, bm::hex13, bm::hex<7, true>, bm::othello, bm::gomoku,
        bm::mnk<3, 4, 3>, bm::breakthrough8, bm::breakthrough<5, 4>, bm::go9, bm::go<5>, bm::go19>();
}
