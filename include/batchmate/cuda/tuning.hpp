#pragma once

#include <batchmate/core/random.hpp>
#include <batchmate/cuda/buckets.hpp>
#include <batchmate/cuda/choice.hpp>
#include <batchmate/cuda/resources.hpp>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <functional>
#include <optional>
#include <span>
#include <vector>

namespace batchmate::cuda {

/// A candidate and how long it took.
struct timed_choice {
  layer of = layer::stem;   ///< the convolution that it computed
  engine_choice choice;     ///< the candidate
  int rows = 0;             ///< of the batch: the candidate's own bucket
  double microseconds = 0;  ///< one convolution, the median of all repeats; negative if it does not run

  double a_row() const { return microseconds / rows; }  ///< microseconds
};

/// How `tune` works.
struct tuning_options {
  int device = 0;   ///< CUDA's number
  int rows = 1199;  ///< of the batch that is timed; the next bucket is taken
  /// The batch sizes, ascending, that an evaluator has if the blocks' convolutions are computed so: a plan has to serve
  /// those that come of it. Not set: `rows` alone.
  std::function<std::vector<int>(engine_choice const&)> buckets{};
  int repeats = 30;                                     ///< timings of each candidate
  std::function<void(timed_choice const&)> progress{};  ///< told of every candidate, if set
};

/// Device memory filled with numbers as activations have them: a chip runs faster on zeros than on real data.
inline device_bytes random_numbers(std::size_t count, precision elements, cudaStream_t on) {
  return with_element(elements, [&]<class Element>(Element) {
    std::vector<Element> numbers(std::min<std::size_t>(count, 1 << 20));
    random_stream random(random_key{count});
    for (auto& x : numbers) x = narrow<Element>(0.1f * (random.uniform() - 0.5f));
    device_bytes made = allocate_device(count * sizeof(Element));
    for (std::size_t done = 0; done < count; done += numbers.size())
      check(cudaMemcpyAsync(made.get() + done * sizeof(Element), numbers.data(),
                            std::min(numbers.size(), count - done) * sizeof(Element), cudaMemcpyHostToDevice,
                            on),
            "cudaMemcpyAsync of random numbers");
    check(cudaStreamSynchronize(on), "cudaStreamSynchronize");
    return made;
  });
}

/// Times convolutions of one shape on the current device in a graph, as an evaluator runs them. What they write they do not
/// read: numbers that go round would grow until they are not finite, which a device may multiply faster than others.
class convolution_timer {
 public:
  /// Allocates the tensors.
  explicit convolution_timer(convolution_extents const& e)
      : extents_(e), stream_(make_stream()), handle_(make_cudnn_handle()) {
    std::size_t const places =
        static_cast<std::size_t>(e.rows) * static_cast<std::size_t>(e.height * e.width);
    auto const numbers = [&](std::size_t count) { return random_numbers(count, e.elements, stream_.get()); };
    std::size_t const inputs = static_cast<std::size_t>(e.inputs),
                      outputs = static_cast<std::size_t>(e.outputs);
    for (int i = 0; i < 2; ++i) inputs_.push_back(numbers(places * inputs));
    for (int i = 0; i < 2; ++i) boards_.push_back(numbers(places * outputs));
    weights_ = numbers(inputs * outputs * static_cast<std::size_t>(e.kernel * e.kernel));
    bias_ = numbers(outputs);
    workspace_ = allocate_device(max_workspace_bytes);
    check(cudnnSetStream(handle_.get(), stream_.get()), "cudnnSetStream");
  }

  int rows() const { return extents_.rows; }  ///< of the batch

  /// Microseconds of one convolution by a choice, the median of `repeats` launches; negative if it does not run.
  double operator()(engine_choice const& choice, int repeats) {
    auto const plan = convolution_plan::make(plan_target(handle_.get()), extents_, choice);
    if (!plan || plan->workspace_bytes() > max_workspace_bytes) return -1;
    auto const all = [&] {
      for (std::size_t i = 0; i < in_graph; ++i)
        plan->run(handle_.get(), inputs_[i % 2].get(), weights_.get(),
                  extents_.residual ? boards_[0].get() : nullptr, bias_.get(), boards_[1].get(),
                  workspace_.get());
    };
    try {
      all();
    } catch (error const&) {  // cuDNN made a plan of it, and does not run it
      return -1;
    }
    check(cudaStreamSynchronize(stream_.get()), "cudaStreamSynchronize");
    auto const all_at_once = capture(stream_.get(), all);
    auto const from = make_event(cudaEventDefault), to = make_event(cudaEventDefault);
    using clock = std::chrono::steady_clock;
    for (auto const from_now = clock::now(); !warm_; warm_ = clock::now() - from_now >= warm_up_time) {
      check(cudaGraphLaunch(all_at_once.get(), stream_.get()), "cudaGraphLaunch");
      check(cudaStreamSynchronize(stream_.get()), "cudaStreamSynchronize");
    }
    std::vector<double> times;
    constexpr int warm_up = 3;
    for (int i = -warm_up; i < repeats; ++i) {
      check(cudaEventRecord(from.get(), stream_.get()), "cudaEventRecord");
      check(cudaGraphLaunch(all_at_once.get(), stream_.get()), "cudaGraphLaunch");
      check(cudaEventRecord(to.get(), stream_.get()), "cudaEventRecord");
      check(cudaEventSynchronize(to.get()), "cudaEventSynchronize");
      float milliseconds = 0;
      check(cudaEventElapsedTime(&milliseconds, from.get(), to.get()), "cudaEventElapsedTime");
      if (i >= 0) times.push_back(1000.0 * static_cast<double>(milliseconds) / in_graph);
    }
    std::nth_element(times.begin(), times.begin() + repeats / 2, times.end());
    return times[static_cast<std::size_t>(repeats / 2)];
  }

