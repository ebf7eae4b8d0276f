#pragma once

#include <batchmate/core/error.hpp>
#include <batchmate/eval/answers.hpp>
#include <batchmate/eval/batch_buffer.hpp>
#include <batchmate/eval/concepts.hpp>

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstring>
#include <exception>
#include <future>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace batchmate {

/// A position as evaluators are shown it, and the answer when it was asked about alone.
template <game G>
struct evaluator_question {
  G position;                   ///< beside the row
  row<G> packed;                ///< without planes for an evaluator that needs none
  G moved;                      ///< the position under the symmetry
  int symmetry = 0;             ///< by which the row has been moved, or which it names
  std::vector<float> answer{};  ///< the value, then the priors of legal actions; empty before
};

/// An evaluator, or a copy of one, with a buffer for each of its slots: asks and looks at all that comes back. Threads
/// may use it at once, each its own slots.
template <game G, evaluator_for<G> E>
class evaluator_probe {
 public:
  static constexpr int nobody = -1;  ///< in place of a question: a row that no worker filled

  /// Reserves. The questions are the caller's; those without an answer get their first one.
  evaluator_probe(E evaluator, int slots, int max_rows, std::vector<evaluator_question<G>>& questions)
      : evaluator_(std::move(evaluator)), questions_(questions) {
    reserve(evaluator_, {layout_of<G>(), slots, max_rows});
    identity_ = evaluator_.identity();
    holds(!identity_.empty(), "an identity, found an empty one");
    for (int s = 0; s < slots; ++s) slots_.emplace_back(evaluator_, max_rows + behind);
    wait_for_nothing();
  }

  E const& evaluator() const { return evaluator_; }  ///< the evaluator, reserved

  /// Begins a batch with a row for each of these questions. `misled`: what the evaluator says it does not read is that
  /// of another position.
  void submit(int slot, std::vector<int> questions, bool misled = false) {
    asking& now = slots_[static_cast<std::size_t>(slot)];
    now.questions = std::move(questions);
    for (int b = 0; b < now.count(); ++b) fill(now, b, misled);
    batch<G> const all = now.buffer.view(0, now.buffer.capacity());
    std::fill_n(all.values, all.count, unwritten);
    std::fill_n(all.priors, all.count * G::num_actions, unwritten);
    std::memcpy(now.positions.data(), all.positions, now.positions.size());
    std::memcpy(now.rows.data(), all.rows, now.rows.size());
    evaluator_.submit(slot, now.buffer.view(0, now.count()));
  }

  /// Waits for the slot's batch and checks the answers, in two threads at once if `several`; not for the first time
  /// then. `how` ends a complaint.
  void take(int slot, std::string_view how, bool several = false) {
    asking& now = slots_[static_cast<std::size_t>(slot)];
    std::string const where = concat(", in a batch of ", now.count(), " in slot ", slot, how);
    auto const wait_and_check = [&] {
      evaluator_.wait(slot);
      check_only_answers_written(now, where);
      for (int b = 0; b < now.count(); ++b)
        if (now.questions[static_cast<std::size_t>(b)] != nobody) check_answer(now, b, where);
    };
    std::future<void> other;
    if (several) other = std::async(std::launch::async, wait_and_check);
    wait_and_check();
    if (several) other.get();
    ++now.batches;
    now.answered += now.count();
  }

  /// Asks and takes the answers.
  void ask(int slot, std::vector<int> questions, std::string_view how, bool misled = false) {
    submit(slot, std::move(questions), misled);
    take(slot, how);
  }

  /// Waits where nothing is under way, and asks for the identity again.
  void wait_for_nothing() {
    for (int s = 0; s < static_cast<int>(slots_.size()); ++s) {
      try {
        evaluator_.wait(s);
      } catch (std::exception const& e) {
        holds(false, "wait to return where no batch is under way, found an exception in slot ", s,
              " that says '", e.what(), "'");
      }
    }
    std::string const now = evaluator_.identity();
    holds(now == identity_, "the same identity each time, found '", now, "'");
  }

  /// Waits for all that a failure left under way, as it points into the buffers.
  void drain() noexcept {
    for (int s = 0; s < static_cast<int>(slots_.size()); ++s) {
      try {
        evaluator_.wait(s);
      } catch (...) {  // the first failure is the one that counts
      }
    }
  }

