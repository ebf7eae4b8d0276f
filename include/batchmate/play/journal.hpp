#pragma once

#include <batchmate/core/checksum.hpp>
#include <batchmate/core/error.hpp>
#include <batchmate/net/atomic_file.hpp>
#include <batchmate/net/output_file.hpp>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace batchmate {

/// A file of records that survives being killed: records are only ever appended, each with its length and
/// checksum, and a record is there whole or not at all. docs/reliability.md describes the bytes.
///
/// `replace` writes the file anew and puts it in the old one's place in one step.
class journal {
 public:
  /// What a journal is found to hold.
  struct contents {
    std::vector<std::vector<std::byte>> records;  ///< in the order they were appended
    std::size_t good_bytes = 0;                   ///< of the file that hold them
    std::size_t lost_bytes = 0;                   ///< after these, which are no whole records
  };

  /// Reads a journal; no record is larger than the file. Throws `file_error` if it cannot be read, or is none.
  static contents read(std::filesystem::path const& path) {
    auto const bytes = read_file(path, std::numeric_limits<std::size_t>::max());
    return parse(bytes, path.string());
  }

  /// What a journal of these bytes holds, which may be any: what follows the last good record is lost. Throws
  /// `file_error`, beginning with `where`, if they do not begin as a journal does.
  static contents parse(std::span<std::byte const> bytes, std::string const& where) {
    if (bytes.size() < magic.size() || std::memcmp(bytes.data(), magic.data(), magic.size()) != 0)
      throw file_error(concat(where, ": is no journal: expected it to begin with '",
                              magic.substr(0, magic.size() - 1), "'"));
    contents found;
    std::size_t at = magic.size();
    while (bytes.size() - at >= sizeof(frame)) {
      frame head;
      std::memcpy(&head, bytes.data() + at, sizeof head);
      auto const rest = bytes.subspan(at + sizeof head);
      if (head.length > rest.size() || head.crc != checksum(rest.first(head.length))) break;
      auto const record = rest.first(head.length);
      found.records.emplace_back(record.begin(), record.end());
      at += sizeof head + head.length;
    }
    found.good_bytes = at;
    found.lost_bytes = bytes.size() - at;
    return found;
  }

  journal() = default;

  /// Goes on with the journal that was read: after its last good record. Throws `file_error`.
  journal(std::filesystem::path path, contents const& found)
      : file_(std::move(path), 0), size_(found.good_bytes) {
    file_.truncate(size_);
  }

  /// Writes a journal that holds these records alone in the place of any other at `path`, durably, and goes on
  /// with it. Throws `file_error`; the old one is as it was then.
  static journal replace(std::filesystem::path const& path,
                         std::span<std::span<std::byte const> const> records) {
    std::vector<frame> heads;
    heads.reserve(records.size());
    std::vector<std::span<std::byte const>> parts{std::as_bytes(std::span(magic))};
    std::size_t size = magic.size();
    for (auto const& record : records) {
      heads.push_back(head_of(record));
      parts.push_back(std::as_bytes(std::span(&heads.back(), 1)));
      parts.push_back(record);
      size += sizeof(frame) + record.size();
    }
    write_file_atomically(path, parts);
    return journal(path, contents{{}, size, 0});
  }

  /// Appends a record. Throws `file_error`; the record is not there then, and another may follow.
  void append(std::span<std::byte const> record) {
    frame const head = head_of(record);
    auto const head_bytes = std::as_bytes(std::span(&head, 1));
    framed_.assign(head_bytes.begin(), head_bytes.end());
    framed_.insert(framed_.end(), record.begin(), record.end());
    // A part of a record that could not be written would hide all that follow.
    if (std::exchange(is_torn_, true)) file_.truncate(size_);
    file_.write(framed_);
    is_torn_ = false;
    size_ += framed_.size();
  }

  /// Returns when all records are on the disk. Throws `file_error`: whether they are is unknown then, and trying
  /// again would not tell; `replace` makes sure.
  void sync() {
    check_in_place();
    file_.sync();
  }

  /// Throws `file_error` if the file was removed, moved or replaced, so that nobody will find what is appended.
  void check_in_place() const {
    if (!file_.is_in_place())
      throw file_error(file_.path().string() + ": was removed, moved or replaced while it was written");
  }

  std::size_t size() const { return size_; }  ///< bytes of the file

 private:
  static constexpr std::string_view magic = "batchmate-journal-1\n";

  struct frame {
    std::uint32_t length, crc;
  };

  /// Of a record with its length, so that bytes which are all zero are no record.
  static std::uint32_t checksum(std::span<std::byte const> record) {
    auto const length = static_cast<std::uint32_t>(record.size());
    return crc32(record, crc32(std::as_bytes(std::span(&length, 1))));
  }

  static frame head_of(std::span<std::byte const> record) {
    expects(record.size() <= std::numeric_limits<std::uint32_t>::max(), "journal: a record of ",
            record.size(), " bytes is too long");
    return {static_cast<std::uint32_t>(record.size()), checksum(record)};
  }

  output_file file_;
  std::size_t size_ = 0;           // of all whole records
  std::vector<std::byte> framed_;  // the record being appended
  bool is_torn_ = false;           // a part of a record may lie behind them
};

}  // namespace batchmate
