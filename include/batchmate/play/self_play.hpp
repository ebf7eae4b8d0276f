#pragma once

#include <batchmate/play/running.hpp>

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <utility>

namespace batchmate {

/// Plays games of G against itself, all searches of a batch asking the evaluator together.
///
/// Episode i is a function of the seed, i, the search and the evaluator's answers alone. Finished episodes
/// reach the sink in the order of their numbers, unless `run_options::in_order` is false. The parameters are not
/// constrained, so that the assertions can say what a type lacks.
template <class G, class S, class B, class E>
class self_play {
  static_assert(require_game<G>() && require_search<S, G>() && require_batching<B>() &&
                require_evaluator<E, G>());

 public:
  /// Games that start from `opening`.
  self_play(G opening, S search, B policy, E evaluator)
      : self_play(openings<G>{{opening}}, std::move(search), std::move(policy), std::move(evaluator)) {}

  /// Games that start from openings of all kinds.
  self_play(openings<G> opening, S search, B policy, E evaluator)
      : opening_(std::move(opening)),
        search_(std::move(search)),
        policy_(std::move(policy)),
        evaluator_(connect<G>(policy_, std::move(evaluator))) {
    opening_.check();
  }

  /// The most memory that a run with this many threads can take.
  memory_plan memory(int threads = 1) const {
    run_layout const l = layout(threads);
    auto const times = [](std::int64_t n, std::size_t bytes) { return static_cast<std::size_t>(n) * bytes; };
    memory_plan m;
    m.trees = times(l.plan.games, game_slot<G, S>::bytes(search_));
    m.episodes = times(l.plan.games + 1, G::max_plies * sizeof(sample<G>)) + most_waiting(l);
    m.batches = times(2 * l.batches(), batch_buffer<G>::bytes(l.rows_per_batch));
    m.evaluator = times(l.evaluators, memory_bytes(evaluator_, l.reserve(layout_of<G>())));
    return m;
  }

  /// Plays `options.episodes` games; `sink` is called with every `episode<G> const&`, or with every
  /// `sample<G> const&`, from worker threads or the one that called this, never by two at once. Blocks until done. An exception of the
  /// game, the search, the evaluator or the sink ends the run and is thrown here; `contract_error` if the
  /// memory limit is too small. `others` are runs that begun games come from and leave to.
  template <class Sink>
  statistics run(run_options const& options, Sink&& sink, relays<G> others = {}) {
    expects(options.episodes >= 0, "self_play: episodes must not be negative, got ", options.episodes);
    expects(options.stride > 0, "self_play: stride must be positive, got ", options.stride);
    run_layout const l = layout(options.threads);
    std::size_t const planned = memory(options.threads).total();
    expects(options.memory_limit == 0 || planned <= options.memory_limit, "self_play: ", l.plan.games,
            " games in flight can need ", planned, " bytes, the memory limit is ", options.memory_limit);
    running<G, S, connected> now(opening_, search_, evaluator_, l, options, most_waiting(l),
                                 as_episode_sink(sink), others);
    statistics done = now.play();
    done.planned_bytes = planned;
    return done;
  }

 private:
  using connected = decltype(connect<G>(std::declval<B const&>(), std::declval<E>()));

  run_layout layout(int threads) const {
    return {policy_.plan(threads), threads, search_.max_rows(), is_shared(evaluator_)};
  }

  /// Bytes of finished episodes that wait for an older one before none begins: as many of the longest as are in flight,
  /// or more shorter ones. The last to come in may exceed it.
  static std::size_t most_waiting(run_layout const& l) {
    return static_cast<std::size_t>(l.plan.games) * delivery<G>::bytes_of(G::max_plies);
  }

  template <class Sink>
  static std::function<void(episode<G> const&)> as_episode_sink(Sink& sink) {
    if constexpr (std::invocable<Sink&, episode<G> const&>) {
      return [&sink](episode<G> const& e) { sink(e); };
    } else {
      static_assert(
          std::invocable<Sink&, sample<G> const&>,
          "batchmate::self_play: the sink must take 'episode<Game> const&' or 'sample<Game> const&'");
      return [&sink](episode<G> const& e) {
        for (sample<G> const& s : e.samples) sink(s);
      };
    }
  }

  openings<G> opening_;
  S search_;
  B policy_;
  connected evaluator_;
};

}  // namespace batchmate
