#include <batchmate/batch/lockstep.hpp>
#include <batchmate/eval/any_evaluator.hpp>
#include <batchmate/game/connect4.hpp>
#include <batchmate/play/run_folder.hpp>
#include <batchmate/play/self_play.hpp>
#include <batchmate/search/puct.hpp>

#include "../net/temporary_folder.hpp"
#include "../support/any_batching.hpp"
#include "../support/fake_network.hpp"

#include <doctest/doctest.h>

#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <functional>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

namespace bm = batchmate;

namespace {

using G = bm::connect4;
using settings = bm::run_folder_settings;
using earlier = settings::earlier;

settings in(temporary_folder const& folder, earlier before = earlier::refuse) {
  settings s;
  s.shards = {.folder = folder.path(), .max_rows = 128, .evaluator = "e", .search = "s", .seed = 3};
  s.identity = {{"game", "connect4"}, {"seed", "3"}};
  s.before = before;
  return s;
}

/// The first games of one run, played once.
std::vector<bm::episode<G>> const& games() {
  static auto const played = [] {
    std::vector<bm::episode<G>> all;
    bm::self_play play{G{}, bm::puct{.simulations = 6}, bm::lockstep{}, fake_network{}};
    play.run({.episodes = 40, .seed = 3}, [&](bm::episode<G> const& e) { all.push_back(e); });
    return all;
  }();
  return played;
}

/// The contents of a folder's data files by name.
std::map<std::string, std::vector<std::byte>> data(temporary_folder const& folder) {
  std::map<std::string, std::vector<std::byte>> files;
  for (std::string const& name : folder.names())
    if (name.starts_with("rows-") || name.starts_with("games-"))
      files[name] = bm::read_file(folder.path() / name, 1 << 24);
  return files;
}

/// The data of a run that nothing disturbed.
auto const& undisturbed() {
  static auto const files = [] {
    temporary_folder const folder;
    bm::run_folder<G> run(in(folder), {});
    for (auto const& e : games()) run(e);
    run.finish();
    return data(folder);
  }();
  return files;
}

/// Places 0 to n - 1 in some order that no episode leaves by more than eight places.
std::vector<std::size_t> shuffled(std::size_t n, std::uint64_t seed) {
  std::vector<std::size_t> order(n);
  for (std::size_t i = 0; i < n; ++i) order[i] = i;
  bm::random_stream random{bm::random_key{seed}};
  for (std::size_t i = 0; i < n; ++i) std::swap(order[i], order[std::min(n - 1, i + random.below(8))]);
  return order;
}

/// Connect Four in which something may be wrong with games that begin at a marked position.
struct troubled : bm::connect4 {
  enum class trouble { none, throws, stuck, endless, no_value };
  static inline trouble what = trouble::none;
  bool is_marked = false;
  int plies = 0;

  bool is_wrong(trouble with) const { return is_marked && what == with && plies > 6; }
  void play(int action) {
    if (is_wrong(trouble::throws)) throw planned_failure();
    if (!is_wrong(trouble::endless)) connect4::play(action);
    ++plies;
  }
  bm::action_set<7> legal_actions() const {
    return is_wrong(trouble::stuck) ? bm::action_set<7>{} : connect4::legal_actions();
  }
  std::optional<float> result() const {
    if (is_wrong(trouble::no_value)) return std::numeric_limits<float>::quiet_NaN();
    return is_wrong(trouble::endless) ? std::nullopt : connect4::result();
  }
  static std::optional<troubled> from_text(std::string_view) { return std::nullopt; }
};

/// What a CUDA evaluator throws derives from this error, too, and names the call (`cuda::check`).
struct device_error : bm::evaluation_error {
  using evaluation_error::evaluation_error;
};

/// A device that all threads share and that breaks at its n-th batch: from then on every launch fails, or else every
/// wait, as after an illegal address or when the device has fallen off the bus.
struct breaking_device {
  std::uint64_t breaks_at;  ///< the number of the batch, from 1
  failing_network::place where;
  fake_network network{};

