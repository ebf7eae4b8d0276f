#include <batchmate/net/atomic_file.hpp>

#include <common/program.hpp>
#include <selfplay/metrics.hpp>

#include <nlohmann/json.hpp>

#include <array>
#include <chrono>
#include <cstdio>
#include <sstream>
#include <system_error>
#include <utility>

namespace {

std::span<std::byte const> bytes(std::string const& text) { return std::as_bytes(std::span(text)); }

/// One number of the Prometheus text format 0.0.4, with its help.
void put(std::ostringstream& to, std::string const& labels, char const* name, char const* type,
         char const* help, double value) {
  to << "# HELP batchmate_" << name << ' ' << help << "\n# TYPE batchmate_" << name << ' ' << type
     << "\nbatchmate_" << name << labels << ' ' << value << '\n';
}

std::string prometheus_text(run_news const& now, double boards_per_second, std::string const& game,
                            int rank) {
  auto const& s = now.done;
  std::ostringstream text;
  text.precision(15);
  std::string const labels = "{game=\"" + game + "\",rank=\"" + std::to_string(rank) + "\"}";
  auto const counter = [&](char const* name, char const* help, auto value) {
    put(text, labels, name, "counter", help, static_cast<double>(value));
  };
  auto const gauge = [&](char const* name, char const* help, auto value) {
    put(text, labels, name, "gauge", help, static_cast<double>(value));
  };
  counter("episodes_total", "Finished games, of the run's earlier processes, too.", now.kept.episodes);
  counter("rows_total", "Training rows of these games.", now.kept.rows);
  counter("boards_total", "Positions evaluated by this process.", s.boards);
  counter("simulations_total", "Search simulations by this process.", s.simulations);
  counter("batches_total", "Batches evaluated by this process.", s.batches);
  counter("stalls_total", "Times that no batch was evaluated for longer than --stall.", now.stalls);
  counter("networks_refused_total", "Networks that could not be read or did not fit.", now.refused);
  gauge("episodes_in_flight", "Games being played.", s.in_flight);
  gauge("shards", "Shards in the output folder.", now.kept.shards);
  gauge("network", "Number of the network that new games are played with.", now.network);
  gauge("boards_per_second", "Positions evaluated a second since the report before.", boards_per_second);
  gauge("mean_batch_rows", "Rows a batch.", s.mean_batch());
  gauge("search_share", "Share of the workers' time in search.", s.search_share);
  gauge("encoding_share", "Share in packing positions.", s.encoding_share);
  gauge("evaluator_share", "Share in the evaluator.", s.evaluator_share);
  gauge("waiting_share", "Share in waiting.", s.waiting_share);
  gauge("resident_memory_bytes", "Memory that the process holds.", now.resident_bytes);
  gauge("last_report_timestamp_seconds", "When this file was written.", now.unix_seconds);
  return text.str();
}

std::string json_line(run_news const& now, double boards_per_second, std::string const& game, int rank) {
  auto const& s = now.done;
  nlohmann::ordered_json const json{{"time", now.unix_seconds},
                                    {"game", game},
                                    {"rank", rank},
                                    {"seconds", s.seconds},
                                    {"episodes", now.kept.episodes},
                                    {"rows", now.kept.rows},
                                    {"shards", now.kept.shards},
                                    {"in_flight", s.in_flight},
                                    {"boards", s.boards},
                                    {"simulations", s.simulations},
                                    {"batches", s.batches},
                                    {"boards_per_second", boards_per_second},
                                    {"mean_batch", s.mean_batch()},
                                    {"search_share", s.search_share},
                                    {"encoding_share", s.encoding_share},
                                    {"evaluator_share", s.evaluator_share},
                                    {"waiting_share", s.waiting_share},
                                    {"device_busy_seconds", s.evaluator.busy_seconds},
                                    {"network", now.network},
                                    {"evaluator", now.evaluator},
                                    {"stalls", now.stalls},
                                    {"networks_refused", now.refused},
                                    {"resident_memory_bytes", now.resident_bytes}};
  return json.dump() + '\n';
}

/// Appends the line, or nothing: to a part of it, as on a full disk, the next line would be glued.
void append(std::filesystem::path const& path, std::string const& line) {
  batchmate::output_file file(path, O_APPEND);
  std::error_code no_file;  // but a pipe, say
  auto const size = std::filesystem::file_size(path, no_file);
  try {
    file.write(bytes(line));
  } catch (batchmate::file_error const&) {
    if (!no_file) file.truncate(size);
    throw;
  }
}

}  // namespace

metrics_files::metrics_files(std::filesystem::path json_lines, std::filesystem::path prometheus,
                             std::string game, int rank)
    : json_lines_(std::move(json_lines)),
      prometheus_(std::move(prometheus)),
      game_(std::move(game)),
      rank_(rank) {}

void metrics_files::operator()(run_news const& now) {
  double const step = now.done.seconds - std::exchange(seconds_before_, now.done.seconds);
  auto const boards = static_cast<double>(now.done.boards - std::exchange(boards_before_, now.done.boards));
  double const rate = step > 0 ? boards / step : 0;
  try {
    if (!json_lines_.empty()) append(json_lines_, json_line(now, rate, game_, rank_));
    if (!prometheus_.empty()) {
      std::string const text = prometheus_text(now, rate, game_, rank_);
      std::array const parts{bytes(text)};
      batchmate::write_file_atomically(prometheus_, parts);
    }
  } catch (batchmate::file_error const& e) {
    if (!std::exchange(complained_, true))
      common::complain("selfplay", std::string("note: no metrics: ") + e.what());
  }
}
