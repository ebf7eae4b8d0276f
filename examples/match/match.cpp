// Two networks, or two settings of one, play a match: from every opening two games with swapped colours, all at once.

#include <batchmate/game/sgf.hpp>
#include <batchmate/net/atomic_file.hpp>

#include <common/flags.hpp>
#include <common/games.hpp>
#include <common/interrupt.hpp>
#include <common/processors.hpp>
#include <common/summary.hpp>

#include <match/match.hpp>

#include <nlohmann/json.hpp>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <optional>
#include <string>
#include <system_error>
#include <thread>
#include <tuple>
#include <utility>

namespace {

char const* const examples = R"(Examples:
  match --game hex7 --first new.safetensors --second old.safetensors --simulations 100 --openings 200
      which network is better
  match --first shipped,leaves=1 --second shipped,leaves=16 --simulations 200
      what a setting costs
  match --game hex7 --first shipped,precision=bf16 --second shipped,precision=fp32 --sprt elo0=-10,elo1=0 \
    --openings 5000
      ends as soon as the pairs decide

Games depend on the seed and the settings alone, not on --games and --threads: compare games_hash. They are played to
their end, whatever resign-below is. Elo are logistic, and their interval and the sequential test are worked out from
pairs of games.
)";

/// Everything that the flags say.
struct job {
  std::string game = common::default_game("connect4");
  match_settings match;
  std::optional<sprt> test;
  double confidence = 0.95;  ///< of the interval of Elo
  double progress = 10;      ///< seconds between lines; 0: none
  std::string out;           ///< file of games; empty: none
  std::string sgf;           ///< file of games as SGF; empty: none
  bool overwrite = false;    ///< these files, if they hold something
  std::string summary;       ///< file, `-` for standard output, or empty
};

/// A file of games, if one is wanted; lines are whole or missing.
class game_file {
 public:
  /// Touches nothing yet. Throws `batchmate::file_error` for a file that holds something, unless that may be overwritten.
  game_file(std::filesystem::path path, bool overwrite) : path_(std::move(path)) {
    std::error_code none;
    if (!overwrite && std::filesystem::is_regular_file(path_, none) &&
        !std::filesystem::is_empty(path_, none))
      throw batchmate::file_error(
          path_.string() + ": holds something already; overwrite it (--overwrite), or take another file");
  }

  /// Creates the file, or opens it as it is. Throws `batchmate::file_error`.
  void open() {
    if (path_.empty()) return;
    file_.reset(std::fopen(path_.c_str(), "abe"));
    if (!file_) batchmate::throw_file_error(path_, "create");
    std::setvbuf(file_.get(), nullptr, _IOLBF, 1 << 16);  // people look at it while it grows
  }

  /// Drops what it holds.
  void clear() {
    std::error_code none;  // but a pipe, say, which holds nothing
    if (file_ && std::filesystem::is_regular_file(path_, none)) std::filesystem::resize_file(path_, 0);
  }

  /// Adds a line, which ends with its newline. Throws `batchmate::file_error`.
  void write(std::string const& line) {
    if (file_ && std::fputs(line.c_str(), file_.get()) < 0) batchmate::throw_file_error(path_, "write");
  }

  /// Writes all that is left. Throws `batchmate::file_error`.
  void finish() {
    if (file_ && std::fclose(file_.release()) != 0) batchmate::throw_file_error(path_, "write");
  }

 private:
  std::filesystem::path path_;
  batchmate::file_handle file_;
};

/// Flags as they are typed, before they become a job.
struct typed {
  std::string first = "shipped", second = "uniform", openings = "100";
  std::optional<std::string> simulations, exploration, fpu_reduction, test;
};

