"""Many processes share a run: who finds out which one it is, and that together they play just what one would."""

import json
import random
import time
import unittest

from selfplay_runs import RunTest, episodes, finish, run, start, until

QUICK = ["--evaluator", "uniform", "--progress", "0", "--threads", "1", "--simulations", "8"]
JOB = ["--game", "connect4", "--episodes", "200", "--seed", "5", *QUICK]
LONGER = ["--game", "tictactoe", "--episodes", "6000", "--shard-rows", "4096", *QUICK]
RANKS = 3

# Who starts the processes, and how it tells each which one it is.
LAUNCHERS = {
    "Slurm": lambda rank, ranks: {"SLURM_PROCID": str(rank), "SLURM_STEP_NUM_TASKS": str(ranks), "SLURM_NTASKS": "77"},
    "Open MPI": lambda rank, ranks: {"OMPI_COMM_WORLD_RANK": str(rank), "OMPI_COMM_WORLD_SIZE": str(ranks)},
    "MPI": lambda rank, ranks: {"PMI_RANK": str(rank), "PMI_SIZE": str(ranks)},
    "Kubernetes": lambda rank, ranks: {"JOB_COMPLETION_INDEX": str(rank), "JOB_COMPLETIONS": str(ranks)},
}


class Ranks(RunTest):
    def undisturbed(self, job):
        """The episodes of a single process."""
        self.play(*job, "--out", self.folder / "one")
        return episodes(self.folder / "one")

    def rank_folders(self, out, ranks=RANKS):
        """The folders of all ranks, which must be all that is there."""
        self.assertEqual(sorted(path.name for path in out.iterdir()), [f"rank-{r:05}" for r in range(ranks)])
        return sorted(out.iterdir())

    def refused(self, *texts, flags=(), **variables):
        status, _, err = run(*JOB, *flags, **variables)
        self.assertEqual((status, len(err.splitlines())), (2, 1), err)
        for text in texts:
            self.assertIn(text, err)


class WhichOneTest(Ranks):
    def head(self, *flags, **variables):
        """What the program says of its rank."""
        head = self.play(*QUICK, "--game", "tictactoe", "--episodes", "10", *flags, **variables)
        return next((line.split(maxsplit=1)[1] for line in head.splitlines() if line.startswith("rank")), None)

    def test_every_launcher_is_known(self):
        for name, variables in LAUNCHERS.items():
            self.assertEqual(self.head(**variables(2, 4)), f"2 of 4 ({name}), 2 of the episodes")

    def test_a_single_process_is_no_rank_whoever_started_it(self):
        self.assertIsNone(self.head())
        for variables in LAUNCHERS.values():
            self.assertIsNone(self.head(**variables(0, 1)))
        self.assertIsNone(self.head("--rank", "0", "--ranks", "1"))

    def test_a_slurm_batch_script_is_one_process(self):
        # There SLURM_PROCID is 0 and SLURM_NTASKS what was asked for, but nothing has been started by srun.
        self.assertIsNone(self.head(SLURM_PROCID="0", SLURM_NTASKS="8"))

    def test_an_mpirun_that_slurm_took_to_its_nodes_counts_its_own_processes(self):
        for name in ["Open MPI", "MPI"]:
            variables = {**LAUNCHERS["Slurm"](1, 2), **LAUNCHERS[name](3, 4)}
            self.assertEqual(self.head(**variables), f"3 of 4 ({name}), 2 of the episodes")

    def test_flags_have_the_last_word(self):
        self.assertEqual(self.head("--rank", "1", "--ranks", "3", **LAUNCHERS["Slurm"](2, 4)),
                         "1 of 3 (flags), 3 of the episodes")

    def test_kubernetes_needs_only_the_number_of_processes_where_it_does_not_tell(self):
        self.assertEqual(self.head("--ranks", "4", JOB_COMPLETION_INDEX="3"), "3 of 4 (Kubernetes), 2 of the episodes")

    def test_an_index_of_kubernetes_alone_is_refused_as_all_would_play_the_same(self):
        self.refused("JOB_COMPLETION_INDEX", "give --ranks", JOB_COMPLETION_INDEX="0")

    def test_half_of_what_a_launcher_says_is_refused_as_all_would_play_the_same(self):
        for rank, ranks in [("OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE"), ("PMI_RANK", "PMI_SIZE")]:
            self.refused(f"{rank}: is one of several processes", ranks, "give --ranks", **{rank: "1"})
            self.refused(f"{ranks}: is the number of processes", rank, "give --rank", **{ranks: "3"})
        self.refused("SLURM_STEP_NUM_TASKS: is the number", SLURM_STEP_NUM_TASKS="3")
        self.assertEqual(self.head("--ranks", "4", OMPI_COMM_WORLD_RANK="3"), "3 of 4 (Open MPI), 2 of the episodes")

    def test_what_cannot_be_is_refused(self):
        self.refused("--rank: needs --ranks", flags=["--rank", "1"])
        self.refused("--ranks: needs --rank", flags=["--ranks", "2"])
        self.refused("expected 0 to ranks - 1, found rank 3 of 3", flags=["--rank", "3", "--ranks", "3"])
        self.refused("found rank -1 of 3", flags=["--rank=-1", "--ranks", "3"])
        self.refused("found rank 0 of 0", flags=["--rank", "0", "--ranks", "0"])
        self.refused("found rank 5 of 4", **LAUNCHERS["Open MPI"](5, 4))
        for name in ["SLURM_PROCID", "OMPI_COMM_WORLD_SIZE", "PMI_RANK", "JOB_COMPLETIONS"]:
            for text in ["many", "", "3x", "99999999999"]:
                variables = {"OMPI_COMM_WORLD_RANK": "0"} if name.startswith("OMPI") else {}
                variables |= {"JOB_COMPLETION_INDEX": "0"} if name.startswith("JOB") else {}
                self.refused(name, f"expected a number, found '{text}'", **{**variables, name: text})


