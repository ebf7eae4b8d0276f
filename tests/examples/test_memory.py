"""What flat_memory.py measures, and the table of benchmarks/memory.py."""

import json
import os
import re
import subprocess
import sys
import unittest

import flat_memory
from selfplay_runs import PROGRAM, SOURCE, RunTest, run


@unittest.skipIf("BATCHMATE_SANITIZE" in os.environ, "a sanitizer's own memory is resident, too")
class MemoryTest(RunTest):
    def test_resident_memory_does_not_grow_with_the_number_of_games(self):
        first, last = flat_memory.measure(10**5, 10**6)
        self.assertLess(abs(last / first - 1), 0.02, (first, last))

    def test_the_table_says_what_games_in_flight_can_need_and_take(self):
        table = subprocess.run([sys.executable, SOURCE / "benchmarks" / "memory.py", "--program", PROGRAM, "--games",
                                "connect4", "--searches", "puct", "--simulations", "100", "400", "--measure", "128"],
                               stdout=subprocess.PIPE, text=True, check=True).stdout
        cells = [tuple(map(int, pair)) for pair in re.findall(r"(\d+) \((\d+) measured\)", table)]
        (planned, taken), (more, more_taken) = cells
        self.assertTrue(2 * planned < more < 4 * planned, table)
        self.assertTrue(taken < 1.5 * planned and taken < more_taken < 1.2 * more, table)  # with all the program holds

    def test_no_run_takes_more_than_was_planned_for_it(self):
        small = ["--game", "tictactoe", "--evaluator", "uniform", "--simulations", "2"]
        queue = ["--game", "connect4", "--simulations", "8", "--batching", "shared-queue", "--games", "128"]
        for job in [[*small, "--threads", "1"], [*small, "--threads", "2", "--out", self.folder / "out"],
                    [*queue, "--network", "random:2x128:1", "--threads", "64"],
                    [*queue, "--network", "random:4x64:1", "--threads", "16"]]:
            self.play(*job, "--episodes", 200, "--progress", 0, "--memory-limit", "200M", "--summary", self.folder / "s")
            found = json.loads((self.folder / "s").read_text())
            self.assertLessEqual(found["peak_memory_bytes"], found["planned_memory_bytes"] + found["held_memory_bytes"],
                                 job)

    def test_a_limit_that_nothing_fits_is_refused_with_one_that_something_fits(self):
        job = ["--game", "connect4", "--evaluator", "uniform", "--episodes", 20, "--progress", 0, "--threads", 1]
        status, _, err = run(*job, "--memory-limit", "1M")
        self.assertEqual(status, 1)
        needed, = re.findall(r", 1 can need ([\d.]+) MiB, .*not even one game in flight would fit$", err.strip())
        self.play(*job, "--memory-limit", f"{2 + int(float(needed))}M")  # what the program holds differs by half of one


if __name__ == "__main__":
    unittest.main()
