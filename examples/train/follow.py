#!/usr/bin/env python3
"""Trains beside a self-play that goes on meanwhile, and hands it every new network.

    follow.py --game hex7 --data out/hex7 --networks networks --work out/training &
    until [ -e networks/000000.safetensors ]; do sleep 1; done
    selfplay --game hex7 --network networks --episodes 0 --out out/hex7 --resume

Network 0 has random weights. Whenever `--new-rows` rows have come, the newest `--window` rows are trained on, as many
steps as `--passes` asks for the rows that came, and the next network is put into the folder that self-play watches. A
trainer that is faster than self-play waits for rows. For one that is slower, at most four times `--new-rows` count: it
uses each row fewer times, and logs how many.

The work folder holds `checkpoint.pt` and `log.jsonl`. The same command goes on where it was stopped or killed, and
counts the rows that came in between.
"""

import argparse
import json
import math
import sys
import time
from dataclasses import replace
from pathlib import Path

import train
from train import amount, positive
import model as networks
from folders import Folders, find
from loop import NEW_ROWS, add_game_flags, board_from, locked, printed, run_guarded, take_up_training
from tensors import TensorFileError

MOST = 4  # times `--new-rows` that count between two networks: a trainer that is slower would lag ever more
NOT_LOGGED = ("data", "networks", "work", "count", "board")  # flags that shape no network


class Follower:
    """The state of a training: the model, its optimizer, the number of networks made, and the rows that were counted."""

    def __init__(self, flags):
        self.flags, self.checkpoint, self.made = flags, Path(flags.work) / "checkpoint.pt", 0
        self.model, self.optimizer, state = take_up_training(self.checkpoint, flags, "networks")
        self.data = Folders(flags.data, follow=True, on_bad="warn", board=flags.board)
        self.suspects = {}  # shards that are not whole yet
        self.known, self.parts = set(), []  # shards that have been seen; as Parts, in the order in which they came
        if state:
            self.made = state["networks"]
            self.take_up(state["seen"])
        elif any(Path(flags.networks).glob("*.safetensors")):
            raise TensorFileError(f"{flags.networks}: holds networks, but {self.checkpoint} is not there to go on from")
        else:
            self.save()
        if not self.network().exists():  # it was killed between the two files
            networks.export(self.model, self.network())

    def network(self):
        """The file of the newest network."""
        return Path(self.flags.networks) / f"{self.made:06}.safetensors"

    def take_up(self, seen):
        """Goes on with the shards that had been counted, in their order, as far as they are there."""
        found = {part.path: part for part in self.data.look(set(), self.suspects, limited=False)}
        self.parts = [found[path] for path in seen if path in found]
        self.known = {part.path for part in self.parts}

    def save(self):
        """Writes the checkpoint that makes a network count."""
        networks.save_checkpoint(self.checkpoint, self.model, self.optimizer, networks=self.made,
                                 seen=[part.path for part in self.parts])

    def await_rows(self):
        """Waits until enough rows have come since it last returned; returns their number."""
        rows = 0
        while True:
            there = {path for path, _ in find(self.flags.data, missing_ok=True)}
            self.known &= there
            self.parts = [part for part in self.parts if part.path in there]
            came = self.data.look(self.known, self.suspects, limited=False)
            self.parts += came
            rows += sum(part.last - part.first for part in came)
            if rows >= self.flags.new_rows:
                return rows
            time.sleep(self.data.poll)

    def newest(self, rows):
        """Where the rows are that came last, or all if there are fewer."""
        found = []
        for part in reversed(self.parts):
            if rows > 0:
                found.append(replace(part, first=max(part.first, part.last - rows)))
                rows -= part.last - found[-1].first
        return found[::-1]

    def step(self):
        """Waits for rows, trains on them and hands the next network out; returns its log line."""
        flags, began, seed = self.flags, time.monotonic(), self.flags.seed + self.made
        new_rows = self.await_rows()
        waited = time.monotonic() - began
        as_it_comes = {"board": flags.board, "on_bad": "warn"}  # self-play may remove shards while they are read
        settings = train.settings_of(flags, 0, seed)
        policy_new, value_new = train.evaluate(self.model, train.open_stream(
            flags.data, settings, only=self.newest(min(new_rows, NEW_ROWS)), **as_it_comes))
        loader, _ = train.open_rows(flags.data, settings, workers=flags.workers, only=self.newest(flags.window),
                                    **as_it_comes)
        loader.stream.symmetries = self.data.symmetries
        counted = min(new_rows, MOST * flags.new_rows)
        steps = max(1, math.ceil(flags.passes * counted / loader.stream.batch))
        policy, value = train.fit(self.model, self.optimizer, loader,
                                  train.settings_of(flags, steps, seed), report=lambda line: None)
        networks.folded_arrays(self.model, self.network())  # before the checkpoint: a training that diverged is not kept
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
    with locked(Path(flags.networks)):
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
                       help="times that a row is trained on before it leaves the window, on average; of rows that came "
                            f"at once at most {MOST} times --new-rows count (%(default)s)")
    flags = train.check_training_flags(parser, parser.parse_args(arguments))
    if flags.new_rows > flags.window:
        parser.error(f"--new-rows {flags.new_rows}: must be at most --window, {flags.window}")
    flags.board = board_from(flags, parser)
    return flags


def main(arguments=None):
    """The exit status."""
    return run_guarded("follow.py", parse_flags, run, arguments)


if __name__ == "__main__":
    sys.exit(main())
