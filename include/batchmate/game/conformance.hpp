#pragma once

#include <batchmate/core/error.hpp>
#include <batchmate/core/random.hpp>
#include <batchmate/game/concepts.hpp>

#include <cxxabi.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <memory>
#include <new>
#include <optional>
#include <string>
#include <string_view>
#include <typeinfo>
#include <unordered_map>
#include <vector>

namespace batchmate {

/// How long `check_game` tries.
struct check_game_options {
  int games = 100;         ///< random games played, at least 1
  std::uint64_t seed = 1;  ///< the same seed plays the same games
  /// Set for games that no move loses for whoever makes it, as is so where a goal is reached, but not where points are
  /// counted at the end: then a result that is a win for the player to move has the wrong perspective.
  bool no_move_loses = false;
};

/// What `check_game` saw. "First" is the player who moves from the start.
struct check_game_counts {
  int games = 0;        ///< games played to their end
  int plies = 0;        ///< plies played in all
  int first_wins = 0;   ///< games whose value is above 0 for the first player
  int second_wins = 0;  ///< games whose value is below 0 for the first player
  int draws = 0;        ///< games with value 0
  int longest = 0;      ///< plies of the longest game
  friend constexpr bool operator==(check_game_counts const&, check_game_counts const&) = default;
};

/// What a network, a search and a table can see of a position; for comparing positions in checks.
template <game G>
struct position_view {
  actions_of<G> legal;                     ///< legal actions
  std::optional<float> result;             ///< for the player to move
  plane_bits<G::input> planes;             ///< encoded from zeroed planes
  float globals[num_globals<G> + 1] = {};  ///< (num_globals + 1), the last is 0
  std::uint64_t key = 0;                   ///< 0 for a game without
  bool beyond = false;                     ///< `encode` wrote behind the last plane

  explicit position_view(G const& position) : legal(position.legal_actions()), result(position.result()) {
    struct {
      plane_bits<G::input> planes, behind;
    } encoded;
    position.encode(encoded.planes);
    planes = encoded.planes;
    beyond = !(encoded.behind == plane_bits<G::input>{});
    if constexpr (game_with_globals<G>) position.encode_globals(globals);
    if constexpr (game_with_key<G>) key = position.key();
  }

  /// The first part in which two views differ, or null.
  char const* difference(position_view const& o) const {
    if (!(legal == o.legal)) return "legal_actions";
    if (result != o.result) return "result";
    if (!(planes == o.planes)) return "encode";
    if (std::memcmp(globals, o.globals, sizeof globals) != 0) return "encode_globals";
    return key != o.key ? "key" : nullptr;
  }
};

/// Plays random games and holds every promise of the `game` contract, and of the extras that G offers,
/// against them. Use `check_game`.
template <game G>
class game_checker {
 public:
  explicit game_checker(check_game_options options) : options_(options) {
    expects(options.games > 0, "check_game: games must be positive, got ", options.games);
  }

  /// Throws `contract_error` for the first promise that is broken.
  check_game_counts run() {
    try {
      check_constants();
      check_extras();
      if constexpr (game_with_symmetries<G>) check_symmetry_maps();
      if constexpr (game_with_text<G>) check_action_text();
      for (game_number_ = 0; game_number_ < options_.games; ++game_number_) play_game();
    } catch (contract_error const&) {
      throw;
    } catch (std::exception const& e) {
      holds(false, "no exception, found one that says '", e.what(), "'");
    }
    return counts_;
  }

 private:
  using view = position_view<G>;
  static constexpr int cells = G::input.cells();

  /// Complains unless ok: the parts say what was expected and what was found. They are put together on failure only.
  template <class... Parts>
  void holds(bool ok, Parts const&... parts) const {
    if (!ok) [[unlikely]]
      complain(concat(parts...));
  }

  [[noreturn]] void complain(std::string const& expected) const {
    std::string const place = game_number_ < 0 ? "" : concat(", game ", game_number_, ", ply ", ply_);
    throw contract_error(concat("game ", game_name(), place, ": expected ", expected));
  }

  /// A type's name as people write it.
  static std::string readable(char const* mangled) {
    int failed = 0;
    std::unique_ptr<char, decltype(&std::free)> const name(
        abi::__cxa_demangle(mangled, nullptr, nullptr, &failed), &std::free);
    return failed ? mangled : name.get();
  }

  static std::string game_name() {
    if constexpr (game_with_text<G>)
      return G::name();
    else
#ifdef __cpp_rtti
      return readable(typeid(G).name());
#else
      return "the game";
#endif
  }

