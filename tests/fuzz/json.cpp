// Any bytes as JSON, read by a caller who expects any structure: the input's letters up to the first line break say
// what is asked for next (o an object, a an array, s a string, n an integer), over and over; the rest is the text.

#include "fuzz.hpp"

#include <batchmate/net/json.hpp>

#include <string>

using namespace batchmate;

namespace {

/// Whether a text is UTF-8, told by what its characters mean.
bool is_utf8(std::string_view text) {
  auto const bits = [&](std::size_t at, unsigned mask) {
    return static_cast<unsigned char>(text[at]) & mask;
  };
  for (std::size_t at = 0; at < text.size();) {
    std::size_t const follow = bits(at, 0x80) == 0      ? 0
                               : bits(at, 0xe0) == 0xc0 ? 1
                               : bits(at, 0xf0) == 0xe0 ? 2
                               : bits(at, 0xf8) == 0xf0 ? 3
                                                        : text.size();
    if (follow >= text.size() - at) return false;
    std::uint32_t character = bits(at, follow == 0 ? 0x7f : 0x3fu >> follow);
    for (std::size_t i = 1; i <= follow; ++i) {
      if (bits(at + i, 0xc0) != 0x80) return false;
      character = character << 6 | bits(at + i, 0x3f);
    }
    constexpr std::uint32_t least[] = {0, 0x80, 0x800, 0x10000};
    if (character < least[follow] || character > 0x10ffff || character >> 11 == 0xd800 >> 11) return false;
    at += follow + 1;
  }
  return true;
}

/// A caller of `json_reader` that a script leads.
struct reader {
  json_reader json;
  std::string_view all, script;
  std::size_t next = 0;
  int depth = 0;

  void string() {
    std::string const text = json.string();
    fuzz::require(is_utf8(text), "a string that was read is UTF-8");
    std::string const written = json_string(text);
    json_reader again(written, "again");
    fuzz::require(again.string() == text, "a string that was read can be written and read again");
    again.end();
  }

  void natural() {
    std::string const digits = std::to_string(json.natural());
    // Where nothing but the integer was asked for, it is all there is but white space.
    if (script == "n") {
      auto const first = all.find_first_not_of(" \t\r\n");
      fuzz::require(all.substr(first).starts_with(digits), "an integer is read exactly");
    }
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
    reader r{json_reader(text, "text"), text, script};
    r.value();
    r.json.end();
  });
  std::string const shown = printable(input);
  fuzz::require(
      printable(shown).substr(0, 80) == shown.substr(0, 80) && json_string(shown).size() <= 2 * 83 + 2,
      "what is printable is short and stays as it is");
  return 0;
}
