#pragma once

#include <batchmate/eval/answers.hpp>
#include <batchmate/eval/batch_buffer.hpp>
#include <batchmate/play/run_folder.hpp>
#include <batchmate/play/self_play.hpp>

#include <common/evaluators.hpp>
#include <common/openings.hpp>
#include <common/searches.hpp>
#include <common/text.hpp>
#include <selfplay/memory_limit.hpp>
#include <selfplay/metrics.hpp>
#include <selfplay/network_folder.hpp>
#include <selfplay/play.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <exception>
#include <functional>
#include <limits>
#include <memory>
#include <mutex>
#include <new>
#include <optional>
#include <stop_token>
#include <string>
#include <thread>
#include <utility>
#include <vector>

/// A job under way: one run of self-play for each network in turn. When a newer network has come, the old one's run
/// begins no more games and ends with those it has, while the new one's run begins already.
template <batchmate::game_with_text G>
class campaign {
 public:
  /// Makes everything ready; plays nothing yet. Throws `common::usage_error` and the library's errors.
  campaign(job const& wanted, std::FILE* text, std::stop_token stop)
      : wanted_(wanted), text_(text), stopped_by_user_(std::move(stop)), watch_(wanted.evaluator.network) {
    std::size_t const before = resident_bytes();
    // A search of other games is refused before a folder is begun.
    (void)common::search_of<G>(wanted_.search);
    opening_.random_plies = wanted_.random_plies;
    if (!wanted_.openings.empty()) {
      opening_.positions.clear();
      for (auto const& o : openings_in<G>(wanted_.openings)) opening_.positions.push_back(o.position);
    }
    if (!wanted_.out.empty()) open_folder();
    find_phases();
    auto first = make(phases_.front());
    describe(first, std::max(before, resident_bytes()) - before);
    start(std::move(first));
  }

  /// Plays until no episode is left, or a stop is requested.
  run_result play() {
    print_head(text_, wanted_, facts_);
    if (folder_) print_resumed(text_, folder_->resumed(), folder_->lost_bytes());
    if (folder_ && !folder_->missing_shards().empty())
      note(text_, missing_text(wanted_.folder(), folder_->missing_shards()));
    progress_lines progress(text_, wanted_);
    metrics_files metrics(wanted_.metrics, wanted_.prometheus, wanted_.game, wanted_.rank.rank);
    std::stop_callback const on_stop(stopped_by_user_, [this] { stop_.request_stop(); });
    try {
      attend(progress, metrics);
    } catch (...) {
      progress.clear();
      end_runs();
      try {
        if (folder_) folder_->finish();
      } catch (...) {  // the first failure is the one to tell
      }
      throw;
    }
    progress.clear();
    if (folder_) folder_->finish();
    if (metrics.wanted()) metrics(news());
    return {facts_, news(), folder_ ? folder_->resumed() : 0};
  }

 private:
  using players = std::function<batchmate::statistics(batchmate::run_options const&, batchmate::relays<G>)>;

  /// A network that plays the episodes from a number on, and where it is read from.
  struct phase {
    int network = 0;
    std::int64_t first = 0;
    std::string identity{};  ///< of its evaluator; empty if any will do
    std::string file{};      ///< as `--network` takes it
  };

  struct made_evaluator {
    phase of;
    common::chosen_evaluator<G> chosen;
  };

  /// The run of one phase.
  struct running_phase {
    phase of;
    players play;
    std::optional<std::int64_t> end{};  ///< number of the first episode of the next phase, once known
    bool admits = true;                 ///< episodes may still begin
    bool over = false;
    batchmate::statistics latest{};
    std::exception_ptr failure{};
    std::shared_ptr<batchmate::relay<G>> from{}, to{};  ///< for games that change over at a move
    std::jthread thread{};
  };

  // Beginning.

