#pragma once

#include <batchmate/core/error.hpp>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstring>
#include <filesystem>
#include <span>
#include <utility>

namespace batchmate {

/// Throws `file_error`: what could not be done with which file, and the reason that `errno` gives;
/// `disk_full_error` if that is a full disk.
[[noreturn]] inline void throw_file_error(std::filesystem::path const& path, char const* what) {
  int const reason = errno;
  auto const text = concat(path.string(), ": cannot ", what, ": ", std::strerror(reason));
  if (reason == ENOSPC || reason == EDQUOT) throw disk_full_error(text);
  throw file_error(text);
}

/// A file that is written by system calls and without a buffer: what has been written stays in it whatever
/// becomes of the process. It closes itself.
class output_file {
 public:
  output_file() = default;
  /// Opens `path` for writing, made if it is not there; `flags` as for `open(2)`, say O_TRUNC or O_APPEND.
  /// Throws `file_error`.
  explicit output_file(std::filesystem::path path, int flags)
      : path_(std::move(path)), file_(::open(path_.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC | flags, 0666)) {
    if (file_ < 0) throw_file_error(path_, "create");
  }
  output_file(output_file&& other) noexcept
      : path_(std::move(other.path_)), file_(std::exchange(other.file_, -1)) {}
  output_file& operator=(output_file&& other) noexcept {
    std::swap(path_, other.path_);
    std::swap(file_, other.file_);
    return *this;
  }
  ~output_file() {
    if (file_ >= 0) ::close(file_);
  }

  std::filesystem::path const& path() const { return path_; }  ///< as it was given
  int descriptor() const { return file_; }                     ///< of the open file

  /// Appends all bytes at the file's place. Throws `file_error`; some of them may have been written then.
  void write(std::span<std::byte const> bytes) {
    while (!bytes.empty()) {
      ::ssize_t const now = ::write(file_, bytes.data(), bytes.size());
      if (now > 0) bytes = bytes.subspan(static_cast<std::size_t>(now));
      if (now < 0 && errno != EINTR) throw_file_error(path_, "write");
    }
  }

  /// Cuts the file to so many bytes and goes on there. Throws `file_error`.
  void truncate(std::size_t size) {
    auto const end = static_cast<::off_t>(size);
    if (::ftruncate(file_, end) != 0 || ::lseek(file_, end, SEEK_SET) < 0)
      throw_file_error(path_, "truncate");
  }

  /// Returns when all that was written is on the disk. Throws `file_error`; what was written may be lost then,
  /// and trying again does not bring it back.
  void sync() {
    if (::fsync(file_) != 0 && errno != EINVAL) throw_file_error(path_, "sync");  // EINVAL: not a disk's file
  }

  /// The file still lies at its path: nobody has removed, moved or replaced it.
  bool is_in_place() const {
    using status = struct ::stat;
    status mine{}, there{};
    return ::fstat(file_, &mine) == 0 && ::stat(path_.c_str(), &there) == 0 && mine.st_ino == there.st_ino &&
           mine.st_dev == there.st_dev;
  }

  /// Closes the file. Throws `file_error`.
  void close() {
    if (::close(std::exchange(file_, -1)) != 0 && errno != EINTR) throw_file_error(path_, "close");
  }

 private:
  std::filesystem::path path_;
  int file_ = -1;
};

}  // namespace batchmate
