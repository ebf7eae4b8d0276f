#pragma once

#include <batchmate/play/game_line.hpp>
#include <batchmate/play/manifest.hpp>
#include <batchmate/play/openings.hpp>
#include <batchmate/play/run_records.hpp>
#include <batchmate/play/shards.hpp>

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <deque>
#include <filesystem>
#include <functional>
#include <iterator>
#include <map>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace batchmate {

/// How a run's data lie in its folder.
struct run_folder_settings {
  /// What to do with the data of an earlier run.
  enum class earlier { refuse, resume, remove };

  shard_settings shards{};  ///< `folder` is made if need be; `first_shard` is not used
  /// All that decides the games and the files, the same on every resumption. `game`, `search`, `evaluator`, `seed`,
  /// `shard_rows`, `horizon` if it is another than usual, and `rank` and `ranks` if episodes are shared, are added from the
  /// rest of these settings where it has none.
  run_settings identity{};
  std::int64_t first_episode = 0;  ///< number of the run's first
  std::int64_t stride = 1;         ///< between numbers
  earlier before = earlier::refuse;
  std::chrono::milliseconds sync_every{1000};  ///< finished play that a crash of the machine may cost
  std::uint64_t keep_bytes = 0;  ///< of shards at most: the oldest make room for a new one; 0: any number
  /// Called in the writing thread when the disk is full; may wait. True to try again, false to give up.
  std::function<bool(disk_full_error const&)> disk_full{};
};

/// The name of the text file with a shard's games, one a line: `games-000000.txt`.
inline std::string games_name(int number) {
  char name[32];
  std::snprintf(name, sizeof name, "games-%06d.txt", number);
  return name;
}

/// The files of a run: `run.json` (its settings), `journal` (finished episodes that no full shard holds), then
/// `rows-NNNNNN.safetensors` and `games-NNNNNN.txt` (the data, cut from the journal in the order of episodes),
/// and `.lock`. One thread uses it; `run_folder` is what a run's workers use.
///
/// Every step leaves the folder so that `open` can go on from it, wherever the process dies.
template <game_with_text G>
class run_files {
 public:
  /// Makes the folder ready, or takes up the run that is in it. `opening` is where games begin. Throws
  /// `file_error`: it cannot be written, belongs to another run or process, or is not to be touched.
  run_files(run_folder_settings const& settings, openings<G> opening)
      : settings_(settings), opening_(std::move(opening)), done_(open()), rows_(from_here()) {}
  run_files(run_files const&) = delete;
  run_files& operator=(run_files const&) = delete;

  /// Episodes in full shards.
  run_progress const& progress() const { return done_; }
  /// Records of finished episodes that are in no full shard, by place: all when the run was taken up; later those of
  /// the shard that is being filled only where `disk_full` may need them.
  std::map<std::int64_t, std::vector<std::byte>> const& pending() const { return pending_; }
  /// Which networks play which episodes, from the oldest one that still matters.
  std::vector<network_phase> const& phases() const { return phases_; }
  /// Bytes at the journal's end that were no whole record.
  std::size_t lost_bytes() const { return lost_bytes_; }
  /// Numbers of shards that somebody took away, but for the oldest: their episodes count as finished all the same.
  std::vector<int> const& missing_shards() const { return missing_shards_; }
  /// Shards in the folder. Any thread may ask.
  int shards() const { return shards_.load(std::memory_order_relaxed); }
  /// The oldest network that may be asked for again. Any thread may ask.
  int oldest_network() const { return oldest_network_.load(std::memory_order_relaxed); }

  /// Throws `contract_error` for an episode that did not begin where the run's do: it could not be decoded.
  void check_opening(episode<G> const& finished) const {
    if (finished.samples.empty()) return;
    G const expected = opening_(random_key{settings_.shards.seed}, finished.number);
    std::string const found = finished.samples.front().position.to_text();
    expects(found == expected.to_text(), "run_folder: episode ", finished.number, " began at ", found,
            ", but by the folder's seed and openings at ", expected.to_text(),
            "; they must be those of the self-play");
  }
  /// The episode of a record. Throws `file_error` for what is no game.
  episode<G> decode(std::vector<std::byte> const& record) const {
    auto const opening = [this](std::int64_t number) {
      return opening_(random_key{settings_.shards.seed}, number);
    };
    return records::decode<G>(record, opening, journal_path().string());
  }

  /// Appends a finished episode to the journal. Throws `file_error`.
  void append(std::int64_t place, std::vector<std::byte> record) {
    trying_again([&] { journal_.append(record); });
    pending_.emplace(place, std::move(record));
  }
  /// Appends that a network plays from a place on. Throws `file_error`.
  void append(network_phase phase) {
    auto const record = records::of(phase);
    trying_again([&] { journal_.append(record); });
    phases_.push_back(std::move(phase));
    oldest_network_ = phases_.front().network;
  }
  /// Makes the journal durable. Throws `file_error`.
  void sync() {
    try {
      journal_.sync();
    } catch (disk_full_error const& full) {
      // What the disk had no room for is gone, and a second sync would not say so. It is all here, too.
      if (!settings_.disk_full || !settings_.disk_full(full)) throw;
      replace_journal(done_);
    }
  }

