#pragma once

#include <batchmate/play/layout.hpp>
#include <batchmate/play/options.hpp>
#include <batchmate/play/worker.hpp>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <deque>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

namespace batchmate {

/// One run of self-play from its first thread to its last: what `self_play::run` sets up and waits for.
template <game G, search_for<G> S, evaluator_for<G> E>
class running {
 public:
  /// Allocates everything; `evaluator` is used itself if it is shared, else copied for every thread.
  running(openings<G> const& opening, S const& search, E& evaluator, run_layout const& layout,
          run_options const& options, std::size_t most_waiting, std::function<void(episode<G> const&)> sink,
          relays<G> others = {})
      : options_(options),
        others_(others),
        layout_(layout),
        opening_(opening),
        episodes_(options, most_waiting, std::move(sink)),
        counters_(static_cast<std::size_t>(layout.threads)) {
    bool const shared = is_shared(evaluator);
    if (!shared) {
      if constexpr (std::copyable<E>)
        for (int w = 0; w < layout.threads; ++w) copies_.push_back(evaluator);
      else
        throw contract_error("evaluator: must be copyable, as every worker has its own, or say is_shared()");
    }
    for (int w = 0; w < layout.threads; ++w)
      evaluators_.push_back(shared ? &evaluator : &copies_[static_cast<std::size_t>(w)]);
    for (int i = 0; i < layout.evaluators; ++i)
      reserve(*evaluators_[static_cast<std::size_t>(i)], layout.reserve(layout_of<G>()));
    make_groups(shared);
    for (int w = 0; w < layout.threads; ++w) make_worker(w, search);
    before_ = report_of_evaluators();
  }

  /// Plays all episodes, calling the progress function meanwhile.
  statistics play() {
    begin_ = last_batch_ = std::chrono::steady_clock::now();
    alive_ = layout_.threads;
    {
      std::vector<std::jthread> threads;
      try {
        for (auto& w : workers_) threads.emplace_back([this, &w] { work(*w); });
      } catch (...) {  // no more threads to be had
        fail(std::current_exception());
        std::lock_guard lock(mutex_);
        alive_ -= layout_.threads - static_cast<int>(threads.size());
      }
      watch();
    }
    if (failure_) {
      for (std::size_t g = 0; g < groups_.size(); ++g) groups_[g].drain(evaluator_of(g));
      hand_over_finished();
      std::rethrow_exception(failure_);
    }
    episodes_.flush();
    return count();
  }

 private:
  /// What is finished reaches the sink even if the run has failed, unless it is the sink that fails.
  void hand_over_finished() {
    try {
      episodes_.flush();
    } catch (...) {  // the first failure is the one to report
    }
  }

  /// The evaluator of group g, counted over all owners.
  E& evaluator_of(std::size_t g) { return *evaluators_[g / static_cast<std::size_t>(layout_.plan.groups)]; }

  void make_groups(bool shared) {
    int const per_batch = layout_.workers_per_batch;
    for (int owner = 0; owner < layout_.threads / per_batch; ++owner)
      for (int g = 0; g < layout_.plan.groups; ++g)
        groups_.emplace_back(evaluator_of(groups_.size()), 2 * (shared ? owner * layout_.plan.groups + g : g),
                             per_batch, layout_.rows_per_batch);
  }

  void make_worker(int w, S const& search) {
    int const owner = w / layout_.workers_per_batch;
    std::vector<batch_group<G>*> mine;
    for (int g = 0; g < layout_.plan.groups; ++g)
      mine.push_back(&groups_[static_cast<std::size_t>(owner * layout_.plan.groups + g)]);
    workers_.push_back(std::make_unique<worker<G, S, E>>(
        w % layout_.workers_per_batch, layout_.games_of(w), search, *evaluators_[static_cast<std::size_t>(w)],
        std::move(mine),
        run_state<G>{episodes_, random_key{options_.seed}, options_.network, options_.play_through, opening_,
                     options_.stop, others_},
        counters_[static_cast<std::size_t>(w)]));
  }

