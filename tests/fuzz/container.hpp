#pragma once

// Changes to safetensors files that blind changes of bytes hardly ever find: they keep the header's length right, or
// the whole container sound.

#include "fuzz.hpp"

#include <batchmate/core/random.hpp>
#include <batchmate/net/safetensors.hpp>

#include <algorithm>
#include <array>
#include <cstring>
#include <map>
#include <string>
#include <vector>

namespace fuzz {

/// A tensor that owns its bytes.
struct owned_tensor {
  batchmate::tensor what;  ///< its `bytes` are not used
  std::string bytes;       ///< of its numbers
};

/// A safetensors file taken apart.
struct container {
  std::map<std::string, std::string> metadata;
  std::vector<owned_tensor> tensors;
};

/// The parts of a file. Throws `file_error` for an unsound one.
inline container parts_of(std::span<std::byte const> bytes) {
  batchmate::tensor_file const file(bytes, "file");
  container parts{file.metadata(), {}};
  for (auto const& t : file.tensors())
    parts.tensors.push_back({t, {reinterpret_cast<char const*>(t.bytes.data()), t.bytes.size()}});
  return parts;
}

/// The file of these parts. Throws `contract_error` where they do not fit one another.
inline std::string file_of(container const& parts) {
  std::vector<batchmate::tensor> tensors;
  for (auto const& t : parts.tensors) {
    tensors.push_back(t.what);
    tensors.back().bytes = std::as_bytes(std::span(t.bytes));
  }
  std::string file = batchmate::safetensors_header(tensors, parts.metadata);
  for (auto const& t : parts.tensors) file += t.bytes;
  return file;
}

/// A text as libFuzzer changes it.
inline std::string mutated(std::string text, std::size_t room) {
  std::size_t const size = text.size();
  text.resize(size + room);
  text.resize(LLVMFuzzerMutate(reinterpret_cast<std::uint8_t*>(text.data()), size, text.size()));
  return text;
}

/// Gives a tensor as many bytes as its type and extents ask for, unless these are many.
inline void fit_bytes(owned_tensor& t) {
  auto const size = batchmate::byte_size(t.what.type, t.what.extents);
  if (size && *size < 4096) t.bytes.resize(*size, '\x3c');
}

/// Changes one tensor's type, extents, name or place, so that the file stays sound, or nearly.
inline void change_tensor(container& parts, batchmate::random_stream& random) {
  auto const any = [&] { return random.below(static_cast<std::uint32_t>(parts.tensors.size())); };
  auto const at = any();
  auto& t = parts.tensors[at];
  auto& extents = t.what.extents;
  switch (random.below(7)) {
    case 0:
      t.what.type = static_cast<batchmate::dtype>(random.below(13));
      break;
    case 1:
      extents.insert(extents.begin(), random.below(3));
      break;
    case 2:
      if (!extents.empty()) extents.pop_back();
      break;
    case 3:
      if (!extents.empty())
        extents[random.below(static_cast<std::uint32_t>(extents.size()))] =
            random.below(2) ? random.below(5) : random.bits() >> random.below(64);
      break;
    case 4:
      parts.tensors.push_back(t);
      parts.tensors.back().what.name += "2";
      return;
    case 5:
      parts.tensors.erase(parts.tensors.begin() + at);
      return;
    default:
      std::swap(t.what.name, parts.tensors[any()].what.name);
      return;
  }
  fit_bytes(t);
}

/// Changes a tensor or a piece of metadata of a sound file; empty for an unsound one.
inline std::string changed_parts(std::span<std::byte const> bytes, batchmate::random_stream& random) {
  try {
    container parts = parts_of(bytes);
    for (auto changes = 1 + random.below(3); changes > 0; --changes) {
      bool const texts = random.below(2) && !parts.metadata.empty();
      if (texts) {
        auto const which = random.below(static_cast<std::uint32_t>(parts.metadata.size()));
        std::string& text = std::next(parts.metadata.begin(), which)->second;
        text = random.below(2) ? std::to_string(random.below(5)) : mutated(text, 8);
      } else if (!parts.tensors.empty()) {
        change_tensor(parts, random);
      }
    }
    return file_of(parts);
  } catch (batchmate::error const&) {
    return {};
  }
}

/// Changes the header's text or the data behind it, and makes the header's length right again.
inline std::string changed_text(std::string_view file, batchmate::random_stream& random) {
  std::uint64_t size = 0;
  if (file.size() >= sizeof size) std::memcpy(&size, file.data(), sizeof size);
  file.remove_prefix(std::min(file.size(), sizeof size));
  std::string header(file.substr(0, size)), data(file.substr(header.size()));
  if (random.below(4) == 0)
    data = mutated(data, 64);
  else
    header = mutated(header, 64);
  size = header.size();
  std::string changed(sizeof size, '\0');
  std::memcpy(changed.data(), &size, sizeof size);
  return changed + header + data;
}

/// What `LLVMFuzzerCustomMutator` does for a file that is a safetensors container.
inline std::size_t mutate_container(std::uint8_t* data, std::size_t size, std::size_t max_size,
                                    unsigned seed) {
  batchmate::random_stream random(batchmate::random_key{seed});
  std::string changed;
  auto const way = random.below(8);
  if (way < 4) changed = changed_parts(bytes_of(data, size), random);
  if (changed.empty() && way < 7) changed = changed_text(text_of(data, size), random);
  if (changed.empty() || changed.size() > max_size) return LLVMFuzzerMutate(data, size, max_size);
  std::memcpy(data, changed.data(), changed.size());
  return changed.size();
}

}  // namespace fuzz
