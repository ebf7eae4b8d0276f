#pragma once

#include <batchmate/core/error.hpp>
#include <batchmate/core/random.hpp>
#include <batchmate/eval/concepts.hpp>
#include <batchmate/eval/decorator.hpp>
#include <batchmate/eval/report.hpp>

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace batchmate {

/// The symmetries of a game's board as tables: what code that does not know the game needs to move its rows.
/// `symmetries_of` makes them.
struct row_symmetries {
  int count = 0;                           ///< S; 0: not made. Number 0 is the identity
  row_layout layout{};                     ///< of the game's rows
  std::vector<std::uint16_t> cells{};      ///< (S, H * W): where a cell goes
  std::vector<std::uint16_t> actions{};    ///< (S, A): where an action goes
  std::vector<std::uint16_t> unactions{};  ///< (S, A): which action goes there

  /// Which symmetry a row is evaluated under: a hash of the seed and the row's planes, legal actions and globals.
  int pick(std::uint64_t seed, std::uint64_t const* row) const {
    return draw_by_contents(random_key{seed}.split(purpose::symmetry), row, layout.symmetry_word(), count);
  }

  /// Writes the row of the moved position, to be seen as it is there; globals are those of the row. The time goes by the
  /// bits that are set.
  void move(int symmetry, std::uint64_t const* row, std::uint64_t* to) const {
    to[layout.symmetry_word()] = 0;
    if (symmetry == 0) {
      std::copy_n(row, layout.symmetry_word(), to);
      return;
    }
    int const width = layout.input.words_per_plane();
    std::uint16_t const* const cell_to = cells.data() + symmetry * layout.input.cells();
    for (int plane = 0; plane < layout.input.planes; ++plane, row += width, to += width)
      if (all_set(row, layout.input.cells()))
        std::copy_n(row, width, to);
      else
        move_bits(row, width, cell_to, to);
    int const legal = layout.legal_words();
    move_bits(row, legal, actions.data() + symmetry * layout.num_actions, to);
    std::copy_n(row + legal, (layout.num_globals + 1) / 2, to + legal);
  }

  /// Calls `visit(action)` for every legal action of a row, ascending.
  template <class Visit>
  void for_each_legal(std::uint64_t const* row, Visit&& visit) const {
    for_each_bit(row + layout.plane_words(), layout.legal_words(), visit);
  }

 private:
  /// Calls `visit(i)` for every bit i that is set in some words, ascending.
  template <class Visit>
  static void for_each_bit(std::uint64_t const* words, int count, Visit&& visit) {
    for (int w = 0; w < count; ++w)
      for (std::uint64_t rest = words[w]; rest; rest &= rest - 1) visit(w * 64 + std::countr_zero(rest));
  }

  /// Planes that say something of the whole position are set in full, and stay so.
  static bool all_set(std::uint64_t const* words, int bits) {
    for (; bits >= 64; bits -= 64, ++words)
      if (~*words != 0) return false;
    return bits == 0 || *words == (std::uint64_t{1} << bits) - 1;
  }

  static void move_bits(std::uint64_t const* from, int count, std::uint16_t const* where, std::uint64_t* to) {
    std::fill_n(to, count, 0);
    for_each_bit(from, count, [&](int i) { to[where[i] >> 6] |= std::uint64_t{1} << (where[i] & 63); });
  }
};

/// The tables of a game.
template <game_with_symmetries G>
row_symmetries symmetries_of() {
  static_assert(G::num_actions <= 1 << 16 && G::input.cells() <= 1 << 16);
  row_symmetries all{.count = G::num_symmetries, .layout = layout_of<G>()};
  all.unactions.resize(static_cast<std::size_t>(G::num_symmetries) * G::num_actions);
  for (int s = 0; s < G::num_symmetries; ++s) {
    for (int cell = 0; cell < G::input.cells(); ++cell)
      all.cells.push_back(static_cast<std::uint16_t>(G::symmetric_cell(s, cell)));
    for (int a = 0; a < G::num_actions; ++a) {
      int const to = G::symmetric_action(s, a);
      all.actions.push_back(static_cast<std::uint16_t>(to));
      all.unactions[static_cast<std::size_t>(s * G::num_actions + to)] = static_cast<std::uint16_t>(a);
    }
  }
  return all;
}

/// Under which symmetries a `symmetric` evaluator shows a position.
struct symmetry_settings {
  /// What there is to choose from.
  enum class modes {
    random,  ///< one of them, by a hash of the seed and the position
    average  ///< all of them; the answer is the mean, at S times the price
  };
  modes mode = modes::random;
  std::uint64_t seed = 0;  ///< another one shows positions under other symmetries; random alone
};

/// An evaluator that sees each position under a symmetry of the board, or under all of them, and whose answers are
/// moved back: the network need not have learnt that a position and its mirror image are worth the same.
///
///     symmetric evaluator{onednn{net}, symmetries_of<go9>(), {.mode = symmetry_settings::modes::average}};
///
/// A row's answer depends on nothing but the row: the symmetry is picked by its bytes, and means are taken in
/// the order of the symmetries. `average` does so for every row it is given, as a batch does not say which rows are
/// roots, and asks the evaluator inside for batches S times as large, for which `reserve` makes room.
///
/// An evaluator that moves rows itself is given them as they are, with the number of the symmetry.
///
/// For evaluators that read packed rows alone. With `cached`, put that outside: it then remembers the answer of all
/// symmetries together.
template <raw_evaluator E>
class symmetric {
 public:
  /// Takes the evaluator and the tables of the game, which copies share. Throws `contract_error` for empty ones.
  symmetric(E inner, row_symmetries symmetries, symmetry_settings settings = {})
      : inner_(std::move(inner)),
        symmetries_(std::make_shared<row_symmetries const>(std::move(symmetries))),
        settings_(settings),
        inner_moves_(moves_rows(inner_)) {
    expects(symmetries_->count > 0, "symmetric: the game's symmetries are missing");
  }

  /// Throws `contract_error` if the rows are of another game, or the evaluator does not fit.
  void reserve(reservation const& wanted) {
    expects(wanted.layout == symmetries_->layout,
            "symmetric: the rows are not of the game whose symmetries were given");
    expects(wanted.max_rows <= (1 << 24) / shown(), "symmetric: a batch of ", wanted.max_rows,
            " rows is too large to be evaluated under ", shown(), " symmetries");
    reservation const inside = inner_reservation(wanted);
    batchmate::reserve(inner_, inside);
    slots_.at = std::make_unique<std::deque<slot_state>>();
    for (int slot = 0; slot < wanted.slots; ++slot) slots_.at->emplace_back(inner_, inside, wanted.max_rows);
  }

  template <game G>
  void submit(int slot, batch<G> const& rows) {
    submit(slot, rows.raw());
  }
  /// The same without the game's type.
  void submit(int slot, raw_batch const& rows) {
    slot_state& state = slot_of(slot);
    expects(rows.count <= state.max_rows, "symmetric: ", state.max_rows, " rows were reserved, got ",
            rows.count);
    expects(rows.layout == symmetries_->layout,
            "symmetric: the rows are not of the layout that was reserved");
    state.pending.submit([&] {
      state.asked = rows;
      for (int b = 0; b < rows.count; ++b) show(state, b);
      inner_.submit(slot, state.buffer.view(rows.count * shown()));
      return true;
    });
  }

  void wait(int slot) {
    slot_state& state = slot_of(slot);
    state.pending.wait([&] {
      inner_.wait(slot);
      for (int b = 0; b < state.asked.count; ++b) take_back(state, b);
    });
  }

  /// That of the evaluator inside, and what is done to its positions.
  std::string identity() const {
    return is_average() ? concat(inner_.identity(), ":symmetry=average")
                        : concat(inner_.identity(), ":symmetry=random:", settings_.seed);
  }
  /// Whether one object serves all workers.
  bool is_shared() const { return batchmate::is_shared(inner_); }
  /// That of the evaluator inside.
  std::uint64_t network_version() const { return batchmate::network_version(inner_); }
  /// What the evaluator inside counted: rows under each symmetry are rows of their own there.
  evaluator_report report() const { return batchmate::report(inner_); }
  /// The evaluator inside.
  E const& inner() const { return inner_; }

  /// The slots and the evaluator inside; the tables are small.
  std::size_t memory_bytes(reservation const& wanted) const {
    reservation const inside = inner_reservation(wanted);
    std::size_t const a_slot = raw_buffer::bytes(inside.layout, inside.max_rows) +
                               static_cast<std::size_t>(wanted.max_rows) * sizeof(int) +
                               static_cast<std::size_t>(wanted.layout.num_actions) * sizeof(double);
    return batchmate::memory_bytes(inner_, inside) + static_cast<std::size_t>(wanted.slots) * a_slot;
  }

 private:
  /// The rows of one slot as they are shown.
  struct slot_state {
    slot_state(E& inner, reservation const& inside, int rows)
        : max_rows(rows),
          buffer(inner, inside.layout, inside.max_rows),
          picked(static_cast<std::size_t>(rows)),
          sums(static_cast<std::size_t>(inside.layout.num_actions)) {}

    int max_rows;
    pending_batch pending;
    raw_batch asked{};
    raw_buffer buffer;         // (max_rows, symmetries shown)
    std::vector<int> picked;   // (max_rows) the first symmetry shown
    std::vector<double> sums;  // (A) of the priors of one row
  };

  bool is_average() const { return settings_.mode == symmetry_settings::modes::average; }
  /// Rows inside for each row.
  int shown() const { return is_average() ? symmetries_->count : 1; }
  reservation inner_reservation(reservation const& wanted) const {
    return {wanted.layout, wanted.slots, wanted.max_rows * shown()};
  }

  slot_state& slot_of(int slot) {
    expects(slots_.at && slot >= 0 && slot < static_cast<int>(slots_.at->size()), "symmetric: no slot ", slot,
            " was reserved");
    return (*slots_.at)[static_cast<std::size_t>(slot)];
  }

  void show(slot_state& state, int b) const {
    std::uint64_t const* const row = state.asked.row(b);
    int const first = is_average() ? 0 : symmetries_->pick(settings_.seed, row);
    state.picked[static_cast<std::size_t>(b)] = first;
    for (int i = 0; i < shown(); ++i) {
      std::uint64_t* const to = state.buffer.row(b * shown() + i);
      symmetries_->move(moved_here(first + i), row, to);
      if (inner_moves_) to[symmetries_->layout.symmetry_word()] = static_cast<std::uint64_t>(first + i);
    }
  }

  /// The symmetry by which a row is moved, and its answer back, before and after the evaluator inside, which may do that
  /// itself.
  int moved_here(int symmetry) const { return inner_moves_ ? 0 : symmetry; }

  /// The mean of a row's answers. Sums are in double, where those of so few floats are exact as a rule, so that
  /// the answers to a position and to its images are the same.
  void take_back(slot_state& state, int b) const {
    row_layout const& layout = symmetries_->layout;
    double* const sums = state.sums.data();
    symmetries_->for_each_legal(state.asked.row(b), [sums](int action) { sums[action] = 0; });
    raw_batch const answered = state.buffer.view(state.asked.count * shown());
    double value = 0;
    for (int i = 0; i < shown(); ++i) {
      int const row = b * shown() + i, symmetry = moved_here(state.picked[static_cast<std::size_t>(b)] + i);
      std::uint16_t const* const back = symmetries_->unactions.data() + symmetry * layout.num_actions;
      float const* prior = answered.priors_of(row);
      value += answered.values[row];
      symmetries_->for_each_legal(answered.row(row), [&](int action) { sums[back[action]] += *prior++; });
    }
    state.asked.values[b] = static_cast<float>(value / shown());
    float* prior = state.asked.priors_of(b);
    symmetries_->for_each_legal(state.asked.row(b),
                                [&](int action) { *prior++ = static_cast<float>(sums[action] / shown()); });
  }

  E inner_;
  std::shared_ptr<row_symmetries const> symmetries_;
  symmetry_settings settings_;
  bool inner_moves_;  // rows, by itself
  reserved_part<std::deque<slot_state>> slots_;
};

}  // namespace batchmate
