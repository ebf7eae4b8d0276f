#include <batchmate/game/connect4.hpp>
#include <batchmate/play/run_files.hpp>

#include "../net/temporary_folder.hpp"

#include <doctest/doctest.h>

#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <vector>

namespace bm = batchmate;
namespace fs = std::filesystem;

/// Stands before the system's: the disk has no room for so many of the next files that are synced.
int syncs_to_fail = 0;
extern "C" int fsync(int file) {
  if (syncs_to_fail == 0) return fdatasync(file);
  --syncs_to_fail;
  errno = ENOSPC;
  return -1;
}

namespace {

using G = bm::connect4;
using settings = bm::run_folder_settings;

settings in(fs::path const& folder, settings::earlier before = settings::earlier::refuse) {
  settings s;
  s.shards = {.folder = folder, .max_rows = 64, .evaluator = "e"};
  s.identity = {{"game", "connect4"}};
  s.before = before;
  return s;
}

/// A random game.
bm::episode<G> game(std::int64_t number) {
  bm::random_stream random{bm::random_key{9}.split(static_cast<std::uint64_t>(number))};
  bm::episode<G> e;
  e.number = number;
  while (!e.final_position.result()) {
    int action = -1;
    while (action < 0 || !e.final_position.legal_actions().test(action))
      action = static_cast<int>(random.below(7));
    e.samples.push_back({.position = e.final_position, .episode = number, .action = action});
    e.samples.back().ply = static_cast<int>(e.samples.size()) - 1;
    e.samples.back().policy[static_cast<std::size_t>(action)] = 1;
    e.final_position.play(action);
  }
  bm::set_outcomes(e);
  return e;
}

std::map<std::string, std::vector<std::byte>> data(fs::path const& folder) {
  std::map<std::string, std::vector<std::byte>> files;
  for (auto const& entry : fs::directory_iterator(folder)) {
    std::string const name = entry.path().filename();
    if (name.starts_with("rows-") || name.starts_with("games-"))
      files[name] = bm::read_file(entry.path(), 1 << 24);
  }
  return files;
}

constexpr int episodes = 15;

/// Does the rest of a run: every episode that the files do not have, in an order of its own.
void go_on(bm::run_files<G>& files) {
  for (int i = episodes - 1; i >= 0; --i)
    if (i >= files.progress().places && !files.pending().contains(i))
      files.append(i, bm::records::of(i, game(i)));
  files.cut();
  files.finish();
}

}  // namespace

TEST_CASE("from every step on, a copy of the folder leads to the same data") {
  temporary_folder const first, all;
  std::map<std::string, std::vector<std::byte>> expected;
  std::vector<fs::path> copies;
  {
    settings const s = in(first.path());
    bm::run_files<G> files(s, {});
    for (int i : {1, 0, 2, 4, 5, 3, 7, 6, 8, 9, 12, 11, 10, 13, 14}) {
      files.append(i, bm::records::of(i, game(i)));
      copies.push_back(all.path() / std::to_string(copies.size()));
      fs::copy(first.path(), copies.back());
      files.cut();
      copies.push_back(all.path() / std::to_string(copies.size()));
      fs::copy(first.path(), copies.back());
    }
    files.finish();
    expected = data(first.path());
  }
  CHECK(expected.size() > 8);
  for (fs::path const& copy : copies) {
    settings const s = in(copy, settings::earlier::resume);
    bm::run_files<G> files(s, {});
    go_on(files);
    CHECK(data(copy) == expected);
  }
}

TEST_CASE("a kill between a shard and its journal leaves a shard that is written again") {
  temporary_folder const folder;
  settings const s = in(folder.path());
  std::map<std::string, std::vector<std::byte>> expected;
  {
    bm::run_files<G> files(s, {});
    go_on(files);
    expected = data(folder.path());
  }
  // What the journal does not know of: a shard beyond, damaged files that were not finished.
  fs::copy(folder / "rows-000000.safetensors", folder / "rows-000090.safetensors");
  fs::copy(folder / "rows-000000.safetensors", folder / "rows-000003.safetensors.tmp");
  fs::copy(folder / "run.json", folder / "journal.tmp");
  settings const again = in(folder.path(), settings::earlier::resume);
  bm::run_files<G> files(again, {});
  go_on(files);
  CHECK(data(folder.path()) == expected);
  for (std::string const& name : folder.names()) CHECK_FALSE(name.ends_with(".tmp"));
}

TEST_CASE("files that somebody else put there stay") {
  temporary_folder const folder;
  settings const s = in(folder.path(), settings::earlier::remove);
  fs::create_directory(folder / "rows-of-mine");
  { bm::file_handle const other(std::fopen((folder / "games.pgn").c_str(), "w")); }
  bm::run_files<G> files(s, {});
  CHECK(fs::exists(folder / "rows-of-mine"));
  CHECK(fs::exists(folder / "games.pgn"));
}

TEST_CASE("a full disk is waited for if asked") {
  temporary_folder const folder;
  settings s = in(folder.path());
  int asked = 0;
  s.disk_full = [&](bm::disk_full_error const& full) {
    CHECK(std::string(full.what()).find("No space left") != std::string::npos);
    return ++asked < 3;
  };
  // /dev/full stands where the first shard's unfinished file would go.
  bm::run_files<G> files(s, {});
  for (int i = 0; i < 3; ++i) files.append(i, bm::records::of(i, game(i)));
  fs::create_symlink("/dev/full", folder / "rows-000000.safetensors.tmp");
  files.cut();
  files.finish();
  CHECK(asked == 1);
  CHECK(fs::exists(folder / "rows-000000.safetensors"));
}

TEST_CASE("a journal that could not be synced is written anew, as what was in it may be lost") {
  temporary_folder const folder;
  settings s = in(folder.path());
  bm::run_files<G> files(s, {});
  files.append(0, bm::records::of(0, game(0)));
  syncs_to_fail = 1;
  CHECK_THROWS_AS(files.sync(), bm::disk_full_error);
  // The journal that has not been synced stays what it is, as this link; a new one takes its name.
  fs::create_hard_link(folder / "journal", folder / "old");
  int asked = 0;
  s.disk_full = [&](bm::disk_full_error const&) { return ++asked < 3; };
  syncs_to_fail = 2;
  files.sync();
  CHECK(asked == 2);
  CHECK_FALSE(fs::equivalent(folder / "journal", folder / "old"));
  CHECK(bm::journal::read(folder / "journal").records == bm::journal::read(folder / "old").records);
  files.append(1, bm::records::of(1, game(1)));
  CHECK(bm::journal::read(folder / "journal").records.size() == 3);
}

TEST_CASE("a folder that was taken away ends the run before a shard lands in another") {
  temporary_folder const folder;
  settings const s = in(folder / "run");
  bm::run_files<G> files(s, {});
  for (int i = 0; i < 5; ++i) files.append(i, bm::records::of(i, game(i)));
  fs::rename(folder / "run", folder / "moved");
  fs::create_directory(folder / "run");
  CHECK_THROWS_WITH_AS(files.cut(), doctest::Contains("journal: was removed, moved or replaced"),
                       bm::file_error);
  CHECK(fs::is_empty(folder / "run"));
}
