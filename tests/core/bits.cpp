#include <batchmate/core/bits.hpp>
#include <batchmate/core/random.hpp>

#include <doctest/doctest.h>

#include <set>

namespace bm = batchmate;

namespace {

/// A random set beside the same as a std::set.
template <class Bits>
std::set<int> fill(Bits& bits, int n, bm::random_stream& random) {
  std::set<int> plain;
  for (int i = 0; i < n; ++i)
    if (random.below(3) == 0) bits.set(i), plain.insert(i);
  return plain;
}

template <class Bits>
std::set<int> members(Bits const& bits) {
  std::set<int> plain;
  bits.for_each([&](int i) { plain.insert(i); });
  return plain;
}

template <int N>
struct size {
  static constexpr int value = N;
};

}  // namespace

TEST_CASE_TEMPLATE("a bit set is a set of small integers", Size, size<1>, size<7>, size<63>, size<64>,
                   size<65>, size<81>, size<128>, size<169>, size<361>, size<362>) {
  constexpr int n = Size::value;
  bm::random_stream random(bm::random_key{static_cast<std::uint64_t>(n)}.split(bm::purpose::test));
  for (int trial = 0; trial < 50; ++trial) {
    bm::bit_set<n> a, b;
    auto const plain_a = fill(a, n, random), plain_b = fill(b, n, random);
    CHECK(members(a) == plain_a);
    CHECK(a.count() == static_cast<int>(plain_a.size()));
    CHECK(a.any() == !plain_a.empty());
    CHECK(a.none() == plain_a.empty());
    CHECK(a.first() == (plain_a.empty() ? n : *plain_a.begin()));
    int rank = 0;
    for (int i : plain_a) CHECK(a.nth(rank++) == i);
    std::set<int> both, either, others;
    for (int i = 0; i < n; ++i) {
      CHECK(a.test(i) == (plain_a.count(i) == 1));
      if (a.test(i) && b.test(i)) both.insert(i);
      if (a.test(i) || b.test(i)) either.insert(i);
      if (!a.test(i)) others.insert(i);
    }
    CHECK(members(a & b) == both);
    CHECK(members(a | b) == either);
    CHECK(members(~a) == others);
    CHECK((a == b) == (plain_a == plain_b));
    auto const gone = static_cast<int>(random.below(static_cast<std::uint32_t>(n)));
    a.reset(gone);
    CHECK_FALSE(a.test(gone));
  }
}

TEST_CASE_TEMPLATE("a shift moves members and drops those that leave", Size, size<1>, size<63>, size<64>,
                   size<65>, size<169>, size<361>) {
  constexpr int n = Size::value;
  bm::random_stream random(bm::random_key{7}.split(bm::purpose::test));
  for (int shift = 0; shift < 64; ++shift) {
    bm::bit_set<n> bits;
    auto const plain = fill(bits, n, random);
    std::set<int> up, down;
    for (int i : plain) {
      if (i + shift < n) up.insert(i + shift);
      if (i - shift >= 0) down.insert(i - shift);
    }
    CHECK(members(bits << shift) == up);
    CHECK((bits << shift).count() == static_cast<int>(up.size()));  // nothing hides beyond N
    CHECK(members(bits >> shift) == down);
  }
}

TEST_CASE("the whole set has every member and no bit beyond") {
  CHECK(bm::bit_set<65>::all().count() == 65);
  CHECK(bm::bit_set<65>::all().words[1] == 1);
  CHECK(bm::bit_set<64>::all().words[0] == ~std::uint64_t{0});
  CHECK(~bm::bit_set<65>::all() == bm::bit_set<65>{});
  CHECK(members(bm::bit_set<65>::only(64)) == std::set<int>{64});
}

TEST_CASE("bit sets work at compile time") {
  static_assert(bm::bit_set<100>::only(70).first() == 70);
  static_assert((bm::bit_set<100>::only(70) << 29).test(99));
  static_assert((bm::bit_set<100>::only(70) << 30).none());
  CHECK(sizeof(bm::bit_set<169>) == 24);
}
