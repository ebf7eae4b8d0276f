#pragma once

#include <batchmate/core/error.hpp>
#include <batchmate/eval/batch.hpp>
#include <batchmate/net/json.hpp>
#include <batchmate/net/safetensors.hpp>
#include <batchmate/play/episode.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace batchmate {

/// The metadata `format` of a shard of training rows; docs/formats.md describes it.
inline constexpr std::string_view rows_format = "batchmate-rows-1";

/// Where training rows go, and what is written beside them about where they come from.
struct shard_settings {
  std::filesystem::path folder;  ///< must exist
  int max_rows = 65536;          ///< of one shard, at least the plies of the longest game
  std::string evaluator{};       ///< its identity
  std::string search{};          ///< its identity
  std::uint64_t seed = 1;        ///< of the run, as in `run_options`
  float horizon = 8;             ///< plies that the tensor `short_value` looks ahead, at least 1
  int first_shard = 0;           ///< the number of the first shard
  /// The identity of a run's network by its number; `evaluator` for all of them if not set.
  std::function<std::string(int)> network_name{};
};

/// The name of a run's shard in its folder, counted from 0: `rows-000000.safetensors`.
inline std::string shard_name(int number) {
  char name[32];
  std::snprintf(name, sizeof name, "rows-%06d.safetensors", number);
  return name;
}

/// A sink that writes the samples of all episodes as training rows, shard by shard. Every shard holds whole episodes
/// and shows up whole or not at all. What has come since the last shard is written by `finish` alone.
template <game G>
class row_writer {
 public:
  /// Allocates memory for one shard; writes nothing yet. Throws `contract_error` for a shard that cannot hold
  /// every game.
  explicit row_writer(shard_settings settings)
      : settings_(std::move(settings)), shards_(settings_.first_shard) {
    expects(settings_.max_rows >= G::max_plies, "row_writer: max_rows must be at least ", G::max_plies,
            ", the longest game, got ", settings_.max_rows);
    expects(settings_.horizon >= 1 && std::isfinite(settings_.horizon),
            "row_writer: horizon must be at least 1, got ", settings_.horizon);
    auto const n = static_cast<std::size_t>(settings_.max_rows);
    planes_.reserve(n * sizeof(plane_words) / 8);
    legal_.reserve(n * sizeof(actions_of<G>) / 8);
    globals_.reserve(n * num_globals<G>);
    policy_.reserve(n * G::num_actions);
    for (auto* column : {&value_, &outcome_, &surprise_, &short_value_}) column->reserve(n);
    full_.reserve(n);
    for (auto* column : {&action_, &ply_, &network_}) column->reserve(n);
    episode_.reserve(n);
  }

  /// What a writer allocates.
  static std::size_t bytes(shard_settings const& settings) {
    return static_cast<std::size_t>(settings.max_rows) * row_bytes;
  }

  /// What the file of the shard that is being filled has at most, a few KiB more than it will.
  std::size_t file_bytes() const {
    std::size_t header = 4096;
    for (auto const& [name, text] : metadata(false)) header += name.size() + 2 * text.size();
    return header + pending() * row_bytes;
  }

  /// The episode's rows fit into the shard that is being filled.
  bool fits(episode<G> const& played) const {
    return pending() + played.samples.size() <= static_cast<std::size_t>(settings_.max_rows);
  }

  /// Takes a finished episode. Throws `file_error` if a shard that is full cannot be written.
  void operator()(episode<G> const& played) {
    if (!fits(played)) finish();
    for (sample<G> const& s : played.samples) add(s);
    add_short_values(played);
  }

  /// Writes what no shard holds yet, if there is anything; `is_final` is false where the shard may be written anew
  /// under the same name, which its metadata say. Throws `file_error`; the rows are kept then.
  void finish(bool is_final = true) {
    if (pending() == 0) return;
    save(settings_.folder / shard_name(shards_), is_final);
    rows_ += static_cast<std::int64_t>(pending());
    ++shards_;
    planes_.clear(), legal_.clear(), globals_.clear(), policy_.clear();
    value_.clear(), outcome_.clear(), action_.clear(), ply_.clear(), network_.clear(), episode_.clear();
    full_.clear(), surprise_.clear(), short_value_.clear(), networks_.clear();
  }

  int shards() const { return shards_; }       ///< the number of the next one
  std::int64_t rows() const { return rows_; }  ///< in these

 private:
  using plane_words = decltype(plane_bits<G::input>::words);

  static constexpr std::size_t row_bytes = sizeof(plane_words) + sizeof(actions_of<G>) +
                                           sizeof(std::int64_t) + sizeof(std::uint8_t) +
                                           (num_globals<G> + G::num_actions + 7) * sizeof(float);

  std::size_t pending() const { return episode_.size(); }

  void add(sample<G> const& s) {
    row<G> packed{};
    packed.encode(s.position);
    packed.legal = s.position.legal_actions();
    append(planes_, packed.planes.words);
    append(legal_, packed.legal.words);
    if constexpr (game_with_globals<G>)
      for (int g = 0; g < num_globals<G>; ++g) globals_.push_back(packed.globals[g]);
    append(policy_, s.policy);
    value_.push_back(s.value);
    outcome_.push_back(s.outcome);
    action_.push_back(s.action);
    ply_.push_back(s.ply);
    network_.push_back(place_of(s.network));
    full_.push_back(s.full);
    surprise_.push_back(s.surprise);
    episode_.push_back(s.episode);
  }