void add_flags(CLI::App& app, job& to, typed& in) {
  app.add_option("--game", to.game, "The game")
      ->check(CLI::IsMember(common::game_names()))
      ->capture_default_str();
  app.add_option(
         "--first", in.first,
         "NETWORK[,KEY=VALUE]...: a file, shipped, random:BxC:SEED, uniform or rollout[:PLAYOUTS[:SEED]]; "
         "settings below")
      ->capture_default_str();
  app.add_option("--second", in.second, "The opponent, likewise")->capture_default_str();
  app.add_option("--simulations", in.simulations,
                 "Of both players, visits of the root's children a move [100]");
  app.add_option("--exploration", in.exploration, "Of both players");
  app.add_option("--fpu-reduction", in.fpu_reduction,
                 "Of both players: what an unvisited move is worth less than its parent");
  app.add_option("--openings", in.openings,
                 "A number of distinct random openings, or a file: a position or moves a line. Each is "
                 "played with both colours")
      ->capture_default_str();
  app.add_option("--opening-plies", to.match.opening_plies, "Random moves before the players take over")
      ->transform(common::within(0, 1 << 20))
      ->capture_default_str();
  app.add_option("--seed", to.match.seed, "Of the openings and of searches that draw")
      ->transform(common::any_number<std::uint64_t>())
      ->capture_default_str();
  app.add_option("--sprt", in.test,
                 "elo0=X,elo1=Y[,alpha=0.05][,beta=0.05]: end when the pairs decide whether the first player "
                 "is X or Y Elo stronger");
  app.add_option("--confidence", to.confidence, "Of the interval of Elo")
      ->transform(common::within(0.5, 0.999999))
      ->capture_default_str();
  app.add_option("--games", to.match.games, "In flight; changes no game")
      ->transform(common::within(1, 1 << 20))
      ->capture_default_str();
  app.add_option("--threads", to.match.threads, "Changes no game; default: one a core")
      ->transform(common::within(1, 1024));
  app.add_option("--out", to.out, "File for the games, a line each, in their order");
  app.add_option("--sgf", to.sgf, "File for the games as SGF, likewise; for games that SGF knows");
  app.add_flag("--overwrite", to.overwrite, "Replace these two files if they hold something already");
  app.add_option("--summary", to.summary, "File for the result as JSON; - for standard output");
  app.add_option("--progress", to.progress, "Seconds between lines on standard error; 0: none")
      ->transform(common::within(0.0, 86400.0))
      ->capture_default_str();
}

/// Whether SGF knows a game of the programs.
bool has_sgf(std::string const& game) {
  return common::with_game(game, []<batchmate::game G>() { return batchmate::game_with_sgf<G>; });
}

/// Throws `common::usage_error` if SGF does not know the game.
void check_sgf(std::string const& game) {
  if (has_sgf(game)) return;
  auto known = common::game_names();
  std::erase_if(known, [](std::string const& name) { return !has_sgf(name); });
  throw common::usage_error("--sgf: SGF does not know " + game + ", but " + common::listed(known));
}

/// The rest of the job. Throws `common::usage_error`.
void complete(job& to, typed const& in) {
  setting_list usual;
  for (auto const& [key, value] : {std::pair("simulations", in.simulations),
                                   {"exploration", in.exploration},
                                   {"fpu-reduction", in.fpu_reduction}})
    if (value) usual.emplace_back(key, *value);
  to.match.players = {parse_player("--first", in.first, usual), parse_player("--second", in.second, usual)};
  to.match.sgf = !to.sgf.empty();
  if (to.match.sgf) check_sgf(to.game);
  for (auto const& [flag, file, other, others] : {std::tuple("--sgf", to.sgf, "--out", to.out),
                                                  {"--summary", to.summary, "--out", to.out},
                                                  {"--summary", to.summary, "--sgf", to.sgf}})
    if (!file.empty() && !others.empty() &&
        std::filesystem::weakly_canonical(file) == std::filesystem::weakly_canonical(others))
      throw common::usage_error(std::string(flag) + ": " + file + " is the file of " + other);
  if (in.test) to.test = parse_sprt("--sprt", *in.test);
  if (!std::all_of(in.openings.begin(), in.openings.end(), [](char c) { return c >= '0' && c <= '9'; })) {
    to.match.openings_file = in.openings;
    return;
  }
  auto const end = in.openings.data() + in.openings.size();
  bool const number = std::from_chars(in.openings.data(), end, to.match.openings).ec == std::errc{};
  if (!number || to.match.openings < 1 || to.match.openings > 1 << 28)
    throw common::usage_error("--openings: expected a number from 1 or a file, found '" + in.openings + "'");
}

/// Null for what is infinite or unknown.
nlohmann::json number(double value) {
  return std::isfinite(value) ? nlohmann::json(value) : nlohmann::json();
}

std::string hexadecimal(std::uint64_t value) {
  char text[17];
  std::snprintf(text, sizeof text, "%016llx", static_cast<unsigned long long>(value));
  return text;
}

std::string name_of(verdict found) {
  return found == verdict::h1 ? "H1" : found == verdict::h0 ? "H0" : "none";
}

nlohmann::json summary_of(job const& wanted, match_facts const& facts, scoreboard const& board) {
  match_score const& score = board.score();
  auto const interval = interval_of(score.pairs, wanted.confidence);
  double const share = score.pairs.pairs() > 0 ? score.pairs.score() : std::nan("");
  nlohmann::json summary{{"game", wanted.game},
                         {"first", facts.evaluators[0]},
                         {"second", facts.evaluators[1]},
                         {"first_search", common::identity(wanted.match.players[0].search)},
                         {"second_search", common::identity(wanted.match.players[1].search)},
                         {"openings", facts.openings},
                         {"seed", wanted.match.seed},
                         {"wins", score.wins},
                         {"wins_moving_first", score.wins_moving_first},
                         {"draws", score.draws},
                         {"losses", score.losses},
                         {"score", number(share)},
                         {"pairs", score.pairs.of},
                         {"elo", number(elo_of_score(share))},
                         {"elo_low", interval ? number(interval->low) : nlohmann::json()},
                         {"elo_high", interval ? number(interval->high) : nlohmann::json()},
                         {"confidence", wanted.confidence},
                         {"superiority", interval ? number(interval->superiority) : nlohmann::json()},
                         {"plies", score.plies},
                         {"games_hash", hexadecimal(score.games_hash)},
                         {"seconds", board.seconds()}};
  if (wanted.test)
    summary["sprt"] = {{"elo0", wanted.test->elo0},
                       {"elo1", wanted.test->elo1},
                       {"alpha", wanted.test->alpha},
                       {"beta", wanted.test->beta},
                       {"ratio", log_likelihood_ratio(score.pairs, wanted.test->elo0, wanted.test->elo1)},
                       {"lower", wanted.test->lower()},
                       {"upper", wanted.test->upper()},
                       {"accepted", name_of(score.found)}};
  return summary;
}

