#pragma once

#include <batchmate/play/episode.hpp>

#include <atomic>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

namespace batchmate {

/// Hands begun games from a run that ends to one that goes on with them, with another network say: a game changes
/// over between two moves, and the next search knows nothing of the ones before.
template <game G>
class relay {
 public:
  /// From here on games leave the ending run at their next move. To be called by its `run_options::admit`, as it
  /// returns `admission::end`.
  void open() { open_.store(true, std::memory_order_release); }
  bool is_open() const { return open_.load(std::memory_order_acquire); }  ///< `open` was called
  /// The ending run is over: nothing comes any more.
  void close() { closed_.store(true, std::memory_order_release); }

  /// Leaves a game: its samples so far, and who would have resigned.
  void leave(episode<G> begun) {
    std::lock_guard lock(mutex_);
    games_.push_back(std::move(begun));
  }

  /// Takes a game over, if one is waiting.
  std::optional<episode<G>> take() {
    std::lock_guard lock(mutex_);
    if (games_.empty()) return std::nullopt;
    auto begun = std::move(games_.back());
    games_.pop_back();
    return begun;
  }

  /// Every game has been taken over, and none will come.
  bool is_done() const {
    if (!closed_.load(std::memory_order_acquire)) return false;
    std::lock_guard lock(mutex_);
    return games_.empty();
  }

 private:
  std::atomic<bool> open_{false}, closed_{false};
  mutable std::mutex mutex_;
  std::vector<episode<G>> games_;
};

/// The relays of one run; either may be missing.
template <game G>
struct relays {
  relay<G>* from = nullptr;  ///< where it takes games from, before it begins any
  relay<G>* to = nullptr;    ///< where its games leave to, once that is open
};

}  // namespace batchmate
