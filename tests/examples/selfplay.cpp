#include <batchmate/game/connect4.hpp>
#include <batchmate/game/tictactoe.hpp>
#include <batchmate/net/json.hpp>
#include <batchmate/net/network_file.hpp>
#include <batchmate/net/random_network.hpp>
#include <batchmate/net/safetensors.hpp>

#include <doctest/doctest.h>

#include <sys/wait.h>

#include "../net/temporary_folder.hpp"

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>
#include <string>
#include <vector>

namespace bm = batchmate;

namespace {

std::string const program = std::string(BATCHMATE_EXAMPLES_DIR) + "/selfplay";
bool const missing = !std::filesystem::exists(program);  // the examples were not built

std::string text_of(std::filesystem::path const& path) {
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

struct ended {
  int status;
  std::string out, err;
};

/// Runs the program in a shell, with a word before it perhaps.
ended run(std::string const& flags, std::string const& before = "") {
  temporary_folder const folder;
  std::string const out = folder / "out", err = folder / "err";
  std::string const command =
      before + " '" + program + "' " + flags + " >" + out + " 2>" + err + " </dev/null";
  int const status = std::system(command.c_str());
  return {WIFEXITED(status) ? WEXITSTATUS(status) : -1, text_of(out), text_of(err)};
}

/// The fields of a summary, numbers and strings alike as text.
std::map<std::string, std::string> fields_of(std::string const& json) {
  std::map<std::string, std::string> fields;
  std::istringstream lines(json);
  for (std::string line; std::getline(lines, line);) {
    auto const name = line.find('"'), end = line.find("\": ");
    if (end == std::string::npos) continue;
    std::string value = line.substr(end + 3);
    std::erase_if(value, [](char c) { return c == '"' || c == ','; });
    fields[line.substr(name + 1, end - name - 1)] = value;
  }
  return fields;
}

/// The summary of a run that must succeed.
std::map<std::string, std::string> summary_of(std::string const& flags) {
  ended const e = run(flags + " --summary -");
  REQUIRE_MESSAGE(e.status == 0, e.err);
  return fields_of(e.out);
}

/// Checks that a run ends with one line of complaint that holds a text.
void check_refused(int status, std::string const& flags, std::string const& text) {
  CAPTURE(flags);
  ended const e = run(flags);
  CHECK(e.status == status);
  CHECK(e.out.empty());
  CHECK(e.err.starts_with("selfplay: "));
  CHECK(std::count(e.err.begin(), e.err.end(), '\n') == 1);
  CHECK_MESSAGE(e.err.find(text) != std::string::npos, e.err);
}

/// A small network of game G in a file.
template <bm::game G>
void save_small_network(std::filesystem::path const& path) {
  bm::network net =
      bm::random_network({.input = G::input, .num_actions = G::num_actions, .blocks = 1, .channels = 8}, 3);
  net.game = G::name();
  bm::save_network(net, path);
}

std::uint64_t rows_in(std::filesystem::path const& folder) {
  std::uint64_t rows = 0;
  for (auto const& entry : std::filesystem::directory_iterator(folder)) {
    CHECK(entry.path().extension() != ".tmp");
    if (entry.path().extension() != ".safetensors") continue;
    bm::tensor_file const shard(entry.path());
    CHECK(shard.metadata_at("format") == "batchmate-rows-1");
    rows += shard.at("policy").extents.at(0);
  }
  return rows;
}

auto const needs_program = doctest::skip(missing);

}  // namespace

TEST_CASE("all batching policies and any number of threads play the same games" * needs_program) {
  for (std::string const search :
       {"puct --simulations 12", "puct --simulations 12 --leaves 4", "topk --widths 3,2",
        "gumbel --simulations 9", "gumbel --simulations 9 --leaves 4", "graph --simulations 12"}) {
    std::string const job = "--game connect4 --network random:1x8:5 --episodes 20 --search " + search;
    auto const expected = summary_of(job + " --batching immediate --threads 1");
    CHECK(expected.at("mean_batch") == "1.0");
    for (std::string const batching : {"per-tree", "lockstep --games 1", "lockstep --games 7",
                                       "lockstep --games 64 --threads 1", "overlapped --games 9 --threads 3",
                                       "overlapped --games 1000", "shared-queue", "lockstep --cache 1000"}) {
      CAPTURE(batching);
      auto const found = summary_of(job + " --batching " + batching);
      CHECK(found.at("episodes_hash") == expected.at("episodes_hash"));
      CHECK(found.at("rows") == expected.at("rows"));
    }
    CHECK(summary_of(job + " --seed 2").at("episodes_hash") != expected.at("episodes_hash"));
  }
}

TEST_CASE("every game and evaluator that is built in plays" * needs_program) {
  for (std::string const game : {"tictactoe", "connect4", "hex7", "hex9", "hex11", "hex13", "othello",
                                 "gomoku", "breakthrough8", "go9", "go13", "go19"})
    CHECK(summary_of("--evaluator rollout --episodes 1 --simulations 1 --game " + game).at("episodes") ==
          "1");
  std::string const job = "--game tictactoe --network random:1x8:1 --episodes 2 --simulations 4 --evaluator ";
  auto const automatic = summary_of(job + "auto").at("evaluator");
  CHECK(summary_of(job + "reference").at("evaluator").starts_with("reference:random:1x8:1:"));
  CHECK(automatic == summary_of(job + (BATCHMATE_WITH_ONEDNN ? "onednn" : "reference")).at("evaluator"));
}

TEST_CASE("shards and games hold what the summary says" * needs_program) {
  temporary_folder const folder;
  std::string const out = folder / "new/folder", json = folder / "summary.json";
  std::string const job =
      "--game connect4 --evaluator uniform --episodes 60 --simulations 10 --shard-rows 512";
  ended const e = run(job + " --out " + out + " --summary " + json);
  REQUIRE_MESSAGE(e.status == 0, e.err);
  auto const summary = fields_of(text_of(json));
  CHECK(summary.at("episodes") == "60");
  CHECK(summary.at("rows") == std::to_string(rows_in(out)));
  CHECK(std::stoi(summary.at("shards")) > 1);
  int const shards = std::stoi(summary.at("shards"));
  std::string games;
  for (int shard = 0; shard < shards; ++shard)
    games += text_of(out + "/games-00000" + std::to_string(shard) + ".txt");
  CHECK(std::count(games.begin(), games.end(), '\n') == 60 + shards);
  CHECK(games.find("\n59 ") != std::string::npos);
  for (char const* name : {"boards", "simulations", "seconds", "boards_per_second", "games_per_second",
                           "simulations_per_second", "peak_memory_bytes", "planned_memory_bytes"})
    CHECK(std::stod(summary.at(name)) > 0);
  double shares = 0;
  for (char const* name : {"waiting_share", "search_share", "encoding_share", "evaluator_share"})
    shares += std::stod(summary.at(name));
  CHECK(shares == doctest::Approx(1));
  CHECK(summary.at("episodes_hash").size() == 16);

  check_refused(1, job + " --out " + out, "holds the data of an earlier run");
  CHECK(run(job + " --episodes 2 --overwrite --out " + out).status == 2);  // a flag twice
  CHECK(run("--game connect4 --evaluator uniform --episodes 1 --overwrite --out " + out).status == 0);
  CHECK(rows_in(out) < 43);
}

TEST_CASE("bad flags are refused with one line" * needs_program) {
  check_refused(2, "--game chess", "--game");
  check_refused(2, "--gmae connect4", "--gmae");
  check_refused(2, "--episodes -1", "--episodes");
  check_refused(2, "--rank 3 --ranks 3", "--rank");
  check_refused(2, "--rank 1", "--ranks");
  check_refused(2, "--resume --overwrite --out x", "--overwrite");
  check_refused(2, "--threads many", "--threads");
  check_refused(2, "--widths 8,0,2 --search topk", "--widths");
  check_refused(2, "--widths 1,1,1,1,1,1,1,1,1 --search topk", "--widths");
  check_refused(2, "--noise 2", "noise");
  check_refused(2, "--search graph --game go9 --evaluator uniform",
                "which positions are equal, as go9 does not");
  check_refused(2, "--network random:2x", "random:BLOCKSxCHANNELS:SEED");
  check_refused(2, "--network random:2x0:1", "channels");
  check_refused(2, "--evaluator uniform --cache 5", "--cache");
  check_refused(2, "--batching overlapped --groups 2 --games 1", "overlapped");
  check_refused(2, "--memory-limit lots", "--memory-limit");
  check_refused(2, "--evaluator reference --network random:1x8:1 --precision bf16", "--precision");
  ended const help = run("--help");
  CHECK(help.status == 0);
  CHECK(help.out.find("--simulations") != std::string::npos);
}

TEST_CASE("a network that cannot be used is named and leaves nothing behind" * needs_program) {
  temporary_folder const folder;
  save_small_network<bm::tictactoe>(folder / "tictactoe.safetensors");
  save_small_network<bm::connect4>(folder / "short.safetensors");
  std::filesystem::resize_file(folder / "short.safetensors",
                               std::filesystem::file_size(folder / "short.safetensors") - 100);
  std::ofstream(folder / "text.safetensors") << "no network";
  std::string const out = folder / "out";
  for (std::string const file : {"tictactoe", "short", "text", "none"}) {
    std::string const path = folder / (file + ".safetensors").c_str();
    check_refused(1, "--game connect4 --out " + out + " --network " + path, path + ": ");
    CHECK(!std::filesystem::exists(out));
  }
  check_refused(1, "--game hex13 --network shipped", "hex13.safetensors: no network is shipped for hex13");
}

TEST_CASE("a place that cannot be written to is named before anything is played" * needs_program) {
  temporary_folder const folder;
  std::ofstream(folder / "file") << "in the way";
  std::string const job = "--game tictactoe --evaluator uniform --episodes 3 ", in_the_way = folder / "file";
  check_refused(1, job + "--out " + in_the_way, in_the_way + ": ");
  check_refused(1, job + "--out " + in_the_way + "/rows", in_the_way + ": ");
  check_refused(1, job + "--summary " + in_the_way + "/summary", in_the_way + "/summary: ");
  check_refused(1, job + "--summary /nowhere/summary", "/nowhere/summary: ");
  CHECK(folder.names() == std::vector<std::string>{"file"});
}

TEST_CASE("a memory limit is kept, by fewer games in flight or by naming how many fit" * needs_program) {
  std::string const job = "--game go19 --evaluator uniform --simulations 1 --episodes 64 --threads 1 ";
  auto const summary = summary_of(job);
  auto const bytes = [&](char const* name) { return std::stoll(summary.at(name)); };
  auto const held = bytes("held_memory_bytes"), planned = bytes("planned_memory_bytes");
  REQUIRE(planned > 100 << 20);
  std::string const limit = " --memory-limit " + std::to_string(held + planned / 3);
  ended const e = run(job + limit + " --games 64");
  CHECK(e.status == 1);
  auto const at = e.err.find("--games ");
  REQUIRE_MESSAGE(at != std::string::npos, e.err);
  int const games = std::stoi(e.err.substr(at + 8));
  CHECK(games > 15);
  CHECK(games < 27);
  // What the process holds before the run differs a little each time.
  CHECK(run(job + limit + " --games " + std::to_string(games - 2)).status == 0);
  check_refused(1, job + limit + " --games " + std::to_string(games + 2), "would fit");
  check_refused(1, job + " --memory-limit 1", "not even one game in flight");
  check_refused(
      1, job + " --batching overlapped --groups 60 --memory-limit " + std::to_string(held + planned / 2),
      "60 can need ");
  ended const fewer = run(job + limit);
  CHECK(fewer.status == 0);
  CHECK(fewer.out.find("games in flight to stay within --memory-limit") != std::string::npos);
  CHECK(fewer.out.find("memory  ") < fewer.out.find("MiB planned, of these "));
  if (std::getenv("BATCHMATE_SANITIZE")) return;  // which has memory of its own
  CHECK(bytes("peak_memory_bytes") <= held + planned);
  CHECK(bytes("peak_memory_bytes") > held + planned / 3);  // or the limit would have held nothing
  CHECK(std::stoll(summary_of(job + limit).at("peak_memory_bytes")) <= held + planned / 3);
}

TEST_CASE("a run that is told to stop keeps finished games" * needs_program) {
  temporary_folder const folder;
  std::string const out = folder / "out", json = folder / "summary.json";
  ended const e = run("--game tictactoe --evaluator uniform --simulations 50 --episodes 1000000000 --out " +
                          out + " --summary " + json,
                      "timeout --preserve-status -s TERM 2");
  CHECK(e.status == 143);
  auto const summary = fields_of(text_of(json));
  CHECK(summary.at("interrupted") == "true");
  CHECK(std::stoi(summary.at("episodes")) > 0);
  CHECK(summary.at("rows") == std::to_string(rows_in(out)));
}
