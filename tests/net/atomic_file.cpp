#include "temporary_folder.hpp"

#include <batchmate/net/atomic_file.hpp>

#include <doctest/doctest.h>

#include <sys/resource.h>
#include <sys/stat.h>

#include <csignal>
#include <string>
#include <string_view>

using namespace batchmate;

namespace {

void write_text(std::filesystem::path const& path, std::string_view first, std::string_view second = {}) {
  std::span<std::byte const> const parts[] = {std::as_bytes(std::span(first)),
                                              std::as_bytes(std::span(second))};
  write_file_atomically(path, parts);
}

std::string read_text(std::filesystem::path const& path) {
  auto const bytes = read_file(path, 1000);
  return {reinterpret_cast<char const*>(bytes.data()), bytes.size()};
}

}  // namespace

TEST_CASE("a file that is written atomically holds all parts and leaves nothing beside it") {
  temporary_folder const folder;
  write_text(folder / "a", "one, ", "two");
  CHECK(read_text(folder / "a") == "one, two");
  write_text(folder / "a", "", "");
  CHECK(read_text(folder / "a").empty());
  CHECK(folder.names() == std::vector<std::string>{"a"});
}

TEST_CASE("small and large parts come in their order") {
  temporary_folder const folder;
  std::string expected;
  std::vector<std::string> texts;
  for (int i = 0; i < 400; ++i) {
    texts.emplace_back(static_cast<std::size_t>(i % 7 == 0 ? 5000 : i), static_cast<char>('a' + i % 26));
    expected += texts.back();
  }
  std::vector<std::span<std::byte const>> parts;
  for (std::string const& text : texts) parts.push_back(std::as_bytes(std::span(text)));
  write_file_atomically(folder / "a", parts);
  auto const bytes = read_file(folder / "a", 1 << 20);
  CHECK(std::string_view(reinterpret_cast<char const*>(bytes.data()), bytes.size()) == expected);
}

TEST_CASE("a file that cannot be written is named with the reason, and the old one stays") {
  temporary_folder const folder;
  CHECK_THROWS_WITH_AS(write_text(folder / "no/such", "x"), doctest::Contains("no/such.tmp: cannot create"),
                       file_error);
  CHECK_THROWS_WITH_AS(write_text(folder / "no/such", "x"), doctest::Contains("No such file or directory"),
                       file_error);
}

TEST_CASE("what is no regular file is neither replaced nor waited for") {
  temporary_folder const folder;
  std::filesystem::create_directory(folder / "b");
  std::filesystem::create_symlink("/dev/full", folder / "full");
  REQUIRE(mkfifo((folder / "pipe").c_str(), 0600) == 0);
  for (char const* name : {"b", "full", "pipe"}) {
    CAPTURE(name);
    CHECK_THROWS_WITH_AS(write_text(folder / name, "x"),
                         doctest::Contains(": cannot be replaced, as it is no regular file"), file_error);
    CHECK_THROWS_WITH_AS(read_text(folder / name), doctest::Contains("is no regular file"), file_error);
  }
  CHECK(folder.names() == std::vector<std::string>{"b", "full", "pipe"});
}

TEST_CASE("a folder is made with those above it, and may be there") {
  temporary_folder const folder;
  make_folder(folder / "a/b/c/");
  CHECK(std::filesystem::is_directory(folder / "a/b/c"));
  write_text(folder / "a/b/c/d", "stays");
  make_folder(folder / "a/b/c");
  CHECK(read_text(folder / "a/b/c/d") == "stays");
  CHECK_THROWS_WITH_AS(make_folder(folder / "a/b/c/d/e"),
                       doctest::Contains("/a/b/c/d: cannot create the folder: File exists"), file_error);
}

TEST_CASE("a file that is removed need not be there") {
  temporary_folder const folder;
  write_text(folder / "a", "x");
  remove_file(folder / "a");
  remove_file(folder / "a");
  CHECK(folder.names().empty());
  CHECK_THROWS_WITH_AS(remove_file(folder.path()), doctest::Contains(": cannot remove: "), file_error);
}

TEST_CASE("a full disk leaves the old file and no temporary one") {
  temporary_folder const folder;
  write_text(folder / "a", "old");
  rlimit before{};
  REQUIRE(getrlimit(RLIMIT_FSIZE, &before) == 0);
  auto const handler = std::signal(SIGXFSZ, SIG_IGN);
  rlimit const small{4096, before.rlim_max};
  REQUIRE(setrlimit(RLIMIT_FSIZE, &small) == 0);
  std::string const large(1 << 16, 'x');
  CHECK_THROWS_WITH_AS(write_text(folder / "a", large),
                       doctest::Contains("/a.tmp: cannot write: File too large"), file_error);
  setrlimit(RLIMIT_FSIZE, &before);
  std::signal(SIGXFSZ, handler);
  CHECK(read_text(folder / "a") == "old");
  CHECK(folder.names() == std::vector<std::string>{"a"});
}

TEST_CASE("a file that cannot be read is named with the reason") {
  temporary_folder const folder;
  CHECK_THROWS_WITH_AS(read_text(folder / "a"), doctest::Contains("/a: cannot open: No such file"),
                       file_error);
  CHECK_THROWS_WITH_AS(read_text(folder.path()), doctest::Contains("is no regular file"), file_error);
  write_text(folder / "a", std::string(1001, 'x'));
  CHECK_THROWS_WITH_AS(read_text(folder / "a"), doctest::Contains("has 1001 bytes, expected at most 1000"),
                       file_error);
}
