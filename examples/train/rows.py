"""Reads training rows as the self-play program writes them: shards `rows-000000.safetensors`, ...; see `stream.py`.

What a row holds, with n rows in a shard:

    planes    U8  (n, C, 8 * ceil(H * W / 64))  one bit a cell, lowest first
    globals   F32 (n, globals)                  only if the game has any
    legal     U8  (n, 8 * ceil(A / 64))         one bit an action, lowest first
    policy    F32 (n, A)                        the search's target; sums to 1, 0 where illegal
    value     F32 (n)                           the search's root value, in [-1, 1]
    outcome   F32 (n)                           the game's result, in [-1, 1]

and what it may hold:

    action    I32 (n), ply I32 (n), episode I64 (n)
    full      U8  (n)                           1: a full search, whose policy is worth learning; 0: a cheap one
    surprise  F32 (n)                           how far the search's policy is from the network's
    short_value F32 (n)                         the search's values of the next plies, the nearest weighing most
    network   I32 (n)                           which of the metadata's `networks` (JSON, identities) made the row

Values are for the player to move.
"""

import json
import zlib
from dataclasses import dataclass

import numpy as np

import tensors
from tensors import TensorFileError

FORMAT = "batchmate-rows-1"


@dataclass(frozen=True)
class Board:
    """What a network sees of a game, as the metadata of shards and networks says it."""

    game: str
    planes: int   # C, without the globals
    rows: int     # H
    columns: int  # W
    globals: int  # numbers that become constant planes
    actions: int  # A

    @property
    def cells(self):
        """H * W."""
        return self.rows * self.columns

    @property
    def inputs(self):
        """C_in, planes and globals."""
        return self.planes + self.globals

    @classmethod
    def of_metadata(cls, metadata, path, form):
        """The board that a file's metadata names; refuses another format than `form`."""
        if metadata.get("format") != form:
            raise TensorFileError(f"{path}: expected the format {form}, found {metadata.get('format', 'none')}")
        try:
            sizes = [int(metadata[key]) for key in ("planes", "rows", "columns", "globals", "actions")]
            board = cls(metadata["game"], *sizes)
        except (KeyError, ValueError) as problem:
            raise TensorFileError(f"{path}: metadata: {problem!r}") from problem
        if min(board.planes, board.rows, board.columns, board.actions) < 1 or board.globals < 0:
            raise TensorFileError(f"{path}: metadata: impossible sizes in {board}")
        return board

    def metadata(self):
        """The same as the text that goes into a file."""
        return {key: str(value) for key, value in vars(self).items()}


def unpack_bits(packed, count):
    """Bits packed in bytes, lowest first: (..., bytes) to (..., count) of 0 and 1."""
    return np.unpackbits(packed, axis=-1, count=count, bitorder="little")


def pack_bits(bits):
    """The inverse of `unpack_bits`, padded with zeros to whole words of 64 bits."""
    padding = [(0, 0)] * (bits.ndim - 1) + [(0, -bits.shape[-1] % 64)]
    return np.packbits(np.pad(bits.astype(np.uint8), padding), axis=-1, bitorder="little")


def unpack_inputs(board, packed):
    """What the network sees (B, C_in, H, W): the planes as 0 and 1, then every global as a constant plane."""
    count = len(packed["planes"])
    inputs = np.empty((count, board.inputs, board.rows, board.columns), np.float32)
    inputs[:, :board.planes] = unpack_bits(packed["planes"], board.cells).reshape(
        count, board.planes, board.rows, board.columns)
    if board.globals:
        inputs[:, board.planes:] = packed["globals"][:, :, None, None]
    return inputs


def unpack(board, packed):
    """Rows as a network learns them: `inputs` (B, C_in, H, W) float32, `legal` (B, A) bool, and the rest as it was."""
    rest = {name: array for name, array in packed.items() if name not in ("planes", "globals")}
    return {**rest, "inputs": unpack_inputs(board, packed),
            "legal": unpack_bits(packed["legal"], board.actions).view(bool)}


def network_id(identity):
    """The number that stands for a network's identity in `network`, the same in every shard and run."""
    return zlib.crc32(identity.encode())


