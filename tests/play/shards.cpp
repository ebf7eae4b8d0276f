#include <batchmate/game/connect4.hpp>
#include <batchmate/net/safetensors.hpp>
#include <batchmate/play/shards.hpp>

#include <doctest/doctest.h>

#include "../net/temporary_folder.hpp"
#include "../support/nim.hpp"

#include <cstring>
#include <limits>
#include <vector>

namespace bm = batchmate;

namespace {

/// Nim with a number that is no plane.
struct nim_with_komi : nim {
  static constexpr int num_globals = 1;
  void encode_globals(float* out) const { *out = 0.5f + static_cast<float>(stones); }
};

/// A game in which always the first legal action is played.
template <bm::game G>
bm::episode<G> first_moves(std::int64_t number) {
  bm::episode<G> played;
  played.number = number;
  G position;
  while (!position.result()) {
    int const action = position.legal_actions().first();
    bm::sample<G> s{.position = position, .episode = number, .action = action};
    s.ply = static_cast<int>(played.samples.size());
    s.value = 0.25f;
    s.policy[static_cast<std::size_t>(action)] = 1;
    played.samples.push_back(s);
    position.play(action);
  }
  played.final_position = position;
  bm::set_outcomes(played);
  return played;
}

template <class T>
std::vector<T> numbers(bm::tensor_file const& file, char const* name) {
  auto const& bytes = file.at(name).bytes;
  std::vector<T> all(bytes.size() / sizeof(T));
  std::memcpy(all.data(), bytes.data(), bytes.size());
  return all;
}

}  // namespace

TEST_CASE("a shard holds every sample of the episodes in order") {
  temporary_folder const folder;
  bm::row_writer<bm::connect4> rows({.folder = folder.path(), .evaluator = "e", .search = "s", .seed = 7});
  auto const played = first_moves<bm::connect4>(5);
  rows(played);
  rows(first_moves<bm::connect4>(6));
  CHECK(folder.names().empty());
  rows.finish();
  REQUIRE(folder.names() == std::vector<std::string>{"rows-000000.safetensors"});

  bm::tensor_file const file(folder / "rows-000000.safetensors");
  std::size_t const half = played.samples.size(), n = 2 * half;
  CHECK(rows.rows() == static_cast<std::int64_t>(n));
  CHECK(file.metadata_at("format") == "batchmate-rows-1");
  CHECK(file.metadata_at("game") == "connect4");
  CHECK(file.metadata_at("columns") == "7");
  CHECK(file.metadata_at("evaluator") == "e");
  CHECK(file.metadata_at("search") == "s");
  CHECK(file.metadata_at("seed") == "7");
  CHECK(file.metadata_at("final") == "yes");
  std::string const symmetries = file.metadata_at("symmetries");
  CHECK(symmetries.starts_with("[[[0,1,2,3,4,5,6,7,"));
  CHECK(symmetries.find(",40,41],[0,1,2,3,4,5,6]],[[6,5,4,3,2,1,0,13,") != std::string::npos);
  CHECK(symmetries.ends_with(",36,35],[6,5,4,3,2,1,0]]]"));
  CHECK(file.at("planes").extents == std::vector<std::uint64_t>{n, 2, 8});
  CHECK(file.at("legal").extents == std::vector<std::uint64_t>{n, 8});
  CHECK(file.at("policy").extents == std::vector<std::uint64_t>{n, 7});
  CHECK(file.find("globals") == nullptr);
  auto const planes = numbers<std::uint64_t>(file, "planes");
  auto const legal = numbers<std::uint64_t>(file, "legal");
  auto const policy = numbers<float>(file, "policy");
  for (std::size_t i = 0; i < n; ++i) {
    auto const& s = played.samples[i % half];
    bm::plane_bits<bm::connect4::input> expected;
    s.position.encode(expected);
    CHECK(planes[2 * i] == expected.words[0]);
    CHECK(planes[2 * i + 1] == expected.words[1]);
    CHECK(legal[i] == s.position.legal_actions().words[0]);
    CHECK(policy[7 * i + static_cast<std::size_t>(s.action)] == 1);
    CHECK(numbers<float>(file, "value")[i] == 0.25f);
    CHECK(numbers<float>(file, "outcome")[i] == s.outcome);
    CHECK(numbers<std::int32_t>(file, "action")[i] == s.action);
    CHECK(numbers<std::int32_t>(file, "ply")[i] == s.ply);
    CHECK(numbers<std::int64_t>(file, "episode")[i] == (i < half ? 5 : 6));
  }
}

