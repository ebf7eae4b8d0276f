"""The ranks of a real launcher: Open MPI's mpirun. Skipped, visibly, where that is missing."""

import shutil
import sys
import unittest

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


if __name__ == "__main__":
    unittest.main()
