#pragma once

#include <selfplay/report.hpp>

#include <cstdint>
#include <filesystem>
#include <string>

/// Writes how a run is going for machines: a line of JSON each time, and a file for Prometheus' node exporter, which is
/// replaced each time. What cannot be written is told once, and the run goes on.
class metrics_files {
 public:
  /// Either file may be empty: nothing is written there then.
  metrics_files(std::filesystem::path json_lines, std::filesystem::path prometheus, std::string game,
                int rank);

  bool wanted() const { return !json_lines_.empty() || !prometheus_.empty(); }
  void operator()(run_news const& now);

 private:
  std::filesystem::path json_lines_, prometheus_;
  std::string game_;
  int rank_;
  double seconds_before_ = 0;  // at the report before
  std::uint64_t boards_before_ = 0;
  bool complained_ = false;
};
