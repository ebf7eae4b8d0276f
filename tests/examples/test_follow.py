"""The trainer beside a running selfplay: each hands the other what it makes, through folders, whoever is killed meanwhile."""

import importlib.util
import json
import signal
import sys
import unittest

if importlib.util.find_spec("torch") is None:
    print(f"skipped: {sys.argv[0]} needs the Python package torch")
    sys.exit(77)

from selfplay_runs import SOURCE, RunTest, finish, read_shard, shards_in, start, until

import model

GAME = ["--game", "tictactoe"]
PLAY = ["--simulations", "16", "--episodes", "0", "--shard-rows", "512", "--poll", "0.05", "--threads", "1",
        "--progress", "0", "--resume"]
TRAIN = ["--blocks", "1", "--channels", "8", "--threads", "1", "--batch", "64", "--new-rows", "1024", "--window", "4000",
         "--passes", "1"]


class FollowTest(RunTest):
    def begin(self, which):
        if which == "trainer":
            process = start(SOURCE / "examples/train/follow.py", *GAME, *TRAIN, "--data", self.folder / "out",
                            "--networks", self.networks, "--work", self.folder / "work", program=sys.executable)
        else:
            process = start(*GAME, *PLAY, "--network", self.networks, "--out", self.folder / "out")
        self.addCleanup(process.kill)
        return process

    def has_made(self, count):
        return (self.networks / f"{count:06}.safetensors").exists()

    def networks_in_rows(self):
        """The identities of networks that made rows."""
        return {name for path in shards_in(self.folder / "out") for name in set(read_shard(path)["network"])}

    def test_networks_come_from_rows_and_rows_from_networks_whoever_is_killed(self):
        self.networks = self.folder / "networks"
        trainer = self.begin("trainer")
        until(lambda: self.has_made(0), "network 0")
        player = self.begin("player")
        until(lambda: self.has_made(2), "network 2")
        self.kill(trainer)
        trainer = self.begin("trainer")
        until(lambda: self.has_made(3), "network 3")
        self.kill(player)
        player = self.begin("player")
        until(lambda: self.has_made(5) and len(self.networks_in_rows()) > 3, "rows by four networks")
        trainer.terminate()
        player.terminate()
        self.assertEqual(finish(trainer)[0], 130)
        status, _, err = finish(player)
        self.assertEqual(status, 128 + signal.SIGTERM, err)
        log = [json.loads(line) for line in (self.folder / "work/log.jsonl").read_text().splitlines()]
        made = [line["network"] for line in log]  # whoever is killed between network and line leaves that one out
        self.assertEqual(made, sorted(set(made)))
        self.assertGreaterEqual(len(made), 3)
        self.assertTrue(all(line["new_rows"] >= 1024 for line in log), log)
        self.assertEqual(model.load(self.networks / "000005.safetensors").board.game, "tictactoe")


if __name__ == "__main__":
    unittest.main()
