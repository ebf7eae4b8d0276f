#pragma once

#include <batchmate/cuda/lane.hpp>
#include <batchmate/cuda/options.hpp>
#include <batchmate/cuda/timeline.hpp>
#include <batchmate/cuda/waves.hpp>
#include <batchmate/eval/concepts.hpp>
#include <batchmate/eval/heads.hpp>
#include <batchmate/eval/report.hpp>

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <deque>
#include <exception>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

namespace batchmate::cuda {

/// The devices that serve an evaluator, and all that is in flight on them. All copies of the evaluator share one.
class engine_room {
 public:
  /// Loads the network onto the devices. Throws `contract_error` for options out of range, devices of different
  /// models, no device at all, or a plan that is not for this cuDNN; `evaluation_error` if no plan can be made.
  engine_room(network const& net, cudnn_options const& options) : options_(checked(options)) {
    std::vector<device_info> const chosen = choose_devices(options.devices);
    packed_network packed(net, options.precision);
    tower_shape const& shape = packed.shape();
    auto const inner = options.plan ? options.plan->of(layer::second) : pinned_choice(shape);
    buckets_ = options.fixed_rows > 0
                   ? std::vector<int>{options.fixed_rows}
                   : batch_buckets(waves_of(chosen[0], shape, inner, options.tile_cells), options.max_chunk);
    for (auto const& each : chosen) {
      tower_plan const plan = machines_.empty() ? choose(each, shape) : machines_[0]->network.plan();
      machines_.push_back(std::make_unique<machine>(each, packed, plan, options.symmetries));
      machines_.back()->index = machines_.size() - 1;
    }
    if (options.fixed_rows == 0) buckets_ = machines_[0]->network.sizes_alike(buckets_);
    extents_ = extents_of_network(net);
    name(net);
  }

  /// Whether rows name the symmetries they are shown under.
  bool moves_rows() const { return options_.symmetries.count > 0 && !options_.symmetries.seed; }

  /// Makes room for batches to come. Waits until nothing is in flight.
  void reserve(reservation const& wanted) {
    check_fits(extents_, wanted.layout);
    expects(wanted.max_rows > 0 && wanted.slots > 0, "cudnn: max_rows and slots must be positive");
    expects(options_.symmetries.fit(wanted.layout),
            "cudnn: the symmetries are not those of the game's board");
    for (auto& s : slots_) {  // of a run that has failed, nobody may have waited
      std::lock_guard of_slot(s.mutex);
      if (s.on) finish(s);
      s.failure = nullptr;
    }
    std::lock_guard lock(mutex_);
    drain();
    std::size_t const last = bucket_for(buckets_, wanted.max_rows);
    if (lanes_.empty() || lanes_[0]->at.max_rows() < buckets_[last] || layout_ != wanted.layout) {
      lanes_.clear();  // before there are others: both may not fit
      layout_ = wanted.layout;
      std::vector<int> const used(buckets_.begin(), buckets_.begin() + static_cast<std::ptrdiff_t>(last) + 1);
      std::vector<std::unique_ptr<busy_lane>> made;
      for (auto const& each : machines_)
        for (int i = 0; i < options_.lanes; ++i)
          made.push_back(std::make_unique<busy_lane>(*each, layout_, used, options_.graphs));
      lanes_ = std::move(made);
    }
    int const chunks = (wanted.max_rows + buckets_.back() - 1) / buckets_.back();
    while (static_cast<int>(slots_.size()) < wanted.slots) slots_.emplace_back();
    for (auto& s : slots_) s.make_room(*this, chunks);
  }

  /// Begins to evaluate a batch, on the lane with the least to do.
  void submit(int number, raw_batch const& batch) {
    expects(
        number >= 0 && number < static_cast<int>(slots_.size()) && batch.layout == layout_ && !lanes_.empty(),
        "cudnn: 'reserve' must come before the first batch, for its rows and slot ", number);
    slot& s = slots_[static_cast<std::size_t>(number)];
    std::lock_guard of_slot(s.mutex);
    expects(!s.on, "cudnn: slot ", number, " has a batch in flight");
    s.failure = nullptr;
    if (batch.count == 0) return;
    std::lock_guard lock(mutex_);
    busy_lane& lane = *lanes_[last_lane_ = least_busy()];
    s.chunks = s.bucket_rows = 0;
    s.rows = batch.count;
    s.network = extents_.name;
    try {
      for (int first = 0; first < batch.count; first += lane.at.max_rows()) {
        expects(s.chunks < s.room, "cudnn: a batch of ", batch.count, " rows is larger than was reserved");
        int const count = std::min(lane.at.max_rows(), batch.count - first);
        on_device(lane.at.device(), [&] { lane.at.enqueue(batch, first, count, s.receipt_at(s.chunks)); });
        s.bucket_rows += buckets_[bucket_for(buckets_, count)];
        ++s.chunks;
      }
      on_device(lane.at.device(), [&] { lane.at.record(s.done[lane.of.index].get()); });
    } catch (...) {
      lane.at.settle();  // the batch's memory may go away now
      throw;
    }
    ++lane.in_flight;
    s.on = &lane;
  }

