#pragma once

#include <batchmate/play/run_folder.hpp>
#include <batchmate/play/statistics.hpp>

#include <selfplay/job.hpp>

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <string>
#include <vector>

/// What is known of a run before it begins.
struct run_facts {
  std::string network, evaluator, note, search, batching;
  std::size_t planned_bytes = 0;  ///< all that games, batches and shards can need
  std::size_t held_bytes = 0;     ///< beside that: the program and its networks
};

/// How a run is going.
struct run_news {
  batchmate::statistics done;         ///< by this process
  batchmate::run_folder_totals kept;  ///< all that is finished, also by earlier processes of the run
  int network = 0;                    ///< its number, of those that have played
  std::string evaluator{};            ///< its identity
  int stalls = 0;                     ///< times that no batch was evaluated for long
  int refused = 0;                    ///< networks that could not be used
  std::size_t resident_bytes = 0;     ///< memory that the process holds now
  double unix_seconds = 0;            ///< when this was
};

/// What is known of a run after it has ended.
struct run_result {
  run_facts facts;
  run_news news;
  std::int64_t resumed = 0;  ///< episodes that earlier processes had finished
};

/// `1,234,567`
std::string grouped(std::int64_t number);
/// `412 MiB`
std::string bytes_text(std::size_t bytes);
/// `3:07`, `1:02:03`
std::string duration_text(double seconds);

/// The sum of what several runs have done, which took so many seconds together.
batchmate::statistics combined(std::vector<batchmate::statistics> const& runs, double seconds);
/// What the process holds in memory now.
std::size_t resident_bytes();

/// Prints what is about to happen.
void print_head(std::FILE* to, job const& wanted, run_facts const& facts);
/// Prints what of the run is there already, if anything is.
void print_resumed(std::FILE* to, std::int64_t episodes, std::size_t lost_bytes);
/// Says which shards of an earlier process are missing, of which there is one at least.
std::string missing_text(std::filesystem::path const& folder, std::vector<int> const& shards);
/// Prints a line between the lines of progress.
void note(std::FILE* to, std::string const& text);
/// Prints on standard error what every worker waits for.
void print_stall(double seconds, std::vector<batchmate::activity> const& workers);

/// Prints how far a run is: on a terminal one line that changes, else a line each time.
class progress_lines {
 public:
  progress_lines(std::FILE* to, job const& wanted);

  double seconds() const { return seconds_; }  ///< between lines; 0: none are wanted
  void operator()(run_news const& now);
  /// Takes the changing line away.
  void clear();

 private:
  double seconds_left(run_news const& now) const;

  std::FILE* to_;
  std::int64_t episodes_;
  bool live_;
  double seconds_;
  run_news before_;
};

/// Prints what a run did, for people.
void print_summary(std::FILE* to, job const& wanted, run_result const& result);

/// Writes what a run did as JSON, whole or not at all, or to standard output. Throws `batchmate::file_error`.
void write_summary(job const& wanted, run_result const& result);