  template <bm::game G>
  void submit(int, bm::batch<G> const& rows) const {
    if (network.counts->batches + 1 < breaks_at)
      network.answer(rows.raw());
    else if (where == failing_network::place::submit)
      throw device_error("cuda: cudaGraphLaunch failed: unspecified launch failure");
    else
      ++network.counts->batches;  // the answers never come, and who waits for them is told first
  }
  void wait(int) const {
    if (where == failing_network::place::wait && network.counts->batches >= breaks_at)
      throw device_error("cuda: cudaEventSynchronize failed: an illegal memory access was encountered");
  }
  bool is_shared() const { return true; }
  std::string identity() const { return "device"; }
};

/// Plays what is missing of 40 games, the 26th and last but one of which are marked; how many are new.
int play_troubled(temporary_folder const& folder, bm::any_evaluator<troubled> evaluator,
                  any_batching const& policy = bm::lockstep{.games = 4}) {
  bm::openings<troubled> opening;
  opening.positions.resize(40);
  opening.positions[25].is_marked = opening.positions[38].is_marked = true;
  bm::self_play play{opening, bm::puct{.simulations = 4}, policy, std::move(evaluator)};
  bm::run_folder<troubled> run(in(folder, earlier::resume), opening);
  int taken = 0;
  bm::run_options options{.episodes = 40, .seed = 3, .threads = 2, .in_order = false};
  options.admit = [&](std::int64_t n) { return run.has(n) ? bm::admission::skip : bm::admission::play; };
  auto const sink = [&](bm::episode<troubled> const& e) {
    run(e);
    ++taken;
  };
  try {
    play.run(options, sink);
  } catch (...) {
    run.finish();
    CHECK(run.totals().episodes == run.resumed() + taken);
    throw;
  }
  run.finish();
  return taken;
}

/// How many games and rows lie in a folder's files, all of which can be read.
std::pair<int, int> games_and_rows(temporary_folder const& folder) {
  int games = 0, rows = 0;
  for (auto const& [name, bytes] : data(folder))
    if (name.starts_with("games-"))
      games += static_cast<int>(std::count(bytes.begin(), bytes.end(), std::byte{'\n'})) - 1;
    else
      rows += static_cast<int>(bm::tensor_file(folder.path() / name).at("policy").extents[0]);
  return {games, rows};
}

std::uint64_t hash_of_all() {
  std::uint64_t hash = 0;
  for (auto const& e : games()) hash += bm::numbered_hash(e);
  return hash;
}

}  // namespace

TEST_CASE("shards hold whole episodes in order, and the games lie beside them") {
  auto const& files = undisturbed();
  REQUIRE(files.size() >= 8);
  CHECK(files.contains("rows-000000.safetensors"));
  CHECK(files.contains("games-000000.txt"));
  std::string text;
  for (auto const& [name, bytes] : files)
    if (name.starts_with("games-")) {
      std::string const part(reinterpret_cast<char const*>(bytes.data()), bytes.size());
      text += part.substr(part.find('\n') + 1);
    }
  std::string expected;
  for (auto const& e : games()) expected += bm::game_line(e) + '\n';
  CHECK(text == expected);
}

TEST_CASE("the order in which episodes come changes no byte") {
  for (std::uint64_t seed : {1, 2, 3}) {
    temporary_folder const folder;
    bm::run_folder<G> run(in(folder), {});
    for (std::size_t i : shuffled(games().size(), seed)) run(games()[i]);
    run.finish();
    CHECK(data(folder) == undisturbed());
    auto const totals = run.totals();
    CHECK(totals.episodes == 40);
    CHECK(totals.hash == hash_of_all());
    CHECK(2 * static_cast<std::size_t>(totals.shards) == undisturbed().size());
  }
}

