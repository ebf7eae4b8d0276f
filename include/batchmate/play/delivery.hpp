#pragma once

#include <batchmate/play/episode.hpp>
#include <batchmate/play/options.hpp>

#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

namespace batchmate {

/// Hands out episode numbers and brings finished episodes to the sink, one at a time: in the order of their
/// numbers, or as they finish.
///
/// In order, an episode waits here until all before it are finished. Never more than `window` lie between the
/// oldest that is not finished and the newest that has begun, so that memory is bounded, whoever orders them.
template <game G>
class delivery {
 public:
  /// Episodes `options.first_episode`, + `stride`, ...; `options.episodes` of them. `options` must live as long.
  delivery(run_options const& options, std::int64_t window, std::function<void(episode<G> const&)> sink)
      : options_(options), window_(window), sink_(std::move(sink)) {}

  /// Begins the next episode: its number, or nothing if none may begin now.
  std::optional<std::int64_t> begin() {
    std::lock_guard lock(mutex_);
    while (!is_exhausted() && next_ - settled_ < window_) {
      std::int64_t const number = options_.first_episode + options_.stride * next_;
      admission const what = options_.admit ? options_.admit(number) : admission::play;
      if (what == admission::end) {
        ended_ = true;
        break;
      }
      std::int64_t const place = next_++;
      if (what == admission::play) {
        ++begun_;
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
  void take_over() {
    std::lock_guard lock(mutex_);
    ++begun_;
  }

  /// An episode that has begun will not be finished.
  void give_up() {
    std::lock_guard lock(mutex_);
    --begun_;
  }

  /// An empty record for an episode that begins, with the memory of one that has been handed over, if there is one: so
  /// there are never more than the window allows.
  std::vector<sample<G>> spare_samples() {
    std::lock_guard lock(mutex_);
    if (spare_.empty()) return {};
    auto samples = std::move(spare_.back());
    spare_.pop_back();
    return samples;
  }

  /// Takes a finished episode's contents and leaves an empty one behind, without its memory if it must wait for an
  /// older one; calls the sink for all that are due. A sink that has thrown is not called again.
  void finish(episode<G>& done) {
    std::uint64_t const hash = numbered_hash(done);
    std::lock_guard lock(mutex_);
    finished_ += 1;
    rows_ += static_cast<std::int64_t>(done.samples.size());
    resigned_ += done.resigned;
    played_through_ += done.played_through;
    saved_ += done.saved;
    hash_ += hash;
    if (done.number < options_.first_episode) {  // another run's
      hand_over(done);
      return;
    }
    std::optional<episode<G>>& kept = waiting_[(done.number - options_.first_episode) / options_.stride];
    if (options_.in_order)
      kept = std::exchange(done, {});
    else
      hand_over(done);
    settle();
  }

  /// Calls the sink for the episodes that wait for one that was given up.
  void flush() {
    std::lock_guard lock(mutex_);
    for (auto& [place, kept] : waiting_)
      if (kept) hand_over(*kept);
    waiting_.clear();
  }

  /// Counts of a run.
  struct totals {
    std::int64_t begun;                            ///< episodes, without those given up
    std::int64_t finished;                         ///< episodes
    std::int64_t rows;                             ///< moves of the finished ones
    std::uint64_t hash;                            ///< sum of theirs
    std::int64_t resigned, played_through, saved;  ///< as `statistics` has them
  };
  /// What has been counted so far.
  totals count() const {
    std::lock_guard lock(mutex_);
    return {begun_, finished_, rows_, hash_, resigned_, played_through_, saved_};
  }

 private:
  bool is_exhausted() const { return ended_ || next_ == options_.episodes; }

  /// Goes on to the oldest episode that is not finished, handing over what waited for its turn.
  void settle() {
    for (auto next = waiting_.begin(); next != waiting_.end() && next->first == settled_;
         next = waiting_.erase(next), ++settled_) {
      if (!next->second) continue;
      hand_over(*next->second);
      spare_.push_back(std::move(next->second->samples));
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

  mutable std::mutex mutex_;
  run_options const& options_;
  std::int64_t const window_;
  std::function<void(episode<G> const&)> sink_;
  std::map<std::int64_t, std::optional<episode<G>>> waiting_;  // finished ones by place, empty if handed over
  std::vector<std::vector<sample<G>>> spare_;                  // samples' memory for reuse
  std::int64_t next_ = 0, settled_ = 0;                        // places: to begin next, oldest not finished
  std::int64_t begun_ = 0, finished_ = 0, rows_ = 0;
  std::int64_t resigned_ = 0, played_through_ = 0, saved_ = 0;
  std::uint64_t hash_ = 0;
  bool ended_ = false;   // `admit` said so
  bool broken_ = false;  // the sink has thrown
};

}  // namespace batchmate
