#include "temporary_folder.hpp"

#include <batchmate/core/random.hpp>
#include <batchmate/net/safetensors.hpp>

#include <doctest/doctest.h>

#include <sys/stat.h>

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

using namespace batchmate;

namespace {

std::span<std::byte const> bytes_of(std::string_view text) { return std::as_bytes(std::span(text)); }

/// A file of this header, with its length before it.
std::string file_of(std::string_view header, std::string_view data = {}) {
  std::string file(8, '\0');
  std::uint64_t const size = header.size();
  std::memcpy(file.data(), &size, sizeof size);
  return file.append(header).append(data);
}

tensor_file parse(std::string_view file) { return {bytes_of(file), "file"}; }

/// A small file with all that a header can hold.
std::string small_file() {
  static constexpr float weights[] = {1, -2, 0.5f, 3, 4, 5};
  static constexpr std::int64_t episode[] = {-7};
  static constexpr std::uint8_t flags[] = {1, 2, 3};
  tensor const tensors[] = {tensor_of<float>("w", dtype::f32, {2, 3}, weights),
                            tensor_of<std::int64_t>("episode", dtype::i64, {}, episode),
                            tensor_of<std::uint8_t>("flags", dtype::u8, {3, 1}, flags),
                            {"none", dtype::f16, {0, 5}, {}}};
  std::string file = safetensors_header(tensors, {{"format", "x"}, {"a \"quoted\" name", "\xc3\xa9"}});
  for (auto const& t : tensors) file.append(reinterpret_cast<char const*>(t.bytes.data()), t.bytes.size());
  return file;
}

}  // namespace

TEST_CASE("a file is byte for byte what the format's layout says") {
  static constexpr float numbers[] = {1, -2};
  tensor const tensors[] = {tensor_of<float>("w", dtype::f32, {2, 1}, numbers)};
  temporary_folder const folder;
  save_safetensors(folder / "golden", tensors, {{"k", "v"}});
  auto const bytes = read_file(folder / "golden", 1000);
  using namespace std::string_literals;
  // 88 bytes of header, of which 7 are padding
  std::string const golden =
      "\x58\0\0\0\0\0\0\0"s
      R"({"__metadata__":{"k":"v"},"w":{"dtype":"F32","shape":[2,1],"data_offsets":[0,8]}})"
      "       "
      "\0\0\x80\x3f\0\0\0\xc0"s;
  CHECK(std::string(reinterpret_cast<char const*>(bytes.data()), bytes.size()) == golden);
  CHECK(folder.names() == std::vector<std::string>{"golden"});
}

TEST_CASE("what is written is read back") {
  std::string const text = small_file();
  tensor_file const file = parse(text);
  CHECK(file.metadata() ==
        std::map<std::string, std::string>{{"format", "x"}, {"a \"quoted\" name", "\xc3\xa9"}});
  CHECK(file.metadata_at("format") == "x");
  REQUIRE(file.tensors().size() == 4);
  tensor const& w = file.at("w");
  CHECK(w.type == dtype::f32);
  CHECK(w.extents == std::vector<std::uint64_t>{2, 3});
  float numbers[6];
  REQUIRE(w.bytes.size() == sizeof numbers);
  std::memcpy(numbers, w.bytes.data(), sizeof numbers);
  CHECK(numbers[1] == -2);
  CHECK(numbers[5] == 5);
  std::int64_t episode = 0;
  REQUIRE(file.at("episode").bytes.size() == 8);
  std::memcpy(&episode, file.at("episode").bytes.data(), 8);
  CHECK(episode == -7);
  CHECK(file.at("episode").extents.empty());
  CHECK(file.at("none").bytes.empty());
  CHECK(file.find("x") == nullptr);
  CHECK_THROWS_WITH_AS(file.at("x"), "file: expected a tensor x, found none", file_error);
  CHECK_THROWS_WITH_AS(file.metadata_at("x"), "file: expected metadata x, found none", file_error);
}