TEST_CASE("a run whose process is killed again and again ends with the same bytes") {
  for (std::uint64_t seed : {1, 2, 3, 4}) {
    temporary_folder const folder;
    auto const order = shuffled(games().size(), seed);
    bm::random_stream random{bm::random_key{seed + 100}};
    std::int64_t before = 0;
    for (bool whole = false; !whole;) {
      auto const enough = static_cast<int>(random.below(14));
      pid_t const child = fork();
      REQUIRE(child >= 0);
      if (child == 0) {  // takes a few more episodes and dies without a word
        int taken = 0;
        settings s = in(folder, earlier::resume);
        s.sync_every = std::chrono::milliseconds(1);
        bm::run_folder<G> run(s, {});
        for (std::size_t i : order) {
          if (run.has(static_cast<std::int64_t>(i))) continue;
          if (taken++ == enough) usleep(random.below(3000)), _exit(1);
          run(games()[i]);
        }
        run.finish();
        _exit(0);
      }
      int status = 0;
      waitpid(child, &status, 0);
      whole = status == 0;
      REQUIRE((whole || WEXITSTATUS(status) == 1));
      if (!whole) {
        bm::run_folder<G> const look(in(folder, earlier::resume), {});
        CHECK(look.resumed() >= before);  // what was there stays
        before = look.resumed();
      }
    }
    CHECK(data(folder) == undisturbed());
  }
}

TEST_CASE("the records that a full disk may ask for once more are counted beforehand") {
  temporary_folder const folder;
  settings s = in(folder);
  std::size_t const without = bm::run_folder<G>::bytes(s);
  s.disk_full = [](bm::disk_full_error const&) { return true; };
  std::size_t const counted = bm::run_folder<G>::bytes(s) - without;
  std::size_t rows = 0, records = 0;
  for (auto const& e : games()) {
    rows += e.samples.size();
    records += bm::records::of(e.number, e).size() + 100;  // and where they are kept
  }
  CHECK(counted >= records * static_cast<std::size_t>(s.shards.max_rows) / rows);
  CHECK(counted < 3 * records * static_cast<std::size_t>(s.shards.max_rows) / rows);
}

TEST_CASE("what is finished is written when a run ends early, and a later process goes on") {
  temporary_folder const folder;
  {
    bm::run_folder<G> run(in(folder), {});
    for (std::size_t i = 0; i < 20; ++i)
      if (i != 5) run(games()[i]);
    run.finish();
    CHECK(run.totals().episodes == 19);
  }
  std::size_t lines = 0;
  for (auto const& [name, bytes] : data(folder))
    if (name.starts_with("games-"))
      lines += static_cast<std::size_t>(std::count(bytes.begin(), bytes.end(), std::byte{'\n'})) - 1;
  CHECK(lines == 19);
  bm::run_folder<G> run(in(folder, earlier::resume), {});
  CHECK(run.resumed() == 19);
  CHECK(run.first_number() <= 5);
  CHECK_FALSE(run.has(5));
  CHECK(run.has(6));
  for (auto const& e : games())
    if (!run.has(e.number)) run(e);
  run.finish();
  CHECK(data(folder) == undisturbed());
  CHECK(run.totals().hash == hash_of_all());
}

TEST_CASE("a finished run can be made longer") {
  temporary_folder const folder;
  {
    bm::run_folder<G> run(in(folder), {});
    for (std::size_t i = 0; i < 25; ++i) run(games()[i]);
    run.finish();
  }
  bm::run_folder<G> run(in(folder, earlier::resume), {});
  for (std::size_t i = 25; i < 40; ++i) run(games()[i]);
  run.finish();
  CHECK(data(folder) == undisturbed());
}

