#pragma once

#include <batchmate/core/error.hpp>
#include <batchmate/play/episode.hpp>

#include <bit>
#include <cmath>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace batchmate {

/// Appends a number to some bytes, as it lies in memory of a little-endian machine.
template <class T>
void put_bytes(std::vector<std::byte>& to, T const& number) {
  static_assert(std::is_trivially_copyable_v<T> && std::endian::native == std::endian::little);
  auto const bytes = std::as_bytes(std::span(&number, 1));
  to.insert(to.end(), bytes.begin(), bytes.end());
}

/// Takes numbers from bytes that may be anything. Throws `file_error`, beginning with `where`, at their end.
class byte_reader {
 public:
  /// `bytes` stay the caller's.
  byte_reader(std::span<std::byte const> bytes, std::string where)
      : bytes_(bytes), where_(std::move(where)) {}

  /// The next number.
  template <class T>
  T take() {
    static_assert(std::is_arithmetic_v<T>);
    if (bytes_.size() < sizeof(T)) fail("is too short");
    T number;
    std::memcpy(&number, bytes_.data(), sizeof(T));
    bytes_ = bytes_.subspan(sizeof(T));
    return number;
  }

  std::size_t left() const { return bytes_.size(); }  ///< bytes not taken yet

  /// Throws `file_error`: where, then what is wrong.
  template <class... Parts>
  [[noreturn]] void fail(Parts const&... what) const {
    throw file_error(concat(where_, ": ", what...));
  }

 private:
  std::span<std::byte const> bytes_;
  std::string where_;
};

/// Appends a finished episode in a few bytes: its moves, and what the searches said of each. Positions are not
/// in it, as the moves lead to them, and of the training targets only what is not zero.
template <game G>
void encode_episode(episode<G> const& finished, std::vector<std::byte>& to) {
  static_assert(G::num_actions < 1 << 16);
  put_bytes(to, finished.number);
  put_bytes(
      to, static_cast<std::uint8_t>(finished.resigned | finished.played_through << 1 | finished.saved << 2));
  put_bytes(to, static_cast<std::uint32_t>(finished.samples.size()));
  for (sample<G> const& s : finished.samples) {
    put_bytes(to, static_cast<std::uint16_t>(s.action));
    put_bytes(to, std::int32_t{s.simulations});
    put_bytes(to, std::int32_t{s.network});
    put_bytes(to, std::uint8_t{s.full});
    put_bytes(to, s.surprise);
    put_bytes(to, s.value);
    std::size_t const place = to.size();
    std::uint16_t targets = 0;
    put_bytes(to, targets);
    for (int a = 0; a < G::num_actions; ++a) {
      float const share = s.policy[static_cast<std::size_t>(a)];
      if (std::bit_cast<std::uint32_t>(share) == 0) continue;
      ++targets;
      put_bytes(to, static_cast<std::uint16_t>(a));
      put_bytes(to, share);
    }
    std::memcpy(to.data() + place, &targets, sizeof targets);
  }
}

/// What `encode_episode` encoded; `opening(number)` is where an episode began. The bytes may be anything: throws
/// `file_error`, beginning with `where`, for what is no finished episode of the game.
template <game G, class Opening>
episode<G> decode_episode(std::span<std::byte const> bytes, Opening const& opening,
                          std::string const& where) {
  byte_reader in(bytes, where);
  episode<G> read;
  read.number = in.take<std::int64_t>();
  auto const ends = in.take<std::uint8_t>();
  read.resigned = ends & 1;
  read.played_through = ends & 2;
  read.saved = ends & 4;
  auto const moves = in.take<std::uint32_t>();
  if (moves > static_cast<std::uint32_t>(G::max_plies))
    in.fail("episode ", read.number, " has ", moves, " moves, expected at most ", int{G::max_plies});
  read.samples.reserve(moves);
  G position = opening(read.number);
  for (int ply = 0; ply < static_cast<int>(moves); ++ply) {
    sample<G>& s = read.samples.emplace_back();
    s.position = position;
    s.episode = read.number;
    s.ply = ply;
    s.action = in.take<std::uint16_t>();
    if (position.result() || s.action >= G::num_actions || !position.legal_actions().test(s.action))
      in.fail("episode ", read.number, " has an illegal move at ply ", ply, ": action ", s.action);
    s.simulations = in.take<std::int32_t>();
    s.network = in.take<std::int32_t>();
    s.full = in.take<std::uint8_t>() != 0;
    s.surprise = in.take<float>();
    s.value = in.take<float>();
    if (s.simulations < 0 || s.network < 0 || !std::isfinite(s.surprise) || !std::isfinite(s.value))
      in.fail("episode ", read.number, " has impossible numbers at ply ", ply);
    auto const targets = in.take<std::uint16_t>();
    for (int i = 0; i < targets; ++i) {
      auto const action = in.take<std::uint16_t>();
      auto const share = in.take<float>();
      if (action >= G::num_actions || !(share >= 0 && std::isfinite(share)))
        in.fail("episode ", read.number, " has no training target at ply ", ply, ": action ", action,
                ", share ", share);
      s.policy[action] = share;
    }
    position.play(s.action);
  }
  if (position.result().has_value() == read.resigned)
    in.fail("episode ", read.number, " ends before the game is over");
  if (in.left() > 0) in.fail("episode ", read.number, " is followed by ", in.left(), " bytes too many");
  read.final_position = position;
  set_outcomes(read);
  return read;
}

}  // namespace batchmate
