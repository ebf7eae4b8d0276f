#pragma once

#include <batchmate/net/atomic_file.hpp>
#include <batchmate/net/json.hpp>

#include <sys/file.h>

#include <array>
#include <cerrno>
#include <filesystem>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>

namespace batchmate {

/// What decides a run's games and how they lie in files: names and values, for people and for comparison.
using run_settings = std::map<std::string, std::string>;

/// The name of the file in a run's folder that holds its settings.
inline constexpr char const* manifest_name = "run.json";

/// Writes the settings of the run in a folder, durably. Throws `file_error`.
inline void save_manifest(std::filesystem::path const& folder, run_settings const& settings) {
  std::string text = "{\n  \"format\": \"batchmate-run-1\"";
  for (auto const& [name, value] : settings) text += ",\n  " + json_string(name) + ": " + json_string(value);
  text += "\n}\n";
  std::array const parts{std::as_bytes(std::span(text))};
  write_file_atomically(folder / manifest_name, parts);
}

/// Settings from a manifest's text, which may be any. Throws `file_error`, beginning with `where`.
inline run_settings parse_manifest(std::string_view text, std::string const& where) {
  run_settings settings;
  json_reader json(text, where);
  json.object([&](std::string const& name) { settings[name] = json.string(); });
  json.end();
  auto const format = settings.extract("format");
  if (format.empty() || format.mapped() != "batchmate-run-1")
    throw file_error(concat(where, ": expected \"format\": \"batchmate-run-1\", found ",
                            format.empty() ? "none" : json_string(printable(format.mapped()))));
  return settings;
}

/// The settings of the run in a folder, if there is one. Throws `file_error`.
inline std::optional<run_settings> load_manifest(std::filesystem::path const& folder) {
  auto const path = folder / manifest_name;
  std::error_code failed;
  if (std::filesystem::status(path, failed).type() == std::filesystem::file_type::not_found)
    return std::nullopt;
  auto const bytes = read_file(path, 1 << 20);
  return parse_manifest({reinterpret_cast<char const*>(bytes.data()), bytes.size()}, path.string());
}

/// Throws `file_error` unless a run with the settings `now` would go on as the one in the folder began.
inline void check_same_run(std::filesystem::path const& folder, run_settings const& there,
                           run_settings const& now) {
  auto const value = [](run_settings const& in, std::string const& name) {
    auto const found = in.find(name);
    return found == in.end() ? "nothing" : json_string(found->second);
  };
  run_settings all = there;
  all.insert(now.begin(), now.end());
  for (auto const& [name, unused] : all)
    if (value(there, name) != value(now, name))
      throw file_error(concat((folder / manifest_name).string(), ": cannot resume: the run has \"",
                              printable(name), "\": ", value(there, name), ", expected ", value(now, name),
                              "; a run goes on with the settings that it began with"));
}

/// Keeps other processes out of a folder while it lives.
class folder_lock {
 public:
  folder_lock() = default;
  /// Throws `file_error` if another process has the folder.
  explicit folder_lock(std::filesystem::path const& folder) : file_(folder / ".lock", 0) {
    if (::flock(file_.descriptor(), LOCK_EX | LOCK_NB) == 0) return;
    if (errno == EWOULDBLOCK)
      throw file_error(folder.string() + ": is in use by another process, which writes to it");
    throw_file_error(file_.path(), "lock");
  }

  /// Throws `file_error` if the folder was removed, moved or replaced: what lies at its path is not locked.
  void check_in_place() const {
    if (!file_.is_in_place())
      throw file_error(
          file_.path().parent_path().string() +
          ": was removed, moved or replaced while it was written (its .lock is gone, or another file)");
  }

 private:
  output_file file_;
};

}  // namespace batchmate