TEST_CASE("an earlier run's data are refused, taken up or removed, as was asked") {
  temporary_folder const folder;
  { bm::run_folder<G>(in(folder), {}).finish(); }
  CHECK_THROWS_WITH_AS(bm::run_folder<G>(in(folder), {}),
                       doctest::Contains("holds the data of an earlier run"), bm::file_error);
  settings other = in(folder, earlier::resume);
  other.identity["seed"] = "4";
  CHECK_THROWS_WITH_AS(bm::run_folder<G>(other, {}),
                       doctest::Contains("cannot resume: the run has \"seed\": \"3\""), bm::file_error);
  auto const refused = [&](char const* message, auto change) {
    settings changed = in(folder, earlier::resume);
    change(changed);
    CHECK_THROWS_WITH_AS(bm::run_folder<G>(changed, {}), doctest::Contains(message), bm::file_error);
  };
  refused("\"search\": \"s\", expected \"t\"", [](settings& s) { s.shards.search = "t"; });
  refused("\"evaluator\": \"e\", expected \"f\"", [](settings& s) { s.shards.evaluator = "f"; });
  refused("\"shard_rows\": \"128\", expected \"256\"", [](settings& s) { s.shards.max_rows = 256; });
  refused("\"horizon\": nothing, expected \"4\"", [](settings& s) { s.shards.horizon = 4; });
  refused("\"rank\": nothing, expected \"0\"", [](settings& s) { s.stride = 2; });
  refused("\"rank\": nothing, expected \"1\"", [](settings& s) { s.first_episode = 1; });
  other.before = earlier::remove;
  {
    bm::run_folder<G> run(other, {});
    CHECK(run.resumed() == 0);
    run(games()[0]);
    run.finish();
  }
  std::filesystem::remove(folder / "run.json");
  CHECK_THROWS_WITH_AS(bm::run_folder<G>(in(folder, earlier::resume), {}), doctest::Contains("is gone"),
                       bm::file_error);
}

TEST_CASE("a folder must be told what plays, and takes only games that begin where it was told") {
  temporary_folder const folder;
  for (auto const missing : {&bm::shard_settings::search, &bm::shard_settings::evaluator}) {
    settings s = in(folder);
    (s.shards.*missing).clear();
    CHECK_THROWS_WITH_AS(bm::run_folder<G>(s, {}), doctest::Contains("must be the identities of what plays"),
                         bm::contract_error);
  }
  G moved;
  moved.play(3);
  bm::run_folder<G> run(in(folder), {{moved}});
  CHECK_THROWS_WITH_AS(run(games()[1]), doctest::Contains("episode 1 began at"), bm::contract_error);
  CHECK(run.totals().episodes == 0);
}

TEST_CASE("a folder that is left does not wait for room on a full disk") {
  temporary_folder const folder;
  std::atomic<int> asked{0};
  {
    settings s = in(folder);
    s.disk_full = [&](bm::disk_full_error const&) {
      ++asked;
      return true;
    };
    // /dev/full stands where the first shard's unfinished file would go.
    bm::run_folder<G> run(s, {});
    std::filesystem::create_symlink("/dev/full", folder / "rows-000000.safetensors.tmp");
    for (auto const& e : games()) run(e);
    while (asked == 0) std::this_thread::yield();
  }
  CHECK(asked > 0);
  std::filesystem::remove(folder / "rows-000000.safetensors.tmp");
  bm::run_folder<G> run(in(folder, earlier::resume), {});
  for (auto const& e : games())
    if (!run.has(e.number)) run(e);
  run.finish();
  CHECK(data(folder) == undisturbed());
}

TEST_CASE("two processes do not write to one folder") {
  temporary_folder const folder;
  bm::run_folder<G> const run(in(folder), {});
  CHECK_THROWS_WITH_AS(bm::run_folder<G>(in(folder, earlier::resume), {}),
                       doctest::Contains("is in use by another process"), bm::file_error);
}

