/// Finds the fastest cuDNN plan for a network on this machine's GPU and writes it to a file for `selfplay`.
#include <batchmate/net/atomic_file.hpp>

#include <common/cudnn.hpp>
#include <common/flags.hpp>
#include <common/games.hpp>
#include <common/networks.hpp>
#include <common/program.hpp>

#include <CLI/CLI.hpp>

#include <cstddef>
#include <cstdio>
#include <span>
#include <string>
#include <vector>

namespace {

char const* const examples = R"(Example:
  tune --game hex13 --network random:10x128:1 --out hex13.plan
      times every engine that cuDNN offers for the tower's convolutions, which takes up to a minute

A plan decides how sums are rounded, so another plan gives other games: it is part of the evaluator's identity, and
nothing tunes by itself. It is for one version of cuDNN; another one refuses it.)";

}  // namespace

int main(int argc, char** argv) {
  return common::guarded("tune", [&] {
    std::string game = common::default_game("hex13"), network = "random:10x128:1", precision = "auto", out;
    CLI::App app("Finds the fastest plan for a network on this machine's GPU.", "tune");
    app.footer(examples);
    app.add_option("--game", game, "The game")
        ->check(CLI::IsMember(common::game_names()))
        ->capture_default_str();
    app.add_option("--network", network, "A file, 'shipped', or random:BLOCKSxCHANNELS:SEED")
        ->capture_default_str();
    app.add_option("--precision", precision, "auto is fp16")
        ->check(CLI::IsMember(std::vector<std::string>{"auto", "fp16", "bf16", "fp32"}))
        ->capture_default_str();
    app.add_option("--out", out, "The file to write")->required();
    if (auto const status = common::parse(app, argc, argv)) return *status;
    if (std::string const why_not = common::why_no_cudnn(); !why_not.empty())
      throw batchmate::contract_error(why_not);
    auto const facts = common::with_game(game, []<batchmate::game G>() { return common::facts_of<G>(); });
    auto const net = common::find_network("--network", network, facts);
    std::string const plan = common::tune_cudnn(
        net, precision, [](std::string const& line) { std::fprintf(stderr, "%s\n", line.c_str()); });
    std::span<std::byte const> const bytes = std::as_bytes(std::span(plan));
    std::printf("%s", plan.c_str());
    batchmate::write_file_atomically(out, {&bytes, 1});
    return 0;
  });
}
