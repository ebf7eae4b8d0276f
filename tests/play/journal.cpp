#include <batchmate/play/journal.hpp>

#include "../net/temporary_folder.hpp"

#include <doctest/doctest.h>

#include <sys/resource.h>

#include <csignal>
#include <fstream>
#include <string>
#include <string_view>
#include <vector>

namespace bm = batchmate;

namespace {

using records = std::vector<std::vector<std::byte>>;

std::vector<std::byte> record(std::string_view text) {
  auto const bytes = std::as_bytes(std::span(text));
  return {bytes.begin(), bytes.end()};
}

bm::journal replace(std::filesystem::path const& path, records const& all) {
  std::vector<std::span<std::byte const>> const spans(all.begin(), all.end());
  return bm::journal::replace(path, spans);
}

std::vector<std::byte> bytes_of(std::filesystem::path const& path) { return bm::read_file(path, 1 << 20); }

}  // namespace

TEST_CASE("a journal gives back what was appended to it, also after it was opened again") {
  temporary_folder const folder;
  auto const path = folder / "journal";
  {
    auto log = replace(path, records{record("first")});
    log.append(record(""));
    log.append(record("third"));
    log.sync();
    CHECK(log.size() == std::filesystem::file_size(path));
  }
  auto found = bm::journal::read(path);
  CHECK(found.records == records{record("first"), record(""), record("third")});
  CHECK(found.lost_bytes == 0);
  bm::journal(path, found).append(record("fourth"));
  CHECK(bm::journal::read(path).records.size() == 4);
  (void)replace(path, records{});
  CHECK(bm::journal::read(path).records.empty());
  CHECK(folder.names() == std::vector<std::string>{"journal"});
}

TEST_CASE("of a journal that was cut anywhere, all records before the cut are whole") {
  temporary_folder const folder;
  auto const path = folder / "journal";
  records const all{record("one"), record("two"), record(std::string(300, 'x'))};
  auto log = replace(path, records{});
  std::vector<std::size_t> ends{log.size()};
  for (auto const& r : all) {
    log.append(r);
    ends.push_back(log.size());
  }
  auto const bytes = bytes_of(path);
  for (std::size_t n = ends[0]; n <= bytes.size(); ++n) {
    auto const found = bm::journal::parse(std::span(bytes).first(n), "cut");
    std::size_t whole = 0;
    while (whole < 3 && ends[whole + 1] <= n) ++whole;
    CHECK(found.records == records(all.begin(), all.begin() + static_cast<std::ptrdiff_t>(whole)));
    CHECK(found.good_bytes == ends[whole]);
    CHECK(found.good_bytes + found.lost_bytes == n);
  }
}

TEST_CASE("a record with any changed byte, and all after it, are lost") {
  temporary_folder const folder;
  auto log = replace(folder / "journal", records{record("one"), record("two"), record("three")});
  auto const bytes = bytes_of(folder / "journal");
  std::size_t const begin = bytes.size() - 8 - 5 - 8 - 3;  // of the second record
  for (std::size_t i = begin; i < begin + 11; ++i) {
    auto changed = bytes;
    changed[i] ^= std::byte{0x10};
    CHECK(bm::journal::parse(changed, "").records == records{record("one")});
  }
}

TEST_CASE("zeros after the last record, as a crash may leave them, are no records") {
  temporary_folder const folder;
  auto log = replace(folder / "journal", records{record("one")});
  auto bytes = bytes_of(folder / "journal");
  bytes.resize(bytes.size() + 4096);
  CHECK(bm::journal::parse(bytes, "").records.size() == 1);
  CHECK(bm::journal::parse(bytes, "").lost_bytes == 4096);
}

TEST_CASE("what is no journal is refused") {
  CHECK_THROWS_WITH_AS(bm::journal::parse({}, "here"),
                       "here: is no journal: expected it to begin with 'batchmate-journal-1'",
                       bm::file_error);
  CHECK_THROWS_AS(bm::journal::parse(record("batchmate-journal-2\n"), "here"), bm::file_error);
}

TEST_CASE("a record that does not fit on the disk leaves those before it, and later ones can follow") {
  temporary_folder const folder;
  auto const path = folder / "journal";
  auto log = replace(path, records{record("one")});
  rlimit before{};
  REQUIRE(getrlimit(RLIMIT_FSIZE, &before) == 0);
  auto const handler = std::signal(SIGXFSZ, SIG_IGN);
  rlimit const small{4096, before.rlim_max};
  REQUIRE(setrlimit(RLIMIT_FSIZE, &small) == 0);
  CHECK_THROWS_WITH_AS(log.append(record(std::string(10'000, 'x'))), doctest::Contains("cannot write"),
                       bm::file_error);
  setrlimit(RLIMIT_FSIZE, &before);
  std::signal(SIGXFSZ, handler);
  CHECK(bm::journal::read(path).records == records{record("one")});
  log.append(record("two"));
  CHECK(bm::journal::read(path).records == records{record("one"), record("two")});
  CHECK(bm::journal::read(path).lost_bytes == 0);
}

TEST_CASE("a journal that was taken away is noticed") {
  temporary_folder const folder;
  auto log = replace(folder / "journal", records{record("one")});
  log.sync();
  std::filesystem::remove(folder / "journal");
  CHECK_THROWS_WITH_AS(log.sync(), doctest::Contains("journal: was removed, moved or replaced"),
                       bm::file_error);
}
