#!/usr/bin/env python3
"""Streams training rows from shards into PyTorch: shuffled, in whole batches, in bounded memory, by several workers.

    for batch in Loader(Stream(["out/rank-*"], batch=512), workers=2):
        batch["inputs"], batch["policy"], ...

A batch is a dict of tensors:

    inputs         (B, C_in, H, W) float32  planes, then globals as constant planes
    legal          (B, A) bool
    policy         (B, A) float32           the search's target
    value_target   (B) float32              the game's result, with shares `value_mix` of the search's value and
                                            `short_mix` of its values some plies on
    wdl_target     (B, 3) float32           the same as chances of win, draw and loss
    policy_weight  (B) float32              of the row in the policy's loss; 0 where the search was a cheap one that
                                            `surprise_weights` does not count
    value_weight   (B) float32              of the row in the value's loss; with `surprise_share` by `surprise_weights`
    value, outcome (B) float32              what `value_target` is mixed from, with
    short_value    (B) float32              which is `value` where a shard has none
    network        (B) int64                `network_id` of the identity of the network that made the row
    episode, ply, action                    -1 where a shard does not say

As a program it reads folders once and says how fast: stream.py FOLDER... [--workers N] [--batch ROWS]
"""

import argparse
import multiprocessing
import os
import sys
import time
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch.utils.data import DataLoader, IterableDataset, get_worker_info

from folders import Folders, Part
from rows import unpack
from tensors import TensorFileError


class Window:
    """Up to `size` packed rows; once it is full, each row put in takes the place of a random one that comes out."""

    def __init__(self, size, random):
        self.size, self.random, self.count, self.arrays = size, random, 0, None

    def put(self, rows):
        """Takes {name: (n, ...)}; yields the rows that it displaces, `size` at a time or fewer."""
        if self.arrays is None:
            self.arrays = {name: np.empty((self.size, *array.shape[1:]), array.dtype) for name, array in rows.items()}
        count = len(rows["policy"])
        begin = min(self.size - self.count, count)
        for name, array in rows.items():
            self.arrays[name][self.count:self.count + begin] = array[:begin]
        self.count += begin
        for first in range(begin, count, self.size):
            coming = {name: array[first:first + self.size] for name, array in rows.items()}
            slots = self.random.choice(self.size, len(coming["policy"]), replace=False)
            yield {name: array[slots] for name, array in self.arrays.items()}
            for name, array in coming.items():
                self.arrays[name][slots] = array

    def drain(self, most):
        """Yields what is left, in random order, `most` rows at a time or fewer."""
        order = self.random.permutation(self.count)
        for first in range(0, self.count, most):
            yield {name: array[order[first:first + most]] for name, array in self.arrays.items()}


