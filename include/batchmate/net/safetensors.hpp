#pragma once

#include <batchmate/core/error.hpp>
#include <batchmate/net/atomic_file.hpp>
#include <batchmate/net/json.hpp>

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <tuple>
#include <utility>
#include <vector>

namespace batchmate {

static_assert(std::endian::native == std::endian::little,
              "batchmate: files are read and written as they lie in memory");

/// The element types of a safetensors file.
enum class dtype : std::uint8_t { boolean, u8, i8, u16, i16, f16, bf16, u32, i32, f32, u64, i64, f64 };

/// What a safetensors file calls a type, and how many bytes an element takes.
struct dtype_facts {
  std::string_view name;  ///< `F32`
  std::size_t bytes;      ///< of one element
};

/// The facts of a type.
constexpr dtype_facts facts_of(dtype type) {
  constexpr std::array<dtype_facts, 13> all{{{"BOOL", 1},
                                             {"U8", 1},
                                             {"I8", 1},
                                             {"U16", 2},
                                             {"I16", 2},
                                             {"F16", 2},
                                             {"BF16", 2},
                                             {"U32", 4},
                                             {"I32", 4},
                                             {"F32", 4},
                                             {"U64", 8},
                                             {"I64", 8},
                                             {"F64", 8}}};
  return all[static_cast<std::size_t>(type)];
}

/// One named array of a safetensors file, in row-major order. Owns its name and extents, not its bytes.
struct tensor {
  std::string name;                    ///< unique in its file
  dtype type = dtype::f32;             ///< of the elements
  std::vector<std::uint64_t> extents;  ///< the slowest first; none means one number
  std::span<std::byte const> bytes;    ///< extents times the element's size, little-endian, any alignment
};

/// The numbers of an array in memory as a tensor.
template <class T>
tensor tensor_of(std::string name, dtype type, std::vector<std::uint64_t> extents,
                 std::span<T const> numbers) {
  return {std::move(name), type, std::move(extents), std::as_bytes(numbers)};
}

/// `(3, 4)`, for messages.
inline std::string extents_text(std::span<std::uint64_t const> extents) {
  std::string text = "(";
  for (std::size_t i = 0; i < extents.size(); ++i) text += (i ? ", " : "") + std::to_string(extents[i]);
  return text + ")";
}

/// The bytes that a tensor of these extents takes, or nothing beyond 2^63.
inline std::optional<std::uint64_t> byte_size(dtype type, std::span<std::uint64_t const> extents) {
  std::uint64_t size = facts_of(type).bytes;
  if (std::find(extents.begin(), extents.end(), 0u) != extents.end()) return 0;
  for (auto const extent : extents) {
    if (extent > (std::uint64_t{1} << 63) / size) return std::nullopt;
    size *= extent;
  }
  return size;
}

/// The tensors and strings of a safetensors file, checked: every tensor lies within the file, fits its type
/// and extents, and they follow one another without a hole.
class tensor_file {
 public:
  static constexpr std::size_t largest_header = 100'000'000;  ///< bytes, as in the reference implementation
  static constexpr std::size_t most_extents = 64;             ///< of one tensor, as NumPy and PyTorch allow

  /// Reads a file of at most `largest_bytes`. Throws `file_error`.
  explicit tensor_file(std::filesystem::path const& path, std::size_t largest_bytes = std::size_t{1} << 32)
      : where_(path.string()), storage_(read(path, largest_bytes)) {
    parse(storage_);
  }
  /// Reads bytes that stay where they are while this object is used; `where` begins every message. Throws
  /// `file_error`.
  tensor_file(std::span<std::byte const> bytes, std::string where) : where_(std::move(where)) {
    parse(bytes);
  }

  tensor_file(tensor_file&&) = default;             ///< the bytes stay where they are
  tensor_file& operator=(tensor_file&&) = default;  ///< the bytes stay where they are

  /// The file's name, for messages.
  std::string const& where() const { return where_; }
  /// The strings of `__metadata__`, by name.
  std::map<std::string, std::string> const& metadata() const { return metadata_; }
  /// The tensors in the order of their bytes.
  std::vector<tensor> const& tensors() const { return tensors_; }

