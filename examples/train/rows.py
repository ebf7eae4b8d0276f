"""Reads training rows as the self-play program writes them: folders of shards `rows-000000.safetensors`, ...

What a row holds, with n rows in a shard:

    planes    U8  (n, C, 8 * ceil(H * W / 64))  one bit a cell, lowest first
    globals   F32 (n, globals)                  only if the game has any
    legal     U8  (n, 8 * ceil(A / 64))         one bit an action, lowest first
    policy    F32 (n, A)                        the search's target; sums to 1, 0 where illegal
    value     F32 (n)                           the search's root value, in [-1, 1]
    outcome   F32 (n)                           the game's result: -1, 0 or 1
    action    I32 (n), ply I32 (n), episode I64 (n)

Values are for the player to move.
"""

from dataclasses import dataclass
from pathlib import Path

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


@dataclass
class Batch:
    """Unpacked rows."""

    inputs: np.ndarray   # (B, C_in, H, W) float32
    legal: np.ndarray    # (B, A) bool
    policy: np.ndarray   # (B, A) float32
    value: np.ndarray    # (B) float32
    outcome: np.ndarray  # (B) float32


class Rows:
    """Many rows, packed as they are in the shards and unpacked batch by batch."""

    def __init__(self, board, arrays):
        """`arrays` holds those of a shard by name, each with n rows."""
        self.board = board
        self.arrays = arrays

    def __len__(self):
        return len(self.arrays["policy"])

    def batch(self, indices):
        """The rows `indices` (B), unpacked."""
        packed = {name: array[indices] for name, array in self.arrays.items()}
        return Batch(unpack_inputs(self.board, packed), unpack_bits(packed["legal"], self.board.actions).astype(bool),
                     packed["policy"], packed["value"], packed["outcome"])


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


def shard_types(board):
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


def read_shard(path):
    """The rows of one shard, checked against its metadata."""
    arrays, metadata = tensors.read(path)
    board = Board.of_metadata(metadata, path, FORMAT)
    count = len(arrays.get("policy", ()))
    for name, (dtype, extents) in shard_types(board).items():
        if name not in arrays:
            raise TensorFileError(f"{path}: the tensor {name} is missing")
        found, expected = arrays[name], (count, *extents)
        if found.dtype != dtype or found.shape != expected:
            raise TensorFileError(f"{path}: {name}: expected {np.dtype(dtype)} {expected}, "
                                  f"found {found.dtype} {found.shape}")
        if found.dtype == np.float32 and not np.isfinite(found).all():
            raise TensorFileError(f"{path}: {name}: holds numbers that are not finite")
    return Rows(board, {name: arrays[name] for name in shard_types(board)})


def load(folders, window=None):
    """The newest `window` rows (all if None) of several folders, oldest first and within each by the shard's number."""
    shards = []
    for folder in map(Path, folders):
        found = sorted(folder.glob("rows-*.safetensors"))
        if not found:
            raise TensorFileError(f"{folder}: holds no shard rows-*.safetensors")
        shards += found
    kept, count = [], 0
    for path in reversed(shards):
        kept.insert(0, read_shard(path))
        if kept[0].board != kept[-1].board:
            raise TensorFileError(f"{path}: holds {kept[0].board}, the others hold {kept[-1].board}")
        count += len(kept[0])
        if window is not None and count >= window:
            break
    if count == 0:
        raise TensorFileError(f"{', '.join(map(str, folders))}: no rows")
    first = count - window if window is not None and count > window else 0
    names = kept[0].arrays
    return Rows(kept[0].board, {name: np.concatenate([rows.arrays[name] for rows in kept])[first:] for name in names})
