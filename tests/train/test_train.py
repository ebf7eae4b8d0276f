"""train.py: losses, augmentation, and that training learns."""

import contextlib
import io
import json
import tempfile
import unittest
from dataclasses import replace
from pathlib import Path
from unittest import mock

import support
from support import random_rows, write_shard

support.need("torch")

import numpy as np
import torch

import games
import model as networks
import train
from model import Architecture, Network
from rows import unpack
from tensors import TensorFileError
from train import Settings

CONNECT4 = games.board_of("connect4")


class Losses(unittest.TestCase):
    def test_the_policy_loss_ignores_illegal_actions_and_is_least_at_the_target(self):
        legal = torch.tensor([[True, True, False]])
        policy = torch.tensor([[0.25, 0.75, 0.0]])
        entropy = -(policy * policy.clamp_min(1e-9).log()).sum()
        batch = dict(legal=legal, policy=policy, policy_weight=torch.ones(1))
        for illegal in (-50.0, 50.0):
            logits = torch.tensor([[0.25, 0.75, 1.0]]).log() + torch.tensor([[0, 0, illegal]])
            torch.testing.assert_close(train.policy_loss(logits, batch), entropy)
        self.assertGreater(float(train.policy_loss(torch.zeros(1, 3), batch)), float(entropy))

    def test_the_scalar_value_loss_is_the_squared_error_of_tanh(self):
        outputs, target = torch.tensor([[0.3], [-2.0]]), torch.tensor([1.0, -1.0])
        expected = ((torch.tanh(outputs[:, 0]) - target) ** 2).mean()
        torch.testing.assert_close(train.value_loss(outputs, dict(value_target=target, value_weight=torch.ones(2))),
                                   expected)

    def test_a_row_counts_by_its_weight_and_not_at_all_without_one(self):
        batch = dict(legal=torch.ones(3, 2, dtype=torch.bool), policy=torch.tensor([[1.0, 0], [1, 0], [0, 1]]),
                     policy_weight=torch.tensor([3.0, 1, 0]), wdl_target=torch.eye(3), value_weight=torch.zeros(3))
        logits = torch.tensor([[1.0, -1], [-1, 1], [9, 0]], requires_grad=True)
        costs = -torch.log_softmax(torch.tensor([1.0, -1]), 0)
        loss = train.policy_loss(logits, batch)
        torch.testing.assert_close(loss, (3 * costs[0] + costs[1]) / 4)
        loss.backward()
        self.assertEqual(logits.grad[2].tolist(), [0, 0])
        self.assertEqual(float(train.value_loss(torch.rand(3, 3), batch)), 0)


class Augmentation(unittest.TestCase):
    def test_planes_legal_actions_and_policy_move_together(self):
        for name in ("connect4", "hex7-swap", "othello", "go5", "breakthrough8", "mnk3x4x3"):
            board = games.board_of(name)
            batch = {name: torch.from_numpy(array) for name, array in unpack(board, random_rows(board, 200, 1)).items()}
            moves = games.symmetries(board)
            self.assertGreater(len(moves), 1)
            moved = train.augmented(batch, train.index_tables(moves, "cpu"), np.random.default_rng(1))
            used = np.zeros(len(moves), int)
            for b in range(200):
                flat = batch["inputs"][b].flatten(1)
                fits = [torch.equal(moved["inputs"][b].flatten(1), flat[:, cells])
                        and torch.equal(moved["policy"][b], batch["policy"][b][actions])
                        and torch.equal(moved["legal"][b], batch["legal"][b][actions])
                        for cells, actions in (map(np.ascontiguousarray, move) for move in moves)]
                self.assertEqual(sum(fits), 1, f"row {b} of {board.game}")
                used += fits
            self.assertGreater(used.min(), 120 / len(moves))


