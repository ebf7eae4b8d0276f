#pragma once

#include <batchmate/core/error.hpp>
#include <batchmate/core/macros.hpp>

#include <cstdio>
#include <exception>
#include <new>
#include <stdexcept>
#include <string>

/// What the example programs share: how they are called and how they end.
namespace common {

/// The library's, as `0.1.0`.
inline std::string const version = batchmate::concat(
    BATCHMATE_VERSION / 10000, ".", BATCHMATE_VERSION / 100 % 100, ".", BATCHMATE_VERSION % 100);

/// The flags ask for what cannot be: exit status 2.
struct usage_error : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// Prints why the program ends, as one line.
inline void complain(std::string const& program, std::string why) {
  for (char& c : why)
    if (c == '\n') c = ' ';
  std::fprintf(stderr, "%s: %s\n", program.c_str(), why.c_str());
}

/// Runs the rest of a program: its exit status, or 2 for a `usage_error` and 1 for all else that it throws,
/// with one line on standard error.
template <class Rest>
int guarded(std::string const& program, Rest&& rest) {
  try {
    return rest();
  } catch (usage_error const& e) {
    complain(program, e.what() + std::string(" (see --help)"));
    return 2;
  } catch (std::bad_alloc const&) {
    complain(program, "out of memory");
  } catch (std::exception const& e) {
    complain(program, e.what());
  }
  return 1;
}

}  // namespace common
