#pragma once

#include <batchmate/net/atomic_file.hpp>

#include <unistd.h>

#include <array>
#include <cstdio>
#include <filesystem>
#include <span>
#include <string>
#include <system_error>

namespace common {

/// Writes all that was printed. Throws `batchmate::file_error` if nobody takes it, or did not take what came before.
inline void finish_output() {
  if (std::fflush(stdout) != 0 || std::ferror(stdout) != 0)
    batchmate::throw_file_error("standard output", "write");
}

/// Throws `batchmate::file_error` if a summary could not be written to that place at all.
inline void check_summary_place(std::string const& place) {
  if (place.empty() || place == "-") return;
  auto const folder = std::filesystem::absolute(place).parent_path();
  if (access(folder.c_str(), W_OK | X_OK) != 0) batchmate::throw_file_error(place, "write");
  std::error_code failed;
  if (std::filesystem::exists(place, failed) && !std::filesystem::is_regular_file(place, failed))
    throw batchmate::file_error(place + ": cannot be replaced, as it is no regular file");
}

/// Writes a summary to a file, whole or not at all, to standard output if the place is `-`, and nowhere if it is empty.
/// Throws `batchmate::file_error`.
inline void write_summary(std::string const& place, std::string const& text) {
  if (place == "-") {
    std::fputs(text.c_str(), stdout);
    finish_output();
  } else if (!place.empty()) {
    std::array const parts{std::as_bytes(std::span(text))};
    batchmate::write_file_atomically(place, parts);
  }
}

}  // namespace common
