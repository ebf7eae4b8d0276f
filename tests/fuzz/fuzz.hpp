#pragma once

// A fuzz target is one file, tests/fuzz/NAME.cpp, that defines `LLVMFuzzerTestOneInput`, with a few small inputs in
// corpus/NAME/ and, if it helps, words of its format in NAME.dict. The ordinary build links it with replay.cpp, as
// the test fuzz/NAME; cmake/fuzz.sh builds it with libFuzzer.

#include <batchmate/core/error.hpp>

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <span>
#include <string_view>

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size);
/// A target that knows its format may define it: changes `size` bytes of at most `max_size` in place.
extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size, std::size_t max_size,
                                               unsigned seed);
/// Given by libFuzzer and by replay.cpp: changes bytes blindly, in place, and returns how many there are then.
extern "C" std::size_t LLVMFuzzerMutate(std::uint8_t* data, std::size_t size, std::size_t max_size);

namespace fuzz {

/// The input as what readers take; `data` is exactly `size` bytes, so that a sanitizer sees every byte too far.
inline std::span<std::byte const> bytes_of(std::uint8_t const* data, std::size_t size) {
  return std::as_bytes(std::span(data, size));
}
/// The input as text.
inline std::string_view text_of(std::uint8_t const* data, std::size_t size) {
  return {reinterpret_cast<char const*>(data), size};
}

/// Ends the program unless a claim about what a reader returned holds.
inline void require(bool holds, char const* claim) {
  if (holds) return;
  std::fprintf(stderr, "fuzz: does not hold: %s\n", claim);
  std::abort();
}

/// Runs `read`, which takes the input or refuses it by a `file_error` with a message that a person can read.
/// Everything else that it throws is a finding.
template <class Read>
void reads_or_refuses(Read&& read) {
  try {
    read();
  } catch (batchmate::file_error const& refusal) {
    std::string_view const message = refusal.what();
    require(!message.empty() && message.size() < 4096, "a message is neither empty nor long");
    for (char const c : message)
      require(static_cast<unsigned char>(c) >= 0x20 && c != 0x7f, "a message has no control characters");
  }
}

}  // namespace fuzz