  void work(worker<G, S, E>& w) {
    try {
      w.run();
    } catch (...) {
      fail(std::current_exception());
    }
    std::lock_guard lock(mutex_);
    if (--alive_ == 0) ended_.notify_all();
  }

  /// Lets all workers end; the first failure is the one that the run throws.
  void fail(std::exception_ptr why) {
    {
      std::lock_guard lock(mutex_);
      if (!failure_) failure_ = std::move(why);
    }
    for (auto& g : groups_) g.give_up();
  }

  /// Waits for the workers; an exception of the progress function fails the run like one of theirs.
  void watch() {
    auto every = std::max(options_.progress_every, std::chrono::milliseconds(1));
    if (options_.stalled_after.count() > 0) every = std::min(every, options_.stalled_after);
    std::unique_lock lock(mutex_);
    while (!ended_.wait_for(lock, every, [this] { return alive_ == 0; })) {
      if (failure_) continue;
      lock.unlock();
      try {
        if (options_.progress) options_.progress(count());
        watch_for_stall();
      } catch (...) {
        fail(std::current_exception());
      }
      lock.lock();
    }
  }

  /// Reports once for every time that no batch has been evaluated for long.
  void watch_for_stall() {
    if (options_.stalled_after.count() == 0 || !options_.stalled) return;
    auto const now = std::chrono::steady_clock::now();
    std::uint64_t boards = 0;
    for (worker_counters const& c : counters_) boards += c.boards.value();
    if (boards != boards_seen_) {
      boards_seen_ = boards;
      last_batch_ = now;
    } else if (now - last_batch_ >= options_.stalled_after) {
      std::vector<activity> at;
      for (worker_counters const& c : counters_) at.push_back(c.now.load(std::memory_order_relaxed));
      last_batch_ = now;
      options_.stalled(at);
    }
  }

  evaluator_report report_of_evaluators() const {
    evaluator_report all;
    for (int i = 0; i < layout_.evaluators; ++i) all += report(*evaluators_[static_cast<std::size_t>(i)]);
    return all;
  }

  statistics count() const {
    statistics s = episodes_.count();
    s.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin_).count();
    double search = 0, encoding = 0, evaluator = 0, waiting = 0;
    for (worker_counters const& c : counters_) {
      s.boards += c.boards.value();
      s.batches += c.batches.value();
      s.simulations += c.simulations.value();
      search += static_cast<double>(c.search.value());
      encoding += static_cast<double>(c.encoding.value());
      evaluator += static_cast<double>(c.evaluator.value());
      waiting += static_cast<double>(c.waiting.value());
    }
    if (double const all = search + encoding + evaluator + waiting; all > 0) {
      s.search_share = search / all;
      s.encoding_share = encoding / all;
      s.evaluator_share = evaluator / all;
      s.waiting_share = waiting / all;
    }
    s.evaluator = report_of_evaluators().since(before_);
    if (s.evaluator.batches > 0) s.batches = s.evaluator.batches;
    return s;
  }

  run_options const& options_;
  relays<G> const others_;
  run_layout const layout_;
  openings<G> const opening_;
  delivery<G> episodes_;
  std::deque<worker_counters> counters_;                   // (threads)
  std::deque<E> copies_;                                   // (threads), none if the evaluator is shared
  std::vector<E*> evaluators_;                             // (threads)
  std::deque<batch_group<G>> groups_;                      // (owners, groups)
  std::vector<std::unique_ptr<worker<G, S, E>>> workers_;  // (threads)
  std::mutex mutex_;
  std::condition_variable ended_;
  std::exception_ptr failure_;  // the first one
  int alive_ = 0;
  std::uint64_t boards_seen_ = 0;  // by the watch for stalls, and when they changed last
  std::chrono::steady_clock::time_point last_batch_ = std::chrono::steady_clock::now();
  evaluator_report before_;  // what the evaluators had counted when the run began
  std::chrono::steady_clock::time_point begin_ = std::chrono::steady_clock::now();
};

}  // namespace batchmate
