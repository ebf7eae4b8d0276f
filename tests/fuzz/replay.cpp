// Runs a fuzz target without libFuzzer, the same inputs every time: every file of a corpus, all that it begins with,
// each byte with one bit changed, and some thousand inputs that are changed at random from a fixed seed.
//
//   NAME CORPUS_FOLDER     the test fuzz/NAME
//   NAME FILE              one input, say one that a fuzzer has found

#include "fuzz.hpp"

#include <batchmate/core/random.hpp>

#include <malloc.h>

#include <algorithm>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <new>
#include <string>
#include <vector>

extern "C" {
[[gnu::weak]] std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size, std::size_t max_size,
                                                  unsigned seed);
[[gnu::weak]] void __sanitizer_set_death_callback(void (*callback)());
}

namespace {

using input = std::vector<std::uint8_t>;

input const* current = nullptr;           // what the target works on
std::size_t live = 0, budget = SIZE_MAX;  // bytes that are held, and that may be

/// Leaves the input that a fault was found with in the folder that the program runs in.
void save_finding() {
  if (!current) return;
  if (std::FILE* const file = std::fopen("finding", "wb")) {
    std::fwrite(current->data(), 1, current->size(), file);
    std::fclose(file);
    std::fputs("fuzz: the input is in the file 'finding'\n", stderr);
  }
}

/// No target needs more memory than this; a reader that believes a length it was told asks for far more.
std::size_t allowed(std::size_t input_size) { return (std::size_t{1} << 20) + 256 * input_size; }

void run(input const& bytes) {
  input const exact(bytes.begin(), bytes.end());  // no spare capacity behind the last byte
  current = &exact;
  budget = live + allowed(exact.size());
  LLVMFuzzerTestOneInput(exact.data(), exact.size());
  budget = SIZE_MAX;
  current = nullptr;
}

input read(std::filesystem::path const& path) {
  std::ifstream file(path, std::ios::binary);
  input bytes{std::istreambuf_iterator<char>(file), {}};
  if (!file) throw batchmate::file_error(path.string() + ": cannot read");
  return bytes;
}

/// All that is tried with one file of the corpus. Returns how many inputs.
int replay(input const& seed, int rounds) {
  int inputs = 1;
  run(seed);
  for (std::size_t size = 0; size < seed.size(); ++size, ++inputs)
    run({seed.begin(), seed.begin() + static_cast<std::ptrdiff_t>(size)});
  batchmate::random_stream random(batchmate::random_key{seed.size()}.split(batchmate::purpose::test));
  for (std::size_t at = 0; at < seed.size(); ++at, ++inputs) {
    input flipped = seed;
    flipped[at] = static_cast<std::uint8_t>(flipped[at] ^ 1u << random.below(8));
    run(flipped);
  }
  input changed;
  for (int round = 0; round < rounds; ++round, ++inputs) {
    if (round % 4 == 0) changed = seed;  // the others go on from the last
    std::size_t const size = changed.size(), max_size = seed.size() + 1024;
    changed.resize(std::max(size, max_size));
    bool const knows_format = LLVMFuzzerCustomMutator && random.below(2);
    changed.resize(knows_format ? LLVMFuzzerCustomMutator(changed.data(), size, changed.size(),
                                                          static_cast<unsigned>(random.bits()))
                                : LLVMFuzzerMutate(changed.data(), size, changed.size()));
    run(changed);
  }
  return inputs;
}

}  // namespace

// The program's own, so that a reader that allocates what a file claims is found without a sanitizer.
// Not inlined, or gcc sees that new memory is freed by free() and warns.
[[gnu::noinline]] void* operator new(std::size_t size) {
  if (size > budget || live > budget - size) {
    std::fprintf(stderr, "fuzz: an input of %zu bytes asks for %zu bytes of memory\n", current->size(), size);
    std::abort();
  }
  void* const block = std::malloc(std::max<std::size_t>(size, 1));
  if (!block) throw std::bad_alloc();
  live += malloc_usable_size(block);
  return block;
}
void* operator new(std::size_t size, std::nothrow_t const&) noexcept { return operator new(size); }
[[gnu::noinline]] void operator delete(void* block) noexcept {
  if (block) live -= malloc_usable_size(block);
  std::free(block);
}
void operator delete(void* block, std::size_t) noexcept { operator delete(block); }

extern "C" std::size_t LLVMFuzzerMutate(std::uint8_t* data, std::size_t size, std::size_t max_size) {
  static batchmate::random_stream random(batchmate::random_key{1}.split(batchmate::purpose::test));
  auto const below = [&](std::size_t n) { return random.below(static_cast<std::uint32_t>(n)); };
  auto const byte = [&] {
    constexpr char common[] = "0123456789[]{},:\".xo/ ";
    return static_cast<std::uint8_t>(random.below(2) ? common[below(sizeof common)] : below(256));
  };
  for (auto changes = 1 + below(3); changes > 0; --changes) {
    auto const what = below(4);
    if (what == 0 && size < max_size) {
      std::size_t const at = below(size + 1);
      std::copy_backward(data + at, data + size, data + size + 1);
      data[at] = byte();
      ++size;
    } else if (what == 1 && size > 0) {
      std::size_t const at = below(size), gone = 1 + below(std::min<std::size_t>(size - at, 4));
      std::copy(data + at + gone, data + size, data + at);
      size -= gone;
    } else if (what == 2 && size > 0) {
      std::size_t const from = below(size), to = below(size), length = below(size - std::max(from, to)) + 1;
      std::memmove(data + to, data + from, length);
    } else if (size > 0) {
      data[below(size)] = byte();
    }
  }
  return size;
}

int main(int count, char** arguments) {
  if (count != 2) {
    std::fprintf(stderr, "usage: %s CORPUS_FOLDER | FILE\n", arguments[0]);
    return 2;
  }
  for (int const signal : {SIGABRT, SIGSEGV, SIGFPE, SIGILL})
    std::signal(signal, [](int number) {
      std::signal(number, SIG_DFL);
      save_finding();
      std::raise(number);
    });
  if (__sanitizer_set_death_callback) __sanitizer_set_death_callback(save_finding);

  std::filesystem::path const given = arguments[1];
  if (std::filesystem::is_regular_file(given)) {
    run(read(given));
    std::puts("1 input");
    return 0;
  }
  std::vector<std::filesystem::path> files;
  for (auto const& entry : std::filesystem::directory_iterator(given)) files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  if (files.empty()) {
    std::fprintf(stderr, "%s: no inputs\n", given.c_str());
    return 1;
  }
  int inputs = 0;
  for (auto const& file : files) inputs += replay(read(file), 1000);
  std::printf("%zu files, %d inputs\n", files.size(), inputs);
}
