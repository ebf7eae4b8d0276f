#pragma once

#include <batchmate/batch/immediate.hpp>
#include <batchmate/batch/lockstep.hpp>
#include <batchmate/batch/overlapped.hpp>
#include <batchmate/batch/per_tree.hpp>
#include <batchmate/batch/shared_queue.hpp>
#include <batchmate/eval/any_evaluator.hpp>

#include <batchmate/play/manifest.hpp>

#include <common/evaluators.hpp>
#include <common/searches.hpp>
#include <selfplay/ranks.hpp>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <utility>
#include <variant>

/// Any batching policy, chosen at run time.
struct batching_choice {
  using policies = std::variant<batchmate::immediate, batchmate::per_tree, batchmate::lockstep,
                                batchmate::overlapped, batchmate::shared_queue>;
  policies policy = batchmate::lockstep{};

  batchmate::batch_plan plan(int threads) const {
    return std::visit([&](auto const& p) { return p.plan(threads); }, policy);
  }
  std::string identity() const {
    return std::visit([](auto const& p) { return p.identity(); }, policy);
  }
  /// The evaluator that workers use, type-erased again.
  template <batchmate::game G>
  batchmate::any_evaluator<G> connect(batchmate::any_evaluator<G> evaluator) const {
    return std::visit(
        [&](auto const& p) {
          return batchmate::any_evaluator<G>(batchmate::connect<G>(p, std::move(evaluator)));
        },
        policy);
  }
};

/// What a file holds, in a few letters. Throws `batchmate::file_error`.
std::string file_fingerprint(std::filesystem::path const& file);

/// Everything that the flags say.
struct job {
  std::string game = "connect4";  ///< a name in `common::game_names()`
  common::evaluator_choice evaluator;
  common::search_choice search;

  std::string batching = "auto";  ///< or the name of a policy
  std::optional<int> games;       ///< in flight; else the policy's own number
  std::optional<int> max_batch;   ///< rows; else the policy's own number
  std::optional<int> groups;      ///< of overlapped and shared-queue; else 2, on D devices 2 D + 1
  int processors = 0;             ///< of shared-queue; 0: as many as threads
  int deadline_us = 500;          ///< of shared-queue

  std::int64_t episodes = 100;  ///< of all ranks together; 0: until a stop is requested
  std::uint64_t seed = 1;
  int threads = 1;
  std::size_t memory_limit = 0;  ///< bytes; 0: none

  int random_plies = 0;            ///< at most, at the start of every game
  std::filesystem::path openings;  ///< file of positions that games begin at; empty: the usual start
  float play_through = 0.1f;       ///< share of the games in which nobody is let resign
  rank_choice rank;                ///< of the processes that share the run

  std::filesystem::path out;         ///< folder; empty: nothing is written
  bool overwrite = false;            ///< remove the data of an earlier run from it
  bool resume = false;               ///< go on with the run that is in it, if there is one
  int shard_rows = 65536;            ///< at most
  double sync_seconds = 1;           ///< between syncs of the journal
  std::uint64_t keep_bytes = 0;      ///< of shards; 0: all
  bool wait_for_disk = false;        ///< when it is full
  bool switch_at_move = false;       ///< begun games go on with a newer network, too
  double poll_seconds = 2;           ///< between looks for a newer network, if --network is a folder
  std::string summary;               ///< file, `-` for standard output, or empty
  std::optional<double> progress;    ///< seconds between lines; 0: none
  std::filesystem::path metrics;     ///< file for lines of JSON, or empty
  std::filesystem::path prometheus;  ///< file for Prometheus, or empty
  double metrics_seconds = 10;       ///< between reports
  double stall_seconds = 60;         ///< without a batch until that is reported; 0: never

  /// This process's folder.
  std::filesystem::path folder() const { return rank.ranks > 1 ? out / rank.folder() : out; }
  /// All that decides the games and the files of a run.
  batchmate::run_settings identity(std::string const& search_identity,
                                   std::string const& evaluated_by) const {
    return {{"game", game},
            {"search", search_identity},
            {"evaluator", evaluated_by},
            {"seed", std::to_string(seed)},
            {"rank", std::to_string(rank.rank)},
            {"ranks", std::to_string(rank.ranks)},
            {"shard_rows", std::to_string(shard_rows)},
            {"random_plies", std::to_string(random_plies)},
            {"openings", openings.empty() ? "" : file_fingerprint(openings)},
            {"play_through", batchmate::concat(play_through)},
            {"switch_at_move", switch_at_move ? "yes" : "no"}};
  }
};

/// The batching policy of a job; `shared` says that the evaluator is a device which all threads share.
batching_choice batching_of(job const& wanted, bool shared);

/// Reads the flags. The exit status instead if the program is to end now; throws `common::usage_error`.
std::variant<job, int> parse_flags(int argc, char** argv);
