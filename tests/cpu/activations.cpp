#include "toy_board.hpp"

#include <batchmate/cpu/activations.hpp>

#include <doctest/doctest.h>

#include <bit>
#include <random>
#include <vector>

namespace bm = batchmate;

TEST_CASE("bf16 is rounded to nearest, ties to even") {
  auto const up = [](float x) { return std::bit_cast<float>(std::uint32_t{bm::cpu::to_bf16(x)} << 16); };
  CHECK(up(0.0f) == 0.0f);
  CHECK(up(1.0f) == 1.0f);
  CHECK(up(-2.5f) == -2.5f);
  CHECK(up(1.0f + 1.0f / 256) == 1.0f);               // a tie, down to even
  CHECK(up(1.0f + 3.0f / 256) == 1.0f + 1.0f / 64);   // a tie, up to even
  CHECK(up(1.0f + 3.1f / 512) == 1.0f + 1.0f / 128);  // nearer to the upper one
}

TEST_CASE("widening gives back every number that bf16 can hold") {
  std::mt19937 random(3);
  for (int count : {1, 7, 8, 9, 16, 250}) {
    auto const room = static_cast<std::size_t>((count + 7) / 8 * 8);
    std::vector<bm::cpu::bf16_bits> from(room);
    std::vector<float> to(room, 99.0f);
    for (auto& x : from) x = static_cast<bm::cpu::bf16_bits>(random() & 0xbfff);  // no infinity, no NaN
    bm::cpu::widen(from.data(), count, to.data());
    for (std::size_t i = 0; i < static_cast<std::size_t>(count); ++i) {
      CHECK(std::bit_cast<std::uint32_t>(to[i]) == std::uint32_t{from[i]} << 16);
      CHECK(bm::cpu::to_bf16(to[i]) == from[i]);
    }
  }
}

namespace {

template <class Element>
float as_float(Element x) {
  if constexpr (sizeof(Element) == 2)
    return std::bit_cast<float>(std::uint32_t{x} << 16);
  else
    return x;
}

template <class Game, class Element>
void check_unpacked() {
  constexpr int channels = Game::input.planes + bm::num_globals<Game>;
  for (int seed = 0; seed < 20; ++seed) {
    toys::owned_batch<Game> batch({Game{static_cast<std::uint64_t>(seed)}});
    std::vector<Element> to(static_cast<std::size_t>(Game::input.cells() * channels + 1), Element(42));
    bm::cpu::unpack(batch.view().raw().row(0), bm::layout_of<Game>(), to.data());
    CHECK(to.back() == Element(42));  // nothing is written beyond the end
    float globals[3] = {};
    batch.positions[0].encode_globals(globals);
    std::size_t at = 0;
    int wrong = 0;
    for (int r = 0; r < Game::input.rows; ++r)
      for (int c = 0; c < Game::input.columns; ++c) {
        for (int p = 0; p < Game::input.planes; ++p)
          wrong += as_float(to[at++]) != (batch.rows[0].planes.test(p, r, c) ? 1.0f : 0.0f);
        for (int g = 0; g < bm::num_globals<Game>; ++g)
          wrong += to[at++] != bm::cpu::element_of<Element>(globals[g]);
      }
    CHECK(wrong == 0);
  }
}

}  // namespace

TEST_CASE("an unpacked row holds every plane's bits and every global, channels last") {
  check_unpacked<toys::toy_board<3, 13, 13, 169>, bm::cpu::bf16_bits>();
  check_unpacked<toys::toy_board<3, 13, 13, 169>, float>();
  check_unpacked<toys::toy_board<2, 6, 7, 7, 3>, bm::cpu::bf16_bits>();
  check_unpacked<toys::toy_board<2, 6, 7, 65, 1>, float>();
  check_unpacked<toys::toy_board<1, 8, 8, 3, 2>, float>();  // planes that fill their word
  check_unpacked<toys::toy_board<5, 19, 19, 362>, bm::cpu::bf16_bits>();
}
