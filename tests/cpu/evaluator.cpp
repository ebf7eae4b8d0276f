#include "toy_board.hpp"

#include <batchmate/cpu/evaluator.hpp>
#include <batchmate/eval/conformance.hpp>
#include <batchmate/eval/reference.hpp>
#include <batchmate/game/connect4.hpp>

#include <doctest/doctest.h>

#include <dlfcn.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <concepts>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <functional>
#include <iterator>
#include <map>
#include <memory>
#include <random>
#include <regex>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace bm = batchmate;
using bm::cpu::precision;

namespace {

using small = toys::toy_board<2, 5, 5, 26>;
using hex_like = toys::toy_board<3, 13, 13, 169>;
using with_globals = toys::toy_board<4, 6, 7, 7, 3>;
using many_planes = toys::toy_board<119, 7, 7, 50>;

static_assert(bm::evaluator_for<bm::onednn, small>);
static_assert(std::copyable<bm::onednn>);

/// Both precisions, or fp32 alone where bf16 is missing.
std::vector<precision> precisions() {
  if (bm::cpu::has_bf16()) return {precision::fp32, precision::bf16};
  return {precision::fp32};
}

/// Value and priors of one row, byte for byte.
template <class Game>
std::vector<float> answer(toys::owned_batch<Game>& batch, int b) {
  auto const view = batch.view();
  float const* const priors = view.priors_of(b);
  std::vector<float> all{view.values[b]};
  all.insert(all.end(), priors, priors + view.rows[b].legal.count());
  return all;
}

bool same_bits(std::vector<float> const& a, std::vector<float> const& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0;
}

/// Batches of the given sizes, drawn at random from a pool, against the pool's rows one at a time.
template <class Game>
void check_rows_stand_alone(bm::network const& net, bm::onednn_options const& options,
                            std::vector<int> const& sizes) {
  bm::onednn evaluator(net, options);
  evaluator.reserve({bm::layout_of<Game>(), 3, *std::max_element(sizes.begin(), sizes.end())});
  auto const pool = toys::positions<Game>(40, 11);
  std::vector<std::vector<float>> alone;
  for (auto const& position : pool) {
    toys::owned_batch<Game> one({position});
    evaluator.submit(0, one.view());
    alone.push_back(answer(one, 0));
  }
  std::mt19937 random(17);
  for (int const size : sizes) {
    std::vector<std::size_t> drawn(static_cast<std::size_t>(size));
    std::vector<Game> positions;
    for (auto& d : drawn) positions.push_back(pool[d = random() % pool.size()]);
    toys::owned_batch<Game> batch(positions);
    evaluator.submit(size % 3, batch.view());
    evaluator.wait(size % 3);
    int different = 0;
    for (int b = 0; b < size; ++b)
      different += !same_bits(answer(batch, b), alone[drawn[static_cast<std::size_t>(b)]]);
    CAPTURE(size);
    CHECK(different == 0);
  }
}

/// The largest difference of any value or prior to `reference`.
template <class Game>
float distance_to_reference(bm::network const& net, precision p, int count) {
  toys::owned_batch<Game> found(toys::positions<Game>(count, 3)), expected(found.positions);
  bm::onednn evaluator(net, {.precision = p});
  bm::reference reference(net);
  reference.reserve({bm::layout_of<Game>(), 1, count});
  evaluator.submit(0, found.view());
  reference.submit(0, expected.view());
  float worst = 0;
  for (int b = 0; b < count; ++b) {
    auto const x = answer(found, b), y = answer(expected, b);
    for (std::size_t i = 0; i < x.size(); ++i) {
      CHECK(std::isfinite(x[i]));
      worst = std::max(worst, std::abs(x[i] - y[i]));
    }
  }
  return worst;
}

template <class Game>
void check_against_reference(int blocks, int channels, int value_outputs) {
  CAPTURE(blocks);
  CAPTURE(channels);
  bm::network const net = toys::network_for<Game>(blocks, channels, value_outputs,
                                                  static_cast<std::uint64_t>(blocks * 1000 + channels));
  CHECK(distance_to_reference<Game>(net, precision::fp32, 9) < 1e-4f);
  if (bm::cpu::has_bf16()) CHECK(distance_to_reference<Game>(net, precision::bf16, 9) < 2e-2f);
}

std::vector<int> up_to(int last) {
  std::vector<int> all;
  for (int i = 1; i <= last; ++i) all.push_back(i);
  return all;
}

}  // namespace

