#pragma once

#include <batchmate/core/clock.hpp>
#include <batchmate/play/game_slot.hpp>
#include <batchmate/play/group.hpp>
#include <batchmate/play/openings.hpp>
#include <batchmate/play/relay.hpp>

#include <chrono>
#include <cstdint>
#include <memory>
#include <stop_token>
#include <thread>
#include <utility>
#include <vector>

namespace batchmate {

/// What all workers of a run share.
template <game G>
struct run_state {
  delivery<G>& episodes;       ///< numbers to begin, and where finished ones go
  random_key seed;             ///< of the run
  int network;                 ///< noted in every sample
  float play_through;          ///< share of the games without resignation
  openings<G> const& opening;  ///< the episodes' first positions
  std::stop_token stop;        ///< when requested, games are given up at their next step
  relays<G> others{};          ///< runs that games come from and leave to
};

/// One thread's share of a run: its games, dealt to groups, and the loop over them.
template <game G, search_for<G> S, evaluator_for<G> E>
class worker {
 public:
  /// Worker `index` with `games` games in all `groups`, which outlive it as the evaluator does.
  worker(int index, int games, S const& search, E& evaluator, std::vector<batch_group<G>*> groups,
         run_state<G> run, worker_counters& counters)
      : index_(index), evaluator_(evaluator), run_(std::move(run)), counters_(counters) {
    int const count = static_cast<int>(groups.size());
    for (int g = 0; g < count; ++g) {
      auto& mine = groups_.emplace_back(groups[static_cast<std::size_t>(g)]);
      int const share = games / count + (g < games % count);
      for (int i = 0; i < share; ++i) mine.slots.push_back(std::make_unique<game_slot<G, S>>(search));
      mine.over = share == 0 && mine.group->is_private();
    }
  }

  /// Plays until no episode is left.
  void run() {
    for (bool busy = true; busy;) {
      busy = has_rows_ = closed_empty_ = false;
      for (share_of_group& g : groups_) busy |= step(g);
      if (!busy || has_rows_ || !closed_empty_) continue;
      // Nothing to do until another worker's game ends: leave it the processor.
      is_at(activity::awaiting_episodes);
      std::uint64_t const begin = ticks();
      std::this_thread::sleep_for(std::chrono::microseconds(50));
      counters_.waiting += ticks() - begin;
    }
    is_at(activity::ended);
  }

 private:
  struct share_of_group {
    explicit share_of_group(batch_group<G>* shared) : group(shared) {}
    batch_group<G>* group;
    std::vector<std::unique_ptr<game_slot<G, S>>> slots;
    std::size_t next_slot = 0;  // where the last step stopped for want of rows
    std::uint64_t step = 0;
    bool over = false;
  };

  void is_at(activity what) { counters_.now.store(what, std::memory_order_relaxed); }

  /// One step of this worker's games of a group; false once the group's work is over.
  bool step(share_of_group& g) {
    if (g.over) return false;
    std::uint64_t const begin = ticks();
    is_at(activity::awaiting_workers);
    if (!g.group->meet(g.step)) {
      g.over = true;
      return false;
    }
    is_at(activity::awaiting_answers);
    g.group->wait(evaluator_, g.step);
    is_at(activity::searching);
    std::uint64_t const waited = ticks();
    row_range<G> rows = g.group->free_rows(index_, g.step);
    search(g, rows);
    is_at(activity::encoding);
    std::uint64_t const searched = ticks();
    if (needs_planes(evaluator_)) rows.encode(moves_rows(evaluator_));
    is_at(activity::submitting);
    std::uint64_t const encoded = ticks();
    auto const nothing_left = [this] {
      return run_.stop.stop_requested() ||
             (run_.episodes.exhausted() && (!run_.others.from || run_.others.from->is_done()));
    };
    int const submitted = g.group->arrive(evaluator_, index_, rows.used(), g.step++, nothing_left);
    counters_.boards += static_cast<std::uint64_t>(rows.used());
    counters_.batches += submitted > 0;
    counters_.waiting += waited - begin;
    counters_.search += searched - waited;
    counters_.encoding += encoded - searched;
    counters_.evaluator += ticks() - encoded;
    has_rows_ |= rows.used() > 0 || submitted > 0;
    closed_empty_ |= submitted == 0;
    return true;
  }

  /// Lets every game take its answers and go on, as far as rows are free.
  void search(share_of_group& g, row_range<G>& rows) {
    std::size_t const count = g.slots.size();
    batch<G> const answered = g.group->answered(index_, g.step);
    bool const stopping = run_.stop.stop_requested();
    std::size_t stopped_at = g.next_slot;
    none_to_begin_ = false;
    for (std::size_t i = 0, s = g.next_slot; i < count; ++i, s = s + 1 == count ? 0 : s + 1) {
      game_slot<G, S>& slot = *g.slots[s];
      if (slot.waiting()) slot.absorb(answered, evaluator_);
      if (stopping) {
        if (slot.active()) {
          slot.abandon();
          run_.episodes.give_up();
        }
      } else if (!rows.full()) {
        go_on(slot, rows);
        stopped_at = s;
      }
    }
    // The game after the one that took the last row comes first next time, so that none starves.
    g.next_slot = rows.full() && stopped_at + 1 < count ? stopped_at + 1 : 0;
  }

  void go_on(game_slot<G, S>& slot, row_range<G>& rows) {
    bool const leaving = run_.others.to && run_.others.to->is_open();
    for (;;) {
      if (!slot.active() && (none_to_begin_ || !begin(slot))) {
        none_to_begin_ = true;  // the other idle slots need not ask
        return;
      }
      bool const over = slot.advance(rows, counters_, leaving);
      if (over) {
        run_.episodes.finish(slot.finished());
        none_to_begin_ = false;
      } else if (leaving && slot.between_moves()) {
        run_.others.to->leave(slot.leave());
        run_.episodes.give_up();
      } else {
        return;
      }
    }
  }

  /// Gives the slot a game, if there is one.
  bool begin(game_slot<G, S>& slot) {
    if (run_.others.from && !run_.others.from->is_done()) {
      auto begun = run_.others.from->take();
      if (!begun) return false;  // games that are under way come first
      auto const plan = plan_of(begun->number);
      slot.resume(std::move(*begun), plan);
      run_.episodes.take_over();
      return true;
    }
    auto const number = run_.episodes.begin();
    if (!number) return false;
    slot.start(*number, plan_of(*number));
    return true;
  }

  episode_plan<G> plan_of(std::int64_t number) const {
    random_key const key = run_.seed.split(static_cast<std::uint64_t>(number));
    return {key, run_.opening(run_.seed, number), run_.network,
            random_stream(key.split(purpose::resignation)).uniform() >= run_.play_through};
  }

  int index_;  // which of the group's ranges is this worker's
  E& evaluator_;
  run_state<G> run_;
  worker_counters& counters_;
  std::vector<share_of_group> groups_;
  bool none_to_begin_ = false;  // in this step, as far as is known
  // Since the round began.
  bool has_rows_ = false;      // some group has had rows, as far as this worker knows
  bool closed_empty_ = false;  // it was the last to arrive in a step without any
};

}  // namespace batchmate
