// The cuDNN evaluator on a GPU, alone and under self-play: one command, under eight minutes, a table at the end.
#include "gemm.hpp"
#include "groups.hpp"

#include <common/cudnn.hpp>
#include <common/processors.hpp>

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <exception>
#include <string>
#include <string_view>
#include <vector>

namespace {

using batchmate::benchmarks::gpu_run;

/// The usual output, and all of it again as a table.
class table_at_the_end : public benchmark::ConsoleReporter {
 public:
  table_at_the_end() : ConsoleReporter(OO_None) {}
  void ReportRuns(std::vector<Run> const& runs) override {
    ConsoleReporter::ReportRuns(runs);
    all_.insert(all_.end(), runs.begin(), runs.end());
  }
  void Finalize() override {
    ConsoleReporter::Finalize();
    char const* const columns[] = {"boards/s",    "batch",   "fill",         "TFLOP/s",
                                   "gemm_share",  "ratio",   "device_share", "transfer_share",
                                   "boards/game", "games/s", "device_MiB"};
    std::printf("\n%-52s", "benchmark");
    for (char const* column : columns) std::printf("%15s", column);
    for (Run const& run : all_) {
      std::printf("\n%-52s", run.run_name.function_name.c_str());
      for (char const* column : columns) {
        auto const found = run.counters.find(column);
        if (found == run.counters.end())
          std::printf("%15s", "-");
        else
          std::printf("%15.4g", static_cast<double>(found->second));
      }
    }
    std::printf("\n");
    for (Run const& run : all_) print_whole_job(run);
  }

 private:
  /// How long 500,000 games take at the rate of the reference job.
  static void print_whole_job(Run const& run) {
    std::string const& name = run.run_name.function_name;
    if (!name.starts_with("reference_job") || run.counters.empty()) return;
    auto const found = run.counters.find("minutes_for_500000_games");
    if (found == run.counters.end())
      std::printf("%s: too few games were finished to say how long 500,000 take; more --steady_seconds\n",
                  name.c_str());
    else
      std::printf("%s: 500,000 games in %.1f minutes\n", name.c_str(), static_cast<double>(found->second));
  }

  std::vector<Run> all_;
};

/// Takes `--NAME=NUMBER` if that is what the argument is; exits with status 2 for what is no positive number.
bool take(std::string_view argument, std::string_view name, double& to) {
  if (!argument.starts_with(name)) return false;
  argument.remove_prefix(name.size());
  auto const [end, failed] = std::from_chars(argument.data(), argument.data() + argument.size(), to);
  if (failed == std::errc{} && end == argument.data() + argument.size() && to > 0) return true;
  std::fprintf(stderr, "benchmarks_cuda: %.*s needs a positive number\n", static_cast<int>(name.size()),
               name.data());
  std::exit(2);
}

gpu_run take_flags(std::vector<char*>& arguments) {
  gpu_run run;
  double threads = common::processors();
  std::erase_if(arguments, [&](char const* argument) {
    std::string_view const text = argument;
    if (text.starts_with("--plan=")) {
      run.plan = text.substr(7);
      return true;
    }
    return take(text, "--seconds=", run.seconds) || take(text, "--steady_seconds=", run.steady_seconds) ||
           take(text, "--threads=", threads);
  });
  run.threads = static_cast<int>(threads);
  return run;
}

int run_all(int argc, char** argv) {
  namespace ours = batchmate::benchmarks;
  std::vector<char*> arguments(argv, argv + argc);
  gpu_run run = take_flags(arguments);
  int count = static_cast<int>(arguments.size());
  benchmark::Initialize(&count, arguments.data());
  if (benchmark::ReportUnrecognizedArguments(count, arguments.data())) return 2;
  if (std::string const why_not = common::why_no_cudnn(); !why_not.empty()) {
    std::printf("skipped: %s\n", why_not.c_str());
    return 77;
  }
  run.gemm_teraflops = ours::gemm_teraflops();
  benchmark::AddCustomContext("gemm_teraflops", std::to_string(run.gemm_teraflops));
  benchmark::AddCustomContext("threads", std::to_string(run.threads));
  ours::add_device_alone(run);
  ours::add_device_ladder(run);
  ours::add_device_sweep(run);
  ours::add_reference_job(run);
  table_at_the_end table;
  benchmark::RunSpecifiedBenchmarks(&table);
  benchmark::Shutdown();
  return ours::failures > 0 ? 1 : 0;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return run_all(argc, argv);
  } catch (std::exception const& e) {
    std::fprintf(stderr, "benchmarks_cuda: %s\n", e.what());
    return 1;
  }
}
