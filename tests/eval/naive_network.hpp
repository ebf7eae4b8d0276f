#pragma once

#include <batchmate/eval/batch.hpp>
#include <batchmate/net/network.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <vector>

/// The network once more, straight from its definition and in double precision.
namespace naive {

using numbers = std::vector<double>;

inline double at(std::vector<float> const& weights, int i) { return weights[static_cast<std::size_t>(i)]; }

inline numbers convolve(batchmate::convolution const& layer, numbers const& x, int height, int width) {
  numbers y;
  for (int k = 0; k < layer.outputs; ++k)
    for (int r = 0; r < height; ++r)
      for (int c = 0; c < width; ++c) {
        double sum = at(layer.bias, k);
        for (int i = 0; i < layer.inputs; ++i)
          for (int u = 0; u < layer.kernel; ++u)
            for (int v = 0; v < layer.kernel; ++v) {
              int const row = r + u - layer.kernel / 2, column = c + v - layer.kernel / 2;
              if (row < 0 || row >= height || column < 0 || column >= width) continue;
              sum += at(layer.weights, ((k * layer.inputs + i) * layer.kernel + u) * layer.kernel + v) *
                     x[static_cast<std::size_t>((i * height + row) * width + column)];
            }
        y.push_back(sum);
      }
  return y;
}

inline numbers relu(numbers x) {
  for (double& v : x) v = std::max(v, 0.0);
  return x;
}

inline numbers sum(numbers a, numbers const& b) {
  for (std::size_t i = 0; i < a.size(); ++i) a[i] += b[i];
  return a;
}

inline numbers dense(batchmate::dense_layer const& layer, numbers const& x) {
  numbers y;
  for (int o = 0; o < layer.outputs; ++o) {
    double total = at(layer.bias, o);
    for (int i = 0; i < layer.inputs; ++i)
      total += at(layer.weights, o * layer.inputs + i) * x[static_cast<std::size_t>(i)];
    y.push_back(total);
  }
  return y;
}

struct answer {
  double value;
  numbers priors;  // of the legal actions
};

/// The heads alone, from the tower's output (C, H, W).
template <class Legal>
answer heads(batchmate::network const& net, numbers const& x, Legal const& legal) {
  int const height = net.input.rows, width = net.input.columns;
  numbers const logits = dense(net.policy, relu(convolve(net.policy_conv, x, height, width)));
  numbers const out =
      dense(net.value, relu(dense(net.value_hidden, relu(convolve(net.value_conv, x, height, width)))));
  answer found{};
  double total = 0;
  legal.for_each([&](int a) { total += std::exp(logits[static_cast<std::size_t>(a)]); });
  legal.for_each(
      [&](int a) { found.priors.push_back(std::exp(logits[static_cast<std::size_t>(a)]) / total); });
  if (out.size() == 1)
    found.value = std::tanh(out[0]);
  else
    found.value =
        (std::exp(out[0]) - std::exp(out[2])) / (std::exp(out[0]) + std::exp(out[1]) + std::exp(out[2]));
  return found;
}

/// The whole network for one row.
template <class G>
answer evaluate(batchmate::network const& net, batchmate::row<G> const& row) {
  int const height = net.input.rows, width = net.input.columns;
  numbers input;
  for (int p = 0; p < net.input.planes; ++p)
    for (int r = 0; r < height; ++r)
      for (int c = 0; c < width; ++c) input.push_back(row.planes.test(p, r, c));
  if constexpr (batchmate::num_globals < G >> 0)
    for (int g = 0; g < net.num_globals; ++g)
      input.insert(input.end(), static_cast<std::size_t>(height * width),
                   row.globals[static_cast<std::size_t>(g)]);
  numbers x = relu(convolve(net.stem, input, height, width));
  for (auto const& block : net.blocks)
    x = relu(sum(convolve(block.second, relu(convolve(block.first, x, height, width)), height, width), x));
  return heads(net, x, row.legal);
}

}  // namespace naive
