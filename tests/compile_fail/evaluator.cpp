// A type that is no evaluator is told so in one sentence, the first error.
//
// BAD NO_SUBMIT: batchmate::evaluator: needs 'void submit(int slot, batchmate::batch<Game> const& batch)'
// BAD NO_WAIT: batchmate::evaluator: needs 'void wait(int slot)'
// BAD NO_IDENTITY: batchmate::evaluator: needs 'std::string identity() const'
#include <batchmate/eval/concepts.hpp>

#include <optional>
#include <string>

namespace bm = batchmate;

struct one_move {
  static constexpr int num_actions = 1;
  static constexpr bm::shape input{1, 1, 1};
  static constexpr int max_plies = 1;
  bool over = false;

  bm::action_set<1> legal_actions() const { return bm::action_set<1>::all(); }
  void play(int) { over = true; }
  std::optional<float> result() const { return over ? std::optional(bm::loss) : std::nullopt; }
  void encode(bm::plane_bits<input>&) const {}
};

struct always_draw {
#ifndef NO_SUBMIT
  void submit(int, bm::batch<one_move> const& rows) {
    for (int b = 0; b < rows.count; ++b) rows.values[b] = 0, *rows.priors_of(b) = 1;
  }
#endif
#ifndef NO_WAIT
  void wait(int) {}
#endif
#ifndef NO_IDENTITY
  std::string identity() const { return "always a draw"; }
#endif
};

static_assert(bm::require_evaluator<always_draw, one_move>());