  void open_folder() {
    refuse_other_ranks(wanted_.out, wanted_.rank);
    using settings = batchmate::run_folder_settings;
    settings s;
    // Every later network of a folder has its own identity in the rows.
    auto const named = watch_.is_folder() ? std::string("networks of a folder") : evaluator_identity();
    s.shards = {.folder = wanted_.folder(),
                .max_rows = wanted_.shard_rows,
                .evaluator = named,
                .search = search_identity(),
                .seed = wanted_.seed};
    s.identity = wanted_.identity(search_identity(), named);
    s.first_episode = wanted_.rank.rank;
    s.stride = wanted_.rank.ranks;
    s.before = wanted_.overwrite ? settings::earlier::remove
               : wanted_.resume  ? settings::earlier::resume
                                 : settings::earlier::refuse;
    s.sync_every = std::chrono::milliseconds(std::lround(1000 * wanted_.sync_seconds));
    s.keep_bytes = wanted_.keep_bytes;
    if (wanted_.wait_for_disk)
      s.disk_full = [this](batchmate::disk_full_error const& full) { return wait_for_disk(full); };
    if (auto const shard = batchmate::row_writer<G>::bytes(s.shards);
        s.keep_bytes > 0 && s.keep_bytes < shard)
      note(stderr, "--keep: a shard of " + grouped(wanted_.shard_rows) + " rows has up to about " +
                       bytes_text(shard) + ", and the newest stays, whatever it has");
    folder_bytes_ = batchmate::run_folder<G>::bytes(s);
    folder_.emplace(std::move(s), opening_);
  }

  std::string search_identity() const { return common::identity(wanted_.search); }
  std::string evaluator_identity() {
    if (!only_) only_ = common::make_evaluator<G>(wanted_.evaluator);
    return only_->evaluator.identity();
  }

  bool wait_for_disk(batchmate::disk_full_error const& full) {
    auto const ends = [this] { return stop_.stop_requested() || stopped_by_user_.stop_requested(); };
    if (!wanted_.wait_for_disk || ends()) return false;
    tell_disk_full(full);
    for (int tenth = 0; tenth < 10 && !ends(); ++tenth)
      std::this_thread::sleep_for(std::chrono::milliseconds(100));
    return true;
  }

  void tell_disk_full(batchmate::disk_full_error const& full) {
    if (!told_disk_full_.exchange(true))
      common::complain("selfplay", std::string("note: waiting for space on the disk: ") + full.what());
  }

  /// The phases that the folder knows, or the first one.
  void find_phases() {
    if (folder_)
      for (auto const& p : folder_->recovered_phases())
        phases_.push_back({p.network, p.place, p.identity, p.file});
    if (!phases_.empty()) {
      if (watch_.is_folder()) watch_.took_copy(wanted_.folder() / phases_.back().file);
      return;
    }
    newcomer_ = true;
    phases_.push_back({0, wanted_.rank.rank, "", ""});
    if (!watch_.is_folder()) return;
    if (folder_) folder_->check_phase(wanted_.rank.rank);  // before a file in the folder is replaced
    phases_.front().file = keep_first();
  }

  /// `keep` for the network that the run begins with, without which it cannot go on.
  std::string keep_first() {
    for (;;) {
      try {
        auto const file = watch_.first();
        watch_.took(file);
        return keep(file, 0);
      } catch (batchmate::disk_full_error const& full) {
        if (!wait_for_disk(full)) throw;
      }
    }
  }

  /// The network file as it will be read again when the run is resumed: a copy in the run's folder.
  std::string keep(std::filesystem::path const& file, int network) {
    return folder_ ? keep_copy(file, wanted_.folder(), network, folder_->oldest_network()) : file.string();
  }

  std::filesystem::path file_of(phase const& of) const {
    return folder_ ? wanted_.folder() / of.file : std::filesystem::path(of.file);
  }

  /// While a network is loaded there are the file's bytes, its numbers, and these as the evaluator orders them.
  static std::size_t loading_bytes(std::filesystem::path const& file) {
    std::error_code unknown;
    auto const size = std::filesystem::file_size(file, unknown);
    return unknown ? 0 : 3 * size;
  }

  made_evaluator make(phase const& of) {
    auto choice = wanted_.evaluator;
    if (watch_.is_folder()) choice.network = file_of(of).string();
    made_evaluator made{of, only_ ? *std::exchange(only_, std::nullopt) : common::make_evaluator<G>(choice)};
    std::string const identity = made.chosen.evaluator.identity();
    if (!of.identity.empty() && identity != of.identity)
      throw batchmate::file_error(of.file + ": cannot resume: episodes from " + std::to_string(of.first) +
                                  " on are to be played by " + of.identity + ", found " + identity);
    made.of.identity = identity;
    return made;
  }

