#include <batchmate/play/manifest.hpp>

#include <common/program.hpp>
#include <common/text.hpp>
#include <selfplay/ranks.hpp>

#include <cstdio>
#include <cstdlib>
#include <system_error>

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

/// Throws `common::usage_error` if a launcher says which process this is, but not of how many, or the other way round.
void refuse_half_a_rank() {
  for (launcher const& from : launchers) {
    std::string const rank = from.rank, ranks = from.ranks;
    bool const has_rank = number_of(from.rank).has_value(), has_ranks = number_of(from.ranks).has_value();
    // Slurm's batch scripts.
    if (has_rank && !has_ranks && rank != "SLURM_PROCID")
      throw common::usage_error(
          rank + ": is one of several processes, which would all play the same; give --ranks, or " + ranks +
          ", the number of them");
    if (has_ranks && !has_rank)
      throw common::usage_error(
          ranks + ": is the number of processes, which would all play the same; give --rank, or " + rank +
          ", which of them this is");
  }
}

}  // namespace

std::string rank_choice::folder() const {
  char name[32];
  std::snprintf(name, sizeof name, "rank-%05d", rank);
  return name;
}

void refuse_other_ranks(std::filesystem::path const& out, rank_choice const& now) {
  namespace fs = std::filesystem;
  auto const refuse = [](fs::path const& run, std::string const& of, int ranks) {
    throw batchmate::file_error((run / batchmate::manifest_name).string() + ": is of a run of " + of +
                                " processes, expected " + std::to_string(ranks) +
                                ": episodes would be played again; take another folder");
  };
  // What is not there yet, or is no folder, holds no ranks.
  std::error_code failed;
  fs::directory_iterator const entries(out, failed);
  if (failed && failed != std::errc::no_such_file_or_directory && failed != std::errc::not_a_directory)
    throw batchmate::file_error(out.string() + ": cannot list: " + failed.message());
  for (auto const& entry : entries) {
    auto const name = entry.path().filename().string();
    if (now.ranks > 1 && name == batchmate::manifest_name) refuse(out, "1", now.ranks);
    if (!name.starts_with("rank-") || (now.ranks > 1 && name == now.folder())) continue;
    auto const there = batchmate::load_manifest(entry.path());
    if (!there) continue;
    auto const ranks = there->find("ranks");
    auto const of = ranks == there->end() ? std::string("?") : batchmate::printable(ranks->second);
    if (of != std::to_string(now.ranks)) refuse(entry.path(), of, now.ranks);
  }
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
  if (!rank && !ranks && found.source.empty()) refuse_half_a_rank();
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