TEST_CASE("no more bytes stay than asked, and the numbers of shards go on") {
  temporary_folder const folder;
  settings s = in(folder);
  std::uint64_t one = 0, all = 0;
  for (auto const& [name, bytes] : undisturbed()) all += bytes.size();
  one = all / (undisturbed().size() / 2);
  s.keep_bytes = 3 * one;
  {
    bm::run_folder<G> run(s, {});
    for (auto const& e : games()) run(e);
    run.finish();
  }
  auto const left = data(folder);
  CHECK_FALSE(left.contains("rows-000000.safetensors"));
  CHECK_FALSE(left.contains("games-000000.txt"));
  CHECK(left.size() >= 4);
  std::uint64_t kept = 0;
  for (auto const& [name, bytes] : left) {
    CHECK(undisturbed().at(name) == bytes);
    kept += bytes.size();
  }
  CHECK(kept <= s.keep_bytes);
  s.before = earlier::resume;
  bm::run_folder<G> const again(s, {});
  CHECK(again.resumed() == 40);
  CHECK(again.totals().hash == hash_of_all());
}

TEST_CASE("which network plays from where is known to a later process, and every row names its network") {
  temporary_folder const folder;
  {
    bm::run_folder<G> run(in(folder), {});
    run.begin_phase(0, 0, "first network", "a.safetensors");
    run.begin_phase(1, 20, "second network", "b.safetensors");
    for (auto e : games()) {
      for (auto& s : e.samples) s.network = e.number < 20 ? 0 : 1;
      run(e);
    }
  }
  bm::run_folder<G> run(in(folder, earlier::resume), {});
  auto const phases = run.recovered_phases();
  REQUIRE(!phases.empty());
  CHECK(phases.back() == bm::network_phase{1, 20, "second network", "b.safetensors"});
  run.finish();
  std::size_t rows = 0;
  for (std::string const& name : folder.names()) {
    if (!name.starts_with("rows-")) continue;
    bm::tensor_file const file(folder.path() / name);
    auto const& networks = file.at("network");
    auto const& episodes = file.at("episode");
    std::string const names = file.metadata_at("networks");
    for (std::size_t i = 0; i < networks.extents[0]; ++i, ++rows) {
      std::int32_t place;
      std::int64_t number;
      std::memcpy(&place, networks.bytes.data() + 4 * i, 4);
      std::memcpy(&number, episodes.bytes.data() + 8 * i, 8);
      if (names == R"(["first network", "second network"])")
        CHECK((place == 1) == (number >= 20));
      else
        CHECK(names == (number < 20 ? R"(["first network"])" : R"(["second network"])"));
    }
  }
  CHECK(rows > 100);
}

TEST_CASE("no other network takes the place of one that a damaged journal has lost") {
  temporary_folder const folder;
  {
    bm::run_folder<G> run(in(folder), {});
    run.begin_phase(0, 0, "first network", "a.safetensors");
    for (auto const& e : games()) run(e);
  }
  auto const first =
      bm::journal::read(folder / "journal").records.at(0);  // says how many episodes shards hold
  std::filesystem::resize_file(folder / "journal", 20 + 8 + first.size());
  bm::run_folder<G> run(in(folder, earlier::resume), {});
  REQUIRE(run.recovered_phases().empty());
  CHECK_THROWS_WITH_AS(run.begin_phase(0, 0, "another network", "b.safetensors"),
                       doctest::Contains("journal: is damaged: names no network for episode 0"),
                       bm::file_error);
}

TEST_CASE("a journal that ends in the middle of an episode loses that one alone") {
  temporary_folder const folder;
  settings s = in(folder);
  s.shards.max_rows = 4096;
  {
    bm::run_folder<G> run(s, {});
    for (std::size_t i = 0; i < 10; ++i) run(games()[i]);
    run.finish();
  }
  std::filesystem::resize_file(folder / "journal", std::filesystem::file_size(folder / "journal") - 3);
  s.before = earlier::resume;
  bm::run_folder<G> const run(s, {});
  CHECK(run.resumed() == 9);
  CHECK_FALSE(run.has(9));
  CHECK(run.lost_bytes() > 0);
}

