#pragma once

#include <sstream>
#include <stdexcept>
#include <string>

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

/// The arguments streamed one after the other into a string.
template <class... Parts>
std::string concat(Parts const&... parts) {
  std::ostringstream text;
  (text << ... << parts);
  return text.str();
}

/// Throws `contract_error` with the parts as its message unless `ok`; the message is built only on failure.
template <class... Parts>
inline void expects(bool ok, Parts const&... parts) {
  if (!ok) [[unlikely]]
    throw contract_error(concat(parts...));
}

}  // namespace batchmate
