#pragma once

#include <batchmate/eval/heads.hpp>
#include <batchmate/net/network_file.hpp>
#include <batchmate/net/random_network.hpp>

#include <common/game_facts.hpp>
#include <common/program.hpp>
#include <common/text.hpp>

#include <filesystem>
#include <string>
#include <system_error>

namespace common {

/// The file of the network shipped for a game: beside the program, else where it was built from.
inline std::filesystem::path shipped_network(std::string const& game) {
  std::error_code none;
  auto const file = std::filesystem::path("networks") / (game + ".safetensors");
  auto const beside = std::filesystem::read_symlink("/proc/self/exe", none).parent_path() / file;
  if (std::filesystem::exists(beside, none)) return beside;
  return std::filesystem::path(BATCHMATE_NETWORKS_DIR) / file.filename();
}

/// A network from a file, with the file named in every error. All that names the network is written as UTF-8, so that its
/// name has to be that.
inline batchmate::network network_from_file(std::filesystem::path const& path, game_facts const& game) {
  batchmate::network net = batchmate::load_network(path);
  if (net.name != shown(net.name))
    throw batchmate::file_error(
        shown(path.string()) +
        ": expected a name of printable UTF-8, as rows and results name their network");
  try {
    batchmate::check_fits(net, game.layout, game.name);
  } catch (batchmate::contract_error const& e) {
    throw batchmate::file_error(path.string() + ": " + e.what());
  }
  return net;
}

/// The network that a flag names for a game: a file, `shipped`, or `random:BLOCKSxCHANNELS:SEED`. Throws
/// `usage_error` for a text that is none of these, `file_error` for a file that cannot be read or is for
/// another game; messages name the flag.
inline batchmate::network find_network(std::string const& flag, std::string const& text,
                                       game_facts const& game) {
  if (text.starts_with("random:")) {
    auto const spec = batchmate::parse_random_network_spec(text);
    if (!spec) throw usage_error(flag + ": expected random:BLOCKSxCHANNELS:SEED, found " + text);
    batchmate::network_extents const extents{.input = game.layout.input,
                                             .num_globals = game.layout.num_globals,
                                             .num_actions = game.layout.num_actions,
                                             .blocks = spec->blocks,
                                             .channels = spec->channels};
    try {
      batchmate::network net = batchmate::random_network(extents, spec->seed);
      net.game = game.name;
      return net;
    } catch (batchmate::contract_error const& e) {
      throw usage_error(flag + " " + text + ": " + e.what());
    }
  }
  if (text != "shipped") return network_from_file(text, game);
  auto const path = shipped_network(game.name);
  if (!std::filesystem::exists(path))
    throw batchmate::file_error(path.string() + ": no network is shipped for " + game.name +
                                "; name a file with " + flag + ", or try " + flag + " random:4x32:1");
  return network_from_file(path, game);
}

}  // namespace common