TEST_CASE(
    "a run that an evaluator or a game ends has written what was finished, and goes on when it is mended") {
  temporary_folder const whole;
  CHECK(play_troubled(whole, fake_network{}) == 40);
  auto const ended_by = [&](std::function<bm::any_evaluator<troubled>()> const& made, char const* expected) {
    temporary_folder const folder;
    for (int turn = 0; turn < 2; ++turn) {  // it goes wrong again, maybe a little later
      CHECK_THROWS_WITH(play_troubled(folder, made()), doctest::Contains(expected));
      auto const [games, rows] = games_and_rows(folder);
      CHECK(games > 0);
      CHECK(games < 40);
      CHECK(rows >= 7 * games);
    }
    troubled::what = troubled::trouble::none;
    auto const before = games_and_rows(folder).first;
    CHECK(play_troubled(folder, fake_network{}) == 40 - before);
    CHECK(data(folder) == data(whole));
  };
  using place = failing_network::place;
  for (place where : {place::submit, place::wait})
    ended_by([&] { return failing_network{400, where}; }, "planned failure");
  using fault = faulty_network::fault;
  for (fault what : {fault::nan_value, fault::nan_prior, fault::large_value, fault::large_priors})
    ended_by([&] { return faulty_network{400, what}; }, "evaluator faulty: row");
  using trouble = troubled::trouble;
  for (auto const& [what, expected] : {std::pair(trouble::throws, "planned failure"),
                                       std::pair(trouble::stuck, "neither a result nor a legal"),
                                       std::pair(trouble::endless, "is not finished after max_plies"),
                                       std::pair(trouble::no_value, "result is nan")}) {
    troubled::what = what;
    ended_by([] { return fake_network{}; }, expected);
  }
}

TEST_CASE(
    "a device that breaks in mid-batch ends the run with the call that failed, and another one goes on") {
  temporary_folder const whole;
  CHECK(play_troubled(whole, fake_network{}) == 40);
  for (any_batching const& policy : any_batching::all(32))
    for (auto where : {failing_network::place::submit, failing_network::place::wait}) {
      std::string const call = where == failing_network::place::submit ? "cudaGraphLaunch failed: "
                                                                       : "cudaEventSynchronize failed: ";
      CAPTURE(policy.identity());
      CAPTURE(call);
      temporary_folder const folder;
      auto const counted = std::make_shared<fake_counts>();
      play_troubled(temporary_folder(), breaking_device{1u << 30, where, fake_network{counted}}, policy);
      std::string failure;
      try {
        play_troubled(folder, breaking_device{counted->batches / 2, where}, policy);
      } catch (device_error const& e) {  // this very type, whoever has carried it
        failure = e.what();
      }
      CHECK(failure.find(call) != std::string::npos);
      auto const [games, rows] = games_and_rows(folder);
      CHECK(games > 0);
      CHECK(games < 40);
      CHECK(rows >= 7 * games);
      CHECK_THROWS_AS(play_troubled(folder, breaking_device{1, where}, policy), device_error);
      CHECK(games_and_rows(folder) == std::pair(games, rows));
      CHECK(play_troubled(folder, fake_network{}, policy) == 40 - games);
      CHECK(data(folder) == data(whole));
    }
}

TEST_CASE("what goes wrong with the files is thrown to the run, and to its end") {
  temporary_folder const folder;
  bm::run_folder<G> run(in(folder), {});
  std::filesystem::create_directory(folder / "games-000000.txt");  // in the way of the first shard
  bool thrown = false;
  for (int turn = 0; turn < 200 && !thrown; ++turn) {
    try {
      run(games()[static_cast<std::size_t>(std::min(turn, 39))]);
    } catch (bm::file_error const&) {
      thrown = true;
    }
    usleep(1000);
  }
  CHECK(thrown);
  CHECK_THROWS_WITH_AS(run.finish(), doctest::Contains("games-000000.txt: cannot be replaced"),
                       bm::file_error);
}
