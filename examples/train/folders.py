"""Which shards of training rows are there: folders and globs, the newest of them, and those that are still to come."""

import glob
import os
import re
import time
import warnings
from dataclasses import dataclass
from typing import Callable, Optional, Sequence

import tensors
from rows import Board, Shard
from tensors import TensorFileError

NAME = re.compile(r"rows-(\d{6,})\.safetensors")


@dataclass(frozen=True)
class Part:
    """Rows `first` to `last` (excluded) of a shard."""

    path: str
    number: int  # of the shard in its folder
    first: int
    last: int
    written: Optional[Sequence[int]] = None  # of a shard that is not final: its size and time, as it may be written anew


def find(data, missing_ok=False):
    """[(path, number)] of the shards of folders and globs, oldest first.

    Folders that are named one by one follow each other in age. Those of one glob, such as `out/rank-*`, were filled
    side by side: their shards are as old as their numbers say. Whatever else is in a folder is left alone.
    """
    found, seen = [], set()
    for pattern in map(str, data):
        folders = [pattern] if os.path.isdir(pattern) else sorted(filter(os.path.isdir, glob.glob(pattern)))
        if not folders and not missing_ok:
            raise TensorFileError(f"{pattern}: no such folder")
        group = []
        for folder in folders:
            if os.path.realpath(folder) not in seen:
                group += [(int(name[1]), folder, name[0]) for name in map(NAME.fullmatch, os.listdir(folder)) if name]
            seen.add(os.path.realpath(folder))
        found += [(os.path.join(folder, name), number) for number, folder, name in sorted(group)]
    return found


def signature_of(path):
    """What changes when a file is written to; None if it is gone."""
    try:
        return tensors.signature(os.stat(path))
    except OSError:
        return None


@dataclass(eq=False)
class Folders:
    """The shards of `data`: those that are there, or, with `follow`, also those that are written later.

    A shard that has been seen is not looked at again under the same name. So one that is not final, as a run that
    was stopped leaves, is taken only where nothing is to come: without `follow`, or at its end.
    """

    data: Sequence[str]                  # folders or globs, oldest first; see `find`
    newest_rows: Optional[int] = None    # take only so many of what is there at the beginning
    newest_shards: Optional[int] = None  # the same in shards that can be read
    only: Optional[Sequence[Part]] = None  # read these parts, whatever there is
    on_bad: str = "error"                # a shard that vanished or is damaged: "error" raises, "warn" goes on without
    board: Optional[Board] = None        # expected of every shard; None: that of the first that is opened
    follow: bool = False                 # go on with shards that appear, until `until` or `idle` says to end
    poll: float = 1.0                    # seconds between looks for new shards
    idle: Optional[float] = None         # end after so many seconds without a new shard
    until: Optional[Callable[[], bool]] = None  # end once it returns true and what is there then has been read; workers
                                                # ask it in their processes, so that it must look at a file, say
    patience: float = 60.0               # seconds before a damaged shard is bad: it could be a copy under way

    def __post_init__(self):
        self.symmetries = None  # those that the first shard names, as `Shard.symmetries`
        self.data = [self.data] if isinstance(self.data, (str, os.PathLike)) else list(self.data)
        if min([1, *(n for n in (self.newest_rows, self.newest_shards) if n is not None)]) < 1:
            raise ValueError("stream: newest_rows and newest_shards must be positive")
        if self.on_bad not in ("error", "warn"):
            raise ValueError(f"stream: on_bad is error or warn, not {self.on_bad}")

    def parts(self):
        """What a pass over the shards that are there now reads, oldest first, as Parts."""
        parts = self.look(set()) if self.only is None else list(self.only)
        if not parts:
            raise TensorFileError(f"{', '.join(map(str, self.data))}: no rows in any shard rows-NNNNNN.safetensors")
        return parts

    def count(self):
        """The number of rows of a pass over the shards that are there now."""
        return sum(part.last - part.first for part in self.parts())

    def followed(self, trainer=None):
        """Yields Parts: of what is there, then of what came since, until `until` or `idle`, or the end of the process
        that this one works for."""
        known, suspects, last, limited = set(), {}, time.monotonic(), True
        while trainer is None or trainer.is_alive():
            idle = self.idle is not None and time.monotonic() - last >= self.idle
            ending = idle or (self.until is not None and self.until())  # asked first: what was there by then is read
            parts = self.look(known, suspects, limited)
            if parts:
                last, limited = time.monotonic(), False
                yield parts
            elif ending:
                parts = self.look(known, None, limited)
                if parts:
                    yield parts
                return
            else:
                time.sleep(self.poll if self.idle is None else min(self.poll, self.idle))

    def look(self, known, suspects=None, limited=True):
        """The shards whose path is not in `known`, oldest first, as Parts; adds them to `known`.

        Where `limited`, only the newest that are asked for. `suspects` is given where a shard may get better,
        or be written anew.
        """
        parts, count = [], 0
        for path, number in reversed(find(self.data, missing_ok=self.follow)):
            if path in known:
                continue
            enough = limited and (count == self.newest_rows or len(parts) == self.newest_shards)
            rows, written = (0, None) if enough else self.rows_of(path, suspects)
            if rows is None:
                continue
            known.add(path)
            room = self.newest_rows - count if limited and self.newest_rows else rows
            first = max(0, rows - room)
            if rows > first:
                parts.append(Part(path, number, first, rows, written))
                count += rows - first
        return parts[::-1]

    def rows_of(self, path, suspects):
        """The number of rows in a shard, and `Part.written`. The number is 0 if the shard is bad; None if it is not final,
        or bad but not unchanged for long, where `suspects` is given."""
        signature = signature_of(path)
        try:
            with self.opened(path) as shard:
                if shard.final:
                    return shard.count, None
                return shard.count if suspects is None else None, shard.file.signature()
        except TensorFileError as problem:
            if suspects is not None and signature is None:  # gone, as what is not final goes when its run is resumed?
                listed = [there for there, _ in find(self.data, missing_ok=True)]
                if path not in listed or signature_of(path) is not None:
                    return None, None
            if suspects is not None and signature is not None:
                before, since = suspects.get(path, (None, 0))
                if before != signature:
                    suspects[path] = (signature, time.monotonic())
                    return None, None
                if time.monotonic() - since < self.patience:
                    return None, None
            self.bad(problem)
            return 0, None

    def opened(self, path):
        """A shard, which must be of the same game as the others."""
        shard = Shard(path)
        if self.board is None:
            self.board = shard.board
        if self.symmetries is None and shard.board == self.board:
            try:
                self.symmetries = shard.symmetries()
            except TensorFileError:
                shard.close()
                raise
        if shard.board != self.board:
            shard.close()
            raise TensorFileError(f"{path}: holds {shard.board}, expected {self.board}")
        return shard

    def bad(self, problem):
        """Raises or warns, as `on_bad` says."""
        if self.on_bad == "error":
            raise problem
        warnings.warn(f"{problem}; going on without it", stacklevel=2)
