#include "groups.hpp"

#include <batchmate/core/error.hpp>

#if BATCHMATE_WITH_ONEDNN
#include <batchmate/cpu/library.hpp>
#endif

#include <charconv>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <string>
#include <string_view>
#include <vector>

namespace {

using batchmate::benchmarks::measuring;

/// Takes this program's own flags out of the arguments; Google Benchmark gets the others.
measuring take_flags(std::vector<char*>& arguments) {
  measuring wanted;
  std::erase_if(arguments, [&](char const* argument) {
    std::string_view text = argument;
    if (text == "--whole_games") return wanted.whole_games = true;
    if (!text.starts_with("--seconds=")) return false;
    text.remove_prefix(text.find('=') + 1);
    auto const [end, failed] = std::from_chars(text.data(), text.data() + text.size(), wanted.seconds);
    if (failed != std::errc{} || end != text.data() + text.size() || !(wanted.seconds > 0)) {
      std::cerr << "benchmarks: --seconds needs a positive number, got '" << text << "'\n";
      std::exit(2);
    }
    return true;
  });
  return wanted;
}

std::string processor_name() {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);)
    if (line.starts_with("model name")) return line.substr(line.find(':') + 2);
  return "unknown";
}

void describe_machine(measuring const& wanted) {
  benchmark::AddCustomContext("processor", processor_name());
#if BATCHMATE_WITH_ONEDNN
  using namespace batchmate::cpu;
  benchmark::AddCustomContext(
      "onednn", batchmate::concat(library_name(), " ", isa_name(), " ", has_bf16() ? "bf16" : "fp32"));
#else
  benchmark::AddCustomContext("onednn", "none");
#endif
  benchmark::AddCustomContext("compiler", __VERSION__);
  benchmark::AddCustomContext("seconds", batchmate::concat(wanted.seconds));
}

}  // namespace

int main(int argc, char** argv) {
  namespace ours = batchmate::benchmarks;
  std::vector<char*> arguments(argv, argv + argc);
  measuring const wanted = take_flags(arguments);
  int count = static_cast<int>(arguments.size());
  benchmark::Initialize(&count, arguments.data());
  if (benchmark::ReportUnrecognizedArguments(count, arguments.data())) return 2;
  describe_machine(wanted);
  ours::add_limits(wanted);
  ours::add_search_only(wanted);
  ours::add_encoding(wanted);
  ours::add_memory(wanted);
#if BATCHMATE_WITH_ONEDNN
  ours::add_evaluators(wanted);
  ours::add_self_play_share(wanted);
  ours::add_ladder(wanted);
  ours::add_sweep(wanted);
  ours::add_whole_games(wanted);
#endif
  ours::add_modelled_ladder(wanted);
  ours::add_modelled_sweep(wanted);
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
  return ours::failures > 0 ? 1 : 0;
}
