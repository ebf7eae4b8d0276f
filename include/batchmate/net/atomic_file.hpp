#pragma once

#include <batchmate/core/error.hpp>
#include <batchmate/net/output_file.hpp>

#include <fcntl.h>
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

/// Writes the parts one after the other into `path`, which shows up whole and durable or not at all: they go
/// to `path` + ".tmp", which is synced and renamed. Replaces an existing file. Throws `file_error`; then the
/// temporary file is gone and an existing `path` is as it was, unless only the folder could not be synced.
inline void write_file_atomically(std::filesystem::path const& path,
                                  std::span<std::span<std::byte const> const> parts) {
  std::filesystem::path temporary = path;
  temporary += ".tmp";
  try {
    output_file file(temporary, O_TRUNC);
    for (auto const& part : parts) file.write(part);
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
  file_handle const file(std::fopen(path.c_str(), "rbe"));
  if (!file) throw_file_error(path, "open");
  std::error_code failed;
  if (!std::filesystem::is_regular_file(path, failed))
    throw file_error(concat(path.string(), ": is no regular file"));
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
