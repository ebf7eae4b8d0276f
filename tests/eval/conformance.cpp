#include "network_rows.hpp"

#include <batchmate/eval/any_evaluator.hpp>
#include <batchmate/eval/cached.hpp>
#include <batchmate/eval/conformance.hpp>
#include <batchmate/eval/reference.hpp>
#include <batchmate/eval/rollout.hpp>
#include <batchmate/eval/symmetric.hpp>
#include <batchmate/eval/uniform.hpp>
#include <batchmate/game/connect4.hpp>
#include <batchmate/game/hex.hpp>
#include <batchmate/game/tictactoe.hpp>
#include <batchmate/net/random_network.hpp>

#include "../support/fake_network.hpp"
#include "../support/moving_network.hpp"
#include "../support/nim.hpp"
#include "../support/threaded_network.hpp"

#include <doctest/doctest.h>

#include <chrono>
#include <cmath>
#include <condition_variable>
#include <cstdint>
#include <cstring>
#include <memory>
#include <mutex>
#include <set>
#include <stdexcept>
#include <string>
#include <utility>

namespace bm = batchmate;

namespace {

/// What `check_evaluator` says of an evaluator: the message, or nothing.
template <bm::game G, class E>
std::string complaint(E evaluator, int positions = 24) {
  try {
    bm::check_evaluator<G>(std::move(evaluator), {.positions = positions, .rows = 12, .slots = 3, .seed = 5});
  } catch (bm::contract_error const& e) {
    return e.what();
  }
  return "";
}

bool contains(std::string const& text, std::string const& part) {
  return text.find(part) != std::string::npos;
}

template <bm::game G>
bm::reference network() {
  return bm::reference(bm::random_network(extents_for<G>(1, 8), 2));
}

bm::symmetry_settings constexpr average{.mode = bm::symmetry_settings::modes::average};

}  // namespace

TEST_CASE_TEMPLATE("a shipped evaluator keeps the contract", G, nim, bm::tictactoe, bm::connect4, bm::hex7) {
  auto const counts = bm::check_evaluator<G>(bm::uniform{});
  CHECK(counts.positions == 64);
  CHECK(counts.batches > 400);
  CHECK(counts.rows > 20 * counts.positions);
  bm::check_evaluator<G>(bm::rollout{.playouts = 2});
  bm::check_evaluator<G>(network<G>(), {.positions = 16, .rows = 9, .slots = 2});
  bm::check_evaluator<G>(bm::cached{network<G>()}, {.positions = 16, .rows = 9, .slots = 2});
  bm::check_evaluator<G>(bm::cached{fake_network{}, {.entries = 8}});
  bm::check_evaluator<G>(bm::any_evaluator<G>(bm::rollout{}));
  if constexpr (bm::game_with_symmetries<G>) {
    bm::check_evaluator<G>(bm::symmetric{network<G>(), bm::symmetries_of<G>()},
                           {.positions = 16, .rows = 9, .slots = 2});
    bm::check_evaluator<G>(bm::symmetric{network<G>(), bm::symmetries_of<G>(), average},
                           {.positions = 8, .rows = 4, .slots = 2});
  }
}

TEST_CASE("an evaluator with a thread of its own keeps the contract, shared or copied") {
  for (bool shared : {true, false}) {
    threaded_network network({.shared = shared});
    auto const counts = bm::check_evaluator<bm::connect4>(std::move(network));
    CHECK(counts.positions == 64);
    bm::check_evaluator<bm::connect4>(bm::cached{threaded_network({.shared = shared})});
  }
}

TEST_CASE("an evaluator that moves rows keeps the contract") {
  moving_network moving{bm::symmetries_of<bm::tictactoe>()};
  auto const named = moving.named;
  auto const counts = bm::check_evaluator<bm::tictactoe>(moving);
  CHECK(*named > 0);
  CHECK(counts.positions > 64);
  bm::check_evaluator<bm::tictactoe>(bm::symmetric{moving, bm::symmetries_of<bm::tictactoe>()});
}

