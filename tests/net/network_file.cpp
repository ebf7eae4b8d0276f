#include "temporary_folder.hpp"

#include <batchmate/net/network_file.hpp>
#include <batchmate/net/random_network.hpp>

#include <doctest/doctest.h>

#include <cmath>
#include <functional>
#include <limits>
#include <map>
#include <string>
#include <vector>

using namespace batchmate;

namespace {

network small_network(int value_outputs = 3) {
  network net = random_network({.input = {2, 3, 4},
                                .num_globals = 1,
                                .num_actions = 5,
                                .blocks = 2,
                                .channels = 4,
                                .policy_channels = 2,
                                .value_channels = 1,
                                .hidden = 6,
                                .value_outputs = value_outputs},
                               7);
  net.game = "some game";
  return net;
}

/// A network's file in parts that a test may spoil.
struct parts {
  std::map<std::string, std::string> metadata;
  std::vector<tensor> tensors;
};

/// The message of the error that loading a spoilt file ends with.
std::string message_of(std::function<void(parts&)> const& spoil) {
  temporary_folder const folder;
  save_network(small_network(), folder / "net");
  tensor_file const file(folder / "net");
  parts p{file.metadata(), file.tensors()};
  spoil(p);
  save_safetensors(folder / "net", p.tensors, p.metadata);
  try {
    load_network(folder / "net");
  } catch (file_error const& e) {
    std::string const where = (folder / "net").string() + ": ", text = e.what();
    REQUIRE(text.starts_with(where));
    return text.substr(where.size());
  }
  return "no error";
}

tensor& find(parts& p, std::string_view name) {
  for (auto& t : p.tensors)
    if (t.name == name) return t;
  throw contract_error("no such tensor");
}

std::vector<std::byte> bits(std::vector<std::uint16_t> const& halves) {
  std::vector<std::byte> bytes(halves.size() * 2);
  std::memcpy(bytes.data(), halves.data(), bytes.size());
  return bytes;
}

}  // namespace

TEST_CASE("a network that is saved is loaded with every bit") {
  temporary_folder const folder;
  for (int const value_outputs : {3, 1}) {
    network const net = small_network(value_outputs);
    save_network(net, folder / "my-net.safetensors");
    network const loaded = load_network(folder / "my-net.safetensors");
    CHECK(loaded.name == "my-net");
    CHECK(loaded.game == "some game");
    CHECK(extents_of(loaded) == extents_of(net));
    CHECK(network_hash(loaded) == network_hash(net));
  }
  CHECK(folder.names() == std::vector<std::string>{"my-net.safetensors"});
}

TEST_CASE("the file has the documented names, shapes and metadata") {
  temporary_folder const folder;
  save_network(small_network(), folder / "net");
  tensor_file const file(folder / "net");
  CHECK(file.metadata() == std::map<std::string, std::string>{{"format", "batchmate-network-1"},
                                                              {"game", "some game"},
                                                              {"planes", "2"},
                                                              {"rows", "3"},
                                                              {"columns", "4"},
                                                              {"globals", "1"},
                                                              {"actions", "5"},
                                                              {"blocks", "2"},
                                                              {"channels", "4"},
                                                              {"value", "wdl"}});
  std::vector<std::string> found;
  for (auto const& t : file.tensors()) found.push_back(t.name + extents_text(t.extents));
  CHECK(found == std::vector<std::string>{"stem.weight(4, 3, 3, 3)",
                                          "stem.bias(4)",
                                          "blocks.0.first.weight(4, 4, 3, 3)",
                                          "blocks.0.first.bias(4)",
                                          "blocks.0.second.weight(4, 4, 3, 3)",
                                          "blocks.0.second.bias(4)",
                                          "blocks.1.first.weight(4, 4, 3, 3)",
                                          "blocks.1.first.bias(4)",
                                          "blocks.1.second.weight(4, 4, 3, 3)",
                                          "blocks.1.second.bias(4)",
                                          "policy_conv.weight(2, 4, 1, 1)",
                                          "policy_conv.bias(2)",
                                          "policy.weight(5, 24)",
                                          "policy.bias(5)",
                                          "value_conv.weight(1, 4, 1, 1)",
                                          "value_conv.bias(1)",
                                          "value_hidden.weight(6, 12)",
                                          "value_hidden.bias(6)",
                                          "value.weight(3, 6)",
                                          "value.bias(3)"});
}

