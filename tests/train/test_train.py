"""train.py: losses, augmentation, and that training learns."""

import contextlib
import io
import tempfile
import unittest
from pathlib import Path

import support
from support import random_rows, write_shard

support.need("torch")

import numpy as np
import torch

import games
import model as networks
import train
from model import Architecture, Network
from rows import Rows
from train import Settings

CONNECT4 = games.board_of("connect4")


class Losses(unittest.TestCase):
    def test_the_value_target_is_the_result_and_keeps_the_searchs_expectation(self):
        value, outcome = torch.tensor([0.5, -0.2, 0.0]), torch.tensor([1.0, -1.0, 0.0])
        self.assertEqual(train.value_targets(value, outcome, 0).tolist(), [[1, 0, 0], [0, 0, 1], [0, 1, 0]])
        for mix in (0.3, 1):
            target = train.value_targets(value, outcome, mix)
            torch.testing.assert_close(target.sum(1), torch.ones(3))
            torch.testing.assert_close(target[:, 0] - target[:, 2], (1 - mix) * outcome + mix * value)

    def test_the_policy_loss_ignores_illegal_actions_and_is_least_at_the_target(self):
        legal = torch.tensor([[True, True, False]])
        policy = torch.tensor([[0.25, 0.75, 0.0]])
        entropy = -(policy * policy.clamp_min(1e-9).log()).sum()
        for illegal in (-50.0, 50.0):
            logits = torch.tensor([[0.25, 0.75, 1.0]]).log() + torch.tensor([[0, 0, illegal]])
            torch.testing.assert_close(train.policy_loss(logits, legal, policy), entropy)
        self.assertGreater(float(train.policy_loss(torch.zeros(1, 3), legal, policy)), float(entropy))

    def test_the_scalar_value_loss_is_the_squared_error_of_tanh(self):
        outputs, value, outcome = torch.tensor([[0.3], [-2.0]]), torch.zeros(2), torch.tensor([1.0, -1.0])
        expected = ((torch.tanh(outputs[:, 0]) - outcome) ** 2).mean()
        torch.testing.assert_close(train.value_loss(outputs, value, outcome, 0), expected)


class Augmentation(unittest.TestCase):
    def test_planes_legal_actions_and_policy_move_together(self):
        for board in (CONNECT4, games.board_of("hex7-swap")):
            rows = Rows(board, random_rows(board, 200, seed=1))
            batch, moves = rows.batch(np.arange(200)), games.symmetries(board)
            moved = train.augmented(batch, moves, np.random.default_rng(1))
            used = np.zeros(len(moves), int)
            for b in range(200):
                fits = [np.array_equal(moved.inputs[b].reshape(board.inputs, -1), flat[:, cells])
                        and np.array_equal(moved.policy[b], batch.policy[b][actions])
                        and np.array_equal(moved.legal[b], batch.legal[b][actions])
                        for flat in [batch.inputs[b].reshape(board.inputs, -1)] for cells, actions in moves]
                self.assertEqual(sum(fits), 1, f"row {b} of {board.game}")
                used += fits
            self.assertGreater(used.min(), 60)


class Schedule(unittest.TestCase):
    def test_every_row_comes_up_once_before_any_comes_up_again(self):
        rows = Rows(CONNECT4, random_rows(CONNECT4, 64, seed=1))
        order = list(train.batches(rows, Settings(steps=8, batch=16), np.random.default_rng(1)))
        for first in (0, 4):
            self.assertEqual(sorted(np.concatenate(order[first:first + 4])), list(range(64)))

    def test_the_rate_rises_then_falls_to_a_fiftieth(self):
        settings = Settings(steps=1000, lr=1.0)
        rates = [train.learning_rate(step, settings) for step in range(1000)]
        self.assertEqual(np.argmax(rates), 49)
        self.assertAlmostEqual(max(rates), 1)
        self.assertAlmostEqual(rates[-1], 0.02)
        self.assertTrue((np.diff(rates[49:]) < 0).all())


class Learning(unittest.TestCase):
    def test_a_small_network_learns_64_rows_by_heart(self):
        torch.set_num_threads(1)
        for value in networks.OUTPUTS:
            torch.manual_seed(1)
            model = Network(CONNECT4, Architecture(blocks=1, channels=16, value=value))
            rows = Rows(CONNECT4, random_rows(CONNECT4, 64, seed=1))
            settings = Settings(steps=150, batch=32, lr=1e-2, symmetry=False, report_every=10)
            optimizer, losses = train.make_optimizer(model), []
            with self.subTest(value):
                _, first = train.fit(model, optimizer, rows, Settings(steps=1, batch=32, lr=1e-9), losses.append)
                policy, last = train.fit(model, optimizer, rows, settings, losses.append)
                self.assertLess(last, first / 4)
                target = rows.arrays["policy"]
                entropy = -np.where(target > 0, target * np.log(np.maximum(target, 1e-9)), 0).sum(1).mean()
                self.assertLess(policy - entropy, 0.05)
                self.assertRegex(losses[-1], r"^step 150/150  policy \d\.\d+  value \d\.\d+  \d+ rows/s$")


class Program(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        write_shard(self.folder / "data/rows-000000.safetensors", CONNECT4, random_rows(CONNECT4, 100, seed=1))

    def run_train(self, *more):
        """The exit status of train.py, and what it wrote to standard output and error."""
        command = ["--data", str(self.folder / "data"), "--out", str(self.folder / "network.safetensors"),
                   "--blocks", "1", "--channels", "8", "--threads", "1", "--epochs", "1", "--batch", "50", *more]
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            try:
                return train.main(command), out.getvalue(), err.getvalue()
            except SystemExit as end:
                return end.code, out.getvalue(), err.getvalue()

    def test_it_trains_writes_a_network_and_goes_on_from_a_checkpoint(self):
        checkpoint = str(self.folder / "checkpoint.pt")
        status, out, err = self.run_train("--checkpoint", checkpoint)
        self.assertEqual((status, err), (0, ""))
        self.assertIn("step 2/2", out)
        first = networks.load(self.folder / "network.safetensors")
        self.assertEqual((first.board, first.architecture.channels), (CONNECT4, 8))
        self.assertEqual(self.run_train("--resume", checkpoint)[0], 0)
        again = networks.load(self.folder / "network.safetensors")
        self.assertFalse(torch.equal(first.stem.conv.weight, again.stem.conv.weight))

    def test_the_same_seed_gives_the_same_network(self):
        networks_written = []
        for seed in ("1", "1", "2"):
            self.assertEqual(self.run_train("--seed", seed)[0], 0)
            networks_written.append((self.folder / "network.safetensors").read_bytes())
        self.assertEqual(networks_written[0], networks_written[1])
        self.assertNotEqual(networks_written[0], networks_written[2])

    def test_bad_input_is_one_line_and_bad_flags_are_status_2(self):
        status, _, err = self.run_train("--resume", "missing.pt")
        self.assertEqual((status, err.count("\n")), (1, 1))
        self.assertIn("missing.pt", err)
        (self.folder / "data/rows-000000.safetensors").write_bytes(b"12345678")
        status, _, err = self.run_train()
        self.assertEqual((status, err.count("\n")), (1, 1))
        self.assertIn("rows-000000.safetensors", err)
        self.assertEqual(self.run_train("--value-mix", "2")[0], 2)
        self.assertEqual(list(self.folder.glob("*network*")), [])


if __name__ == "__main__":
    unittest.main()
