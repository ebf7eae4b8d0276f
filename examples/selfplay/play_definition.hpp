#pragma once

#include <batchmate/play/self_play.hpp>

#include <common/evaluators.hpp>
#include <selfplay/output.hpp>
#include <selfplay/play.hpp>

#include <bit>
#include <chrono>
#include <cmath>
#include <string>
#include <type_traits>
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

/// A batching policy that has been worked out.
struct fixed_plan {
  batchmate::batch_plan wanted;
  batchmate::batch_plan plan(batchmate::batch_demand) const { return wanted; }
  std::string identity() const { return "fixed"; }
};

/// The most games in flight that a run may have within a limit of bytes, 0 if none.
template <batchmate::game G, class S>
int games_that_fit(S const& search, batchmate::batch_plan plan, int threads,
                   batchmate::any_evaluator<G> const& evaluator, std::size_t limit) {
  auto const fits = [&](int games) {
    plan.games = games;
    batchmate::self_play const smaller{G{}, search, fixed_plan{plan}, evaluator_size<G>{&evaluator}};
    return smaller.memory(threads).total() <= limit;
  };
  int fitting = 0;
  for (int step = std::bit_floor(static_cast<unsigned>(plan.games)); step > 0; step /= 2)
    if (fits(fitting + step)) fitting += step;
  return fitting;
}

/// Throws `batchmate::contract_error`, which says how many games would do, if the job needs more than its limit.
template <batchmate::game G, class S>
void check_memory(job const& wanted, S const& search, batchmate::batch_plan const& plan,
                  batchmate::any_evaluator<G> const& evaluator, std::size_t planned, std::size_t fixed) {
  if (wanted.memory_limit == 0 || planned <= wanted.memory_limit) return;
  std::size_t const left = wanted.memory_limit > fixed ? wanted.memory_limit - fixed : 0;
  int const games = games_that_fit<G>(search, plan, wanted.threads, evaluator, left);
  throw batchmate::contract_error("--memory-limit: " + std::to_string(plan.games) +
                                  " games in flight can need " + bytes_text(planned) + ", the limit is " +
                                  bytes_text(wanted.memory_limit) +
                                  (games > 0 ? "; --games " + std::to_string(games) + " would fit"
                                             : "; not even one game in flight would fit"));
}

/// Plays with a search whose type is known.
template <batchmate::game G, class S>
run_result play_with(job const& wanted, S const& search, common::chosen_evaluator<G> chosen, std::FILE* text,
                     std::stop_token stop) {
  batching_choice const batching = batching_of(wanted, chosen.evaluator.is_shared());
  run_result result;
  result.facts = {chosen.network, chosen.evaluator.identity(), chosen.note, search.identity(),
                  batching.identity()};
  batchmate::shard_settings const shards{wanted.out, wanted.shard_rows, result.facts.evaluator,
                                         result.facts.search, wanted.seed};
  batchmate::self_play players{G{}, search, batching, std::move(chosen.evaluator)};
  std::size_t const buffered = wanted.out.empty() ? 0 : batchmate::row_writer<G>::bytes(shards);
  result.facts.planned_bytes = players.memory(wanted.threads).total() + buffered;
  check_memory<G>(wanted, search, batching.plan({wanted.threads, search.max_rows()}), players.evaluator(),
                  result.facts.planned_bytes, buffered);

  output<G> files(wanted, shards);
  print_head(text, wanted, result.facts);
  progress_lines progress(text, wanted);
  batchmate::run_options options{.episodes = wanted.episodes, .seed = wanted.seed, .threads = wanted.threads};
  options.stop = std::move(stop);
  if (progress.seconds() > 0) {
    options.progress_every = std::chrono::milliseconds(std::lround(std::ceil(1000 * progress.seconds())));
    options.progress = [&](batchmate::statistics const& now) { progress(now); };
  }
  try {
    result.done = players.run(options, files);
  } catch (...) {
    progress.clear();
    try {
      files.finish();
    } catch (batchmate::file_error const&) {  // the first failure is the one to tell
    }
    throw;
  }
  progress.clear();
  files.finish();
  result.shards = files.shards();
  return result;
}

template <batchmate::game G>
run_result play(job const& wanted, std::FILE* text, std::stop_token stop) {
  auto chosen = common::make_evaluator<G>(wanted.evaluator);
  return std::visit(
      [&](auto const& search) {
        return play_with<G>(wanted, search, std::move(chosen), text, std::move(stop));
      },
      wanted.search);
}
