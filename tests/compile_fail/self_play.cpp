// What self_play is given wrongly is named in one sentence, the first error.
//
// BAD BAD_GAME: batchmate::game: needs 'void play(int action)'
// BAD BAD_SEARCH: batchmate::search: needs a nested 'template <batchmate::game Game> class tree'
// BAD BAD_POLICY: batchmate::batching: needs 'batchmate::batch_plan plan(int threads) const'
// BAD BAD_EVALUATOR: batchmate::evaluator: needs 'void wait(int slot)'
// BAD BAD_SINK: batchmate::self_play: the sink must take 'episode<Game> const&' or 'sample<Game> const&'
#include <batchmate/batchmate.hpp>

#include <optional>
#include <string>

namespace bm = batchmate;

struct one_move {
  static constexpr int num_actions = 1;
  static constexpr bm::shape input{1, 1, 1};
  static constexpr int max_plies = 1;
  bool over = false;

  bm::action_set<1> legal_actions() const { return bm::action_set<1>::all(); }
#ifndef BAD_GAME
  void play(int) { over = true; }
#endif
  std::optional<float> result() const { return over ? std::optional(bm::loss) : std::nullopt; }
  void encode(bm::plane_bits<input>&) const {}
};

struct no_search {};
struct no_policy {};
struct no_evaluator {
  template <class G>
  void submit(int, bm::batch<G> const&) {}
  std::string identity() const { return "no evaluator"; }
};

#ifdef BAD_SEARCH
no_search const search;
#else
bm::puct const search;
#endif
#ifdef BAD_POLICY
no_policy const policy;
#else
bm::lockstep const policy;
#endif
#ifdef BAD_EVALUATOR
no_evaluator const evaluator;
#else
bm::uniform const evaluator;
#endif

int main() {
  bm::self_play play{one_move{}, search, policy, evaluator};
#ifdef BAD_SINK
  play.run({}, [](int*) {});
#else
  play.run({}, [](bm::episode<one_move> const&) {});
#endif
}
