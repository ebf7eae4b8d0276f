#pragma once

#include <batchmate/cuda/backend.hpp>

#include <fstream>
#include <sstream>
#include <string>

/// What cuDNN is told of a device that is not there: tests/cuda/NAME.json. `h200` and `a100` are written by hand,
/// clock rates and cache sizes from data sheets.
inline std::string device_json(std::string const& name) {
  std::ifstream file(BATCHMATE_SOURCE_DIR "/tests/cuda/" + name + ".json");
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

/// Such a device as a target for plans.
inline batchmate::cuda::plan_target described_device(std::string const& name) {
  return batchmate::cuda::plan_target(device_json(name));
}