  /// Returns when the slot's batch is answered; throws what went wrong with it, to everybody who waits for it.
  void wait(int number) {
    if (number < 0 || number >= static_cast<int>(slots_.size())) return;
    slot& s = slots_[static_cast<std::size_t>(number)];
    cudaEvent_t done = nullptr;
    {
      std::lock_guard lock(s.mutex);
      if (s.on) done = s.done[s.on->of.index].get();
    }
    // Not under the mutex: all who share the batch wake up at once then. What goes wrong `finish` sees, too.
    if (done) cudaEventSynchronize(done);
    std::lock_guard lock(s.mutex);
    if (s.on) finish(s);
    if (s.failure) std::rethrow_exception(s.failure);
  }

  /// Replaces the weights when all that was submitted is done. Throws `contract_error` for other extents.
  void replace(network const& net) {
    expects(extents_of(net) == extents_of(extents_), "network ", net.name,
            ": has other extents than the one it is to replace");
    packed_network const packed(net, options_.precision);
    std::lock_guard lock(mutex_);
    drain();
    for (auto const& each : machines_) each->network.replace(packed);
    name(net);
    ++network_version_;
  }

  /// How often the weights have been replaced.
  std::uint64_t network_version() const { return network_version_; }

  /// Pinned memory; it is given back when nothing is in flight any more.
  static std::shared_ptr<std::byte> allocate(std::shared_ptr<engine_room> const& room, std::size_t bytes) {
    auto memory = on_device(room->where().number, [&] { return allocate_pinned(bytes); });
    std::byte* const at = memory.get();
    return {at, [room, memory](std::byte*) {
              std::lock_guard lock(room->mutex_);
              for (auto const& each : room->lanes_) each->at.settle();
            }};
  }

  /// Counts and times so far, the times as means over the devices.
  evaluator_report report() const {
    std::lock_guard lock(mutex_);
    evaluator_report all;
    all.batches = batches_;
    all.rows = rows_;
    all.bucket_rows = bucket_rows_;
    for (auto const& each : machines_) {
      std::lock_guard of_times(each->times_mutex);
      all.busy_seconds += each->times.busy_seconds() / static_cast<double>(machines_.size());
      all.transfer_seconds += each->times.visible_transfer_seconds() / static_cast<double>(machines_.size());
      all.device_bytes += each->network.bytes();
    }
    for (auto const& each : lanes_) all.device_bytes += each->at.bytes();
    return all;
  }

  /// What the numbers depend on.
  std::string identity() const {
    std::lock_guard lock(mutex_);
    return identity_;
  }
  tower_plan const& plan() const { return machines_[0]->network.plan(); }  ///< the engines in use
  std::vector<int> const& buckets() const { return buckets_; }             ///< batch sizes, ascending
  network const& extents() const { return extents_; }            ///< the network without its weights
  std::size_t device_count() const { return machines_.size(); }  ///< how many serve it
  device_info const& where() const { return machines_[0]->network.where(); }  ///< the first device
  std::size_t receipt_bytes(int rows) const {                                 ///< pinned, a slot
    return sizeof(receipt) * static_cast<std::size_t>((rows + buckets_.back() - 1) / buckets_.back());
  }
  std::atomic<void const*> game{nullptr};  ///< the game that was checked last

 private:
  /// A device.
  struct machine {
    machine(device_info const& where, packed_network const& net, tower_plan const& plan,
            board_symmetries const& s)
        : network(where, net, plan, s) {}
    resident_network network;
    std::size_t index = 0;
    mutable std::mutex times_mutex;
    timeline times;
  };
  struct busy_lane {
    busy_lane(machine& m, row_layout const& layout, std::vector<int> const& buckets, bool graphs)
        : of(m), at(m.network, layout, buckets, graphs) {}
    machine& of;
    lane at;
    std::atomic<int> in_flight{0};
  };
  struct slot {
    void make_room(engine_room const& in, int most_chunks) {
      while (done.size() < in.machines_.size())
        done.push_back(
            on_device(in.machines_[done.size()]->network.where().number, [] { return make_event(); }));
      if (most_chunks <= room) return;
      room = most_chunks;
      receipts = on_device(in.where().number, [&] {
        return allocate_pinned(sizeof(receipt) * static_cast<std::size_t>(most_chunks));
      });
    }
    receipt* receipt_at(int chunk) const { return reinterpret_cast<receipt*>(receipts.get()) + chunk; }

    std::mutex mutex;
    busy_lane* on = nullptr;  // where its batch is in flight
    int chunks = 0, room = 0, rows = 0, bucket_rows = 0;
    std::string network;  // that evaluates its batch; it may be replaced before somebody waits
    std::shared_ptr<std::byte> receipts;  // (room), pinned
    std::vector<event> done;              // by machine
    std::exception_ptr failure;
  };

  static cudnn_options const& checked(cudnn_options const& o) {
    expects(o.lanes >= 1 && o.lanes <= 8, "cudnn: lanes must be 1 to 8, got ", o.lanes);
    expects(o.max_chunk >= 1 && o.max_chunk <= 8192, "cudnn: max_chunk must be 1 to 8192, got ", o.max_chunk);
    expects(o.fixed_rows >= 0 && o.fixed_rows <= 8192, "cudnn: fixed_rows must be 0 to 8192, got ",
            o.fixed_rows);
    expects(o.tile_cells >= 0, "cudnn: tile_cells must not be negative, got ", o.tile_cells);
    return o;
  }

