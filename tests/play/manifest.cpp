#include <batchmate/play/manifest.hpp>

#include "../net/temporary_folder.hpp"

#include <doctest/doctest.h>

#include <sys/wait.h>
#include <unistd.h>

namespace bm = batchmate;

TEST_CASE("settings come back from a manifest as they were") {
  temporary_folder const folder;
  CHECK_FALSE(bm::load_manifest(folder.path()));
  bm::run_settings const settings{{"game", "hex7"}, {"search", "puct \"x\"\n"}};
  bm::save_manifest(folder.path(), settings);
  CHECK(bm::load_manifest(folder.path()) == settings);
  CHECK(folder.names() == std::vector<std::string>{"run.json"});
}

TEST_CASE("what is no manifest is refused") {
  CHECK_THROWS_WITH_AS(bm::parse_manifest("{}", "here"),
                       "here: expected \"format\": \"batchmate-run-1\", found none", bm::file_error);
  CHECK_THROWS_WITH_AS(bm::parse_manifest(R"({"format": "x"})", "here"), doctest::Contains("found \"x\""),
                       bm::file_error);
  CHECK_THROWS_AS(bm::parse_manifest("", "here"), bm::file_error);
  CHECK_THROWS_AS(bm::parse_manifest(R"({"format": 1})", "here"), bm::file_error);
}

TEST_CASE("a run goes on with the same settings only, and the first difference is told") {
  bm::run_settings const there{{"game", "hex7"}, {"seed", "1"}};
  CHECK_NOTHROW(bm::check_same_run("out", there, there));
  CHECK_THROWS_WITH_AS(bm::check_same_run("out", there, {{"game", "hex7"}, {"seed", "2"}}),
                       "out/run.json: cannot resume: the run has \"seed\": \"1\", expected \"2\"; a run goes "
                       "on with the settings that it began with",
                       bm::file_error);
  CHECK_THROWS_WITH_AS(bm::check_same_run("out", there, {{"game", "hex7"}}),
                       doctest::Contains("\"seed\": \"1\", expected nothing"), bm::file_error);
  CHECK_THROWS_WITH_AS(bm::check_same_run("out", there, {{"game", "hex7"}, {"seed", "1"}, {"zeal", "3"}}),
                       doctest::Contains("\"zeal\": nothing, expected \"3\""), bm::file_error);
}

TEST_CASE("a folder is locked against other processes, until the lock or its process ends") {
  temporary_folder const folder;
  auto const another_gets_it = [&] {
    pid_t const child = fork();
    if (child == 0) {
      try {
        bm::folder_lock const mine(folder.path());
        _exit(0);
      } catch (bm::file_error const&) {
        _exit(1);
      }
    }
    int status = 0;
    waitpid(child, &status, 0);
    return status == 0;
  };
  {
    bm::folder_lock const mine(folder.path());
    CHECK_FALSE(another_gets_it());
  }
  CHECK(another_gets_it());
  CHECK(another_gets_it());
}
