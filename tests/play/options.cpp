#include <batchmate/play/options.hpp>

#include <doctest/doctest.h>

TEST_CASE("the default is one game in one thread, without a limit, and it never stops by itself") {
  batchmate::run_options const options;
  CHECK(options.episodes == 1);
  CHECK(options.threads == 1);
  CHECK(options.first_episode == 0);
  CHECK(options.stride == 1);
  CHECK(options.memory_limit == 0);
  CHECK_FALSE(options.progress);
  CHECK_FALSE(options.stop.stop_possible());
  CHECK(options.progress_every.count() > 0);
}
