#pragma once

#include <batchmate/core/error.hpp>
#include <batchmate/cpu/activations.hpp>
#include <batchmate/cpu/library.hpp>
#include <batchmate/cpu/tower.hpp>
#include <batchmate/eval/concepts.hpp>
#include <batchmate/eval/heads.hpp>
#include <batchmate/net/layers.hpp>
#include <batchmate/net/network.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace batchmate {

/// How `onednn` computes.
struct onednn_options {
  cpu::precision precision = cpu::precision::automatic;  ///< of the tower; the heads are always fp32
  /// Most rows that go through the tower together, 1 to 256; memory and start-up grow with it. Above 16 the next lower
  /// multiple of 16.
  int max_chunk = 32;
};

/// A network on oneDNN, for processors: models `evaluator_for` every game the network fits. All the work is
/// done in `submit`, on the calling thread alone, for exactly the rows given. Copies share the weights and
/// run at the same time; a row's answer depends on nothing but its position, bit for bit.
///
///     bm::onednn evaluator{network, {.precision = bm::cpu::precision::fp32}};
class onednn {
 public:
  /// Copies and reorders the network's weights and generates the code for it, some tens of milliseconds. Throws
  /// `contract_error` for layers that do not fit each other, for options out of range and where bf16 is asked
  /// for and missing, `evaluation_error` where oneDNN fails.
  explicit onednn(network const& net, onednn_options const& options = {})
      : shared_(std::make_shared<shared const>(net, options)) {}

  /// Shares everything that never changes; the copy has a workspace of its own.
  onednn(onednn const& other) : shared_(other.shared_) {}
  onednn& operator=(onednn const& other) { return *this = onednn(other); }
  onednn(onednn&&) noexcept = default;
  onednn& operator=(onednn&&) noexcept = default;
  ~onednn() = default;

  /// Allocates what batches of up to `wanted.max_rows` rows need. Throws `contract_error` unless the rows are
  /// such as the network takes.
  void reserve(reservation const& wanted) {
    check_fits(shared_->extents, wanted.layout);
    expects(wanted.max_rows > 0, "onednn: max_rows must be positive, got ", wanted.max_rows);
    grow(chunk(wanted.max_rows));
    reserved_ = true;
  }

  /// Evaluates the batch; done when it returns. Rows that do not fit the network are a `contract_error`.
  template <game G>
  void submit(int, batch<G> const& rows) {
    if (fits_ != &game_mark<G>) {
      if constexpr (game_with_text<G>)
        check_fits(shared_->extents, layout_of<G>(), G::name());
      else
        check_fits(shared_->extents, layout_of<G>());
      fits_ = &game_mark<G>;
    }
    if (rows.count > 0) evaluate(rows.raw());
  }
  /// The same without the game's type, and so without a look at the game's name.
  void submit(int, raw_batch const& rows) {
    check_fits(shared_->extents, rows.layout);
    if (rows.count > 0) evaluate(rows);
  }
  void wait(int) const {}

  /// `onednn-2.6.3:bf16:avx512_core_bf16+fma:NETWORK:HASH`: library, precision, the tower's instruction set and how the
  /// heads round (`dense_is_fused`), network.
  std::string identity() const { return shared_->identity; }

  /// Bytes that one copy allocates; the weights, which all copies share, are there since construction.
  std::size_t memory_bytes(reservation const& wanted) const {
    return cpu::tower_workspace::memory_bytes(shared_->tower, chunk(wanted.max_rows)) +
           (shared_->widened_floats() + shared_->heads.scratch_floats()) * sizeof(float);
  }

 private:
  /// What never changes.
  struct shared {
    shared(network const& net, onednn_options const& options)
        : extents(checked(net, options)),
          tower(net, cpu::effective_precision(options.precision), options.max_chunk),
          heads(net),
          identity(concat(cpu::library_name(), ":", tower.bf16() ? "bf16" : "fp32", ":", cpu::isa_name(),
                          dense_is_fused() ? "+fma:" : ":", net.name, ":", hexadecimal(network_hash(net)))) {}

    static std::string hexadecimal(std::uint64_t number) {
      char text[17];
      std::snprintf(text, sizeof text, "%016llx", static_cast<unsigned long long>(number));
      return text;
    }

    static network checked(network const& net, onednn_options const& options) {
      check_network(net);
      expects(options.max_chunk >= 1 && options.max_chunk <= 256, "onednn: max_chunk must be 1 to 256, got ",
              options.max_chunk);
      network plain = network_without_weights(extents_of(net));
      plain.name = net.name;
      plain.game = net.game;
      return plain;
    }
    /// Floats for the tower's output of one row, (H, W, C), if it is bf16; 8 more for `widen`.
    std::size_t widened_floats() const {
      return tower.bf16() ? static_cast<std::size_t>(tower.cells() * tower.channels() + 8) : 0;
    }

    network extents;  ///< without its weights
    cpu::tower tower;
    batchmate::heads heads;
    std::string identity;
  };

  /// What one thread writes to.
  struct workspace {
    workspace(shared const& of, int rows)
        : tower(of.tower, rows), widened(of.widened_floats()), scratch(of.heads.scratch_floats()) {}

    cpu::tower_workspace tower;
    std::vector<float> widened, scratch;
  };

  /// Its address tells games apart.
  template <game G>
  static constexpr char game_mark = 0;

  int chunk(int rows) const { return cpu::tower::chunk(rows, shared_->tower.max_rows()); }

  void grow(int rows) {
    if (!workspace_ || workspace_->tower.max_rows() < rows) workspace_.emplace(*shared_, rows);
  }

  void evaluate(raw_batch const& out) {
    cpu::single_threaded const alone;
    if (!reserved_) grow(chunk(out.count));
    int const most = workspace_->tower.max_rows();
    for (int first = 0, some; first < out.count; first += some) {
      some = cpu::tower::chunk(out.count - first, most);
      evaluate_chunk(out, first, some);
    }
  }

  void evaluate_chunk(raw_batch const& out, int first, int count) {
    auto const& tower = shared_->tower;
    auto& work = *workspace_;
    std::ptrdiff_t const row_inputs = tower.cells() * tower.inputs();
    auto unpack_all = [&]<class Element>(Element* to) {
      for (int r = 0; r < count; ++r) cpu::unpack(out.row(first + r), out.layout, to + r * row_inputs);
    };
    if (tower.bf16())
      unpack_all(static_cast<cpu::bf16_bits*>(work.tower.input()));
    else
      unpack_all(static_cast<float*>(work.tower.input()));
    tower.run(work.tower, count);
    run_heads(out, first, count);
  }

  void run_heads(raw_batch const& out, int first, int count) {
    auto const& tower = shared_->tower;
    auto& work = *workspace_;
    std::ptrdiff_t const row_outputs = tower.cells() * tower.channels();
    auto run = [&](auto&& rows_of_tower) {
      shared_->heads.run(rows_of_tower, tower.channels(), out, first, count, work.scratch.data());
    };
    if (tower.bf16())
      run([&, from = static_cast<cpu::bf16_bits const*>(work.tower.output())](int r) {
        cpu::widen(from + r * row_outputs, row_outputs, work.widened.data());
        return work.widened.data();
      });
    else
      run([&, from = static_cast<float const*>(work.tower.output())](int r) {
        return from + r * row_outputs;
      });
  }

  std::shared_ptr<shared const> shared_;
  std::optional<workspace> workspace_;
  bool reserved_ = false;       // else the workspace grows with the batches
  void const* fits_ = nullptr;  // the game_mark of the game that was checked last
};

}  // namespace batchmate
