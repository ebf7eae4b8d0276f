#include <batchmate/net/atomic_file.hpp>
#include <batchmate/net/json.hpp>
#include <batchmate/net/safetensors.hpp>

#include <selfplay/network_folder.hpp>

#include <algorithm>
#include <array>
#include <cstdio>
#include <span>
#include <system_error>
#include <vector>

namespace fs = std::filesystem;

namespace {

/// What a folder holds, as far as it can be read now; what cannot is looked for again later.
std::vector<fs::path> files_in(fs::path const& folder) {
  std::vector<fs::path> found;
  std::error_code failed;
  for (fs::directory_iterator at(folder, failed), end; !failed && at != end; at.increment(failed))
    found.push_back(at->path());
  return found;
}

}  // namespace

network_folder::network_folder(std::string const& network) : folder_(network) {
  std::error_code none;
  is_folder_ = fs::is_directory(folder_, none);
}

std::optional<network_folder::stamp> network_folder::newest() const {
  std::optional<stamp> found;
  for (fs::path const& file : files_in(folder_)) {
    if (file.extension() != ".safetensors") continue;
    std::error_code gone;
    auto const time = fs::last_write_time(file, gone);
    if (gone) continue;  // it has just been taken away
    stamp const now{time, file};
    if (!found || now > *found) found = now;
  }
  return found;
}

fs::path network_folder::first() const {
  auto const found = newest();
  if (!found) throw batchmate::file_error(folder_.string() + ": holds no network, expected NAME.safetensors");
  return found->second;
}

std::optional<fs::path> network_folder::newer() const {
  auto const found = newest();
  if (!found || (taken_ && *found <= *taken_)) return std::nullopt;
  return found->second;
}

void network_folder::took(fs::path const& file) {
  std::error_code gone;
  auto const time = fs::last_write_time(file, gone);
  if (!gone) before_ = std::exchange(taken_, stamp{time, file});
}

void network_folder::took_copy(fs::path const& copy) {
  std::error_code gone;
  auto const time = fs::last_write_time(copy, gone);
  if (!gone) taken_ = stamp{time, folder_ / copy.filename()};
}

void network_folder::again() { taken_ = before_; }

namespace {

fs::path const copies = "networks";

fs::path place_of_copy(int network) {
  char name[32];
  std::snprintf(name, sizeof name, "%06d", network);
  return copies / name;
}

}  // namespace

std::string keep_copy(fs::path const& file, fs::path const& run_folder, int network, int oldest_needed) {
  std::error_code unknown;
  auto const time = fs::last_write_time(file, unknown);
  (void)batchmate::tensor_file(file);  // what is no network may be huge, and is refused before it is read
  auto const bytes = batchmate::read_file(file, std::size_t{1} << 32);
  fs::path const name = place_of_copy(network) / file.filename();
  drop_copy(run_folder, network);  // of one that was refused
  batchmate::make_folder(run_folder / place_of_copy(network));
  std::array<std::span<std::byte const>, 1> const parts{bytes};
  batchmate::write_file_atomically(run_folder / name, parts);
  std::error_code failed;
  if (!unknown) fs::last_write_time(run_folder / name, time, failed);  // a resumed run looks for newer ones
  for (fs::path const& copy : files_in(run_folder / copies)) {
    int number = -1;
    if (std::sscanf(copy.filename().c_str(), "%d", &number) == 1 && number < oldest_needed &&
        copy.filename() == place_of_copy(number).filename())
      drop_copy(run_folder, number);
  }
  return name.string();
}

void drop_copy(fs::path const& run_folder, int network) {
  std::error_code failed;  // what cannot be removed does no harm
  fs::remove_all(run_folder / place_of_copy(network), failed);
}
