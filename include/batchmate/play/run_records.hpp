#pragma once

#include <batchmate/play/episode_record.hpp>
#include <batchmate/play/journal.hpp>

#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace batchmate {

/// How much of a run lies in its shards for good. Places count a run's episodes from 0, in order.
struct run_progress {
  std::int64_t places = 0;  ///< episodes in the shards: those of the first so many places
  std::int32_t shards = 0;  ///< the number of the next shard
  std::int32_t oldest = 0;  ///< the number of the oldest shard that is kept
  std::int64_t rows = 0;    ///< in all shards, also those not kept
  std::uint64_t hash = 0;   ///< of these episodes: the sum of their `numbered_hash`
};

/// Which network plays from which episode on.
struct network_phase {
  std::int32_t network = 0;  ///< its number in the run, as samples name it
  std::int64_t place = 0;    ///< the first episode
  std::string identity{};    ///< of the evaluator
  std::string file{};        ///< where it was read from

  friend bool operator==(network_phase const&, network_phase const&) = default;
};

/// What the records of a run's journal say together.
struct run_records {
  run_progress progress{};              ///< of the run, when the journal was begun
  std::vector<network_phase> phases{};  ///< in order
  /// Finished and in no shard, as records, by place.
  std::map<std::int64_t, std::vector<std::byte>> episodes{};
};

/// What lies in the records of a run's journal.
namespace records {

/// What a record is of; its first byte.
enum class kind : char {
  progress = 'p',  ///< how far the run is
  phase = 'n',     ///< a network begins to play
  episode = 'e'    ///< a finished game
};

/// The record of how far a run is, the first one of a journal.
inline std::vector<std::byte> of(run_progress const& p) {
  std::vector<std::byte> bytes;
  put_bytes(bytes, kind::progress);
  put_bytes(bytes, p.places);
  put_bytes(bytes, p.shards);
  put_bytes(bytes, p.oldest);
  put_bytes(bytes, p.rows);
  put_bytes(bytes, p.hash);
  return bytes;
}

/// The record of a network that plays from here on.
inline std::vector<std::byte> of(network_phase const& p) {
  std::vector<std::byte> bytes;
  put_bytes(bytes, kind::phase);
  put_bytes(bytes, p.network);
  put_bytes(bytes, p.place);
  for (std::string const* text : {&p.identity, &p.file}) {
    put_bytes(bytes, static_cast<std::uint32_t>(text->size()));
    auto const letters = std::as_bytes(std::span(*text));
    bytes.insert(bytes.end(), letters.begin(), letters.end());
  }
  return bytes;
}

/// The record of a finished episode.
template <game G>
std::vector<std::byte> of(std::int64_t place, episode<G> const& finished) {
  std::vector<std::byte> bytes;
  put_bytes(bytes, kind::episode);
  put_bytes(bytes, place);
  encode_episode(finished, bytes);
  return bytes;
}

/// No run has more episodes, so that arithmetic with places cannot overflow.
inline constexpr std::int64_t most_places = std::int64_t{1} << 40;

/// Reads what `of` has written.
inline run_progress take_progress(byte_reader& in) {
  run_progress p;
  p.places = in.take<std::int64_t>();
  p.shards = in.take<std::int32_t>();
  p.oldest = in.take<std::int32_t>();
  p.rows = in.take<std::int64_t>();
  p.hash = in.take<std::uint64_t>();
  if (p.places < 0 || p.places > most_places || p.oldest < 0 || p.shards < p.oldest ||
      p.shards > 10'000'000 || p.rows < 0)
    in.fail("its progress is no progress");
  return p;
}

/// Reads a text with its length.
inline std::string take_text(byte_reader& in) {
  auto const size = in.take<std::uint32_t>();
  if (size > in.left()) in.fail("a text is cut short");
  std::string text;
  for (std::uint32_t i = 0; i < size; ++i) text += in.take<char>();
  return text;
}

/// Reads what `of` has written.
inline network_phase take_phase(byte_reader& in) {
  network_phase p;
  p.network = in.take<std::int32_t>();
  p.place = in.take<std::int64_t>();
  p.identity = take_text(in);
  p.file = take_text(in);
  if (p.network < 0 || p.place < 0 || p.place > most_places) in.fail("a network has no number or no place");
  return p;
}

/// Where the bytes of an episode begin in its record.
inline constexpr std::size_t episode_begins = sizeof(kind) + sizeof(std::int64_t);

/// The episode of a record; see `decode_episode`.
template <game G, class Opening>
episode<G> decode(std::span<std::byte const> record, Opening const& opening, std::string const& where) {
  return decode_episode<G>(record.subspan(episode_begins), opening, where);
}

/// What the records of a journal say together; of two records for one episode the first counts. Throws
/// `file_error`, beginning with `where`, for records that are none of a run's.
inline run_records parse(std::vector<std::vector<std::byte>> records, std::string const& where) {
  run_records found;
  if (records.empty()) throw file_error(where + ": does not say how far the run is");
  for (std::size_t i = 0; i < records.size(); ++i) {
    byte_reader in(records[i], where);
    auto const what = static_cast<kind>(in.take<char>());
    if ((what == kind::progress) != (i == 0)) in.fail("record ", i, " is out of place");
    if (what == kind::progress) {
      found.progress = take_progress(in);
    } else if (what == kind::phase) {
      found.phases.push_back(take_phase(in));
    } else if (what == kind::episode) {
      auto const place = in.take<std::int64_t>();
      if (place < 0 || place > most_places) in.fail("record ", i, " is of an impossible episode");
      if (place >= found.progress.places) found.episodes.emplace(place, std::move(records[i]));
    } else {
      in.fail("record ", i, " is of no known kind");
    }
  }
  return found;
}

}  // namespace records

}  // namespace batchmate
