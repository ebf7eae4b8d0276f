"""The ranks of a real launcher: Open MPI's mpirun. Skipped, visibly, where that is missing."""

import os
import shutil
import signal
import sys
import unittest
from pathlib import Path

MPIRUN = shutil.which("mpirun")
if MPIRUN is None:
    print(f"skipped: {sys.argv[0]} needs mpirun (Debian's openmpi-bin)")
    sys.exit(77)

from selfplay_runs import PROGRAM, episodes, finish, start, until
from test_ranks import JOB, RANKS, Ranks

# Seconds of play, so that a signal comes long before the end.
LONG = ["--game", "tictactoe", "--episodes", "6000", "--shard-rows", "512", "--evaluator", "uniform",
        "--simulations", "600", "--progress", "0"]


class MpirunTest(Ranks):
    """The ranks of a real launcher."""

    def mpirun(self, *flags):
        # Any number of processes on any machine, by anybody, with no network to other machines.
        launch = ["--allow-run-as-root", "--oversubscribe", "--bind-to", "none", "-n", RANKS,
                  "--mca", "plm", "isolated", "--mca", "btl", "self,vader"]
        return start(*launch, PROGRAM, *flags, program=MPIRUN, OMPI_ALLOW_RUN_AS_ROOT="1",
                     OMPI_ALLOW_RUN_AS_ROOT_CONFIRM="1")

    def test_three_processes_play_what_one_plays(self):
        alone = self.undisturbed(JOB)
        status, out, err = finish(self.mpirun(*JOB, "--out", self.folder / "out"))
        self.assertEqual(status, 0, err)
        for rank in range(RANKS):
            self.assertIn(f"{rank} of 3 (Open MPI)", out)
        self.assert_same_episodes(episodes(*self.rank_folders(self.folder / "out")), alone)

    def test_all_of_it_killed_and_resumed_is_the_same(self):
        alone = self.undisturbed(LONG)
        out = self.folder / "out"
        process = self.mpirun(*LONG, "--out", out, "--resume")
        until(lambda: len(list(out.glob("rank-*/rows-*.safetensors"))) > 0, "a shard")
        # mpirun passes SIGTERM on: games are given up, what is whole is kept.
        process.terminate()
        status, _, err = finish(process)
        self.assertNotEqual(status, 0, err)
        self.assertLess(len(episodes(*out.glob("rank-*"))), len(alone))
        status, _, err = finish(self.mpirun(*LONG, "--out", out, "--resume"))
        self.assertEqual(status, 0, err)
        self.assert_same_episodes(episodes(*self.rank_folders(out)), alone)

    def test_one_rank_that_is_killed_is_resumed_and_so_are_those_that_ended_with_it(self):
        alone = self.undisturbed(LONG)
        out = self.folder / "out"
        process = self.mpirun(*LONG, "--out", out, "--resume")
        until((out / "rank-00001" / "rows-000000.safetensors").exists, "a shard of rank 1")
        os.kill(self.pid_of(1, out), signal.SIGKILL)
        status, _, err = finish(process)
        self.assertNotEqual(status, 0)
        self.assertIn("signal 9", err)
        self.assertLess(len(episodes(out / "rank-00001")), len(alone) // RANKS)
        status, _, err = finish(self.mpirun(*LONG, "--out", out, "--resume"))
        self.assertEqual(status, 0, err)
        self.assert_same_episodes(episodes(*self.rank_folders(out)), alone)

    def pid_of(self, rank, out):
        """The process of a rank that writes to a folder."""
        found = []
        for process in Path("/proc").glob("[0-9]*"):
            try:
                flags = (process / "cmdline").read_bytes().split(b"\0")
                variables = (process / "environ").read_bytes().split(b"\0")
            except OSError:  # it has ended
                continue
            if flags[0] == os.fsencode(PROGRAM) and os.fsencode(out) in flags and f"OMPI_COMM_WORLD_RANK={rank}".encode() in variables:
                found.append(int(process.name))
        self.assertEqual(len(found), 1)
        return found[0]


if __name__ == "__main__":
    unittest.main()
