#pragma once

#include <batchmate/batch/channel.hpp>
#include <batchmate/core/error.hpp>
#include <batchmate/eval/answers.hpp>
#include <batchmate/eval/batch_buffer.hpp>
#include <batchmate/eval/report.hpp>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

namespace batchmate {

/// What an evaluator says of one position.
template <game G>
struct evaluation {
  float value = 0;  ///< expected result for the player to move, in [-1, 1]
  /// The priors of the legal actions in ascending order of action; they sum to 1, the rest is zero.
  std::array<float, G::num_actions> priors{};
};

/// How positions that meet in a queue become batches.
struct queue_settings {
  int max_batch = 1024;  ///< rows of a batch
  /// How long a position may wait for others before its batch leaves, if a processor is idle by then.
  std::chrono::microseconds deadline{500};
  /// Threads that evaluate batches, each with its evaluator on the host.
  int processors = 1;
  /// Requests that can be open at once, such as blocking threads: when all are, no batch waits longer. 0: not known
  int askers = 0;
};

/// Counts down the rows of one request, so that a thread can wait for all of them.
class evaluation_ticket {
 public:
  evaluation_ticket() = default;
  evaluation_ticket(evaluation_ticket const&) = delete;
  evaluation_ticket& operator=(evaluation_ticket const&) = delete;
  virtual ~evaluation_ticket() = default;

  /// Called by the queue: expects `rows` answers.
  void open(int rows) {
    std::lock_guard lock(mutex_);
    left_ = rows;
    failure_ = nullptr;
  }

  /// Blocks until all answers are there; throws what the evaluator threw.
  void wait() {
    std::unique_lock lock(mutex_);
    answered_.wait(lock, [this] { return left_ == 0; });
    if (failure_) std::rethrow_exception(std::exchange(failure_, nullptr));
  }

  /// Whether so many answers are all that is missing.
  bool lacks(int rows) {
    std::lock_guard lock(mutex_);
    return left_ == rows;
  }

  /// Called by the queue: so many answers have come, or have failed. If they were the last, the ticket may be gone when
  /// this returns.
  virtual void answer(int rows, std::exception_ptr const& failure) {
    std::lock_guard lock(mutex_);
    left_ -= rows;
    if (failure && !failure_) failure_ = failure;
    if (left_ == 0) answered_.notify_all();
  }

 private:
  std::mutex mutex_;
  std::condition_variable answered_;
  int left_ = 0;
  std::exception_ptr failure_;
};

/// Gathers positions that any number of threads ask about, evaluates them in batches and brings the answers back.
///
///     callers --requests--> collector --batches--> processors --answers--> distributor --> callers
///
/// A batch leaves when it is full, when all askers wait, or when a processor is idle and the batch's oldest position has
/// waited for the deadline. An exception of the evaluator reaches everyone who waits for a row of that batch; the queue
/// goes on.
/// The destructor answers what was asked before and joins the threads; nobody may ask any more by then.
template <game G, evaluator_for<G> E>
class evaluation_queue {
 public:
  explicit evaluation_queue(E evaluator, queue_settings const& settings = {}) : settings_(settings) {
    expects(settings.max_batch > 0, "evaluation_queue: max_batch must be positive, got ", settings.max_batch);
    expects(settings.processors > 0, "evaluation_queue: processors must be positive, got ",
            settings.processors);
    identity_ = evaluator.identity();
    needs_planes_ = batchmate::needs_planes(evaluator);
    add_evaluators(std::move(evaluator));
    add_batches();
    try {
      threads_.emplace_back([this] { collect(); });
      for (int p = 0; p < settings.processors; ++p) threads_.emplace_back([this, p] { process(p); });
      threads_.emplace_back([this] { distribute(); });
    } catch (...) {  // those that have begun wait for work, and would for ever
      close();
      throw;
    }
  }
  evaluation_queue(evaluation_queue const&) = delete;
  evaluation_queue& operator=(evaluation_queue const&) = delete;
  ~evaluation_queue() { close(); }

  /// Evaluates one unfinished position, blocking until the answer is there; throws what the evaluator throws.
  evaluation<G> evaluate(G const& position) {
    question asked(position, needs_planes_);
    ask(asked);
    asked.wait();
    return asked.result;
  }

  /// Evaluates one unfinished position and calls `then(evaluation<G> const& result, std::exception_ptr
  /// failure)` from the distributor's thread; `then` must neither throw nor ask and wait itself.
  template <class Then>
  void evaluate(G const& position, Then then) {
    struct called_back final : question {
      called_back(G const& p, bool planes, Then t) : question(p, planes), then(std::move(t)) {}
      void answer(int, std::exception_ptr const& failure) override {
        std::unique_ptr<called_back> const done(this);
        then(std::as_const(this->result), failure);
      }
      Then then;
    };
    auto asked = std::make_unique<called_back>(position, needs_planes_, std::move(then));
    ask(*asked);
    asked.release();
  }