  /// Cuts the shards that are full. Throws `file_error`.
  void cut() {
    for (auto next = pending_.find(next_place()); next != pending_.end() && next->first == next_place();) {
      episode<G> const finished = decode(next->second);
      if (!rows_.fits(finished)) cut_one();
      add(finished);
      next = settings_.disk_full ? std::next(next) : pending_.erase(next);
    }
  }

  /// Writes all that is in the journal as shards, too, which are not final: the next `open` takes them for
  /// unwritten. To be called last. Throws `file_error`.
  void finish() {
    sync();
    for (auto next = pending_.lower_bound(next_place()); next != pending_.end(); ++next) {
      episode<G> const finished = decode(next->second);
      if (!rows_.fits(finished)) write_shard(false);
      add(finished);
    }
    if (!text_.empty()) write_shard(false);
  }

 private:
  std::filesystem::path const& folder() const { return settings_.shards.folder; }
  std::filesystem::path journal_path() const { return folder() / "journal"; }

  /// What must be the same when the run is resumed: the settings that it was given, and what is known without them.
  run_settings identity() const {
    run_settings all = settings_.identity;
    shard_settings const& s = settings_.shards;
    all.insert({{"game", std::string(G::name())},
                {"search", s.search},
                {"evaluator", s.evaluator},
                {"seed", std::to_string(s.seed)},
                {"shard_rows", std::to_string(s.max_rows)}});
    if (s.horizon != shard_settings{}.horizon) all.insert({"horizon", concat(s.horizon)});
    if (settings_.stride != 1 || settings_.first_episode != 0)  // several processes share the episodes
      all.insert(
          {{"rank", std::to_string(settings_.first_episode)}, {"ranks", std::to_string(settings_.stride)}});
    return all;
  }

  /// Locks the folder and reads what is there; how much lies in shards.
  run_progress open() {
    trying_again([&] { make_folder(folder()); });
    trying_again([&] { lock_ = folder_lock(folder()); });
    using earlier = run_folder_settings::earlier;
    if (settings_.before == earlier::remove) {
      remove_file(folder() / manifest_name);
      remove_file(journal_path());
      remove_shards([](int) { return true; });
    }
    auto const there = load_manifest(folder());
    bool const has_journal = is_there("journal");
    if (settings_.before == earlier::refuse && (there || has_journal))
      throw file_error(folder().string() +
                       ": holds the data of an earlier run; resume it, overwrite it, or take another folder");
    if (there) check_same_run(folder(), *there, identity());
    return there && has_journal ? recover() : begin();
  }

  run_progress begin() {
    remove_shards([this](int shard) -> bool {
      throw file_error(concat((folder() / shard_name(shard)).string(), ": is of a run whose ", manifest_name,
                              " or journal is gone; overwrite it, or take another folder"));
    });
    trying_again([&] { save_manifest(folder(), identity()); });
    replace_journal({});
    return {};
  }

  run_progress recover() {
    auto found = journal::read(journal_path());
    lost_bytes_ = found.lost_bytes;
    run_records known = records::parse(std::move(found.records), journal_path().string());
    journal_ = journal(journal_path(), found);
    pending_ = std::move(known.episodes);
    phases_ = std::move(known.phases);
    if (!phases_.empty()) oldest_network_ = phases_.front().network;
    run_progress p = known.progress;
    // Some may have been removed that the journal has not been told of, their rows first; also if none is to go now.
    while (p.oldest < p.shards && !is_there(shard_name(p.oldest))) ++p.oldest;
    // Shards that the journal does not know are as good as unwritten: it still has their episodes.
    remove_shards([&](int shard) { return shard < p.oldest || shard >= p.shards; });
    for (int s = p.oldest; s < p.shards; ++s) {
      kept_.push_back(size_of(s));
      if (!is_there(shard_name(s))) missing_shards_.push_back(s);
    }
    shards_ = p.shards - p.oldest - static_cast<int>(missing_shards_.size());
    lock_.check_in_place();  // what was read is what is locked
    return p;
  }

  /// Removes the shards that `is_old` names, and files that were not finished.
  template <class IsOld>
  void remove_shards(IsOld&& is_old) {
    for (std::string const& name : names()) {
      auto const begins = [&](char const* with) { return name.starts_with(with); };
      int shard = -1;
      bool const is_shard =
          (std::sscanf(name.c_str(), "rows-%d", &shard) == 1 && name == shard_name(shard)) ||
          (std::sscanf(name.c_str(), "games-%d", &shard) == 1 && name == games_name(shard));
      bool const is_unfinished = name.ends_with(".tmp") && (begins("rows-") || begins("games-") ||
                                                            begins("journal") || begins(manifest_name));
      if (is_unfinished || (is_shard && is_old(shard))) remove_file(folder() / name);
    }
  }