  /// What the value will be in a few plies: values weighted by (1 - l) l^k for the k-th ply from here, l being
  /// 1 - 1 / horizon, and the outcome in the place of all plies after the last (as KataGo's short-term values).
  void add_short_values(episode<G> const& played) {
    float const keep = 1 - 1 / settings_.horizon;
    std::size_t const begin = short_value_.size(), n = played.samples.size();
    short_value_.resize(begin + n);
    float next = played.result();
    for (std::size_t i = n; i-- > 0;) {
      next = (1 - keep) * played.samples[i].value - keep * next;
      short_value_[begin + i] = next;
    }
  }

  /// Where the run's network is in the shard's own list of networks.
  std::int32_t place_of(int network) {
    auto const at = std::find(networks_.begin(), networks_.end(), network);
    auto const place = static_cast<std::int32_t>(at - networks_.begin());
    if (at == networks_.end()) networks_.push_back(network);
    return place;
  }

  /// A JSON array of the identities of the shard's networks.
  std::string network_names() const {
    std::string names;
    for (int n : networks_)
      names += (names.empty() ? "[" : ", ") +
               json_string(settings_.network_name ? settings_.network_name(n) : settings_.evaluator);
    return names + ']';
  }

  template <class T, class Numbers>
  static void append(std::vector<T>& column, Numbers const& numbers) {
    column.insert(column.end(), std::begin(numbers), std::end(numbers));
  }

  void save(std::filesystem::path const& path, bool is_final) const {
    std::uint64_t const n = pending();
    std::vector<tensor> tensors;
    auto const put = [&]<class T>(char const* name, dtype type, std::vector<std::uint64_t> a_row,
                                  std::vector<T> const& numbers) {
      a_row.insert(a_row.begin(), n);
      tensors.push_back(tensor_of<T>(name, type, std::move(a_row), numbers));
    };
    put("episode", dtype::i64, {}, episode_);  // 8-byte numbers first, so that all lie aligned
    put("planes", dtype::u8, {G::input.planes, 8 * G::input.words_per_plane()}, planes_);
    put("legal", dtype::u8, {sizeof(actions_of<G>)}, legal_);
    if constexpr (game_with_globals<G>) put("globals", dtype::f32, {num_globals<G>}, globals_);
    put("policy", dtype::f32, {G::num_actions}, policy_);
    put("value", dtype::f32, {}, value_);
    put("outcome", dtype::f32, {}, outcome_);
    put("action", dtype::i32, {}, action_);
    put("ply", dtype::i32, {}, ply_);
    put("network", dtype::i32, {}, network_);
    put("surprise", dtype::f32, {}, surprise_);
    put("short_value", dtype::f32, {}, short_value_);
    put("full", dtype::u8, {}, full_);
    save_safetensors(path, tensors, metadata(is_final));
  }

  std::map<std::string, std::string> metadata(bool is_final) const {
    std::string name;
    if constexpr (game_with_text<G>) name = G::name();
    std::map<std::string, std::string> all{{"format", std::string(rows_format)},
                                           {"game", name},
                                           {"planes", std::to_string(G::input.planes)},
                                           {"rows", std::to_string(G::input.rows)},
                                           {"columns", std::to_string(G::input.columns)},
                                           {"globals", std::to_string(num_globals<G>)},
                                           {"actions", std::to_string(G::num_actions)},
                                           {"perspective", "player to move"},
                                           {"final", is_final ? "yes" : "no"},
                                           {"evaluator", settings_.evaluator},
                                           {"networks", network_names()},
                                           {"search", settings_.search},
                                           {"seed", std::to_string(settings_.seed)}};
    if constexpr (game_with_symmetries<G>) all["symmetries"] = symmetry_tables();
    return all;
  }

  /// As JSON, for every symmetry, the identity first: [where each cell goes, where each action goes].
  static std::string symmetry_tables() requires game_with_symmetries<G> {
    auto const list = [](int count, auto&& item) {
      std::string text;
      for (int i = 0; i < count; ++i) text += (i > 0 ? "," : "[") + item(i);
      return text + ']';
    };
    return list(G::num_symmetries, [&](int s) {
      return '[' +
             list(G::input.cells(), [&](int cell) { return std::to_string(G::symmetric_cell(s, cell)); }) +
             ',' + list(G::num_actions, [&](int a) { return std::to_string(G::symmetric_action(s, a)); }) +
             ']';
    });
  }

  shard_settings settings_;
  std::vector<std::uint64_t> planes_, legal_;  // (n, C, words_per_plane), (n, legal words)
  std::vector<float> globals_, policy_;        // (n, globals), (n, A)
  std::vector<float> value_, outcome_;         // (n)
  std::vector<float> short_value_;             // (n)
  std::vector<float> surprise_;                // (n)
  std::vector<std::uint8_t> full_;             // (n)
  std::vector<std::int32_t> action_, ply_;     // (n)
  std::vector<std::int32_t> network_;          // (n) place in networks_
  std::vector<std::int64_t> episode_;          // (n)
  std::vector<int> networks_;                  // the run's numbers of those in the shard
  std::int64_t rows_ = 0;
  int shards_;
};

}  // namespace batchmate
