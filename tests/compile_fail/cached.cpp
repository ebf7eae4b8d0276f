// An evaluator that does not read planes cannot be cached, and says so in one sentence, the first error.
//
// BAD UNIFORM: batchmate::cached: an evaluator that does not read planes cannot be cached
// BAD ROLLOUT: batchmate::cached: an evaluator that does not read planes cannot be cached
#include <batchmate/eval/cached.hpp>
#include <batchmate/eval/reference.hpp>
#include <batchmate/eval/rollout.hpp>
#include <batchmate/eval/uniform.hpp>

namespace bm = batchmate;

#if defined(UNIFORM)
using inner = bm::uniform;
#elif defined(ROLLOUT)
using inner = bm::rollout;
#else
using inner = bm::reference;
#endif

static_assert(sizeof(bm::cached<inner>) > 0);
