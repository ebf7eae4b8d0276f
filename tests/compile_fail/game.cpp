// A type that is no game is told so in one sentence, the first error.
//
// BAD NOT_COPYABLE: batchmate::game: must be trivially copyable (plain members only)
// BAD NO_DEFAULT: batchmate::game: needs a default constructor, the start position
// BAD NO_ACTIONS: batchmate::game: needs 'static constexpr int num_actions'
// BAD TOO_MANY_ACTIONS: batchmate::game: num_actions must be 1 to 65535
// BAD NO_INPUT: batchmate::game: needs 'static constexpr batchmate::shape input{planes, rows, columns}'
// BAD NO_PLIES: batchmate::game: needs 'static constexpr int max_plies', the longest game in plies
// BAD NO_LEGAL: batchmate::game: needs 'batchmate::action_set<num_actions> legal_actions() const'
// BAD NO_PLAY: batchmate::game: needs 'void play(int action)'
// BAD NO_RESULT: batchmate::game: needs 'std::optional<float> result() const', for the player to move
// BAD DOUBLE_RESULT: batchmate::game: needs 'std::optional<float> result() const', for the player to move
// BAD NO_ENCODE: batchmate::game: needs 'void encode(batchmate::plane_bits<input>& planes) const'
#include <batchmate/game/concepts.hpp>

#include <optional>
#include <string>

namespace bm = batchmate;

struct nim {
#ifdef TOO_MANY_ACTIONS
  static constexpr int num_actions = 65536;
#elif !defined(NO_ACTIONS)
  static constexpr int num_actions = 3;
#endif
#ifndef NO_INPUT
  static constexpr bm::shape input{1, 2, 5};
#endif
#ifndef NO_PLIES
  static constexpr int max_plies = 10;
#endif
#ifdef NO_DEFAULT
  explicit nim(int n) : stones(n) {}
#endif
#ifdef NOT_COPYABLE
  std::string comment;
#endif
  int stones = 10;

#ifndef NO_LEGAL
  bm::action_set<3> legal_actions() const {
    bm::action_set<3> legal;
    for (int a = 0; a < 3 && a < stones; ++a) legal.set(a);
    return legal;
  }
#endif
#ifndef NO_PLAY
  void play(int action) { stones -= action + 1; }
#endif
#ifdef DOUBLE_RESULT
  std::optional<double> result() const { return {}; }
#elif !defined(NO_RESULT)
  std::optional<float> result() const { return stones ? std::nullopt : std::optional(bm::loss); }
#endif
#ifndef NO_ENCODE
  void encode(bm::plane_bits<bm::shape{1, 2, 5}>& planes) const {
    for (int s = 0; s < stones; ++s) planes.set(0, s / 5, s % 5);
  }
#endif
};

static_assert(bm::require_game<nim>());
