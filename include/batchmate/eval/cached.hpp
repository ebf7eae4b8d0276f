#pragma once

#include <batchmate/core/error.hpp>
#include <batchmate/core/random.hpp>
#include <batchmate/eval/concepts.hpp>
#include <batchmate/eval/decorator.hpp>
#include <batchmate/eval/report.hpp>

#include <algorithm>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace batchmate {

/// How much a `cached` evaluator remembers.
struct cache_settings {
  int entries =
      1 << 16;  ///< rows with their answers, rounded up to a multiple of 4; the least recently used give way
};

/// What became of the rows that a `cached` evaluator was asked for.
struct cache_counts {
  std::uint64_t hits = 0;     ///< answered from the table
  std::uint64_t repeats = 0;  ///< equal to an earlier row of their batch, and evaluated with it
  std::uint64_t misses = 0;   ///< evaluated

  friend bool operator==(cache_counts const&, cache_counts const&) = default;
};

/// Rows with answers of one network, by all bytes of the row; a bounded table of buckets of four.
class answer_table {
 public:
  /// Room for this many rows of a layout.
  void reserve(int entries, row_layout const& layout) {
    buckets_ = static_cast<std::uint64_t>((entries + ways - 1) / ways);
    words_ = static_cast<std::size_t>(layout.words());
    actions_ = static_cast<std::size_t>(layout.num_actions);
    auto const n = static_cast<std::size_t>(buckets_ * ways);
    hashes_.assign(n, 0);
    used_.assign(n, 0);
    rows_.assign(n * words_, 0);
    values_.assign(n, 0);
    priors_.assign(n * actions_, 0);
    clock_ = 0;
  }
  /// Bytes that `reserve` allocates.
  static std::size_t memory_bytes(int entries, row_layout const& layout) {
    auto const n = static_cast<std::size_t>((entries + ways - 1) / ways) * ways;
    return n * (2 * sizeof(std::uint64_t) + static_cast<std::size_t>(layout.row_bytes) +
                static_cast<std::size_t>(layout.num_actions + 1) * sizeof(float));
  }
  /// A hash of a row's words, never 0.
  static std::uint64_t hash_of(std::uint64_t const* row, int words) {
    std::uint64_t hash = 0;
    for (int i = 0; i < words; ++i) hash = mix_bits(hash * 0x9e3779b97f4a7c15ULL + row[i] + 1);
    return hash | 1;
  }

  /// Forgets everything, if that was another network's.
  void begin(std::uint64_t network_version) {
    if (version_ != network_version) std::fill(hashes_.begin(), hashes_.end(), 0);
    version_ = network_version;
  }
  /// The network that the answers are of.
  std::uint64_t network_version() const { return version_; }

  /// Copies the answer of an equal row, with so many priors, and says whether there is one.
  bool find(std::uint64_t hash, std::uint64_t const* row, int legal, float& value, float* priors) {
    for (std::size_t i = bucket_of(hash), end = i + ways; i < end; ++i)
      if (hashes_[i] == hash && std::memcmp(&rows_[i * words_], row, words_ * 8) == 0) {
        used_[i] = ++clock_;
        value = values_[i];
        std::copy_n(&priors_[i * actions_], legal, priors);
        return true;
      }
    return false;
  }

  /// Remembers an answer in place of an equal row's, or of the one in its bucket that was not used for longest.
  void insert(std::uint64_t hash, std::uint64_t const* row, int legal, float value, float const* priors) {
    std::size_t const begin = bucket_of(hash);
    std::size_t at = begin;
    for (std::size_t i = begin; i < begin + ways; ++i) {
      if (hashes_[i] == hash && std::memcmp(&rows_[i * words_], row, words_ * 8) == 0) return;
      if (used_[i] < used_[at]) at = i;
    }
    hashes_[at] = hash;
    used_[at] = ++clock_;
    std::copy_n(row, words_, &rows_[at * words_]);
    values_[at] = value;
    std::copy_n(priors, legal, &priors_[at * actions_]);
  }