  /// `made` are the bytes that the folder and the first evaluator hold already.
  void describe(made_evaluator const& first, std::size_t made) {
    auto const& e = first.chosen.evaluator;
    batching_ = batching_of(wanted_, e.is_shared());
    int const resident = watch_.is_folder() ? 2 : 1;
    facts_ = {first.chosen.network, first.of.identity, first.chosen.note, search_identity(),
              batching_.identity()};
    // The program, its libraries and the network are there; of networks from a folder a second one comes.
    std::size_t const now = resident_bytes() + overhead_bytes(batching_, wanted_.threads, resident);
    facts_.held_bytes = now + (resident > 1 ? std::max(made, loading_bytes(file_of(first.of))) : 0);
    auto const fixed = facts_.held_bytes + (wanted_.out.empty() ? std::size_t{0} : folder_bytes_);
    facts_.planned_bytes =
        hold_to_limit<G>(wanted_, batching_, e, fixed, resident, facts_.note) - facts_.held_bytes;
    facts_.batching = batching_.identity();
    current_bytes_ = made + run_bytes(e);
    base_bytes_ = now - made + (wanted_.out.empty() ? std::size_t{0} : folder_bytes_);
  }

  /// Of the games of one run, whose evaluator this is.
  std::size_t run_bytes(batchmate::any_evaluator<G> const& evaluator) const {
    auto const search = common::search_of<G>(wanted_.search);
    auto const plan = batching_.plan(wanted_.threads);
    return planned_bytes<G>(search, batching_, plan, wanted_.threads, evaluator);
  }

  /// Throws `common::usage_error` if a network that takes so much with its games does not fit beside the one at work.
  void hold_newcomer_to_limit(std::size_t bytes) const {
    std::size_t const needed = base_bytes_ + current_bytes_ + bytes;
    if (wanted_.memory_limit > 0 && needed > wanted_.memory_limit)
      throw common::usage_error("--memory-limit: both networks can need " + bytes_text(needed) +
                                ", the limit is " + bytes_text(wanted_.memory_limit));
  }

  // Phases.

  void start(made_evaluator made) {
    if (watch_.is_folder() && newcomer_ && folder_)
      folder_->begin_phase(made.of.network, made.of.first, made.of.identity, made.of.file);
    auto& run = runs_.emplace_back(std::make_unique<running_phase>(
        running_phase{made.of, players_with(std::move(made.chosen.evaluator))}));
    {
      std::lock_guard lock(mutex_);
      phases_.pop_front();
      if (!phases_.empty()) run->end = phases_.front().first;
    }
    if (wanted_.switch_at_move) {
      run->from = relay_;
      run->to = relay_ = std::make_shared<batchmate::relay<G>>();
    }
    run->thread = std::jthread([this, now = run.get()] { work(*now); });
  }

  /// Self-play with an evaluator: with `puct` itself, which is what is played most, and with any other search behind
  /// virtual calls, so that their driver is compiled once.
  players players_with(batchmate::any_evaluator<G> evaluator) {
    if (auto const* const puct = std::get_if<batchmate::puct>(&wanted_.search))
      return players_with(*puct, std::move(evaluator));
    return players_with(common::search_of<G>(wanted_.search), std::move(evaluator));
  }

  template <batchmate::search_for<G> S>
  players players_with(S search, batchmate::any_evaluator<G> evaluator) {
    using with = batchmate::self_play<G, S, batching_choice, batchmate::any_evaluator<G>>;
    auto play = std::make_shared<with>(opening_, std::move(search), batching_, std::move(evaluator));
    return [this, play](batchmate::run_options const& options, batchmate::relays<G> others) {
      auto const sink = [this](batchmate::episode<G> const& e) {
        if (folder_) (*folder_)(e);
      };
      return play->run(options, sink, others);
    };
  }

  void work(running_phase& run) {
    batchmate::statistics done;
    std::exception_ptr failure;
    try {
      done = run.play(options_of(run), {run.from.get(), run.to.get()});
    } catch (...) {
      failure = std::current_exception();
    }
    std::lock_guard lock(mutex_);
    if (!failure) run.latest = done;
    run.failure = failure;
    run.over = true;
    run.admits = false;
    if (run.to) run.to->close();
    changed_.notify_all();
  }

