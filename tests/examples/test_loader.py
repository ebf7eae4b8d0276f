"""The loader of examples/train reads what selfplay is still writing: two ranks, one of which is killed, the other
stopped; both go on."""

import importlib.util
import subprocess
import sys
import unittest

if importlib.util.find_spec("torch") is None:
    print(f"skipped: {sys.argv[0]} needs the Python package torch")
    sys.exit(77)

from selfplay_runs import PROGRAM, RunTest, environment, read_shard, shards_in

from games import board_of, symmetries
from stream import Loader, Stream

JOB = ["--game", "tictactoe", "--evaluator", "uniform", "--simulations", "100", "--episodes", "4000", "--shard-rows", "512",
       "--threads", "1", "--progress", "0", "--ranks", "2", "--resume"]
# Plays both ranks, each in two processes, the first of which is stopped with a signal that it takes, so that what it leaves
# is read before it is written anew, or with one that it does not; then the file `over` is there.
WRITER = """
"$0" "$@" --rank 0 >/dev/null & first=$!
"$0" "$@" --rank 1 >/dev/null & second=$!
until [ -e out/rank-00001/rows-000002.safetensors ] && [ -e out/rank-00000/rows-000002.safetensors ]; do sleep 0.01; done
kill -KILL $second
wait $second; echo second $?
kill -TERM $first
wait $first; echo first $?
sleep 1
"$0" "$@" --rank 0 >/dev/null & first=$!
"$0" "$@" --rank 1 >/dev/null; echo second $?
wait $first; echo first $?
touch over
"""


class FollowTest(RunTest):
    def setUp(self):
        super().setUp()
        self.out, self.over = self.folder / "out", self.folder / "over"

    def test_every_row_comes_once_while_it_is_written_by_runs_that_are_killed_or_stopped_meanwhile(self):
        # A process of its own, as the loader's workers would take along what a thread of this one has open. What it says of
        # the killed one ("Killed", at a time of its own) goes where this test's own errors go.
        writer = subprocess.Popen(["bash", "-c", WRITER, PROGRAM, *JOB, "--out", self.out], cwd=self.folder, text=True,
                                  stdout=subprocess.PIPE, env=environment())
        self.addCleanup(writer.kill)
        stream = Stream(self.out / "rank-*", follow=True, poll=0.05, until=self.over.exists, window=2000, batch=64)
        found, early = [], 0
        for batch in Loader(stream, workers=2):
            early += not self.over.exists()
            found += zip(batch["episode"].tolist(), batch["ply"].tolist(), batch["action"].tolist(), batch["value"].tolist())
        self.assertEqual(writer.communicate()[0], "second 137\nfirst 143\nsecond 0\nfirst 0\n")
        self.assertGreater(early, 10)
        expected = []
        for path in shards_in(self.out / "rank-00000") + shards_in(self.out / "rank-00001"):
            rows = read_shard(path)
            expected += zip(*(rows[name].tolist() for name in ("episode", "ply", "action", "value")))
        self.assertEqual({row[0] for row in expected}, set(range(4000)))
        self.assertEqual(sorted(found), sorted(expected))
        known, named = symmetries(board_of("tictactoe")), Stream(stream.data)
        named.count()
        self.assertEqual([[part.tolist() for part in pair] for pair in named.symmetries],
                         [[part.tolist() for part in pair] for pair in known])


if __name__ == "__main__":
    unittest.main()
