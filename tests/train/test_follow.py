"""follow.py, with shards that a test writes: when it trains, on what and how long, and what a stop at any point leaves."""

import contextlib
import io
import json
import tempfile
import unittest
from pathlib import Path
from unittest import mock

import support

support.need("torch")

import torch

import follow
import games
import loop
import model as networks
import train

BOARD = games.board_of("connect4")


class Killed(BaseException):
    """Stands for a death of the process."""


class FollowRuns(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        torch.set_num_threads(1)

    def write(self, number, count=40, run="run", **metadata):
        """Writes a shard of random rows, which self-play has finished unless the metadata say else."""
        path = self.folder / run / f"rows-{number:06}.safetensors"
        support.write_shard(path, BOARD, support.random_rows(BOARD, count, number), **metadata)
        return path

    def run_follow(self, *more, data="run"):
        """The exit status of follow.py, and what it wrote to standard output and error."""
        command = ["--game", "connect4", "--data", str(self.folder / data), "--networks",
                   str(self.folder / "networks"), "--work", str(self.folder / "training"), "--blocks", "1",
                   "--channels", "8", "--threads", "1", "--batch", "20", "--new-rows", "40", "--passes", "3", *more]
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            try:
                return follow.main(command), out.getvalue(), err.getvalue()
            except SystemExit as end:
                return end.code, out.getvalue(), err.getvalue()

    def log(self):
        """The log's lines."""
        return [json.loads(line) for line in (self.folder / "training/log.jsonl").read_text().splitlines()]

    def networks(self):
        """The names of the networks there, and the bytes of each."""
        return {path.name: path.read_bytes() for path in sorted((self.folder / "networks").glob("*.safetensors"))}

    def killed_in(self, module, name, *more):
        """Runs until a function is called, where the process dies."""
        with mock.patch.object(module, name, side_effect=Killed), self.assertRaises(Killed):
            self.run_follow(*more)

    def test_trains_whenever_enough_rows_have_come(self):
        """Two networks, the second only once rows came that were not there before; network 0 is there at once."""
        self.write(0)
        naps = []

        def nap(seconds):
            naps.append(len(self.networks()))
            self.write(len(naps), count=20)

        with mock.patch.object(follow.time, "sleep", nap):
            status, out, err = self.run_follow("--count", "2")
        self.assertEqual((status, err), (0, ""))
        self.assertEqual(list(self.networks()), [f"{n:06}.safetensors" for n in range(3)])
        self.assertEqual(len(set(self.networks().values())), 3)
        self.assertEqual(naps, [2, 2])  # none before network 1; two shards of 20 before network 2
        self.assertEqual([line["new_rows"] for line in self.log()], [40, 40])
        self.assertEqual([line["passes"] for line in self.log()], [3, 3])
        self.assertIn("network 2  new_rows 40", out)

    def test_network_0_is_there_before_any_row_or_folder_is(self):
        """Self-play needs one to begin with."""
        self.killed_in(follow.time, "sleep")
        self.assertEqual(list(self.networks()), ["000000.safetensors"])
        self.assertEqual(networks.load(self.folder / "networks/000000.safetensors").board, BOARD)

    def test_steps_go_by_the_rows_that_came_up_to_a_limit(self):
        """Steps of 20 rows for three passes; beyond four times `--new-rows` rows count no more."""
        for rows, steps in [(40, 6), (100, 15), (160, 24), (1000, 24)]:
            for path in (self.folder / "run").glob("*"):
                path.unlink()
            self.write(rows, rows)
            with mock.patch.object(train, "fit", return_value=(1.0, 2.0)) as fit:
                self.assertEqual(self.run_follow("--count", str(fit.call_count + self.made() + 1))[0], 0)
            self.assertEqual(fit.call_args.args[3].steps, steps)
            self.assertEqual(self.log()[-1]["passes"], round(steps * 20 / rows, 2))

    def made(self):
        """How many networks the checkpoint counts."""
        path = self.folder / "training/checkpoint.pt"
        return networks.load_checkpoint(path)[1]["networks"] if path.exists() else 0

    def test_trains_on_the_newest_rows_of_the_window(self):
        """Rows before the window are left alone; with fewer rows than a batch the batch is smaller."""
        for number in range(3):
            self.write(number)
        with mock.patch.object(train, "fit", return_value=(1.0, 2.0)) as fit:
            self.assertEqual(self.run_follow("--count", "1", "--window", "50", "--batch", "64")[0], 0)
        stream = fit.call_args.args[2].stream
        self.assertEqual([(Path(part.path).name, part.first, part.last) for part in stream.parts()],
                         [("rows-000001.safetensors", 30, 40), ("rows-000002.safetensors", 0, 40)])
        self.assertEqual(stream.batch, 50)

    def test_goes_on_as_if_it_had_not_been_stopped(self):
        """A process that dies in training, or between checkpoint and network, changes no network; rows that were
        counted are not counted again, and those that came meanwhile are."""
        self.write(0)
        self.write(1, 60)
        self.assertEqual(self.run_follow("--count", "1")[0], 0)
        self.write(2, 41)
        self.assertEqual(self.run_follow("--count", "2")[0], 0)
        wanted, log = self.networks(), self.log()
        self.assertEqual([line["new_rows"] for line in log], [100, 41])

        for name in ("training", "networks", "run"):
            (self.folder / name).rename(self.folder / f"first-{name}")
        self.write(0)
        self.write(1, 60)
        self.killed_in(train, "fit")
        self.assertEqual(self.run_follow("--count", "1")[0], 0)
        self.write(2, 41)
        self.killed_in(networks, "export")
        self.assertEqual(len(self.networks()), 2)
        self.assertEqual(self.run_follow("--count", "2")[0], 0)
        self.assertEqual(self.networks(), wanted)

    def test_a_training_that_diverges_leaves_the_checkpoint_as_it_was(self):
        """The same command with a sane rate goes on."""
        self.write(0)
        status, _, err = self.run_follow("--count", "1", "--lr", "1e25")
        self.assertEqual((status, self.made()), (1, 0))
        self.assertRegex(err, "diverged")
        self.assertEqual(self.run_follow("--count", "1")[0], 0)

    def test_the_window_goes_by_the_order_in_which_rows_came(self):
        """Of ranks one may be far behind in its numbers, and a folder may come later."""
        for number in range(10, 14):
            self.write(number, run="rank-0")
        self.assertEqual(self.run_follow("--count", "1", data="rank-*")[0], 0)
        for number in range(2):
            self.write(number, run="rank-1")
        with mock.patch.object(train, "fit", return_value=(1.0, 2.0)) as fit:
            self.assertEqual(self.run_follow("--count", "2", "--window", "100", data="rank-*")[0], 0)
        parts = [(Path(part.path).parent.name, part.number, part.first) for part in fit.call_args.args[2].stream.parts()]
        self.assertEqual(parts, [("rank-0", 13, 20), ("rank-1", 0, 0), ("rank-1", 1, 0)])

    def test_rows_that_come_during_training_are_new_ones_for_the_next(self):
        """They are trained on when they are counted, whatever the epochs of the training before see."""
        self.write(0)
        opened = []
        with mock.patch.object(train, "fit", side_effect=lambda model, optimizer, loader, *more, **named: (
                self.write(len(opened) + 1), opened.append(len(loader.stream.parts())), (1.0, 2.0))[-1]):
            self.assertEqual(self.run_follow("--count", "2")[0], 0)
        self.assertEqual(opened, [1, 2])

    def test_a_folder_that_is_emptied_and_filled_anew_counts_anew(self):
        """As an overwritten run is."""
        path = self.write(0)
        self.assertEqual(self.run_follow("--count", "1")[0], 0)
        naps = []

        def nap(seconds):
            naps.append(path.exists())
            path.unlink() if path.exists() else self.write(0, 50)

        with mock.patch.object(follow.time, "sleep", nap):
            self.assertEqual(self.run_follow("--count", "2")[0], 0)
        self.assertEqual((naps, self.log()[-1]["new_rows"]), ([True, False], 50))

    def test_a_shard_counts_once_it_is_final(self):
        """What a stopped run leaves may be written anew."""
        self.write(0, final="no")
        with mock.patch.object(follow.time, "sleep", lambda seconds: self.write(0, 70, final="yes")):
            self.assertEqual(self.run_follow("--count", "1")[0], 0)
        self.assertEqual(self.log()[0]["new_rows"], 70)

    def test_shards_that_go_while_they_are_read_are_done_without(self):
        """`--keep` removes the oldest ones at any moment."""
        gone, fit = self.write(0), train.fit
        self.write(1, 60)

        def fit_without(model, optimizer, loader, *more, **named):
            loader.parts = loader.stream.parts()
            gone.unlink()
            return fit(model, optimizer, loader, *more, **named)

        with mock.patch.object(train, "fit", fit_without), self.assertWarnsRegex(UserWarning, "going on without it"):
            self.assertEqual(self.run_follow("--count", "1")[0], 0)
        self.assertEqual(self.made(), 1)

    def test_symmetries_are_those_that_the_rows_name(self):
        """Of a game of one's own nothing else knows them."""
        same = [list(range(42)), list(range(7))]
        self.write(0, symmetries=json.dumps([same] * 3))
        with mock.patch.object(train, "augmented", side_effect=train.augmented) as augmented:
            self.assertEqual(self.run_follow("--count", "1")[0], 0)
        self.assertEqual(len(augmented.call_args.args[1][0]), 3)

    def test_folders_of_a_glob_are_filled_side_by_side(self):
        """The ranks of a run count together."""
        for rank in range(2):
            self.write(0, 25, run=f"rank-{rank}")
        self.assertEqual(self.run_follow("--count", "1", data="rank-*")[0], 0)
        self.assertEqual(self.log()[0]["new_rows"], 50)

    def test_says_what_is_wrong(self):
        """A checkpoint of another program or of other sizes, a folder in use, flags that cannot be."""
        self.write(0)
        self.assertEqual(self.run_follow("--count", "1")[0], 0)
        status, _, err = self.run_follow("--count", "2", "--channels", "16")
        self.assertEqual(status, 1)
        self.assertRegex(err, r"follow.py: .*checkpoint.pt: holds .*channels=8.* but the flags ask for .*channels=16")
        with loop.locked(self.folder / "training"):
            self.assertEqual(self.run_follow()[0], 1)
        model, state = networks.load_checkpoint(self.folder / "training/checkpoint.pt")
        networks.save_checkpoint(self.folder / "training/checkpoint.pt", model, train.make_optimizer(model), generation=1)
        status, _, err = self.run_follow()
        self.assertEqual((status, err), (1, f"follow.py: {self.folder}/training/checkpoint.pt: is another program's: it "
                                            "names no networks\n"))
        self.assertEqual(self.run_follow("--new-rows", "0")[0], 2)
        self.assertEqual(self.run_follow("--new-rows", "50", "--window", "49")[0], 2)
        (self.folder / "training/checkpoint.pt").unlink()
        status, _, err = self.run_follow()
        self.assertEqual(status, 1)
        self.assertRegex(err, "networks: holds networks, but .*checkpoint.pt is not there to go on from")
        self.assertEqual(self.run_follow("--game", "chess")[0], 2)


if __name__ == "__main__":
    unittest.main()
