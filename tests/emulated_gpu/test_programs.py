"""`selfplay` and `tune` with cudnn, on an emulated GPU: what they say, the same games, networks that follow one another."""

import json
import os
import signal
import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "examples"))

from selfplay_runs import (RunTest, finish, journal_records, phases_in, publish, run, start, tensors, until,
                           write_network)

import numpy as np

SELFPLAY, TUNE = os.environ["BATCHMATE_EMULATED_SELFPLAY"], os.environ["BATCHMATE_EMULATED_TUNE"]
JOB = ["--game", "tictactoe", "--simulations", "8", "--seed", "1", "--games", "6", "--progress", "0"]
SIX = ["--network", "random:1x8:3", "--episodes", "6"]


class ProgramsTest(RunTest):
    def play(self, *flags):
        """A run's summary and what it said."""
        status, out, err = run(*JOB, *SIX, *flags, "--summary", self.folder / "summary.json", program=SELFPLAY)
        self.assertEqual(status, 0, err)
        return json.loads((self.folder / "summary.json").read_text()), out + err

    def test_auto_takes_the_gpu_and_the_summary_has_its_figures(self):
        summary, said = self.play()
        self.assertIn("auto: there is a GPU", said)
        self.assertIn("Emulated GPU", said)
        self.assertTrue(summary["evaluator"].startswith("cudnn-"), summary["evaluator"])
        self.assertGreater(summary["device_busy_seconds"], 0)
        self.assertLessEqual(summary["device_busy_seconds"], summary["seconds"])
        self.assertGreater(summary["device_memory_bytes"], 0)
        self.assertTrue(0 < summary["bucket_fill"] <= 1)

    def test_the_same_games_whatever_the_batching_threads_and_cache(self):
        hashes = {self.play("--batching", batching, "--threads", threads, *more)[0]["episodes_hash"]
                  for batching, threads, more in [("immediate", 1, []), ("per-tree", 2, []), ("lockstep", 2, []),
                                                  ("overlapped", 2, ["--cache", "50"]), ("shared-queue", 2, [])]}
        self.assertEqual(len(hashes), 1)

    def test_symmetries_on_the_device_give_the_same_games_under_every_batching(self):
        plain = self.play()[0]["episodes_hash"]
        for kind in ["random", "average"]:
            hashes = {self.play("--symmetry", kind, "--batching", batching)[0]["episodes_hash"]
                      for batching in ["lockstep", "overlapped"]}
            self.assertEqual(len(hashes), 1)
            self.assertNotIn(plain, hashes)

    def test_several_devices_and_fixed_rows_give_the_same_games(self):
        one, both, fixed = (self.play(*flags) for flags in [[], ["--devices", "1,0"], ["--fixed-rows", "5"]])
        self.assertEqual(len({summary["episodes_hash"] for summary, _ in (one, both, fixed)}), 1)
        self.assertEqual(one[0]["evaluator"], both[0]["evaluator"])
        self.assertIn(":rows5:", fixed[0]["evaluator"])
        self.assertIn("2 x Emulated GPU", both[1])
        self.assertIn("groups=5", both[0]["batching"])
        self.assertLess(fixed[0]["bucket_fill"], one[0]["bucket_fill"])
        few = [*JOB[:JOB.index("--games")], *SIX, "--progress", "0", "--devices", "0,1", "--games", "4"]
        self.assertIn("overlapped games=4 groups=4", run(*few, program=SELFPLAY)[1])
        status, _, err = run(*JOB, *SIX, "--devices", "0,7", program=SELFPLAY)
        self.assertEqual(status, 1)
        self.assertIn("device 7 is not there", err)

    def test_a_plan_that_tune_wrote_is_taken(self):
        plan = self.folder / "a.plan"
        status, out, err = run("--game", "tictactoe", "--network", "random:1x8:3", "--out", plan, program=TUNE)
        self.assertEqual(status, 0, err)
        self.assertEqual(plan.read_text(), out)
        self.assertIn("plan: tuned", self.play("--plan", plan)[1])
        status, out, err = run("--game", "tictactoe", "--network", "random:1x8:3", "--out", self.folder / "no" / "a.plan",
                               program=TUNE)
        self.assertEqual(status, 1, err)
        self.assertIn("origin tuned", out)  # so that what took a minute is not lost
        out = plan.read_text()
        plan.write_text(out.replace("\ncudnn ", "\ncudnn 8"))
        status, _, err = run(*JOB, *SIX, "--plan", plan, program=SELFPLAY)
        self.assertEqual(status, 1, err)
        self.assertIn("tune again", err)

    def test_a_network_whose_answers_are_not_finite_ends_the_run_with_its_name(self):
        path = write_network(self.folder / "broken.safetensors", "tictactoe", seed=1)
        held, told = tensors.read(path)
        held["policy.weight"] = np.full_like(held["policy.weight"], 3e38)  # whose sums overflow
        tensors.write(path, held, told)
        status, _, err = run(*JOB, "--network", path, "--episodes", 6, program=SELFPLAY)
        self.assertEqual(status, 1)
        self.assertIn("network broken: row", err)
        self.assertIn("not finite", err)

    def test_a_newer_network_is_taken_up(self):
        networks, out = self.folder / "networks", self.folder / "out"
        networks.mkdir()
        made = [write_network(self.folder / f"{name}.safetensors", "tictactoe", seed=ord(name)) for name in "ab"]
        publish(made[0], networks, "a.safetensors")
        running = start(*JOB, "--network", networks, "--episodes", 0, "--poll", "0.05", "--out", out,
                        program=SELFPLAY)
        self.addCleanup(running.kill)
        until(lambda: episodes_done(out) > 0, "an episode")
        publish(made[1], networks, "b.safetensors")
        phases = until(lambda: len(found := phases_in(out / "journal")) > 1 and found, "the second network")
        running.send_signal(signal.SIGINT)
        status, _, err = finish(running)
        self.assertEqual(status, 130, err)
        self.assertEqual([Path(phase.file).stem for phase in phases], ["a", "b"])
        self.assertTrue(all(phase.identity.startswith("cudnn-") for phase in phases), phases)


def episodes_done(out):
    """How many episodes a run has noted so far."""
    if not (out / "journal").exists():
        return 0
    return sum(record[:1] == b"e" for record in journal_records(out / "journal"))


if __name__ == "__main__":
    unittest.main()
