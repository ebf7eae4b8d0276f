"""rows.py: shards of training rows, and games.py: symmetries."""

import json
import tempfile
import unittest
from pathlib import Path

from support import random_rows, write_shard

import numpy as np

import games
import rows as training_rows
from rows import Board, Shard
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
        self.path = Path(folder.name) / "rows-000000.safetensors"

    def write(self, board, count, seed=1, metadata={}, **changes):
        arrays = {**random_rows(board, count, seed), **changes}
        arrays = {key: array for key, array in arrays.items() if array is not None}
        write_shard(self.path, board, arrays, **metadata)
        return arrays

    def test_any_rows_are_read_and_unpacked(self):
        arrays = self.write(LARGE, 6)
        with Shard(self.path) as shard:
            self.assertEqual((shard.board, shard.count), (LARGE, 6))
            for first, last in [(0, 6), (2, 5), (3, 3)]:
                rows = training_rows.unpack(LARGE, shard.read(first, last))
                for name in ("policy", "value", "outcome", "episode"):
                    np.testing.assert_array_equal(rows[name], arrays[name][first:last])
                np.testing.assert_array_equal(rows["legal"], arrays["policy"][first:last] > 0)
                whole = training_rows.unpack_inputs(LARGE, arrays)
                np.testing.assert_array_equal(rows["inputs"], whole[first:last])
                self.assertEqual(whole.shape, (6, 5, 13, 13))
            for first, last in [(0, 7), (-1, 3), (5, 4)]:
                self.assertRaisesRegex(TensorFileError, "holds 6 rows", shard.read, first, last)

    def test_symmetries_are_read_as_what_comes_to_each_place(self):
        turn, board = [[1, 2, 0, 3, 4, 5], [2, 0, 1, 3]], Board("own", 1, 2, 3, 0, 4)
        self.write(board, 3)
        with Shard(self.path) as shard:
            self.assertEqual(shard.symmetries(), [])
        self.write(board, 3, metadata=dict(symmetries=json.dumps([[list(range(6)), list(range(4))], turn])))
        with Shard(self.path) as shard:
            (same, still), (cells, actions) = shard.symmetries()
        self.assertEqual((same.tolist(), still.tolist()), (list(range(6)), list(range(4))))
        self.assertEqual("".join("abcdef"[i] for i in cells), "cabdef")  # a goes to the place of b
        self.assertEqual("".join("wxyz"[i] for i in actions), "xywz")
        for bad in ("{", "[1]", "[[[0,1]]]", json.dumps([turn[:1]]), json.dumps([turn[::-1]]),
                    json.dumps([[turn[0], [0, 0, 1, 2]]])):
            self.write(board, 3, metadata=dict(symmetries=bad))
            with self.subTest(bad), Shard(self.path) as shard:
                self.assertRaisesRegex(TensorFileError, "000000.safetensors: metadata: symmetries: ", shard.symmetries)

    def test_tensors_that_are_missing_have_defaults(self):
        self.write(SMALL, 3, action=None, ply=None, episode=None)
        with Shard(self.path) as shard:
            rows = shard.read()
            np.testing.assert_array_equal(rows["short_value"], rows["value"])
        found = {name: rows[name].tolist() for name in ("action", "ply", "episode", "full", "surprise", "network")}
        only = training_rows.network_id("test")  # the evaluator of the whole shard
        self.assertEqual(found, dict(action=[-1] * 3, ply=[-1] * 3, episode=[-1] * 3, full=[1] * 3, surprise=[0] * 3,
                                     network=[only] * 3))

    def test_every_row_says_which_network_made_it_whatever_the_shard_calls_it(self):
        a, b = map(training_rows.network_id, ("first", "second"))
        for names, indices in [(["first", "second"], [0, 0, 1]), (["second", "first"], [1, 1, 0])]:
            self.write(SMALL, 3, metadata=dict(networks=json.dumps(names)), network=np.array(indices, np.int32))
            with Shard(self.path) as shard:
                self.assertEqual(shard.read()["network"].tolist(), [a, a, b])
                self.assertEqual(shard.read(1, 3)["network"].tolist(), [a, b])
        self.assertNotEqual(a, b)

    def test_damaged_shards_are_refused_with_what_is_wrong(self):
        nan, network = np.full(3, np.nan, np.float32), np.array([0, 1, 2], np.int32)
        for message, names, changes in [
                ("value.*finite", None, {"value": nan}), ("legal is missing", None, {"legal": None}),
                ("policy is missing", None, {"policy": None}),
                ("policy.*expected", None, {"policy": np.zeros((3, 4), np.float32)}),
                ("outcome.*float32", None, {"outcome": np.zeros(3)}),
                ("planes.*expected", None, {"planes": np.zeros((3, 2, 16), np.uint8)}),
                ("value.*expected", None, {"value": np.zeros(2, np.float32)}),
                ("full.*expected uint8", None, {"full": np.ones(3, np.float32)}),
                ("surprise.*finite", None, {"surprise": nan}), ("short_value.*finite", None, {"short_value": nan}),
                ("short_value.*expected float32", None, {"short_value": np.zeros(3)}),
                ("networks.*KeyError", None, {"network": network}), ("networks", "[1]", {"network": network}),
                ("networks", "[", {"network": network}), ("network: names more than the 2", '["a", "b"]',
                                                          {"network": network})]:
            with self.subTest(message, names=names):
                self.write(SMALL, 3, metadata=dict(networks=names) if names else {}, **changes)
                with self.assertRaisesRegex(TensorFileError, f"rows-000000.safetensors: .*{message}"):
                    with Shard(self.path) as shard:
                        shard.read()


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
