// Any bytes as `random:BLOCKSxCHANNELS:SEED`.

#include "fuzz.hpp"

#include <batchmate/net/random_network.hpp>

using namespace batchmate;

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
  auto const spec = parse_random_network_spec(fuzz::text_of(data, size));
  if (!spec) return 0;
  fuzz::require(spec->blocks >= 0 && spec->channels >= 0, "sizes that were read are not negative");
  auto const text = concat("random:", spec->blocks, "x", spec->channels, ":", spec->seed);
  fuzz::require(parse_random_network_spec(text) == spec,
                "a spec that was read can be written and read again");
  try {
    check_extents({.input = {1, 1, 1}, .num_actions = 1, .blocks = spec->blocks, .channels = spec->channels});
  } catch (contract_error const&) {
    return 0;  // no network is as large, and nothing was allocated
  }
  return 0;
}