  /// Asks for all rows of a batch, encoded if the evaluator needs planes. They, the arrays for the answers and `ticket`,
  /// which has nothing open, stay where they are until the ticket has been waited for. Throws, and has asked for nothing,
  /// if memory ends or the queue is closed.
  void enqueue(batch<G> const& rows, evaluation_ticket& ticket) {
    auto const now = std::chrono::steady_clock::now();
    ticket.open(rows.count);
    {
      std::lock_guard lock(mutex_);
      auto const before = static_cast<std::ptrdiff_t>(requests_.size());
      try {
        expects(!closing_, "evaluation_queue: asked after it was closed");
        for (int b = 0; b < rows.count; ++b)
          requests_.push_back(
              {rows.positions + b, rows.rows + b, rows.values + b, rows.priors_of(b), &ticket, now});
      } catch (...) {
        requests_.erase(requests_.begin() + before, requests_.end());
        ticket.open(0);
        throw;
      }
      open_ += rows.count > 0;
    }
    asked_.notify_one();
  }

  /// Batches and rows evaluated so far, and what the evaluators themselves count.
  evaluator_report report() const {
    evaluator_report all;
    for (E const& e : evaluators_) all += batchmate::report(e);
    all.batches = batches_done_.load(std::memory_order_relaxed);
    all.rows = rows_done_.load(std::memory_order_relaxed);
    return all;
  }

  std::string const& identity() const { return identity_; }

  /// About what a queue of this evaluator allocates, with what its evaluators say they need, in bytes, if up to `waiting`
  /// rows are in no batch yet.
  static std::size_t memory_bytes(E const& evaluator, queue_settings const& settings, std::int64_t waiting) {
    int const batches = settings.processors + spare_batches;
    std::size_t const copies = is_shared(evaluator) ? 1 : static_cast<std::size_t>(settings.processors),
                      rows = static_cast<std::size_t>(batches) * static_cast<std::size_t>(settings.max_batch);
    return copies * batchmate::memory_bytes(evaluator, {layout_of<G>(), batches, settings.max_batch}) +
           static_cast<std::size_t>(batches) * batch_buffer<G>::bytes(settings.max_batch) +
           (rows + static_cast<std::size_t>(waiting)) * sizeof(request);
  }

 private:
  struct request {
    G const* position;
    row<G> const* packed;
    float* value;
    float* priors;
    evaluation_ticket* ticket;
    std::chrono::steady_clock::time_point asked;  // when
  };

  // One position that a caller asks about by itself.
  struct question : evaluation_ticket {
    question(G const& p, bool planes) : position(p) {
      expects(!p.result(), "evaluation_queue: asked about a finished position");
      packed.legal = p.legal_actions();
      if (planes) packed.encode(p);
    }
    G position;
    row<G> packed;
    evaluation<G> result;
  };

  struct work {
    int slot = 0;
    batch_buffer<G> buffer;
    std::vector<request> requests;
    std::exception_ptr failure;
  };

  void ask(question& asked) {
    enqueue({1, &asked.position, &asked.packed, &asked.result.value, asked.result.priors.data()}, asked);
  }

  void add_evaluators(E evaluator) {
    bool const shared = is_shared(evaluator);
    int const copies = shared ? 1 : settings_.processors;
    if constexpr (std::copyable<E>)
      for (int i = 1; i < copies; ++i) evaluators_.push_back(evaluator);
    else
      expects(copies == 1, "evaluation_queue: several processors need a copyable or shared evaluator");
    evaluators_.push_back(std::move(evaluator));
    for (E& e : evaluators_)
      batchmate::reserve(e, {layout_of<G>(), settings_.processors + spare_batches, settings_.max_batch});
  }

  void add_batches() {
    for (int i = 0; i < settings_.processors + spare_batches; ++i) {
      auto& w = batches_.emplace_back();
      w.slot = i;
      w.buffer = batch_buffer<G>(evaluators_.front(), settings_.max_batch);
      w.requests.reserve(static_cast<std::size_t>(settings_.max_batch));
      free_.push(&w);
    }
  }

  // The collector: makes batches of requests.
  void collect() {
    while (work* next = *free_.pop()) {
      if (!gather(*next)) break;
      std::size_t row = 0;
      for (request const& r : next->requests) {
        next->buffer.positions()[row] = *r.position;
        next->buffer.rows()[row++] = *r.packed;
      }
      filled_.push(next);
    }
    filled_.close();
  }

