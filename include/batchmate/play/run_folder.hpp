#pragma once

#include <batchmate/play/run_files.hpp>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <exception>
#include <mutex>
#include <set>
#include <span>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace batchmate {

/// What lies in a run's folder, or is on the way to it.
struct run_folder_totals {
  std::int64_t episodes = 0;  ///< finished, from the run's first process on
  std::int64_t rows = 0;      ///< of these
  std::uint64_t hash = 0;     ///< of these, as `statistics::episodes_hash`
  int shards = 0;             ///< in the folder
};

/// A sink that loses nothing: every finished episode goes to a journal at once, and shards of rows are cut from
/// it in the order of episodes; see `run_files`.
///
///     bm::run_folder<G> folder(
///         {.shards = {.folder = "out", .evaluator = e.identity(), .search = s.identity(), .seed = 7},
///          .before = bm::run_folder_settings::earlier::resume}, {});
///     bm::self_play(G{}, s, bm::overlapped{}, e)
///         .run({.episodes = 1000, .seed = 7, .in_order = false, .admit = [&](std::int64_t number) {
///                 return folder.has(number) ? bm::admission::skip : bm::admission::play; }}, folder);
///     folder.finish();
///
/// Whatever happens to the process, and however often, a later one that resumes the run goes on where the
/// journal ends; the data are then the same, byte for byte, as those of an undisturbed run. Episodes may come in
/// any order and from several threads (`run_options::in_order = false`); one thread of its own writes.
template <game_with_text G>
class run_folder {
 public:
  /// Makes the folder ready, or takes up the run that is in it. `opening` is where games begin. Throws
  /// `file_error`: it cannot be written, belongs to another run or process, or is not to be touched; `contract_error`
  /// for settings without the identities of search and evaluator.
  run_folder(run_folder_settings settings, openings<G> opening)
      : settings_(prepared(std::move(settings))),
        files_(settings_, std::move(opening)),
        found_(files_.progress()),
        phases_(files_.phases()) {
    totals_ = {found_.places, found_.rows, found_.hash, 0};
    for (auto const& [place, record] : files_.pending()) {
      recovered_.insert(place);
      auto const finished = files_.decode(record);
      count(finished, numbered_hash(finished));
    }
    resumed_ = totals_.episodes;
    for (auto* queue : {&queue_, &taken_}) queue->allocate();
    writer_ = std::thread([this] { work(); });
  }
  run_folder(run_folder const&) = delete;
  run_folder& operator=(run_folder const&) = delete;
  /// Writes what has come, but does not wait for room on a full disk.
  ~run_folder() {
    abandoned_ = true;
    end_writer();
  }

  /// What it can allocate, in bytes, beside the records of episodes that wait for an older one. Those that it takes up
  /// from an earlier process come on top; they are in memory when the constructor returns.
  static std::size_t bytes(run_folder_settings const& settings) {
    std::size_t const records = static_cast<std::size_t>(settings.shards.max_rows) * record_bytes;
    return row_writer<G>::bytes(settings.shards) + 2 * most_queued + (settings.disk_full ? records : 0);
  }

  /// Whether the episode was finished before this object was made.
  bool has(std::int64_t number) const {
    return place_of(number) < found_.places || recovered_.contains(place_of(number));
  }
  /// Episodes that were finished before this object was made.
  std::int64_t resumed() const { return resumed_; }
  /// The number of the first episode that no full shard held then.
  std::int64_t first_number() const { return number_of(found_.places); }
  /// The number after the newest episode that was finished then: from there on all are still to be played.
  std::int64_t end_number() const {
    return number_of(recovered_.empty() ? found_.places : *recovered_.rbegin() + 1);
  }
  /// The networks that were noted before then, from the oldest one that still matters, each with the number of
  /// its first episode as `place`.
  std::vector<network_phase> recovered_phases() const {
    std::vector<network_phase> all = phases_;
    for (network_phase& p : all) p.place = number_of(p.place);
    return all;
  }
  /// The oldest network that a process which resumes the run may need.
  int oldest_network() const { return files_.oldest_network(); }
  /// Bytes at the journal's end that were no whole episode; those episodes are played again.
  std::size_t lost_bytes() const { return files_.lost_bytes(); }
  /// Numbers of shards that somebody took away, but for the oldest: their episodes count as finished all the same.
  std::vector<int> const& missing_shards() const { return files_.missing_shards(); }

