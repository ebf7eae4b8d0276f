#include <batchmate/batch/immediate.hpp>
#include <batchmate/game/connect4.hpp>
#include <batchmate/game/hex.hpp>
#include <batchmate/play/episode_record.hpp>
#include <batchmate/play/self_play.hpp>
#include <batchmate/search/puct.hpp>

#include "../support/fake_network.hpp"
#include "../support/nim.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <iterator>
#include <vector>

namespace bm = batchmate;

namespace {

template <bm::game G>
G from_the_start(std::int64_t) {
  return {};
}

/// Some games of self-play.
template <bm::game G>
std::vector<bm::episode<G>> games(int count) {
  std::vector<bm::episode<G>> played;
  bm::self_play play{G{}, bm::puct{.simulations = 8}, bm::immediate{}, fake_network{}};
  play.run({.episodes = count, .seed = 3, .network = 2},
           [&](bm::episode<G> const& e) { played.push_back(e); });
  return played;
}

template <bm::game G>
std::vector<std::byte> encoded(bm::episode<G> const& e) {
  std::vector<std::byte> bytes;
  bm::encode_episode(e, bytes);
  return bytes;
}

/// Whether a network sees the same in both.
template <bm::game G>
bool is_same(G const& a, G const& b) {
  bm::plane_bits<G::input> of_a{}, of_b{};
  a.encode(of_a);
  b.encode(of_b);
  return std::equal(std::begin(of_a.words), std::end(of_a.words), std::begin(of_b.words)) &&
         a.result() == b.result();
}

/// Whether the bytes were taken for an episode.
template <bm::game G>
bool is_accepted(std::span<std::byte const> bytes) {
  try {
    (void)bm::decode_episode<G>(bytes, from_the_start<G>, "here");
    return true;
  } catch (bm::file_error const&) {
    return false;
  }
}

}  // namespace

TEST_CASE_TEMPLATE("an episode comes back from its record as it was", G, nim, bm::connect4, bm::hex7) {
  for (bm::episode<G> const& e : games<G>(5)) {
    auto const bytes = encoded(e);
    bm::episode<G> const read = bm::decode_episode<G>(bytes, from_the_start<G>, "");
    CHECK(read.number == e.number);
    CHECK(read.hash() == e.hash());
    CHECK(is_same(read.final_position, e.final_position));
    REQUIRE(read.samples.size() == e.samples.size());
    for (std::size_t i = 0; i < e.samples.size(); ++i) {
      bm::sample<G> const &a = read.samples[i], &b = e.samples[i];
      CHECK(is_same(a.position, b.position));
      CHECK(a.episode == b.episode);
      CHECK(a.ply == b.ply);
      CHECK(a.simulations == b.simulations);
      CHECK(a.network == 2);
      CHECK(a.outcome == b.outcome);
      CHECK(a.policy == b.policy);
    }
    CHECK(encoded(read) == bytes);
  }
}

TEST_CASE("a record that is cut short, too long or changed is refused or is another finished game") {
  auto bytes = encoded(games<bm::connect4>(1).front());
  for (std::size_t n = 0; n < bytes.size(); ++n)
    CHECK_FALSE(is_accepted<bm::connect4>(std::span(bytes).first(n)));
  bm::random_stream random{bm::random_key{1}};
  for (int i = 0; i < 20'000; ++i) {
    auto changed = bytes;
    changed[random.below(static_cast<std::uint32_t>(bytes.size()))] =
        static_cast<std::byte>(random.below(256));
    if (is_accepted<bm::connect4>(changed))
      CHECK(encoded(bm::decode_episode<bm::connect4>(changed, from_the_start<bm::connect4>, "")).size() > 0);
  }
  bytes.push_back({});
  CHECK_THROWS_WITH_AS(bm::decode_episode<bm::connect4>(bytes, from_the_start<bm::connect4>, "here"),
                       "here: episode 0 is followed by 1 bytes too many", bm::file_error);
}

TEST_CASE("what is wrong with a record is said") {
  std::vector<std::byte> bytes;
  bm::put_bytes(bytes, std::int64_t{4});
  bm::put_bytes(bytes, std::uint8_t{0});
  bm::put_bytes(bytes, std::uint32_t{1});
  bm::put_bytes(bytes, std::uint16_t{7});
  CHECK_THROWS_WITH_AS(bm::decode_episode<bm::connect4>(bytes, from_the_start<bm::connect4>, "here"),
                       "here: episode 4 has an illegal move at ply 0: action 7", bm::file_error);
  bytes.resize(9);
  bm::put_bytes(bytes, std::uint32_t{1000});
  CHECK_THROWS_WITH_AS(bm::decode_episode<bm::connect4>(bytes, from_the_start<bm::connect4>, "here"),
                       "here: episode 4 has 1000 moves, expected at most 42", bm::file_error);
  bytes.resize(9);
  bm::put_bytes(bytes, std::uint32_t{0});
  CHECK_THROWS_WITH_AS(bm::decode_episode<bm::connect4>(bytes, from_the_start<bm::connect4>, "here"),
                       "here: episode 4 ends before the game is over", bm::file_error);
}
