#pragma once

#include "measure.hpp"

namespace batchmate::benchmarks {

// Every group of benchmarks is registered by one function, in the order of the report.

void add_limits(measuring const&);           ///< `limits/`: what the processor can do at best
void add_search_only(measuring const&);      ///< `search_only/`, `search_games/`: with the free evaluator
void add_encoding(measuring const&);         ///< `encoding/`: packing positions
void add_memory(measuring const&);           ///< `memory/`: thousands of games
void add_evaluators(measuring const&);       ///< `evaluator/`: oneDNN alone, beside a plain chain
void add_self_play_share(measuring const&);  ///< `self_play_share/`: self-play beside its evaluator alone
void add_ladder(measuring const&);           ///< `ladder/`: batching policies on oneDNN
void add_sweep(measuring const&);            ///< `sweep/`: batch sizes on oneDNN
void add_whole_games(measuring const&);      ///< `whole_games/`: a fixed number of games to their end
void add_modelled_ladder(measuring const&);  ///< `modelled_ladder/`: batching policies on `modelled_device`
void add_modelled_sweep(measuring const&);   ///< `modelled_sweep/`: batch sizes on `modelled_device`

}  // namespace batchmate::benchmarks
