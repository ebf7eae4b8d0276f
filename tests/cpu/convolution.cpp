#include <batchmate/cpu/convolution.hpp>

#include <doctest/doctest.h>

#include <string>
#include <vector>

namespace bm = batchmate;
namespace cpu = batchmate::cpu;

namespace {

using type = dnnl::memory::data_type;

/// Runs a 1x1 convolution from 2 channels to 1 on one cell.
float run_one(bool residual, float before, std::vector<float> input, bm::convolution const& layer) {
  dnnl::engine const engine(dnnl::engine::kind::cpu, 0);
  cpu::single_threaded const alone;
  cpu::convolution_extents const extents{1, layer.inputs, layer.outputs, 1,
                                         1, layer.kernel, residual,      type::f32};
  auto const plan = cpu::plan_convolution("test", engine, extents);
  cpu::convolution_weights const weights("test", engine, extents, plan.weights, layer);
  CHECK(weights.memory_bytes() >= (layer.weights.size() + layer.bias.size()) * sizeof(float));
  dnnl::memory source(plan.source, engine, input.data()), destination(plan.destination, engine, &before);
  dnnl::memory scratch(
      {{static_cast<dnnl::memory::dim>(plan.scratch_bytes + 1)}, type::u8, dnnl::memory::format_tag::x},
      engine);
  dnnl::stream stream(engine);
  plan.primitive.execute(stream, {{DNNL_ARG_SRC, source},
                                  {DNNL_ARG_WEIGHTS, weights.weights},
                                  {DNNL_ARG_BIAS, weights.bias},
                                  {DNNL_ARG_DST, destination},
                                  {DNNL_ARG_SCRATCHPAD, scratch}});
  stream.wait();
  return before;
}

}  // namespace

TEST_CASE("a planned convolution adds the bias, then the residual if asked to, then clips below at zero") {
  bm::convolution const layer{1, 2, 1, {2.0f, -3.0f}, {0.5f}};
  CHECK(run_one(false, 100.0f, {4.0f, 1.0f}, layer) == doctest::Approx(5.5f));   // what was there is replaced
  CHECK(run_one(true, 100.0f, {4.0f, 1.0f}, layer) == doctest::Approx(105.5f));  // or added to
  CHECK(run_one(false, 100.0f, {1.0f, 4.0f}, layer) == 0.0f);
  CHECK(run_one(true, 3.0f, {1.0f, 4.0f}, layer) == 0.0f);
  CHECK(run_one(true, 10.0f, {1.0f, 4.0f}, layer) ==
        doctest::Approx(0.5f));  // clipped after the residual only
}

TEST_CASE("a 3x3 convolution sees zeros beyond the edge") {
  bm::convolution layer{1, 1, 3, std::vector<float>(9, 1.0f), {0.0f}};
  layer.weights[4] = 10.0f;
  CHECK(run_one(false, 0.0f, {2.0f}, layer) == doctest::Approx(20.0f));
}

TEST_CASE("a plan takes the weights in the layout it is given, and knows its implementation") {
  dnnl::engine const engine(dnnl::engine::kind::cpu, 0);
  cpu::single_threaded const alone;
  for (int channels : {8, 20, 64}) {
    auto const extents = [&](int rows) {
      return cpu::convolution_extents{rows, channels, channels, 7, 7, 3, true, type::f32};
    };
    auto const one = cpu::plan_convolution("one", engine, extents(1));
    CHECK(!one.implementation.empty());
    CHECK(!one.is_reference());
    // Nobody has written code for weights that lie so.
    dnnl::memory::desc const odd({channels, channels, 3, 3}, type::f32, dnnl::memory::format_tag::dcab);
    CHECK(cpu::plan_convolution("odd", engine, extents(1), &odd).is_reference());
    for (int rows : {2, 7, 16, 64})
      CHECK(cpu::plan_convolution("many", engine, extents(rows), &one.weights).weights == one.weights);
  }
}

TEST_CASE("a convolution that oneDNN cannot plan is named in the error") {
  dnnl::engine const engine(dnnl::engine::kind::cpu, 0);
  cpu::convolution_extents const impossible{1, 4, -4, 3, 3, 3, false, type::f32};
  try {
    cpu::plan_convolution("blocks.7.first", engine, impossible);
    FAIL("nothing was thrown");
  } catch (bm::evaluation_error const& e) {
    CHECK(std::string(e.what()).find("blocks.7.first") != std::string::npos);
  }
}
