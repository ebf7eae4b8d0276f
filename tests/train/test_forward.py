"""The library's `reference` evaluator and PyTorch compute the same network.

The environment variable BATCHMATE_FORWARD names the program built from forward.cpp.
"""

import os
import subprocess
import tempfile
import unittest
from pathlib import Path

import support
from support import random_rows, write_shard

support.need("torch")

import numpy as np
import torch

import model as networks
from model import Architecture, Network
from rows import Board, unpack
from test_model import trained_model

PROGRAM = os.environ.get("BATCHMATE_FORWARD")
TOLERANCE = 1e-4
ROWS = 37

# Boards that forward.cpp is compiled for, each with a network: one cell wide, with globals, and of two words a plane.
CASES = [
    (Board("connect4", 2, 6, 7, 0, 7), Architecture(4, 32, 4, 4, 64, "wdl")),
    (Board("connect4", 2, 6, 7, 0, 7), Architecture(1, 16, 1, 1, 5, "scalar")),
    (Board("nim", 1, 1, 10, 1, 3), Architecture(1, 5, 3, 2, 3, "wdl")),
    (Board("own", 3, 5, 4, 2, 21), Architecture(2, 24, 2, 5, 33, "scalar")),
    (Board("hex13-swap", 3, 13, 13, 0, 170), Architecture(3, 20, 7, 3, 16, "wdl")),
]


@unittest.skipIf(not PROGRAM, "needs the program forward in BATCHMATE_FORWARD")
class Forward(unittest.TestCase):
    def evaluated(self, network, board, arrays, folder):
        """What the library says: values (B) and priors (B, A), 0 where illegal."""
        write_shard(folder / "rows.safetensors", board, arrays)
        done = subprocess.run([PROGRAM, network, folder / "rows.safetensors"], capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stderr)
        lines = [np.array(line.split(), float) for line in done.stdout.splitlines()]
        legal, priors = arrays["policy"] > 0, np.zeros(arrays["policy"].shape)
        self.assertEqual([len(line) - 1 for line in lines], legal.sum(1).tolist())
        for b, line in enumerate(lines):
            priors[b, legal[b]] = line[1:]
        return np.array([line[0] for line in lines]), priors

    def test_the_library_and_pytorch_agree_on_random_networks_and_positions(self):
        for seed, (board, architecture) in enumerate(CASES):
            with self.subTest(board=board, architecture=architecture), tempfile.TemporaryDirectory() as name:
                folder, arrays = Path(name), random_rows(board, ROWS, seed)
                model = trained_model(board, architecture, seed)
                networks.export(model, folder / "network.safetensors")
                values, priors = self.evaluated(folder / "network.safetensors", board, arrays, folder)
                batch = unpack(board, arrays)
                expected = model.evaluate(torch.from_numpy(batch["inputs"]), torch.from_numpy(batch["legal"]))
                self.assertLess(np.abs(priors - expected[0].numpy()).max(), TOLERANCE)
                self.assertLess(np.abs(values - expected[1].numpy()).max(), TOLERANCE)
                self.assertGreater(values.std(), 100 * TOLERANCE, "values too alike to tell networks apart")
                even = batch["legal"] / batch["legal"].sum(1, keepdims=True)
                self.assertGreater(np.abs(priors - even).max(), 100 * TOLERANCE, "priors too even")

    def test_a_network_that_is_cut_short_is_refused_by_name(self):
        with tempfile.TemporaryDirectory() as name:
            board, architecture = CASES[0]
            path = Path(name) / "cut.safetensors"
            networks.export(Network(board, architecture), path)
            path.write_bytes(path.read_bytes()[:-100])
            done = subprocess.run([PROGRAM, path, path], capture_output=True, text=True)
            self.assertEqual(done.returncode, 1)
            self.assertIn("cut.safetensors", done.stderr)


if __name__ == "__main__":
    unittest.main()