  /// Batches answered so far.
  int batches() const {
    int n = 0;
    for (asking const& s : slots_) n += s.batches;
    return n;
  }
  /// Rows answered in these.
  int rows() const {
    int n = 0;
    for (asking const& s : slots_) n += s.answered;
    return n;
  }

  /// Complains unless ok: the parts say what was expected and what was found.
  template <class... Parts>
  void holds(bool ok, Parts const&... parts) const {
    if (!ok) [[unlikely]]
      throw contract_error(concat("evaluator ", identity_, ": expected ", parts...));
  }

 private:
  static constexpr int behind = 16;  // rows of the buffer that no batch reaches
  static constexpr float unwritten = std::bit_cast<float>(0x7fcba7c4u);  // a NaN that nobody computes

  struct asking {
    asking(E& evaluator, int capacity)
        : buffer(evaluator, capacity),
          positions(static_cast<std::size_t>(capacity) * sizeof(G)),
          rows(static_cast<std::size_t>(capacity) * sizeof(row<G>)) {}
    int count() const { return static_cast<int>(questions.size()); }

    batch_buffer<G> buffer;
    std::vector<std::byte> positions, rows;  // as they were submitted
    std::vector<int> questions;              // (B)
    int batches = 0, answered = 0;
  };

  static bool same_bits(float a, float b) { return std::memcmp(&a, &b, sizeof a) == 0; }

  void fill(asking& now, int b, bool misled) const {
    G& position = now.buffer.positions()[b];
    row<G>& packed = now.buffer.rows()[b];
    int const asked = now.questions[static_cast<std::size_t>(b)];
    position = G{};
    packed = {};
    if (asked == nobody) return;
    evaluator_question<G> const& q = questions_[static_cast<std::size_t>(asked)];
    packed = q.packed;
    position = misled && needs_planes(evaluator_) ? q.moved : q.position;
    if (misled && !needs_planes(evaluator_)) packed.encode(q.moved);
  }

  void check_only_answers_written(asking const& now, std::string_view where) const {
    batch<G> const all = now.buffer.view(0, now.buffer.capacity());
    for (int b = 0; b < all.count; ++b) {
      auto const at = static_cast<std::size_t>(b);
      holds(std::memcmp(all.positions + b, now.positions.data() + at * sizeof(G), sizeof(G)) == 0 &&
                std::memcmp(all.rows + b, now.rows.data() + at * sizeof(row<G>), sizeof(row<G>)) == 0,
            "positions and rows as they were, found row ", b, " changed", where);
      if (b < now.count()) continue;
      bool as_it_was = same_bits(all.values[b], unwritten);
      for (int a = 0; a < G::num_actions; ++a) as_it_was &= same_bits(all.priors_of(b)[a], unwritten);
      holds(as_it_was, "no answer behind the batch, found one at row ", b, where);
    }
  }

  void check_answer(asking const& now, int b, std::string const& where) const {
    batch<G> const mine = now.buffer.view(b, 1);
    int const legal = mine.rows->legal.count();
    holds(!same_bits(*mine.values, unwritten), "the value of row ", b, where, ", found none");
    for (int i = 0; i < legal; ++i)
      holds(!same_bits(mine.priors[i], unwritten), "prior ", i, " of ", legal, " of row ", b, where,
            ", found none");
    try {
      check_answers(mine, evaluator_, b);
    } catch (evaluation_error const& e) {
      throw contract_error(concat(e.what(), where));
    }
    auto const asked = static_cast<std::size_t>(now.questions[static_cast<std::size_t>(b)]);
    std::vector<float>& known = questions_[asked].answer;
    if (known.empty()) {
      known.assign(1, *mine.values);
      known.insert(known.end(), mine.priors, mine.priors + legal);
    }
    holds(same_bits(*mine.values, known[0]), "the value that row ", b, " was given alone, ", known[0], where,
          ", found ", *mine.values);
    for (int i = 0; i < legal; ++i)
      holds(same_bits(mine.priors[i], known[static_cast<std::size_t>(i) + 1]), "prior ", i, " of ", legal,
            " that row ", b, " was given alone, ", known[static_cast<std::size_t>(i) + 1], where, ", found ",
            mine.priors[i]);
  }

  E evaluator_;
  std::string identity_;
  std::vector<evaluator_question<G>>& questions_;
  std::vector<asking> slots_;
};

}  // namespace batchmate
