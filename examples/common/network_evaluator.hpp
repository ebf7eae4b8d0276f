#pragma once

#include <batchmate/eval/batch.hpp>
#include <batchmate/eval/concepts.hpp>
#include <batchmate/eval/report.hpp>

#include <cstddef>
#include <memory>
#include <string>
#include <utility>

namespace common {

/// Any evaluator that does not know the game, behind one virtual call a batch: it serves every game that its network
/// fits, so that evaluators are compiled once, and not once a game.
class network_evaluator {
 public:
  template <batchmate::raw_evaluator E>
  explicit network_evaluator(E evaluator) : held_(std::make_unique<holder<E>>(std::move(evaluator))) {}
  network_evaluator(network_evaluator&&) noexcept = default;
  network_evaluator& operator=(network_evaluator&&) noexcept = default;
  network_evaluator(network_evaluator const& other) : held_(other.held_->clone()) {}
  network_evaluator& operator=(network_evaluator const& other) {
    held_ = other.held_->clone();
    return *this;
  }
  ~network_evaluator() = default;

  template <batchmate::game G>
  void submit(int slot, batchmate::batch<G> const& rows) {
    held_->submit(slot, rows.raw());
  }
  void submit(int slot, batchmate::raw_batch const& rows) { held_->submit(slot, rows); }
  void wait(int slot) { held_->wait(slot); }
  std::string identity() const { return held_->identity(); }
  void reserve(batchmate::reservation const& wanted) { held_->reserve(wanted); }
  bool moves_rows() const { return held_->moves_rows(); }
  bool is_shared() const { return held_->is_shared(); }
  std::shared_ptr<std::byte> allocate(std::size_t bytes) { return held_->allocate(bytes); }
  std::size_t memory_bytes(batchmate::reservation const& wanted) const { return held_->memory_bytes(wanted); }
  batchmate::evaluator_report report() const { return held_->report(); }

 private:
  struct interface {
    virtual ~interface() = default;
    virtual std::unique_ptr<interface> clone() const = 0;
    virtual void submit(int slot, batchmate::raw_batch const& rows) = 0;
    virtual void wait(int slot) = 0;
    virtual std::string identity() const = 0;
    virtual void reserve(batchmate::reservation const& wanted) = 0;
    virtual bool moves_rows() const = 0;
    virtual bool is_shared() const = 0;
    virtual std::shared_ptr<std::byte> allocate(std::size_t bytes) = 0;
    virtual std::size_t memory_bytes(batchmate::reservation const& wanted) const = 0;
    virtual batchmate::evaluator_report report() const = 0;
  };

  template <class E>
  struct holder final : interface {
    explicit holder(E e) : evaluator(std::move(e)) {}
    std::unique_ptr<interface> clone() const override { return std::make_unique<holder>(evaluator); }
    void submit(int slot, batchmate::raw_batch const& rows) override { evaluator.submit(slot, rows); }
    void wait(int slot) override { evaluator.wait(slot); }
    std::string identity() const override { return evaluator.identity(); }
    void reserve(batchmate::reservation const& wanted) override { batchmate::reserve(evaluator, wanted); }
    bool moves_rows() const override { return batchmate::moves_rows(evaluator); }
    bool is_shared() const override { return batchmate::is_shared(evaluator); }
    std::shared_ptr<std::byte> allocate(std::size_t bytes) override {
      if constexpr (requires { evaluator.allocate(bytes); })
        return evaluator.allocate(bytes);
      else
        return nullptr;
    }
    std::size_t memory_bytes(batchmate::reservation const& wanted) const override {
      return batchmate::memory_bytes(evaluator, wanted);
    }
    batchmate::evaluator_report report() const override { return batchmate::report(evaluator); }
    E evaluator;
  };

  std::unique_ptr<interface> held_;
};

}  // namespace common
