#pragma once

#include <oneapi/dnnl/dnnl.hpp>

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <vector>

namespace batchmate::benchmarks {

/// The yardstick of the `onednn` evaluator: the convolutions of a tower as anybody would chain them in oneDNN
/// (layouts left to the library, ReLU and residual fused) with nothing before, between and after them. Runs on as
/// many threads as OpenMP gives the caller: call `omp_set_num_threads(1)` first, or set `OMP_NUM_THREADS=1`.
class onednn_chain {
 public:
  /// A tower of `blocks` residual blocks with weights of 0.01, for `rows` boards at a time.
  onednn_chain(int rows, int planes, int height, int width, int blocks, int channels, bool bf16)
      : engine_(dnnl::engine::kind::cpu, 0), stream_(engine_), rows_(rows) {
    extents const board{rows, height, width, bf16 ? type::bf16 : type::f32};
    auto const stem = describe(board, planes, channels, false);
    auto const first = describe(board, channels, channels, false);
    auto const second = describe(board, channels, channels, true);
    front_ = {first.src_desc(), engine_};
    back_ = {first.dst_desc(), engine_};
    add(stem, filled(stem.src_desc()), front_);
    for (int b = 0; b < blocks; ++b) {
      add(first, front_, back_);
      add(second, back_, front_);
    }
  }

  /// Boards that one `run` takes through the tower.
  int rows() const { return rows_; }

  void run() {
    for (auto const& l : layers_)
      l.primitive.execute(stream_, {{DNNL_ARG_SRC, l.source},
                                    {DNNL_ARG_WEIGHTS, l.weights},
                                    {DNNL_ARG_BIAS, l.bias},
                                    {DNNL_ARG_DST, l.destination}});
    stream_.wait();
  }

 private:
  using type = dnnl::memory::data_type;
  using tag = dnnl::memory::format_tag;
  using description = dnnl::convolution_forward::primitive_desc;

  struct extents {
    int rows, height, width;
    type of;
  };
  struct layer {
    dnnl::convolution_forward primitive;
    dnnl::memory source, weights, bias, destination;
  };

  description describe(extents const& board, int inputs, int outputs, bool residual) const {
    dnnl::post_ops after;
    if (residual) after.append_sum(1.0f);
#if DNNL_VERSION_MAJOR >= 3
    after.append_eltwise(dnnl::algorithm::eltwise_relu, 0.0f, 0.0f);
#else
    after.append_eltwise(1.0f, dnnl::algorithm::eltwise_relu, 0.0f, 0.0f);
#endif
    dnnl::primitive_attr attributes;
    attributes.set_post_ops(after);
    dnnl::memory::desc const source({board.rows, inputs, board.height, board.width}, board.of, tag::any);
    dnnl::memory::desc const destination({board.rows, outputs, board.height, board.width}, board.of,
                                         tag::any);
    dnnl::memory::desc const weights({outputs, inputs, 3, 3}, board.of, tag::any);
    dnnl::memory::desc const bias({outputs}, type::f32, tag::x);
    dnnl::memory::dims const one{1, 1};
    auto const kind = dnnl::prop_kind::forward_inference;
    auto const algorithm = dnnl::algorithm::convolution_direct;
#if DNNL_VERSION_MAJOR >= 3
    return {engine_, kind, algorithm, source, weights, bias, destination, one, one, one, attributes};
#else
    return {{kind, algorithm, source, weights, bias, destination, one, one, one}, attributes, engine_};
#endif
  }

  /// A tensor of small numbers: denormals or infinities would change the speed.
  dnnl::memory filled(dnnl::memory::desc const& wanted) {
    dnnl::memory result(wanted, engine_);
    // 0x3c23 is 0.01 in bf16 and 0x3c233c23 very nearly that in fp32.
    auto* const halves = static_cast<unsigned short*>(result.get_data_handle());
    std::fill_n(halves, wanted.get_size() / 2, static_cast<unsigned short>(0x3c23));
    return result;
  }

  void add(description const& of, dnnl::memory const& source, dnnl::memory const& destination) {
    layers_.push_back({dnnl::convolution_forward(of), source, filled(of.weights_desc()),
                       filled(of.bias_desc()), destination});
  }

  dnnl::engine engine_;
  dnnl::stream stream_;
  int rows_;
  dnnl::memory front_, back_;
  std::vector<layer> layers_;
};

}  // namespace batchmate::benchmarks