TEST_CASE("onednn: a row's bits depend on its position alone, in batches of 1 to 64 rows") {
  for (auto const p : precisions()) {
    CAPTURE(bm::cpu::name_of(p));
    check_rows_stand_alone<small>(toys::network_for<small>(2, 24, 3, 1), {.precision = p}, up_to(64));
    check_rows_stand_alone<with_globals>(toys::network_for<with_globals>(1, 64, 1, 2), {.precision = p},
                                         up_to(64));
    check_rows_stand_alone<hex_like>(toys::network_for<hex_like>(1, 128, 3, 3), {.precision = p},
                                     {1, 2, 7, 16, 17, 33, 64});
    // With AVX-512 and these, oneDNN wants other weights for one row than for two, in the blocks and in the stem.
    check_rows_stand_alone<with_globals>(toys::network_for<with_globals>(1, 128, 3, 6), {.precision = p},
                                         {1, 2, 3, 16, 33});
    check_rows_stand_alone<many_planes>(toys::network_for<many_planes>(1, 64, 3, 7), {.precision = p},
                                        {1, 2, 3, 16, 33});
    check_rows_stand_alone<small>(toys::network_for<small>(1, 9, 3, 4), {.precision = p, .max_chunk = 7},
                                  up_to(64));
  }
}

TEST_CASE("onednn: keeps the evaluators' contract") {
  auto const net = toys::network_for<bm::connect4>(1, 8, 1, 4);
  for (precision const p : precisions())
    CHECK(bm::check_evaluator<bm::connect4>(bm::onednn(net, {.precision = p}), {.positions = 24, .rows = 20})
              .positions == 24);
}

TEST_CASE("onednn: a row's bits do not depend on the size of the chunks") {
  bm::network const net = toys::network_for<small>(2, 40, 3, 5);
  for (auto const p : precisions()) {
    toys::owned_batch<small> first(toys::positions<small>(50, 1));
    bm::onednn(net, {.precision = p, .max_chunk = 1}).submit(0, first.view());
    for (int chunk : {5, 16, 64}) {
      toys::owned_batch<small> other(first.positions);
      bm::onednn(net, {.precision = p, .max_chunk = chunk}).submit(0, other.view());
      for (int b = 0; b < 50; ++b) CHECK(same_bits(answer(first, b), answer(other, b)));
    }
  }
}

TEST_CASE(
    "onednn: answers agree with reference to 1e-4 in fp32 and 2e-2 in bf16, for networks of all kinds") {
  check_against_reference<small>(1, 8, 3);
  check_against_reference<small>(2, 20, 1);
  check_against_reference<small>(6, 33, 3);
  check_against_reference<with_globals>(3, 48, 3);
  check_against_reference<with_globals>(5, 17, 1);
  check_against_reference<with_globals>(1, 128, 3);
  check_against_reference<many_planes>(1, 64, 3);
  check_against_reference<hex_like>(4, 32, 3);
  check_against_reference<hex_like>(2, 128, 1);
  check_against_reference<small>(0, 16, 3);  // no block at all
}

TEST_CASE("onednn: two copies on two threads at once give the same answers as one") {
  bm::network const net = toys::network_for<hex_like>(2, 32, 3, 8);
  bm::onednn original(net);
  toys::owned_batch<hex_like> expected(toys::positions<hex_like>(57, 21));
  original.submit(0, expected.view());
  std::array<int, 2> different{};
  auto const work = [&](bm::onednn mine, int& wrong) {
    for (int round = 0; round < 10; ++round) {
      toys::owned_batch<hex_like> batch(expected.positions);
      mine.submit(0, batch.view());
      mine.wait(0);
      wrong +=
          std::memcmp(batch.values.data(), expected.values.data(), batch.values.size() * sizeof(float)) != 0;
      for (int b = 0; b < 57; ++b) wrong += !same_bits(answer(batch, b), answer(expected, b));
    }
  };
  std::thread one(work, original, std::ref(different[0])), two(work, original, std::ref(different[1]));
  one.join();
  two.join();
  CHECK(different[0] == 0);
  CHECK(different[1] == 0);
}

