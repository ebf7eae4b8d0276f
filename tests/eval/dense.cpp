#include <batchmate/core/random.hpp>
#include <batchmate/eval/dense.hpp>

#include <doctest/doctest.h>

#include <cmath>
#include <cstring>
#include <vector>

using namespace batchmate;

namespace {

std::vector<float> random_floats(std::size_t count, std::uint64_t seed) {
  random_stream random(random_key{seed});
  std::vector<float> numbers(count);
  for (float& x : numbers) x = random.uniform() - 0.5f;
  return numbers;
}

}  // namespace

TEST_CASE("a layer is computed by hand") {
  float const weights[] = {1, 2, 3, 4, 5, 6}, bias[] = {10, -40}, x[] = {1, 0, -1, 2, 2, 2};
  packed_dense const layer = pack_dense(2, 3, weights, bias);
  CHECK(layer.padded_outputs() == 16);
  std::vector<float> y(32, 7.0f);
  run_dense(layer, {x, 3, 3, 0}, 2, false, y.data());
  CHECK(y[0] == 8);
  CHECK(y[1] == -42);
  CHECK(y[2] == 0);
  CHECK(y[16] == 22);
  CHECK(y[17] == -10);
  run_dense(layer, {x, 3, 3, 0}, 2, true, y.data());
  CHECK(y[0] == 8);
  CHECK(y[1] == 0);
  CHECK(y[17] == 0);
}

TEST_CASE("every output is the plain sum in ascending order, for any number of rows and width of registers") {
  for (int const outputs : {1, 15, 16, 17, 40, 64, 128, 257})
    for (int const inputs : {1, 5, 48}) {
      auto const weights = random_floats(static_cast<std::size_t>(outputs * inputs), 1);
      auto const bias = random_floats(static_cast<std::size_t>(outputs), 2);
      packed_dense const layer = pack_dense(outputs, inputs, weights.data(), bias.data());
      for (int const rows : {1, 2, 7, 8, 9, 19}) {
        CAPTURE(outputs);
        CAPTURE(inputs);
        CAPTURE(rows);
        auto const x = random_floats(static_cast<std::size_t>(rows * inputs), 3);
        dense_input const input{x.data(), inputs, inputs, 0};
        auto const padded = static_cast<std::size_t>(rows * layer.padded_outputs());
        std::vector<float> chosen(padded), narrow(padded), wide(padded);
        run_dense(layer, input, rows, false, chosen.data());
        dense_kernels::all_outputs<4, 4, 2>(layer, input, rows, false, narrow.data());
        dense_kernels::all_outputs<16, 1, 1>(layer, input, rows, false, wide.data());
        CHECK(std::memcmp(narrow.data(), wide.data(), padded * sizeof(float)) == 0);
        bool equal = true;
        for (int r = 0; r < rows; ++r)
          for (int o = 0; o < outputs; ++o) {
            float sum = bias[static_cast<std::size_t>(o)];
            for (int i = 0; i < inputs; ++i)
              sum += weights[static_cast<std::size_t>(o * inputs + i)] *
                     x[static_cast<std::size_t>(r * inputs + i)];
            float const y = chosen[static_cast<std::size_t>(r * layer.padded_outputs() + o)];
            equal = equal && std::abs(y - sum) <= 1e-5f;
          }
        CHECK(equal);
      }
    }
}

#ifdef __x86_64__
TEST_CASE("where products are fused, every output is the fused sum, to the last bit, whatever the width" *
          doctest::skip(!dense_is_fused())) {
  constexpr int outputs = 260, padded = 272, inputs = 48, rows = 19;
  auto const weights = random_floats(outputs * inputs, 1), bias = random_floats(outputs, 2),
             x = random_floats(rows * inputs, 3);
  packed_dense const layer = pack_dense(outputs, inputs, weights.data(), bias.data());
  std::vector<float> found(rows * padded), narrow(rows * padded), expected(rows * padded);
  for (std::size_t r = 0; r < rows; ++r)
    for (std::size_t o = 0; o < outputs; ++o) {
      float sum = bias[o];
      for (std::size_t i = 0; i < inputs; ++i)
        sum = std::fma(weights[o * inputs + i], x[r * inputs + i], sum);
      expected[r * padded + o] = sum;
    }
  run_dense(layer, {x.data(), inputs, inputs, 0}, rows, false, found.data());
  dense_kernels::with_avx2(layer, {x.data(), inputs, inputs, 0}, rows, false, narrow.data());
  CHECK(found == expected);
  CHECK(narrow == expected);
  dense_kernels::all_outputs<4, 2, 1>(layer, {x.data(), inputs, inputs, 0}, rows, false, narrow.data());
  CHECK(narrow != expected);  // otherwise these numbers show nothing
}
#endif

TEST_CASE("a row does not depend on the rows beside it") {
  int const outputs = 20, inputs = 30, rows = 21;
  auto const weights = random_floats(outputs * inputs, 1), bias = random_floats(outputs, 2),
             x = random_floats(rows * inputs, 3);
  packed_dense const layer = pack_dense(outputs, inputs, weights.data(), bias.data());
  std::vector<float> all(rows * 32), some(rows * 32);
  run_dense(layer, {x.data(), inputs, inputs, 0}, rows, true, all.data());
  for (int first = 0; first < rows; ++first)
    for (int const count : {1, 2, 5, 8, 10}) {
      if (first + count > rows) continue;
      run_dense(layer, {x.data() + first * inputs, inputs, inputs, 0}, count, true, some.data());
      CHECK(std::memcmp(some.data(), all.data() + first * 32,
                        static_cast<std::size_t>(count) * 32 * sizeof(float)) == 0);
    }
}

TEST_CASE("inputs may lie in blocks") {
  int const outputs = 3, inputs = 6, rows = 2;
  auto const weights = random_floats(outputs * inputs, 1), bias = random_floats(outputs, 2),
             plain = random_floats(rows * inputs, 3);
  packed_dense const layer = pack_dense(outputs, inputs, weights.data(), bias.data());
  std::vector<float> expected(rows * 16), found(rows * 16);
  run_dense(layer, {plain.data(), inputs, inputs, 0}, rows, false, expected.data());
  for (int const block : {1, 2, 3}) {
    std::vector<float> blocked(plain.size());  // (inputs / block, rows, block)
    for (int r = 0; r < rows; ++r)
      for (int i = 0; i < inputs; ++i)
        blocked[static_cast<std::size_t>((i / block * rows + r) * block + i % block)] =
            plain[static_cast<std::size_t>(r * inputs + i)];
    run_dense(layer, {blocked.data(), block, block, rows * block}, rows, false, found.data());
    CHECK(found == expected);
  }
}
