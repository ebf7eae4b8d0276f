#pragma once

#include <batchmate/eval/any_evaluator.hpp>
#include <batchmate/eval/rollout.hpp>
#include <batchmate/eval/symmetric.hpp>
#include <batchmate/eval/uniform.hpp>

#include <common/game_facts.hpp>
#include <common/network_evaluator.hpp>
#include <common/program.hpp>

#include <string>
#include <utility>
#include <vector>

namespace common {

/// What the flags say about evaluating positions.
struct evaluator_choice {
  std::string kind = "auto";        ///< or one of the names of `evaluator_names`
  std::string network = "shipped";  ///< as `find_network` takes it
  std::string precision = "auto";   ///< or `fp32`, `bf16` or `fp16`
  std::string plan = {};            ///< file of a tuned plan for cudnn; empty: the pinned plan
  int cache = 0;                    ///< answers remembered by each thread, or by all of a device; 0: none
  std::string symmetry = "none";    ///< or one of the names of `symmetry_names`
};

/// What `evaluator_choice::kind` may be.
inline std::vector<std::string> evaluator_names() {
  return {"auto", "cudnn", "onednn", "reference", "uniform", "rollout"};
}

/// What `evaluator_choice::symmetry` may be: positions as they are, each under one symmetry of the board, or the mean
/// over all.
inline std::vector<std::string> symmetry_names() { return {"none", "random", "average"}; }

/// The symmetries of G, if it has any. Throws `usage_error` where they are asked for and there are none.
template <batchmate::game G>
batchmate::row_symmetries symmetries_for(evaluator_choice const& choice) {
  if constexpr (batchmate::game_with_symmetries<G>) return batchmate::symmetries_of<G>();
  if (choice.symmetry == "none") return {};
  throw usage_error("--symmetry " + choice.symmetry + ": the game has no symmetries");
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
  if (choice.kind == "uniform" || choice.kind == "rollout") {
    if (choice.cache > 0) throw usage_error("--cache: only the answers of a network are worth remembering");
    if (choice.symmetry != "none")
      throw usage_error("--symmetry: only a network sees positions under symmetries");
    if (choice.kind == "uniform") return {batchmate::uniform{}, "none", ""};
    return {batchmate::rollout{}, "none", ""};
  }
  auto made = make_network_evaluator(choice, facts_of<G>(), symmetries_for<G>(choice));
  return {std::move(made.evaluator), std::move(made.network), std::move(made.note)};
}

}  // namespace common
