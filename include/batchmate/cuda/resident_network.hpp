#pragma once

#include <batchmate/cuda/choice.hpp>
#include <batchmate/cuda/kernels.hpp>
#include <batchmate/cuda/packing.hpp>
#include <batchmate/cuda/resources.hpp>
#include <batchmate/cuda/symmetry.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace batchmate::cuda {

/// What one batch at a time needs on a device, allocated once for the largest.
class activations {
 public:
  /// Room for batches of `rows` rows on the current device.
  activations(packed_network const& net, row_layout const& rows_of, int rows) : layout(rows_of) {
    std::size_t const element = element_bytes(net.shape().elements), n = static_cast<std::size_t>(rows);
    std::size_t const cells = n * static_cast<std::size_t>(net.shape().cells());
    auto const numbers = [&](int channels) { return cells * static_cast<std::size_t>(channels) * element; };
    auto const floats = [&](int each) { return n * static_cast<std::size_t>(each) * sizeof(float); };
    packed_rows = take(n * static_cast<std::size_t>(layout.row_bytes));
    input = take(numbers(net.shape().inputs));
    for (auto& each : boards) each = take(numbers(net.shape().channels));
    features = take(numbers(net.shape().head_channels));
    logits = take(floats(net.policy().stride));
    hidden = take(floats(net.hidden().stride));
    values = take(floats(1));
    priors = take(floats(net.num_actions()));
    symmetry = take(floats(1));
    times = take(sizeof(receipt));
    workspace = take(max_workspace_bytes);
  }

  row_layout layout;                   ///< of the rows
  device_bytes packed_rows;            ///< (B, row_bytes)
  device_bytes input;                  ///< (B, H, W, C_in)
  std::array<device_bytes, 3> boards;  ///< (B, H, W, C) each
  device_bytes features;               ///< (B, H, W, P + V), padded
  device_bytes logits;                 ///< (B, stride) fp32
  device_bytes hidden;                 ///< (B, stride) fp32
  device_bytes values, priors;         ///< (B), (B, A) fp32: the answers
  device_bytes symmetry;               ///< (B) int32
  device_bytes times;                  ///< one `receipt`
  device_bytes workspace;              ///< of the convolutions
  std::size_t bytes = 0;               ///< of all

 private:
  device_bytes take(std::size_t size) {
    bytes += size;
    return allocate_device(size);
  }
};

/// A network on one device: its weights, and the plans for every batch size it is prepared for.
class resident_network {
 public:
  /// Copies the weights to the device. `symmetries` may be empty.
  resident_network(device_info where, packed_network net, tower_plan plan, board_symmetries const& symmetries)
      : where_(std::move(where)),
        net_(std::move(net)),
        choice_(std::move(plan)),
        symmetries_(symmetries.choice()) {
    on_device(where_.number, [&] {
      handle_ = make_cudnn_handle();
      loading_ = make_stream();
      weights_ = allocate_device(net_.bytes().size());
      std::size_t const actions = symmetries.actions.size();
      tables_ = allocate_device((symmetries.cells.size() + 2 * actions) * sizeof(std::int32_t));
      auto* const tables = reinterpret_cast<std::int32_t*>(tables_.get());
      auto* const to = tables + symmetries.cells.size();
      load(symmetries.cells.data(), symmetries.cells.size() * sizeof(std::int32_t), tables);
      load(symmetries.actions.data(), actions * sizeof(std::int32_t), to);
      load(symmetries.unactions.data(), actions * sizeof(std::int32_t), to + actions);
      cell_table_ = tables;
      names_ = {to, to + actions};
    });
    replace(net_);
  }

  device_info const& where() const { return where_; }        ///< the device
  packed_network const& packed() const { return net_; }      ///< shapes and weights as first given
  tower_plan const& plan() const { return choice_; }         ///< the engines in use
  std::size_t bytes() const { return net_.bytes().size(); }  ///< on the device