TEST_CASE("a file on disk is read, and stays readable after a move") {
  temporary_folder const folder;
  static constexpr std::int32_t numbers[] = {1, -2, 3};
  tensor const tensors[] = {tensor_of<std::int32_t>("n", dtype::i32, {3}, numbers)};
  save_safetensors(folder / "a", tensors);
  tensor_file file(folder / "a");
  tensor_file const moved = std::move(file);
  CHECK(moved.metadata().empty());
  std::int32_t found[3];
  std::memcpy(found, moved.at("n").bytes.data(), sizeof found);
  CHECK(found[1] == -2);
  CHECK_THROWS_WITH_AS(tensor_file(folder / "a", 10), doctest::Contains("expected at most 10"), file_error);
  CHECK_THROWS_WITH_AS(tensor_file(folder / "b"), doctest::Contains("/b: cannot open"), file_error);
}

TEST_CASE("tensors may stand in the header in any order and come in the order of their bytes") {
  std::string const text = file_of(R"({"b":{"dtype":"U8","shape":[2],"data_offsets":[1,3]},)"
                                   R"("a":{"data_offsets":[0,1],"shape":[],"dtype":"BOOL"}}   )",
                                   "xyz");
  tensor_file const file = parse(text);
  REQUIRE(file.tensors().size() == 2);
  CHECK(file.tensors()[0].name == "a");
  CHECK(file.tensors()[1].bytes.size() == 2);
}

TEST_CASE("unsound headers are refused with the reason") {
  auto const refused = [](std::string const& header, std::string_view data, char const* reason) {
    std::string const text = file_of(header, data);
    CAPTURE(header);
    CHECK_THROWS_WITH_AS(parse(text), doctest::Contains(reason), file_error);
  };
  auto const a = [](char const* type, char const* shape, char const* offsets) {
    return concat(R"({"a":{"dtype":")", type, R"(","shape":)", shape, R"(,"data_offsets":)", offsets, "}}");
  };
  refused("", "", "expected '{'");
  refused(" {}", "", "expected '{'");
  refused("{} x", "", "expected the end");
  refused("{}", "x", "expected 0 bytes of tensors, found 1");
  refused(a("F32", "[1]", "[0,4]"), "abc", "expected 4 bytes of tensors, found 3 (truncated)");
  refused(a("F32", "[1]", "[0,4]"), "abcde", "expected 4 bytes of tensors, found 5");
  refused(a("F32", "[1]", "[4,0]"), "abcd", "found offsets 4 to 0");
  refused(a("F32", "[1]", "[0,3]"), "abc", "tensor a: expected the bytes of F32(1), found offsets 0 to 3");
  refused(a("F32", "[1]", "[1,5]"), "abcde", "expected its offset to be 0, found 1");
  refused(a("F31", "[1]", "[0,4]"), "abcd", "expected a known dtype, found F31");
  refused(a("F32", "[1]", "[0,4,4]"), "abcd", "found 3 offsets");
  refused(a("F32", "[-1]", "[0,4]"), "abcd", "expected an integer");
  refused(a("F32", "[1.0]", "[0,4]"), "abcd", "header: expected");
  refused(a("F32", "1", "[0,4]"), "abcd", "expected an array");
  refused(a("U8", "[4294967296,4294967296]", "[0,0]"), "", "expected the bytes of U8");
  refused(a("F64", "[2305843009213693952]", "[0,0]"), "", "expected the bytes of F64");
  refused(a("U8", "[18446744073709551616]", "[0,0]"), "", "expected an integer below 2^64");
  refused(a("U8", "[18446744073709551615]", "[0,18446744073709551615]"), "", "expected the bytes");
  refused(R"({"a":{"dtype":"U8","shape":[1]}})", "x", "found 0 offsets");
  refused(R"({"a":{"shape":[1],"data_offsets":[0,1]}})", "x", "no dtype");
  refused(R"({"a":{"dtype":"U8","data_offsets":[0,1]}})", "x", "no shape");
  refused(R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1],"x":1}})", "x", "found x");
  refused(R"({"a":{"dtype":"U8","dtype":"U8","shape":[1],"data_offsets":[0,1]}})", "x", "\"dtype\" again");
  refused(R"({"__metadata__":{"a":1}})", "", "expected a string");
  refused(R"({"a":[]})", "", "expected an object");
  std::string const one = R"({"dtype":"U8","shape":[1],"data_offsets":[0,1]})",
                    two = R"({"dtype":"U8","shape":[2],"data_offsets":[1,3]})";
  refused("{\"a\":" + one + ",\"b\":" + one + "}", "x", "tensor b: expected its offset to be 1, found 0");
  refused("{\"a\":" + one + ",\"a\":" + two + "}", "xyz", "\"a\" again");
}