  /// Takes a finished episode. Throws what went wrong with the files, now or before, and `contract_error` for
  /// a game that ends with no value, or begins where the folder's settings do not say.
  void operator()(episode<G> const& finished) {
    float const value = finished.result();
    expects(value >= loss && value <= win, "game: episode ", finished.number, " ends with ", value,
            ", expected -1 to 1");
    files_.check_opening(finished);
    std::int64_t const place = place_of(finished.number);
    auto const record = records::of(place, finished);
    std::uint64_t const hash = numbered_hash(finished);
    std::unique_lock lock(mutex_);
    count(finished, hash);
    enqueue(lock, place, record);
  }

  /// Throws `file_error` if a network can't be noted for the episodes from a number on, since shards hold later ones
  /// already: theirs were in the journal.
  void check_phase(std::int64_t number) const {
    if (place_of(number) < found_.places)
      throw file_error(concat((settings_.shards.folder / "journal").string(),
                              ": is damaged: names no network for episode ", number,
                              " on, which lies in a shard; overwrite the run, or take another folder"));
  }

  /// Notes that a network plays the episodes from a number on; durable when this returns. Throws what went wrong
  /// with the files, or what `check_phase` throws.
  void begin_phase(int network, std::int64_t number, std::string identity, std::string file) {
    check_phase(number);
    std::unique_lock lock(mutex_);
    network_phase const phase{network, place_of(number), std::move(identity), std::move(file)};
    enqueue(lock, a_phase, records::of(phase));
    std::uint64_t const mine = queued_;
    changed_.wait(lock, [&] { return synced_ >= mine || failure_; });
    if (failure_) std::rethrow_exception(failure_);
  }

  /// Writes all that has come as shards; a process that resumes the run writes the last ones anew. To be called
  /// when no episode comes any more. Throws what went wrong with the files.
  void finish() {
    end_writer();
    if (failure_) std::rethrow_exception(failure_);
    files_.finish();
  }

  /// What has come so far. Any thread may ask.
  run_folder_totals totals() const {
    std::lock_guard lock(mutex_);
    run_folder_totals now = totals_;
    now.shards = files_.shards();
    return now;
  }

 private:
  // Bytes that wait for the writing thread, which has as many at work.
  static constexpr std::size_t most_queued = std::size_t{2} << 20;
  static constexpr std::int64_t a_phase = -1;  // in the place of an episode's
  // Of a row in a record at most: 21 bytes, 6 for every target (`encode_episode`), and its share of what an episode takes.
  static constexpr std::size_t record_bytes = 64 + 6 * std::size_t{G::num_actions};

  /// What waits, in memory that is there from the first, so that a run's does not depend on how fast its disk is.
  struct waiting {
    struct head {
      std::int64_t place;
      std::size_t size;  // of the record, which follows
    };
    std::vector<std::byte> items;

    void allocate() {
      items.resize(most_queued);
      items.clear();
    }
    bool has_room(std::size_t size) const {
      return items.empty() || items.size() + sizeof(head) + size <= most_queued;
    }
    void push(std::int64_t place, std::span<std::byte const> record) {
      put_bytes(items, head{place, record.size()});
      items.insert(items.end(), record.begin(), record.end());
    }
    /// Calls `each(place, record)` in turn.
    template <class Each>
    void for_each(Each&& each) const {
      for (std::span<std::byte const> rest = items; !rest.empty();) {
        head next;
        std::memcpy(&next, rest.data(), sizeof next);
        each(next.place, rest.subspan(sizeof next, next.size));
        rest = rest.subspan(sizeof next + next.size);
      }
    }
  };

