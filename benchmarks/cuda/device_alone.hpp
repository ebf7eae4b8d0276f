#pragma once

#include "../random_positions.hpp"

#include <batchmate/eval/batch_buffer.hpp>
#include <batchmate/net/layers.hpp>
#include <batchmate/net/random_network.hpp>

#include <common/cudnn.hpp>

#include <chrono>
#include <cstdint>
#include <vector>

namespace batchmate::benchmarks {

/// What the evaluator did in a stretch of time.
struct device_work {
  double boards = 0, batches = 0;
  double seconds = 0;
  evaluator_report report;  ///< the evaluator's own counts over the same time
};

/// An evaluator with several batches of random positions that are under way all the time, asked by one thread: what the
/// device can do if nobody has to wait for searches.
template <game G>
class device_alone {
 public:
  /// Batches of `rows` rows. The evaluator is not used by anyone else meanwhile.
  device_alone(common::cudnn_evaluator evaluator, int rows) : evaluator_(std::move(evaluator)), rows_(rows) {
    evaluator_.reserve({layout_of<G>(), in_flight, rows_});
    auto const positions = random_positions<G>(rows);
    for (int slot = 0; slot < in_flight; ++slot) {
      auto& buffer = buffers_.emplace_back(evaluator_, rows);
      for (int b = 0; b < rows; ++b) {
        G const& position = positions[static_cast<std::size_t>((b + 17 * slot) % rows)];
        buffer.rows()[b].legal = position.legal_actions();
        buffer.rows()[b].encode(position);
      }
    }
  }

  /// Works for so long, after a short warm-up.
  device_work run(double seconds) {
    work(0.2);
    evaluator_report const before = evaluator_.report();
    device_work done = work(seconds);
    done.report = evaluator_.report().since(before);
    return done;
  }

 private:
  static constexpr int in_flight = 4;

  device_work work(double seconds) {
    using clock = std::chrono::steady_clock;
    auto const begin = clock::now();
    auto const passed = [&] { return std::chrono::duration<double>(clock::now() - begin).count(); };
    device_work done;
    for (int slot = 0; slot < in_flight; ++slot)
      evaluator_.submit(slot, buffers_[static_cast<std::size_t>(slot)].view(0, rows_));
    for (int slot = 0; passed() < seconds; slot = (slot + 1) % in_flight) {
      evaluator_.wait(slot);
      ++done.batches;
      evaluator_.submit(slot, buffers_[static_cast<std::size_t>(slot)].view(0, rows_));
    }
    for (int slot = 0; slot < in_flight; ++slot) evaluator_.wait(slot);
    done.batches += in_flight;
    done.boards = done.batches * rows_;
    done.seconds = passed();
    return done;
  }

  common::cudnn_evaluator evaluator_;
  int rows_;
  std::vector<batch_buffer<G>> buffers_;  // (in_flight)
};

/// The network of a tower for a game.
template <game G>
network tower_for(int blocks, int channels) {
  return random_network({.input = G::input,
                         .num_globals = num_globals<G>,
                         .num_actions = G::num_actions,
                         .blocks = blocks,
                         .channels = channels},
                        1);
}

/// Floating-point operations of one position: two for each weight and cell it is used at, without padding.
inline double flops_of(network const& net) {
  double all = 0;
  for_each_layer(net, [&](std::string const&, auto const& layer) {
    double const uses = requires { layer.kernel; }
    ? net.input.cells() : 1;
    all += 2 * uses * static_cast<double>(layer.weights.size());
  });
  return all;
}

}  // namespace batchmate::benchmarks
