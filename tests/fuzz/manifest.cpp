// Any bytes as the settings of a run.

#include "fuzz.hpp"

#include <batchmate/play/manifest.hpp>

using namespace batchmate;

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
  run_settings settings;
  try {
    settings = parse_manifest(fuzz::text_of(data, size), "run.json");
  } catch (file_error const&) {
    return 0;
  }
  fuzz::require(!settings.contains("format"), "the format is no setting");
  check_same_run("", settings, settings);  // throws where a run could not go on as itself
  run_settings other = settings;
  other["seed"] += "1";
  try {
    check_same_run("", settings, other);
  } catch (file_error const&) {
    return 0;
  }
  fuzz::require(false, "a run with another seed is another run");
  return 0;
}
