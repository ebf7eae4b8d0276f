// Any bytes as a safetensors file.

#include "container.hpp"

#include <batchmate/net/safetensors.hpp>

using namespace batchmate;

namespace {

/// A tensor's size, told in another way than the library tells it.
bool has_size(tensor const& t, std::uint64_t size) {
  if (std::ranges::count(t.extents, 0u)) return size == 0;
  for (auto extent = t.extents.rbegin(); extent != t.extents.rend(); ++extent) {
    if (size % *extent != 0) return false;
    size /= *extent;
  }
  return size == facts_of(t.type).bytes;
}

/// The tensors are all that lies behind the header, one right after the other.
void check_tensors(tensor_file const& file, std::uint8_t const* data, std::size_t size) {
  std::uint64_t header = 0;
  std::memcpy(&header, data, sizeof header);
  std::size_t at = sizeof header + header, sum = 0;
  for (tensor const& t : file.tensors()) {
    fuzz::require(t.bytes.data() == fuzz::bytes_of(data, size).data() + at, "tensors follow one another");
    fuzz::require(has_size(t, t.bytes.size()), "a tensor's bytes fit its extents");
    fuzz::require(file.at(t.name).bytes.data() == t.bytes.data(), "a tensor is found by its name");
    at += t.bytes.size();
    for (std::byte const b : t.bytes) sum += std::to_integer<std::size_t>(b);  // a sanitizer sees these reads
  }
  fuzz::require(at == size && sum <= 255 * size, "the tensors end where the file does");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
  fuzz::reads_or_refuses([&] {
    tensor_file const file(fuzz::bytes_of(data, size), "file");
    check_tensors(file, data, size);
    std::string const again = fuzz::file_of(fuzz::parts_of(fuzz::bytes_of(data, size)));
    tensor_file const copy(std::as_bytes(std::span(again)), "copy");
    fuzz::require(copy.metadata() == file.metadata() && copy.tensors().size() == file.tensors().size(),
                  "what was read can be written and read again");
    for (std::size_t i = 0; i < copy.tensors().size(); ++i) {
      tensor const &a = file.tensors()[i], &b = copy.tensors()[i];
      fuzz::require(a.name == b.name && a.type == b.type && a.extents == b.extents &&
                        std::ranges::equal(a.bytes, b.bytes),
                    "a tensor is read again as it was");
    }
  });
  return 0;
}

extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size, std::size_t max_size,
                                               unsigned seed) {
  return fuzz::mutate_container(data, size, max_size, seed);
}
