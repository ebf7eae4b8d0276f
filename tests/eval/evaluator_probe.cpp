#include <batchmate/eval/evaluator_probe.hpp>
#include <batchmate/game/tictactoe.hpp>

#include "../support/fake_network.hpp"

#include <doctest/doctest.h>

#include <atomic>
#include <memory>
#include <string>
#include <vector>

namespace bm = batchmate;
using G = bm::tictactoe;

namespace {

/// A fake network that keeps the last batch's inputs and can be told to answer something else.
struct watched_network {
  struct seen {
    std::vector<G> positions;
    std::vector<bm::row<G>> rows;
    bool wrong = false;
    std::atomic<int> waits = 0;
  };
  std::shared_ptr<seen> last = std::make_shared<seen>();

  void submit(int, bm::batch<G> const& rows) const {
    last->positions.assign(rows.positions, rows.positions + rows.count);
    last->rows.assign(rows.rows, rows.rows + rows.count);
    for (int b = 0; b < rows.count; ++b) fake_answer(rows.raw(), b);
    if (last->wrong) rows.values[rows.count - 1] = 0.3f;
  }
  void wait(int) const { ++last->waits; }
  std::string identity() const { return "watched"; }
};

using probe = bm::evaluator_probe<G, watched_network>;

/// The positions after 0, 1, ... moves; the moved ones are others.
std::vector<bm::evaluator_question<G>> questions(int count) {
  std::vector<bm::evaluator_question<G>> all;
  G position, moved;
  moved.play(8);
  for (int i = 0; i < count; ++i) {
    bm::evaluator_question<G> q{position, {}, moved};
    q.packed.legal = position.legal_actions();
    q.packed.encode(position);
    all.push_back(q);
    position.play(i);
  }
  return all;
}

}  // namespace

TEST_CASE("a question's first answer is kept, and later ones are held against it") {
  auto asked = questions(4);
  watched_network network;
  probe to(network, 2, 5, asked);
  for (int i = 0; i < 4; ++i) {
    to.ask(1, {i}, "");
    CHECK(asked[i].answer.size() == static_cast<std::size_t>(10 - i));
  }
  to.ask(0, {3, 1, 1, 0, 2}, "");
  CHECK(to.batches() == 5);
  CHECK(to.rows() == 9);
  network.last->wrong = true;
  asked[2].answer[0] = 0.5f;
  CHECK_THROWS_WITH_AS(
      to.ask(0, {0, 2}, ", for once"),
      "evaluator watched: expected the value that row 1 was given alone, 0.5, in a batch of 2 in slot 0, for "
      "once, found 0.3",
      bm::contract_error);
  CHECK(to.batches() == 5);
}

TEST_CASE("a row that nobody filled is empty, and is not looked at") {
  auto asked = questions(1);
  watched_network network;
  probe to(network, 1, 3, asked);
  to.ask(0, {0, 0, 0}, "");
  network.last->wrong = true;
  to.ask(0, {0, probe::nobody}, "");
  CHECK(network.last->rows[0].legal.count() == 9);
  CHECK(network.last->rows[1].legal.none());
  CHECK_THROWS_AS(to.ask(0, {probe::nobody, 0}, ""), bm::contract_error);
}

TEST_CASE("an evaluator that reads rows may be shown the position before it was moved") {
  auto asked = questions(1);
  watched_network network;
  probe to(network, 1, 1, asked);
  to.ask(0, {0}, "");
  CHECK(network.last->positions[0].legal_actions().test(8));
  to.ask(0, {0}, "", true);
  CHECK_FALSE(network.last->positions[0].legal_actions().test(8));
  CHECK(network.last->rows[0].legal.test(8));
}

TEST_CASE("all slots are waited for where nothing is under way, and in the end") {
  auto asked = questions(1);
  watched_network network;
  probe to(network, 3, 1, asked);
  CHECK(network.last->waits == 3);
  to.wait_for_nothing();
  CHECK(network.last->waits == 6);
  to.drain();
  CHECK(network.last->waits == 9);
  to.ask(0, {0}, "");
  to.submit(0, {0});
  to.take(0, "", true);
  CHECK(network.last->waits == 12);
}