class UnionTest(Ranks):
    def test_all_ranks_together_play_what_one_process_plays(self):
        alone = self.undisturbed(JOB)
        self.assertEqual(sorted(alone), list(range(200)))
        out = self.folder / "out"
        hashes = 0
        for rank in range(RANKS):
            summary = self.folder / f"{rank}.json"
            self.play(*JOB, "--out", out, "--rank", rank, "--ranks", RANKS, "--summary", summary)
            found = json.loads(summary.read_text())
            self.assertEqual((found["rank"], found["ranks"]), (rank, RANKS))
            hashes += int(found["episodes_hash"], 16)
        folders = self.rank_folders(out)
        for rank, folder in enumerate(folders):
            self.assertEqual(sorted(episodes(folder)), list(range(rank, 200, RANKS)))
        self.assert_same_episodes(episodes(*folders), alone)
        self.play(*JOB, "--summary", self.folder / "one.json")
        self.assertEqual(hashes % 2**64, int(json.loads((self.folder / "one.json").read_text())["episodes_hash"], 16))

    def test_ranks_without_an_episode_end_well(self):
        job = ["--game", "tictactoe", "--episodes", "2", *QUICK]
        for rank in range(RANKS):
            self.play(*job, "--out", self.folder / "out", "--rank", rank, "--ranks", RANKS)
        self.assertEqual(sorted(episodes(*self.rank_folders(self.folder / "out"))), [0, 1])

    def test_a_rank_that_is_killed_and_resumed_plays_the_same(self):
        alone = self.undisturbed(LONGER)
        out, moments, killed = self.folder / "out", random.Random(3), 0
        ranks = [["--out", out, "--rank", r, "--ranks", RANKS, "--resume"] for r in range(RANKS)]
        others = [start(*LONGER, *ranks[r]) for r in (0, 2)]
        began = time.monotonic()
        for other in others:
            status, _, err = finish(other)
            self.assertEqual((status, err), (0, ""))
        usual = time.monotonic() - began
        for _ in range(50):
            process = start(*LONGER, *ranks[1])
            until((out / "rank-00001" / "journal").exists, "a journal")
            time.sleep(moments.uniform(0, usual / 4))
            if not self.kill(process):
                break
            killed += 1
        self.assertGreater(killed, 0)
        self.play(*LONGER, *ranks[1])
        self.assert_same_episodes(episodes(*self.rank_folders(out)), alone)

    def test_a_rank_does_not_go_on_with_another_ones_work(self):
        out = self.folder / "out"
        self.play(*JOB, "--out", out, "--rank", "1", "--ranks", RANKS)
        status, _, err = run(*JOB, "--out", out, "--rank", "1", "--ranks", "4", "--resume")
        self.assertEqual(status, 1)
        self.assertIn('cannot resume: the run has "ranks": "3", expected "4"', err)

    def test_a_folder_is_of_one_number_of_ranks_so_that_no_episode_is_played_twice(self):
        def refused(out, there, of, now, *ranks):
            for how in [["--resume"], []]:
                before = sorted(out.rglob("*"))
                status, _, err = run(*JOB, "--out", out, *ranks, *how)
                self.assertEqual((status, len(err.splitlines())), (1, 1), err)
                self.assertIn(f"{out / there}: is of a run of {of} processes, expected {now}: episodes would be", err)
                self.assertEqual(sorted(out.rglob("*")), before)

        one, three = self.folder / "one", self.folder / "three"
        self.play(*JOB, "--out", one)
        refused(one, "run.json", 1, 3, "--rank", "0", "--ranks", "3")
        self.play(*JOB, "--out", three, "--rank", "1", "--ranks", "3")
        refused(three, "rank-00001/run.json", 3, 4, "--rank", "3", "--ranks", "4")
        refused(three, "rank-00001/run.json", 3, 1)
        self.play(*JOB, "--out", three, "--rank", "0", "--ranks", "3", "--resume")


if __name__ == "__main__":
    unittest.main()