/// A line of progress.
void tell(match_score const& score) {
  std::fprintf(stderr, "match: %d games: %d won, %d drawn, %d lost; score %.1f %%\n", score.games(),
               score.wins, score.draws, score.losses, 100 * score.pairs.score());
}

void print(std::FILE* to, job const& wanted, match_facts const& facts, scoreboard const& board) {
  match_score const& score = board.score();
  std::fprintf(to, "%s: %s against %s\n", wanted.game.c_str(), wanted.match.players[0].text.c_str(),
               wanted.match.players[1].text.c_str());
  for (std::size_t p = 0; p < 2; ++p)
    std::fprintf(to, "  %-7s %s; %s\n", p == 0 ? "first" : "second", facts.evaluators[p].c_str(),
                 common::identity(wanted.match.players[p].search).c_str());
  if (score.games() == 0)
    std::fprintf(to, "no pair of games was played\n");
  else
    std::fprintf(to, "%d games: %d won (%d moving first), %d drawn, %d lost; score %.1f %%\n", score.games(),
                 score.wins, score.wins_moving_first, score.draws, score.losses, 100 * score.pairs.score());
  auto const& of = score.pairs.of;
  std::fprintf(to, "pairs with 0, 1/2, 1, 3/2 and 2 points: %lld, %lld, %lld, %lld, %lld\n",
               static_cast<long long>(of[0]), static_cast<long long>(of[1]), static_cast<long long>(of[2]),
               static_cast<long long>(of[3]), static_cast<long long>(of[4]));
  if (auto const interval = interval_of(score.pairs, wanted.confidence))
    std::fprintf(to, "Elo %+.1f, with %g %% confidence %+.1f to %+.1f; stronger with chance %.1f %%\n",
                 elo_of_score(score.pairs.score()), 100 * wanted.confidence, interval->low, interval->high,
                 100 * interval->superiority);
  if (!wanted.test) return;
  std::fprintf(to, "test of Elo %g (H0) against %g (H1): log-likelihood ratio %.2f in (%.2f, %.2f), ",
               wanted.test->elo0, wanted.test->elo1,
               log_likelihood_ratio(score.pairs, wanted.test->elo0, wanted.test->elo1), wanted.test->lower(),
               wanted.test->upper());
  std::fprintf(to, score.found == verdict::none ? "not decided\n" : "%s accepted\n",
               name_of(score.found).c_str());
}

}  // namespace

int main(int argc, char** argv) {
  job wanted;
  wanted.match.threads = common::processors();
  typed in;
  CLI::App app{
      "Plays a match between two networks or two settings, both colours from every opening, many games at "
      "once.",
      "match"};
  app.footer(examples + setting_names());
  add_flags(app, wanted, in);
  if (auto const status = common::parse(app, argc, argv)) return *status;
  return common::guarded("match", [&] {
    complete(wanted, in);
    common::check_summary_place(wanted.summary);
    common::interrupt_watch const interrupt;
    game_file file(wanted.out, wanted.overwrite), sgf(wanted.sgf, wanted.overwrite);
    auto const ready = [&] {
      file.open();
      sgf.open();
      file.clear();  // when nothing can go wrong any more
      sgf.clear();
      file.write("# " + wanted.game +
                 ": pair, who moves first, points of the first player, opening, moves\n");
    };
    auto const write = [&](finished_game const& game) {
      file.write(game.line + '\n');
      sgf.write(game.sgf);
    };
    scoreboard board(wanted.test, interrupt.token(), write, tell,
                     std::chrono::duration<double>(wanted.progress));
    match_facts const facts = common::with_game(
        wanted.game, [&]<batchmate::game G>() { return play_match<G>(wanted.match, board, ready); });
    file.finish();
    sgf.finish();
    print(wanted.summary == "-" ? stderr : stdout, wanted, facts, board);
    common::write_summary(wanted.summary, summary_of(wanted, facts, board).dump(2) + "\n");
    common::finish_output();  // last, as nobody may take it
    return interrupt.status();
  });
}