  /// The tensor of that name, or null.
  tensor const* find(std::string_view name) const {
    auto const found =
        std::find_if(tensors_.begin(), tensors_.end(), [&](tensor const& t) { return t.name == name; });
    return found == tensors_.end() ? nullptr : &*found;
  }
  /// The tensor of that name. Throws `file_error` if there is none.
  tensor const& at(std::string_view name) const {
    if (tensor const* const found = find(name)) return *found;
    throw file_error(concat(where_, ": expected a tensor ", name, ", found none"));
  }
  /// The metadata of that name. Throws `file_error` if there is none.
  std::string const& metadata_at(std::string const& name) const {
    if (auto const found = metadata_.find(name); found != metadata_.end()) return found->second;
    throw file_error(concat(where_, ": expected metadata ", name, ", found none"));
  }

 private:
  /// A tensor's header entry before it is known to be sound.
  struct entry {
    tensor of;
    std::uint64_t begin = 0, end = 0;
  };

  /// All bytes of a file; a file of another kind, which may be huge, is refused by its first ones.
  std::vector<std::byte> read(std::filesystem::path const& path, std::size_t largest_bytes) const {
    std::error_code failed, ignored;
    auto const size = std::filesystem::file_size(path, failed);
    // Not opened: what is no regular file may be a pipe, and that waits for who writes to it.
    if (failed && std::filesystem::exists(path, ignored)) throw file_error(where_ + ": is no regular file");
    if (file_handle const file{failed ? nullptr : std::fopen(path.c_str(), "rbe")}) {
      std::array<std::byte, 9> bytes;
      auto const first = std::span(bytes).first(std::fread(bytes.data(), 1, bytes.size(), file.get()));
      if (first.size() == std::min<std::uintmax_t>(bytes.size(), size)) header_size(first, size);
    }
    return read_file(path, largest_bytes);
  }

  /// The size of the header, by what a file of `file_size` bytes begins with.
  std::uint64_t header_size(std::span<std::byte const> first, std::uint64_t file_size) const {
    std::uint64_t size = 0;
    if (first.size() < sizeof size)
      throw file_error(concat(where_, ": expected a safetensors file, found ", file_size, " bytes"));
    std::memcpy(&size, first.data(), sizeof size);
    std::uint64_t const most = std::min<std::uint64_t>(largest_header, file_size - sizeof size);
    if (size > most)
      throw file_error(concat(where_, ": expected a header of at most ", most, " bytes, found ", size,
                              " (truncated, or no safetensors file)"));
    if (size == 0 || first[sizeof size] != std::byte{'{'})
      throw file_error(concat(where_, ": header: expected '{' at byte 0 (no safetensors file)"));
    return size;
  }

  void parse(std::span<std::byte const> bytes) {
    std::uint64_t const size = header_size(bytes, bytes.size());
    auto const header = bytes.subspan(sizeof size, size), data = bytes.subspan(sizeof size + size);
    auto entries = parse_header({reinterpret_cast<char const*>(header.data()), header.size()});
    std::sort(entries.begin(), entries.end(), [](entry const& a, entry const& b) {
      return std::tie(a.begin, a.end, a.of.name) < std::tie(b.begin, b.end, b.of.name);
    });
    std::uint64_t at = 0;
    for (auto& e : entries) {
      check_entry(e, at, data.size());
      e.of.bytes = data.subspan(e.begin, e.end - e.begin);
      at = e.end;
      tensors_.push_back(std::move(e.of));
    }
    if (at != data.size())
      throw file_error(concat(where_, ": expected ", at, " bytes of tensors, found ", data.size()));
  }

  void check_entry(entry const& e, std::uint64_t at, std::uint64_t data_size) const {
    auto const size = byte_size(e.of.type, e.of.extents);
    if (!size || e.end < e.begin || e.end - e.begin != *size)
      throw file_error(concat(where_, ": tensor ", printable(e.of.name), ": expected the bytes of ",
                              facts_of(e.of.type).name, extents_text(e.of.extents), ", found offsets ",
                              e.begin, " to ", e.end));
    if (e.end > data_size)
      throw file_error(concat(where_, ": tensor ", printable(e.of.name), ": expected ", e.end,
                              " bytes of tensors, found ", data_size, " (truncated)"));
    if (e.begin != at)
      throw file_error(concat(where_, ": tensor ", printable(e.of.name), ": expected its offset to be ", at,
                              ", found ", e.begin));
  }

  std::vector<entry> parse_header(std::string_view header) {
    std::vector<entry> entries;
    json_reader json(header, where_ + ": header");
    json.object([&](std::string const& name) {
      if (name == "__metadata__")
        json.object([&](std::string const& key) { metadata_[key] = json.string(); });
      else
        entries.push_back(parse_entry(json, name));
    });
    json.end();
    return entries;
  }