TEST_CASE("the same seed asks the same, and batches are as large as was asked for") {
  auto const asked = [](std::uint64_t seed, int rows) {
    fake_network network;
    auto const counts = bm::check_evaluator<nim>(network, {.positions = 10, .rows = rows, .seed = seed});
    CHECK(network.counts->largest == static_cast<std::uint64_t>(rows));
    CHECK(network.counts->batches == static_cast<std::uint64_t>(counts.batches));
    CHECK(network.counts->rows == static_cast<std::uint64_t>(counts.rows));
    return counts;
  };
  for (int rows : {1, 2, 5, 40}) CHECK(asked(3, rows) == asked(3, rows));
}

TEST_CASE("a check of nothing is refused") {
  CHECK_THROWS_AS(bm::check_evaluator<nim>(bm::uniform{}, {.positions = 0}), bm::contract_error);
  CHECK_THROWS_AS(bm::check_evaluator<nim>(bm::uniform{}, {.rows = 0}), bm::contract_error);
  CHECK_THROWS_AS(bm::check_evaluator<nim>(bm::uniform{}, {.slots = 0}), bm::contract_error);
}

TEST_CASE("an evaluator's own exceptions go through") {
  CHECK_THROWS_AS(bm::check_evaluator<nim>(failing_network{.fails_at = 9}), planned_failure);
}