  batchmate::run_options options_of(running_phase& run) {
    batchmate::run_options o;
    auto const n = static_cast<std::int64_t>(wanted_.rank.ranks);
    // A phase that the journal knows may have begun before the first episode that is missing.
    std::int64_t const first = folder_ ? std::max(run.of.first, folder_->first_number()) : run.of.first;
    std::int64_t const played = (first - wanted_.rank.rank) / n;
    o.episodes = wanted_.episodes == 0
                     ? std::numeric_limits<std::int64_t>::max() / (2 * n) - played
                     : std::max<std::int64_t>(0, wanted_.rank.share_of(wanted_.episodes) - played);
    o.seed = wanted_.seed;
    o.threads = wanted_.threads;
    o.network = run.of.network;
    o.play_through = wanted_.play_through;
    o.first_episode = first;
    o.stride = n;
    o.in_order = false;
    o.admit = [this, &run](std::int64_t number) { return admit(run, number); };
    o.progress_every = std::chrono::milliseconds(200);
    o.progress = [this, &run](batchmate::statistics const& now) {
      std::lock_guard lock(mutex_);
      run.latest = now;
    };
    o.stalled_after = std::chrono::milliseconds(std::lround(1000 * wanted_.stall_seconds));
    o.stalled = [this](std::vector<batchmate::activity> const& at) {
      ++stalls_;
      print_stall(wanted_.stall_seconds, at);
    };
    o.stop = stop_.get_token();
    return o;
  }

  batchmate::admission admit(running_phase& run, std::int64_t number) {
    using batchmate::admission;
    {
      std::lock_guard lock(mutex_);
      // Never before an episode that was played already, with the network before, while older ones were not.
      if (!run.end && offer_ && (!folder_ || number >= folder_->end_number())) {
        run.end = offer_->of.first = number;
        phases_.push_back(offer_->of);
      }
      if (run.end && number >= *run.end) {
        run.admits = false;
        if (run.to) run.to->open();
        changed_.notify_all();
        return admission::end;
      }
    }
    return folder_ && folder_->has(number) ? admission::skip : admission::play;
  }

  // Watching over the runs.

  void attend(progress_lines& progress, metrics_files& metrics) {
    using clock = std::chrono::steady_clock;
    auto const step = std::chrono::milliseconds(100);
    auto next_lines = clock::now(), next_metrics = next_lines, next_poll = next_lines;
    auto const due = [](clock::time_point& next, double seconds) {
      if (seconds <= 0 || clock::now() < next) return false;
      next = clock::now() + std::chrono::milliseconds(std::lround(1000 * seconds));
      return true;
    };
    (void)due(next_lines, progress.seconds());
    (void)due(next_metrics, wanted_.metrics_seconds);
    for (;;) {
      {
        std::unique_lock lock(mutex_);
        changed_.wait_for(lock, step, [this] { return is_for_us(); });
      }
      reap();
      if (runs_.empty() && !may_start()) return;
      if (may_start()) start_next();
      if (watch_.is_folder() && due(next_poll, wanted_.poll_seconds)) poll();
      if (due(next_lines, progress.seconds())) progress(news());
      if (metrics.wanted() && due(next_metrics, wanted_.metrics_seconds)) metrics(news());
    }
  }

  bool is_for_us() const {
    for (auto const& run : runs_)
      if (run->over) return true;
    return may_start_locked();
  }

  bool may_start() {
    std::lock_guard lock(mutex_);
    return may_start_locked();
  }
  bool may_start_locked() const {
    bool const last_is_closed = runs_.empty() || !runs_.back()->admits;
    return !phases_.empty() && runs_.size() < 2 && last_is_closed && !stop_.stop_requested();
  }

  void start_next() {
    if (offer_ && phases_.size() == 1) {
      auto next = std::move(*offer_);
      {
        std::lock_guard lock(mutex_);
        next.of.first = phases_.front().first;
        offer_.reset();
      }
      newcomer_ = true;
      current_bytes_ = newcomer_bytes_;
      note(text_, "episodes from " + grouped(next.of.first) + " on: " + next.chosen.network);
      start(std::move(next));
    } else {
      newcomer_ = false;
      auto next = make(phases_.front());
      start(std::move(next));
    }
  }

  /// Joins what has ended and throws what went wrong.
  void reap() {
    for (std::size_t i = 0; i < runs_.size();) {
      {
        std::lock_guard lock(mutex_);
        if (!runs_[i]->over) {
          ++i;
          continue;
        }
      }
      runs_[i]->thread.join();
      auto const ended = std::move(runs_[i]);
      runs_.erase(runs_.begin() + static_cast<std::ptrdiff_t>(i));
      if (ended->failure) std::rethrow_exception(ended->failure);
      before_ = combined({before_, ended->latest}, before_.seconds + ended->latest.seconds);
      ended_ = ended->of;
    }
  }

  void end_runs() {
    stop_.request_stop();
    for (auto& run : runs_)
      if (run->thread.joinable()) run->thread.join();
  }

