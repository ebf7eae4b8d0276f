#pragma once

#include <batchmate/eval/batch.hpp>
#include <batchmate/eval/concepts.hpp>
#include <batchmate/eval/report.hpp>
#include <batchmate/eval/symmetric.hpp>
#include <batchmate/net/network.hpp>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace common {

/// What the flags say about `cudnn`.
struct cudnn_settings {
  std::string precision = "auto";  ///< `auto` (fp16), `fp16`, `bf16` or `fp32`
  std::string plan = {};           ///< a file that `tune_cudnn` has written; empty: the pinned plan
  std::vector<int> devices = {};   ///< CUDA's numbers; empty: the first
  int fixed_rows = 0;              ///< every batch runs as repeats of so many rows; 0: as it is
};

/// The library's `cudnn` behind a pointer, so that cudnn.cu is the only file that nvcc compiles, and only once for all
/// games. Copies are handles of the same devices.
class cudnn_evaluator {
 public:
  /// `symmetries` are those of the board, or none, and with a seed every row's is drawn. Throws
  /// `batchmate::contract_error` where there is no device, `batchmate::file_error` for the plan.
  cudnn_evaluator(batchmate::network const& net, cudnn_settings const& settings,
                  batchmate::row_symmetries const& symmetries = {},
                  std::optional<std::uint64_t> symmetry_seed = {});

  template <batchmate::game G>
  void submit(int slot, batchmate::batch<G> const& rows) {
    held_->submit(slot, rows.raw());
  }
  void submit(int slot, batchmate::raw_batch const& rows) { held_->submit(slot, rows); }
  void wait(int slot) { held_->wait(slot); }
  std::string identity() const { return held_->identity(); }
  void reserve(batchmate::reservation const& wanted) { held_->reserve(wanted); }
  bool moves_rows() const { return held_->moves_rows(); }
  bool is_shared() const { return true; }
  std::shared_ptr<std::byte> allocate(std::size_t bytes) { return held_->allocate(bytes); }
  std::size_t memory_bytes(batchmate::reservation const& wanted) const { return held_->memory_bytes(wanted); }
  batchmate::evaluator_report report() const { return held_->report(); }
  std::string note() const { return held_->note(); }             ///< device, cuDNN's version, plan
  std::vector<int> buckets() const { return held_->buckets(); }  ///< batch sizes that are cheapest a row

 private:
  struct interface {
    virtual ~interface() = default;
    virtual void submit(int slot, batchmate::raw_batch const& rows) = 0;
    virtual void wait(int slot) = 0;
    virtual std::string identity() const = 0;
    virtual void reserve(batchmate::reservation const& wanted) = 0;
    virtual bool moves_rows() const = 0;
    virtual std::shared_ptr<std::byte> allocate(std::size_t bytes) = 0;
    virtual std::size_t memory_bytes(batchmate::reservation const& wanted) const = 0;
    virtual batchmate::evaluator_report report() const = 0;
    virtual std::string note() const = 0;
    virtual std::vector<int> buckets() const = 0;
  };
  struct holder;

  std::shared_ptr<interface> held_;
};

/// Why `cudnn_evaluator` would not work here (no device, no driver), or nothing if it would.
std::string why_no_cudnn();

/// Finds the fastest plan for a network on this machine's first device and returns it as text, for a file. `progress`
/// gets a line for every candidate. Throws as `batchmate::cuda::tune` does.
std::string tune_cudnn(batchmate::network const& net, std::string const& precision,
                       std::function<void(std::string const&)> const& progress);

}  // namespace common
