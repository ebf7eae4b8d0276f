#include <batchmate/cuda/kernels.hpp>

#include "device.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <vector>

namespace bm = batchmate;
using namespace bm::cuda;

namespace {

using position = random_position<11, 6, 13, 200, 3>;

template <class T>
T* at(device_bytes const& memory) {
  return reinterpret_cast<T*>(memory.get());
}

std::vector<float> random_floats(std::size_t count, std::uint64_t seed) {
  bm::random_stream random(bm::random_key{seed});
  std::vector<float> all(count);
  for (auto& x : all) x = random.uniform() - 0.5f;
  return all;
}

/// Logits, hidden outputs and weights of a value layer, and what the kernel `answer` makes of them.
struct answered {
  static constexpr int count = 9, hidden_size = 70, stride = 256;

  answered() : batch(numbered_positions<position>(count)) {}

  /// Runs the kernel; returns the fault it told of.
  unsigned long long run() {
    auto const on = make_stream();
    auto const rows = on_gpu(batch.rows), logits_there = on_gpu(logits), hidden_there = on_gpu(hidden),
               weights_there = on_gpu(weights), bias_there = on_gpu(bias);
    auto const to_values = allocate_device(count * sizeof(float)),
               to_priors = allocate_device(count * 200 * sizeof(float)),
               times = allocate_device(sizeof(receipt));
    kernels::answer_arguments const arguments{at<std::uint64_t const>(rows),
                                              bm::layout_of<position>(),
                                              count,
                                              at<float const>(logits_there),
                                              stride,
                                              at<float const>(hidden_there),
                                              hidden_size,
                                              hidden_size,
                                              at<float const>(weights_there),
                                              at<float const>(bias_there),
                                              3,
                                              {},
                                              nullptr,
                                              at<float>(to_values),
                                              at<float>(to_priors),
                                              at<receipt>(times)};
    kernels::launch("begin", kernels::begin<>, 1, 1, on.get(), at<receipt>(times));
    kernels::launch("answer", kernels::answer<>, kernels::blocks_for(count * lanes, 128), 128, on.get(),
                    arguments);
    values = from_gpu<float>(to_values.get(), count, on.get());
    priors = from_gpu<float>(to_priors.get(), count * 200, on.get());
    return from_gpu<receipt>(times.get(), 1, on.get())[0].fault;
  }
  /// The value of a row by the host's arithmetic.
  float value(int b) const {
    float part[lanes], outputs[3];
    for (int o = 0; o < 3; ++o) {
      for (int l = 0; l < lanes; ++l)
        part[l] =
            dot_of_lane(hidden.data() + b * hidden_size, weights.data() + o * hidden_size, hidden_size, l);
      outputs[o] = sum_over_lanes(part) + bias[static_cast<std::size_t>(o)];
    }
    return value_of(outputs[0], outputs[1], outputs[2], 3);
  }
  /// The priors of a row by the host's arithmetic.
  std::vector<float> priors_of(int b) const {
    auto const& legal = batch.rows[static_cast<std::size_t>(b)].legal;
    float const* const mine = logits.data() + b * stride;
    float part[lanes], largest = -INFINITY;
    for (int l = 0; l < lanes; ++l)
      largest = std::max(largest, look_at_logits(mine, {}, legal.words, 200, l).largest);
    for (int l = 0; l < lanes; ++l) part[l] = exp_sum_of_lane(mine, {}, legal.words, 200, l, largest);
    float const sum = sum_over_lanes(part);
    std::vector<float> all(200);
    for (int l = 0; l < lanes; ++l)
      write_priors_of_lane(mine, {}, legal.words, 200, l, largest, sum, legal.count(), all.data());
    return all;
  }

  filled_batch<position> batch;
  std::vector<float> logits = random_floats(count * stride, 4),
                     hidden = random_floats(count * hidden_size, 5),
                     weights = random_floats(3 * hidden_size, 6), bias = random_floats(3, 7);
  std::vector<float> values, priors;  // of the device
};

}  // namespace

TEST_CASE_TEMPLATE("unpacked rows are, byte for byte, what the host unpacks" * doctest::skip(no_device()),
                   Element, __half, __nv_bfloat16, float) {
  constexpr int count = 37, channels = 16, cells = 6 * 13;
  filled_batch<position> batch(numbered_positions<position>(count));
  auto const layout = bm::layout_of<position>();
  auto const rows = on_gpu(batch.rows);
  std::size_t const packets = count * cells * channels / packet<Element>::size;
  auto const out = allocate_device(packets * 16);
  auto const on = make_stream();
  kernels::launch("unpack", kernels::unpack<Element>,
                  kernels::blocks_for(static_cast<std::int64_t>(packets), 256), 256, on.get(),
                  at<std::uint64_t const>(rows), layout, count, channels,
                  static_cast<std::int32_t const*>(nullptr), static_cast<std::int32_t const*>(nullptr),
                  at<packet<Element>>(out));
  auto const found = from_gpu<packet<Element>>(out.get(), packets, on.get());
  std::size_t next = 0;
  int different = 0;
  for (int b = 0; b < count; ++b)
    for (int cell = 0; cell < cells; ++cell)
      for (int first = 0; first < channels; first += packet<Element>::size) {
        auto const expected = unpack_cell<Element>(batch.view().raw().row(b), layout, cell, first);
        different += std::memcmp(&expected, &found[next++], 16) != 0;
      }
  CHECK(different == 0);
}