// Evaluators with one fault each: all are honest but for the member that is wrong.
namespace {

/// Answers by hashes; F spoils `fault(slot, batch)`, which comes after.
template <class F>
struct honest {
  template <bm::game G>
  void submit(int slot, bm::batch<G> const& rows) {
    for (int b = 0; b < rows.count; ++b) fake_answer(rows.raw(), b);
    static_cast<F&>(*this).fault(slot, rows);
  }
  void wait(int) const {}
  std::string identity() const { return "faulty"; }
  void fault(int, auto const&) const {}
};

struct flawless : honest<flawless> {};
struct nameless : honest<nameless> {
  std::string identity() const { return ""; }
};
struct renamed : honest<renamed> {
  int batches = 0;
  std::string identity() const { return batches < 100 ? "young" : "old"; }
  void fault(int, auto const&) { ++batches; }
};

struct lazy_value : honest<lazy_value> {  // never gets to the last row
  template <bm::game G>
  void submit(int, bm::batch<G> const& rows) const {
    for (int b = 0; b + (rows.count > 1) < rows.count; ++b) fake_answer(rows.raw(), b);
  }
};
struct lazy_prior {  // nor to the last action
  template <bm::game G>
  void submit(int, bm::batch<G> const& rows) const {
    for (int b = 0; b < rows.count; ++b) {
      rows.values[b] = 0;
      for (int i = 0; i + 1 < rows.rows[b].legal.count(); ++i) rows.priors_of(b)[i] = 0;
    }
  }
  void wait(int) const {}
  std::string identity() const { return "faulty"; }
};
struct overrating : honest<overrating> {
  void fault(int, auto const& rows) const {
    if (rows.count == 3) rows.values[1] = 1.5f;
  }
};
struct unsure : honest<unsure> {
  void fault(int, auto const& rows) const { rows.priors[0] += 0.5f; }
};
struct spilling_value : honest<spilling_value> {  // rounds a batch up
  void fault(int, auto const& rows) const { rows.values[rows.count] = 0; }
};
struct spilling_prior : honest<spilling_prior> {
  void fault(int, auto const& rows) const { rows.priors_of(rows.count)[0] = 0; }
};
struct scribbling_row : honest<scribbling_row> {
  template <bm::game G>
  void fault(int, bm::batch<G> const& rows) const {
    const_cast<bm::row<G>*>(rows.rows)[rows.count - 1].planes.words[0] = 1;
  }
};
struct scribbling_position : honest<scribbling_position> {
  template <bm::game G>
  void fault(int, bm::batch<G> const& rows) const {
    const_cast<G&>(rows.positions[0]).play(0);
  }
};

void change(float& value) { value = value > 0 ? value - 0.25f : value + 0.25f; }

struct counting : honest<counting> {
  void fault(int, auto const& rows) const {
    if (rows.count == 7) change(rows.values[3]);
  }
};
struct counting_priors : honest<counting_priors> {  // by the last bit
  void fault(int, auto const& rows) const {
    if (rows.count < 3) return;
    for (int i = 0; i < rows.rows[1].legal.count(); ++i)
      if (float& prior = rows.priors_of(1)[i]; prior > 0) prior = std::nextafter(prior, 2.0f);
  }
};
struct placing : honest<placing> {
  void fault(int, auto const& rows) const {
    if (rows.count > 2) change(rows.values[rows.count / 2]);
  }
};
struct peeking : honest<peeking> {  // at its neighbour
  void fault(int, auto const& rows) const {
    for (int b = 1; b < rows.count; ++b)
      if (rows.rows[b].legal.count() > rows.rows[b - 1].legal.count()) change(rows.values[b]);
  }
};
struct merging : honest<merging> {  // finds equal rows, and loses them
  template <bm::game G>
  void fault(int, bm::batch<G> const& rows) const {
    for (int b = 1; b < rows.count; ++b)
      if (rows.count == 12 && std::memcmp(rows.rows, rows.rows + b, sizeof(bm::row<G>)) == 0)
        change(rows.values[b]);
  }
};
struct slotting : honest<slotting> {
  void fault(int slot, auto const& rows) const {
    if (slot == 2) change(rows.values[0]);
  }
};
struct forgetful : honest<forgetful> {
  int batches = 0;
  void fault(int, auto const& rows) {
    if (++batches > 30) change(rows.values[0]);
  }
};
struct single_minded {  // remembers one batch, not one a slot
  bm::raw_batch last{};
  template <bm::game G>
  void submit(int, bm::batch<G> const& rows) {
    last = rows.raw();
  }
  void wait(int) {
    int const rows = std::exchange(last.count, 0);
    for (int b = 0; b < rows; ++b) fake_answer(last, b);
  }
  std::string identity() const { return "faulty"; }
};

struct corrupting : honest<corrupting> {  // a copy has other weights
  float error = 0;
  corrupting() = default;
  corrupting(corrupting&&) = default;
  corrupting(corrupting const& other) : honest(other), error(1) {}
  corrupting& operator=(corrupting&&) = default;
  corrupting& operator=(corrupting const&) = default;
  void fault(int, auto const& rows) const {
    if (error > 0) change(rows.values[0]);
  }
};
struct anonymous_copy : honest<anonymous_copy> {
  int copies = 0;
  anonymous_copy() = default;
  anonymous_copy(anonymous_copy&&) = default;
  anonymous_copy(anonymous_copy const& other) : honest(other), copies(other.copies + 1) {}
  anonymous_copy& operator=(anonymous_copy&&) = default;
  anonymous_copy& operator=(anonymous_copy const&) = default;
  std::string identity() const { return bm::concat("copy ", copies); }
};
struct unique : honest<unique> {
  std::unique_ptr<int> handle;
};

/// Where threads meet: who is here while another one is.
struct meeting {
  std::mutex mutex;
  std::condition_variable changed;
  int here = 0, met = 0;
  /// Comes, waits a little for another one, and says whether there was one.
  bool meet() {
    std::unique_lock lock(mutex);
    int const before = met;
    if (++here > 1) ++met, changed.notify_all();
    changed.wait_for(lock, std::chrono::milliseconds(1), [&] { return met > before; });
    --here;
    return met > before;
  }
};
struct sharing_scratch : honest<sharing_scratch> {  // what all copies write to
  std::shared_ptr<meeting> scratch = std::make_shared<meeting>();
  void fault(int, auto const& rows) const {
    if (scratch->meet()) change(rows.values[0]);
  }
};

struct planeless : honest<planeless> {  // reads planes all the same
  bool needs_planes() const { return false; }
};
struct two_faced {  // reads rows and positions
  template <bm::game G>
  void submit(int, bm::batch<G> const& rows) const {
    for (int b = 0; b < rows.count; ++b) {
      fake_answer(rows.raw(), b);
      rows.values[b] = rows.positions[b].legal_actions().test(0) ? 0.5f : -0.5f;
    }
  }
  void wait(int) const {}
  std::string identity() const { return "faulty"; }
};

struct impatient : honest<impatient> {  // waits for what there is not
  void wait(int) const { throw std::runtime_error("no state"); }
};
struct once : honest<once> {
  std::set<int> asked{0, 1, 2};
  void fault(int slot, auto const&) { asked.insert(slot); }
  void wait(int slot) {
    if (asked.erase(slot) == 0) throw std::runtime_error("nothing to get");
  }
};

template <class F>
struct device : honest<F> {
  bool is_shared() const { return true; }
};
struct good_device : device<good_device> {};
struct stumbling : device<stumbling> {  // ends where a row is empty
  void fault(int, auto const& rows) const {
    for (int b = 0, end = 0; b < rows.count; ++b) {
      end |= rows.rows[b].legal.none();
      if (end) change(rows.values[b]);
    }
  }
};
struct for_one_waiter : device<for_one_waiter> {  // the second one goes on at once
  struct pending {
    bm::raw_batch batch{};
    std::mutex mutex;
    std::condition_variable changed;
    bool waiting = false, spoilt = false;
  };
  std::shared_ptr<pending[]> slots{new pending[3]};
  template <bm::game G>
  void submit(int slot, bm::batch<G> const& rows) {
    slots[slot].batch = rows.raw();
  }
  void wait(int slot) {
    pending& p = slots[slot];
    std::unique_lock lock(p.mutex);
    if (p.waiting) {
      p.spoilt = true;
      p.changed.notify_all();
      return;
    }
    if (p.batch.count == 0) return;
    p.waiting = true;
    p.changed.wait_for(lock, std::chrono::milliseconds(1), [&] { return p.spoilt; });
    for (int b = 0; b < p.batch.count && !p.spoilt; ++b) fake_answer(p.batch, b);
    p.batch.count = 0;
    p.waiting = p.spoilt = false;
  }
};
struct for_one_thread : device<for_one_thread> {
  std::shared_ptr<meeting> engine = std::make_shared<meeting>();
  void fault(int, auto const& rows) const {
    if (engine->meet()) change(rows.values[0]);
  }
};

struct unmoved : honest<unmoved> {  // takes no notice of the symmetry but by chance
  bool moves_rows() const { return true; }
};
struct not_moved_back : moving_network {  // the priors stay as the moved row has them
  template <bm::game G>
  void submit(int, bm::batch<G> const& rows) const {
    for (int b = 0; b < rows.count; ++b) {
      bm::row<G> moved;
      symmetries.move(static_cast<int>(rows.rows[b].symmetry), rows.raw().row(b),
                      reinterpret_cast<std::uint64_t*>(&moved));
      bm::batch<G> const one{1, nullptr, &moved, rows.values + b, rows.priors_of(b)};
      fake_answer(one.raw(), 0);
    }
  }
};

}  // namespace