  void check_constants() const {
    holds(G::num_actions > 0, "num_actions above 0, found ", G::num_actions);
    holds(G::max_plies > 0, "max_plies above 0, found ", G::max_plies);
    holds(G::input.planes > 0 && G::input.rows > 0 && G::input.columns > 0,
          "an input of positive extent, found ", G::input.planes, " x ", G::input.rows, " x ",
          G::input.columns);
    holds(!G{}.result(), "a default-constructed game to be unfinished, found a result");
    if (auto const* part = view(G{}).difference(view(G{})))
      holds(false, "all default-constructed games to be equal, found a difference in ", part);
  }

  /// An extra that is begun but not whole would go unused in silence.
  void check_extras() const {
    bool globals = requires { &G::encode_globals; };
    if constexpr (requires { G::num_globals; }) globals |= G::num_globals != 0;
    holds(game_with_globals<G> || !globals,
          "num_globals and encode_globals to come with all of game_with_globals, found that concept unmet");
    holds(
        game_with_key<G> || !requires(G & g) { g.key(); },
        "key to be const and to give a std::uint64_t, found another");
    constexpr bool symmetries = requires { G::num_symmetries; }
    || requires { &G::symmetric_cell; }
    || requires { &G::symmetric_action; };
    holds(
        game_with_symmetries<G> || !symmetries,
        "num_symmetries, symmetric_cell and symmetric_action to come with all of game_with_symmetries, found "
        "that concept unmet");
    holds(
        game_with_text<G> || !requires { &G::from_text; },
        "from_text to come with all of game_with_text, found that concept unmet");
  }

  void check_symmetry_maps() const {
    holds(G::num_symmetries > 0, "num_symmetries above 0, found ", G::num_symmetries);
    for (int s = 0; s < G::num_symmetries; ++s) {
      check_bijection(s, cells, "symmetric_cell", G::symmetric_cell);
      check_bijection(s, G::num_actions, "symmetric_action", G::symmetric_action);
    }
  }

  template <class Map>
  void check_bijection(int s, int n, std::string_view name, Map map) const {
    std::vector<bool> reached(static_cast<std::size_t>(n));
    for (int i = 0; i < n; ++i) {
      int const to = map(s, i);
      holds(to >= 0 && to < n, name, "(", s, ", ", i, ") in 0 to ", n - 1, ", found ", to);
      holds(!reached[static_cast<std::size_t>(to)], name, "(", s, ", .) to be a bijection, found ", to,
            " reached twice");
      holds(s != 0 || to == i, name, "(0, .) to be the identity, found ", i, " moved to ", to);
      reached[static_cast<std::size_t>(to)] = true;
    }
  }

  void check_action_text() const {
    check_word("name", G::name());
    for (int action = 0; action < G::num_actions; ++action) {
      std::string const text = G::action_text(action);
      check_word("action_text", text);
      std::optional<int> const parsed = G::parse_action(text);
      holds(parsed == action, "parse_action(\"", text, "\") to give ", action, ", found ",
            parsed ? std::to_string(*parsed) : "nothing");
    }
    for (auto const& text : {std::string(), std::string(" "), std::string("\0?", 2), std::string("-1"),
                             std::string(25, '9'), std::string(1000, 'a'), G::action_text(0) + " \xff"})
      holds(!G::parse_action(text), "parse_action to refuse garbage, found '", text, "' accepted");
    for (auto const& text : {std::string(), std::string(" "), std::string(1, '\0'), std::string(5000, 'x'),
                             G{}.to_text() + " \xff"})
      holds(!G::from_text(text), "from_text to refuse garbage, found '", text, "' accepted");
    for (int action = 0; action < G::num_actions; ++action)
      holds(!G::from_text(G::action_text(action)), "from_text to refuse what is a move, found '",
            G::action_text(action), "' accepted");
  }

  /// What stands in lines, lists and names of files.
  void check_word(std::string_view of, std::string const& text) const {
    holds(!text.empty() && std::none_of(text.begin(), text.end(), [](unsigned char c) { return c <= ' '; }),
          of, " to give text without white space, found '", text, "'");
  }

