#include <batchmate/game/connect4.hpp>
#include <batchmate/search/any_search.hpp>
#include <batchmate/search/gumbel.hpp>
#include <batchmate/search/puct.hpp>
#include <batchmate/search/puct_graph.hpp>
#include <batchmate/search/top_k.hpp>

#include "../support/drive.hpp"
#include "../support/fake_network.hpp"
#include "../support/fields.hpp"
#include "../support/nim.hpp"

#include <doctest/doctest.h>

#include <concepts>
#include <set>
#include <string>
#include <vector>

namespace bm = batchmate;

namespace {

/// The actions, values and rows of a game's searches.
template <class S>
std::vector<double> game_with(S const& search) {
  using G = bm::connect4;
  fake_network network;
  bm::batch_buffer<G> buffer(network, search.max_rows());
  typename S::template tree<G> tree(search);
  tree.start(bm::random_key{4}, 0);
  std::vector<double> all;
  for (G position; !position.result();) {
    all.push_back(search_one_move(tree, position, network, buffer, search.max_rows()));
    bm::decision<G> outcome;
    tree.decide(outcome);
    all.insert(all.end(), {outcome.action * 1.0, outcome.value * 1.0});
    position.play(outcome.action);
    tree.advance(outcome.action);
  }
  return all;
}

}  // namespace

TEST_CASE("a search behind any_search is the search itself") {
  bm::puct const puct{.simulations = 50, .leaves = 3};
  bm::top_k const top_k{.widths = {3, 2}};
  bm::any_search<bm::connect4> const first(puct), second(top_k);
  CHECK(game_with(first) == game_with(puct));
  CHECK(game_with(second) == game_with(top_k));
  CHECK(game_with(first) != game_with(second));
  CHECK(first.identity() == puct.identity());
  CHECK(first.max_rows() == puct.max_rows());
  CHECK(first.tree_bytes<bm::connect4>() == puct.tree_bytes<bm::connect4>());
}

TEST_CASE("any_search is a search of its game alone, and one assigned another is that one") {
  static_assert(bm::search_for<bm::any_search<nim>, nim>);
  static_assert(!bm::search_for<bm::any_search<nim>, bm::connect4>);
  static_assert(!std::constructible_from<bm::any_search<nim>, int>);
  bm::any_search<nim> search = bm::puct{.simulations = 7};
  search = bm::top_k{};
  CHECK(search.identity() == bm::top_k{}.identity());
}

namespace {

/// A search whose list is as it should be; `changes_no_game` is a field that its identity leaves out.
template <class S>
void check_fields(std::string const& changes_no_game = "") {
  std::set<std::string> names;
  for_each_field<S>([&](auto const& field) {
    CAPTURE(field.name);
    CHECK(names.insert(field.name).second);
    S changed;
    change(changed.*field.place);
    CHECK((changed.identity() == S{}.identity()) == (field.name == changes_no_game));
  });
  CHECK(names.contains("temperature") != std::same_as<S, bm::gumbel>);
}

}  // namespace

TEST_CASE("each search lists its settings by names of their own, and a change of one shows in its identity") {
  check_fields<bm::puct>();
  check_fields<bm::puct_graph>();
  check_fields<bm::top_k>();
  check_fields<bm::gumbel>("leaves");
}
