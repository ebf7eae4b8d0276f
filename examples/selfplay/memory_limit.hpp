#pragma once

#include <batchmate/play/self_play.hpp>
#include <batchmate/search/any_search.hpp>

#include <common/searches.hpp>
#include <selfplay/report.hpp>

#include <bit>
#include <cstddef>
#include <string>
#include <utility>
#include <variant>

/// Stands for an evaluator where only its memory is asked for.
template <batchmate::game G>
struct evaluator_size {
  batchmate::any_evaluator<G> const* of;

  void submit(int, batchmate::batch<G> const&) const {}
  void wait(int) const {}
  std::string identity() const { return of->identity(); }
  bool is_shared() const { return of->is_shared(); }
  std::size_t memory_bytes(batchmate::reservation const& wanted) const { return of->memory_bytes(wanted); }
};

/// A batching policy with another plan than its own.
struct fixed_plan {
  batchmate::batch_plan wanted;
  batching_choice const* policy;
  batchmate::batch_plan plan(int) const { return wanted; }
  std::string identity() const { return "fixed"; }
  template <batchmate::game G>
  batchmate::any_evaluator<G> connect(batchmate::any_evaluator<G> evaluator) const {
    return policy->connect<G>(std::move(evaluator));
  }
};

/// What a run with this policy and plan can need, in bytes.
template <batchmate::game G>
std::size_t planned_bytes(batchmate::any_search<G> const& search, batching_choice const& batching,
                          batchmate::batch_plan const& plan, int threads,
                          batchmate::any_evaluator<G> const& evaluator) {
  batchmate::any_evaluator<G> size = evaluator_size<G>{&evaluator};
  return batchmate::self_play{G{}, search, fixed_plan{plan, &batching}, std::move(size)}
      .memory(threads)
      .total();
}

/// The most games in flight, up to the plan's, for which `needed(plan)` is at most `limit` bytes; 0 if not even one fits.
template <class Needed>
int games_that_fit(batchmate::batch_plan plan, std::size_t limit, Needed&& needed) {
  int const most = plan.games;
  int fitting = 0;
  for (int step = static_cast<int>(std::bit_floor(static_cast<unsigned>(most))); step > 0; step /= 2) {
    plan.games = fitting + step;
    if (plan.games <= most && needed(plan) <= limit) fitting += step;
  }
  return fitting;
}

/// What a process takes beside what is planned, in bytes: 2 MiB of buffers, texts and fragments, and for every thread
/// its stack and its share of the allocator's arenas and of the libraries' scratch (190 to 240 KiB were found).
inline std::size_t overhead_bytes(batching_choice const& batching, int threads, int resident) {
  auto const* const queue = std::get_if<batchmate::shared_queue>(&batching.policy);
  int const of_queue = queue ? queue->processors + 2 : 0;  // and its collector and distributor
  int const all = resident * (threads + of_queue);
  return (std::size_t{2} << 20) + static_cast<std::size_t>(all) * (std::size_t{256} << 10);
}

/// What the job can need, in bytes: `resident` runs at a time, and `fixed` bytes beside them. Where that is more than
/// the limit, takes fewer games in flight and says so in `note`; throws `batchmate::contract_error`, which says how
/// many would fit, if the number was asked for.
template <batchmate::game_with_text G>
std::size_t hold_to_limit(job& wanted, batching_choice& batching,
                          batchmate::any_evaluator<G> const& evaluator, std::size_t fixed, int resident,
                          std::string& note) {
  auto const search = common::search_of<G>(wanted.search);
  auto const plan = batching.plan(wanted.threads);
  auto const bytes = [&](batchmate::batch_plan const& of) {
    return fixed + static_cast<std::size_t>(resident) *
                       planned_bytes<G>(search, batching, of, wanted.threads, evaluator);
  };
  std::size_t const planned = bytes(plan);
  if (wanted.memory_limit == 0 || planned <= wanted.memory_limit) return planned;
  int const games = games_that_fit(plan, wanted.memory_limit, bytes);
  int const fewest = std::holds_alternative<batchmate::overlapped>(batching.policy) ? plan.groups : 1;
  bool const some_fit = games >= fewest;
  std::string needed = std::to_string(plan.games) + " games in flight can need " + bytes_text(planned);
  if (!some_fit) {
    auto least = plan;
    least.games = fewest;
    needed += ", " + std::to_string(least.games) + " can need " + bytes_text(bytes(least));
  }
  if (!some_fit || wanted.games)
    throw batchmate::contract_error("--memory-limit: " + needed + ", the limit is " +
                                    bytes_text(wanted.memory_limit) +
                                    (some_fit     ? "; --games " + std::to_string(games) + " would fit"
                                     : fewest > 1 ? "; not even one game a group would fit"
                                                  : "; not even one game in flight would fit"));
  wanted.games = games;
  batching = batching_of(wanted, evaluator.is_shared());
  std::size_t const now = bytes(batching.plan(wanted.threads));
  if (now > wanted.memory_limit)  // a policy whose games cannot be chosen
    throw batchmate::contract_error("--memory-limit: " + needed + ", the limit is " +
                                    bytes_text(wanted.memory_limit));
  note +=
      (note.empty() ? "" : "; ") + std::to_string(games) + " games in flight to stay within --memory-limit";
  return now;
}
