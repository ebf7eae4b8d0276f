#pragma once

#include <concepts>
#include <cstdio>
#include <stdexcept>
#include <string>
#include <string_view>

namespace batchmate {

/// What every exception of the library derives from; `what()` is one sentence for a person.
struct error : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// A precondition is broken: a setting out of range, a game that violates its contract.
struct contract_error : error {
  using error::error;
};

/// A file is unreadable, truncated, malformed, or not the one that was expected.
struct file_error : error {
  using error::error;
};

/// A file could not grow because its disk, or its owner's share of it, is full: waiting may help.
struct disk_full_error : file_error {
  using file_error::file_error;
};

/// An evaluator failed, or returned values or priors that are not what its contract promises.
struct evaluation_error : error {
  using error::error;
};

/// Adds text to a message.
inline void append_to(std::string& message, std::string_view text) { message += text; }
/// Adds a character or a whole number to a message.
template <std::integral T>
void append_to(std::string& message, T number) {
  if constexpr (std::same_as<T, char>)
    message += number;
  else
    message += std::to_string(number);
}
/// Adds a number to a message, six digits of it, as streams do.
inline void append_to(std::string& message, double number) {
  char text[32];
  std::snprintf(text, sizeof text, "%g", number);
  message += text;
}

/// The arguments, which are text and numbers, one after the other. Calls are all over the library, so this is made to
/// be compiled fast: no streams.
template <class... Parts>
std::string concat(Parts const&... parts) {
  std::string message;
  (append_to(message, parts), ...);
  return message;
}

/// Throws `contract_error`; a function of its own, so that the code for it is not where `expects` is.
[[noreturn]] inline void throw_contract_error(std::string const& message) { throw contract_error(message); }

/// Throws `contract_error` with the parts as its message unless `ok`; the message is built only on failure.
template <class... Parts>
inline void expects(bool ok, Parts const&... parts) {
  if (!ok) [[unlikely]]
    throw_contract_error(concat(parts...));
}

}  // namespace batchmate
