#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <utility>

/// The folder that `--network` may name: whoever trains puts networks there, each under its name when it is whole.
class network_folder {
 public:
  /// `network` is what the flag says, and may be no folder.
  explicit network_folder(std::string const& network);

  bool is_folder() const { return is_folder_; }
  /// The newest network there, by time and then name. Throws `batchmate::file_error` if there is none.
  std::filesystem::path first() const;
  /// The newest network if it is newer than the one that `took` was told last.
  std::optional<std::filesystem::path> newer() const;
  /// The file is in use, or of no use: `newer` waits for the next one.
  void took(std::filesystem::path const& file);
  /// The same for the network of a run that is resumed, by the copy that `keep_copy` made of it.
  void took_copy(std::filesystem::path const& copy);
  /// The file that `took` was told last could not be used yet: `newer` gives it again.
  void again();

 private:
  using stamp = std::pair<std::filesystem::file_time_type, std::filesystem::path>;
  std::optional<stamp> newest() const;

  std::filesystem::path folder_;
  bool is_folder_ = false;
  std::optional<stamp> taken_, before_;  // before_: the one taken before that
};

/// Copies a network into a run's folder, durably, under its own name, which is a part of what rows say of it:
/// `networks/000001/NAME.safetensors`. Removes older copies that nobody will need. The copy's name as seen from the
/// run's folder, which may be moved; it has the time of the original. Throws `batchmate::file_error`.
std::string keep_copy(std::filesystem::path const& file, std::filesystem::path const& run_folder, int network,
                      int oldest_needed);

/// Removes the copy of a network that will not be used.
void drop_copy(std::filesystem::path const& run_folder, int network);
