#include <batchmate/game/connect4.hpp>
#include <batchmate/play/run_records.hpp>

#include <doctest/doctest.h>

#include <vector>

namespace bm = batchmate;

namespace {

bm::connect4 from_the_start(std::int64_t) { return {}; }

using all_records = std::vector<std::vector<std::byte>>;

bm::run_progress const progress{.places = 10, .shards = 4, .oldest = 1, .rows = 300, .hash = 77};
bm::network_phase const phase{
    .network = 2, .place = 12, .identity = "net \"b\"", .file = "nets/b.safetensors"};

/// The first player wins in the first column.
bm::episode<bm::connect4> short_game(std::int64_t number) {
  bm::episode<bm::connect4> e;
  e.number = number;
  for (int action : {0, 1, 0, 1, 0, 1, 0}) {
    e.samples.push_back({.position = e.final_position, .episode = number, .action = action});
    e.final_position.play(action);
  }
  return e;
}

}  // namespace

TEST_CASE("what a journal's records say comes back") {
  auto const found = bm::records::parse(
      {bm::records::of(progress), bm::records::of(phase), bm::records::of(11, short_game(23))}, "");
  CHECK(found.progress.places == 10);
  CHECK(found.progress.shards == 4);
  CHECK(found.progress.oldest == 1);
  CHECK(found.progress.rows == 300);
  CHECK(found.progress.hash == 77);
  CHECK(found.phases == std::vector{phase});
  REQUIRE(found.episodes.size() == 1);
  CHECK(found.episodes.begin()->first == 11);
  auto const e = bm::records::decode<bm::connect4>(found.episodes.at(11), from_the_start, "");
  CHECK(e.number == 23);
  CHECK(e.samples.size() == 7);
}

TEST_CASE("episodes that shards hold, and second records of one episode, do not count") {
  auto const found =
      bm::records::parse({bm::records::of(progress), bm::records::of(9, short_game(1)),
                          bm::records::of(10, short_game(2)), bm::records::of(10, short_game(3))},
                         "");
  REQUIRE(found.episodes.size() == 1);
  CHECK(bm::records::decode<bm::connect4>(found.episodes.at(10), from_the_start, "").number == 2);
}

TEST_CASE("records that are no run's are refused") {
  auto const refused = [](all_records records, char const* why) {
    CHECK_THROWS_WITH_AS(bm::records::parse(std::move(records), "here"), why, bm::file_error);
  };
  refused({}, "here: does not say how far the run is");
  refused({bm::records::of(phase)}, "here: record 0 is out of place");
  refused({bm::records::of(progress), bm::records::of(progress)}, "here: record 1 is out of place");
  refused({bm::records::of(progress), {std::byte{'x'}}}, "here: record 1 is of no known kind");
  refused({bm::records::of(progress), {}}, "here: is too short");
  bm::run_progress wrong = progress;
  wrong.oldest = 5;
  refused({bm::records::of(wrong)}, "here: its progress is no progress");
  auto cut = bm::records::of(phase);
  cut.pop_back();
  refused({bm::records::of(progress), cut}, "here: a text is cut short");
}
