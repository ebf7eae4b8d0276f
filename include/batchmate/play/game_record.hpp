#pragma once

#include <batchmate/core/error.hpp>
#include <batchmate/net/atomic_file.hpp>
#include <batchmate/play/episode.hpp>

#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstdio>
#include <filesystem>
#include <string>
#include <string_view>
#include <utility>

namespace batchmate {

/// An episode as one line for people: its number, the result for the first player (`1-0`, `0-1` or
/// `1/2-1/2`), then the moves: `17 1-0 d4 e5 c6`.
template <game_with_text G>
std::string game_line(episode<G> const& played) {
  float const last = played.final_position.result().value_or(draw);
  float const first = played.samples.size() % 2 == 0 ? last : -last;
  std::string line = std::to_string(played.number) + (first > 0 ? " 1-0" : first < 0 ? " 0-1" : " 1/2-1/2");
  for (sample<G> const& s : played.samples) line += ' ' + G::action_text(s.action);
  return line;
}

/// A sink that writes every episode as one line of a text file, which can be read while it grows: a line is
/// there whole or not at all.
template <game_with_text G>
class game_record {
 public:
  /// Creates the file, or empties it. Throws `file_error`.
  explicit game_record(std::filesystem::path path)
      : path_(std::move(path)), file_(std::fopen(path_.c_str(), "wbe")) {
    if (!file_) throw_file_error(path_, "create");
    write("# " + G::name() + ": number, result for the first player, moves\n");
  }

  /// Adds a finished episode. Throws `file_error`; the file then ends with the line before.
  void operator()(episode<G> const& played) { write(game_line(played) + '\n'); }

  /// Makes what has been written durable. Throws `file_error`.
  void finish() {
    if (::fsync(::fileno(file_.get())) != 0 && errno != EINVAL) throw_file_error(path_, "sync");
  }

 private:
  /// Past the stream's buffer, so that nothing of a line that failed is left to be written later.
  void write(std::string_view line) {
    int const file = ::fileno(file_.get());
    for (std::size_t done = 0; done < line.size();) {
      ::ssize_t const now = ::write(file, line.data() + done, line.size() - done);
      if (now > 0) done += static_cast<std::size_t>(now);
      if (now >= 0 || errno == EINTR) continue;
      int const reason = errno;
      if (::ftruncate(file, size_) == 0) ::lseek(file, size_, SEEK_SET);
      errno = reason;
      throw_file_error(path_, "write");
    }
    size_ += static_cast<::off_t>(line.size());
  }

  std::filesystem::path path_;
  file_handle file_;
  ::off_t size_ = 0;  // of all whole lines
};

}  // namespace batchmate