TEST_CASE("a file that is no fitting network is refused by what was expected and found") {
  CHECK(message_of([](parts&) {}) == "no error");
  auto const metadata = [](char const* key, char const* text) {
    return message_of([=](parts& p) { p.metadata[key] = text; });
  };
  CHECK(metadata("format", "x") == "metadata format: expected batchmate-network-1, found x");
  CHECK(metadata("value", "x") == "metadata value: expected wdl or scalar, found x");
  CHECK(metadata("value", "scalar") == "tensor value.weight: expected (1, 6), found (3, 6)");
  CHECK(metadata("planes", "3") == "tensor stem.weight: expected (4, 4, 3, 3), found (4, 3, 3, 3)");
  CHECK(metadata("actions", "6") == "tensor policy.weight: expected (6, 24), found (5, 24)");
  CHECK(metadata("blocks", "1") == "expected 16 tensors for 1 blocks, found 20");
  CHECK(metadata("blocks", "3") == "expected a tensor blocks.2.first.weight, found none");
  CHECK(metadata("blocks", "2x") == "metadata blocks: expected an integer, found 2x");
  CHECK(metadata("blocks", "") == "metadata blocks: expected an integer, found ");
  CHECK(metadata("blocks", "99999999999") == "metadata blocks: expected an integer, found 99999999999");
  CHECK(metadata("channels", "-4") == "network: channels must be 1 to 8192, got -4");
  CHECK(metadata("rows", "2147483647") == "network: rows must be 1 to 64, got 2147483647");
  CHECK(message_of([](parts& p) { p.metadata.erase("game"); }) == "expected metadata game, found none");
  CHECK(message_of([](parts& p) { find(p, "value.bias").name = "x"; }) ==
        "expected a tensor value.bias, found none");
  CHECK(message_of([](parts& p) {
          p.tensors.push_back({"x", dtype::f32, {0}, {}});
        }) == "expected 20 tensors for 2 blocks, found 21");
  CHECK(message_of([](parts& p) { find(p, "stem.bias").type = dtype::i32; }) ==
        "tensor stem.bias: expected F32, F16 or BF16, found I32");
  CHECK(message_of([](parts& p) {
          find(p, "policy_conv.weight").extents = {4, 2};
        }) == "tensor policy_conv.weight: expected (4, 4, 1, 1), found (4, 2)");
  CHECK(message_of([](parts& p) {
          find(p, "policy_conv.weight").extents = {};
          find(p, "policy_conv.weight").bytes = find(p, "stem.bias").bytes.first(4);
        }) == "tensor policy_conv.weight: expected 2 or 4 sensible extents, found ()");
}

TEST_CASE("a file's own words come into messages short and printable") {
  auto const metadata = [](char const* key, std::string const& text) {
    return message_of([=](parts& p) { p.metadata[key] = text; });
  };
  std::string const hostile = "\x1b[2J" + std::string(1000, 'n'),
                    shown = "?[2J" + std::string(76, 'n') + "...";
  CHECK(metadata("format", hostile) == "metadata format: expected batchmate-network-1, found " + shown);
  CHECK(metadata("value", hostile) == "metadata value: expected wdl or scalar, found " + shown);
  CHECK(metadata("rows", hostile) == "metadata rows: expected an integer, found " + shown);
  CHECK(metadata("game", hostile) == "metadata game: expected a short printable name, found " + shown);
  network net = small_network();
  net.game = hostile;
  CHECK_THROWS_WITH_AS(save_network(net, "nowhere"), doctest::Contains("must be short and printable"),
                       contract_error);
}

TEST_CASE("tensors that no layer asks for are refused before any is looked up") {
  CHECK(message_of([](parts& p) {
          find(p, "value.bias").name = "x";
          for (int i = 0; i < 100; ++i) p.tensors.push_back({std::to_string(i), dtype::f32, {0}, {}});
        }) == "expected 20 tensors for 2 blocks, found 120");
}

TEST_CASE("weights that are not finite are refused by their place") {
  for (float const bad : {std::numeric_limits<float>::infinity(), std::numeric_limits<float>::quiet_NaN()}) {
    std::vector<float> const bias{0, 1, bad, 3};
    CHECK(message_of([&](parts& p) { find(p, "stem.bias").bytes = std::as_bytes(std::span(bias)); }) ==
          concat("tensor stem.bias: expected finite numbers, found ", bad, " at 2"));
  }
}

TEST_CASE("half precision is widened exactly") {
  auto const widened = [](dtype type, std::vector<std::uint16_t> const& halves) {
    auto const bytes = bits(halves);
    return finite_floats({"t", type, {halves.size()}, bytes}, "file");
  };
  CHECK(widened(dtype::f16, {0x3c00, 0xc000, 0x7bff, 0x0001, 0x0400, 0x3555}) ==
        std::vector<float>{1, -2, 65504, 0x1p-24f, 0x1p-14f, 0x1.554p-2f});
  CHECK(std::signbit(widened(dtype::f16, {0x8000})[0]));
  CHECK(widened(dtype::bf16, {0x3f80, 0xc000, 0x4049}) == std::vector<float>{1, -2, 3.140625f});
  CHECK_THROWS_AS(widened(dtype::f16, {0x7c00}), file_error);
  CHECK_THROWS_AS(widened(dtype::f16, {0xfe00}), file_error);
  CHECK_THROWS_AS(widened(dtype::bf16, {0xff80}), file_error);
}

TEST_CASE("a network that does not fit itself is not saved, and nothing is left behind") {
  temporary_folder const folder;
  network net = small_network();
  net.stem.weights.pop_back();
  CHECK_THROWS_AS(save_network(net, folder / "net"), contract_error);
  CHECK(folder.names().empty());
  CHECK_THROWS_WITH_AS(save_network(small_network(), folder / "no/net"),
                       doctest::Contains("no/net.tmp: cannot create"), file_error);
}

TEST_CASE("truncated and mutated networks are refused or loaded soundly") {
  temporary_folder const folder;
  save_network(small_network(), folder / "net");
  auto const bytes = read_file(folder / "net", 100'000);
  int refused = 0;
  for (std::size_t size = 0; size < bytes.size(); size += 7) {
    std::vector<std::byte> const cut(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(size));
    CHECK_THROWS_AS(network_from(tensor_file(cut, "file"), "n"), file_error);
  }
  random_stream random(random_key{2}.split(purpose::test));
  for (int round = 0; round < 10'000; ++round) {
    auto mutant = bytes;
    std::size_t const header = 1800;
    mutant[random.below(header)] ^= std::byte{1} << random.below(8);
    try {
      check_network(network_from(tensor_file(mutant, "file"), "n"));
    } catch (file_error const&) {
      ++refused;
    }
  }
  CHECK(refused > 9'000);
}
