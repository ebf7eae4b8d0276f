#pragma once

/// Everything that needs no other library: games, searches, batching policies, host evaluators, network files, the driver and
/// its output.

#include <batchmate/batch/immediate.hpp>
#include <batchmate/batch/lockstep.hpp>
#include <batchmate/batch/overlapped.hpp>
#include <batchmate/batch/per_tree.hpp>
#include <batchmate/batch/shared_queue.hpp>
#include <batchmate/eval/any_evaluator.hpp>
#include <batchmate/eval/cached.hpp>
#include <batchmate/eval/conformance.hpp>
#include <batchmate/eval/reference.hpp>
#include <batchmate/eval/rollout.hpp>
#include <batchmate/eval/symmetric.hpp>
#include <batchmate/eval/uniform.hpp>
#include <batchmate/game/breakthrough.hpp>
#include <batchmate/game/conformance.hpp>
#include <batchmate/game/connect4.hpp>
#include <batchmate/game/go.hpp>
#include <batchmate/game/hex.hpp>
#include <batchmate/game/mnk.hpp>
#include <batchmate/game/othello.hpp>
#include <batchmate/game/tictactoe.hpp>
#include <batchmate/net/network_file.hpp>
#include <batchmate/net/random_network.hpp>
#include <batchmate/play/run_folder.hpp>
#include <batchmate/play/self_play.hpp>
#include <batchmate/search/any_search.hpp>
#include <batchmate/search/conformance.hpp>
#include <batchmate/search/gumbel.hpp>
#include <batchmate/search/puct.hpp>
#include <batchmate/search/puct_graph.hpp>
#include <batchmate/search/top_k.hpp>
