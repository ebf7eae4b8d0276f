#pragma once

#include <batchmate/eval/any_evaluator.hpp>
#include <batchmate/eval/cached.hpp>
#include <batchmate/eval/reference.hpp>
#include <batchmate/eval/rollout.hpp>
#include <batchmate/eval/uniform.hpp>
#if BATCHMATE_WITH_ONEDNN
#include <batchmate/onednn.hpp>
#endif
#if BATCHMATE_WITH_CUDA
#include <common/cudnn.hpp>
#endif

#include <common/networks.hpp>

#include <string>
#include <tuple>
#include <utility>
#include <vector>

namespace common {

/// What the flags say about evaluating positions.
struct evaluator_choice {
  std::string kind = "auto";        ///< or one of the names of `evaluator_names`
  std::string network = "shipped";  ///< as `find_network` takes it
  std::string precision = "auto";   ///< or `fp32`, `bf16` or `fp16`
  std::string plan = {};            ///< file of a tuned plan for cudnn; empty: the pinned plan
  int cache = 0;                    ///< answers remembered by each thread; 0: none
};

/// What `evaluator_choice::kind` may be.
inline std::vector<std::string> evaluator_names() {
  return {"auto", "cudnn", "onednn", "reference", "uniform", "rollout"};
}

/// An evaluator, and what people want to know about how it was chosen.
template <batchmate::game G>
struct chosen_evaluator {
  batchmate::any_evaluator<G> evaluator;
  std::string network;  ///< name and size, or `none`
  std::string note;     ///< why this evaluator; may be empty
};

/// The best evaluator of a network on the processor that this program was built with.
inline std::string best_evaluator() { return BATCHMATE_WITH_ONEDNN ? "onednn" : "reference"; }

/// Why `cudnn` cannot be used here; empty if it can.
inline std::string why_not_cudnn() {
#if BATCHMATE_WITH_CUDA
  return why_no_cudnn();
#else
  return "this program was built without cuDNN";
#endif
}

/// What `auto` stands for on this machine, and why, for people.
inline std::pair<std::string, std::string> automatic_evaluator(std::string const& precision) {
  std::string const why_not = why_not_cudnn();
  if (why_not.empty()) return {"cudnn", "auto: there is a GPU"};
  std::string const kind = precision == "bf16" || precision == "fp16" ? "onednn" : best_evaluator();
  std::string note = kind == "onednn"
                         ? "auto: the fastest in this build"
                         : "auto: this program was built without oneDNN, which would be much faster";
  if (BATCHMATE_WITH_CUDA) note = "auto: " + kind + " instead of cudnn, as there is " + why_not;
  return {kind, note};
}

/// `connect4 (4 blocks x 32 channels)`
inline std::string describe(batchmate::network const& net) {
  return batchmate::concat(net.name, " (", net.blocks.size(), " blocks x ", net.channels(), " channels)");
}

/// An evaluator of a network by its name; `note` gets what people want to know of it. Throws `usage_error` for one
/// that this program or machine lacks.
template <batchmate::game G>
batchmate::any_evaluator<G> network_evaluator(std::string const& kind, evaluator_choice const& choice,
                                              batchmate::network net, [[maybe_unused]] std::string& note) {
  std::string const& precision = choice.precision;
  if (kind == "cudnn") {
    if (std::string const why_not = why_not_cudnn(); !why_not.empty())
      throw usage_error("--evaluator cudnn: " + why_not + "; take auto");
#if BATCHMATE_WITH_CUDA
    cudnn_evaluator evaluator(net, precision, choice.plan);
    note += (note.empty() ? "" : "; ") + evaluator.note();
    return evaluator;
#endif
  }
  if (kind == "reference") {
    if (precision != "auto" && precision != "fp32")
      throw usage_error("--precision " + precision + ": reference computes in fp32 only");
    return batchmate::reference(std::move(net));
  }
#if BATCHMATE_WITH_ONEDNN
  if (precision == "fp16") throw usage_error("--precision fp16: onednn computes in fp32 or bf16");
  using wanted = batchmate::cpu::precision;
  auto const as = precision == "fp32" ? wanted::fp32 : precision == "bf16" ? wanted::bf16 : wanted::automatic;
  try {
    return batchmate::onednn(net, {.precision = as});
  } catch (batchmate::contract_error const& e) {
    throw usage_error(e.what());
  }
#else
  throw usage_error("--evaluator onednn: this program was built without oneDNN; take auto or reference");
#endif
}

/// The evaluator that the flags ask for. Throws `usage_error` and `file_error`.
template <batchmate::game G>
chosen_evaluator<G> make_evaluator(evaluator_choice const& choice) {
  if (choice.kind == "uniform" || choice.kind == "rollout") {
    if (choice.cache > 0) throw usage_error("--cache: only the answers of a network are worth remembering");
    if (choice.kind == "uniform") return {batchmate::uniform{}, "none", ""};
    return {batchmate::rollout{}, "none", ""};
  }
  std::string kind = choice.kind, note;
  if (kind == "auto") std::tie(kind, note) = automatic_evaluator(choice.precision);
  batchmate::network net = find_network<G>(choice.network);
  std::string const description = describe(net);
  auto evaluator = network_evaluator<G>(kind, choice, std::move(net), note);
  if (choice.cache > 0)
    evaluator = batchmate::cached<batchmate::any_evaluator<G>>(std::move(evaluator), {choice.cache});
  return {std::move(evaluator), description, note};
}

}  // namespace common
