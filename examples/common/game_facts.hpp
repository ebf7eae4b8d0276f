#pragma once

#include <batchmate/eval/batch.hpp>

#include <string>

namespace common {

/// All that a network has to know of a game.
struct game_facts {
  std::string name;
  batchmate::row_layout layout;  ///< of its rows
};

/// Those of G.
template <batchmate::game_with_text G>
game_facts facts_of() {
  return {G::name(), batchmate::layout_of<G>()};
}

}  // namespace common
