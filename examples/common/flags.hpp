#pragma once

#include <common/evaluators.hpp>
#include <common/program.hpp>
#include <common/text.hpp>

#include <batchmate/core/error.hpp>

#include <CLI/CLI.hpp>

#include <limits>
#include <optional>
#include <string>
#include <type_traits>
#include <vector>

namespace common {

/// Parses the command line. The exit status if the program is to end now: 0 after `--help` and `--version`, which every
/// program has, 2 for bad flags.
inline std::optional<int> parse(CLI::App& app, int argc, char** argv) {
  app.set_version_flag("--version", app.get_name() + ' ' + version, "Show the version and exit");
  try {
    app.parse(argc, argv);
  } catch (CLI::ParseError const& e) {
    if (e.get_exit_code() == 0) return app.exit(e);
    complain(app.get_name(), std::string(e.what()) + " (see --help)");
    return 2;
  }
  return std::nullopt;
}

/// For `transform`: a range that `--help` does not spell out. Whole numbers are decimal, which they are not for CLI11: it
/// takes 010 for 8, and -1 for 2^64 - 1.
template <class T>
CLI::Validator within(T low, T high) {
  return CLI::Validator(
      [low, high](std::string& text) {
        std::optional<T> const value = number_in<T>(text);
        if (!value || !(*value >= low && *value <= high))
          return batchmate::concat("Value ", text, " not in range ", low, " to ", high);
        if constexpr (std::is_integral_v<T>) text = std::to_string(*value);
        return std::string();
      },
      "");
}

/// For `transform`: any number of a type.
template <class T>
CLI::Validator any_number() {
  return within(std::numeric_limits<T>::lowest(), std::numeric_limits<T>::max());
}

/// Adds the flags of an evaluator; `more` is what else `--network` may be, for people.
inline void add_evaluator_flags(CLI::App& app, evaluator_choice& to, std::string const& more = "") {
  std::string const group = "Network";
  app.add_option("--network", to.network,
                 "A file, 'shipped' (connect4, hex7), random:BLOCKSxCHANNELS:SEED" + more)
      ->capture_default_str()
      ->group(group);
  app.add_option("--evaluator", to.kind,
                 std::string(evaluator_names) +
                     ": auto takes the fastest of this build; uniform and rollout need no network")
      ->check(evaluator_fault)
      ->capture_default_str()
      ->group(group);
  app.add_option("--precision", to.precision,
                 "Of the network's tower: auto takes what is fast; fp16 is for cudnn")
      ->check(CLI::IsMember(precision_names()))
      ->capture_default_str()
      ->group(group);
  app.add_option("--plan", to.plan, "cudnn: a file that `tune` wrote; default: the pinned plan")
      ->check(CLI::ExistingFile)
      ->group(group);
  app.add_option("--devices", to.devices,
                 "cudnn: CUDA's numbers of the GPUs that share the batches, say 0,1; default: the first")
      ->delimiter(',')
      ->transform(within(0, 1023))
      ->group(group);
  app.add_option(
         "--fixed-rows", to.fixed_rows,
         "cudnn: run every batch as repeats of so many rows, where answers depend on the batch size; 0: no")
      ->transform(within(0, 8192))
      ->capture_default_str()
      ->group(group);
  app.add_option(
         "--symmetry", to.symmetry,
         "How the network sees a position: as it is; under one symmetry of the board, always the same "
         "for the same position; or under all, for the average")
      ->check(CLI::IsMember(symmetry_names()))
      ->capture_default_str()
      ->group(group);
  app.add_option("--cache", to.cache,
                 "Answers that each thread remembers, or a device; 0: none. Never changes games")
      ->transform(within(0, 1 << 28))
      ->capture_default_str()
      ->group(group);
}

/// Says on standard error which flags have no effect, as they may be a mistake.
inline void note_unused(CLI::App const& app, std::string const& why, std::vector<char const*> const& flags) {
  for (char const* flag : flags)
    if (app.count(flag) > 0)
      complain(app.get_name(), std::string("note: ") + flag + " has no effect with " + why);
}

/// The same for flags of a network that no evaluator looks at.
inline void note_unused(CLI::App const& app, evaluator_choice const& choice) {
  if (!needs_network(choice.kind))
    note_unused(app, "--evaluator " + choice.kind,
                {"--network", "--precision", "--plan", "--devices", "--fixed-rows"});
}

}  // namespace common
