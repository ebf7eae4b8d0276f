#pragma once

#include <batchmate/eval/batch.hpp>

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

namespace batchmate {

/// What will be asked of an evaluator, said once before the first batch.
struct reservation {
  row_layout layout;  ///< of every row
  int slots;          ///< batches that may be under way at once, numbered from 0
  int max_rows;       ///< the largest B
};

/// Something that gives positions of game G values and priors, batch by batch.
///
/// A type E models `evaluator_for<G>` if it is movable and has
///  1. `void submit(int slot, batch<G> const&)`: begins to evaluate; the batch's arrays stay where they are until
///     `wait(slot)` has returned. An evaluator may do all the work here;
///  2. `void wait(int slot)`: returns when the batch submitted last on that slot is done, at once if there is none;
///  3. `std::string identity() const`: everything its numbers depend on (network, precision, library, processor).
///
/// Both calls may throw; `wait` is where the failure of asynchronous work surfaces. The answer for a row must depend
/// on that row's position, and the symmetry it names, alone: not on its neighbours, its place, the batch's size or
/// the slot.
///
/// Optional, with what is assumed where it is missing:
///  - `void reserve(reservation const&)`: called before the first batch of every run, while nothing is under way;
///    allocates, and throws `contract_error` if the evaluator does not fit the game (nothing to do);
///  - `bool needs_planes() const`: false if only positions and legal actions are read, which saves the encoding
///    (true);
///  - `bool moves_rows() const`: true if it looks at a row's position under the row's `symmetry` and moves the answer
///    back; else rows are moved before it sees them, and name none (false). What wraps an evaluator and hands rows on
///    as they are says what that one says;
///  - `std::uint64_t network_version() const`: another number whenever another network has taken the place of the one
///    before; what remembers answers asks for it (0: the network never changes);
///  - `bool is_shared() const`: true for a device that all workers fill common batches for: one object serves all
///    threads, `submit` is called for a slot by one thread at a time, `wait` by several at once, and rows that no
///    worker filled are evaluated for nothing (false: every worker has a copy of its own, so the type is copyable;
///    copies share what never changes and run at the same time);
///  - `std::shared_ptr<std::byte> allocate(std::size_t bytes)`: memory for rows and outputs, 64-byte aligned (the
///    heap);
///  - `std::size_t memory_bytes(reservation const&) const`: what one copy allocates (0).
///
/// Ships: `uniform`, `rollout`, `reference`, the decorators `cached` and `symmetric`; `onednn` and `cudnn` from their own headers.
/// `check_evaluator` (eval/conformance.hpp) asks any evaluator in many ways and says what it breaks.
template <class E, class G>
concept evaluator_for = game<G> && std::movable<E> &&
    requires(E& evaluator, E const& fixed, int slot, batch<G> const& rows) {
  {evaluator.submit(slot, rows)};
  {evaluator.wait(slot)};
  { fixed.identity() } -> std::convertible_to<std::string>;
};

/// An evaluator that reads packed rows alone and so need not know the game: `submit` takes a `raw_batch`, too. Whether it
/// is movable must not be asked here: what holds any raw evaluator and is one itself is, if this holds.
template <class E>
concept raw_evaluator = requires(E& evaluator, int slot, raw_batch const& rows) {
  evaluator.submit(slot, rows);
  evaluator.wait(slot);
};

/// Whether the evaluator reads packed planes.
template <class E>
bool needs_planes(E const& evaluator) {
  if constexpr (requires { evaluator.needs_planes(); })
    return evaluator.needs_planes();
  else
    return true;
}

/// Whether the evaluator looks at a row under the symmetry that it names.
template <class E>
bool moves_rows(E const& evaluator) {
  if constexpr (requires { evaluator.moves_rows(); })
    return evaluator.moves_rows();
  else
    return false;
}

/// Which network answers, if it may be replaced under way.
template <class E>
std::uint64_t network_version(E const& evaluator) {
  if constexpr (requires { evaluator.network_version(); })
    return evaluator.network_version();
  else
    return 0;
}

/// Whether one object serves all workers.
template <class E>
bool is_shared(E const& evaluator) {
  if constexpr (requires { evaluator.is_shared(); })
    return evaluator.is_shared();
  else
    return false;
}

/// Announces the batches to come.
template <class E>
void reserve(E& evaluator, reservation const& wanted) {
  if constexpr (requires { evaluator.reserve(wanted); }) evaluator.reserve(wanted);
}

/// What one copy of the evaluator allocates for a reservation, in bytes.
template <class E>
std::size_t memory_bytes(E const& evaluator, reservation const& wanted) {
  if constexpr (requires { evaluator.memory_bytes(wanted); })
    return evaluator.memory_bytes(wanted);
  else
    return 0;
}

/// True for every evaluator of G; for any other type a compile error whose first sentence says what is missing.
template <class E, class G>
consteval bool require_evaluator() {
  if constexpr (game<G>) {  // what is no game has been told so
    static_assert(
        requires(E & e, batch<G> const& rows) { e.submit(0, rows); },
        "batchmate::evaluator: needs 'void submit(int slot, batchmate::batch<Game> const& batch)'");
    static_assert(
        requires(E & e) { e.wait(0); }, "batchmate::evaluator: needs 'void wait(int slot)'");
    static_assert(
        requires(E const& e) {
          { e.identity() } -> std::convertible_to<std::string>;
        },
        "batchmate::evaluator: needs 'std::string identity() const'");
  }
  return evaluator_for<E, G>;
}

}  // namespace batchmate
