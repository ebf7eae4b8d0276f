#pragma once

#include <common/program.hpp>

#include <CLI/CLI.hpp>

#include <optional>
#include <string>

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

}  // namespace common
