#pragma once

#include <batchmate/eval/any_evaluator.hpp>
#include <batchmate/eval/rollout.hpp>
#include <batchmate/eval/symmetric.hpp>
#include <batchmate/eval/uniform.hpp>

#include <common/game_facts.hpp>
#include <common/network_evaluator.hpp>
#include <common/program.hpp>

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace common {

/// What the flags say about evaluating positions.
struct evaluator_choice {
  std::string kind = "auto";        ///< one of `evaluator_names`
  std::string network = "shipped";  ///< as `find_network` takes it
  std::string precision = "auto";   ///< or another one of the names of `precision_names`
  std::string plan = {};            ///< file of a tuned plan for cudnn; empty: the pinned plan
  std::vector<int> devices = {};    ///< of cudnn: CUDA's numbers; empty: the first
  int fixed_rows = 0;               ///< of cudnn: every batch runs as repeats of so many rows; 0: as it is
  int cache = 0;                    ///< answers remembered by each thread, or by all of a device; 0: none
  std::string symmetry = "none";    ///< or one of the names of `symmetry_names`
  std::string flag = {};            ///< the one flag that says all this; empty: each has a flag of its own

  /// How messages name one of these: `--precision`, or `--first: precision`.
  std::string named(std::string const& what) const { return flag.empty() ? "--" + what : flag + ": " + what; }
};

/// What `evaluator_choice::kind` may be, for people.
inline constexpr char const* evaluator_names =
    "auto, cudnn, onednn, reference, uniform or rollout[:PLAYOUTS[:SEED]]";

/// What is wrong with the name of an evaluator; empty if nothing is.
std::string evaluator_fault(std::string const& name);

/// Whether an evaluator of that name needs a network.
inline bool needs_network(std::string const& name) {
  return name != "uniform" && name != "rollout" && !name.starts_with("rollout:");
}

/// The evaluator that `rollout[:PLAYOUTS[:SEED]]` names, if the text is that.
std::optional<batchmate::rollout> rollout_named(std::string_view text);

/// What `evaluator_choice::precision` may be.
inline std::vector<std::string> precision_names() { return {"auto", "fp32", "bf16", "fp16"}; }

/// What `evaluator_choice::symmetry` may be: positions as they are, each under one symmetry of the board, or the mean
/// over all.
inline std::vector<std::string> symmetry_names() { return {"none", "random", "average"}; }

/// The symmetries of G, if it has any. Throws `usage_error` where they are asked for and there are none.
template <batchmate::game G>
batchmate::row_symmetries symmetries_for(evaluator_choice const& choice) {
  if constexpr (batchmate::game_with_symmetries<G>) return batchmate::symmetries_of<G>();
  if (choice.symmetry == "none") return {};
  throw usage_error(choice.named("symmetry") + ": the game has no symmetries");
}

/// An evaluator of type E, and what people want to know about how it was chosen.
template <class E>
struct chosen {
  E evaluator;
  std::string network;  ///< name and size, or `none`
  std::string note;     ///< why this evaluator; may be empty
};

/// An evaluator of G that was chosen.
template <batchmate::game G>
using chosen_evaluator = chosen<batchmate::any_evaluator<G>>;

/// The evaluator of a network that the flags ask for, whatever the game, of which these are the symmetries. Throws
/// `usage_error` and `file_error`.
chosen<network_evaluator> make_network_evaluator(evaluator_choice const& choice, game_facts const& game,
                                                 batchmate::row_symmetries symmetries);

/// The evaluator that the flags ask for. Throws `usage_error` and `file_error`.
template <batchmate::game G>
chosen_evaluator<G> make_evaluator(evaluator_choice const& choice) {
  if (!needs_network(choice.kind)) {
    if (choice.cache > 0)
      throw usage_error(choice.named("cache") + ": only the answers of a network are worth remembering");
    if (choice.symmetry != "none")
      throw usage_error(choice.named("symmetry") + ": only a network sees positions under symmetries");
    if (choice.kind == "uniform") return {batchmate::uniform{}, "none", ""};
    return {rollout_named(choice.kind).value(), "none", ""};
  }
  auto made = make_network_evaluator(choice, facts_of<G>(), symmetries_for<G>(choice));
  return {std::move(made.evaluator), std::move(made.network), std::move(made.note)};
}

}  // namespace common
