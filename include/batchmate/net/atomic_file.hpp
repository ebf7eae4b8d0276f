#pragma once

#include <batchmate/core/error.hpp>
#include <batchmate/net/output_file.hpp>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace batchmate {

/// A C stream that closes itself.
using file_handle = std::unique_ptr<std::FILE, decltype([](std::FILE* file) { std::fclose(file); })>;

/// Makes the names in a folder durable. Throws `file_error`.
inline void sync_folder(std::filesystem::path const& folder) {
  int const descriptor = ::open(folder.empty() ? "." : folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor < 0) throw_file_error(folder, "open the folder");
  bool const synced = ::fsync(descriptor) == 0 || errno == EINVAL;  // EINVAL: a file system without it
  int const reason = errno;
  ::close(descriptor);
  errno = reason;
  if (!synced) throw_file_error(folder, "sync the folder");
}

/// Makes a folder, and those above it, durably; one that is there stays. Throws `file_error`.
inline void make_folder(std::filesystem::path const& folder) {
  std::error_code failed;
  if (folder.empty() || std::filesystem::is_directory(folder, failed)) return;
  if (!folder.has_filename()) return make_folder(folder.parent_path());  // "a/" is "a"
  make_folder(folder.parent_path());
  if (::mkdir(folder.c_str(), 0777) != 0) {
    int const reason = errno;
    if (std::filesystem::is_directory(folder, failed)) return;  // another process was faster
    errno = reason;
    throw_file_error(folder, "create the folder");
  }
  sync_folder(folder.parent_path());
}

/// Removes a file, if it is there. Throws `file_error`.
inline void remove_file(std::filesystem::path const& path) {
  if (::unlink(path.c_str()) != 0 && errno != ENOENT) throw_file_error(path, "remove");
}

/// Writes the parts one after the other into `path`, which shows up whole and durable or not at all: they go
/// to `path` + ".tmp", which is synced and renamed. Replaces an existing regular file, and nothing else. Throws
/// `file_error`; then the temporary file is gone and an existing `path` is as it was, unless only the folder could
/// not be synced.
inline void write_file_atomically(std::filesystem::path const& path,
                                  std::span<std::span<std::byte const> const> parts) {
  std::error_code failed;
  auto const there = std::filesystem::status(path, failed).type();
  if (there != std::filesystem::file_type::not_found && there != std::filesystem::file_type::regular)
    throw file_error(concat(path.string(), ": cannot be replaced, as it is no regular file"));
  std::filesystem::path temporary = path;
  temporary += ".tmp";
  try {
    output_file file(temporary, O_TRUNC);
    std::vector<std::byte> together;  // small parts, as each write is a system call
    for (auto const& part : parts) {
      bool const is_small = part.size() < 4096;
      if (is_small) together.insert(together.end(), part.begin(), part.end());
      if (is_small && together.size() < 1 << 16) continue;
      file.write(together);
      together.clear();
      if (!is_small) file.write(part);
    }
    file.write(together);
    file.sync();
    file.close();
    if (::rename(temporary.c_str(), path.c_str()) != 0)
      throw_file_error(path, "rename its temporary file to it");
  } catch (...) {
    ::unlink(temporary.c_str());
    throw;
  }
  sync_folder(path.parent_path());
}

/// All bytes of a file. Throws `file_error` if it cannot be read, is no regular file, or is larger than
/// `largest_bytes`.
inline std::vector<std::byte> read_file(std::filesystem::path const& path, std::size_t largest_bytes) {
  std::error_code failed;
  // Before it is opened, which would wait for the other end of a pipe.
  if (std::filesystem::exists(path, failed) && !std::filesystem::is_regular_file(path, failed))
    throw file_error(concat(path.string(), ": is no regular file"));
  file_handle const file(std::fopen(path.c_str(), "rbe"));
  if (!file) throw_file_error(path, "open");
  auto const size = std::filesystem::file_size(path, failed);
  if (failed) throw file_error(concat(path.string(), ": cannot tell its size: ", failed.message()));
  if (size > largest_bytes)
    throw file_error(concat(path.string(), ": has ", size, " bytes, expected at most ", largest_bytes));
  std::vector<std::byte> bytes(size);
  if (size > 0 && std::fread(bytes.data(), 1, bytes.size(), file.get()) != bytes.size()) {
    if (std::ferror(file.get())) throw_file_error(path, "read");
    throw file_error(concat(path.string(), ": became shorter while it was read"));
  }
  return bytes;
}

}  // namespace batchmate
