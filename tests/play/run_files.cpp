#include <batchmate/game/connect4.hpp>
#include <batchmate/play/run_files.hpp>

#include "../net/temporary_folder.hpp"

#include <doctest/doctest.h>

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace bm = batchmate;
namespace fs = std::filesystem;

/// The disk has no room for so many of the next files that are synced.
int syncs_to_fail = 0;
/// Called before each call that makes files or names durable or changes names; not while it is at work itself.
std::function<void()> before_call;

void about_to_call() {
  auto const now = std::exchange(before_call, nullptr);
  if (now) now();
  before_call = now;
}

// These stand before the system's.
extern "C" int fsync(int) {
  about_to_call();
  if (syncs_to_fail == 0) return 0;  // nobody here cuts the power
  --syncs_to_fail;
  errno = ENOSPC;
  return -1;
}
extern "C" int rename(char const* from, char const* to) noexcept {
  about_to_call();
  return renameat(AT_FDCWD, from, AT_FDCWD, to);
}
extern "C" int unlink(char const* path) noexcept {
  about_to_call();
  return unlinkat(AT_FDCWD, path, 0);
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

/// A whole run, whose shards are cut as soon as they are full.
void play_all(
    settings const& s, std::function<void()> const& begun = [] {}) {
  bm::run_files<G> files(s, {});
  begun();
  for (int i = 0; i < episodes; ++i) {
    files.append(i, bm::records::of(i, game(i)));
    files.cut();
  }
  files.finish();
}

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

TEST_CASE(
    "there are never more bytes of shards than may be kept, and the newest shard stays however large it is") {
  temporary_folder const folder;
  play_all(in(folder.path()));
  auto const all = data(folder.path());
  std::uint64_t sum = 0;
  for (auto const& [name, bytes] : all) sum += bytes.size();
  for (std::uint64_t keep : {sum / 2, std::uint64_t{1}}) {
    temporary_folder const other;
    settings s = in(other.path());
    s.keep_bytes = keep;
    std::uint64_t most = 0;
    std::size_t shards = 0;
    before_call = [&] {
      std::uint64_t now = 0;
      shards = 0;
      for (auto const& [name, bytes] : data(other.path())) {  // also those with the name of a temporary file
        now += bytes.size();
        shards += name.starts_with("rows-");
      }
      most = std::max(most, now);
    };
    play_all(s);
    before_call();
    before_call = nullptr;
    auto const left = data(other.path());
    CHECK(left.rbegin()->first == all.rbegin()->first);
    for (auto const& [name, bytes] : left) CHECK(all.at(name) == bytes);
    if (keep > 1) {
      CHECK(most <= keep);
      CHECK(most > keep / 2);
    } else {
      CHECK(shards == 1);
    }
  }
}

TEST_CASE(
    "a run that is killed while it removes a shard goes on without that shard, also if it is to keep all "
    "now") {
  temporary_folder const whole, folder, all;
  play_all(in(whole.path()));
  settings s = in(folder.path());
  for (auto const& [name, bytes] : data(whole.path())) s.keep_bytes += bytes.size();
  s.keep_bytes /= 2;
  std::vector<fs::path> copies;
  before_call = [&] {
    bool const has_rows = fs::exists(folder / "rows-000000.safetensors");
    if (fs::exists(folder / "rows-000001.safetensors") && !has_rows &&
        fs::exists(folder / "games-000000.txt")) {
      copies.push_back(all.path() / std::to_string(copies.size()));
      fs::copy(folder.path(), copies.back());
    }
  };
  play_all(s);
  before_call = nullptr;
  REQUIRE(copies.size() == 1);
  settings const again = in(copies[0], settings::earlier::resume);
  bm::run_files<G> files(again, {});
  CHECK_FALSE(fs::exists(copies[0] / "games-000000.txt"));
  CHECK(2 * static_cast<std::size_t>(files.shards()) == data(copies[0]).size());
}

TEST_CASE("a network may still be asked for until a journal that does not name it is in place") {
  temporary_folder const folder;
  settings s = in(folder.path());
  int oldest_while_full = -1;
  bm::run_files<G>* at_work = nullptr;
  s.disk_full = [&](bm::disk_full_error const& full) {
    CHECK(std::string(full.what()).find("journal") != std::string::npos);
    oldest_while_full = at_work->oldest_network();
    return true;
  };
  bm::run_files<G> files(s, {});
  at_work = &files;
  files.append(bm::network_phase{3, 0, "a", "a"});
  files.append(bm::network_phase{4, 1, "b", "b"});
  int shards = 0;
  before_call = [&] {  // the first sync after the shard's rename is the journal's
    bool const is_cut = fs::exists(folder / "rows-000000.safetensors") && fs::exists(folder / "journal.tmp");
    if (is_cut && shards++ == 0) syncs_to_fail = 1;
  };
  for (int i = 0; files.progress().shards == 0; ++i) {
    files.append(i, bm::records::of(i, game(i)));
    files.cut();
  }
  before_call = nullptr;
  CHECK(oldest_while_full == 3);
  CHECK(files.oldest_network() == 4);
}

TEST_CASE("only the shards that the next process writes anew are not final") {
  temporary_folder const folder;
  settings const s = in(folder.path());
  int full = 0;
  {
    bm::run_files<G> files(s, {});
    for (int i = 0; i < episodes; ++i)
      if (i != episodes / 2) files.append(i, bm::records::of(i, game(i)));  // that one is still played
    files.cut();
    full = files.progress().shards;
    files.finish();
    CHECK(full > 0);
    CHECK(files.shards() > full + 1);
    for (int shard = 0; shard < files.shards(); ++shard) {
      bm::tensor_file const file(folder.path() / bm::shard_name(shard));
      CHECK(file.metadata_at("final") == (shard < full ? "yes" : "no"));
    }
  }
  auto const before = data(folder.path());
  settings const again = in(folder.path(), settings::earlier::resume);
  bm::run_files<G> files(again, {});
  go_on(files);
  auto const after = data(folder.path());
  for (int shard = 0; shard < full; ++shard)
    CHECK(after.at(bm::shard_name(shard)) == before.at(bm::shard_name(shard)));
  CHECK(after.at(bm::shard_name(full)) != before.at(bm::shard_name(full)));
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

TEST_CASE("a journal that is written anew holds what waits for its shard to become full") {
  temporary_folder const folder;
  settings s = in(folder.path());
  s.shards.max_rows = 128;
  s.disk_full = [](bm::disk_full_error const&) { return true; };
  {
    bm::run_files<G> files(s, {});
    for (int i = 0; i < 9; ++i) {
      files.append(i, bm::records::of(i, game(i)));
      files.cut();
    }
    REQUIRE(files.progress().places > 0);  // one shard is cut, the next one has begun
    REQUIRE(files.progress().places < 9);
    fs::create_hard_link(folder / "journal", folder / "old");
    syncs_to_fail = 1;
    files.sync();
    CHECK(bm::journal::read(folder / "journal").records.size() ==
          static_cast<std::size_t>(10 - files.progress().places));
  }
  s.before = settings::earlier::resume;
  bm::run_files<G> const files(s, {});
  CHECK(files.progress().places + static_cast<std::int64_t>(files.pending().size()) == 9);
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

TEST_CASE("a folder that another takes the place of while a shard is cut ends the run, and keeps all of it") {
  std::map<std::string, std::vector<std::byte>> expected;
  {
    temporary_folder const folder;
    play_all(in(folder.path()));
    expected = data(folder.path());
  }
  for (bool is_old : {false, true}) {  // whether what comes is a copy of the beginning or of that moment
    int calls = 0;
    for (bool comes = true; comes; calls += comes) {  // at each call in turn, until there is none
      CAPTURE(calls);
      temporary_folder const folder;
      fs::path const run = folder / "run", moved = folder / "moved", copy = folder / "copy";
      fs::create_directory(run);
      int left = calls;
      auto const exchange = [&] {
        if (left-- != 0) return;
        fs::rename(run, moved);
        is_old ? fs::rename(copy, run) : fs::copy(moved, run);
      };
      std::string failure;
      if (!is_old) before_call = exchange;
      try {
        play_all(in(run), [&] {
          if (is_old) fs::copy(run, copy), before_call = exchange;
        });
      } catch (bm::file_error const& e) {
        failure = e.what();
      }
      before_call = nullptr;
      comes = fs::exists(moved);
      if (comes) {
        bool const told = failure.find("removed, moved or replaced") != std::string::npos;
        CHECK((told ||
               (is_old && failure.find("cannot rename") != std::string::npos)));  // it is in the moved one
      }
      CHECK(failure.empty() == !comes);
      CHECK(left >= -7);  // no more than a shard's two files or a journal are written after that
      for (fs::path const& whole : {comes ? moved : run, is_old && comes ? moved : run}) {
        settings const again = in(whole, settings::earlier::resume);
        bm::run_files<G> files(again, {});
        go_on(files);
        CHECK(data(whole) == expected);
      }
    }
    CHECK(calls > 50);
  }
}

TEST_CASE(
    "a folder that another takes the place of while a run waits or begins ends the run and stays as it was") {
  temporary_folder const folder;
  fs::path const run = folder / "run", moved = folder / "moved", copy = folder / "copy";
  auto const exchange = [&] {
    fs::rename(run, moved);
    fs::rename(copy, run);
  };
  auto const journal = [&](fs::path const& of) { return bm::read_file(of / "journal", 1 << 24); };
  {
    settings s = in(run);
    s.disk_full = [&](bm::disk_full_error const&) {
      exchange();
      return true;
    };
    bm::run_files<G> files(s, {});
    fs::copy(run, copy);
    files.append(0, bm::records::of(0, game(0)));
    syncs_to_fail = 1;
    CHECK_THROWS_WITH_AS(files.sync(), doctest::Contains("run: was removed, moved or replaced"),
                         bm::file_error);
    CHECK(journal(run) != journal(moved));  // it has not got what was finished meanwhile
  }
  fs::remove_all(run);
  fs::rename(moved, run);
  fs::copy(run, copy);
  fs::copy(run / "run.json", run / "journal.tmp");  // to be removed first
  settings const again = in(run, settings::earlier::resume);
  before_call = [&] {
    if (fs::exists(copy)) exchange();
  };
  CHECK_THROWS_WITH_AS(bm::run_files<G>(again, {}), doctest::Contains("run: was removed, moved or replaced"),
                       bm::file_error);
  before_call = nullptr;
  CHECK(journal(run) == journal(moved));
}
