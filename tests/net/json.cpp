#include <batchmate/net/json.hpp>

#include <doctest/doctest.h>

#include <string>
#include <vector>

using namespace batchmate;

namespace {

std::string read_string(std::string_view text) {
  json_reader json(text, "text");
  std::string value = json.string();
  json.end();
  return value;
}

std::uint64_t read_natural(std::string_view text) {
  json_reader json(text, "text");
  std::uint64_t const value = json.natural();
  json.end();
  return value;
}

void read_numbers_by_name(std::string_view text, std::vector<std::string>* names = nullptr) {
  json_reader json(text, "text");
  json.object([&](std::string const& name) {
    if (names) names->push_back(name);
    json.array([&] { json.natural(); });
  });
  json.end();
}

}  // namespace

TEST_CASE("objects and arrays are taken in order, with white space anywhere") {
  std::vector<std::string> names;
  read_numbers_by_name(" { \"b\" : [ 1 , 2 ] ,\n\"a\":[],\t\"\":[3]}\r\n", &names);
  CHECK(names == std::vector<std::string>{"b", "a", ""});
  names.clear();
  read_numbers_by_name("{}", &names);
  CHECK(names.empty());
}

TEST_CASE("malformed structures are refused") {
  for (char const* text : {"",
                           "{",
                           "[",
                           "{\"a\"",
                           "{\"a\":",
                           "{\"a\":[",
                           "{\"a\":[1",
                           "{\"a\":[1,",
                           "{\"a\":[1,]}",
                           "{\"a\":[,1]}",
                           "{\"a\":[1]",
                           "{\"a\":[1],}",
                           "{\"a\" [1]}",
                           "{a:[1]}",
                           "{\"a\":[1]} x",
                           "{\"a\":[1]}{}",
                           "{,}",
                           "{\"a\":[1] \"b\":[1]}",
                           "{\"a\":[1 2]}",
                           "{\"a\":[\"1\"]}",
                           "{\"a\":1}",
                           "{\"a\":[1],\"a\":[2]}"}) {
    CAPTURE(text);
    CHECK_THROWS_AS(read_numbers_by_name(text), file_error);
  }
}

TEST_CASE("a name that comes twice is refused even where its escapes differ") {
  CHECK_THROWS_WITH_AS(read_numbers_by_name("{\"a\":[],\"\\u0061\":[]}"),
                       "text: expected a new name at byte 16, found \"a\" again", file_error);
}

TEST_CASE("strings are unescaped") {
  CHECK(read_string("\"\"").empty());
  CHECK(read_string(R"("a\"\\\/\b\f\n\r\tz")") == "a\"\\/\b\f\n\r\tz");
  CHECK(read_string(R"("\u0041\u00e9\u20AC\ud83d\ude00")") == "A\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80");
  CHECK(read_string(R"("\u0000")") == std::string(1, '\0'));
  CHECK(read_string("\"\xf0\x9f\x98\x80\"") == "\xf0\x9f\x98\x80");
}

TEST_CASE("malformed strings are refused") {
  using namespace std::string_literals;
  for (std::string const& text : {"a"s,
                                  "\""s,
                                  "\"a"s,
                                  "\"\\"s,
                                  "\"\\x\""s,
                                  "\"\\u12\""s,
                                  "\"\\u12g4\""s,
                                  "\"\\ud800\""s,
                                  "\"\\ud800\\u0041\""s,
                                  "\"\\udc00\""s,
                                  "\"\\ud800\\"s,
                                  "\"\n\""s,
                                  "\"\0\""s,
                                  "\"\x80\""s,
                                  "\"\xc3\""s,
                                  "\"\xc0\x80\""s,
                                  "\"\xe0\x80\x80\""s,
                                  "\"\xed\xa0\x80\""s,
                                  "\"\xf4\x90\x80\x80\""s,
                                  "\"\xf8\x88\x80\x80\x80\""s,
                                  "\"\xe2\x82"s,
                                  "'a'"s}) {
    CAPTURE(text);
    CHECK_THROWS_AS(read_string(text), file_error);
  }
}

TEST_CASE("integers are read up to 2^64 - 1 and nothing else is a number") {
  CHECK(read_natural("0") == 0);
  CHECK(read_natural(" 18446744073709551615 ") == UINT64_MAX);
  for (char const* text : {"", "-1", "+1", "01", "1.0", "1e3", "x", "18446744073709551616",
                           "99999999999999999999999", "0x1", "true"}) {
    CAPTURE(text);
    CHECK_THROWS_AS(read_natural(text), file_error);
  }
}

TEST_CASE("messages say what was expected where, and what was found") {
  CHECK_THROWS_WITH_AS(read_natural("  x"), "text: expected an integer at byte 2, found 'x'", file_error);
  CHECK_THROWS_WITH_AS(read_natural(""), "text: expected an integer at byte 0, found the end", file_error);
  CHECK_THROWS_WITH_AS(read_natural("\x07"), "text: expected an integer at byte 0, found byte 7", file_error);
}

TEST_CASE("every string that is written is read back") {
  std::string all;
  for (int c = 0; c < 128; ++c) all += static_cast<char>(c);
  all += "\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80";
  CHECK(read_string(json_string(all)) == all);
  CHECK(json_string("a\"\\\n\x7f") == R"("a\"\\\u000a\u007f")");
  CHECK_THROWS_AS(json_string("\xff"), contract_error);
}

TEST_CASE("a foreign text in a message cannot steer a terminal, and is cut off where it is long") {
  using namespace std::string_literals;
  CHECK(printable("tensor \"a\" of \xc3\xa9, \xf0\x9f\x98\x80") ==
        "tensor \"a\" of \xc3\xa9, \xf0\x9f\x98\x80");
  CHECK(printable("\x1b[2Ja\r\n\0\x7f"s) == "?[2Ja????");
  CHECK(printable("\xc2\x9b"
                  "2J\xc2\xa0") == "?2J\xc2\xa0");  // an escape sequence's beginning in one character
  CHECK(printable("\xff\xc3") == "??");
  CHECK(printable(std::string(80, 'a')) == std::string(80, 'a'));
  CHECK(printable(std::string(81, 'a')) == std::string(80, 'a') + "...");
  CHECK(printable(std::string(79, 'a') + "\xc3\xa9") == std::string(79, 'a') + "...");
  CHECK_THROWS_WITH_AS(read_numbers_by_name("{\"\\u001b\":[],\"\\u001b\":[]}"),
                       "text: expected a new name at byte 21, found \"?\" again", file_error);
}
