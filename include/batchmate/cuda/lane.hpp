#pragma once

#include <batchmate/cuda/buckets.hpp>
#include <batchmate/cuda/resident_network.hpp>

#include <cstddef>
#include <optional>
#include <utility>
#include <vector>

namespace batchmate::cuda {

/// A stream of a device with all that a batch needs there, and one graph for every batch size. Batches on a lane
/// run one after the other; while one lane computes, another one's rows and answers travel.
///
///     rows up -> [ begin, unpack, convolutions, heads, answers ] -> values, priors and times down
///                  one graph for each bucket, captured once
class lane {
 public:
  /// Makes and, with `graphs`, captures what batches of up to `buckets.back()` rows need. Each plan has run once
  /// before its capture, on rows of zeros.
  lane(resident_network& net, row_layout const& layout, std::vector<int> buckets, bool graphs)
      : net_(net), buckets_(std::move(buckets)) {
    on_device(net_.where().number, [&] {
      on_.emplace(net_.packed(), layout, buckets_.back());
      stream_ = make_stream();
      std::size_t const row_bytes =
          static_cast<std::size_t>(layout.row_bytes) * static_cast<std::size_t>(buckets_.back());
      check(cudaMemsetAsync(on_->packed_rows.get(), 0, row_bytes, stream_.get()), "cudaMemsetAsync of rows");
      for (int const rows : buckets_) {
        net_.prepare(rows);
        resident_network::visit const here(net_);
        net_.enqueue(*on_, rows, stream_.get());
        check(cudaStreamSynchronize(stream_.get()), "cudaStreamSynchronize after the first run");
        if (graphs)
          graphs_.push_back(capture(stream_.get(), [&] { net_.enqueue(*on_, rows, stream_.get()); }));
      }
    });
  }

  /// Puts rows `first` to `first + count - 1` of a batch on the stream, with their answers' way back; `to`, pinned,
  /// is written when they are there. `count` is at most the largest bucket. With memory that is not pinned this
  /// waits for the device. One thread at a time.
  void enqueue(raw_batch const& batch, int first, int count, receipt* to) {
    auto const& on = *on_;
    std::size_t const n = static_cast<std::size_t>(count);
    std::size_t const bucket = bucket_for(buckets_, count);
    auto* const times = reinterpret_cast<receipt*>(on.times.get());
    kernels::launch("stamp", kernels::stamp<>, 1, 1, stream_.get(), &times->upload_begin);
    copy(on.packed_rows.get(), batch.row(first), n * static_cast<std::size_t>(batch.layout.row_bytes),
         cudaMemcpyHostToDevice, "cudaMemcpyAsync of rows");
    if (graphs_.empty()) {
      resident_network::visit const here(net_);
      net_.enqueue(on, buckets_[bucket], stream_.get());
    } else {
      check(cudaGraphLaunch(graphs_[bucket].get(), stream_.get()), "cudaGraphLaunch");
    }
    copy(batch.values + first, on.values.get(), n * sizeof(float), cudaMemcpyDeviceToHost,
         "cudaMemcpyAsync of values");
    copy(batch.priors_of(first), on.priors.get(),
         n * sizeof(float) * static_cast<std::size_t>(batch.layout.num_actions), cudaMemcpyDeviceToHost,
         "cudaMemcpyAsync of priors");
    kernels::launch("stamp", kernels::stamp<>, 1, 1, stream_.get(), &times->download_end);
    copy(to, times, sizeof(receipt), cudaMemcpyDeviceToHost, "cudaMemcpyAsync of times");
  }

  /// Marks the end of all work so far.
  void record(cudaEvent_t done) { check(cudaEventRecord(done, stream_.get()), "cudaEventRecord"); }
  /// Blocks until all work is done.
  void drain() { check(cudaStreamSynchronize(stream_.get()), "cudaStreamSynchronize"); }
  /// The same where a failure has been said already, or there is nobody to say it to: no work is left then either.
  void settle() noexcept { cudaStreamSynchronize(stream_.get()); }

  int max_rows() const { return buckets_.back(); }    ///< the largest bucket
  int device() const { return net_.where().number; }  ///< CUDA's number
  std::size_t bytes() const { return on_->bytes; }    ///< on the device

 private:
  void copy(void* to, void const* from, std::size_t bytes, cudaMemcpyKind kind, char const* call) {
    check(cudaMemcpyAsync(to, from, bytes, kind, stream_.get()), call);
  }

  resident_network& net_;
  std::vector<int> buckets_;
  std::optional<activations> on_;         // always there
  std::vector<executable_graph> graphs_;  // by bucket, or none
  stream stream_;                         // last, so that it finishes before the memory goes
};

}  // namespace batchmate::cuda