  /// Writes other weights, of a network of the same extents, over the old ones; nothing may run meanwhile.
  void replace(packed_network const& net) {
    expects(net.bytes().size() == net_.bytes().size(),
            "cudnn: weights can be replaced by those of the same extents");
    on_device(where_.number, [&] { load(net.bytes().data(), net.bytes().size(), weights_.get()); });
  }

  /// Those of the batch sizes that are computed as the largest is, as far as cuDNN tells.
  std::vector<int> sizes_alike(std::vector<int> const& rows) const {
    return on_device(where_.number, [&] {
      return cuda::sizes_alike(plan_target(handle_.get()), net_.shape(), choice_, rows);
    });
  }

  /// Makes the plans for batches of so many rows, if they are not there yet. Throws `cuda::error` or
  /// `evaluation_error`.
  void prepare(int rows) {
    for (auto const& each : plans_)
      if (each.rows == rows) return;
    plan_target const target(handle_.get());
    prepared all{rows, {}};
    for (layer const l : all_layers) {
      auto made = convolution_plan::make(target, extents_of(net_.shape(), l, rows), choice_.of(l));
      if (!made || made->workspace_bytes() > max_workspace_bytes)
        throw evaluation_error(concat("cudnn ", cudnn_version(), ": engine ", text_of(choice_.of(l)),
                                      " does not compute the ", name_of(l), " convolution for ", rows,
                                      " rows on ", where_.name));
      all.layers.push_back(*std::move(made));
    }
    plans_.push_back(std::move(all));
  }

  /// Puts the whole computation, from packed rows to answers, on a stream of the device. `rows` has been
  /// prepared. The caller sees to it that no other thread does the same at the same time.
  void enqueue(activations const& on, int rows, cudaStream_t queue) const {
    check(cudnnSetStream(handle_.get(), queue), "cudnnSetStream");
    auto* const times = reinterpret_cast<receipt*>(on.times.get());
    kernels::launch("begin", kernels::begin<>, 1, 1, queue, times);
    with_element(net_.shape().elements, [&]<class Element>(Element) {
      enqueue_input<Element>(on, rows, queue);
      enqueue_convolutions(on, rows);
      enqueue_heads<Element>(on, rows, queue);
    });
    kernels::launch("stamp", kernels::stamp<>, 1, 1, queue, &times->compute_end);
  }
  /// Lets go of the stream that was used meanwhile when it ends, however that comes about: the stream may end before the
  /// network. Not within a capture.
  class visit {
   public:
    explicit visit(resident_network const& net) : net_(net) {}
    visit(visit const&) = delete;
    visit& operator=(visit const&) = delete;
    ~visit() { cudnnSetStream(net_.handle_.get(), net_.loading_.get()); }

   private:
    resident_network const& net_;
  };

 private:
  struct prepared {
    int rows;
    std::vector<convolution_plan> layers;  // by `layer`
  };

  void load(void const* from, std::size_t bytes, void* to) {
    if (bytes == 0) return;
    check(cudaMemcpyAsync(to, from, bytes, cudaMemcpyHostToDevice, loading_.get()),
          "cudaMemcpyAsync of weights");
    check(cudaStreamSynchronize(loading_.get()), "cudaStreamSynchronize after the weights");
  }

  template <class Element>
  void enqueue_input(activations const& on, int rows, cudaStream_t queue) const {
    auto const* const packed = reinterpret_cast<std::uint64_t const*>(on.packed_rows.get());
    std::int32_t* const symmetry = symmetry_of_rows(on);
    constexpr int threads = 256;
    if (symmetry)
      kernels::launch("find_symmetry", kernels::find_symmetry<>, kernels::blocks_for(rows, threads), threads,
                      queue, packed, on.layout, rows, symmetries_, symmetry);
    std::int64_t const packets =
        std::int64_t{rows} * net_.shape().cells() * net_.shape().inputs / packet<Element>::size;
    kernels::launch("unpack", kernels::unpack<Element>, kernels::blocks_for(packets, threads), threads, queue,
                    packed, on.layout, rows, net_.shape().inputs, cell_table_,
                    static_cast<std::int32_t const*>(symmetry),
                    reinterpret_cast<packet<Element>*>(on.input.get()));
  }