TEST_CASE("a tensor of more extents than any library takes is refused") {
  auto const shape_of = [](std::size_t extents) {
    std::string shape = "1";
    for (std::size_t i = 1; i < extents; ++i) shape += ",1";
    return file_of(R"({"a":{"dtype":"U8","shape":[)" + shape + R"(],"data_offsets":[0,1]}})", "x");
  };
  std::string const most = shape_of(64), more = shape_of(65), many = shape_of(100'000);
  CHECK(parse(most).at("a").extents.size() == 64);
  CHECK_THROWS_WITH_AS(parse(more), "file: tensor a: expected at most 64 extents, found more", file_error);
  CHECK_THROWS_AS(parse(many), file_error);
}

TEST_CASE("a header's names and words come into messages short and printable") {
  std::string const name = "\\u001b[2J" + std::string(10'000, 'n');
  auto const refused = [&](std::string const& entry) {
    std::string const file = file_of("{\"" + name + "\":" + entry + "}");
    try {
      parse(file);
    } catch (file_error const& e) {
      return std::string(e.what());
    }
    return std::string("no error");
  };
  std::string const shown = "file: tensor ?[2J" + std::string(76, 'n') + "...: expected ";
  CHECK(refused(R"({"dtype":"U8","shape":[1],"data_offsets":[0,2]})") ==
        shown + "the bytes of U8(1), found offsets 0 to 2");
  CHECK(refused(R"({"dtype":"U8","shape":[1],"data_offsets":[0,1]})") ==
        shown + "1 bytes of tensors, found 0 (truncated)");
  CHECK(refused(R"({"dtype":"U8","shape":[0],"data_offsets":[1,1]})") ==
        shown + "1 bytes of tensors, found 0 (truncated)");
  CHECK(refused(R"({"dtype":"\u001b"})") == shown + "a known dtype, found ?");
  CHECK(refused(R"({"\n":1})") == shown + "dtype, shape and data_offsets, found ?");
  CHECK(refused(R"({"shape":[]})") == shown + "dtype, shape and two data_offsets, found no dtype, 0 offsets");
}

TEST_CASE("a header that claims to be larger than its file is refused before anything is allocated") {
  std::string text = file_of("{}");
  for (std::uint64_t const size :
       {std::uint64_t{3}, std::uint64_t{100'000'001}, UINT64_MAX, UINT64_MAX - 7}) {
    std::memcpy(text.data(), &size, sizeof size);
    CHECK_THROWS_WITH_AS(parse(text), doctest::Contains("expected a header of at most 2 bytes"), file_error);
  }
  CHECK_THROWS_AS(parse(""), file_error);
  CHECK_THROWS_AS(parse("1234567"), file_error);
}

TEST_CASE("a file of another kind is refused by its first bytes, however large it is") {
  temporary_folder const folder;
  write_file_atomically(folder / "zeros", {});
  std::filesystem::resize_file(folder / "zeros", std::uintmax_t{5} << 30);  // all of it a hole
  CHECK_THROWS_WITH_AS(tensor_file(folder / "zeros"),
                       doctest::Contains("zeros: header: expected '{' at byte 0"), file_error);
  std::filesystem::resize_file(folder / "zeros", 5);
  CHECK_THROWS_WITH_AS(tensor_file(folder / "zeros"),
                       doctest::Contains("zeros: expected a safetensors file, found 5 bytes"), file_error);
}

TEST_CASE("what is no regular file is refused, and a pipe is not waited for") {
  temporary_folder const folder;
  REQUIRE(::mkfifo((folder / "pipe").c_str(), 0600) == 0);
  CHECK_THROWS_WITH_AS(tensor_file(folder / "pipe"), doctest::Contains("pipe: is no regular file"),
                       file_error);
  CHECK_THROWS_WITH_AS(tensor_file(folder / "."), doctest::Contains("is no regular file"), file_error);
  CHECK_THROWS_WITH_AS(tensor_file("/dev/zero"), doctest::Contains("is no regular file"), file_error);
}

TEST_CASE("a file cut off at any byte is refused") {
  std::string const text = small_file();
  CHECK_NOTHROW(parse(text));
  for (std::size_t size = 0; size < text.size(); ++size) {
    std::vector<char> const cut(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(size));
    CHECK_THROWS_AS(parse({cut.data(), cut.size()}), file_error);
  }
}

TEST_CASE("files with random bytes changed, added or removed are read soundly or refused") {
  std::string const text = small_file();
  random_stream random(random_key{1}.split(purpose::test));
  int refused = 0;
  for (int round = 0; round < 20'000; ++round) {
    std::string mutant = text;
    for (std::uint32_t changes = 1 + random.below(3); changes > 0; --changes) {
      auto const at = random.below(static_cast<std::uint32_t>(mutant.size()));
      switch (random.below(4)) {
        case 0:
          mutant[at] = static_cast<char>(mutant[at] ^ (1 << random.below(8)));
          break;
        case 1:
          mutant[at] = static_cast<char>(random.below(256));
          break;
        case 2:
          mutant.erase(at, 1 + random.below(3));
          break;
        default:
          mutant.insert(at, 1, "0123456789[]{},:\""[random.below(17)]);
      }
    }
    std::vector<char> const exact(mutant.begin(),
                                  mutant.end());  // so that a sanitizer sees every byte too far
    try {
      tensor_file const file = parse({exact.data(), exact.size()});
      std::size_t total = 0, odd = 0;
      for (auto const& t : file.tensors()) {
        REQUIRE(byte_size(t.type, t.extents) == t.bytes.size());
        total += t.bytes.size();
        for (std::byte const b : t.bytes) odd += std::to_integer<std::size_t>(b) & 1;
      }
      REQUIRE(total <= exact.size());
      REQUIRE(odd <= total);
    } catch (file_error const&) {
      ++refused;
    }
  }
  CHECK(refused > 12'000);
}

TEST_CASE("unsound tensors are not written") {
  static constexpr float numbers[] = {1, 2};
  tensor const good = tensor_of<float>("w", dtype::f32, {2}, numbers);
  tensor wrong = good;
  wrong.extents = {3};
  tensor reserved = good;
  reserved.name = "__metadata__";
  CHECK_THROWS_WITH_AS(safetensors_header(std::vector{wrong}, {}),
                       "safetensors: tensor w: expected the bytes of F32(3), got 8", contract_error);
  CHECK_THROWS_AS(safetensors_header(std::vector{good, good}, {}), contract_error);
  CHECK_THROWS_AS(safetensors_header(std::vector{reserved}, {}), contract_error);
}

TEST_CASE("the data of every file begin at a multiple of 8") {
  for (int length = 1; length <= 9; ++length) {
    tensor const tensors[] = {{std::string(static_cast<std::size_t>(length), 'n'), dtype::f32, {0}, {}}};
    CHECK(safetensors_header(tensors, {}).size() % 8 == 0);
  }
  CHECK(safetensors_header({}, {}) == file_of("{}      "));
}