  static std::vector<device_info> choose_devices(std::vector<int> const& wanted) {
    std::string why_not;
    auto const all = devices(&why_not);
    expects(!all.empty(), "cudnn: ", why_not);
    if (wanted.empty()) return {all[0]};
    std::vector<device_info> chosen;
    for (int const number : wanted) {
      auto const found =
          std::find_if(all.begin(), all.end(), [&](auto const& d) { return d.number == number; });
      expects(found != all.end(), "cudnn: device ", number,
              " is not there, or older than compute capability 8.0");
      expects(std::none_of(chosen.begin(), chosen.end(), [&](auto const& d) { return d.number == number; }),
              "cudnn: device ", number, " is named twice");
      chosen.push_back(*found);
      expects(found->name == chosen[0].name, "cudnn: devices must be of one model, found ", chosen[0].name,
              " and ", found->name, ": their answers would differ");
    }
    return chosen;
  }

  tower_plan choose(device_info const& on, tower_shape const& shape) const {
    if (options_.plan) {
      expects(options_.plan->cudnn == cudnn_version(), "cudnn: the plan was made with cuDNN ",
              options_.plan->cudnn, ", this is ", cudnn_version(), ": tune again, or leave the plan out");
      return *options_.plan;
    }
    return on_device(on.number, [&] {
      auto const handle = make_cudnn_handle();
      return choose_plan(plan_target(handle.get()), shape, buckets_);
    });
  }

  static network extents_of_network(network const& net) {
    network plain = network_without_weights(extents_of(net));
    plain.name = net.name;
    plain.game = net.game;
    return plain;
  }

  void name(network const& net) {
    char hash[17];
    std::snprintf(hash, sizeof hash, "%016llx", static_cast<unsigned long long>(network_hash(net)));
    extents_.name = net.name;
    identity_ =
        concat("cudnn-", cudnn_version(), ":cuda-", CUDART_VERSION / 1000, ".", CUDART_VERSION % 1000 / 10,
               ":", name_of(options_.precision), ":", where().name, ":", short_text_of(plan()), ":",
               options_.fixed_rows > 0                           ? concat("rows", options_.fixed_rows, ":")
               : options_.max_chunk != cudnn_options{}.max_chunk ? concat("chunk", options_.max_chunk, ":")
                                                                 : "",
               options_.symmetries.seed ? concat("symmetry=random:", *options_.symmetries.seed, ":") : "",
               net.name, ":", hash);
  }

  /// Of lanes with equally little to do the next after the one that was used last.
  std::size_t least_busy() const {
    std::size_t best = (last_lane_ + 1) % lanes_.size();
    for (std::size_t i = 2; i <= lanes_.size(); ++i)
      if (std::size_t const other = (last_lane_ + i) % lanes_.size();
          lanes_[other]->in_flight < lanes_[best]->in_flight)
        best = other;
    return best;
  }

  /// Waits for a slot's batch and takes stock; the caller holds the slot's mutex.
  void finish(slot& s) {
    busy_lane& lane = *s.on;
    s.on = nullptr;
    --lane.in_flight;
    try {
      check(cudaEventSynchronize(s.done[lane.of.index].get()), "cudaEventSynchronize");
      std::lock_guard of_times(lane.of.times_mutex);
      for (int i = 0; i < s.chunks; ++i) {
        receipt const& r = *s.receipt_at(i);
        lane.of.times.add(r);
        int const first = i * lane.at.max_rows();
        if (r.fault < static_cast<unsigned>(s.rows - first))  // beyond are the rows that fill the bucket up
          throw evaluation_error(concat("cudnn: network ", s.network, ": row ",
                                        static_cast<unsigned>(first) + r.fault, " of a batch of ", s.rows,
                                        ": a value or prior is not finite"));
      }
    } catch (...) {
      s.failure = std::current_exception();
    }
    ++batches_;
    rows_ += static_cast<std::uint64_t>(s.rows);
    bucket_rows_ += static_cast<std::uint64_t>(s.bucket_rows);
  }

  /// Blocks until no lane has work; the caller holds the mutex.
  void drain() {
    for (auto const& each : lanes_) each->at.drain();
  }

  cudnn_options options_;
  std::vector<int> buckets_;
  network extents_;
  std::string identity_;
  row_layout layout_{};
  mutable std::mutex mutex_;  // of lanes and names; taken after a slot's
  std::vector<std::unique_ptr<machine>> machines_;
  std::deque<slot> slots_;
  std::vector<std::unique_ptr<busy_lane>> lanes_;  // last, so that their work ends before the slots go
  std::size_t last_lane_ = 0;                      // that was given a batch
  std::atomic<std::uint64_t> network_version_{0};
  std::atomic<std::uint64_t> batches_{0}, rows_{0}, bucket_rows_{0};
};

}  // namespace batchmate::cuda