  /// Waits for a batch's worth of requests; false if the queue is closed and empty.
  bool gather(work& into) {
    std::unique_lock lock(mutex_);
    asked_.wait(lock, [this] { return closing_ || !requests_.empty(); });
    if (requests_.empty()) return false;
    std::size_t const most = static_cast<std::size_t>(settings_.max_batch);
    auto const complete = [&] {
      return closing_ || requests_.size() >= most || (settings_.askers > 0 && open_ >= settings_.askers);
    };
    // While all processors are busy, a batch that left would wait for one, and nobody could join it any more.
    if (!asked_.wait_until(lock, requests_.front().asked + settings_.deadline, complete))
      asked_.wait(lock, [&] { return complete() || under_way_ < settings_.processors; });
    ++under_way_;
    std::size_t const count = std::min(most, requests_.size());
    auto const end = requests_.begin() + static_cast<std::ptrdiff_t>(count);
    into.requests.assign(requests_.begin(), end);
    requests_.erase(requests_.begin(), end);
    return true;
  }

  // A processor: evaluates batches.
  void process(int index) {
    E& evaluator = evaluators_[evaluators_.size() == 1 ? 0 : static_cast<std::size_t>(index)];
    while (auto const next = filled_.pop()) {
      work& w = **next;
      try {
        batch<G> const rows = w.buffer.view(0, static_cast<int>(w.requests.size()));
        evaluator.submit(w.slot, rows);
        evaluator.wait(w.slot);
        check_answers(rows, evaluator);
      } catch (...) {
        w.failure = std::current_exception();
      }
      {
        std::lock_guard lock(mutex_);
        --under_way_;
        if (!requests_.empty()) asked_.notify_one();  // the collector may have waited for this
      }
      answered_.push(&w);
    }
    if (++processors_done_ == settings_.processors) answered_.close();
  }

  // The distributor: brings the answers to those who asked.
  void distribute() {
    while (auto const next = answered_.pop()) {
      work& w = **next;
      batches_done_.fetch_add(1, std::memory_order_relaxed);
      rows_done_.fetch_add(w.requests.size(), std::memory_order_relaxed);
      if (!w.failure) hand_over(w);
      // All are counted before the first is told: it may ask again at once, when none of the others waits any more.
      int complete = 0;
      for_each_ticket(w, [&](evaluation_ticket& t, int rows) { complete += t.lacks(rows); });
      open_ -= complete;
      for_each_ticket(w, [&](evaluation_ticket& t, int rows) { t.answer(rows, w.failure); });
      w.failure = nullptr;
      free_.push(&w);
    }
  }

  static void hand_over(work& w) {
    batch<G> const rows = w.buffer.view(0, static_cast<int>(w.requests.size()));
    int b = 0;
    for (request const& to : w.requests) {
      *to.value = rows.values[b];
      std::copy_n(rows.priors_of(b), rows.rows[b].legal.count(), to.priors);
      ++b;
    }
  }

  /// Calls `use(ticket, rows)` for everyone who has rows in the batch; they lie side by side.
  template <class Use>
  static void for_each_ticket(work const& w, Use&& use) {
    for (auto first = w.requests.begin(), end = first; first != w.requests.end(); first = end) {
      evaluation_ticket* const ticket = first->ticket;
      end = std::find_if(first, w.requests.end(), [&](request const& r) { return r.ticket != ticket; });
      use(*ticket, static_cast<int>(end - first));
    }
  }

  void close() {
    {
      std::lock_guard lock(mutex_);
      closing_ = true;
    }
    asked_.notify_all();
    threads_.clear();
  }

  static constexpr int spare_batches = 2;  // one that is being filled, one whose answers are being handed out

  queue_settings const settings_;
  std::string identity_;
  bool needs_planes_ = true;
  std::deque<E> evaluators_;  // one, or one a processor
  std::deque<work> batches_;  // (processors + spare_batches)

  std::mutex mutex_;  // guards the four below
  std::condition_variable asked_;
  std::deque<request> requests_;
  int under_way_ = 0;  // batches that are made and not evaluated yet
  bool closing_ = false;

  std::atomic<int> open_{0};  // requests that are not fully answered
  channel<work*> free_, filled_, answered_;
  std::atomic<int> processors_done_{0};
  std::atomic<std::uint64_t> batches_done_{0}, rows_done_{0};
  std::vector<std::jthread> threads_;  // last, so that they end before what they use
};

}  // namespace batchmate