 private:
  static constexpr int in_graph = 12;  // convolutions a launch
  static constexpr std::chrono::milliseconds warm_up_time{
      500};  // before the first, until the chip has its usual clock

  convolution_extents extents_;
  bool warm_ = false;
  std::vector<device_bytes> inputs_;  // (2) of (N, H, W, C), which take turns
  std::vector<device_bytes> boards_;  // (2) of (N, H, W, K): residual, output
  device_bytes weights_, bias_, workspace_;
  stream stream_;        // after the memory, so that it finishes before that goes
  cudnn_handle handle_;  // goes before the stream that it has
};

/// All choices for a layer that are pinned, or proposed for some of the numbers of rows, without repetition. What would
/// split sums is taken without: among those are the tiles without clusters, which leave no multiprocessor idle.
inline std::vector<engine_choice> choices_for(plan_target const& target, tower_shape const& t, layer l,
                                              std::span<int const> rows) {
  std::vector<engine_choice> all;
  auto const add = [&](engine_choice const& c) {
    if (std::find(all.begin(), all.end(), c) == all.end()) all.push_back(c);
  };
  if (auto const pinned = pinned_choice(t)) add(*pinned);
  for (std::size_t n = 1; n <= rows.size(); ++n) {
    for (auto const& each : candidates(target, t, l, rows.first(n))) add(each);
    if (t.elements == precision::fp32) continue;  // whose proposals of this engine would be in TF32
    for (auto& each : propose_engines(target, extents_of(t, l, rows[n - 1]))) {
      for (knob& k : each.choice.knobs)
        if (k.type == CUDNN_KNOB_TYPE_WORKSPACE) k.value = 1;
      if (each.choice.engine == pinned_engine && !each.compiled_at_run_time && sums_in_one_order(each.choice))
        add(each.choice);
    }
  }
  return all;
}

/// The plan that is fastest on this very device. Times every candidate, which takes seconds to a minute, so this is
/// never done by the way: two runs may find different plans, and a different plan gives other games. Keep the
/// answer as text (`text_of`) and give it to `cudnn_options::plan`. Throws `contract_error` where there is no device,
/// `evaluation_error` where nothing serves.
inline tower_plan tune(tower_shape const& t, tuning_options const& options = {}) {
  expects(options.repeats > 0 && options.rows > 0, "cudnn: tuning needs positive repeats and rows");
  std::string why_not;
  auto const all = devices(&why_not);
  auto const where =
      std::find_if(all.begin(), all.end(), [&](auto const& d) { return d.number == options.device; });
  expects(where != all.end(), "cudnn: no device ", options.device, " to tune for",
          why_not.empty() ? "" : ": ", why_not);
  auto const buckets_of = [&](engine_choice const& inner) {
    auto const sizes = options.buckets ? options.buckets(inner) : std::vector{options.rows};
    expects(!sizes.empty(), "cudnn: tuning needs batch sizes");
    return sizes;
  };
  return on_device(options.device, [&] {
    auto const handle = make_cudnn_handle();
    plan_target const target(handle.get());
    tower_plan plan{cudnn_version(), "tuned", {}};
    std::vector<int> buckets = buckets_of(pinned_choice(t).value_or(engine_choice{}));
    // The blocks' second convolution comes first: it decides the buckets of them all.
    for (layer const l : {layer::second, layer::first, layer::stem, layer::head}) {
      std::optional<convolution_timer> timer;
      timed_choice best{l, {}, 0, -1};
      for (auto const& each : choices_for(target, t, l, buckets)) {
        auto const served = l == layer::second ? buckets_of(each) : buckets;
        if (!works_for_all(target, t, l, each, served)) continue;
        int const rows = served[bucket_for(served, options.rows)];
        if (!timer || timer->rows() != rows) timer.emplace(extents_of(t, l, rows));
        timed_choice const now{l, each, rows, (*timer)(each, options.repeats)};
        if (options.progress) options.progress(now);
        if (now.microseconds >= 0 && (best.microseconds < 0 || now.a_row() < best.a_row())) best = now;
      }
      if (best.microseconds < 0)
        throw evaluation_error(
            concat("cudnn: no engine computes the ", name_of(l), " convolution on ", where->name));
      plan.of(l) = best.choice;
      if (l == layer::second) buckets = buckets_of(best.choice);
    }
    return plan;
  });
}

}  // namespace batchmate::cuda
