#pragma once

#include <batchmate/play/statistics.hpp>

#include <selfplay/job.hpp>

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <string>

/// What is known of a run before it begins.
struct run_facts {
  std::string network, evaluator, note, search, batching;
  std::size_t planned_bytes = 0;  ///< all that the run will allocate
};

/// What is known of a run after it has ended.
struct run_result {
  run_facts facts;
  batchmate::statistics done;
  int shards = 0;  ///< files of rows written
};

/// `1,234,567`
std::string grouped(std::int64_t number);
/// `412 MiB`
std::string bytes_text(std::size_t bytes);
/// `3:07`, `1:02:03`
std::string duration_text(double seconds);

/// Prints what is about to happen.
void print_head(std::FILE* to, job const& wanted, run_facts const& facts);

/// Prints how far a run is: on a terminal one line that changes, else a line each time.
class progress_lines {
 public:
  progress_lines(std::FILE* to, job const& wanted);

  double seconds() const { return seconds_; }  ///< between lines; 0: none are wanted
  void operator()(batchmate::statistics const& now);
  /// Takes the changing line away.
  void clear();

 private:
  std::FILE* to_;
  std::int64_t episodes_;
  bool live_;
  double seconds_;
  batchmate::statistics before_;
};

/// Prints what a run did, for people.
void print_summary(std::FILE* to, job const& wanted, run_result const& result);

/// Throws `batchmate::file_error` if a summary could not be written to that place at all.
void check_summary_place(std::string const& place);
/// Writes what a run did as JSON, whole or not at all, or to standard output. Throws `batchmate::file_error`.
void write_summary(job const& wanted, run_result const& result);