TEST_CASE("numbers beside the planes have a tensor of their own") {
  temporary_folder const folder;
  bm::row_writer<nim_with_komi> rows({.folder = folder.path()});
  auto const played = first_moves<nim_with_komi>(0);
  rows(played);
  rows.finish();
  bm::tensor_file const file(folder / "rows-000000.safetensors");
  CHECK(file.metadata_at("globals") == "1");
  CHECK_THROWS_AS(file.metadata_at("symmetries"), bm::file_error);
  CHECK(file.at("globals").extents == std::vector<std::uint64_t>{played.samples.size(), 1});
  CHECK(numbers<float>(file, "globals")[0] == 0.5f + static_cast<float>(nim_with_komi{}.stones));
}

TEST_CASE("shards are bounded and hold whole episodes") {
  temporary_folder const folder;
  auto const played = first_moves<bm::connect4>(0);
  int const plies = static_cast<int>(played.samples.size());
  bm::row_writer<bm::connect4> rows({.folder = folder.path(), .max_rows = 2 * plies + plies / 2});
  for (int i = 0; i < 5; ++i) rows(played);
  CHECK(rows.shards() == 2);
  CHECK(rows.rows() == 4 * plies);
  rows.finish();
  rows.finish();
  CHECK(rows.shards() == 3);
  CHECK(rows.rows() == 5 * plies);
  CHECK(folder.names() == std::vector<std::string>{bm::shard_name(0), bm::shard_name(1), bm::shard_name(2)});
  CHECK_THROWS_WITH_AS(bm::row_writer<bm::connect4>({.folder = folder.path(), .max_rows = 41}),
                       "row_writer: max_rows must be at least 42, the longest game, got 41",
                       bm::contract_error);
  for (float const horizon : {0.0f, 0.5f, -1.0f, std::numeric_limits<float>::quiet_NaN()})
    CHECK_THROWS_WITH_AS(bm::row_writer<bm::connect4>({.folder = folder.path(), .horizon = horizon}),
                         doctest::Contains("row_writer: horizon must be at least 1, got"),
                         bm::contract_error);
}

TEST_CASE("a shard that cannot be written is named, and its rows are not lost") {
  temporary_folder const folder;
  auto const missing = folder / "missing";
  bm::row_writer<bm::connect4> rows({.folder = missing});
  rows(first_moves<bm::connect4>(0));
  try {
    rows.finish();
    FAIL("no error");
  } catch (bm::file_error const& e) {
    CHECK(std::string(e.what()).find("missing/rows-000000.safetensors") != std::string::npos);
    CHECK(std::string(e.what()).find("No such file or directory") != std::string::npos);
  }
  std::filesystem::create_directory(missing);
  rows.finish();
  CHECK(std::filesystem::exists(missing / "rows-000000.safetensors"));
}

TEST_CASE("the short-term value mixes the values of the next plies with the outcome") {
  temporary_folder const folder;
  bm::row_writer<nim> rows({.folder = folder.path(), .horizon = 2});
  bm::episode<nim> e = first_moves<nim>(0);
  for (std::size_t i = 0; i < e.samples.size(); ++i) e.samples[i].value = 0.125f * static_cast<float>(i);
  rows(e);
  rows.finish();
  auto const found = numbers<float>(bm::tensor_file(folder / "rows-000000.safetensors"), "short_value");
  std::size_t const n = e.samples.size();
  REQUIRE(found.size() == n);
  for (std::size_t i = 0; i < n; ++i) {
    double expected = 0, weight = 0.5;
    for (std::size_t k = i; k < n; ++k, weight /= 2)
      expected += weight * ((k - i) % 2 == 0 ? 1 : -1) * static_cast<double>(e.samples[k].value);
    expected += 2 * weight * static_cast<double>(e.samples[i].outcome);  // all that is left of the weights
    CHECK(static_cast<double>(found[i]) == doctest::Approx(expected));
  }
}
