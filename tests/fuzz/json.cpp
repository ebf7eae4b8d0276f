// Any bytes as JSON, read by a caller who expects any structure: the input's letters up to the first line break say
// what is asked for next (o an object, a an array, s a string, n an integer), over and over; the rest is the text.

#include "fuzz.hpp"

#include <batchmate/net/json.hpp>

#include <string>

using namespace batchmate;

namespace {

/// A caller of `json_reader` that a script leads.
struct reader {
  json_reader json;
  std::string_view script;
  std::size_t next = 0;
  int depth = 0;

  void string() {
    std::string const text = json.string();
    std::string const written = json_string(text);  // throws unless it is UTF-8
    json_reader again(written, "again");
    fuzz::require(again.string() == text, "a string that was read can be written and read again");
    again.end();
  }

  void natural() {
    std::string const digits = std::to_string(json.natural());
    fuzz::require(std::to_string(json_reader(digits, "again").natural()) == digits,
                  "an integer is read exactly");
  }

  void value() {
    char const what = script.empty() ? 's' : script[next++ % script.size()];
    if (what == 'n') return natural();
    if (depth == 16 || (what != 'o' && what != 'a')) return string();
    ++depth;
    if (what == 'o')
      json.object([&](std::string const&) { value(); });
    else
      json.array([&] { value(); });
    --depth;
  }
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
  std::string_view const input = fuzz::text_of(data, size), script = input.substr(0, input.find('\n'));
  std::string_view const text = input.substr(std::min(input.size(), script.size() + 1));
  fuzz::reads_or_refuses([&] {
    reader r{json_reader(text, "text"), script};
    r.value();
    r.json.end();
  });
  std::string const shown = printable(input);
  fuzz::require(
      printable(shown).substr(0, 80) == shown.substr(0, 80) && json_string(shown).size() <= 2 * 83 + 2,
      "what is printable is short and stays as it is");
  return 0;
}
