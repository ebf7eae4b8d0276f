"""rows.py: shards of training rows, and games.py: symmetries."""

import tempfile
import unittest
from pathlib import Path

from support import random_rows, write_shard

import numpy as np

import games
import rows as training_rows
from rows import Board
from tensors import TensorFileError

SMALL = Board("own", planes=2, rows=3, columns=4, globals=0, actions=5)
LARGE = Board("hex13", planes=3, rows=13, columns=13, globals=2, actions=170)


class Unpacking(unittest.TestCase):
    def test_cell_r_c_is_bit_r_w_plus_c_of_its_plane(self):
        for board in (SMALL, LARGE):
            words = np.zeros((1, board.planes, -(-board.cells // 64)), "<u8")
            plane, row, column = board.planes - 1, board.rows - 1, 2
            cell = row * board.columns + column
            words[0, plane, cell // 64] = 1 << (cell % 64)
            packed = {"planes": words.view(np.uint8), "globals": np.array([[0.5, -2]], np.float32)}
            inputs = training_rows.unpack_inputs(board, packed)
            self.assertEqual(inputs.shape, (1, board.inputs, board.rows, board.columns))
            self.assertEqual(np.argwhere(inputs[0, :board.planes]).tolist(), [[plane, row, column]])
            if board.globals:
                self.assertTrue((inputs[0, -2] == 0.5).all() and (inputs[0, -1] == -2).all())

    def test_packing_is_the_inverse_of_unpacking_and_fills_words(self):
        bits = np.random.default_rng(1).random((4, 3, 170)) < 0.5
        packed = training_rows.pack_bits(bits)
        self.assertEqual(packed.shape, (4, 3, 24))
        np.testing.assert_array_equal(training_rows.unpack_bits(packed, 170), bits)


class Shards(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def write(self, name, board, count, seed=1, **changes):
        arrays = {**random_rows(board, count, seed), **changes}
        arrays = {key: array for key, array in arrays.items() if array is not None}
        write_shard(self.folder / name, board, arrays)
        return arrays

    def test_the_window_holds_the_newest_rows_in_order(self):
        first = self.write("a/rows-000000.safetensors", SMALL, 5)["value"]
        second = self.write("a/rows-000001.safetensors", SMALL, 4, seed=2)["value"]
        third = self.write("b/rows-000000.safetensors", SMALL, 3, seed=3)["value"]
        every = np.concatenate([first, second, third])
        folders = [self.folder / "a", self.folder / "b"]
        for window in (1, 3, 5, 7, 12, 100, None):
            rows = training_rows.load(folders, window)
            np.testing.assert_array_equal(rows.arrays["value"], every if window is None else every[-window:])

    def test_a_batch_holds_the_rows_asked_for(self):
        arrays = self.write("rows-000000.safetensors", LARGE, 6)
        rows = training_rows.load([self.folder])
        batch = rows.batch(np.array([4, 1]))
        np.testing.assert_array_equal(batch.policy, arrays["policy"][[4, 1]])
        np.testing.assert_array_equal(batch.outcome, arrays["outcome"][[4, 1]])
        np.testing.assert_array_equal(batch.legal, arrays["policy"][[4, 1]] > 0)
        self.assertEqual(batch.inputs.shape, (2, 5, 13, 13))

    def test_damaged_shards_are_refused_with_what_is_wrong(self):
        nan = np.full(3, np.nan, np.float32)
        for message, changes in [("value.*finite", {"value": nan}), ("legal is missing", {"legal": None}),
                                 ("outcome.*float32", {"outcome": np.zeros(3)}),
                                 ("planes.*expected", {"planes": np.zeros((3, 2, 16), np.uint8)}),
                                 ("value.*expected", {"value": np.zeros(2, np.float32)})]:
            with self.subTest(message):
                self.write("rows-000000.safetensors", SMALL, 3, **changes)
                self.assertRaisesRegex(TensorFileError, message, training_rows.load, [self.folder])

    def test_folders_that_do_not_fit_together_are_refused(self):
        self.assertRaisesRegex(TensorFileError, "no shard", training_rows.load, [self.folder])
        self.write("rows-000000.safetensors", SMALL, 3)
        self.write("rows-000001.safetensors", LARGE, 3)
        self.assertRaisesRegex(TensorFileError, "own.*hex13|hex13.*own", training_rows.load, [self.folder])


class Symmetries(unittest.TestCase):
    def test_connect4_is_mirrored(self):
        board = games.board_of("connect4")
        identity, mirror = games.symmetries(board)
        self.assertEqual(mirror[1].tolist(), [6, 5, 4, 3, 2, 1, 0])
        self.assertEqual(mirror[0].reshape(6, 7)[2].tolist(), [20, 19, 18, 17, 16, 15, 14])
        self.assertEqual(identity[0].tolist(), list(range(42)))

    def test_hex_is_turned_and_its_swap_stays(self):
        for name, swap in [("hex7", []), ("hex7-swap", [49])]:
            _, turned = games.symmetries(games.board_of(name))
            self.assertEqual(turned[0].tolist(), list(range(48, -1, -1)))
            self.assertEqual(turned[1].tolist(), list(range(48, -1, -1)) + swap)

    def test_tictactoe_has_eight_that_keep_its_lines(self):
        lines = {frozenset(line) for line in [(0, 1, 2), (3, 4, 5), (6, 7, 8), (0, 3, 6), (1, 4, 7), (2, 5, 8),
                                              (0, 4, 8), (2, 4, 6)]}
        found = games.symmetries(games.board_of("tictactoe"))
        self.assertEqual(len({tuple(cells) for cells, _ in found}), 8)
        for cells, actions in found:
            np.testing.assert_array_equal(cells, actions)
            self.assertEqual({frozenset(cells[list(line)]) for line in lines}, lines)

    def test_a_game_that_is_not_known_has_the_identity_alone(self):
        self.assertIsNone(games.board_of("own"))
        self.assertIsNone(games.board_of("hexagons"))
        (cells, actions), = games.symmetries(SMALL)
        self.assertEqual((cells.tolist(), actions.tolist()), (list(range(12)), list(range(5))))


if __name__ == "__main__":
    unittest.main()
