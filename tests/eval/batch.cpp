#include "network_rows.hpp"

#include <batchmate/eval/batch.hpp>

#include <doctest/doctest.h>

#include <cstring>
#include <vector>

using namespace batchmate;

using with_globals = random_position<2, 9, 9, 82, 3>;
using without_globals = random_position<1, 2, 3, 5, 0>;

TEST_CASE("the layout says where the parts of a row lie") {
  constexpr row_layout layout = layout_of<with_globals>();
  static_assert(layout == row_layout{{2, 9, 9}, 82, 3, 72});
  CHECK(layout.plane_words() == 4);
  CHECK(layout.legal_words() == 2);
  row<with_globals> r{};
  r.encode({5});
  r.legal.set(81);
  r.symmetry = 5;
  CHECK(layout.words() == 9);
  std::uint64_t words[9];
  static_assert(sizeof words == sizeof r);
  std::memcpy(words, &r, sizeof r);
  CHECK(std::memcmp(words, r.planes.words, 4 * 8) == 0);
  CHECK(words[layout.plane_words() + 1] == std::uint64_t{1} << 17);
  float globals[4], expected[3];
  std::memcpy(globals, words + layout.plane_words() + layout.legal_words(), sizeof globals);
  with_globals{5}.encode_globals(expected);
  CHECK(std::memcmp(globals, expected, sizeof expected) == 0);
  CHECK(globals[3] == 0);
  CHECK(words[layout.symmetry_word()] == 5);
  CHECK(layout_of<without_globals>().input == shape{1, 2, 3});
  CHECK(sizeof(row<without_globals>) ==
        24);  // a word of planes, one of legal actions, the symmetry; no padding
}

TEST_CASE("encoding replaces what was there and keeps the legal actions") {
  row<with_globals> once{}, twice{};
  once.encode({1});
  twice.encode({2});
  CHECK(std::memcmp(&once, &twice, sizeof once) != 0);
  twice.symmetry = 1;
  twice.encode({1});
  CHECK(std::memcmp(&once, &twice, sizeof once) == 0);
  twice.legal.set(3);
  twice.encode({2});
  CHECK(twice.legal.test(3));
}

TEST_CASE("slices and raw batches show the same rows and answers") {
  filled_batch<with_globals> filled(numbered_positions<with_globals>(5));
  auto const all = filled.view(), part = all.slice(2, 3);
  CHECK(part.count == 3);
  CHECK(part.positions[0].seed == 2);
  CHECK(part.rows == all.rows + 2);
  CHECK(part.values == all.values + 2);
  CHECK(part.priors_of(1) == all.priors_of(3));
  raw_batch const raw = part.raw();
  CHECK(raw.count == 3);
  CHECK(raw.layout == layout_of<with_globals>());
  CHECK(std::memcmp(raw.row(2), &all.rows[4], sizeof all.rows[4]) == 0);
  CHECK(raw.priors_of(2) == all.priors_of(4));
  CHECK(raw.values == part.values);
}