  /// What a position shows to which these actions led, nobody having looked on the way, from a start in memory full of
  /// `before`: it has nothing of earlier looks, or of that memory.
  static view unseen(std::vector<int> const& actions, unsigned char before) {
    auto const free = [](void* p) { ::operator delete (p, std::align_val_t{alignof(G)}); };
    std::unique_ptr<void, decltype(free)> const memory(
        ::operator new (sizeof(G), std::align_val_t{alignof(G)}), free);
    std::memset(memory.get(), before, sizeof(G));
    asm volatile("" ::"r"(memory.get()) : "memory");  // or the compiler would leave the filling out
    G& position = *::new (memory.get()) G{};
    for (int action : actions) position.play(action);
    return view(position);
  }

  /// One game from the start, with the shadows that must follow it: a replay, one a symmetry, and one that
  /// was read back from text at a random ply.
  void play_game() {
    ply_ = 0;
    random_stream random(
        random_key{options_.seed}.split(purpose::test).split(static_cast<std::uint64_t>(game_number_)));
    // Most games are much shorter than the longest possible one.
    int const usual = std::min(std::max(counts_.longest, 10), int{G::max_plies});
    auto const reread_at = static_cast<int>(random.below(static_cast<std::uint32_t>(usual)));
    auto const look_at = static_cast<int>(random.below(static_cast<std::uint32_t>(usual)));
    std::vector<int> actions;
    G position{}, replay{};
    std::optional<G> reread;
    std::vector<G> moved(num_moved);
    for (;; ++ply_) {
      view const seen(position);
      check_view(position, seen);
      same(seen, view(replay), "a replay of the same actions");
      if constexpr (game_with_symmetries<G>)
        for (int s = 0; s < num_moved; ++s) check_moved(seen, view(moved[static_cast<std::size_t>(s)]), s);
      if (reread) same(seen, view(*reread), "a position read from text and played on");
      if constexpr (game_with_text<G>)
        check_text(position, seen, ply_ == reread_at ? &reread : nullptr, random);
      if (seen.result || ply_ == look_at)
        for (unsigned char const before : {'\0', '\xff'})
          same(seen, unseen(actions, before), "the same actions, nobody having looked on the way,");
      if (seen.result) {
        holds(!options_.no_move_loses || *seen.result <= 0,
              "a result for the player to move, who cannot have won by the other one's move, found ",
              *seen.result);
        return count(*seen.result);
      }

      holds(ply_ < G::max_plies, "an end within max_plies, ", G::max_plies, ", found a game that goes on");
      auto const choices = static_cast<std::uint32_t>(seen.legal.count());
      int const action = seen.legal.nth(static_cast<int>(random.below(choices)));
      check_copy(position, seen, action);
      auto const kept = std::make_unique<G>(position);
      position.play(action);
      actions.push_back(action);
      same(seen, view(*kept), "a copy, after the original was played on,");
      replay.play(action);
      if (reread) reread->play(action);
      if constexpr (game_with_symmetries<G>)
        for (int s = 0; s < num_moved; ++s)
          moved[static_cast<std::size_t>(s)].play(G::symmetric_action(s, action));
    }
  }

  void same(view const& expected, view const& found, std::string_view what) const {
    if (auto const* part = expected.difference(found))
      holds(false, what, " to give an equal position, found a difference in ", part);
  }

  /// Everything that can be said of one position alone.
  void check_view(G const& position, view const& seen) {
    holds(!seen.result || (*seen.result >= -1 && *seen.result <= 1), "a result in [-1, 1], found ",
          seen.result.value_or(0));
    same(seen, view(position), "asking twice");
    holds(seen.result || seen.legal.any(), "a legal action while there is no result, found none");
    holds((seen.legal.words[actions_of<G>::num_words - 1] & ~actions_of<G>::last_mask) == 0,
          "no legal action beyond num_actions, found one");
    for (int plane = 0; plane < G::input.planes; ++plane)
      holds((seen.planes.words[(plane + 1) * seen.planes.words_per_plane - 1] & ~bit_set<cells>::last_mask) ==
                0,
            "no bit beyond the cells of plane ", plane, ", found one");
    holds(!seen.beyond, "encode to set cells of its ", G::input.planes, " planes of ", G::input.rows, " x ",
          G::input.columns, ", found one beyond");
    for (float g : seen.globals) holds(std::isfinite(g), "finite globals, found ", g);
    if constexpr (game_with_key<G>) {
      auto const [known, fresh] = by_key_.try_emplace(seen.key, seen);
      if (fresh) return;
      auto const* part = known->second.difference(seen);
      holds(part == nullptr, "different positions to have different keys, found key ", seen.key,
            " twice with a difference in ", part ? part : "");
    }
  }