class Folder(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def write(self, count, **more):
        arrays = {**random_rows(CONNECT4, count, seed=1), **more}
        write_shard(self.folder / "data/rows-000000.safetensors", CONNECT4, arrays)
        return arrays


class Batches(Folder):
    def test_every_row_comes_up_once_before_any_comes_up_again(self):
        self.write(64)
        for workers in (0, 2):
            loader, count = train.open_rows([self.folder / "data"], Settings(batch=16), workers=workers)
            order = [batch["episode"].tolist() for _, batch in zip(range(8), train.endless(loader))]
            self.assertEqual(count, 64)
            for first in (0, 4):
                self.assertEqual(sorted(sum(order[first:first + 4], [])), list(range(64)))
            self.assertNotEqual(order[:4], order[4:])

    def test_the_rows_may_be_fewer_than_a_batch_but_not_one(self):
        self.write(7)
        loader, count = train.open_rows([self.folder / "data"], Settings(batch=16), workers=2)
        self.assertGreater(len(next(train.endless(loader))["policy"]), 1)
        self.write(1)
        self.assertRaisesRegex(TensorFileError, "1 row is too few", train.open_rows, [self.folder / "data"], Settings())

    def test_it_does_not_wait_for_ever_when_all_rows_are_gone(self):
        self.write(64)
        loader, _ = train.open_rows([self.folder / "data"], Settings(batch=16))
        batches = train.endless(loader)
        next(batches)
        (self.folder / "data/rows-000000.safetensors").unlink()
        self.assertRaises(TensorFileError, list, batches)


class Device(unittest.TestCase):
    def test_a_gpu_gets_what_the_losses_need_from_pinned_memory_without_a_wait(self):
        tensors = {name: mock.Mock() for name in (*train.NEEDED, "network", "episode", "outcome")}
        sent = train.needed(tensors, torch.device("cuda"))
        self.assertEqual(set(sent), set(train.NEEDED))
        for name, tensor in sent.items():
            tensors[name].pin_memory().to.assert_called_once_with(torch.device("cuda"), non_blocking=True)
            self.assertIs(tensor, tensors[name].pin_memory().to.return_value)

    @unittest.skipUnless(torch.cuda.is_available(), "needs a GPU")
    def test_a_gpu_turns_rows_as_the_host_does(self):
        rows = unpack(CONNECT4, random_rows(CONNECT4, 99, 1))
        batch = {**{name: torch.rand(99) for name in train.NEEDED},
                 **{name: torch.from_numpy(array) for name, array in rows.items()}}
        turned = []
        for device in map(torch.device, ("cpu", "cuda")):
            tables = train.index_tables(games.symmetries(CONNECT4), device)
            turned.append(train.augmented(train.needed(batch, device), tables, np.random.default_rng(1)))
        for name in train.NEEDED:
            self.assertTrue(torch.equal(turned[0][name], turned[1][name].cpu()), name)


class Evaluation(Folder):
    def test_losses_are_those_of_all_rows_by_their_weight_and_nothing_is_changed(self):
        random = np.random.default_rng(2)
        self.write(50, full=random.integers(0, 2, 50).astype(np.uint8), surprise=random.random(50).astype(np.float32))
        for value in networks.OUTPUTS:
            model = Network(CONNECT4, Architecture(blocks=1, channels=8, value=value)).train()
            before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
            settings, state = Settings(batch=16, surprise_share=0.5, value_mix=0.25), torch.get_rng_state()
            found = train.evaluate(model, train.open_stream([self.folder / "data"], settings))
            self.assertTrue(torch.equal(state, torch.get_rng_state()))
            self.assertTrue(model.training)
            self.assertTrue(all(torch.equal(before[name], part) for name, part in model.state_dict().items()))
            batch, = train.open_stream([self.folder / "data"], replace(settings, batch=50))
            expected = [float(loss.detach()) for loss in train.losses_of(model.eval(), batch)]
            np.testing.assert_allclose(found, expected, rtol=1e-5)


class Schedule(unittest.TestCase):
    def test_the_rate_rises_then_falls_to_a_fiftieth(self):
        settings = Settings(steps=1000, lr=1.0)
        rates = [train.learning_rate(step, settings) for step in range(1000)]
        self.assertEqual(np.argmax(rates), 49)
        self.assertAlmostEqual(max(rates), 1)
        self.assertAlmostEqual(rates[-1], 0.02)
        self.assertTrue((np.diff(rates[49:]) < 0).all())


class Learning(Folder):
    def test_a_small_network_learns_64_rows_by_heart(self):
        torch.set_num_threads(1)
        for value in networks.OUTPUTS:
            torch.manual_seed(1)
            model = Network(CONNECT4, Architecture(blocks=1, channels=16, value=value))
            arrays = self.write(64)
            settings = Settings(steps=150, batch=32, lr=1e-2, symmetry=False, report_every=10)
            optimizer, losses = train.make_optimizer(model), []
            loader, _ = train.open_rows([self.folder / "data"], settings)
            with self.subTest(value):
                _, first = train.fit(model, optimizer, loader, Settings(steps=1, lr=1e-9), losses.append)
                policy, last = train.fit(model, optimizer, loader, settings, losses.append)
                self.assertLess(last, first / 4)
                target = arrays["policy"]
                entropy = -np.where(target > 0, target * np.log(np.maximum(target, 1e-9)), 0).sum(1).mean()
                self.assertLess(policy - entropy, 0.05)
                self.assertRegex(losses[-1], r"^step 150/150  policy \d\.\d+  value \d\.\d+  \d+ rows/s$")


class Program(Folder):
    def setUp(self):
        super().setUp()
        self.write(100)

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

    def test_it_trains_writes_a_network_and_starts_warm_from_a_checkpoint(self):
        self.assertRegex(self.run_train("--help")[1], r"weights and\s+the optimizer's\s+state.*\s+.*warm start")
        checkpoint = str(self.folder / "checkpoint.pt")
        status, out, err = self.run_train("--checkpoint", checkpoint)
        self.assertEqual((status, err), (0, ""))
        self.assertIn("step 2/2", out)
        first = networks.load(self.folder / "network.safetensors")
        self.assertEqual((first.board, first.architecture.channels), (CONNECT4, 8))
        self.assertEqual(self.run_train("--resume", checkpoint)[0], 0)
        again = networks.load(self.folder / "network.safetensors")
        self.assertFalse(torch.equal(first.stem.conv.weight, again.stem.conv.weight))

    def test_symmetries_of_a_game_of_ones_own_are_those_that_its_rows_name(self):
        cells = np.arange(42).reshape(6, 7)
        mirrored = [cells[:, ::-1].ravel().tolist(), list(range(6, -1, -1))]
        own, tables = replace(CONNECT4, game="own"), json.dumps([[list(range(42)), list(range(7))], mirrored])
        for metadata, count in [({}, 1), ({"symmetries": tables}, 2)]:
            write_shard(self.folder / "data/rows-000000.safetensors", own, random_rows(own, 100, 1), **metadata)
            with mock.patch.object(train, "augmented", side_effect=train.augmented) as augmented:
                status, out, err = self.run_train()
            self.assertEqual((status, err), (0, ""))
            self.assertIn(f", {count} symmetries\n", out)
            self.assertEqual(augmented.called, count > 1)
        moved_cells, moved_actions = (table[1].tolist() for table in augmented.call_args.args[1])
        self.assertEqual([moved_cells, moved_actions], mirrored)
        self.assertIn(", 1 symmetries\n", self.run_train("--no-symmetry")[1])

    def test_training_that_diverges_leaves_the_network_and_the_checkpoint_as_they_were(self):
        checkpoint = self.folder / "checkpoint.pt"
        self.run_train("--checkpoint", str(checkpoint))
        before = [path.read_bytes() for path in (checkpoint, self.folder / "network.safetensors")]
        status, _, err = self.run_train("--resume", str(checkpoint), "--checkpoint", str(checkpoint), "--lr", "1e38")
        self.assertEqual((status, err.count("\n")), (1, 1))
        self.assertRegex(err, "network.safetensors: not written: .*diverged")
        self.assertEqual([path.read_bytes() for path in (checkpoint, self.folder / "network.safetensors")], before)

    def test_the_same_seed_gives_the_same_network(self):
        networks_written = []
        for seed in ("1", "1", "2"):
            self.assertEqual(self.run_train("--seed", seed)[0], 0)
            networks_written.append((self.folder / "network.safetensors").read_bytes())
        self.assertEqual(networks_written[0], networks_written[1])
        self.assertNotEqual(networks_written[0], networks_written[2])

    def test_the_value_learns_the_shares_that_the_flags_ask_for(self):
        short = np.random.default_rng(3).uniform(-1, 1, 100).astype(np.float32)
        arrays = self.write(100, short_value=short)
        flags = train.parse_flags(["--data", str(self.folder / "data"), "--out", "none", "--batch", "50", "--value-mix",
                                   "0.25", "--short-mix", "0.5"])
        loader, count = train.open_rows(flags.data, train.settings_of(flags, 0, 1))
        for batch in loader:
            at = batch["episode"].numpy()
            expected = 0.25 * arrays["outcome"][at] + 0.25 * arrays["value"][at] + 0.5 * short[at]
            np.testing.assert_allclose(batch["value_target"].numpy(), expected, atol=1e-6)
        self.assertEqual(count, 100)
        networks_written = []
        for mix in ("0", "1"):
            self.assertEqual(self.run_train("--short-mix", mix)[0], 0)
            networks_written.append((self.folder / "network.safetensors").read_bytes())
        self.assertNotEqual(*networks_written)

    def test_bad_input_is_one_line_and_bad_flags_are_status_2(self):
        status, _, err = self.run_train("--resume", "missing.pt")
        self.assertEqual((status, err.count("\n")), (1, 1))
        self.assertIn("missing.pt", err)
        (self.folder / "data/rows-000000.safetensors").write_bytes(b"12345678")
        status, _, err = self.run_train()
        self.assertEqual((status, err.count("\n")), (1, 1))
        self.assertIn("rows-000000.safetensors", err)
        for flags in (["--value-mix", "2"], ["--short-mix", "-0.1"], ["--value-mix", "0.6", "--short-mix", "0.5"],
                       ["--workers", "-1"], ["--seed", "-1"], ["--lr", "nan"], ["--epochs", "inf"],
                       ["--device", "none"]):
            self.assertEqual(self.run_train(*flags)[0], 2, flags)
        self.assertEqual(list(self.folder.glob("*network*")), [])


if __name__ == "__main__":
    unittest.main()
