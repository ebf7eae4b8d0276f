#include <common/flags.hpp>
#include <common/games.hpp>
#include <common/processors.hpp>
#include <selfplay/job.hpp>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <limits>
#include <map>
#include <string>
#include <vector>

using common::within;

namespace {

char const* const examples = R"(Examples:
  selfplay --game connect4 --network shipped
      a hundred games with the shipped network; prints what it did, keeps nothing
  selfplay --game hex7 --network net.safetensors --episodes 2000 --simulations 200 --out rows --summary rows.json
      training data: rows/rows-000000.safetensors, ... and the games beside them; killed, the same with --resume goes on
  selfplay --game hex13 --network random:10x128:1 --search topk --widths 6,10 --batching overlapped --games 512
      a large network in a fixed-width tree; compare with --batching immediate
  selfplay --game hex9 --evaluator uniform --simulations 800 --threads 1 --no-reuse --noise 0
      how fast the search is alone

  selfplay --game connect4 --network networks --episodes 0 --out rows --resume --keep 2000000000 --prometheus bm.prom
      plays until it is told to stop, always with the newest network in a folder; keeps the newest 2 GB of rows

The same seed gives the same games under every batching policy, with any number of threads and games in flight:
compare episodes_hash. Exit status: 0, 1 for what goes wrong at work (a file, the network, memory), 2 for bad
flags, 130, 143 and 129 after Ctrl-C, SIGTERM and SIGHUP, when finished games have been kept.)";

/// Flags as they are typed, before they become a job.
struct typed {
  std::string search = "puct";
  std::map<std::string, std::string> settings;  ///< of the search, by the flag
  std::vector<int> widths;
  bool no_reuse = false;
  std::string more_settings;  ///< KEY=VALUE,...
  std::optional<int> rank, ranks;
};

void add_job_flags(CLI::App& app, job& to, typed& in) {
  std::string const group = "What to play";
  to.game = common::default_game(to.game);
  app.add_option("--game", to.game, "The game")
      ->check(CLI::IsMember(common::game_names()))
      ->capture_default_str()
      ->group(group);
  app.add_option("--episodes", to.episodes, "Games to play; 0: until Ctrl-C")
      ->transform(within(std::int64_t{0}, std::numeric_limits<std::int64_t>::max() / 2))
      ->capture_default_str()
      ->group(group);
  app.add_option("--seed", to.seed, "Another seed gives other games")
      ->transform(common::any_number<std::uint64_t>())
      ->capture_default_str()
      ->group(group);
  app.add_option("--threads", to.threads, "Worker threads; default: one a core")
      ->transform(within(1, 1024))
      ->group(group);
  app.add_option("--memory-limit", to.memory_limit,
                 "Take fewer games in flight, or refuse, rather than need more: say 8G")
      ->transform(CLI::AsSizeValue(false))
      ->group(group);
  app.add_option("--random-plies", to.random_plies, "0 to so many random moves begin every game")
      ->transform(within(0, 10000))
      ->capture_default_str()
      ->group(group);
  app.add_option("--openings", to.openings,
                 "File of positions or moves, one a line, that games begin at in turn")
      ->check(CLI::ExistingFile)
      ->group(group);
  app.add_option("--play-through", to.play_through,
                 "Share of the games in which nobody may resign (see --set resign-below), to see how often "
                 "it is wrong")
      ->transform(within(0.0f, 1.0f))
      ->capture_default_str()
      ->group(group);
  app.add_option("--rank", in.rank, "Which of several processes that share the episodes this is; see --ranks")
      ->transform(common::any_number<int>())
      ->group(group);
  app.add_option(
         "--ranks", in.ranks,
         "How many there are; default: as Slurm, Open MPI or Kubernetes say. Rank r writes to OUT/rank-0000r")
      ->transform(common::any_number<int>())
      ->group(group);
}

void add_folder_flags(CLI::App& app, job& to) {
  std::string const group = "Network";
  app.add_option("--poll", to.poll_seconds, "Seconds between looks for a newer network in a folder")
      ->transform(within(0.01, 86400.0))
      ->capture_default_str()
      ->group(group);
  app.add_flag("--switch-at-move", to.switch_at_move,
               "Begun games go on with a newer network; resumed runs are then no longer the same")
      ->group(group);
}

/// A flag for a setting of searches, and its key there.
struct search_flag {
  char const* name;
  char const* key;
  char const* help;
};

constexpr search_flag search_flags[] = {
    {"--simulations", "simulations", "puct, gumbel: visits a move [100]; puct counts reused ones, too"},
    {"--leaves", "leaves", "Leaves of one tree in flight [1]; in puct it changes games"},
    {"--exploration", "exploration", "puct: c_puct [1.5]"},
    {"--fpu-reduction", "fpu-reduction", "puct: an unvisited move has its parent's value less this [0]"},
    {"--noise", "noise",
     "puct: share of Dirichlet noise at the root, 0 to 1 [0.25]; gumbel: factor of its noise [1]"},
    {"--noise-alpha", "noise-alpha", "puct: its concentration [0: 10 / legal moves]"},
    {"--temperature", "temperature",
     "puct: of the move choice in the first plies; topk: of the sampling of moves [1]"},
    {"--temperature-plies", "temperature-plies",
     "Plies whose move is drawn; later the best is played [puct: 20, topk: 0]"}};

