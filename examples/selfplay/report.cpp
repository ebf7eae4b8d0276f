#include <batchmate/core/checksum.hpp>
#include <batchmate/net/atomic_file.hpp>

#include <common/summary.hpp>

#include <selfplay/report.hpp>

#include <nlohmann/json.hpp>

#include <poll.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

namespace {

template <class... Parts>
std::string formatted(char const* format, Parts... parts) {
  std::array<char, 256> text;
  std::snprintf(text.data(), text.size(), format, parts...);
  return text.data();
}

std::string joined(std::vector<std::string> const& parts, char const* between) {
  std::string line;
  for (auto const& part : parts) line += (line.empty() ? "" : between) + part;
  return line;
}

/// Three digits, whole above 100, with separators.
std::string rate_text(double rate) {
  return rate >= 100 ? grouped(static_cast<std::int64_t>(rate + 0.5))
                     : formatted(rate >= 10 ? "%.1f" : "%.2f", rate);
}

std::string percent(double share) { return formatted("%.1f %%", 100 * share); }
std::string share_text(std::int64_t part, std::int64_t of) {
  return percent(static_cast<double>(part) / static_cast<double>(of));
}

/// A line can be written without waiting for whoever reads the stream: it may be stopped.
bool takes_more(std::FILE* stream) {
  pollfd one{fileno(stream), POLLOUT, 0};
  return poll(&one, 1, 0) != 0;
}

/// The most memory that the process has held.
std::size_t peak_bytes() {
  // Not getrusage's figure: that one may be of the program that started this one.
  std::ifstream status("/proc/self/status");
  for (std::string name; status >> name; status.ignore(256, '\n'))
    if (std::size_t kilobytes = 0; name == "VmHWM:" && status >> kilobytes) return kilobytes * 1024;
  rusage used{};
  getrusage(RUSAGE_SELF, &used);
  return static_cast<std::size_t>(used.ru_maxrss) * 1024;
}

int columns_of(std::FILE* terminal) {
  winsize size{};
  return ioctl(fileno(terminal), TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

std::string hash_text(std::uint64_t hash) {
  return formatted("%016llx", static_cast<unsigned long long>(hash));
}

bool interrupted(job const& wanted, run_result const& result) {
  return wanted.episodes == 0 || result.news.kept.episodes < wanted.rank.share_of(wanted.episodes);
}

/// `24 MiB planned, of these 7.6 MiB for games, batches and shards`
std::string planned_text(run_facts const& facts) {
  return bytes_text(facts.planned_bytes + facts.held_bytes) + " planned, of these " +
         bytes_text(facts.planned_bytes) + " for games, batches and shards";
}

std::string limit_text(job const& wanted) {
  return wanted.memory_limit > 0 ? ", the limit is " + bytes_text(wanted.memory_limit) : "";
}

/// Sends what was printed. Where nobody takes it, say a pipe whose reader has gone, that is told once and the run goes on:
/// its data are what it is for.
void send(std::FILE* to) {
  static std::atomic<bool> told{false};
  if (std::fflush(to) == 0 || told.exchange(true)) return;
  int const reason = errno;
  if (to != stderr)
    common::complain("selfplay",
                     std::string("note: no more is printed: standard output: ") + std::strerror(reason));
}

}  // namespace

std::size_t resident_bytes() {
  std::size_t total = 0, resident = 0;
  if (std::ifstream("/proc/self/statm") >> total >> resident)
    return resident * static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
  return peak_bytes();
}

std::string file_fingerprint(std::filesystem::path const& file) {
  auto const bytes = batchmate::read_file(file, std::size_t{1} << 28);
  return formatted("%08x", batchmate::crc32(bytes)) + ", " + std::to_string(bytes.size()) + " bytes";
}

std::string grouped(std::int64_t number) {
  std::string const digits = std::to_string(number);
  std::string text;
  for (std::size_t i = 0; i < digits.size(); ++i) {
    if (i > 0 && (digits.size() - i) % 3 == 0 && digits[i - 1] != '-') text += ',';
    text += digits[i];
  }
  return text;
}

std::string bytes_text(std::size_t bytes) {
  auto const mib = static_cast<double>(bytes) / (1 << 20);
  return mib < 1024 ? formatted(mib < 10 ? "%.1f MiB" : "%.0f MiB", mib) : formatted("%.2f GiB", mib / 1024);
}

std::string duration_text(double seconds) {
  auto const s = static_cast<std::int64_t>(seconds + 0.5);
  auto const part = [](std::int64_t n) { return static_cast<int>(n % 60); };
  if (s < 3600) return formatted("%d:%02d", part(s / 60), part(s));
  return formatted("%lld:%02d:%02d", static_cast<long long>(s / 3600), part(s / 60), part(s));
}

void print_head(std::FILE* to, job const& wanted, run_facts const& facts) {
  auto const line = [&](char const* name, std::string const& text) {
    std::fprintf(to, "%-12s%s\n", name, text.c_str());
  };
  line("game", wanted.game + ", " +
                   (wanted.episodes > 0 ? grouped(wanted.episodes) : std::string("endless")) +
                   " episodes, seed " + std::to_string(wanted.seed));
  if (wanted.rank.ranks > 1)
    line("rank",
         std::to_string(wanted.rank.rank) + " of " + std::to_string(wanted.rank.ranks) + " (" +
             wanted.rank.source + "), " +
             (wanted.episodes > 0 ? grouped(wanted.rank.share_of(wanted.episodes)) + " of the episodes"
                                  : "every so many of the episodes"));
  line("network", facts.network);
  line("evaluator", facts.evaluator + (facts.note.empty() ? "" : " (" + facts.note + ")"));
  line("search", facts.search);
  line("batching", facts.batching + ", " + std::to_string(wanted.threads) + " threads");
  line("memory", planned_text(facts) + limit_text(wanted));
  line("output", wanted.out.empty() ? "none (see --out)" : wanted.folder().string());
  send(to);
}

void print_resumed(std::FILE* to, std::int64_t episodes, std::size_t lost_bytes) {
  if (episodes == 0 && lost_bytes == 0) return;
  std::fprintf(to, "%-12s%s episodes are there already%s\n", "resumed", grouped(episodes).c_str(),
               lost_bytes > 0 ? (", " + grouped(static_cast<std::int64_t>(lost_bytes)) +
                                 " bytes at the journal's end were no whole episode")
                                    .c_str()
                              : "");
  send(to);
}

std::string missing_text(std::filesystem::path const& folder, std::vector<int> const& shards) {
  std::string const others = shards.size() > 1
                                 ? " and " + grouped(static_cast<std::int64_t>(shards.size()) - 1) +
                                       " more shards are missing; their"
                                 : " is missing; its";
  return (folder / batchmate::shard_name(shards.front())).string() + others +
         " games count as played and are not played again";
}

void note(std::FILE* to, std::string const& text) {
  if (!takes_more(to)) return;
  bool const live = isatty(fileno(to)) == 1;
  std::fprintf(to, "%sselfplay: note: %s\n", live ? "\r\033[K" : "", text.c_str());
  send(to);
}

void print_stall(double seconds, std::vector<batchmate::activity> const& workers) {
  std::string text = formatted("no batch was evaluated for %.0f seconds; ", seconds);
  for (std::size_t w = 0; w < workers.size(); ++w)
    text += (w > 0 ? ", " : "") + formatted("worker %zu is ", w) + std::string(to_text(workers[w]));
  note(stderr, text);
}

batchmate::statistics combined(std::vector<batchmate::statistics> const& runs, double seconds) {
  batchmate::statistics all;
  double parts = 0;
  for (batchmate::statistics const& s : runs) {
    all.episodes += s.episodes;
    all.rows += s.rows;
    all.in_flight += s.in_flight;
    all.first_won += s.first_won;
    all.drawn += s.drawn;
    all.resigned += s.resigned;
    all.played_through += s.played_through;
    all.saved += s.saved;
    all.boards += s.boards;
    all.simulations += s.simulations;
    all.batches += s.batches;
    all.episodes_hash += s.episodes_hash;
    all.evaluator += s.evaluator;
    all.search_share += s.seconds * s.search_share;
    all.encoding_share += s.seconds * s.encoding_share;
    all.evaluator_share += s.seconds * s.evaluator_share;
    all.waiting_share += s.seconds * s.waiting_share;
    parts += s.seconds;
  }
  if (parts > 0)
    for (double* share : {&all.search_share, &all.encoding_share, &all.evaluator_share, &all.waiting_share})
      *share /= parts;
  all.seconds = seconds;
  return all;
}

progress_lines::progress_lines(std::FILE* to, job const& wanted)
    : to_(to),
      episodes_(wanted.rank.share_of(wanted.episodes)),
      live_(isatty(fileno(to)) == 1),
      seconds_(wanted.progress.value_or(live_ ? 0.5 : 10)) {}

void progress_lines::operator()(run_news const& now) {
  auto const &s = now.done, &before = before_.done;
  double const step = s.seconds - before.seconds;
  if (step <= 0 || !takes_more(to_)) return;
  auto const rate = [&](auto count, auto counted_before) {
    return static_cast<double>(count - counted_before) / step;
  };
  batchmate::statistics lately;
  lately.boards = s.boards - before.boards;
  lately.batches = s.batches - before.batches;
  lately.evaluator = s.evaluator.since(before.evaluator);
  double const waited = s.waiting_share * s.seconds - before.waiting_share * before.seconds;
  bool const ends = episodes_ > 0;
  std::string const played = grouped(now.kept.episodes) + (ends ? "/" + grouped(episodes_) : "") + " games";
  std::vector<std::string> parts;
  if (ends) parts.push_back(formatted("%3d %%", static_cast<int>(100 * now.kept.episodes / episodes_)));
  parts.push_back(played);
  parts.push_back(rate_text(rate(s.episodes, before.episodes)) + " games/s");
  parts.push_back(rate_text(rate(s.boards, before.boards)) + " boards/s");
  parts.push_back("batch " + rate_text(lately.mean_batch()));
  parts.push_back(formatted("waiting %.0f %%", 100 * std::clamp(waited / step, 0.0, 1.0)));
  parts.push_back(bytes_text(now.resident_bytes));
  if (ends) parts.push_back("ETA " + (s.episodes > 0 ? duration_text(seconds_left(now)) : "-"));
  if (s.evaluator.busy_seconds > 0)
    parts.push_back(formatted("device %.0f %%", 100 * lately.evaluator.busy_seconds / step));
  std::string line = joined(parts, "  ");
  std::size_t const width = live_ ? static_cast<std::size_t>(columns_of(to_) - 1) : line.size();
  if (line.size() > width) {  // without what the share of the games played says, too
    if (ends) std::erase(parts, played);
    line = joined(parts, " ");
  }
  before_ = now;
  if (!live_) line = duration_text(s.seconds) + "  " + line;
  if (live_) line.resize(std::min(line.size(), width));
  std::fprintf(to_, live_ ? "\r%s\033[K" : "%s\n", line.c_str());
  send(to_);
}

/// As fast as so far. The games in flight count as half played.
double progress_lines::seconds_left(run_news const& now) const {
  double const halves = static_cast<double>(now.done.in_flight) / 2;
  double const left = static_cast<double>(episodes_ - now.kept.episodes) - halves;
  return std::max(0.0, left) * now.done.seconds / (static_cast<double>(now.done.episodes) + halves);
}

void progress_lines::clear() {
  if (!live_ || before_.done.seconds == 0) return;
  std::fputs("\r\033[K", to_);
  send(to_);
}

void print_summary(std::FILE* to, job const& wanted, run_result const& result) {
  auto const& s = result.news.done;
  auto const& kept = result.news.kept;
  auto const line = [&](char const* name, std::string const& total, char const* unit,
                        std::string const& extra) {
    std::fprintf(to, "%-12s%16s %-12s%s\n", name, total.c_str(), unit, extra.c_str());
  };
  std::fputs(
      interrupted(wanted, result)
          ? (wanted.out.empty() ? "\ninterrupted\n"
                                : "\ninterrupted; finished games have been kept, and --resume goes on\n")
          : "\n",
      to);
  line("games", grouped(kept.episodes), "",
       rate_text(s.games_per_second()) + " a second" +
           (result.resumed > 0 ? ", " + grouped(result.resumed) + " of them by earlier processes" : ""));
  line("rows", grouped(kept.rows), "",
       kept.shards > 0 ? "in " + std::to_string(kept.shards) + " shards" : "");
  if (s.episodes > 0)
    line("game length", rate_text(static_cast<double>(s.rows) / static_cast<double>(s.episodes)), "moves",
         share_text(s.first_won, s.episodes) + " won by who moved first, " + share_text(s.drawn, s.episodes) +
             " drawn");
  if (s.resigned + s.played_through > 0)
    line("resigned", grouped(s.resigned), "games",
         s.played_through > 0 ? share_text(s.saved, s.played_through) + " would have been wrong, of " +
                                    grouped(s.played_through) + " that were played through"
                              : "none was played through to see whether that was right");
  line("boards", grouped(static_cast<std::int64_t>(s.boards)), "",
       rate_text(s.boards_per_second()) + " a second");
  line("simulations", grouped(static_cast<std::int64_t>(s.simulations)), "",
       rate_text(s.simulations_per_second()) + " a second");
  line("time", formatted("%.2f", s.seconds), "seconds",
       percent(s.search_share) + " search, " + percent(s.encoding_share) + " encoding, " +
           percent(s.evaluator_share) + " evaluator, " + percent(s.waiting_share) + " waiting");
  line("mean batch", rate_text(s.mean_batch()), "rows",
       grouped(static_cast<std::int64_t>(s.batches)) + " batches");
  if (s.evaluator.cache_lookups > 0)
    line("cache", percent(s.evaluator.cache_hit_share()), "hits",
         grouped(static_cast<std::int64_t>(s.evaluator.cache_lookups)) + " look-ups, " +
             grouped(static_cast<std::int64_t>(s.evaluator.cache_repeats)) +
             " of them repeats within a batch");
  if (s.evaluator.bucket_rows > 0) line("buckets", percent(s.evaluator.fill()), "full", "");
  if (s.evaluator.device_bytes > 0)
    line("device", percent(s.evaluator.busy_seconds / s.seconds), "busy",
         percent(s.evaluator.transfer_seconds / s.seconds) + " in transfers that nothing hid, " +
             bytes_text(s.evaluator.device_bytes) + " of its memory");
  line("memory", bytes_text(peak_bytes()), "at its peak", planned_text(result.facts));
  line("games' hash", hash_text(kept.hash), "", "");
  send(to);
}

void write_summary(job const& wanted, run_result const& result) {
  if (wanted.summary.empty()) return;
  auto const& s = result.news.done;
  auto const& kept = result.news.kept;
  auto const wrong = s.wrong_resignations();
  nlohmann::ordered_json const json{
      {"version", common::version},
      {"game", wanted.game},
      {"network", result.facts.network},
      {"evaluator", result.facts.evaluator},
      {"search", result.facts.search},
      {"batching", result.facts.batching},
      {"threads", wanted.threads},
      {"seed", wanted.seed},
      {"rank", wanted.rank.rank},
      {"ranks", wanted.rank.ranks},
      {"episodes", kept.episodes},
      {"resumed_episodes", result.resumed},
      {"rows", kept.rows},
      {"shards", kept.shards},
      {"first_won", s.first_won},
      {"drawn", s.drawn},
      {"resigned", s.resigned},
      {"played_through", s.played_through},
      {"wrong_resignations", wrong ? nlohmann::ordered_json(*wrong) : nlohmann::ordered_json()},
      {"boards", s.boards},
      {"simulations", s.simulations},
      {"batches", s.batches},
      {"seconds", s.seconds},
      {"games_per_second", s.games_per_second()},
      {"boards_per_second", s.boards_per_second()},
      {"simulations_per_second", s.simulations_per_second()},
      {"mean_batch", s.mean_batch()},
      {"search_share", s.search_share},
      {"encoding_share", s.encoding_share},
      {"evaluator_share", s.evaluator_share},
      {"waiting_share", s.waiting_share},
      {"cache_lookups", s.evaluator.cache_lookups},
      {"cache_hits", s.evaluator.cache_hits},
      {"cache_repeats", s.evaluator.cache_repeats},
      {"bucket_fill", s.evaluator.fill()},
      {"device_busy_seconds", s.evaluator.busy_seconds},
      {"device_transfer_seconds", s.evaluator.transfer_seconds},
      {"device_memory_bytes", s.evaluator.device_bytes},
      {"peak_memory_bytes", peak_bytes()},
      {"planned_memory_bytes", result.facts.planned_bytes},
      {"held_memory_bytes", result.facts.held_bytes},
      {"interrupted", interrupted(wanted, result)},
      {"episodes_hash", hash_text(kept.hash)},
  };
  common::write_summary(wanted.summary, json.dump(2) + "\n");
}
