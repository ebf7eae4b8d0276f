#include "hex13_job.hpp"

#include <utility>

namespace batchmate::benchmarks {

measured play_hex13(any_search const& search, any_policy const& policy, any_evaluator<hex13> evaluator,
                    int threads, run_length const& length) {
  return std::visit([&](auto const& s,
                        auto const& p) { return play(hex13{}, s, p, std::move(evaluator), threads, length); },
                    search, policy);
}

}  // namespace batchmate::benchmarks