  entry parse_entry(json_reader& json, std::string const& name) const {
    entry e{{name, {}, {}, {}}};
    std::array<std::uint64_t, 2> offsets{};
    std::size_t num_offsets = 0;
    bool typed = false, shaped = false;
    json.object([&](std::string const& field) {
      if (field == "dtype") {
        e.of.type = parse_type(json.string(), name);
        typed = true;
      } else if (field == "shape") {
        json.array([&] {
          if (e.of.extents.size() == most_extents)
            throw file_error(concat(where_, ": tensor ", printable(name), ": expected at most ", most_extents,
                                    " extents, found more"));
          e.of.extents.push_back(json.natural());
        });
        shaped = true;
      } else if (field == "data_offsets") {
        json.array([&] {
          std::uint64_t const offset = json.natural();
          if (num_offsets < offsets.size()) offsets[num_offsets] = offset;
          ++num_offsets;
        });
      } else {
        throw file_error(concat(where_, ": tensor ", printable(name),
                                ": expected dtype, shape and data_offsets, found ", printable(field)));
      }
    });
    if (!typed || !shaped || num_offsets != offsets.size())
      throw file_error(
          concat(where_, ": tensor ", printable(name), ": expected dtype, shape and two data_offsets, found ",
                 typed ? "" : "no dtype, ", shaped ? "" : "no shape, ", num_offsets, " offsets"));
    e.begin = offsets[0];
    e.end = offsets[1];
    return e;
  }

  dtype parse_type(std::string const& text, std::string const& name) const {
    for (int i = 0; i <= static_cast<int>(dtype::f64); ++i)
      if (facts_of(static_cast<dtype>(i)).name == text) return static_cast<dtype>(i);
    throw file_error(
        concat(where_, ": tensor ", printable(name), ": expected a known dtype, found ", printable(text)));
  }

  std::string where_;
  std::vector<std::byte> storage_;
  std::map<std::string, std::string> metadata_;
  std::vector<tensor> tensors_;
};

/// The beginning of a safetensors file that goes on with the tensors' bytes in this order: the header's size,
/// and the header, padded with spaces so that the data begin at a multiple of 8. Throws `contract_error`
/// where the bytes of a tensor do not fit its extents or a name comes twice.
inline std::string safetensors_header(std::span<tensor const> tensors,
                                      std::map<std::string, std::string> const& metadata) {
  std::string header = "{";
  if (!metadata.empty()) {
    header += "\"__metadata__\":{";
    for (auto const& [name, text] : metadata)
      header += (header.back() == '{' ? "" : ",") + json_string(name) + ":" + json_string(text);
    header += "}";
  }
  std::uint64_t at = 0;
  std::set<std::string_view> seen{"__metadata__"};
  for (auto const& t : tensors) {
    expects(seen.insert(t.name).second, "safetensors: the name ", t.name, " comes twice or is reserved");
    expects(byte_size(t.type, t.extents) == t.bytes.size(), "safetensors: tensor ", t.name,
            ": expected the bytes of ", facts_of(t.type).name, extents_text(t.extents), ", got ",
            t.bytes.size());
    header += concat(header.back() == '{' ? "" : ",", json_string(t.name), ":{\"dtype\":\"",
                     facts_of(t.type).name, "\",\"shape\":[");
    for (std::size_t i = 0; i < t.extents.size(); ++i)
      header += (i ? "," : "") + std::to_string(t.extents[i]);
    header += concat("],\"data_offsets\":[", at, ",", at + t.bytes.size(), "]}");
    at += t.bytes.size();
  }
  header += "}";
  header.resize((header.size() + 7) / 8 * 8, ' ');
  expects(header.size() <= tensor_file::largest_header, "safetensors: the header takes ", header.size(),
          " bytes, at most ", tensor_file::largest_header, " are allowed");
  std::uint64_t const size = header.size();
  std::string file(sizeof size, '\0');
  std::memcpy(file.data(), &size, sizeof size);
  return file + header;
}

/// Writes a safetensors file as `write_file_atomically` does. Throws `file_error` and `contract_error`.
inline void save_safetensors(std::filesystem::path const& path, std::span<tensor const> tensors,
                             std::map<std::string, std::string> const& metadata = {}) {
  std::string const header = safetensors_header(tensors, metadata);
  std::vector<std::span<std::byte const>> parts{std::as_bytes(std::span(header))};
  for (auto const& t : tensors) parts.push_back(t.bytes);
  write_file_atomically(path, parts);
}

}  // namespace batchmate
