#pragma once

#include <batchmate/play/game_record.hpp>
#include <batchmate/play/shards.hpp>

#include <selfplay/job.hpp>

#include <filesystem>
#include <optional>
#include <string>
#include <system_error>
#include <utility>

/// Makes the output folder ready. Throws `batchmate::file_error` if it cannot be made, or holds rows of an
/// earlier run that are not to be removed.
inline void prepare_folder(std::filesystem::path const& folder, bool overwrite) {
  std::error_code failed;
  std::filesystem::create_directories(folder, failed);
  if (!std::filesystem::is_directory(folder, failed))
    throw batchmate::file_error(
        folder.string() + ": cannot create the folder: " + (failed ? failed.message() : "it is a file"));
  for (auto const& entry : std::filesystem::directory_iterator(folder)) {
    std::string const name = entry.path().filename();
    if (!name.starts_with("rows-") || !name.ends_with(".safetensors")) continue;
    if (!overwrite)
      throw batchmate::file_error(entry.path().string() +
                                  ": is of an earlier run; take another --out, or --overwrite it");
    std::filesystem::remove(entry.path());
  }
}

/// The files of a run: a sink of finished episodes that writes nothing if no folder is given.
template <batchmate::game_with_text G>
class output {
 public:
  /// Prepares the folder. Throws `batchmate::file_error`.
  output(job const& wanted, batchmate::shard_settings settings) {
    if (wanted.out.empty()) return;
    prepare_folder(wanted.out, wanted.overwrite);
    games_.emplace(wanted.out / "games.txt");
    rows_.emplace(std::move(settings));
  }

  void operator()(batchmate::episode<G> const& played) {
    // After a failure threads may still bring episodes, among them the one that failed.
    if (!rows_ || std::exchange(busy_, true)) return;
    (*rows_)(played);
    (*games_)(played);
    busy_ = false;
  }

  /// Writes all that is left. Throws `batchmate::file_error`.
  void finish() {
    if (!rows_) return;
    rows_->finish();
    games_->finish();
  }

  int shards() const { return rows_ ? rows_->shards() : 0; }  ///< written so far

 private:
  std::optional<batchmate::game_record<G>> games_;
  std::optional<batchmate::row_writer<G>> rows_;
  bool busy_ = false;  // or failed
};