TEST_CASE("onednn: neither making an evaluator nor running it starts a thread, whatever OpenMP is set to") {
  auto const max = reinterpret_cast<int (*)()>(dlsym(RTLD_DEFAULT, "omp_get_max_threads"));
  auto const set = reinterpret_cast<void (*)(int)>(dlsym(RTLD_DEFAULT, "omp_set_num_threads"));
  bool const found = max && set;
  REQUIRE(found);
  auto const threads = [] {
    auto const all = std::filesystem::directory_iterator("/proc/self/task");
    return std::distance(begin(all), end(all));
  };
  int const before = max();
  auto const threads_before = threads();
  set(3);
  bm::onednn evaluator(toys::network_for<hex_like>(1, 32, 3, 1));
  toys::owned_batch<hex_like> batch(toys::positions<hex_like>(33, 1));
  evaluator.submit(0, batch.view());
  CHECK(threads() <= threads_before);  // a thread that was joined may be listed for a moment longer
  CHECK(max() == 3);
  set(before);
}

TEST_CASE("onednn: copies and moves serve after the original is gone") {
  toys::owned_batch<small> first(toys::positions<small>(3, 1)), second(first.positions),
      third(first.positions);
  auto original = std::make_unique<bm::onednn>(toys::network_for<small>(1, 16, 3, 9));
  original->submit(0, first.view());
  bm::onednn copy(*original);
  original.reset();
  copy.submit(0, second.view());
  bm::onednn moved(std::move(copy));
  moved.submit(0, third.view());
  for (int b = 0; b < 3; ++b) {
    CHECK(same_bits(answer(first, b), answer(second, b)));
    CHECK(same_bits(answer(first, b), answer(third, b)));
  }
}

TEST_CASE("onednn: what does not fit is refused with a sentence that says why") {
  bm::network const net = toys::network_for<small>(1, 8, 3, 1);
  bm::onednn evaluator(net);
  toys::owned_batch<hex_like> wrong(toys::positions<hex_like>(1, 1));
  CHECK_THROWS_AS(evaluator.submit(0, wrong.view()), bm::contract_error);
  CHECK_THROWS_AS(evaluator.reserve({bm::layout_of<hex_like>(), 1, 8}), bm::contract_error);
  CHECK_THROWS_AS(evaluator.reserve({bm::layout_of<small>(), 1, 0}), bm::contract_error);
  CHECK_THROWS_AS(bm::onednn(net, {.max_chunk = 0}), bm::contract_error);
  CHECK_THROWS_AS(bm::onednn(net, {.max_chunk = 257}), bm::contract_error);
  bm::network broken = net;
  broken.blocks[0].first.bias.pop_back();
  CHECK_THROWS_AS(bm::onednn{broken}, bm::contract_error);
  bm::network other_game = toys::network_for<bm::connect4>(1, 8, 3, 1);
  other_game.game = "chess";
  bm::onednn for_chess(other_game);
  toys::owned_batch<bm::connect4> start({bm::connect4{}});
  CHECK_THROWS_AS(for_chess.submit(0, start.view()), bm::contract_error);
}

TEST_CASE("onednn: memory grows with the rows reserved up to one chunk, and no further") {
  bm::onednn evaluator(toys::network_for<small>(2, 32, 3, 1), {.max_chunk = 8});
  auto const bytes = [&](int rows) { return evaluator.memory_bytes({bm::layout_of<small>(), 2, rows}); };
  CHECK(bytes(1) > 2u * 25 * 32 * 2);  // two images of two bytes a number at least
  CHECK(bytes(8) >= bytes(1) + 7u * 2 * 25 * 32 * 2);
  CHECK(bytes(1000) == bytes(8));
  toys::owned_batch<small> batch(toys::positions<small>(20, 1)), again(batch.positions);
  evaluator.reserve({bm::layout_of<small>(), 1, 3});  // smaller chunks than it could have
  evaluator.submit(0, batch.view());
  evaluator.reserve({bm::layout_of<small>(), 1, 20});
  evaluator.submit(0, again.view());
  for (int b = 0; b < 20; ++b) CHECK(same_bits(answer(batch, b), answer(again, b)));
}

