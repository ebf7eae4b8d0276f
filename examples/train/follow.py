#!/usr/bin/env python3
"""Trains beside a self-play that goes on meanwhile, and hands it every new network.

    follow.py --game hex7 --data out/hex7 --networks networks --work out/training &
    selfplay --game hex7 --network networks --episodes 0 --out out/hex7 --resume

Network 0 has random weights. Whenever `--new-rows` rows have come, the newest `--window` rows are trained on, and the
next network is put into the folder that self-play watches. A trainer that is faster than self-play waits for rows; one
that is slower uses each row fewer times than `--passes` says, and logs how many.

The work folder holds `checkpoint.pt` and `log.jsonl`. The same command goes on where it was stopped or killed, and
counts the rows that came in between.
"""

import argparse
import json
import math
import sys
import time
from pathlib import Path

import train
from train import amount, positive
import model as networks
from folders import Folders, find
from loop import NEW_ROWS, add_game_flags, board_from, printed, run_guarded, take_up_training

MOST = 4  # times `--new-rows` that count between two networks: a trainer that is slower would lag ever more
NOT_LOGGED = ("data", "networks", "work", "count", "board")  # flags that shape no network


class Follower:
    """The state of a training: the model, its optimizer, the networks made and the shards whose rows were counted."""

    def __init__(self, flags):
        self.flags, self.checkpoint = flags, Path(flags.work) / "checkpoint.pt"
        self.model, self.optimizer, state = take_up_training(self.checkpoint, flags, "networks")
        self.made, self.seen = (state["networks"], set(state["seen"])) if state else (0, set())
        self.data = Folders(flags.data, follow=True, on_bad="warn", board=flags.board)
        self.suspects = {}  # shards that are not whole yet
        if not state:
            self.save()
        if not self.network().exists():  # it was killed between the two files
            networks.export(self.model, self.network())

    def network(self):
        """The file of the newest network."""
        return Path(self.flags.networks) / f"{self.made:06}.safetensors"

    def save(self):
        """Writes the checkpoint that makes a network count."""
        self.seen &= {path for path, _ in find(self.flags.data, missing_ok=True)}
        networks.save_checkpoint(self.checkpoint, self.model, self.optimizer, networks=self.made,
                                 seen=sorted(self.seen))

    def await_rows(self):
        """Waits until enough rows have come since it last returned; returns their number."""
        rows = 0
        while True:
            rows += sum(part.last - part.first for part in self.data.look(self.seen, self.suspects, limited=False))
            if rows >= self.flags.new_rows:
                return rows
            time.sleep(self.data.poll)

    def step(self):
        """Waits for rows, trains on them and hands the next network out; returns its log line."""
        flags, began, seed = self.flags, time.monotonic(), self.flags.seed + self.made
        new_rows = self.await_rows()
        waited = time.monotonic() - began
        as_it_comes = {"board": flags.board, "on_bad": "warn"}  # self-play may remove shards while they are read
        settings = train.settings_of(flags, 0, seed)
        policy_new, value_new = train.evaluate(self.model, train.open_stream(
            flags.data, settings, newest_rows=min(new_rows, NEW_ROWS), **as_it_comes))
        loader, _ = train.open_rows(flags.data, settings, flags.window, flags.workers, **as_it_comes)
        counted = min(new_rows, MOST * flags.new_rows)
        steps = max(1, math.ceil(flags.passes * counted / loader.stream.batch))
        policy, value = train.fit(self.model, self.optimizer, loader,
                                  train.settings_of(flags, steps, seed), report=lambda line: None)
        self.made += 1
        self.save()
        networks.export(self.model, self.network())
        return {"network": self.made, "new_rows": new_rows,
                "passes": round(steps * loader.stream.batch / new_rows, 2), "wait_seconds": round(waited, 1),
                "train_seconds": round(time.monotonic() - began - waited, 1),
                "policy_loss": round(policy, 4), "policy_loss_new": round(policy_new, 4),
                "value_loss": round(value, 4), "value_loss_new": round(value_new, 4),
                "flags": {name: value for name, value in vars(flags).items() if name not in NOT_LOGGED}}


def run(flags):
    """Makes networks until there are `--count`."""
    follower = Follower(flags)
    print(f"{follower.network()}: waiting for rows in {', '.join(flags.data)}", flush=True)
    while flags.count is None or follower.made < flags.count:
        line = follower.step()
        with open(Path(flags.work) / "log.jsonl", "a") as log:
            print(json.dumps(line), file=log)
        print(printed(line), flush=True)


def parse_flags(arguments):
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    add_game_flags(parser)
    add = parser.add_argument
    add("--data", nargs="+", required=True, metavar="FOLDER",
        help="where self-play writes rows, or a quoted glob of folders that are filled side by side")
    add("--networks", required=True, metavar="FOLDER", help="what self-play has as --network")
    add("--work", required=True, metavar="FOLDER", help="of the checkpoint and the log; an earlier training goes on")
    add("--count", type=positive, metavar="N", help="end after network N (never)")
    train.add_network_flags(parser)
    group = train.add_training_flags(parser)
    group.add_argument("--new-rows", type=positive, default=65536, metavar="ROWS",
                       help="that must come before the next network; they come by whole shards (%(default)s)")
    group.add_argument("--window", type=positive, default=1000000, metavar="ROWS",
                       help="train on the newest so many (%(default)s)")
    group.add_argument("--passes", type=amount, default=4, metavar="N",
                       help="times that a row is trained on before it leaves the window, on average, if the trainer "
                            "keeps up (%(default)s)")
    flags = train.check_training_flags(parser, parser.parse_args(arguments))
    flags.board = board_from(flags, parser)
    return flags


def main(arguments=None):
    """The exit status."""
    return run_guarded("follow.py", parse_flags, run, arguments)


if __name__ == "__main__":
    sys.exit(main())
