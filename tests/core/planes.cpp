#include <batchmate/core/planes.hpp>

#include <doctest/doctest.h>

namespace bm = batchmate;

TEST_CASE("a shape knows its cells and words") {
  CHECK(bm::shape{3, 13, 13}.cells() == 169);
  CHECK(bm::shape{3, 13, 13}.words_per_plane() == 3);
  CHECK(bm::shape{2, 8, 8}.words_per_plane() == 1);
  CHECK(bm::shape{2, 5, 13}.words_per_plane() == 2);
  CHECK_FALSE(bm::shape{1, 2, 3} == bm::shape{1, 3, 2});
}

TEST_CASE("each plane starts at a new word and its bits are in row order") {
  bm::plane_bits<bm::shape{2, 5, 13}> planes;
  planes.set(0, 0, 1);
  planes.set(0, 4, 12);
  planes.set(1, 1, 0);
  CHECK(planes.words[0] == 2);
  CHECK(planes.words[1] == 1);  // cell 64
  CHECK(planes.words[2] == 1 << 13);
  CHECK(planes.words[3] == 0);
}

TEST_CASE("a cell that was set is the only one that tests true") {
  using planes_type = bm::plane_bits<bm::shape{3, 9, 9}>;
  for (int plane = 0; plane < 3; ++plane)
    for (int cell = 0; cell < 81; ++cell) {
      planes_type planes;
      planes.set(plane, cell / 9, cell % 9);
      int found = 0;
      for (int p = 0; p < 3; ++p)
        for (int c = 0; c < 81; ++c)
          if (planes.test(p, c / 9, c % 9)) found += p == plane && c == cell ? 1 : 1000;
      CHECK(found == 1);
    }
}

TEST_CASE("a plane is assigned and filled without touching its neighbours or the bits beyond the cells") {
  bm::plane_bits<bm::shape{3, 9, 9}> planes;
  planes.set(1, 0, 0);
  planes.assign(1, bm::bit_set<81>::only(80));
  CHECK_FALSE(planes.test(1, 0, 0));
  CHECK(planes.test(1, 8, 8));
  planes.fill(2);
  CHECK(planes.words[4] == ~std::uint64_t{0});
  CHECK(planes.words[5] == (std::uint64_t{1} << 17) - 1);
  CHECK(planes.words[0] == 0);
  CHECK(planes.words[3] == 1 << 16);
}
