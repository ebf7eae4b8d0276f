#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

/// Which of several processes that share a run this one is: rank r of n plays episodes r, r + n, r + 2 n, ...
struct rank_choice {
  int rank = 0;
  int ranks = 1;
  std::string source{};  ///< who said so, for people: empty if nobody

  /// This rank's share of a run's episodes.
  std::int64_t share_of(std::int64_t episodes) const { return episodes / ranks + (rank < episodes % ranks); }
  /// The rank's folder within the run's: `rank-00002`.
  std::string folder() const;
};

/// Throws `batchmate::file_error` if a folder for all ranks holds a run of another number of processes.
void refuse_other_ranks(std::filesystem::path const& out, rank_choice const& now);

/// What the flags say; what they leave open, the environment of Slurm's job steps, Open MPI, MPICH and Kubernetes'
/// indexed jobs. Throws `common::usage_error` for what cannot be.
rank_choice find_rank(std::optional<int> rank, std::optional<int> ranks);
