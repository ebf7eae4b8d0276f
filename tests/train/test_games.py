"""games.py knows the boards and symmetries that the library's games have.

The environment variable BATCHMATE_SYMMETRIES names the program built from symmetries.cpp.
"""

import json
import os
import re
import subprocess
import unittest
from pathlib import Path

import support

import numpy as np

import games
from rows import Board

PROGRAM = os.environ.get("BATCHMATE_SYMMETRIES")
LIST = Path(__file__).resolve().parents[2] / "examples" / "CMakeLists.txt"


class Names(unittest.TestCase):
    def test_every_game_of_the_programs_has_a_board_and_symmetries(self):
        names = re.search(r"set\(games ([a-z0-9 ]+)\)", LIST.read_text())[1].split()
        self.assertGreater(len(names), 2)
        for name in names:
            with self.subTest(name):
                board = games.board_of(name)
                self.assertEqual(board.game, name)
                self.assertGreater(len(games.symmetries(board)), 1)

    def test_a_board_of_other_sizes_under_a_known_name_has_the_identity_alone(self):
        (cells, actions), = games.symmetries(Board("go9", 8, 9, 9, 2, 81))
        self.assertEqual((cells.tolist(), actions.tolist()), (list(range(81)), list(range(81))))


@unittest.skipIf(not PROGRAM, "needs the program symmetries in BATCHMATE_SYMMETRIES")
class Tables(unittest.TestCase):
    def test_boards_and_symmetries_are_those_of_the_library(self):
        done = subprocess.run([PROGRAM], capture_output=True, text=True, check=True)
        tables = [json.loads(line) for line in done.stdout.splitlines()]
        self.assertGreater(len(tables), 10)
        for table in tables:
            with self.subTest(table["game"]):
                board = games.board_of(table["game"])
                self.assertEqual(board, Board(table["game"], *table["sizes"]))
                found = games.symmetries(board)
                self.assertEqual(len(found), len(table["cells"]))
                # The library says where a cell goes, games.py where what is there comes from.
                for (cells, actions), to_cells, to_actions in zip(found, table["cells"], table["actions"]):
                    np.testing.assert_array_equal(cells[to_cells], np.arange(board.cells))
                    np.testing.assert_array_equal(actions[to_actions], np.arange(board.actions))


if __name__ == "__main__":
    unittest.main()
