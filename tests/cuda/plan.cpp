#include <batchmate/cuda/plan.hpp>
#include <batchmate/net/random_network.hpp>

#include <doctest/doctest.h>

#include <string>

namespace bm = batchmate;
using namespace bm::cuda;

namespace {

tower_plan const example{
    "9.19.0", "tuned", {{{41, {{2, 4}, {25, 1}}}, {41, {{2, 4}, {25, 1}}}, {10, {}}, {10, {}}}}};

}  // namespace

TEST_CASE("a plan is read back from its text") {
  CHECK(text_of(example) ==
        "batchmate cudnn plan 1\ncudnn 9.19.0\norigin tuned\nstem 41(2=4 25=1)\nfirst 41(2=4 25=1)\n"
        "second 10()\nhead 10()\n");
  CHECK(parse_plan(text_of(example), "a file") == example);
  CHECK(short_text_of(example) == "stem=41(2=4 25=1),second=10()");
}

TEST_CASE("a text that is no plan is refused, with the line") {
  auto const refused = [](std::string text, std::string const& part, std::string const& by,
                          std::string const& message) {
    text.replace(text.find(part), part.size(), by);
    try {
      parse_plan(text, "some.plan");
      FAIL("read " << text);
    } catch (bm::file_error const& e) {
      CHECK(std::string(e.what()).find(message) != std::string::npos);
    }
  };
  std::string const good = text_of(example);
  refused(good, "plan 1", "plan 2", "some.plan: line 1: expected 'batchmate cudnn plan 1'");
  refused(good, "origin", "source", "line 3: expected 'origin ...', found 'source tuned'");
  refused(good, "stem 41", "stem x", "line 4: expected an engine and its knobs");
  refused(good, "2=4 25=1", "2=4 25:1", "line 4: expected an engine and its knobs");
  refused(good, "2=4 25=1", "2=4 25=", "line 4: expected an engine and its knobs");
  refused(good, "head 10()\n", "", "line 7: expected 'head ...'");
}

TEST_CASE("the convolutions of a tower have padded channels, and only the second of a block a residual") {
  bm::network_extents extents;
  extents.input = {3, 13, 13};
  extents.num_globals = 2;
  extents.num_actions = 169;
  extents.blocks = 1;
  extents.channels = 20;
  extents.policy_channels = 7;
  extents.value_channels = 2;
  auto const shape = tower_shape_of(bm::random_network(extents, 1), precision::bf16);
  CHECK(shape == tower_shape{8, 24, 16, 13, 13, precision::bf16});
  auto const stem = extents_of(shape, layer::stem, 5), head = extents_of(shape, layer::head, 5);
  CHECK(stem.rows == 5);
  CHECK(stem.inputs == 8);
  CHECK(stem.outputs == 24);
  CHECK(stem.kernel == 3);
  CHECK(head.inputs == 24);
  CHECK(head.outputs == 16);
  CHECK(head.kernel == 1);
  CHECK_FALSE(stem.residual);
  CHECK_FALSE(head.residual);
  CHECK_FALSE(extents_of(shape, layer::first, 5).residual);
  CHECK(extents_of(shape, layer::second, 5).residual);
}
