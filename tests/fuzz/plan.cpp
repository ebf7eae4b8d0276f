// Any bytes as the file of a plan: which engine of cuDNN computes which convolution.

#include "fuzz.hpp"

#include <batchmate/cuda/plan.hpp>

#include <string>

using namespace batchmate;

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
  fuzz::reads_or_refuses([&] {
    std::string const text(fuzz::text_of(data, size));
    cuda::tower_plan const plan = cuda::parse_plan(text, "file");
    std::string const written = text_of(plan);
    fuzz::require(written == text || written == text + "\n",
                  "a plan's text is the one that it was read from");
    fuzz::require(cuda::parse_plan(written, "again") == plan, "a plan is read again as it was");
    for (cuda::layer const l : cuda::all_layers)
      fuzz::require(written.find(text_of(plan.of(l))) != std::string::npos,
                    "a plan's text names its engines");
    fuzz::require(!short_text_of(plan).empty(), "a plan can be told in a line");
  });
  return 0;
}