  void enqueue_convolutions(activations const& on, int rows) const {
    prepared const& plans = for_rows(rows);
    std::size_t next = 0;
    auto const run = [&](layer l, void const* x, void const* z, void* y) {
      auto const& at = net_.places().convolutions[next++];
      plans.layers[static_cast<std::size_t>(l)].run(handle_.get(), x, weights_.get() + at.weights, z,
                                                    weights_.get() + at.bias, y, on.workspace.get());
    };
    std::byte* front = on.boards[0].get();
    std::byte* back = on.boards[1].get();
    std::byte* spare = on.boards[2].get();
    run(layer::stem, on.input.get(), nullptr, front);
    while (next + 1 < net_.places().convolutions.size()) {
      run(layer::first, front, nullptr, back);
      run(layer::second, back, front, spare);
      std::swap(front, spare);
    }
    run(layer::head, front, nullptr, on.features.get());
  }

  template <class Element>
  void enqueue_heads(activations const& on, int rows, cudaStream_t queue) const {
    auto const* const features = reinterpret_cast<Element const*>(on.features.get());
    auto* const logits = reinterpret_cast<float*>(on.logits.get());
    auto* const hidden = reinterpret_cast<float*>(on.hidden.get());
    auto const layer = [&](dense_shape const& shape, Element const* x, weight_places::dense_place const& at,
                           float* y) {
      return kernels::dense_layer<Element>{shape, x, floats_at(at.weights), floats_at(at.bias), y};
    };
    auto const policy = layer(net_.policy(), features, net_.places().policy, logits);
    auto const value = layer(net_.hidden(), features + net_.value_channel(), net_.places().hidden, hidden);
    kernels::launch("dense", kernels::dense<Element>,
                    dim3(kernels::blocks_for(rows, kernels::dense_rows), policy.blocks() + value.blocks()),
                    packed_network::dense_outputs, queue, policy, value, rows);
    kernels::answer_arguments const arguments{reinterpret_cast<std::uint64_t const*>(on.packed_rows.get()),
                                              on.layout,
                                              rows,
                                              logits,
                                              net_.policy().stride,
                                              hidden,
                                              net_.hidden().stride,
                                              net_.hidden().outputs,
                                              floats_at(net_.places().value.weights),
                                              floats_at(net_.places().value.bias),
                                              net_.value_outputs(),
                                              names_,
                                              symmetry_of_rows(on),
                                              reinterpret_cast<float*>(on.values.get()),
                                              reinterpret_cast<float*>(on.priors.get()),
                                              reinterpret_cast<receipt*>(on.times.get())};
    constexpr int threads = 4 * lanes;
    kernels::launch("answer", kernels::answer<>, kernels::blocks_for(std::int64_t{rows} * lanes, threads),
                    threads, queue, arguments);
  }

  /// Where each row's symmetry is noted, or null if there are none.
  std::int32_t* symmetry_of_rows(activations const& on) const {
    return symmetries_.count > 0 ? reinterpret_cast<std::int32_t*>(on.symmetry.get()) : nullptr;
  }

  float const* floats_at(std::size_t place) const {
    return reinterpret_cast<float const*>(weights_.get() + place);
  }

  prepared const& for_rows(int rows) const {
    for (auto const& each : plans_)
      if (each.rows == rows) return each;
    throw contract_error(concat("cudnn: batches of ", rows, " rows have not been prepared"));
  }

  device_info where_;
  packed_network net_;
  tower_plan choice_;
  symmetry_choice symmetries_;
  stream loading_;
  cudnn_handle handle_;  // goes before the stream that it was given last
  device_bytes weights_, tables_;
  std::int32_t const* cell_table_ = nullptr;  // within `tables_`
  renamed_actions names_;                     // the same
  std::vector<prepared> plans_;
};

}  // namespace batchmate::cuda
