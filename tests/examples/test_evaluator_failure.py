"""selfplay when its evaluator fails in mid-batch: a library that is loaded before the program stands before oneDNN and
throws what the CUDA evaluator throws, or returns what oneDNN does. It is compiled here, if there is a compiler."""
import os
import re
import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path

PROGRAM = Path(os.environ["BATCHMATE_EXAMPLES_DIR"]) / "selfplay"
SOURCE = Path(os.environ["BATCHMATE_SOURCE_DIR"])
COMPILER = next(filter(None, map(shutil.which, ["c++", "g++", "clang++"])), None)
LIMIT = 120  # seconds that a run may take before it is said to hang

# FAILURE=NUMBER:HOW, with the number of the first call that fails, from 1. All later ones fail, too, as a device that
# has met an illegal address does not recover.
LIBRARY = r"""
#include <batchmate/core/error.hpp>
#include <dlfcn.h>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace batchmate::cuda {
struct error : evaluation_error {  // as <batchmate/cuda/check.hpp> has it, which needs CUDA's headers
  using evaluation_error::evaluation_error;
};
}  // namespace batchmate::cuda

static std::atomic<int> calls{0};
static struct teller {
  ~teller() { std::fprintf(stderr, "calls: %d\n", calls.load()); }
} tell_at_the_end;

extern "C" int dnnl_primitive_execute(void const* primitive, void* stream, int count, void const* arguments) {
  using function = int(void const*, void*, int, void const*);
  static auto* const next = reinterpret_cast<function*>(dlsym(RTLD_NEXT, "dnnl_primitive_execute"));
  static char const* const failure = std::getenv("FAILURE");
  if (++calls < std::atoi(failure)) return next(primitive, stream, count, arguments);
  if (std::strstr(failure, ":status")) return 5;  // dnnl_runtime_error
  throw batchmate::cuda::error(
      "cuda: cudaGraphLaunch failed: an illegal memory access was encountered (cudaErrorIllegalAddress, lane.hpp:54)");
}
"""


class EvaluatorFailureTest(unittest.TestCase):
    job = ["--game", "connect4", "--evaluator", "onednn", "--network", "random:1x8:1", "--simulations", "8", "--episodes",
           "120", "--games", "8", "--threads", "2", "--shard-rows", "512", "--progress", "0"]

    @classmethod
    def setUpClass(cls):
        if not PROGRAM.exists():
            raise unittest.SkipTest("selfplay was not built")
        if not COMPILER or os.environ.get("BATCHMATE_SANITIZE"):
            raise unittest.SkipTest("needs a compiler and no sanitizer, which wants to be loaded first")
        cls.folder = Path(tempfile.mkdtemp(prefix="batchmate-failure-"))
        cls.addClassCleanup(shutil.rmtree, cls.folder, ignore_errors=True)
        (cls.folder / "failing.cpp").write_text(LIBRARY)
        cls.library = cls.folder / "failing.so"
        subprocess.run([COMPILER, "-std=c++20", "-shared", "-fPIC", f"-I{SOURCE}/include", cls.folder / "failing.cpp", "-o",
                        cls.library, "-ldl"], check=True)
        if cls.run_with("1000000000:throw", "counted", *cls.job).returncode == 2:
            raise unittest.SkipTest("selfplay was built without oneDNN")

    @classmethod
    def run_with(cls, failure, out, *flags):
        """A run whose evaluator fails as told; never, if that is empty."""
        variables = {"LD_PRELOAD": str(cls.library), "FAILURE": failure} if failure else {}
        return subprocess.run([PROGRAM, *flags, "--out", cls.folder / out], env={**os.environ, **variables},
                              capture_output=True, text=True, timeout=LIMIT, stdin=subprocess.DEVNULL)

    def data(self, out):
        return {path.name: path.read_bytes() for path in sorted((self.folder / out).iterdir())
                if path.name not in ("journal", ".lock")}

    def refused(self, ended, text):
        """The run has ended with status 1 and one line; a last one is the library's."""
        lines = [line for line in ended.stderr.splitlines() if not line.startswith("calls: ")]
        self.assertEqual((ended.returncode, len(lines)), (1, 1), ended.stderr)
        self.assertRegex(lines[0], f"^selfplay: {text}")

    def test_an_error_in_mid_batch_is_told_what_is_finished_is_kept_and_the_run_goes_on_elsewhere(self):
        whole = self.run_with("", "whole", *self.job)
        self.assertEqual((whole.returncode, whole.stderr), (0, ""))
        texts = {"throw": r"cuda: cudaGraphLaunch failed: an illegal memory access was encountered \(cudaErrorIllegalAddress",
                 "status": r"onednn: \S+ failed on \d+ rows \(status 5\)$"}
        for batching in ["lockstep", "overlapped", "shared-queue"]:
            job = [*self.job, "--batching", batching]
            calls = int(re.search(r"^calls: (\d+)$", self.run_with("1000000000:throw", batching, *job).stderr, re.M)[1])
            for how, text in texts.items():
                with self.subTest(batching=batching, how=how, calls=calls):
                    out = f"{batching}-{how}"
                    # How many calls it takes differs with who meets in a batch.
                    self.refused(self.run_with(f"{calls // 3}:{how}", out, *job), text)
                    lines = "".join(path.read_text() for path in (self.folder / out).glob("games-*")).splitlines()
                    games = sum(not line.startswith("#") for line in lines)
                    self.assertGreater(games, 0)
                    self.assertLess(games, 120)
                    before = self.data(out)
                    # The device is still broken: before the first game, or under way.
                    self.refused(self.run_with(f"1:{how}", out, *job, "--resume"), r"\S+")
                    self.assertEqual(self.data(out), before)
                    again = self.run_with("", out, *job, "--resume")
                    self.assertEqual((again.returncode, again.stderr), (0, ""))
                    self.assertIn(f"{games} episodes are there already", again.stdout)
                    self.assertEqual(self.data(out), self.data("whole"))


if __name__ == "__main__":
    unittest.main()
