// Any bytes as the journal of a run of Tic-tac-toe or Connect Four: the last bit of the file's length says which.

#include "fuzz.hpp"

#include <batchmate/core/checksum.hpp>
#include <batchmate/core/random.hpp>
#include <batchmate/game/connect4.hpp>
#include <batchmate/game/tictactoe.hpp>
#include <batchmate/play/journal.hpp>
#include <batchmate/play/run_records.hpp>

#include <algorithm>
#include <cstring>
#include <vector>

using namespace batchmate;

namespace {

using record = std::vector<std::byte>;

/// Where all games begin.
template <game G>
struct from_the_start {
  G operator()(std::int64_t) const { return {}; }
};

/// Whether what an episode's record means is what the record of that means.
template <game G>
void read_episode(std::int64_t place, record const& bytes) {
  fuzz::reads_or_refuses([&] {
    episode<G> const read = records::decode<G>(bytes, from_the_start<G>{}, "journal");
    fuzz::require(read.final_position.result().has_value() != read.resigned, "a game that was read is over");
    record const again = records::of(place, read);
    fuzz::require(records::of(place, records::decode<G>(again, from_the_start<G>{}, "journal")) == again,
                  "a game that was read can be written and read again");
  });
}

/// The journal of these records.
std::vector<std::uint8_t> journal_of(std::vector<record> const& all) {
  static constexpr std::string_view magic = "batchmate-journal-1\n";
  std::vector<std::uint8_t> file(magic.begin(), magic.end());
  auto const put = [&](void const* from, std::size_t size) {
    auto const* const bytes = static_cast<std::uint8_t const*>(from);
    file.insert(file.end(), bytes, bytes + size);
  };
  for (record const& r : all) {
    auto const length = static_cast<std::uint32_t>(r.size());
    std::uint32_t const crc = crc32(r, crc32(std::as_bytes(std::span(&length, 1))));
    put(&length, sizeof length);
    put(&crc, sizeof crc);
    put(r.data(), r.size());
  }
  return file;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
  fuzz::reads_or_refuses([&] {
    auto const found = journal::parse(fuzz::bytes_of(data, size), "journal");
    fuzz::require(found.good_bytes + found.lost_bytes == size, "every byte is good or lost");
    auto const again = journal_of(found.records);
    fuzz::require(again.size() == found.good_bytes && std::equal(again.begin(), again.end(), data),
                  "the good bytes are those of the records");
    run_records const run = records::parse(found.records, "journal");
    for (auto const& [place, bytes] : run.episodes) {
      fuzz::require(place >= run.progress.places, "an episode that a shard holds is not pending");
      if (size % 2 == 0)
        read_episode<tictactoe>(place, bytes);
      else
        read_episode<connect4>(place, bytes);
    }
  });
  return 0;
}

/// Changes one record, or their order, and makes the checksums right again.
extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size, std::size_t max_size,
                                               unsigned seed) {
  random_stream random(random_key{seed}.split(purpose::test));
  auto const below = [&](std::size_t n) { return random.below(static_cast<std::uint32_t>(n)); };
  std::vector<record> all;
  try {
    all = journal::parse(fuzz::bytes_of(data, size), "journal").records;
  } catch (file_error const&) {
  }
  if (all.empty() || below(8) == 0) return LLVMFuzzerMutate(data, size, max_size);
  auto const at = all.begin() + below(all.size());
  if (auto const way = below(8); way == 0) {
    all.insert(at, record(all[below(all.size())]));
  } else if (way == 1) {
    all.erase(at);
  } else {
    std::size_t const was = at->size();
    at->resize(was + 16);
    at->resize(LLVMFuzzerMutate(reinterpret_cast<std::uint8_t*>(at->data()), was, at->size()));
  }
  auto const changed = journal_of(all);
  if (changed.size() > max_size) return size;
  std::copy(changed.begin(), changed.end(), data);
  return changed.size();
}