def needed_tensors(board):
    """What a shard of this game must hold: name to (dtype, extents after n)."""
    types = {
        "planes": (np.uint8, (board.planes, 8 * -(-board.cells // 64))),
        "globals": (np.float32, (board.globals,)),
        "legal": (np.uint8, (8 * -(-board.actions // 64),)),
        "policy": (np.float32, (board.actions,)),
        "value": (np.float32, ()),
        "outcome": (np.float32, ()),
    }
    if not board.globals:
        del types["globals"]
    return types


# What a shard may hold: name to (dtype, what every row has where it is missing).
OPTIONAL = {
    "action": (np.int32, -1),
    "ply": (np.int32, -1),
    "episode": (np.int64, -1),
    "full": (np.uint8, 1),
    "surprise": (np.float32, 0),
    "short_value": (np.float32, "value"),  # as the tensor of this name
}


class Shard:
    """An open shard, checked against its metadata: its `board`, its `count` of rows, and any part of them."""

    def __init__(self, path):
        self.path, self.file = path, tensors.TensorFile(path)
        try:
            self.board = Board.of_metadata(self.file.metadata, path, FORMAT)
            needed = needed_tensors(self.board)
            for name in needed:
                if name not in self.file.entries:
                    raise TensorFileError(f"{path}: the tensor {name} is missing")
            self.count = sum(self.file.entries["policy"][1][:1])
            for name, (dtype, extents) in needed.items():
                self.check(name, dtype, extents)
            for name, (dtype, _) in OPTIONAL.items():
                self.check(name, dtype, ())
            self.check("network", np.int32, ())
            self.networks = self.identities()
            self.final = self.file.metadata.get("final", "yes") != "no"  # else it may be written anew
        except TensorFileError:
            self.close()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        """Closes the file."""
        self.file.close()

    def check(self, name, dtype, extents):
        """Refuses a tensor that is there but of another type or shape."""
        if name in self.file.entries:
            found, expected = self.file.entries[name], (self.count, *extents)
            if found[:2] != (dtype, expected):
                raise TensorFileError(f"{self.path}: {name}: expected {np.dtype(dtype)} {expected}, "
                                      f"found {found[0]} {found[1]}")

    def identities(self):
        """The ids of the networks that the rows may name; without a tensor `network`, of the only one."""
        if "network" not in self.file.entries:
            return np.array([network_id(self.file.metadata.get("evaluator", ""))])
        try:
            return np.array([network_id(identity) for identity in json.loads(self.file.metadata["networks"])], np.int64)
        except (KeyError, ValueError, TypeError, AttributeError, RecursionError) as problem:
            raise TensorFileError(f"{self.path}: metadata: networks: {problem!r}") from problem

    def symmetries(self):
        """Every symmetry of the game as indices, cells (H * W) and actions (A): which one comes to each place; nothing
        where the shard names none."""
        try:
            found = [[np.array(table, np.int64) for table in pair]
                     for pair in json.loads(self.file.metadata.get("symmetries", "[]"))]
            if any([sorted(table.tolist()) for table in pair] != [list(range(self.board.cells)),
                                                                  list(range(self.board.actions))] for pair in found):
                raise ValueError("are no permutations of cells and actions")
        except (ValueError, TypeError, OverflowError, RecursionError) as problem:
            raise TensorFileError(f"{self.path}: metadata: symmetries: {problem}") from problem
        return [tuple(np.argsort(table) for table in pair) for pair in found]

    def read(self, first=0, last=None):
        """The rows `first` to `last` (excluded), packed: {name: array}, with every optional tensor filled in."""
        last = self.count if last is None else last
        if not 0 <= first <= last <= self.count:
            raise TensorFileError(f"{self.path}: holds {self.count} rows, not {first} to {last}")
        rows = {name: self.file.read(name, first, last) for name in needed_tensors(self.board)}
        for name, (dtype, default) in OPTIONAL.items():
            if name in self.file.entries:
                rows[name] = self.file.read(name, first, last)
            else:
                rows[name] = rows[default].copy() if default in rows else np.full(last - first, default, dtype)
        for name, array in rows.items():
            if array.dtype == np.float32 and not np.isfinite(array).all():
                raise TensorFileError(f"{self.path}: {name}: holds numbers that are not finite")
        for name in ("value", "outcome", "short_value"):
            if (np.abs(rows[name]) > 1.001).any():
                raise TensorFileError(f"{self.path}: {name}: holds numbers beyond -1 to 1")
        if (np.abs(rows["policy"].sum(1) - 1) > 0.02).any() or (rows["policy"] < 0).any():
            raise TensorFileError(f"{self.path}: policy: holds rows that are negative or do not sum to 1")
        rows["network"] = self.networks[self.network_indices(first, last)]
        return rows

    def network_indices(self, first, last):
        """Which of `networks` made each row."""
        if "network" not in self.file.entries:
            return np.zeros(last - first, np.int32)
        indices = self.file.read("network", first, last)
        if len(indices) and not (0 <= indices.min() and indices.max() < len(self.networks)):
            raise TensorFileError(f"{self.path}: network: names more than the {len(self.networks)} of the metadata")
        return indices
