// A type that is no batching policy is told so in one sentence, the first error.
//
// BAD NO_PLAN: batchmate::batching: needs 'batchmate::batch_plan plan(int threads) const'
// BAD NO_IDENTITY: batchmate::batching: must be copyable and needs 'std::string identity() const'
// BAD NOT_COPYABLE: batchmate::batching: must be copyable and needs 'std::string identity() const'
#include <batchmate/batch/concepts.hpp>

#include <memory>
#include <string>

namespace bm = batchmate;

struct one_game {
#ifndef NO_PLAN
  bm::batch_plan plan(int) const { return {}; }
#endif
#ifndef NO_IDENTITY
  std::string identity() const { return "one game"; }
#endif
#ifdef NOT_COPYABLE
  std::unique_ptr<int> own;
#endif
};

static_assert(bm::require_batching<one_game>());
