#pragma once

#include <batchmate/core/error.hpp>
#include <batchmate/eval/batch_buffer.hpp>
#include <batchmate/eval/concepts.hpp>
#include <batchmate/eval/report.hpp>

#include <cstdint>
#include <memory>
#include <type_traits>
#include <utility>

namespace batchmate {

/// An evaluator to be put behind `Any`, an `any_evaluator<G>`. Whether it is movable must not be asked here:
/// a decorator of `Any` is, if this holds.
template <class E, class Any>
concept wrapped_by = !std::same_as<E, Any> && requires(E & evaluator, typename Any::batch_type const& rows) {
  evaluator.submit(0, rows);
  evaluator.wait(0);
};

/// Any evaluator of G behind one virtual call a batch, for programs that choose it at run time.
template <game G>
class any_evaluator {
 public:
  using batch_type = batch<G>;  ///< what it evaluates

  template <wrapped_by<any_evaluator> E>
  any_evaluator(E evaluator)  // NOLINT: converts on purpose
      : held_(std::make_unique<holder<E>>(std::move(evaluator))) {}
  any_evaluator(any_evaluator&&) noexcept = default;
  any_evaluator& operator=(any_evaluator&&) noexcept = default;
  any_evaluator(any_evaluator const& other) : held_(other.held_->clone()) {}
  any_evaluator& operator=(any_evaluator const& other) {
    held_ = other.held_->clone();
    return *this;
  }
  ~any_evaluator() = default;

  void submit(int slot, batch<G> const& rows) { held_->submit(slot, rows); }
  void wait(int slot) { held_->wait(slot); }
  std::string identity() const { return held_->identity(); }
  void reserve(reservation const& wanted) { held_->reserve(wanted); }
  bool needs_planes() const { return held_->needs_planes(); }
  bool moves_rows() const { return held_->moves_rows(); }
  std::uint64_t network_version() const { return held_->network_version(); }
  bool is_shared() const { return held_->is_shared(); }
  std::shared_ptr<std::byte> allocate(std::size_t bytes) { return held_->allocate(bytes); }
  std::size_t memory_bytes(reservation const& wanted) const { return held_->memory_bytes(wanted); }
  /// What it counted.
  evaluator_report report() const { return held_->report(); }

 private:
  struct interface {
    virtual ~interface() = default;
    virtual std::unique_ptr<interface> clone() const = 0;
    virtual void submit(int slot, batch<G> const& rows) = 0;
    virtual void wait(int slot) = 0;
    virtual std::string identity() const = 0;
    virtual void reserve(reservation const& wanted) = 0;
    virtual bool needs_planes() const = 0;
    virtual bool moves_rows() const = 0;
    virtual std::uint64_t network_version() const = 0;
    virtual bool is_shared() const = 0;
    virtual std::shared_ptr<std::byte> allocate(std::size_t bytes) = 0;
    virtual std::size_t memory_bytes(reservation const& wanted) const = 0;
    virtual evaluator_report report() const = 0;
  };

  template <class E>
  struct holder final : interface {
    explicit holder(E e) : evaluator(std::move(e)) {}
    std::unique_ptr<interface> clone() const override {
      if constexpr (std::copyable<E>)
        return std::make_unique<holder>(evaluator);
      else
        throw contract_error(concat("evaluator ", evaluator.identity(), " cannot be copied"));
    }
    void submit(int slot, batch<G> const& rows) override { evaluator.submit(slot, rows); }
    void wait(int slot) override { evaluator.wait(slot); }
    std::string identity() const override { return evaluator.identity(); }
    void reserve(reservation const& wanted) override { batchmate::reserve(evaluator, wanted); }
    bool needs_planes() const override { return batchmate::needs_planes(evaluator); }
    bool moves_rows() const override { return batchmate::moves_rows(evaluator); }
    std::uint64_t network_version() const override { return batchmate::network_version(evaluator); }
    bool is_shared() const override { return batchmate::is_shared(evaluator); }
    std::shared_ptr<std::byte> allocate(std::size_t bytes) override {
      if constexpr (requires { evaluator.allocate(bytes); })
        return evaluator.allocate(bytes);
      else
        return nullptr;
    }
    std::size_t memory_bytes(reservation const& wanted) const override {
      return batchmate::memory_bytes(evaluator, wanted);
    }
    evaluator_report report() const override { return batchmate::report(evaluator); }
    E evaluator;
  };

  std::unique_ptr<interface> held_;
};

}  // namespace batchmate
