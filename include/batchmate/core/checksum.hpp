#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace batchmate {

/// CRC-32 of some bytes, as zlib, PNG and Ethernet compute it (reflected polynomial 0xedb88320): finds every
/// error of up to 32 bits in a row. `before` is the checksum of the bytes that come before these, or 0.
inline std::uint32_t crc32(std::span<std::byte const> bytes, std::uint32_t before = 0) {
  static constexpr auto table = [] {
    std::array<std::uint32_t, 256> of_byte{};
    for (std::uint32_t i = 0; i < 256; ++i) {
      std::uint32_t crc = i;
      for (int bit = 0; bit < 8; ++bit) crc = crc >> 1 ^ (crc & 1 ? 0xedb88320u : 0u);
      of_byte[i] = crc;
    }
    return of_byte;
  }();
  std::uint32_t crc = ~before;
  for (std::byte b : bytes) crc = crc >> 8 ^ table[(crc ^ std::to_integer<std::uint32_t>(b)) & 0xff];
  return ~crc;
}

}  // namespace batchmate