void add_search_flags(CLI::App& app, typed& in) {
  std::string const group = "Search";
  std::vector<std::string> names;
  std::string which, more = "Any settings of the search, KEY=VALUE,...";
  for (auto const& [name, help, settings] : common::known_searches()) {
    names.emplace_back(name);
    which += (which.empty() ? "" : "; ") + names.back() + ": " + help;
    more += "; " + names.back() + ": " + common::listed(common::setting_keys(settings));
  }
  app.add_option("--search", in.search, which)
      ->check(CLI::IsMember(names))
      ->capture_default_str()
      ->group(group);
  for (search_flag const& flag : search_flags)
    app.add_option(flag.name, in.settings[flag.name], flag.help)->group(group);
  app.add_flag("--no-reuse", in.no_reuse, "puct: begin every move with an empty tree")->group(group);
  app.add_option("--widths", in.widths, "topk: moves kept at each depth, say 8,4,2 [6,10]")
      ->delimiter(',')
      ->transform(within(1, 65535))
      ->group(group);
  app.add_option("--set", in.more_settings, more)->group(group);
}

void add_batching_flags(CLI::App& app, job& to) {
  std::string const group = "Batching (never changes games)";
  app.add_option(
         "--batching", to.batching,
         "immediate: one position at a time; per-tree: one game's; lockstep: all games'; overlapped: in "
         "groups; shared-queue: through a queue; auto: lockstep, overlapped on a device")
      ->check(CLI::IsMember(std::vector<std::string>{"auto", "immediate", "per-tree", "lockstep",
                                                     "overlapped", "shared-queue"}))
      ->capture_default_str()
      ->group(group);
  app.add_option(
         "--games", to.games,
         "Games in flight [lockstep: 64, overlapped, shared-queue: 128; 24 times that for each device]")
      ->transform(within(1, 1 << 24))
      ->group(group);
  app.add_option("--max-batch", to.max_batch, "Rows of a batch at most [4096, shared-queue: 1024]")
      ->transform(within(1, 1 << 22))
      ->group(group);
  app.add_option("--groups", to.groups,
                 "overlapped, shared-queue: groups of games that take turns [2, on D devices 2 D + 1]")
      ->transform(within(1, 64))
      ->group(group);
  app.add_option("--processors", to.processors,
                 "shared-queue: threads that evaluate; 0: as many as --threads")
      ->transform(within(0, 1024))
      ->capture_default_str()
      ->group(group);
  app.add_option("--deadline", to.deadline_us, "shared-queue: microseconds that a position waits for others")
      ->transform(within(0, 10'000'000))
      ->capture_default_str()
      ->group(group);
}

void add_output_flags(CLI::App& app, job& to) {
  std::string const group = "Output";
  app.add_option("--out", to.out, "Folder for training rows and games; default: nothing is written")
      ->group(group);
  auto* const resume =
      app.add_flag("--resume", to.resume, "Go on with the run in that folder; begin one if there is none")
          ->group(group);
  app.add_flag("--overwrite", to.overwrite, "Remove an earlier run from that folder first")
      ->excludes(resume)
      ->group(group);
  app.add_option("--sync", to.sync_seconds, "Seconds of finished games that a crash of the machine may cost")
      ->transform(within(0.0, 3600.0))
      ->capture_default_str()
      ->group(group);
  app.add_option(
         "--keep", to.keep_bytes,
         "Bytes of shards at most, the oldest go first, the newest stays; 0: any number; 500M, 20G do")
      ->transform(CLI::AsSizeValue(false))
      ->group(group);
  app.add_flag("--wait-for-disk", to.wait_for_disk, "When the disk is full, wait for space instead of ending")
      ->group(group);
  app.add_option("--shard-rows", to.shard_rows, "Rows of a shard at most")
      ->transform(within(512, 1 << 24))
      ->capture_default_str()
      ->group(group);
  app.add_option("--summary", to.summary, "File for the summary as JSON; - for standard output")
      ->group(group);
  app.add_option("--metrics", to.metrics, "File that gets a line of JSON about the run now and then")
      ->group(group);
  app.add_option("--prometheus", to.prometheus, "File with the same for Prometheus, replaced each time")
      ->group(group);
  app.add_option("--metrics-every", to.metrics_seconds, "Seconds between them")
      ->transform(within(0.05, 86400.0))
      ->capture_default_str()
      ->group(group);
  app.add_option("--stall", to.stall_seconds,
                 "Seconds without a batch after which that is reported; 0: never")
      ->transform(within(0.0, 86400.0))
      ->capture_default_str()
      ->group(group);
  app.add_option("--progress", to.progress,
                 "Seconds between progress lines; 0: none [0.5, 10 without terminal]")
      ->transform(within(0.0, 86400.0))
      ->group(group);
}

