#pragma once

#include <batchmate/cuda/engine_room.hpp>
#include <batchmate/cuda/options.hpp>
#include <batchmate/eval/concepts.hpp>
#include <batchmate/eval/heads.hpp>
#include <batchmate/eval/report.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

namespace batchmate {

/// A network on cuDNN, for NVIDIA GPUs of compute capability 8.0 and later: models `evaluator_for` every game the
/// network fits. All workers share it, and copies are handles of the same devices. `submit` returns at once;
/// batches are computed one after the other on each lane. A row's answer depends on nothing but its position, which
/// rests on cuDNN's pinned engine doing the same for every row and batch size: the tests labelled `gpu` compare
/// that bit for bit.
///
///     bm::cudnn evaluator{network, {.precision = bm::cuda::precision::bf16}};
///
/// Outputs that are not finite make `wait` throw an `evaluation_error` that names the network.
class cudnn {
 public:
  /// Loads the network onto the devices, which takes about a second. Throws `contract_error` for layers that do not
  /// fit each other, options out of range, and where there is no device; `cuda::error` where CUDA or cuDNN fails.
  explicit cudnn(network const& net, cudnn_options const& options = {})
      : room_(std::make_shared<cuda::engine_room>(net, options)) {}

  /// Allocates device memory and captures graphs for batches of up to `wanted.max_rows` rows; waits until nothing is
  /// in flight. Throws `contract_error` unless the rows are such as the network takes.
  void reserve(reservation const& wanted) { room_->reserve(wanted); }

  /// Begins to evaluate the batch. With memory that `allocate` did not give, it waits for the device.
  template <game G>
  void submit(int slot, batch<G> const& rows) {
    if (room_->game.load(std::memory_order_relaxed) != &game_mark<G>) {
      if constexpr (requires { G::name(); })
        check_fits(room_->extents(), layout_of<G>(), G::name());
      else
        check_fits(room_->extents(), layout_of<G>());
      room_->game.store(&game_mark<G>, std::memory_order_relaxed);
    }
    submit(slot, rows.raw());
  }
  /// The same without the game's type.
  void submit(int slot, raw_batch const& rows) { room_->submit(slot, rows); }

  void wait(int slot) { room_->wait(slot); }
  /// Whether the options have symmetries, and no seed to draw them by.
  bool moves_rows() const { return room_->moves_rows(); }
  bool is_shared() const { return true; }
  std::shared_ptr<std::byte> allocate(std::size_t bytes) { return cuda::engine_room::allocate(room_, bytes); }
  /// Memory of the host; `report().device_bytes` has the devices'.
  std::size_t memory_bytes(reservation const& wanted) const {
    return static_cast<std::size_t>(wanted.slots) * room_->receipt_bytes(wanted.max_rows);
  }
  evaluator_report report() const { return room_->report(); }
  std::string identity() const { return room_->identity(); }

  /// Puts the weights of another network of the same extents in place of the present ones, as soon as all that was
  /// submitted is done. Batches submitted later, by whichever copy, see the new ones, and `identity` tells them.
  /// Throws `contract_error` for other extents.
  void replace(network const& net) { room_->replace(net); }
  /// How often `replace` has done so; `cached` forgets by it.
  std::uint64_t network_version() const { return room_->network_version(); }

  /// The engines in use, to be kept for a later run, and how they were chosen.
  cuda::tower_plan const& plan() const { return room_->plan(); }
  /// The batch sizes there are graphs for, ascending: whole waves of the device, so a batch just below one is
  /// cheapest a row.
  std::vector<int> const& buckets() const { return room_->buckets(); }
  /// The first device.
  cuda::device_info const& device() const { return room_->where(); }
  /// A line for people: devices, cuDNN's version, and whether the plan is the pinned one or a substitute.
  std::string note() const {
    std::size_t const devices = room_->device_count();
    return concat(devices > 1 ? concat(devices, " x ") : "", room_->where().name, ", cuDNN ", plan().cudnn,
                  ", plan: ", plan().origin, ", ", cuda::short_text_of(plan()));
  }

 private:
  /// Its address tells games apart.
  template <game G>
  static constexpr char game_mark = 0;

  std::shared_ptr<cuda::engine_room> room_;
};

}  // namespace batchmate
