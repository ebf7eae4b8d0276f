#include "toy_board.hpp"

#include <batchmate/cpu/activations.hpp>
#include <batchmate/cpu/tower.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <random>
#include <vector>

namespace bm = batchmate;

namespace {

using image = std::vector<float>;  // (H, W, C)

/// relu(layer(from) + skip), in plain loops.
image convolve(bm::convolution const& layer, int height, int width, image const& from, image const* skip) {
  image to(static_cast<std::size_t>(height * width * layer.outputs));
  auto const index = [](int i) { return static_cast<std::size_t>(i); };
  int const half = layer.kernel / 2;
  for (int y = 0; y < height; ++y)
    for (int x = 0; x < width; ++x)
      for (int k = 0; k < layer.outputs; ++k) {
        double sum = layer.bias[index(k)];
        for (int c = 0; c < layer.inputs; ++c)
          for (int r = 0; r < layer.kernel; ++r)
            for (int s = 0; s < layer.kernel; ++s) {
              int const v = y + r - half, u = x + s - half;
              if (v < 0 || v >= height || u < 0 || u >= width) continue;
              sum += static_cast<double>(from[index((v * width + u) * layer.inputs + c)]) *
                     layer.weights[index(((k * layer.inputs + c) * layer.kernel + r) * layer.kernel + s)];
            }
        std::size_t const at = index((y * width + x) * layer.outputs + k);
        to[at] = static_cast<float>(std::max(0.0, sum + (skip ? static_cast<double>((*skip)[at]) : 0.0)));
      }
  return to;
}

image tower_in_loops(bm::network const& net, image x) {
  int const h = net.input.rows, w = net.input.columns;
  x = convolve(net.stem, h, w, x, nullptr);
  for (auto const& block : net.blocks)
    x = convolve(block.second, h, w, convolve(block.first, h, w, x, nullptr), &x);
  return x;
}

}  // namespace

TEST_CASE("the tower computes what plain loops compute, for every number of rows up to its chunk") {
  using game = toys::toy_board<3, 6, 5, 4>;
  for (int channels : {8, 20, 32}) {
    CAPTURE(channels);
    bm::network const net = toys::network_for<game>(2, channels, 3, 5);
    bm::cpu::tower const tower(net, bm::cpu::precision::fp32, 5);
    CHECK(tower.max_rows() == 5);
    CHECK(tower.memory_bytes() >= net.blocks.size() * 2 * net.blocks[0].first.weights.size() * sizeof(float));
    bm::cpu::tower_workspace workspace(tower, 5);
    std::mt19937 random(1);
    for (int rows = 1; rows <= 5; ++rows) {
      std::size_t const in = static_cast<std::size_t>(tower.cells() * tower.inputs());
      std::size_t const out = static_cast<std::size_t>(tower.cells() * channels);
      std::vector<image> inputs(static_cast<std::size_t>(rows), image(in));
      for (std::size_t r = 0; r < inputs.size(); ++r) {
        for (float& x : inputs[r]) x = static_cast<float>(random() % 2);
        std::memcpy(static_cast<float*>(workspace.input()) + r * in, inputs[r].data(), in * sizeof(float));
      }
      bm::cpu::single_threaded const alone;
      tower.run(workspace, rows);
      for (std::size_t r = 0; r < inputs.size(); ++r) {
        image const expected = tower_in_loops(net, inputs[r]);
        float const* const found = static_cast<float const*>(workspace.output()) + r * out;
        float worst = 0;
        for (std::size_t i = 0; i < out; ++i) worst = std::max(worst, std::abs(found[i] - expected[i]));
        CHECK(worst < 1e-4f);
      }
    }
  }
}

TEST_CASE("a tower without blocks is its stem") {
  using game = toys::toy_board<2, 3, 3, 4>;
  bm::network const net = toys::network_for<game>(0, 16, 1, 6);
  bm::cpu::tower const tower(net, bm::cpu::precision::fp32, 1);
  bm::cpu::tower_workspace workspace(tower, 1);
  image const input(18, 1.0f);
  std::memcpy(workspace.input(), input.data(), input.size() * sizeof(float));
  bm::cpu::single_threaded const alone;
  tower.run(workspace, 1);
  image const expected = tower_in_loops(net, input);
  for (std::size_t i = 0; i < expected.size(); ++i)
    CHECK(static_cast<float const*>(workspace.output())[i] == doctest::Approx(expected[i]).epsilon(1e-5));
}

TEST_CASE("rows go through the tower in chunks of up to 16, or of a multiple of 16") {
  using game = toys::toy_board<3, 6, 5, 4>;
  CHECK(bm::cpu::tower::chunk(1, 48) == 1);
  CHECK(bm::cpu::tower::chunk(16, 48) == 16);
  CHECK(bm::cpu::tower::chunk(31, 48) == 16);
  CHECK(bm::cpu::tower::chunk(57, 48) == 48);
  CHECK(bm::cpu::tower::chunk(57, 7) == 7);
  bm::cpu::tower const tower(toys::network_for<game>(1, 8, 3, 5), bm::cpu::precision::fp32, 40);
  CHECK(tower.max_rows() == 32);
  CHECK(bm::cpu::tower_workspace(tower, 32).max_rows() == 32);
  CHECK(bm::cpu::tower_workspace(tower, 9).max_rows() == 9);
}