 private:
  static constexpr int ways = 4;

  std::size_t bucket_of(std::uint64_t hash) const {
    return static_cast<std::size_t>((hash >> 32) * buckets_ >> 32) * ways;
  }

  std::uint64_t buckets_ = 0, clock_ = 0, version_ = 0;
  std::size_t words_ = 0, actions_ = 0;
  std::vector<std::uint64_t> hashes_;  // (entries) 0: empty
  std::vector<std::uint64_t> used_;    // (entries) the clock at its last use
  std::vector<std::uint64_t> rows_;    // (entries, words)
  std::vector<float> values_;          // (entries)
  std::vector<float> priors_;          // (entries, A)
};

/// An evaluator that remembers its answers: rows equal in all bytes are evaluated once while the table holds
/// them, and once within a batch. Answers are bit-identical to those of the evaluator inside, because the
/// answer of a row depends on nothing else. If its network is replaced (`network_version`), all is forgotten.
///
///     cached evaluator{reference{load_network("net.safetensors")}, {.entries = 1 << 18}};
///
/// For evaluators that read planes. Every copy has a table of its own, that begins empty; around an evaluator that
/// all workers share there is one table for all of them, and rows of a shared batch that nobody filled are looked up,
/// too. Equal rows of two batches that are under way together are evaluated in both. Copies of positions are
/// allocated with the first batch of each slot, everything else by `reserve`.
template <class E>
class cached {
  static constexpr bool known_to_read_planes = [] {
    if constexpr (requires { typename std::bool_constant<E::needs_planes()>; })
      return E::needs_planes();
    else
      return true;
  }();
  static_assert(
      known_to_read_planes,
      "batchmate::cached: an evaluator that does not read planes cannot be cached, because rows are "
      "told apart by their planes");

 public:
  /// Takes the evaluator. Throws `contract_error` unless there are entries.
  explicit cached(E inner, cache_settings settings = {}) : inner_(std::move(inner)), settings_(settings) {
    expects(settings.entries > 0 && settings.entries <= 1 << 28, "cached: entries must be 1 to 2^28, got ",
            settings.entries);
  }

  /// Empties the table. Throws `contract_error` if the evaluator does not fit, or reads no planes.
  void reserve(reservation const& wanted) {
    expects(batchmate::needs_planes(inner_),
            "cached: an evaluator that reads positions cannot be cached: ", identity());
    batchmate::reserve(inner_, wanted);
    room_.at = std::make_unique<room>();
    room_.at->table.reserve(settings_.entries, wanted.layout);
    for (int slot = 0; slot < wanted.slots; ++slot) room_.at->slots.emplace_back(inner_, wanted);
  }

  template <game G>
  void submit(int slot, batch<G> const& rows) {
    if constexpr (raw_evaluator<E>) {
      submit(slot, rows.raw());
    } else {
      slot_state& state = slot_of(slot);
      state.pending.submit([&] {
        G* const positions = state.template positions<G>();
        look_up(state, rows.raw(), [&](int b, int miss) { positions[miss] = rows.positions[b]; });
        raw_batch const asked = state.buffer.view(state.misses);
        if (asked.count > 0)
          inner_.submit(slot, batch<G>{asked.count, positions, reinterpret_cast<row<G> const*>(asked.rows),
                                       asked.values, asked.priors});
        state.answered_by_looked_up = network_version() == state.looked_up;
        return asked.count > 0;
      });
    }
  }
  /// The same without the game's type, if the evaluator inside needs none.
  void submit(int slot, raw_batch const& rows) requires raw_evaluator<E> {
    slot_state& state = slot_of(slot);
    state.pending.submit([&] {
      look_up(state, rows, [](int, int) {});
      if (state.misses > 0) inner_.submit(slot, state.buffer.view(state.misses));
      state.answered_by_looked_up = network_version() == state.looked_up;
      return state.misses > 0;
    });
  }

  void wait(int slot) {
    slot_state& state = slot_of(slot);
    state.pending.wait([&] {
      inner_.wait(slot);
      hand_out(state);
    });
  }

