"""loop.py, with programs that stand in for self-play and match: they write random rows and count their calls."""

import contextlib
import fcntl
import io
import json
import os
import signal
import sys
import tempfile
import time
import unittest
from pathlib import Path
from unittest import mock

import support

support.need("torch")

import torch

import loop
import model as networks
import train

RESULT = dict(score=0.75, elo=190.8485, elo_low=-12.34, elo_high=None)

PROGRAM = f"""#!{sys.executable}
import fcntl, json, os, signal, sys, time
from pathlib import Path
sys.path[:0] = {sys.path!r}
import games, support
words = [word for word in sys.argv[1:] if word != "--resume"]
flags = dict(zip(words[::2], words[1::2]))
folder = Path(__file__).parent
if "--resume" in sys.argv:
    run = Path(flags["--out"]) / "run.json"
    flags["resumed"] = run.exists()
    run.touch()
with open(folder / "calls", "a") as calls:
    print(json.dumps([Path(__file__).name, flags]), file=calls)
if (folder / ("break-" + Path(__file__).name)).exists():
    sys.exit("the disk is full")
if (folder / ("end-at-" + Path(__file__).name)).exists():
    lock = open(folder / "lock", "w")
    fcntl.flock(lock, fcntl.LOCK_EX)
    os.kill(os.getppid(), signal.SIGTERM)
    time.sleep(60)
if Path(__file__).name == "selfplay":
    board = games.board_of(flags["--game"])
    rows = support.random_rows(board, 40, int(flags["--seed"]))
    support.write_shard(Path(flags["--out"]) / "rows-000000.safetensors", board, rows)
    summary = dict(rows=40, episodes=int(flags["--episodes"]), boards_per_second=12345.6)
    if (folder / "resignations").exists():
        summary.update(json.loads((folder / "resignations").read_text()))
else:
    summary = dict(wins=3, draws=0, losses=1, **{RESULT!r})
Path(flags["--summary"]).write_text(json.dumps(summary))
"""


