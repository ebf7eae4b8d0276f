#pragma once

#include <batchmate/cpu/convolution.hpp>
#include <batchmate/cpu/library.hpp>
#include <batchmate/net/network.hpp>

#include <oneapi/dnnl/dnnl.hpp>

#include <algorithm>
#include <cstddef>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

namespace batchmate::cpu {

class tower_workspace;

/// The convolutions of a network, planned for the numbers of rows that one run can take, and their weights, reordered once for
/// each layout that the plans want. Nothing changes after construction, so that all copies of an evaluator share one tower and run it
/// at the same time.
///
///     front = relu(stem(input)); then for each block
///     back = relu(first(front)); front = relu(second(back) + front)      in place: no activation is ever copied
class tower {
 public:
  /// Plans for chunks of up to `max_rows` rows in fp32 or bf16, which takes some tens of milliseconds. Throws
  /// `evaluation_error`.
  tower(network const& net, precision p, int max_rows)
      : engine_(dnnl::engine::kind::cpu, 0),
        bf16_(p == precision::bf16),
        inputs_(net.inputs()),
        channels_(net.channels()),
        height_(net.input.rows),
        width_(net.input.columns),
        max_rows_(chunk(max_rows, max_rows)) {
    single_threaded const alone;
    for (int rows = 1; rows <= max_rows_; rows = next_chunk(rows)) plan(rows);
    load("stem", 0, net.stem);
    for (std::size_t b = 0; b < net.blocks.size(); ++b) {
      load(concat("blocks.", b, ".first"), 1, net.blocks[b].first);
      load(concat("blocks.", b, ".second"), 2, net.blocks[b].second);
    }
  }

  /// Of `rows` rows, how many one run takes if it may take up to `most`: all up to `multiple`, else a multiple of it.
  static constexpr int chunk(int rows, int most) {
    int const some = std::min(rows, most);
    return some <= multiple ? some : some / multiple * multiple;
  }

  int max_rows() const { return max_rows_; }                   ///< the largest chunk
  bool bf16() const { return bf16_; }                          ///< else fp32
  int inputs() const { return inputs_; }                       ///< C_in
  int channels() const { return channels_; }                   ///< C
  int cells() const { return height_ * width_; }               ///< H * W
  std::size_t element_bytes() const { return bf16_ ? 2 : 4; }  ///< of inputs and activations
  /// Bytes of weights, shared by all copies.
  std::size_t memory_bytes() const {
    std::size_t bytes = 0;
    for (auto const& each : steps_)
      for (auto const& weights : each.weights) bytes += weights.memory_bytes();
    return bytes;
  }

  /// Runs the first `rows` rows of the workspace's input, a `chunk`, through the tower; the caller is `single_threaded`.
  void run(tower_workspace& workspace, int rows) const;

 private:
  friend class tower_workspace;

  /// Chunks are 1, 2, ... `multiple` rows, or twice, three times as many: each has code of its own, a third of a megabyte with AMX.
  static constexpr int multiple = 16;
  static constexpr int next_chunk(int rows) { return rows < multiple ? rows + 1 : rows + multiple; }
  static constexpr std::size_t index_of(int rows) {
    return static_cast<std::size_t>(rows <= multiple ? rows - 1 : multiple + rows / multiple - 2);
  }

  /// Stem, first and second convolution of a block, for one number of rows.
  struct plan_set {
    convolution_plan of[3];
    std::size_t layout[3];  ///< the weights' one: index into `layouts_` and `step::weights`
  };
  struct step {
    std::string name;
    int kind;                                  ///< index into `plan_set::of`
    std::vector<convolution_weights> weights;  ///< in each layout of the kind
  };

  convolution_extents extents(int rows, int kind) const {
    auto const type = bf16_ ? dnnl::memory::data_type::bf16 : dnnl::memory::data_type::f32;
    return {rows, kind == 0 ? inputs_ : channels_, channels_, height_, width_, 3, kind == 2, type};
  }

  void plan(int rows) {
    plan_set set{};
    char const* const names[] = {"stem", "first", "second"};
    for (int kind = 0; kind < 3; ++kind) {
      auto const name = concat(names[kind], " for ", rows, " rows");
      std::tie(set.of[kind], set.layout[kind]) = plan(name, rows, kind);
      scratch_bytes_ = std::max(scratch_bytes_, set.of[kind].scratch_bytes);
    }
    plans_.push_back(std::move(set));
  }

  /// Plans with weights in a layout that is there already, or in one more where oneDNN has nothing but reference loops for
  /// those. Its fast code takes blocks of the size that it would choose itself, and the choice depends on the rows: with AVX-512,
  /// 128 channels on 6 x 7 cells, 64 outputs for one row and 32 for more. The sums have one order in all of them.
  std::pair<convolution_plan, std::size_t> plan(std::string const& name, int rows, int kind) {
    auto& layouts = layouts_[kind];
    for (std::size_t i = 0; i < layouts.size(); ++i)
      if (auto found = plan_convolution(name, engine_, extents(rows, kind), &layouts[i]);
          !found.is_reference())
        return {std::move(found), i};
    auto found = plan_convolution(name, engine_, extents(rows, kind));
    auto const at = std::find(layouts.begin(), layouts.end(), found.weights);
    auto const index = static_cast<std::size_t>(at - layouts.begin());
    if (at == layouts.end()) layouts.push_back(found.weights);
    return {std::move(found), index};
  }