  /// That of the evaluator inside: the numbers are the same.
  std::string identity() const { return inner_.identity(); }
  /// Whether rows may name a symmetry, which is part of what is remembered.
  bool moves_rows() const { return batchmate::moves_rows(inner_); }
  /// That of the evaluator inside.
  std::uint64_t network_version() const { return batchmate::network_version(inner_); }
  /// Whether one object serves all workers.
  bool is_shared() const { return batchmate::is_shared(inner_); }
  /// What became of all rows so far.
  cache_counts counts() const {
    auto const read = [](std::uint64_t& count) {
      return std::atomic_ref(count).load(std::memory_order_relaxed);
    };
    return {read(counts_.hits), read(counts_.repeats), read(counts_.misses)};
  }
  /// What the evaluator inside counted, and the look-ups; may be called while other threads evaluate.
  evaluator_report report() const {
    evaluator_report all = batchmate::report(inner_);
    cache_counts const now = counts();
    all.cache_lookups += now.hits + now.repeats + now.misses;
    all.cache_hits += now.hits + now.repeats;
    all.cache_repeats += now.repeats;
    return all;
  }
  /// The evaluator inside.
  E const& inner() const { return inner_; }

  /// The table, the slots and the evaluator inside; a position is counted as large as its row.
  std::size_t memory_bytes(reservation const& wanted) const {
    auto const rows = static_cast<std::size_t>(wanted.max_rows);
    std::size_t const a_row =
        static_cast<std::size_t>(wanted.layout.row_bytes) + sizeof(waiting_row) + sizeof(std::uint64_t);
    std::size_t const a_slot = rows * a_row + raw_buffer::bytes(wanted.layout, wanted.max_rows) +
                               std::bit_ceil(2 * std::max<std::size_t>(rows, 1)) * sizeof(int);
    return batchmate::memory_bytes(inner_, wanted) +
           answer_table::memory_bytes(settings_.entries, wanted.layout) +
           static_cast<std::size_t>(wanted.slots) * a_slot;
  }

 private:
  /// A row that waits for the answer of a miss.
  struct waiting_row {
    int row;    // of the batch
    int miss;   // of the inner batch
    int legal;  // actions
  };

  /// The rows of one slot that are being evaluated, each once.
  struct slot_state {
    slot_state(E& inner, reservation const& wanted)
        : max_rows(wanted.max_rows), layout(wanted.layout), buffer(inner, layout, max_rows) {
      auto const n = static_cast<std::size_t>(max_rows);
      hashes.resize(n);
      index.resize(std::bit_ceil(2 * std::max<std::size_t>(n, 1)));
      waiting.reserve(n);
    }

    void begin(raw_batch const& batch) {
      asked = batch;
      misses = 0;
      waiting.clear();
      index_mask = std::bit_ceil(2 * static_cast<std::size_t>(std::max(batch.count, 1))) - 1;
      std::fill_n(index.begin(), index_mask + 1, -1);
    }

    /// The number of the miss that equals the row, which is added if there is none.
    int find_or_add(std::uint64_t hash, std::uint64_t const* row) {
      std::size_t at = hash >> 1 & index_mask;
      for (; index[at] >= 0; at = (at + 1) & index_mask) {
        auto const miss = static_cast<std::size_t>(index[at]);
        if (hashes[miss] == hash &&
            std::memcmp(buffer.row(index[at]), row, static_cast<std::size_t>(layout.row_bytes)) == 0)
          return index[at];
      }
      hashes[static_cast<std::size_t>(misses)] = hash;
      std::copy_n(row, layout.words(), buffer.row(misses));
      return index[at] = misses++;
    }

    /// How many actions a row says are legal.
    int legal_actions(std::uint64_t const* row) const {
      int count = 0;
      for (int w = 0; w < layout.legal_words(); ++w) count += std::popcount(row[layout.plane_words() + w]);
      return count;
    }

