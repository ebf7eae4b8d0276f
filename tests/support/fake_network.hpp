#pragma once

#include <batchmate/core/error.hpp>
#include <batchmate/core/random.hpp>
#include <batchmate/eval/batch.hpp>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <stdexcept>
#include <string>

/// What a fake evaluator and its copies have been asked.
struct fake_counts {
  std::atomic<std::uint64_t> batches{0}, rows{0}, largest{0};

  /// Counts a batch; its number, from 1.
  std::uint64_t add(int count) {
    std::uint64_t const number = ++batches;
    rows += static_cast<std::uint64_t>(count);
    for (std::uint64_t seen = largest; seen < static_cast<std::uint64_t>(count);)
      if (largest.compare_exchange_weak(seen, static_cast<std::uint64_t>(count))) break;
    return number;
  }
};

/// Answers row b as a hash of the row's bytes says. Values are multiples of 1/64, so that sums of them are
/// exact; priors have ties, and zeros in a fourth of the rows. A row without legal actions gets none.
inline void fake_answer(batchmate::raw_batch const& rows, int b) {
  batchmate::row_layout const& layout = rows.layout;
  std::uint64_t const* const words = rows.row(b);
  batchmate::random_key key{0xfa4e};
  for (int w = 0; w < layout.words(); ++w) key = key.split(words[w]);
  batchmate::random_stream random{key};
  int legal = 0;
  for (int w = 0; w < layout.legal_words(); ++w)
    legal += batchmate::bit_set<64>::popcount(words[layout.plane_words() + w]);
  rows.values[b] = static_cast<float>(static_cast<int>(random.below(129)) - 64) / 64;
  bool const zeros = random.below(4) == 0;
  float* const priors = rows.priors_of(b);
  float sum = 0;
  for (int i = 0; i < legal; ++i) {
    priors[i] = static_cast<float>(1u << random.below(4)) - (zeros ? 1.0f : 0.0f);
    if (i + 1 == legal && sum == 0) priors[i] = 1;
    sum += priors[i];
  }
  for (int i = 0; i < legal; ++i) priors[i] /= sum;
}

/// A network that thinks in hashes: a row's answer depends on all of that row's bytes and on nothing else.
struct fake_network {
  std::shared_ptr<fake_counts> counts = std::make_shared<fake_counts>();  ///< shared by all copies

  template <batchmate::game G>
  void submit(int, batchmate::batch<G> const& rows) const {
    answer(rows.raw());
  }
  /// Answers a batch; its number, from 1.
  std::uint64_t answer(batchmate::raw_batch const& rows) const {
    for (int b = 0; b < rows.count; ++b) fake_answer(rows, b);
    return counts->add(rows.count);
  }
  void wait(int) const {}
  std::string identity() const { return "fake"; }
};

/// What a test throws on purpose.
struct planned_failure : std::runtime_error {
  planned_failure() : std::runtime_error("planned failure") {}
};

/// A fake network that fails at its n-th batch, counted over all copies.
struct failing_network {
  enum class place { submit, wait };
  std::uint64_t fails_at = 1;  ///< the number of the batch, from 1
  place where = place::submit;
  fake_network network{};

  template <batchmate::game G>
  void submit(int, batchmate::batch<G> const& rows) const {
    std::uint64_t const number = network.answer(rows.raw());
    if (where == place::submit && number == fails_at) throw planned_failure();
  }
  void wait(int) const {
    if (where == place::wait && network.counts->batches >= fails_at) throw planned_failure();
  }
  std::string identity() const { return "failing"; }
};

/// A fake network whose n-th batch has a fault in its last row.
struct faulty_network {
  enum class fault { nan_value, nan_prior, large_value, large_priors };
  std::uint64_t fault_at = 1;  ///< the number of the batch, from 1, counted over all copies
  fault what = fault::nan_value;
  fake_network network{};

  template <batchmate::game G>
  void submit(int, batchmate::batch<G> const& rows) const {
    if (network.answer(rows.raw()) != fault_at) return;
    int const last = rows.count - 1;
    float constexpr nan = std::numeric_limits<float>::quiet_NaN();
    switch (what) {
      case fault::nan_value:
        rows.values[last] = nan;
        break;
      case fault::nan_prior:
        rows.priors_of(last)[0] = nan;
        break;
      case fault::large_value:
        rows.values[last] = 1.5f;
        break;
      case fault::large_priors:
        rows.priors_of(last)[0] += 0.5f;
        break;
    }
  }
  void wait(int) const {}
  std::string identity() const { return "faulty"; }
};
