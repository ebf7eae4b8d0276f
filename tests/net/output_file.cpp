#include <batchmate/net/atomic_file.hpp>
#include <batchmate/net/output_file.hpp>

#include "temporary_folder.hpp"

#include <doctest/doctest.h>

#include <string>
#include <string_view>
#include <utility>

namespace bm = batchmate;

namespace {

std::span<std::byte const> bytes(std::string_view text) { return std::as_bytes(std::span(text)); }

std::string read_text(std::filesystem::path const& path) {
  auto const read = bm::read_file(path, 1000);
  return {reinterpret_cast<char const*>(read.data()), read.size()};
}

}  // namespace

TEST_CASE("what is written is in the file at once, without closing it") {
  temporary_folder const folder;
  bm::output_file file(folder / "a", O_TRUNC);
  file.write(bytes("one "));
  file.write(bytes("two"));
  CHECK(read_text(folder / "a") == "one two");
  file.truncate(4);
  file.write(bytes("2"));
  file.sync();
  CHECK(read_text(folder / "a") == "one 2");
  bm::output_file other = std::move(file);
  other.write(bytes("!"));
  other.close();
  CHECK(read_text(folder / "a") == "one 2!");
}

TEST_CASE("a file knows when it is no longer at its path") {
  temporary_folder const folder;
  bm::output_file const file(folder / "a", O_TRUNC);
  CHECK(file.is_in_place());
  std::filesystem::rename(folder / "a", folder / "b");
  CHECK_FALSE(file.is_in_place());
  bm::output_file const other(folder / "a", O_TRUNC);
  CHECK_FALSE(file.is_in_place());
  std::filesystem::rename(folder / "b", folder / "a");
  CHECK(file.is_in_place());
  std::filesystem::remove(folder / "a");
  CHECK_FALSE(file.is_in_place());
}

TEST_CASE("a full disk is an error of its own") {
  bm::output_file full("/dev/full", 0);
  CHECK_THROWS_WITH_AS(full.write(bytes("x")), "/dev/full: cannot write: No space left on device",
                       bm::disk_full_error);
}

TEST_CASE("a file that cannot be made is named with the reason") {
  temporary_folder const folder;
  CHECK_THROWS_WITH_AS(bm::output_file(folder / "no/such", 0),
                       doctest::Contains("no/such: cannot create: No such file"), bm::file_error);
}