/// A layer with random weights of its own, over numbers that it shares with others.
struct random_dense {
  random_dense(dense_shape const& of, std::uint64_t seed)
      : shape(of),
        weights(random_floats(static_cast<std::size_t>(of.inputs * of.stride), seed)),
        bias(random_floats(static_cast<std::size_t>(of.stride), seed + 1)) {}

  kernels::dense_layer<float> on_device(device_bytes const& x) const {
    return {shape, at<float const>(x), at<float const>(weights_there), at<float const>(bias_there),
            at<float>(y)};
  }
  std::vector<float> outputs(int rows, cudaStream_t on) const {
    return from_gpu<float>(y.get(), static_cast<std::size_t>(rows * shape.stride), on);
  }
  float expected(std::vector<float> const& x, int row, int o) const {
    float sum = bias[static_cast<std::size_t>(o)];
    for (int i = 0; i < shape.inputs; ++i)
      sum = add_product(dense_input_at(shape, x.data(), row, i),
                        weights[static_cast<std::size_t>(i * shape.stride + o)], sum);
    return shape.relu ? std::max(sum, 0.0f) : sum;
  }

  static constexpr int most = 21;  // rows
  dense_shape shape;
  std::vector<float> weights, bias;
  device_bytes weights_there = on_gpu(weights), bias_there = on_gpu(bias),
               y = allocate_device(static_cast<std::size_t>(most * shape.stride) * sizeof(float));
};

TEST_CASE("two dense layers compute their sums, and a row's bits do not depend on how many rows there are" *
          doctest::skip(no_device())) {
  constexpr int most = random_dense::most;
  auto const x = random_floats(400 * most, 1);
  auto const x_there = on_gpu(x);
  random_dense const one({150, 200, 256, 3, 8, 400, true}, 2), other({99, 70, 128, 3, 8, 400, false}, 4);
  auto const on = make_stream();
  auto const run = [&](int count) {
    auto const first = one.on_device(x_there), second = other.on_device(x_there);
    kernels::launch("dense", kernels::dense<float>,
                    dim3(kernels::blocks_for(count, kernels::dense_rows), first.blocks() + second.blocks()),
                    128, on.get(), first, second, count);
    return std::vector{one.outputs(count, on.get()), other.outputs(count, on.get())};
  };
  auto const all = run(most);
  for (std::size_t l = 0; l < 2; ++l) {
    random_dense const& layer = l == 0 ? one : other;
    for (int row = 0; row < most; ++row)
      for (int o = 0; o < layer.shape.outputs; ++o)
        REQUIRE(std::abs(all[l][static_cast<std::size_t>(row * layer.shape.stride + o)] -
                         layer.expected(x, row, o)) < 1e-4f);
  }
  for (int const count : {1, 7, 8, 9, 20}) {
    auto const some = run(count);
    for (std::size_t l = 0; l < 2; ++l)
      CHECK(std::memcmp(some[l].data(), all[l].data(), some[l].size() * sizeof(float)) == 0);
  }
}

TEST_CASE("a dense layer passes on what is no number, whatever its ReLU" * doctest::skip(no_device())) {
  auto x = random_floats(400, 1);
  x[0] = INFINITY, x[1] = -INFINITY;
  auto const x_there = on_gpu(x);
  random_dense layer({150, 200, 256, 3, 8, 400, true}, 2);
  std::fill(layer.weights.begin(), layer.weights.end(), 1.0f);
  layer.weights_there = on_gpu(layer.weights);
  auto const on = make_stream();
  auto const both = layer.on_device(x_there);
  kernels::launch("dense", kernels::dense<float>, dim3(1, 2 * both.blocks()), 128, on.get(), both, both, 1);
  CHECK(std::isnan(layer.outputs(1, on.get())[0]));
}

TEST_CASE("values and priors are those of the host's arithmetic, and faults are told" *
          doctest::skip(no_device())) {
  answered of;
  CHECK(of.run() == receipt::no_fault);
  for (int b = 0; b < answered::count; ++b) {
    CHECK(std::abs(of.values[static_cast<std::size_t>(b)] - of.value(b)) < 1e-5f);
    auto const expected = of.priors_of(b);
    for (std::size_t i = 0; i < 200; ++i)
      REQUIRE(std::abs(of.priors[static_cast<std::size_t>(b) * 200 + i] - expected[i]) < 1e-6f);
  }
  int first = answered::count;
  for (int row : {6, 4, 8, 3}) {  // the first is told of, whichever warp is first
    first = std::min(first, row);
    int const bad = of.batch.rows[static_cast<std::size_t>(row)].legal.first();
    of.logits[static_cast<std::size_t>(row * answered::stride + bad)] = std::nanf("");
    CHECK(of.run() == static_cast<unsigned>(first));
  }
}