TEST_CASE("the honest evaluators, which the faulty ones are made of, are told nothing") {
  CHECK(complaint<bm::connect4>(flawless{}) == "");
  CHECK(complaint<bm::tictactoe>(flawless{}) == "");
  CHECK(complaint<bm::connect4>(good_device{}) == "");
}

TEST_CASE("an evaluator without an identity that stays is told so") {
  CHECK(complaint<nim>(nameless{}) == "evaluator : expected an identity, found an empty one");
  CHECK(complaint<nim>(renamed{}) == "evaluator young: expected the same identity each time, found 'old'");
}

TEST_CASE("an answer that is missing or none is told so") {
  CHECK(complaint<nim>(lazy_value{}) ==
        "evaluator faulty: expected the value of row 1, in a batch of 2 in slot 0, found none");
  CHECK(complaint<nim>(lazy_prior{}) ==
        "evaluator faulty: expected prior 2 of 3 of row 0, in a batch of 1 in slot 0, found none");
  CHECK(complaint<nim>(overrating{}) ==
        "evaluator faulty: row 1: expected a value in [-1, 1], found 1.5, in a batch of 3 in slot 0");
  CHECK(complaint<nim>(unsure{}) ==
        "evaluator faulty: row 0: expected priors that sum to 1, found 1.5, in a batch of 1 in slot 0");
}

