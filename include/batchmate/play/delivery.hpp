#pragma once

#include <batchmate/play/episode.hpp>

#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

namespace batchmate {

/// Hands out episode numbers and brings finished episodes to the sink in the order of their numbers, one at a
/// time.
///
/// An episode waits here until all before it are finished. Never more than `window` are in flight or waiting, so
/// that memory is bounded.
template <game G>
class delivery {
 public:
  /// Episodes first, first + stride, ...; `count` of them.
  delivery(std::int64_t first, std::int64_t stride, std::int64_t count, std::int64_t window,
           std::function<void(episode<G> const&)> sink)
      : first_(first), stride_(stride), count_(count), window_(window), sink_(std::move(sink)) {}

  /// Begins the next episode: its number, or nothing if none may begin now.
  std::optional<std::int64_t> begin() {
    std::lock_guard lock(mutex_);
    if (begun_ == count_ || begun_ - delivered_ >= window_) return {};
    return first_ + stride_ * begun_++;
  }

  /// No episode will begin any more.
  bool exhausted() const {
    std::lock_guard lock(mutex_);
    return begun_ == count_;
  }

  /// Takes a finished episode's contents and leaves an empty one behind, with memory for a whole game; calls
  /// the sink for all that are due. A sink that has thrown is not called again.
  void finish(episode<G>& done) {
    std::uint64_t const hash = random_key{done.hash()}.split(static_cast<std::uint64_t>(done.number)).state;
    std::lock_guard lock(mutex_);
    finished_ += 1;
    rows_ += static_cast<std::int64_t>(done.samples.size());
    hash_ += hash;
    std::int64_t const place = (done.number - first_) / stride_;
    episode<G>& kept = waiting_[place];
    if (!spare_.empty()) {
      kept.samples = std::move(spare_.back());
      spare_.pop_back();
    }
    std::swap(kept, done);
    done.samples.clear();
    done.samples.reserve(G::max_plies);
    for (auto next = waiting_.begin(); next != waiting_.end() && next->first == delivered_;
         next = waiting_.erase(next), ++delivered_)
      hand_over(next->second);
  }

  /// Calls the sink for the episodes that wait for one that was given up.
  void flush() {
    std::lock_guard lock(mutex_);
    for (auto& [place, kept] : waiting_) hand_over(kept);
    waiting_.clear();
  }

  /// Counts of a run.
  struct totals {
    std::int64_t begun;     ///< episodes
    std::int64_t finished;  ///< episodes
    std::int64_t rows;      ///< moves of the finished ones
    std::uint64_t hash;     ///< sum of theirs
  };
  /// What has been counted so far.
  totals count() const {
    std::lock_guard lock(mutex_);
    return {begun_, finished_, rows_, hash_};
  }

 private:
  void hand_over(episode<G>& kept) {
    if (broken_) return;
    broken_ = true;
    sink_(kept);
    broken_ = false;
    kept.samples.clear();
    spare_.push_back(std::move(kept.samples));
  }

  mutable std::mutex mutex_;
  std::int64_t const first_, stride_, count_, window_;
  std::function<void(episode<G> const&)> sink_;
  std::map<std::int64_t, episode<G>> waiting_;  // by place in the run's order
  std::vector<std::vector<sample<G>>> spare_;   // samples' memory for reuse
  std::int64_t begun_ = 0, delivered_ = 0, finished_ = 0, rows_ = 0;
  std::uint64_t hash_ = 0;
  bool broken_ = false;  // the sink has thrown
};

}  // namespace batchmate