  /// Looks for a newer network, if the one before has been taken over.
  void poll() {
    {
      std::lock_guard lock(mutex_);
      if (offer_ || runs_.size() != 1 || !phases_.empty() || runs_.back()->end) return;
    }
    auto const file = watch_.newer();
    if (!file) return;
    int const network = runs_.back()->of.network + 1;
    try {
      watch_.took(*file);
      hold_newcomer_to_limit(loading_bytes(*file));
      std::size_t const before = resident_bytes();
      auto made = make({network, 0, "", keep(*file, network)});
      newcomer_bytes_ = std::max(before, resident_bytes()) - before + run_bytes(made.chosen.evaluator);
      hold_newcomer_to_limit(newcomer_bytes_);
      if (made.of.identity == runs_.back()->of.identity) return drop(network);
      try_out(made.chosen.evaluator);
      std::lock_guard lock(mutex_);
      offer_ = std::move(made);
    } catch (batchmate::disk_full_error const& full) {
      watch_.again();  // the copy can wait
      tell_disk_full(full);
    } catch (batchmate::error const& e) {
      refuse(*file, network, e.what());
    } catch (common::usage_error const& e) {
      refuse(*file, network, e.what());
    } catch (std::bad_alloc const&) {
      refuse(*file, network, "out of memory");
    }
  }

  /// Asks a newcomer about the first position, as one whose answers are no numbers would end the run. Throws
  /// `batchmate::evaluation_error` then.
  static void try_out(batchmate::any_evaluator<G> newcomer) {
    newcomer.reserve({batchmate::layout_of<G>(), 1, 1});
    batchmate::batch_buffer<G> const buffer(newcomer, 1);
    batchmate::row_range<G> row(buffer.positions(), buffer.rows(), 1);
    row.next() = G{};
    row.push();
    if (newcomer.needs_planes()) row.encode();
    auto const asked = buffer.view(0, 1);
    newcomer.submit(0, asked);
    newcomer.wait(0);
    batchmate::check_answers(asked, newcomer);
  }

  void drop(int network) {
    if (folder_) drop_copy(wanted_.folder(), network);
  }

  void refuse(std::filesystem::path const& file, int network, char const* why) {
    drop(network);
    ++refused_;
    note(stderr, common::shown("the network " + file.string() + " is refused, the one before stays: " + why));
  }

  run_news news() {
    std::lock_guard lock(mutex_);
    std::vector<batchmate::statistics> all{before_};
    for (auto const& run : runs_) all.push_back(run->latest);
    run_news now;
    now.done =
        combined(all, std::chrono::duration<double>(std::chrono::steady_clock::now() - begin_).count());
    if (folder_)
      now.kept = folder_->totals();
    else
      now.kept = {now.done.episodes, now.done.rows, now.done.episodes_hash, 0};
    phase const& at = runs_.empty() ? ended_ : runs_.back()->of;
    now.network = at.network;
    now.evaluator = at.identity;
    now.stalls = stalls_;
    now.refused = refused_;
    now.resident_bytes = resident_bytes();
    now.unix_seconds =
        std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
    return now;
  }

  job wanted_;
  std::FILE* const text_;
  std::stop_token const stopped_by_user_;
  network_folder watch_;
  std::stop_source stop_;
  std::optional<common::chosen_evaluator<G>> only_;  // made to know its identity
  std::optional<batchmate::run_folder<G>> folder_;
  std::size_t folder_bytes_ = 0;
  // Can be needed by all but the networks and their games, by the newest run, and by the one that is offered.
  std::size_t base_bytes_ = 0, current_bytes_ = 0, newcomer_bytes_ = 0;
  std::atomic<bool> told_disk_full_{false};
  batchmate::openings<G> opening_;
  batching_choice batching_;
  run_facts facts_;
  std::atomic<int> stalls_{0};
  int refused_ = 0;
  std::chrono::steady_clock::time_point begin_ = std::chrono::steady_clock::now();
  batchmate::statistics before_;                // of runs that have ended
  phase ended_;                                 // that played last
  bool newcomer_ = false;                       // the phase that starts next is not in the journal yet
  std::shared_ptr<batchmate::relay<G>> relay_;  // where the newest run's games leave to
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<phase> phases_;                          // that are to come
  std::optional<made_evaluator> offer_;               // the next one, if its first episode is still open
  std::vector<std::unique_ptr<running_phase>> runs_;  // at most two
};