  /// Of all that is in the folder.
  std::vector<std::string> names() const {
    std::vector<std::string> found;
    std::error_code failed;
    for (std::filesystem::directory_iterator at(folder(), failed), end; !failed && at != end;
         at.increment(failed))
      found.push_back(at->path().filename());
    if (failed) throw file_error(concat(folder().string(), ": cannot list the folder: ", failed.message()));
    return found;
  }

  shard_settings from_here() const {
    shard_settings here = settings_.shards;
    here.first_shard = done_.shards;
    here.network_name = [this](int network) {
      for (network_phase const& p : phases_)
        if (p.network == network) return p.identity;
      return settings_.shards.evaluator;
    };
    return here;
  }

  /// Where the shard that is being filled ends.
  std::int64_t next_place() const { return done_.places + open_.places; }

  void add(episode<G> const& finished) {
    rows_(finished);
    text_ += game_line(finished) + '\n';
    open_.places += 1;
    open_.rows += static_cast<std::int64_t>(finished.samples.size());
    open_.hash += numbered_hash(finished);
  }

  /// Writes the shard that is full; from here on its episodes are nowhere else.
  void cut_one() {
    run_progress next = done_;
    journal_.check_in_place();
    write_shard(true);
    next.places += open_.places;
    next.rows += open_.rows;
    next.hash += open_.hash;
    next.shards += 1;
    next.oldest = next.shards - static_cast<int>(kept_.size());
    while (phases_.size() > 1 && phases_[1].place <= next.places) phases_.erase(phases_.begin());
    pending_.erase(pending_.begin(), pending_.lower_bound(next.places));
    replace_journal(next);
    // Not before: who is told so deletes the older networks, which whoever resumes the old journal needs.
    if (!phases_.empty()) oldest_network_ = phases_.front().network;
    done_ = next;
    open_ = {};
  }

  /// Removes the oldest shards, so that with so many bytes more the folder does not hold more than it may.
  void make_room(std::uint64_t bytes) {
    if (settings_.keep_bytes == 0) return;
    for (std::uint64_t size : kept_) bytes += size;
    for (; bytes > settings_.keep_bytes && !kept_.empty(); kept_.pop_front()) {
      int const oldest = rows_.shards() - static_cast<int>(kept_.size());
      if (std::ranges::find(missing_shards_, oldest) == missing_shards_.end()) shards_ -= 1;
      remove_file(folder() / shard_name(oldest));
      remove_file(folder() / games_name(oldest));
      bytes -= kept_.front();
    }
  }

  void replace_journal(run_progress const& now) {
    std::vector<std::vector<std::byte>> heads{records::of(now)};
    for (network_phase const& p : phases_) heads.push_back(records::of(p));
    std::vector<std::span<std::byte const>> all(heads.begin(), heads.end());
    for (auto const& [place, record] : pending_) all.push_back(record);
    lock_.check_in_place();
    trying_again([&] { journal_ = journal::replace(journal_path(), all); });
    lock_.check_in_place();  // else the run would go on in a folder that has come meanwhile
  }

  void write_shard(bool is_final) {
    int const shard = rows_.shards();
    std::string const text = "# " + G::name() + ": number, result for the first player, moves\n" + text_;
    std::span<std::byte const> const parts[] = {std::as_bytes(std::span(text))};
    lock_.check_in_place();
    make_room(rows_.file_bytes() + text.size());
    trying_again([&] { write_file_atomically(folder() / games_name(shard), parts); });
    trying_again([&] { rows_.finish(is_final); });
    lock_.check_in_place();  // else a shard that lies elsewhere would leave the journal
    text_.clear();
    kept_.push_back(size_of(shard));
    shards_ += 1;
  }

  bool is_there(std::string const& name) const {
    std::error_code failed;
    return std::filesystem::status(folder() / name, failed).type() != std::filesystem::file_type::not_found;
  }

  /// Bytes of a shard's files; 0 if somebody has taken them away.
  std::uint64_t size_of(int shard) const {
    std::uint64_t size = 0;
    for (auto const& name : {shard_name(shard), games_name(shard)}) {
      std::error_code gone;
      auto const bytes = std::filesystem::file_size(folder() / name, gone);
      if (!gone) size += bytes;
    }
    return size;
  }

  /// Does it again as long as only a full disk is in the way, and it is worth waiting.
  template <class Work>
  void trying_again(Work&& work) {
    for (;;) {
      try {
        return work();
      } catch (disk_full_error const& full) {
        if (!settings_.disk_full || !settings_.disk_full(full)) throw;
      }
    }
  }

  run_folder_settings const& settings_;
  openings<G> const opening_;
  folder_lock lock_;
  journal journal_;
  std::size_t lost_bytes_ = 0;
  std::vector<int> missing_shards_;
  std::map<std::int64_t, std::vector<std::byte>> pending_;
  std::vector<network_phase> phases_;
  std::deque<std::uint64_t> kept_;  // bytes of the shards in the folder
  std::atomic<int> shards_{0};      // in the folder
  std::atomic<int> oldest_network_{0};
  run_progress done_;   // what full shards hold
  run_progress open_;   // what the shard that is being filled holds
  std::string text_;    // its games
  row_writer<G> rows_;  // its rows
};

}  // namespace batchmate
