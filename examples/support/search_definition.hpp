#pragma once

#include <common/program.hpp>
#include <common/searches.hpp>

#include <variant>

namespace common {

template <batchmate::game_with_text G>
batchmate::any_search<G> search_of(search_choice const& chosen) {
  return std::visit(
      []<class S>(S const& settings) -> batchmate::any_search<G> {
        if constexpr (batchmate::search_for<S, G>)
          return settings;
        else
          throw usage_error("the search graph needs a game that tells which positions are equal, as " +
                            G::name() + " does not");
      },
      chosen);
}

}  // namespace common
