#pragma once

#include <batchmate/play/episode.hpp>
#include <batchmate/play/options.hpp>
#include <batchmate/play/statistics.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <utility>

namespace batchmate {

/// Hands out episode numbers and brings finished episodes to the sink, one at a time: in the order of their
/// numbers, or as they finish.
///
/// In order, an episode waits here until all before it are finished; out of order, whoever orders them may keep it
/// as long. Either way none begins while those that wait take more than `most_waiting` bytes, so that memory is
/// bounded, while many short games may overtake a long one. Those that finish meanwhile take the memory that they
/// were made in, or give it back.
template <game G>
class delivery {
  /// One that waits for an older one, or has been skipped.
  struct finished_episode {
    std::optional<episode<G>> kept{};  // until its turn; empty if it has been handed over
    std::size_t bytes = 0;
  };

 public:
  /// Episodes `options.first_episode`, + `stride`, ...; `options.episodes` of them. `options` must live as long.
  delivery(run_options const& options, std::size_t most_waiting, std::function<void(episode<G> const&)> sink)
      : options_(options), most_waiting_(most_waiting), sink_(std::move(sink)) {}

  /// What a finished episode of so many moves takes at most while it waits, in bytes: here, with 128 for the map's node
  /// and the allocator, or packed in a record (`encode_episode`).
  static constexpr std::size_t bytes_of(std::size_t moves) {
    std::size_t const packed = 21 + 6 * std::size_t{G::num_actions};
    return 128 + sizeof(finished_episode) + moves * std::max(sizeof(sample<G>), packed);
  }

  /// Begins the next episode: its number, or nothing if none may begin now.
  std::optional<std::int64_t> begin() {
    std::lock_guard lock(mutex_);
    while (!is_exhausted() && waiting_bytes_ <= most_waiting_) {
      std::int64_t const number = options_.first_episode + options_.stride * next_;
      admission const what = options_.admit ? options_.admit(number) : admission::play;
      if (what == admission::end) {
        ended_ = true;
        break;
      }
      std::int64_t const place = next_++;
      if (what == admission::play) {
        note_begun(1);
        return number;
      }
      waiting_[place];
      settle();
    }
    return {};
  }

  /// No episode will begin any more.
  bool exhausted() const {
    std::lock_guard lock(mutex_);
    return is_exhausted();
  }

  /// An episode with a smaller number than this run's has been taken over from another run.
  void take_over() { note_begun(1); }

  /// An episode that has begun will not be finished.
  void give_up() { note_begun(-1); }

  /// Takes a finished episode's contents; if they must wait for an older one, with no more memory than they need. Calls
  /// the sink for all that are due. What is left behind is empty, and keeps its memory if another may begin. A sink
  /// that has thrown is not called again.
  void finish(episode<G>& done) {
    note_finished(done);
    std::lock_guard lock(mutex_);
    if (done.number < options_.first_episode) {  // another run's
      hand_over(done);
      return;
    }
    std::int64_t const place = (done.number - options_.first_episode) / options_.stride;
    bool const has_room = waiting_bytes_ <= most_waiting_;
    bool const must_wait = options_.in_order && place != settled_;
    finished_episode& mine = waiting_[place];
    mine.bytes = bytes_of(must_wait && !has_room ? done.samples.capacity() : done.samples.size());
    waiting_bytes_ += mine.bytes;
    if (!must_wait)
      hand_over(done);
    else if (has_room)
      mine.kept = done;
    else
      mine.kept = std::move(done);
    done.samples.clear();
    if (!has_room) done.samples.shrink_to_fit();
    settle();
  }

  /// Calls the sink for the episodes that wait for one that was given up.
  void flush() {
    std::lock_guard lock(mutex_);
    for (auto& [place, mine] : waiting_)
      if (mine.kept) hand_over(*mine.kept);
    waiting_.clear();
  }

  /// Counts of a run: `statistics` without what its workers count.
  statistics count() const {
    std::lock_guard lock(counting_);
    return counted_;
  }

 private:
  void note_begun(int episodes) {
    std::lock_guard lock(counting_);
    counted_.in_flight += episodes;
  }

  void note_finished(episode<G> const& done) {
    std::uint64_t const hash = numbered_hash(done);
    float const outcome = done.samples.empty() ? draw : done.samples.front().outcome;
    std::lock_guard lock(counting_);
    counted_.in_flight -= 1;
    counted_.episodes += 1;
    counted_.rows += static_cast<std::int64_t>(done.samples.size());
    counted_.first_won += outcome > draw;
    counted_.drawn += outcome == draw;
    counted_.resigned += done.resigned;
    counted_.played_through += done.played_through;
    counted_.saved += done.saved;
    counted_.episodes_hash += hash;
  }

  bool is_exhausted() const { return ended_ || next_ == options_.episodes; }

  /// Goes on to the oldest episode that is not finished, handing over what waited for its turn.
  void settle() {
    for (auto next = waiting_.begin(); next != waiting_.end() && next->first == settled_;
         next = waiting_.erase(next), ++settled_) {
      if (next->second.kept) hand_over(*next->second.kept);
      waiting_bytes_ -= next->second.bytes;
    }
  }

  /// Shows an episode to the sink, and empties it.
  void hand_over(episode<G>& done) {
    if (!std::exchange(broken_, true)) {
      sink_(done);
      broken_ = false;
    }
    done.samples.clear();
  }

  mutable std::mutex mutex_;  // held while the sink is called
  run_options const& options_;
  std::size_t const most_waiting_;  // bytes
  std::function<void(episode<G> const&)> sink_;
  std::map<std::int64_t, finished_episode> waiting_;  // by place
  std::size_t waiting_bytes_ = 0;                     // of these
  std::int64_t next_ = 0, settled_ = 0;               // places: to begin next, oldest not finished
  bool ended_ = false;                                // `admit` said so
  bool broken_ = false;                               // the sink has thrown
  mutable std::mutex counting_;  // of its own, so that a sink which blocks does not keep anybody from looking
  statistics counted_;
};

}  // namespace batchmate
