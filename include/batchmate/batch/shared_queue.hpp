#pragma once

#include <batchmate/batch/concepts.hpp>
#include <batchmate/batch/evaluation_queue.hpp>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <utility>

namespace batchmate {

/// An evaluator whose batches meet those of other threads in an `evaluation_queue`; one object serves all workers.
template <game G, evaluator_for<G> E>
class queued_evaluator {
 public:
  /// `settings.askers`, if positive, are the most that have something to ask.
  queued_evaluator(E evaluator, queue_settings const& settings)
      : inner_(std::move(evaluator)), settings_(settings) {}

  void submit(int slot, batch<G> const& rows) {
    queue_->enqueue(rows, tickets_[static_cast<std::size_t>(slot)]);
  }
  void wait(int slot) { tickets_[static_cast<std::size_t>(slot)].wait(); }
  std::string identity() const { return inner_.identity(); }
  void reserve(reservation const& wanted) {
    queue_.reset();
    tickets_.clear();
    for (int i = 0; i < wanted.slots; ++i) tickets_.emplace_back();
    queue_ = std::make_unique<evaluation_queue<G, E>>(inner_, settings_for(wanted));
  }
  bool needs_planes() const { return batchmate::needs_planes(inner_); }
  bool moves_rows() const { return batchmate::moves_rows(inner_); }
  bool is_shared() const { return true; }
  std::uint64_t network_version() const { return batchmate::network_version(inner_); }
  std::size_t memory_bytes(reservation const& wanted) const {
    return evaluation_queue<G, E>::memory_bytes(inner_, settings_for(wanted), in_flight(wanted));
  }
  /// What it counted.
  evaluator_report report() const { return queue_ ? queue_->report() : evaluator_report{}; }

 private:
  /// As many askers as batches, of whose two slots one is filled while the other is answered, and no more rows in a batch
  /// than all slots can have in flight.
  queue_settings settings_for(reservation const& wanted) const {
    queue_settings settings = settings_;
    if (int const batches = wanted.slots / 2; settings.askers <= 0 || settings.askers > batches)
      settings.askers = batches;
    settings.max_batch = static_cast<int>(
        std::min<std::int64_t>(settings.max_batch, std::max<std::int64_t>(in_flight(wanted), 1)));
    return settings;
  }
  static std::int64_t in_flight(reservation const& wanted) {  // rows
    return std::int64_t{wanted.slots} * wanted.max_rows;
  }

  E inner_;
  queue_settings settings_;
  std::deque<evaluation_ticket> tickets_;  // (slots)
  std::unique_ptr<evaluation_queue<G, E>> queue_;
};

/// Positions of all threads meet in a queue, where a collector makes batches of them, processors evaluate
/// these, and a distributor hands out the answers. Engines that bring their own threads use `evaluation_queue` itself.
struct shared_queue {
  int games = 128;  ///< in flight, over all threads
  int groups = 2;   ///< a thread searches one group of its games while another is in the queue
  /// Rows of a batch. With several processors, set it to the rows in flight / processors at most: one takes up to this many of
  /// those that wait, and the others what it has left.
  int max_batch = 1024;
  /// How long a position may wait for others before its batch leaves, if a processor is idle by then.
  std::chrono::microseconds deadline{500};
  int processors = 1;  ///< threads that evaluate

  batch_plan plan(int threads) const {
    expects(games > 0, "shared_queue: games must be positive, got ", games);
    expects(groups > 0, "shared_queue: groups must be positive, got ", groups);
    expects(threads > 0, "shared_queue: threads must be positive, got ", threads);
    expects(max_batch > 0, "shared_queue: max_batch must be positive, got ", max_batch);
    // A group without a game would never ask, and the others' positions would wait for it until the deadline.
    int const with_games = std::clamp(games / threads, 1, groups);
    return {.games = games, .groups = with_games, .max_batch = max_batch};
  }
  std::string identity() const {
    return concat("shared_queue games=", games, " groups=", groups, " max_batch=", max_batch,
                  " deadline=", deadline.count(), "us processors=", processors);
  }

  /// Puts the queue between the workers and the evaluator.
  template <game G, class E>
  auto connect(E evaluator) const {
    static_assert(std::copyable<E>,
                  "batchmate::shared_queue: needs a copyable evaluator; wrap a device's in a handle");
    return queued_evaluator<G, E>(std::move(evaluator), {max_batch, deadline, processors, games});
  }
};

}  // namespace batchmate
