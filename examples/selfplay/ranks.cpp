#include <common/program.hpp>
#include <common/text.hpp>
#include <selfplay/ranks.hpp>

#include <cstdio>
#include <cstdlib>

namespace {

/// The number in an environment variable, if that is set. Throws `common::usage_error` if it holds none.
std::optional<int> number_of(char const* variable) {
  char const* const text = std::getenv(variable);
  if (text == nullptr) return std::nullopt;
  if (auto const number = common::number_in<int>(text)) return number;
  throw common::usage_error(std::string(variable) + ": expected a number, found '" + text +
                            "'; give --rank and --ranks");
}

/// Who starts several processes, and in which variables it tells each about them.
struct launcher {
  char const* name;
  char const* rank;
  char const* ranks;
};

// Slurm sets SLURM_PROCID in a batch script, too, which is one process; the step's variables are those of srun. Where
// an mpirun has used srun to get to its nodes, Slurm counts nodes, so it comes after MPI.
constexpr launcher launchers[] = {{"Open MPI", "OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE"},
                                  {"MPI", "PMI_RANK", "PMI_SIZE"},
                                  {"Slurm", "SLURM_PROCID", "SLURM_STEP_NUM_TASKS"},
                                  {"Kubernetes", "JOB_COMPLETION_INDEX", "JOB_COMPLETIONS"}};

}  // namespace

std::string rank_choice::folder() const {
  char name[32];
  std::snprintf(name, sizeof name, "rank-%05d", rank);
  return name;
}

rank_choice find_rank(std::optional<int> rank, std::optional<int> ranks) {
  rank_choice found;
  if (!rank)
    for (launcher const& from : launchers) {
      auto const its_rank = number_of(from.rank);
      auto const its_ranks = ranks ? ranks : number_of(from.ranks);
      if (!its_rank || !its_ranks) continue;
      found = {*its_rank, *its_ranks, from.name};
      break;
    }
  if (!rank && !ranks && found.source.empty() && number_of("JOB_COMPLETION_INDEX"))
    throw common::usage_error(
        "JOB_COMPLETION_INDEX: is one of several processes, which would all play the same; give --ranks, or "
        "JOB_COMPLETIONS, the number of them");
  if (rank && !ranks) throw common::usage_error("--rank: needs --ranks, the number of processes");
  if (ranks && !rank && found.source.empty()) {
    if (*ranks > 1)
      throw common::usage_error(
          "--ranks: needs --rank, as no launcher's environment says which process this is");
    rank = 0;
  }
  if (rank) found = {*rank, *ranks, "flags"};
  if (found.ranks < 1 || found.rank < 0 || found.rank >= found.ranks)
    throw common::usage_error("--rank: expected 0 to ranks - 1, found rank " + std::to_string(found.rank) +
                              " of " + std::to_string(found.ranks));
  if (found.ranks == 1) found.source.clear();
  return found;
}