    /// Room for `max_rows` positions of G.
    template <game G>
    G* positions() {
      std::size_t const size = static_cast<std::size_t>(max_rows) * sizeof(G);
      std::size_t space = size + alignof(G);
      if (position_bytes.size() < space) position_bytes.resize(space);
      void* at = position_bytes.data();
      return static_cast<G*>(std::align(alignof(G), size, at, space));
    }

    int max_rows;
    row_layout layout;
    pending_batch pending;
    raw_batch asked{};
    int misses = 0;
    std::uint64_t looked_up = 0;            // the network whose answers were looked up
    bool answered_by_looked_up = false;     // and that was asked for the misses
    std::size_t index_mask = 0;             // the part of `index` in use, less 1
    raw_buffer buffer;                      // (misses)
    std::vector<std::byte> position_bytes;  // (misses) positions
    std::vector<std::uint64_t> hashes;      // (misses)
    std::vector<int> index;                 // open addressing: the number of a miss, or -1
    std::vector<waiting_row> waiting;
  };

  struct room {
    std::mutex mutex;  // guards the table and the counts; a slot's own is taken first
    answer_table table;
    std::deque<slot_state> slots;
  };

  slot_state& slot_of(int slot) {
    expects(room_.at && slot >= 0 && slot < static_cast<int>(room_.at->slots.size()), "cached: no slot ",
            slot, " was reserved");
    return room_.at->slots[static_cast<std::size_t>(slot)];
  }

  /// Answers rows from the table and gathers the others, each once: `take(b, miss)` is told where row b has become
  /// a row to evaluate.
  template <class Take>
  void look_up(slot_state& state, raw_batch const& rows, Take&& take) {
    expects(rows.count <= state.max_rows, "cached: ", state.max_rows, " rows were reserved, got ",
            rows.count);
    expects(rows.layout == state.layout, "cached: the rows are not of the layout that was reserved");
    state.begin(rows);
    std::lock_guard lock(room_.at->mutex);
    room_.at->table.begin(state.looked_up = network_version());
    cache_counts counted = counts_;
    for (int b = 0; b < rows.count; ++b) {
      std::uint64_t const* const bytes = rows.row(b);
      std::uint64_t const hash = answer_table::hash_of(bytes, state.layout.words());
      int const legal = state.legal_actions(bytes);
      if (room_.at->table.find(hash, bytes, legal, rows.values[b], rows.priors_of(b))) {
        ++counted.hits;
        continue;
      }
      int const known = state.misses, miss = state.find_or_add(hash, bytes);
      state.waiting.push_back({b, miss, legal});
      if (miss < known) {
        ++counted.repeats;
        continue;
      }
      ++counted.misses;
      take(b, miss);
    }
    publish(counted);
  }

  /// Gives all rows that wait their answers, and the table those of the misses.
  void hand_out(slot_state& state) {
    raw_batch const answered = state.buffer.view(state.misses);
    std::lock_guard lock(room_.at->mutex);
    bool const kept = state.answered_by_looked_up && room_.at->table.network_version() == state.looked_up;
    int inserted = 0;
    for (auto const& w : state.waiting) {
      float const value = answered.values[w.miss];
      float const* const priors = answered.priors_of(w.miss);
      state.asked.values[w.row] = value;
      std::copy_n(priors, w.legal, state.asked.priors_of(w.row));
      if (!kept || w.miss < inserted) continue;
      room_.at->table.insert(state.hashes[static_cast<std::size_t>(w.miss)], answered.row(w.miss), w.legal,
                             value, priors);
      ++inserted;
    }
  }

  /// One thread at a time writes; others may read.
  void publish(cache_counts const& counted) {
    std::atomic_ref(counts_.hits).store(counted.hits, std::memory_order_relaxed);
    std::atomic_ref(counts_.repeats).store(counted.repeats, std::memory_order_relaxed);
    std::atomic_ref(counts_.misses).store(counted.misses, std::memory_order_relaxed);
  }

  E inner_;
  cache_settings settings_;
  mutable cache_counts counts_;  // by atomic_ref alone, which takes nothing const
  reserved_part<room> room_;
};

}  // namespace batchmate