/// The search that the flags describe. Throws `common::usage_error`.
common::search_choice search_of(CLI::App const& app, typed const& in) {
  common::search_choice search;
  for (auto const& [name, help, settings] : common::known_searches())
    if (name == in.search) search = settings;
  auto const change = [&](std::string const& flag, std::string const& key, std::string const& value) {
    if (!common::change_setting(flag, search, key, value))
      std::fprintf(stderr, "selfplay: note: %s has no effect with --search %s\n", flag.c_str(),
                   in.search.c_str());
  };
  for (search_flag const& flag : search_flags)
    if (app.count(flag.name) > 0) change(flag.name, flag.key, in.settings.at(flag.name));
  if (in.no_reuse) change("--no-reuse", "reuse", "0");
  std::string widths;
  for (int width : in.widths) widths += (widths.empty() ? "" : "/") + std::to_string(width);
  if (!widths.empty()) change("--widths", "widths", widths);
  if (!in.more_settings.empty()) common::change_settings("--set", search, in.more_settings);
  common::check_search("--search " + in.search, search);
  return search;
}

void note_unused(CLI::App const& app, job const& wanted) {
  using common::note_unused;
  note_unused(app, wanted.evaluator);
  if (wanted.batching == "immediate" || wanted.batching == "per-tree")
    note_unused(app, "--batching " + wanted.batching, {"--games", "--max-batch"});
  if (wanted.batching != "auto" && wanted.batching != "overlapped" && wanted.batching != "shared-queue")
    note_unused(app, "--batching " + wanted.batching, {"--groups"});
  if (wanted.batching != "shared-queue")
    note_unused(app, "--batching " + wanted.batching, {"--processors", "--deadline"});
  if (wanted.out.empty())
    note_unused(app, "no --out",
                {"--overwrite", "--resume", "--shard-rows", "--sync", "--keep", "--wait-for-disk"});
}

}  // namespace

batching_choice batching_of(job const& wanted, bool shared) {
  using namespace batchmate;
  std::string const name = wanted.batching != "auto" ? wanted.batching : shared ? "overlapped" : "lockstep";
  int const devices = std::max(1, static_cast<int>(wanted.evaluator.devices.size()));
  // Two groups are under way on each device while another one is searched; every group has a game.
  int const usual_groups = shared ? std::min(2 * devices + 1, 64) : 2;
  int const groups = wanted.groups.value_or(std::min(usual_groups, wanted.games.value_or(usual_groups)));
  // Enough games for batches of a thousand rows on a device; never more than there are to play, unless that was asked for.
  auto const games = [&](int usual) {
    std::int64_t const enough = std::max(wanted.threads, name == "lockstep" ? 1 : groups);
    std::int64_t const most = shared ? std::int64_t{24} * usual * (name == "lockstep" ? 1 : devices) : usual;
    std::int64_t const share = wanted.episodes > 0 ? wanted.rank.share_of(wanted.episodes) : most;
    return wanted.games.value_or(static_cast<int>(std::min(most, std::max(share, enough))));
  };
  if (name == "immediate") return {immediate{}};
  if (name == "per-tree") return {per_tree{}};
  if (name == "lockstep") {
    lockstep const usual;
    return {lockstep{games(usual.games), wanted.max_batch.value_or(usual.max_batch)}};
  }
  if (name == "overlapped") {
    overlapped const usual;
    return {overlapped{games(usual.games), groups, wanted.max_batch.value_or(usual.max_batch)}};
  }
  shared_queue const usual;
  return {shared_queue{games(usual.games), groups, wanted.max_batch.value_or(usual.max_batch),
                       std::chrono::microseconds(wanted.deadline_us),
                       wanted.processors > 0 ? wanted.processors : wanted.threads}};
}

std::variant<job, int> parse_flags(int argc, char** argv) {
  job wanted;
  wanted.threads = common::processors();
  typed in;
  CLI::App app(
      "Plays games against itself, all of them asking the network together, and writes what was learnt.",
      "selfplay");
  app.get_formatter()->column_width(26);
  app.footer(examples);
  add_job_flags(app, wanted, in);
  common::add_evaluator_flags(app, wanted.evaluator, ", or a folder: always the newest there");
  add_folder_flags(app, wanted);
  add_search_flags(app, in);
  add_batching_flags(app, wanted);
  add_output_flags(app, wanted);
  if (auto const status = common::parse(app, argc, argv)) return *status;
  wanted.rank = find_rank(in.rank, in.ranks);
  try {
    wanted.search = search_of(app, in);
    for (bool const shared : {false, true}) batching_of(wanted, shared).plan(wanted.threads);
  } catch (batchmate::contract_error const& e) {
    throw common::usage_error(e.what());
  }
  note_unused(app, wanted);
  return wanted;
}