  /// A copy made of bytes is the position, and stays so when the original is played on.
  void check_copy(G const& position, view const& seen, int action) const {
    G original = position, copy;
    std::memcpy(static_cast<void*>(&copy), &original, sizeof(G));
    original.play(action);
    same(seen, view(copy), "a copy of the bytes, after the original was played on,");
  }

  void check_moved(view const& seen, view const& moved, int s) const {
    auto const name = concat("symmetry ", s);
    for (int action = 0; action < G::num_actions; ++action)
      holds(seen.legal.test(action) == moved.legal.test(G::symmetric_action(s, action)), name,
            " to move the legal actions, found a difference at action ", action);
    holds(seen.result == moved.result, name, " to keep the result, found another");
    for (int i = 0; i < num_globals<G>; ++i)  // they may be sums, in another order
      holds(std::abs(seen.globals[i] - moved.globals[i]) <= 1e-4f * std::max(1.0f, std::abs(seen.globals[i])),
            name, " to keep the globals, found another number ", i);
    constexpr int columns = G::input.columns;
    for (int plane = 0; plane < G::input.planes; ++plane)
      for (int cell = 0; cell < cells; ++cell) {
        int const to = G::symmetric_cell(s, cell);
        holds(seen.planes.test(plane, cell / columns, cell % columns) ==
                  moved.planes.test(plane, to / columns, to % columns),
              name, " to move the planes, found a difference at plane ", plane, ", cell ", cell);
      }
  }

  /// Text is read back as the same position; damaged text is refused or gives a position that can be written.
  void check_text(G const& position, view const& seen, std::optional<G>* keep, random_stream& random) const {
    std::string const text = position.to_text();
    holds(text.find('\n') == std::string::npos, "to_text to give one line, found several");
    std::optional<G> const parsed = G::from_text(text);
    holds(parsed.has_value(), "from_text to read what to_text wrote, found '", text, "' refused");
    same(seen, view(*parsed), "from_text");
    holds(parsed->to_text() == text, "to_text to give '", text, "' again, found ", parsed->to_text());
    holds(!position.draw().empty(), "draw to draw, found nothing");
    if (keep) *keep = parsed;
    std::string damaged = text;
    if (damaged.empty()) return;
    auto const some_place = [&] { return random.below(static_cast<std::uint32_t>(text.size())); };
    damaged[some_place()] = random.below(2) > 0 ? text[some_place()] : static_cast<char>(random.below(256));
    for (auto const& other : {damaged, text.substr(0, some_place())})
      if (std::optional<G> const read = G::from_text(other)) {
        auto const again = G::from_text(read->to_text());
        holds(again.has_value(), "from_text to read what to_text wrote, found '", other,
              "' gave an unwritable one");
        view const of_read(*read);
        holds(of_read.result || of_read.legal.any(),
              "from_text to give positions that have a result or a legal action, found '", other,
              "' accepted");
        same(of_read, view(*again), "from_text of damaged text");
      }
  }

  void count(float result) {
    float const first = ply_ % 2 == 0 ? result : -result;
    ++counts_.games;
    counts_.plies += ply_;
    ++(first > 0 ? counts_.first_wins : first < 0 ? counts_.second_wins : counts_.draws);
    if (ply_ > counts_.longest) counts_.longest = ply_;
  }

  static constexpr int symmetries() {
    if constexpr (game_with_symmetries<G>)
      return G::num_symmetries;
    else
      return 0;
  }
  static constexpr int num_moved = symmetries();

  check_game_options options_;
  check_game_counts counts_;
  int game_number_ = -1;  // -1 before the first
  int ply_ = 0;
  std::unordered_map<std::uint64_t, view> by_key_;
};

/// Plays `options.games` random games of G and throws `contract_error` where G breaks the contract of `game`, or of
/// an optional extra that it offers; the message names the game, the ply, what was expected and what was found.
///
/// What it checks: results in [-1, 1] and none at the start; a legal action while there is no result; an end
/// within `max_plies`; answers that depend on the object alone and survive a copy of its bytes and a replay;
/// no bits beyond the cells or the actions; keys equal for the same actions and different for different positions;
/// symmetries that are bijections and lead to moved planes, moved legal actions, the same globals and the same result; text
/// that is read back, also in the middle of a game, and garbage that is refused, as a move is for a position; with
/// `no_move_loses`, whose perspective results have. Random games prove nothing about the rules themselves: test those by counts or by
/// positions with known outcomes.
template <game G>
check_game_counts check_game(check_game_options options = {}) {
  return game_checker<G>(options).run();
}

}  // namespace batchmate