TEST_CASE("an evaluator that writes elsewhere is told so") {
  CHECK(
      complaint<nim>(spilling_value{}) ==
      "evaluator faulty: expected no answer behind the batch, found one at row 1, in a batch of 1 in slot 0");
  CHECK(
      complaint<nim>(spilling_prior{}) ==
      "evaluator faulty: expected no answer behind the batch, found one at row 1, in a batch of 1 in slot 0");
  std::string const changed =
      "expected positions and rows as they were, found row 0 changed, in a batch of 1 in slot 0";
  CHECK(complaint<nim>(scribbling_row{}) == "evaluator faulty: " + changed);
  CHECK(complaint<nim>(scribbling_position{}) == "evaluator faulty: " + changed);
}

TEST_CASE("an answer that depends on anything but the row is told so") {
  std::string const value = "evaluator faulty: expected the value that row ";
  std::string const counted = complaint<bm::connect4>(counting{});
  CHECK(contains(counted, value + "3 was given alone, "));
  CHECK(contains(counted, ", in a batch of 7 in slot 0, found "));
  CHECK(contains(complaint<bm::connect4>(counting_priors{}), " that row 1 was given alone, "));
  CHECK(contains(complaint<bm::connect4>(counting_priors{}), ", in a batch of 3 in slot 0, found "));
  CHECK(contains(complaint<bm::connect4>(placing{}), value + "1 was given alone, "));
  CHECK(contains(complaint<bm::connect4>(peeking{}), ", in a batch of 2 in slot 0, found "));
  CHECK(contains(complaint<bm::connect4>(merging{}), ", in a batch of 12 in slot 0, of equal rows, found "));
  CHECK(contains(complaint<bm::connect4>(slotting{}), " in slot 2, with other batches under way, found "));
  CHECK(contains(complaint<bm::connect4>(forgetful{}), ", in a batch of 1 in slot 0"));
  CHECK(contains(complaint<bm::connect4>(single_minded{}), ", with other batches under way, found none"));
}

TEST_CASE("an evaluator whose copies are no copies is told so") {
  CHECK(contains(complaint<nim>(corrupting{}), ", in a batch of 1 in slot 0 of a copy, found "));
  CHECK(contains(complaint<nim>(anonymous_copy{}),
                 "evaluator copy 1: expected a copy to have the same identity, found "));
  CHECK(complaint<nim>(unique{}) ==
        "evaluator faulty: expected to be copyable, as every worker has its own, or to be shared");
  std::string const at_once = complaint<nim>(sharing_scratch{});
  CHECK((contains(at_once, " of a copy, while the original is asked, too, found ") ||
         contains(at_once, ", while a copy is asked, too, found ")));
}

TEST_CASE("an evaluator that reads what it says it does not read is told so") {
  CHECK(contains(complaint<bm::connect4>(planeless{}),
                 ", with planes that needs_planes() does without, found "));
  CHECK(contains(complaint<bm::connect4>(two_faced{}, 60),
                 ", with positions as they were before the rows were moved, found "));
}

TEST_CASE("an evaluator that must not be waited for is told so") {
  CHECK(complaint<nim>(impatient{}) ==
        "evaluator faulty: expected wait to return where no batch is under way, found an exception in slot 0 "
        "that "
        "says 'no state'");
  CHECK(contains(complaint<nim>(once{}), "found an exception in slot 0 that says 'nothing to get'"));
}

TEST_CASE("an evaluator that cannot be shared, but says so, is told so") {
  CHECK(contains(complaint<nim>(stumbling{}), ", with rows that nobody filled, found "));
  CHECK(contains(complaint<nim>(for_one_waiter{}), ", with a thread for every slot, found none"));
  CHECK(contains(complaint<nim>(for_one_thread{}), ", with a thread for every slot, found "));
}

TEST_CASE("an evaluator that does not move rows as it says is told so") {
  std::string const moved = "to be answered as the moved row and the answer to be moved back, found ";
  CHECK(contains(complaint<bm::tictactoe>(unmoved{}), moved));
  CHECK(contains(complaint<bm::tictactoe>(not_moved_back{bm::symmetries_of<bm::tictactoe>()}),
                 moved + "the prior of action "));
}
