"""What flat_memory.py measures, and the table of benchmarks/memory.py."""

import os
import re
import subprocess
import sys
import unittest

import flat_memory
from selfplay_runs import PROGRAM, SOURCE, RunTest


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
        self.assertTrue(taken < 1.5 * planned and taken < more_taken < 1.2 * more, table)  # the process breathes


if __name__ == "__main__":
    unittest.main()
