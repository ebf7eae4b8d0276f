"""The short form of flat_memory.py."""

import unittest

import flat_memory
from selfplay_runs import RunTest


class MemoryTest(RunTest):
    def test_resident_memory_does_not_grow_with_the_number_of_games(self):
        first, last = flat_memory.measure(20_000, 100_000)
        self.assertLess(abs(last / first - 1), 0.02, (first, last))


if __name__ == "__main__":
    unittest.main()