TEST_CASE("onednn: the identity names library, precision, instruction set, network and its hash") {
  bm::network net = toys::network_for<small>(1, 16, 3, 1);
  std::string const fp32 = bm::onednn(net, {.precision = precision::fp32}).identity();
  CHECK(fp32.starts_with(bm::cpu::library_name() + ":fp32:" + bm::cpu::isa_name() +
                         (bm::dense_is_fused() ? "+fma:" : ":") + net.name + ":"));
  CHECK(bm::onednn(net).identity().find(bm::cpu::has_bf16() ? ":bf16:" : ":fp32:") != std::string::npos);
  net.stem.weights[0] += 1;
  CHECK(bm::onednn(net, {.precision = precision::fp32}).identity() != fp32);
}

TEST_CASE("onednn: an empty batch is no work") {
  bm::onednn evaluator(toys::network_for<small>(1, 16, 3, 1));
  evaluator.submit(0, bm::batch<small>{});
  evaluator.wait(0);
}

TEST_CASE("onednn: the instruction set is the one that DNNL_MAX_CPU_ISA asked for") {
  if (char const* const wanted = std::getenv("BATCHMATE_TEST_ISA")) CHECK(bm::cpu::isa_name() == wanted);
}

TEST_CASE(
    "every instruction set passes all of these tests, each convolution on one implementation that is not "
    "reference loops") {
  // oneDNN reads DNNL_MAX_CPU_ISA once in a process, so each instruction set gets a process of its own.
  using dnnl::cpu_isa;
  struct choice {
    cpu_isa isa;
    char const *variable, *name;
  };
  choice const all[] = {{cpu_isa::sse41, "SSE41", "sse41"},
                        {cpu_isa::avx2, "AVX2", "avx2"},
                        {cpu_isa::avx512_core, "AVX512_CORE", "avx512_core"},
                        {cpu_isa::avx512_core_bf16, "AVX512_CORE_BF16", "avx512_core_bf16"},
                        {cpu_isa::avx512_core_amx, "AVX512_CORE_AMX", "avx512_core_amx"}};
  auto const here = static_cast<unsigned>(dnnl::get_effective_cpu_isa());
  std::array<char, 4096> path{};
  REQUIRE(readlink("/proc/self/exe", path.data(), path.size() - 1) > 0);
  int run = 0;
  for (auto const& each : all) {
    if ((here & static_cast<unsigned>(each.isa)) != static_cast<unsigned>(each.isa)) continue;
    std::string const command = bm::concat(
        "env -u ONEDNN_VERBOSE -u ONEDNN_MAX_CPU_ISA DNNL_VERBOSE=1 DNNL_MAX_CPU_ISA=", each.variable,
        " BATCHMATE_TEST_ISA=", each.name, " '", path.data(), "' --test-case='onednn: *' 2>&1");
    CAPTURE(command);
    FILE* const child = popen(command.c_str(), "r");
    REQUIRE(child != nullptr);
    std::string output;
    std::map<std::string, std::set<std::string>> implementations;  // of each convolution, whatever its rows
    for (std::array<char, 4096> line; std::fgets(line.data(), line.size(), child);) {
      std::string const text = line.data();
      static std::regex const ran(
          "exec,cpu,convolution,([^,]*),.*(src_\\w+):.*(attr-[^,]*),.*,mb[0-9]+_([^,]*),");
      if (std::smatch told; std::regex_search(text, told, ran))
        implementations[told.str(2) + told.str(3) + told.str(4)].insert(told.str(1));
      else if (text.find("_verbose,") == text.npos)
        output += text;
    }
    int const status = pclose(child);
    CAPTURE(output);
    CHECK(status == 0);
    CHECK(implementations.size() >= 10);
    for (auto const& [convolution, names] : implementations) {
      CAPTURE(convolution);
      CHECK(names.size() == 1);  // two of them might add up in other orders
      CHECK(!names.begin()->starts_with("ref"));
    }
    ++run;
  }
  CHECK(run > 0);
}