@dataclass(eq=False)
class Stream(Folders, IterableDataset):
    """One pass over the rows of `data`, every row once, in batches; or, with `follow`, a pass that goes on with what
    is written meanwhile.

    `Loader` is the easy way to iterate. With a `DataLoader` of one's own: `batch_size=None`, and `epoch` to be set
    before each pass. A Loader's workers share the rows at random. Others, and with `follow` all, look for shards by
    themselves and may not see the same: they share the rows by shard number and position. The same files, settings
    and number of workers give the same batches, unless `follow` is set.

    In memory are at most `window` rows, packed, and for every worker a few times `piece` rows and the batches under
    way. With `follow`, the last `window` rows are held back until more come or the pass ends, and workers take turns:
    one without rows makes the others wait.
    """

    batch: int = 256                     # B, rows; the last ones of a pass, one a worker, can be smaller
    window: int = 1 << 17                # rows that are shuffled together, of all workers together
    seed: int = 1
    value_mix: float = 0.0               # share of the search's value in the value's target; the rest is the result
    short_mix: float = 0.0               # share of `short_value` there
    surprise_share: float = 0.0          # share of the weights that goes to rows by their surprise; the rest is even
    drop_last: bool = False              # leave batches out that are smaller than the others
    piece: int = 1024                    # rows read at once; the pieces of all shards are shuffled
    epoch: int = 0                       # another one gives another order

    def __post_init__(self):
        super().__post_init__()
        if min(self.batch, self.window, self.piece) < 1:
            raise ValueError("stream: batch, window and piece must be positive")
        if min(self.value_mix, self.short_mix) < 0 or self.value_mix + self.short_mix > 1:
            raise ValueError("stream: value_mix and short_mix must be shares of at most 1 together")

    def __iter__(self):
        info = get_worker_info()
        return self.batches(None, *((info.id, info.num_workers) if info else (0, 1)))

    def batches(self, parts, worker=0, workers=1, skip=0):
        """The batches of one of the workers but for the first `skip`, of `parts` that are the same for all of them, or
        of what this one finds."""
        window = Window(-(-self.window // workers), np.random.default_rng([self.seed, self.epoch, worker, workers]))
        packed = rebatched(self.shuffled(parts, window, worker, workers), self.batch, self.drop_last)
        for number, rows in enumerate(packed):
            if number >= skip:
                yield self.tensors(rows)

    def shuffled(self, parts, window, worker, workers):
        """Packed rows in their final order, some at a time."""
        random = np.random.default_rng([self.seed, self.epoch])  # the same in every worker
        trainer = multiprocessing.parent_process() if get_worker_info() else None
        found = [parts] if parts is not None else self.followed(trainer) if self.follow else [self.parts()]
        for some in found:
            for turn, piece in enumerate(self.pieces(some, random)):
                share = turn if parts is not None else piece.number + piece.first // self.piece
                if share % workers == worker:
                    rows = self.read(piece)
                    if rows is not None:
                        yield from window.put(rows)
        yield from window.drain(self.piece)

    def pieces(self, parts, random):
        """The parts in pieces, in random order, cut at multiples of `piece` in their shards."""
        begins = np.array([part.first // self.piece for part in parts])
        ends = np.cumsum([-(-part.last // self.piece) for part in parts] - begins)
        for i in random.permutation(ends[-1]):
            k = np.searchsorted(ends, i, side="right")
            first, part = int(begins[k] + i - (ends[k - 1] if k else 0)) * self.piece, parts[k]
            yield replace(part, first=max(first, part.first), last=min(first + self.piece, part.last))

    def read(self, piece):
        """The packed rows of a piece with their weights; None if they are bad."""
        try:
            with self.opened(piece.path) as shard:
                if piece.written is not None and shard.file.signature() != tuple(piece.written):
                    raise TensorFileError(f"{piece.path}: was written anew since this pass began")
                rows = shard.read(piece.first, piece.last)
        except TensorFileError as problem:
            self.bad(problem)
            return None
        full, surprise = rows.pop("full") != 0, np.maximum(rows.pop("surprise"), 0)
        even, by_surprise = 1 - self.surprise_share, self.surprise_share * surprise_weights(surprise, full)
        rows["value_weight"] = np.float32(even + by_surprise)
        rows["policy_weight"] = np.float32(even * full + by_surprise)
        return rows

    def tensors(self, rows):
        """A batch from its packed rows."""
        arrays = unpack(self.board, rows)
        mix, value = self.value_mix + self.short_mix, rows["value"]
        if self.short_mix > 0:
            value = ((self.value_mix * value + self.short_mix * rows["short_value"]) / mix).astype(np.float32)
        arrays["wdl_target"] = wdl_targets(value, rows["outcome"], mix)
        arrays["value_target"] = arrays["wdl_target"][:, 0] - arrays["wdl_target"][:, 2]
        return {name: torch.from_numpy(array) for name, array in arrays.items()}


def surprise_weights(surprise, full):
    """Weights (n) in proportion to the surprise (n) of full searches, whose number they sum to.

    A cheap search, whose target is coarse, counts only for what is beyond 1.5 times the mean surprise of the full ones,
    and then for the policy, too: the rule of KataGo (`policySurpriseDataWeight` in its cpp/program/play.cpp; docs/KataGoMethods.md, "Policy Surprise
    Weighting"). Where no search was full, or none surprised, full ones have 1 and others 0.
    """
    if not surprise[full].any():
        return full.astype(np.float32)
    counted = np.where(full, surprise, np.maximum(surprise - 1.5 * surprise[full].mean(), 0))
    return counted / np.float32(counted.sum() / full.sum())


def wdl_targets(value, outcome, mix):
    """Chances (B, 3) of win, draw and loss: the result (B), one between them being a draw in part, mixed with a win or
    loss at the search's odds (B)."""
    result = np.stack([np.maximum(outcome, 0), 1 - np.abs(outcome), np.maximum(-outcome, 0)], 1)
    search = np.stack([(1 + value) / 2, np.zeros_like(value), (1 - value) / 2], 1)
    return np.float32(1 - mix) * result + np.float32(mix) * search


def rebatched(chunks, size, drop_last):
    """Rows that come some at a time, `size` at a time; the rest last, unless `drop_last`."""
    rest = None
    for rows in chunks:
        if rest is not None:
            rows = {name: np.concatenate([rest[name], array]) for name, array in rows.items()}
        count = len(rows["policy"])
        for first in range(0, count - size + 1, size):
            yield {name: array[first:first + size] for name, array in rows.items()}
        rest = {name: array[count - count % size:] for name, array in rows.items()}
    if rest is not None and len(rest["policy"]) and not drop_last:
        yield rest


def joined(batch):
    """A batch as one tensor of bytes, which crosses to another process much faster than many, and their places."""
    flat = [tensor.reshape(-1).view(torch.uint8) for tensor in batch.values()]
    ends = np.cumsum([-(-len(part) // 16) * 16 for part in flat])
    whole = torch.zeros(int(ends[-1]), dtype=torch.uint8)
    places = []
    for (name, tensor), part, begin in zip(batch.items(), flat, [0, *ends.tolist()]):
        whole[begin:begin + len(part)] = part
        places.append((name, tensor.dtype, tuple(tensor.shape), begin, begin + len(part)))
    return places, whole


def parted(places, whole):
    """The inverse of `joined`; the tensors share the memory of the one."""
    return {name: whole[begin:end].view(dtype).reshape(shape) for name, dtype, shape, begin, end in places}


def as_it_is(sample):
    """Keeps DataLoader from converting what is in a sample."""
    return sample


class Turn(IterableDataset):
    """A Loader's pass from some point on; yields (worker, places, whole) as `joined`, or (worker, None, batch)."""

    def __init__(self, stream, parts, given, turn):
        self.stream, self.parts, self.given, self.turn = stream, parts, given, turn

    def __iter__(self):
        info = get_worker_info()
        worker = (info.id + self.turn) % info.num_workers if info else 0
        for batch in self.stream.batches(self.parts, worker, len(self.given), self.given[worker]):
            yield worker, *(joined(batch) if info else (None, batch))


class Loader:
    """Iterating is one pass over a stream, or the rest of it after a break; the next time is the next epoch.

    The shards of a pass are those that are there when it begins. `more` goes to PyTorch's DataLoader. A stream with
    `follow` keeps no position: after a break or a restart it begins with what is in the folders.
    """

    def __init__(self, stream, workers=0, **more):
        self.stream, self.workers, self.more = stream, workers, more
        self.begin(stream.epoch)

    def begin(self, epoch):
        """Goes to the beginning of an epoch."""
        self.stream.epoch, self.parts, self.turn, self.given = epoch, None, 0, [0] * max(1, self.workers)

    def __iter__(self):
        if self.stream.follow:
            self.begin(self.stream.epoch)
        elif self.parts is None:
            self.parts = self.stream.parts()
        turn = Turn(self.stream, self.parts, list(self.given), self.turn)
        for worker, places, whole in DataLoader(turn, None, num_workers=self.workers, collate_fn=as_it_is, **self.more):
            self.given[worker] += 1
            self.turn = (worker + 1) % len(self.given)
            yield whole if places is None else parted(places, whole)
        self.begin(self.stream.epoch + 1)

    def settings(self):
        """What must be the same for a position to mean the same."""
        names = ("batch", "window", "seed", "piece", "drop_last")
        return {"workers": self.workers, "shared": "by turns", **{name: getattr(self.stream, name) for name in names}}

    def state_dict(self):
        """The position: shards, epoch, and the batches given by each worker. It costs a read of those to go back."""
        if self.stream.follow:
            raise ValueError("stream: one that follows a folder has no position to save")
        parts = None if self.parts is None else [list(vars(part).values()) for part in self.parts]
        return {"settings": self.settings(), "epoch": self.stream.epoch, "parts": parts, "given": list(self.given),
                "turn": self.turn}

    def load_state_dict(self, state):
        """Goes to a position, from which the same batches follow if the shards are still there."""
        if state["settings"] != self.settings():
            raise ValueError(f"stream: the position is of {state['settings']}, not of {self.settings()}")
        self.begin(state["epoch"])
        self.parts = None if state["parts"] is None else [Part(*part) for part in state["parts"]]
        self.given, self.turn = list(state["given"]), state["turn"]


def main():
    """Reads the folders once; prints how many rows there were, and how many in a second."""
    parser = argparse.ArgumentParser(description="Reads folders of training rows once and says how fast.")
    parser.add_argument("folders", nargs="+", metavar="FOLDER", help="folders of rows-*.safetensors, or globs")
    for name, default in (("workers", 0), ("batch", 512), ("window", Stream.window)):
        parser.add_argument(f"--{name}", type=int, default=default, metavar="N", help="(%(default)s)")
    flags = parser.parse_args()
    began, used, rows = time.monotonic(), sum(os.times()[:4]), 0
    try:
        for batch in Loader(Stream(flags.folders, batch=flags.batch, window=flags.window), flags.workers):
            rows += len(batch["policy"])
    except TensorFileError as problem:
        print(f"stream.py: {problem}", file=sys.stderr)
        return 1
    seconds = time.monotonic() - began
    print(f"{rows} rows in {seconds:.2f} s: {rows / seconds:.0f} rows/s with {flags.workers} workers; "
          f"{sum(os.times()[:4]) - used:.2f} s of processor time")
    return 0


if __name__ == "__main__":
    sys.exit(main())
