#include <common/evaluators.hpp>
#include <common/networks.hpp>
#include <common/text.hpp>

#include <batchmate/eval/cached.hpp>
#include <batchmate/eval/reference.hpp>
#include <batchmate/eval/symmetric.hpp>
#if BATCHMATE_WITH_ONEDNN
#include <batchmate/cpu/evaluator.hpp>
#endif
#if BATCHMATE_WITH_CUDA
#include <common/cudnn.hpp>
#endif

#include <cstdint>
#include <optional>
#include <string>
#include <tuple>
#include <utility>

namespace common {
namespace {

/// The best evaluator of a network on the processor that this program was built with.
std::string best_evaluator() { return BATCHMATE_WITH_ONEDNN ? "onednn" : "reference"; }

/// Why `cudnn` cannot be used here; empty if it can.
std::string why_not_cudnn() {
#if BATCHMATE_WITH_CUDA
  return why_no_cudnn();
#else
  return "this program was built without cuDNN";
#endif
}

/// What `auto` stands for on this machine, and why, for people.
std::pair<std::string, std::string> automatic_evaluator(std::string const& precision) {
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
std::string describe(batchmate::network const& net) {
  return batchmate::concat(net.name, " (", net.blocks.size(), " blocks x ", net.channels(), " channels)");
}

/// An evaluator of a network by its name; a device is given the board's symmetries, and draws each row's if it is to.
/// `note` gets what people want to know of it. Throws `usage_error` for one that this program or machine lacks.
network_evaluator evaluator_named(std::string const& kind, evaluator_choice const& choice,
                                  batchmate::network net,
                                  [[maybe_unused]] batchmate::row_symmetries const& symmetries,
                                  [[maybe_unused]] bool device_draws, [[maybe_unused]] std::string& note) {
  std::string const& precision = choice.precision;
  if (kind == "cudnn") {
    if (std::string const why_not = why_not_cudnn(); !why_not.empty())
      throw usage_error(choice.named("evaluator") + " cudnn: " + why_not + "; take auto");
#if BATCHMATE_WITH_CUDA
    cudnn_evaluator evaluator(net, {precision, choice.plan, choice.devices, choice.fixed_rows}, symmetries,
                              device_draws ? std::optional<std::uint64_t>(0) : std::nullopt);
    note += (note.empty() ? "" : "; ") + evaluator.note();
    return network_evaluator(std::move(evaluator));
#endif
  }
  if (kind == "reference") {
    if (precision != "auto" && precision != "fp32")
      throw usage_error(choice.named("precision") + " " + precision + ": reference computes in fp32 only");
    return network_evaluator(batchmate::reference(std::move(net)));
  }
#if BATCHMATE_WITH_ONEDNN
  if (precision == "fp16")
    throw usage_error(choice.named("precision") + " fp16: onednn computes in fp32 or bf16");
  using wanted = batchmate::cpu::precision;
  auto const as = precision == "fp32" ? wanted::fp32 : precision == "bf16" ? wanted::bf16 : wanted::automatic;
  try {
    return network_evaluator(batchmate::onednn(net, {.precision = as}));
  } catch (batchmate::contract_error const& e) {
    throw usage_error(e.what());
  }
#else
  throw usage_error(choice.named("evaluator") +
                    " onednn: this program was built without oneDNN; take auto or reference");
#endif
}

}  // namespace

std::string evaluator_fault(std::string const& name) {
  for (char const* known : {"auto", "cudnn", "onednn", "reference", "uniform"})
    if (name == known) return "";
  return rollout_named(name) ? "" : batchmate::concat("expected ", evaluator_names, ", found '", name, "'");
}

std::optional<batchmate::rollout> rollout_named(std::string_view text) {
  auto const parts = split(text, ':');
  batchmate::rollout named;
  bool const good = parts[0] == "rollout" && parts.size() <= 3 &&
                    (parts.size() < 2 || set(named.playouts, parts[1])) && named.playouts > 0 &&
                    (parts.size() < 3 || set(named.seed, parts[2]));
  return good ? std::optional(named) : std::nullopt;
}

chosen<network_evaluator> make_network_evaluator(evaluator_choice const& choice, game_facts const& game,
                                                 batchmate::row_symmetries symmetries) {
  std::string kind = choice.kind, note;
  if (kind == "auto") std::tie(kind, note) = automatic_evaluator(choice.precision);
  if (kind != "cudnn" && (!choice.plan.empty() || !choice.devices.empty() || choice.fixed_rows > 0))
    note += (note.empty() ? "" : "; ") + std::string("plan, devices and fixed rows are for cudnn alone");
  batchmate::network net =
      find_network(choice.flag.empty() ? "--network" : choice.flag, choice.network, game);
  std::string const description = describe(net);
  bool const device_draws = kind == "cudnn" && choice.symmetry == "random";
  network_evaluator evaluator = evaluator_named(kind, choice, std::move(net), symmetries, device_draws, note);
  if (choice.symmetry != "none" && !device_draws) {
    using modes = batchmate::symmetry_settings::modes;
    evaluator = network_evaluator(
        batchmate::symmetric(std::move(evaluator), std::move(symmetries),
                             {.mode = choice.symmetry == "average" ? modes::average : modes::random}));
  }
  if (choice.cache > 0)
    evaluator = network_evaluator(batchmate::cached(std::move(evaluator), {choice.cache}));
  return {std::move(evaluator), description, note};
}

}  // namespace common
