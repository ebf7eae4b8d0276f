#include <batchmate/core/checksum.hpp>

#include <doctest/doctest.h>

#include <string_view>

namespace bm = batchmate;

namespace {

std::span<std::byte const> bytes(std::string_view text) { return std::as_bytes(std::span(text)); }

}  // namespace

TEST_CASE("crc32 is that of zlib") {
  CHECK(bm::crc32({}) == 0);
  CHECK(bm::crc32(bytes("123456789")) == 0xcbf43926u);  // the check value of every CRC-32 catalogue
  CHECK(bm::crc32(bytes("The quick brown fox jumps over the lazy dog")) == 0x414fa339u);
}

TEST_CASE("crc32 can be taken piece by piece") {
  CHECK(bm::crc32(bytes("6789"), bm::crc32(bytes("12345"))) == 0xcbf43926u);
}