  std::int64_t place_of(std::int64_t number) const {
    return (number - settings_.first_episode) / settings_.stride;
  }
  std::int64_t number_of(std::int64_t place) const {
    return settings_.first_episode + settings_.stride * place;
  }

  /// The settings, whose `disk_full` says to give up once nobody wants to wait for the files any more.
  run_folder_settings prepared(run_folder_settings settings) const {
    expects(!settings.shards.search.empty() && !settings.shards.evaluator.empty(),
            "run_folder: shards.search and shards.evaluator must be the identities of what plays, so "
            "that no other run is ever resumed");
    if (settings.disk_full)
      settings.disk_full = [this, wait = std::move(settings.disk_full)](disk_full_error const& full) {
        return !abandoned_ && wait(full) && !abandoned_;
      };
    return settings;
  }

  void count(episode<G> const& finished, std::uint64_t hash) {
    totals_.episodes += 1;
    totals_.rows += static_cast<std::int64_t>(finished.samples.size());
    totals_.hash += hash;
  }

  void enqueue(std::unique_lock<std::mutex>& lock, std::int64_t place, std::span<std::byte const> record) {
    changed_.wait(lock, [&] { return queue_.has_room(record.size()) || failure_; });
    if (failure_) std::rethrow_exception(failure_);
    queue_.push(place, record);
    ++queued_;
    changed_.notify_all();
  }

  void end_writer() {
    if (!writer_.joinable()) return;
    {
      std::lock_guard lock(mutex_);
      closing_ = true;
    }
    changed_.notify_all();
    writer_.join();
  }

  /// What the writing thread does until the queue is empty and closed.
  void work() {
    try {
      files_.cut();
      for (bool more = true; more;) more = write_queue();
    } catch (...) {
      std::lock_guard lock(mutex_);
      failure_ = std::current_exception();
      changed_.notify_all();
    }
  }

  /// Writes what is in the queue; false if nothing will come any more.
  bool write_queue() {
    taken_.items.clear();
    {
      std::unique_lock lock(mutex_);
      auto const has_work = [this] { return closing_ || !queue_.items.empty(); };
      if (written_ == synced_)
        changed_.wait(lock, has_work);
      else
        changed_.wait_until(lock, synced_at_ + settings_.sync_every, has_work);
      std::swap(taken_, queue_);
      if (taken_.items.empty() && closing_) return false;
    }
    changed_.notify_all();
    bool urgent = false;
    taken_.for_each([&](std::int64_t place, std::span<std::byte const> record) {
      if (place == a_phase) {
        byte_reader in(record.subspan(sizeof(records::kind)), "phase");
        files_.append(records::take_phase(in));
        urgent = true;
      } else {
        files_.append(place, {record.begin(), record.end()});
      }
      files_.cut();
      ++written_;
    });
    auto const now = std::chrono::steady_clock::now();
    bool const sync = written_ > synced_ && (urgent || now - synced_at_ >= settings_.sync_every);
    if (sync) files_.sync();
    std::lock_guard lock(mutex_);
    if (sync) {
      synced_ = written_;
      synced_at_ = now;
    }
    changed_.notify_all();
    return true;
  }

  std::atomic<bool> abandoned_{false};  // it is being destroyed
  run_folder_settings const settings_;
  run_files<G> files_;  // the writing thread's, while that runs
  // What was there before.
  run_progress const found_;
  std::vector<network_phase> const phases_;
  std::set<std::int64_t> recovered_;  // places in the journal
  std::int64_t resumed_ = 0;          // episodes
  // Shared with the writing thread.
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::exception_ptr failure_;
  run_folder_totals totals_;
  waiting queue_, taken_;                                // the second one is the writing thread's
  std::uint64_t queued_ = 0, written_ = 0, synced_ = 0;  // items
  std::chrono::steady_clock::time_point synced_at_ = std::chrono::steady_clock::now();
  bool closing_ = false;
  std::thread writer_;
};

}  // namespace batchmate