class LoopRuns(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        for name in ("selfplay", "match"):
            (self.folder / name).write_text(PROGRAM)
            (self.folder / name).chmod(0o755)
        torch.set_num_threads(1)

    def run_loop(self, *more, game="connect4", work="work"):
        """The exit status of loop.py, and what it wrote to standard output and error."""
        command = ["--game", game, "--work", str(self.folder / work), "--out", str(self.folder / "out.safetensors"),
                   "--programs", str(self.folder), "--blocks", "1", "--channels", "8", "--threads", "1",
                   "--batch", "20", "--episodes", "5", "--opponents", "rollout", *more]
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            try:
                return loop.main(command), out.getvalue(), err.getvalue()
            except SystemExit as end:
                return end.code, out.getvalue(), err.getvalue()

    def calls(self):
        """The programs called so far with their flags."""
        return [json.loads(line) for line in (self.folder / "calls").read_text().splitlines()]

    def log(self):
        """The log's lines."""
        return [json.loads(line) for line in (self.folder / "work/log.jsonl").read_text().splitlines()]

    def test_every_generation_plays_with_the_network_before_and_measures_the_one_after(self):
        status, out, err = self.run_loop("--generations", "2", "--seed", "7")
        self.assertEqual((status, err), (0, ""))
        calls = self.calls()
        self.assertEqual([name for name, _ in calls], ["selfplay", "match"] * 2)
        used = [Path(flags.get("--network") or flags["--first"]).name for _, flags in calls]
        self.assertEqual(used, [f"network-{n:03}.safetensors" for n in (0, 1, 1, 2)])
        self.assertEqual([flags["--seed"] for _, flags in calls], ["7", "7", "8", "7"])
        self.assertEqual([flags["--threads"] for _, flags in calls], ["1"] * 4)
        self.assertEqual([(line["generation"], line["rows"], line["rollout"]) for line in self.log()],
                         [(1, 40, RESULT), (2, 40, RESULT)])
        self.assertEqual(out.count("rollout 75.0 % (+191, -12 to ?)"), 2)
        newest = self.folder / "work/network-002.safetensors"
        self.assertEqual((self.folder / "out.safetensors").read_bytes(), newest.read_bytes())

    def test_self_play_and_measuring_have_simulations_of_their_own(self):
        self.run_loop("--generations", "1", "--simulations", "30")
        self.run_loop("--generations", "2", "--simulations", "30", "--search", "gumbel", "--measure-simulations", "70")
        flags = [flags for _, flags in self.calls()]
        self.assertEqual([each.get("--search") for each in flags], ["puct", None, "gumbel", None])
        self.assertEqual([each["--simulations"] for each in flags], ["30", "30", "30", "70"])

    def test_selfplay_chooses_batches_and_games_by_its_evaluator_unless_told(self):
        self.run_loop("--generations", "1", "--measure-every", "0")
        self.run_loop("--generations", "2", "--measure-every", "0", "--games", "48")
        self.run_loop("--generations", "3", "--measure-every", "0", "--selfplay-flags", "--batching immediate")
        flags = [flags for _, flags in self.calls()]
        self.assertEqual([f.get("--games") for f in flags], [None, "48", None])
        self.assertEqual([f.get("--batching") for f in flags], [None, None, "immediate"])

    def test_every_opponent_has_its_score(self):
        opponents = [str(self.folder / name)
                     for name in ("old/best.safetensors", "best.safetensors", "best.safetensors,search=gumbel")]
        first = str(self.folder / "work/network-000.safetensors")  # which the loop writes itself
        status, _, err = self.run_loop("--generations", "1", "--opponents", "uniform", "rollout:3", first, *opponents)
        self.assertEqual(status, 2)
        self.assertIn(f"--opponents {opponents[0]}: there is no file", err)
        self.assertFalse((self.folder / "work").exists())
        (self.folder / "old").mkdir()
        for opponent in opponents[:2]:
            Path(opponent).touch()
        status, _, err = self.run_loop("--generations", "1", "--opponents", *opponents)
        self.assertEqual((status, err), (0, ""))
        self.assertEqual([flags["--second"] for _, flags in self.calls()[1:]], opponents)
        self.assertEqual([self.log()[0][name] for name in opponents], [RESULT] * 3)

    def test_results_are_printed_with_their_signs_and_a_question_mark_for_what_is_infinite(self):
        for result, text in [((0.93, 449.4, 380, 540), "93.0 % (+449, +380 to +540)"),
                             ((0.4, -70.4, -120, 5), "40.0 % (-70, -120 to +5)"),
                             ((1.0, None, 210.2, None), "100.0 % (?, +210 to ?)")]:
            self.assertEqual(loop.text_of(dict(zip(loop.RESULT, result))), text)

    def test_previous_is_the_network_of_the_generation_before(self):
        status, _, err = self.run_loop("--generations", "2", "--opponents", "previous", "previous,search=gumbel")
        self.assertEqual((status, err), (0, ""))
        before = [str(self.folder / f"work/network-{n:03}.safetensors") for n in (0, 0, 1, 1)]
        self.assertEqual([flags["--second"] for name, flags in self.calls() if name == "match"],
                         [before[0], before[1] + ",search=gumbel", before[2], before[3] + ",search=gumbel"])
        self.assertEqual(self.log()[1]["previous"], RESULT)

    def test_networks_play_matches_on_the_evaluator_that_was_asked_for(self):
        opponents = ["uniform", "rollout:3,exploration=2", "random:1x8:1", "shipped,evaluator=onednn"]
        run = lambda n, *more: self.run_loop("--generations", n, "--opponents", *opponents, *more)
        run("1", "--evaluator", "reference")
        run("2", "--evaluator", "rollout:3")
        run("3")
        first = [str(self.folder / f"work/network-{n:03}.safetensors") for n in (1, 2, 3)]
        flags = [flags for name, flags in self.calls() if name == "match"]
        self.assertEqual([f["--first"] for f in flags[::4]], [first[0] + ",evaluator=reference", *first[1:]])
        self.assertEqual([f["--second"] for f in flags[:4]],
                         [*opponents[:2], "random:1x8:1,evaluator=reference",
                          "shipped,evaluator=reference,evaluator=onednn"])  # of two settings the last one counts
        self.assertEqual([f["--second"] for f in flags[4:]], opponents * 2)

    def test_the_losses_on_new_rows_are_those_of_the_network_that_played_them(self):
        self.run_loop("--generations", "2")
        for generation, line in enumerate(self.log()):
            model = networks.load(self.folder / f"work/network-{generation:03}.safetensors")
            rows = train.open_stream([self.folder / f"work/generation-{generation:03}"], train.Settings(batch=40))
            batch, = rows
            expected = [float(loss.detach()) for loss in train.losses_of(model, batch)]
            for name, loss in zip(("policy_loss_new", "value_loss_new"), expected):
                self.assertAlmostEqual(line[name], loss, 3)

    def test_the_losses_on_new_rows_change_no_network_and_take_as_many_rows_as_they_may(self):
        rows, evaluate = [], train.evaluate

        def counted(model, batches):
            batches = list(batches)
            rows.append(sum(len(batch["policy"]) for batch in batches))
            return evaluate(model, batches)

        with mock.patch.object(loop, "NEW_ROWS", 30), mock.patch.object(train, "evaluate", counted):
            self.run_loop("--generations", "2", work="with")
        self.assertEqual(rows, [30, 30])
        found = (self.folder / "out.safetensors").read_bytes()
        with mock.patch.object(train, "evaluate", lambda *_: (0.0, 0.0)):
            self.run_loop("--generations", "2", work="without")
        self.assertEqual(found, (self.folder / "out.safetensors").read_bytes())

    def test_a_line_says_of_resignations_what_selfplay_does(self):
        said = [None, dict(resigned=0, played_through=0, wrong_resignations=None),
                dict(resigned=7, played_through=3, wrong_resignations=0.333333)]
        outputs = []
        for generation, summary in enumerate(said, 1):
            if summary:
                (self.folder / "resignations").write_text(json.dumps(summary))
            outputs.append(self.run_loop("--generations", str(generation))[1])
        first, second, third = self.log()
        self.assertNotIn("resigned", first)
        self.assertEqual({name: second[name] for name in said[1]}, said[1])
        self.assertEqual({name: third[name] for name in said[2]}, {**said[2], "wrong_resignations": 0.3333})
        self.assertEqual(["resigned" in output for output in outputs], [False, False, True])
        self.assertIn("resigned 7  played_through 3  wrong_resignations 0.3333  ", outputs[2])

    def test_a_line_of_the_log_holds_the_flags_that_shaped_the_generation(self):
        _, out, _ = self.run_loop("--generations", "1")
        more = ["--lr", "0.002", "--passes", "2", "--selfplay-flags", "--temperature-plies 8"]
        self.run_loop("--generations", "2", *more)
        flags = [line["flags"] for line in self.log()]
        changed = {name: (flags[0][name], flags[1][name]) for name in flags[0] if flags[0][name] != flags[1][name]}
        self.assertEqual(changed, {"lr": (0.005, 0.002), "passes": (4, 2),
                                   "selfplay_flags": ("", "--temperature-plies 8")})
        for name in ("game", "search", "simulations", "episodes", "window", "value_mix", "batch", "seed", "channels"):
            self.assertIn(name, flags[0])
        self.assertNotIn("flags", out)

    def test_every_family_of_shipped_games_is_learnt_and_its_rows_are_moved(self):
        for game in ("othello", "go9", "gomoku", "breakthrough8"):
            moved, augmented = [], train.augmented

            def watched(batch, tables, random):
                after = augmented(batch, tables, random)
                moved.append(not torch.equal(batch["policy"], after["policy"]))
                return after

            with self.subTest(game), mock.patch.object(train, "augmented", watched):
                status, out, err = self.run_loop("--generations", "1", "--passes", "1", game=game, work=game)
                self.assertEqual((status, err), (0, ""))
                self.assertTrue(moved and all(moved))
                self.assertEqual(networks.load(self.folder / "out.safetensors").board.game, game)

    def test_networks_begin_random_and_change_every_generation(self):
        with mock.patch.object(networks, "export", wraps=networks.export) as export:
            self.run_loop("--generations", "2")
        self.assertEqual([call.args[1].name for call in export.call_args_list],
                         [f"network-{n:03}.safetensors" for n in range(3)])
        weights = [networks.load(self.folder / f"work/network-{n:03}.safetensors").stem.conv.weight for n in range(3)]
        for before, after in zip(weights, weights[1:]):
            self.assertGreater(float((before - after).abs().max().detach()), 1e-6)

    def test_the_same_command_goes_on_as_if_it_had_not_stopped(self):
        self.run_loop("--generations", "3", work="whole")
        whole = (self.folder / "out.safetensors").read_bytes()
        self.run_loop("--generations", "1")
        (self.folder / "break-match").touch()
        status, _, err = self.run_loop("--generations", "3")
        self.assertEqual(status, 1)
        (self.folder / "break-match").unlink()
        self.assertEqual(self.run_loop("--generations", "3")[0], 0)
        self.assertEqual([line["generation"] for line in self.log()], [1, 2, 3])
        self.assertEqual((self.folder / "out.safetensors").read_bytes(), whole)

    def test_self_play_that_was_interrupted_is_resumed_by_the_same_command_alone(self):
        (self.folder / "break-selfplay").touch()
        self.assertEqual([self.run_loop("--generations", "1")[0] for _ in range(2)], [1, 1])
        (self.folder / "break-selfplay").unlink()
        status, out, _ = self.run_loop("--generations", "1", "--lr", "0.002", "--episodes", "6")  # other games
        anew = f"{self.folder / 'work' / 'generation-000'}: was begun with other flags for selfplay; its games are removed"
        self.assertEqual((status, out.count(anew), out.count("played anew")), (0, 1, 1))
        (self.folder / "break-match").touch()
        self.run_loop("--generations", "2")
        (self.folder / "break-match").unlink()
        status, out, _ = self.run_loop("--generations", "2", "--lr", "0.003")  # the same games
        self.assertEqual((status, out.count("anew")), (0, 0))
        self.assertEqual([flags["resumed"] for name, flags in self.calls() if name == "selfplay"],
                         [False, True, False, False, True])

    def test_a_loop_that_is_told_to_end_ends_the_program_under_way(self):
        self.addCleanup(signal.signal, signal.SIGTERM, signal.getsignal(signal.SIGTERM))
        (self.folder / "end-at-selfplay").touch()
        began = time.monotonic()
        status, _, err = self.run_loop("--generations", "1")
        self.assertEqual(status, 130)
        self.assertIn("loop.py: interrupted; the same command goes on from there\n", err)
        with open(self.folder / "lock") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # held by the program, which would take a minute
        self.assertLess(time.monotonic() - began, 50)

    def test_an_earlier_run_of_other_sizes_is_refused(self):
        self.run_loop("--generations", "1")
        status, _, err = self.run_loop("--generations", "2", "--channels", "16")
        self.assertEqual((status, err.count("\n")), (1, 1))
        self.assertRegex(err, "checkpoint.pt.*channels=8.*channels=16")

    def test_a_checkpoint_of_train_py_is_refused(self):
        self.run_loop("--generations", "1")
        path = str(self.folder / "work/checkpoint.pt")
        with contextlib.redirect_stdout(io.StringIO()):
            self.assertEqual(train.main(["--data", str(self.folder / "work/generation-000"), "--steps", "1",
                                         "--resume", path, "--checkpoint", path,
                                         "--out", str(self.folder / "more.safetensors")]), 0)
        status, _, err = self.run_loop("--generations", "2")
        self.assertEqual((status, err.count("\n")), (1, 1))
        self.assertRegex(err, "checkpoint.pt: .*no generation")

    def test_a_folder_that_another_loop_uses_is_refused(self):
        (self.folder / "work").mkdir()
        with open(self.folder / "work/.lock", "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            status, _, err = self.run_loop("--generations", "1")
        self.assertEqual((status, err), (1, f"loop.py: {self.folder}/work: is in use by another process\n"))
        self.assertFalse((self.folder / "calls").exists())

    def test_a_process_that_a_loop_leaves_behind_does_not_use_its_folder(self):
        lock = loop.locked(self.folder)
        there, here = os.pipe()
        child = os.fork()
        if child == 0:
            os.write(here, b"begun")
            signal.pause()
        self.addCleanup(os.waitpid, child, 0)
        self.addCleanup(os.kill, child, signal.SIGKILL)
        os.read(there, 5)
        os.close(there)
        os.close(here)
        lock.close()
        loop.locked(self.folder).close()

    def test_a_program_that_fails_is_named_with_its_last_words(self):
        (self.folder / "break-selfplay").touch()
        status, _, err = self.run_loop("--generations", "1")
        self.assertEqual(status, 1)
        self.assertRegex(err, r"exit status 1 from: \S*selfplay --game connect4[^\n]*\n  the disk is full")
        (self.folder / "selfplay").write_text("#!/bin/sh\n")
        self.assertRegex(self.run_loop("--generations", "1")[2], "selfplay.json: no summary")
        (self.folder / "work/generation-000/selfplay.json").write_text("{}")  # of an earlier one
        self.assertRegex(self.run_loop("--generations", "1")[2], "selfplay.json: no summary")
        (self.folder / "selfplay").unlink()
        self.assertRegex(self.run_loop("--generations", "1")[2], "selfplay: .*build the example programs first")

    def test_no_generation_begins_that_would_end_after_the_time(self):
        clock = iter(range(0, 10**6, 10))  # a step looks at the clock four times: 30 s a generation
        with mock.patch.object(loop.time, "monotonic", lambda: next(clock)), \
                mock.patch.object(loop.Loop, "train", lambda self, folder, rows: (1.0, 1.0)):
            status, _, err = self.run_loop("--minutes", "1.7")
        self.assertEqual((status, err), (0, ""))
        self.assertEqual([line["minutes"] for line in self.log()], [0.5, 1.0, 1.5])

    def test_bad_flags_are_status_2(self):
        for more, game in [([], "connect4"), (["--generations", "1"], "chess"),
                           (["--generations", "1", "--board", "1,2"], "own"), (["--generations", "0"], "connect4"),
                           (["--generations", "1", "--value-mix", "0.5", "--short-mix", "0.6"], "connect4"),
                           (["--minutes", "nan"], "connect4"), (["--generations", "1", "--passes", "inf"], "connect4")]:
            with self.subTest(more=more, game=game):
                self.assertEqual(self.run_loop(*more, game=game)[0], 2)
        self.assertFalse((self.folder / "work").exists())

    def test_the_window_grows_with_half_the_generations_up_to_its_limit(self):
        seen, open_rows = [], train.open_rows

        def opened(folders, *more, **named):
            seen.append([folder.name[-1] for folder in folders])
            return open_rows(folders, *more, **named)

        with mock.patch.object(train, "open_rows", opened):
            self.run_loop("--generations", "6", "--window", "2", "--measure-every", "0")
        self.assertEqual(seen, [["0"], ["1"], ["1", "2"], ["2", "3"], ["3", "4"], ["4", "5"]])


if __name__ == "__main__":
    unittest.main()
