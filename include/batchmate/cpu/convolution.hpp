#pragma once

#include <batchmate/cpu/library.hpp>
#include <batchmate/net/network.hpp>

#include <oneapi/dnnl/dnnl.hpp>

#include <string>

namespace batchmate::cpu {

/// One fused convolution of the tower: (rows, inputs, H, W) to (rows, outputs, H, W), stride 1, plus bias, plus what
/// the output held before if `residual`, then ReLU. Activations are (rows, H, W, channels) in memory, which every
/// instruction set has kernels for and AVX512 is fastest with; the weights lie as oneDNN likes.
struct convolution_plan {
  dnnl::convolution_forward primitive;     ///< immutable: any number of threads may execute it at once
  dnnl::memory::desc source, destination;  ///< activations
  dnnl::memory::desc weights;              ///< the layout that the weights have to be reordered to
  std::size_t scratch_bytes;               ///< what the caller lends to every execution
  std::string implementation;              ///< what oneDNN calls it: "brgconv:avx512_core"

  /// Whether oneDNN had nothing but its reference loops, which take seconds where all others take milliseconds.
  bool is_reference() const { return implementation.starts_with("ref"); }
};

/// The extents of a `convolution_plan`.
struct convolution_extents {
  int rows, inputs, outputs, height, width, kernel;  ///< B, C, K, H, W and R = S
  bool residual;                                     ///< whether the output is added to what was there
  dnnl::memory::data_type type;                      ///< of activations and weights
};

/// How the network's weights (K, C, R, S) lie in its file.
inline dnnl::memory::desc plain_weights(convolution_extents const& of) {
  return {{of.outputs, of.inputs, of.kernel, of.kernel},
          dnnl::memory::data_type::f32,
          dnnl::memory::format_tag::oihw};
}

namespace convolution_parts {

inline dnnl::primitive_attr attributes(bool residual) {
  dnnl::post_ops after;
  if (residual) after.append_sum(1.0f);
#if DNNL_VERSION_MAJOR >= 3
  after.append_eltwise(dnnl::algorithm::eltwise_relu, 0.0f, 0.0f);
#else
  after.append_eltwise(1.0f, dnnl::algorithm::eltwise_relu, 0.0f, 0.0f);
#endif
  dnnl::primitive_attr attributes;
  attributes.set_post_ops(after);
  attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  attributes.set_fpmath_mode(dnnl::fpmath_mode::strict);
  return attributes;
}

inline dnnl::convolution_forward::primitive_desc describe(dnnl::engine const& engine,
                                                          convolution_extents const& of,
                                                          dnnl::memory::desc const* weights) {
  using tag = dnnl::memory::format_tag;
  dnnl::memory::desc const source({of.rows, of.inputs, of.height, of.width}, of.type, tag::nhwc);
  dnnl::memory::desc const destination({of.rows, of.outputs, of.height, of.width}, of.type, tag::nhwc);
  dnnl::memory::desc const any({of.outputs, of.inputs, of.kernel, of.kernel}, of.type, tag::any);
  dnnl::memory::desc const bias({of.outputs}, dnnl::memory::data_type::f32, tag::x);
  dnnl::memory::dims const stride{1, 1}, padding{of.kernel / 2, of.kernel / 2};
  auto const kind = dnnl::prop_kind::forward_inference;
  auto const algorithm = dnnl::algorithm::convolution_direct;
#if DNNL_VERSION_MAJOR >= 3
  return {engine,      kind,   algorithm, source,  weights ? *weights : any, bias,
          destination, stride, padding,   padding, attributes(of.residual)};
#else
  return {{kind, algorithm, source, weights ? *weights : any, bias, destination, stride, padding, padding},
          attributes(of.residual),
          engine};
#endif
}

}  // namespace convolution_parts

/// Plans a convolution, with the weights laid out as `weights` says if that is given. Call it under
/// `single_threaded`: the plan is made for as many threads as the caller has.
inline convolution_plan plan_convolution(std::string const& name, dnnl::engine const& engine,
                                         convolution_extents const& of,
                                         dnnl::memory::desc const* weights = nullptr) {
  return attempt(name, [&] {
    auto const description = convolution_parts::describe(engine, of, weights);
    return convolution_plan{dnnl::convolution_forward(description),
                            description.src_desc(),
                            description.dst_desc(),
                            description.weights_desc(),
                            description.scratchpad_desc().get_size(),
                            description.impl_info_str()};
  });
}

/// The weights and bias of one convolution as its plan wants them.
struct convolution_weights {
  dnnl::memory weights, bias;  ///< (K, C, R, S) in the plan's layout; (K) in fp32

  /// Copies and reorders those of the network.
  convolution_weights(std::string const& name, dnnl::engine const& engine, convolution_extents const& of,
                      dnnl::memory::desc const& layout, convolution const& from) {
    attempt(name, [&] {
      using type = dnnl::memory::data_type;
      dnnl::stream stream(engine);
      auto copied = [&](std::vector<float> const& values, dnnl::memory::desc const& plain,
                        dnnl::memory::desc const& wanted) {
        dnnl::memory source(plain, engine, const_cast<float*>(values.data()));  // read only
        dnnl::memory result(wanted, engine);
        dnnl::reorder(source, result).execute(stream, source, result);
        stream.wait();
        return result;
      };
      dnnl::memory::desc const flat({of.outputs}, type::f32, dnnl::memory::format_tag::x);
      weights = copied(from.weights, plain_weights(of), layout);
      bias = copied(from.bias, flat, flat);
    });
  }

  /// Bytes held.
  std::size_t memory_bytes() const { return weights.get_desc().get_size() + bias.get_desc().get_size(); }
};

}  // namespace batchmate::cpu