  void load(std::string const& name, int kind, convolution const& from) {
    steps_.push_back({name, kind, {}});
    for (auto const& layout : layouts_[kind])
      steps_.back().weights.emplace_back(name, engine_, extents(1, kind), layout, from);
  }

  dnnl::engine engine_;
  bool bf16_;
  int inputs_, channels_, height_, width_, max_rows_;
  std::size_t scratch_bytes_ = 0;
  std::vector<dnnl::memory::desc> layouts_[3];  // of the weights of each kind
  std::vector<plan_set> plans_;                 // of each chunk
  std::vector<step> steps_;                     // in order of execution
};

/// What one thread needs to run a tower: a stream, and the input and activations of one chunk.
class tower_workspace {
 public:
  /// Room for chunks of up to `rows` rows, which is one of the tower's.
  tower_workspace(tower const& of, int rows)
      : stream_(of.engine_),
        input_(bytes(of, input_bytes(of, rows))),
        front_(bytes(of, activation_bytes(of, rows))),
        back_(bytes(of, activation_bytes(of, rows))),
        scratch_(bytes(of, of.scratch_bytes_)),
        max_rows_(rows) {
    for (int n = 1; n <= rows; n = tower::next_chunk(n)) {
      auto const& plans = of.plans_[tower::index_of(n)].of;
      views_.push_back({{plans[0].source, of.engine_, input_.get_data_handle()},
                        {plans[1].source, of.engine_, front_.get_data_handle()},
                        {plans[1].destination, of.engine_, back_.get_data_handle()}});
    }
  }

  /// The largest chunk there is room for.
  int max_rows() const { return max_rows_; }
  /// The input, to be written before `run`: (rows, H, W, C_in) in bf16 or fp32.
  void* input() { return input_.get_data_handle(); }
  /// The tower's output after `run`: (rows, H, W, C) in bf16 or fp32.
  void const* output() const { return front_.get_data_handle(); }

  /// Bytes that a workspace of `rows` rows holds.
  static std::size_t memory_bytes(tower const& of, int rows) {
    return input_bytes(of, rows) + 2 * activation_bytes(of, rows) + of.scratch_bytes_;
  }

 private:
  friend class tower;
  struct views {
    dnnl::memory input, front, back;  ///< of the first so many rows
  };

  static std::size_t input_bytes(tower const& of, int rows) {
    return static_cast<std::size_t>(rows) * static_cast<std::size_t>(of.cells() * of.inputs()) *
           of.element_bytes();
  }
  static std::size_t activation_bytes(tower const& of, int rows) {
    return static_cast<std::size_t>(rows) * static_cast<std::size_t>(of.cells() * of.channels()) *
               of.element_bytes() +
           64;  // whoever converts the output may read whole registers
  }
  static dnnl::memory bytes(tower const& of, std::size_t count) {
    auto const size = static_cast<dnnl::memory::dim>(std::max<std::size_t>(count, 1));
    return {{{size}, dnnl::memory::data_type::u8, dnnl::memory::format_tag::x}, of.engine_};
  }

  dnnl::stream stream_;
  dnnl::memory input_, front_, back_, scratch_;
  int max_rows_;
  std::vector<views> views_;  // of each chunk
};

/// One primitive after the other, each on the first `rows` rows, which are a chunk.
inline void tower::run(tower_workspace& workspace, int rows) const {
  auto const& plans = plans_[index_of(rows)];
  auto const& view = workspace.views_[index_of(rows)];
  for (auto const& each : steps_) {
    auto const& source = each.kind == 0 ? view.input : each.kind == 1 ? view.front : view.back;
    auto const& destination = each.kind == 1 ? view.back : view.front;
    auto const& weights = each.weights[plans.layout[each.kind]];
    // The C call takes its arguments from an array; the C++ one would build a hash table every time.
    dnnl_exec_arg_t const arguments[] = {{DNNL_ARG_SRC, source.get()},
                                         {DNNL_ARG_WEIGHTS, weights.weights.get()},
                                         {DNNL_ARG_BIAS, weights.bias.get()},
                                         {DNNL_ARG_DST, destination.get()},
                                         {DNNL_ARG_SCRATCHPAD, workspace.scratch_.get()}};
    auto const status = dnnl_primitive_execute(plans.of[each.kind].primitive.get(), workspace.stream_.get(),
                                               static_cast<int>(std::size(arguments)), arguments);
    if (status != dnnl_success)
      throw evaluation_error(concat("onednn: ", each.name, " failed on ", rows, " rows (status ",
                                    static_cast<int>(status), ")"));
  }
}

}  // namespace batchmate::cpu
