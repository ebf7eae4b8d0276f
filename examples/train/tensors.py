"""Reads and writes safetensors files as NumPy arrays.

The stock `safetensors` package reads where it is installed; `read_plain` below does the same without it. Files are
always written here, because the stock package puts the metadata in another order every time.

A file is, from its beginning:

    8 bytes    N, unsigned, little-endian
    N bytes    JSON: {"__metadata__": {text: text}, name: {"dtype", "shape", "data_offsets": [begin, end]}, ...}
    the rest   the arrays, row-major and little-endian; offsets count from here, without gaps or overlaps
"""

import json
import math
import os
from pathlib import Path

import numpy as np

try:
    import safetensors as stock
except ImportError:
    stock = None

DTYPES = {
    "F64": "<f8", "F32": "<f4", "F16": "<f2", "I64": "<i8", "U64": "<u8", "I32": "<i4", "U32": "<u4",
    "I16": "<i2", "U16": "<u2", "I8": "|i1", "U8": "|u1", "BOOL": "|b1",
}
CODES = {np.dtype(dtype): code for code, dtype in DTYPES.items()}
LONGEST_HEADER = 100_000_000  # bytes; the stock package's own limit


class TensorFileError(Exception):
    """A file that is missing, truncated or not what it says; the text names the file and what is wrong."""


def read(path):
    """The arrays of a file by name, and its metadata: ({name: array}, {text: text})."""
    if stock is None:
        return read_plain(path)
    try:
        with stock.safe_open(str(path), framework="numpy") as file:
            return {name: file.get_tensor(name) for name in file.keys()}, file.metadata() or {}
    except (OSError, KeyError, TypeError, stock.SafetensorError) as problem:
        raise TensorFileError(f"{path}: {problem}") from problem


def write(path, tensors, metadata):
    """Writes {name: array} and {text: text}; the file appears whole or not at all."""
    write_atomically(path, lambda part: fill(part, tensors, metadata))


def write_atomically(path, produce):
    """Calls `produce` with a name beside `path` and, once it has returned, renames that file to `path`."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        produce(part)
        with open(part, "rb+") as file:
            os.fsync(file.fileno())
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


def fill(path, tensors, metadata):
    """`write`, but not atomically; wide types come first, so that every array is aligned to its elements."""
    header, offset = ({"__metadata__": metadata} if metadata else {}), 0
    order = sorted(tensors, key=lambda name: (-tensors[name].dtype.itemsize, name))
    for name in order:
        array = tensors[name]
        header[name] = {"dtype": CODES[array.dtype], "shape": list(array.shape),
                        "data_offsets": [offset, offset + array.nbytes]}
        offset += array.nbytes
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for name in order:
            file.write(np.ascontiguousarray(tensors[name]).tobytes())


def read_plain(path):
    """`read` without the stock package; refuses whatever that refuses."""
    with TensorFile(path) as file:
        return {name: file.read(name) for name in file.entries}, file.metadata


def signature(state):
    """What changes when a file is written to, of its `os.stat`."""
    return state.st_size, state.st_mtime_ns


class TensorFile:
    """An open file, to read arrays in parts: {name: (dtype, shape, offset)} in `entries`, texts in `metadata`.

    What it has open stays readable when the file's name is taken away.
    """

    def __init__(self, path):
        self.path = path
        try:
            self.file = open(path, "rb")
        except OSError as problem:
            raise TensorFileError(f"{path}: {problem.strerror}") from problem
        try:
            self.entries, self.metadata = parse(self.file, os.fstat(self.file.fileno()).st_size)
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as problem:
            self.close()
            raise TensorFileError(f"{path}: not a whole safetensors file: {problem}") from problem
        except OSError as problem:
            self.close()
            raise TensorFileError(f"{path}: {problem.strerror}") from problem

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        """Closes the file."""
        self.file.close()

    def signature(self):
        """The `signature` of what is open."""
        return signature(os.fstat(self.file.fileno()))

    def read(self, name, first=0, last=None):
        """The array `name`, or its rows `first` to `last` (excluded), which must be there."""
        dtype, shape, offset = self.entries[name]
        if shape and last is not None:
            offset += first * math.prod(shape[1:]) * dtype.itemsize
            shape = (last - first, *shape[1:])
        array = np.empty(shape, dtype)
        try:
            self.file.seek(offset)
            got = self.file.readinto(array.reshape(-1).view(np.uint8))
        except OSError as problem:
            raise TensorFileError(f"{self.path}: {problem.strerror}") from problem
        if got != array.nbytes:
            raise TensorFileError(f"{self.path}: {name}: the file has become shorter")
        return array


def parse(file, size):
    """{name: (dtype, shape, offset)} and the metadata of a file of `size` bytes."""
    header, begin = parse_header(file, size)
    metadata = header.pop("__metadata__", {})
    require(all(isinstance(text, str) for text in metadata.values()), "metadata must be text")
    entries = {name: place(name, entry, begin, size) for name, entry in header.items()}
    require_seamless(header, size - begin)
    return entries, metadata


def parse_header(file, size):
    """The JSON header of a file of `size` bytes, and the offset at which the arrays begin."""
    require(size >= 8, f"{size} bytes are too few")
    length = int.from_bytes(file.read(8), "little")
    require(length <= min(LONGEST_HEADER, size - 8), f"a header of {length} bytes in {size}")
    header = json.loads(file.read(length).decode())
    require(isinstance(header, dict), "the header is no JSON object")
    return header, 8 + length


def place(name, entry, begin, size):
    """(dtype, shape, offset) of one entry of the header, checked against its shape and the end of the file."""
    require(entry["dtype"] in DTYPES, f"{name} has the type {entry['dtype']}")
    dtype, shape = np.dtype(DTYPES[entry["dtype"]]), tuple(entry["shape"])
    first, last = entry["data_offsets"]
    require(all(isinstance(n, int) and n >= 0 for n in [first, last, *shape]), f"{name} has a negative extent")
    require(last - first == math.prod(shape) * dtype.itemsize, f"{name} has {last - first} bytes for the shape {shape}")
    require(begin + last <= size, f"{name} ends at {begin + last} of {size} bytes")
    return dtype, shape, begin + first


def require_seamless(header, size):
    """Refuses arrays that overlap, leave gaps or do not fill the `size` bytes after the header."""
    end = 0
    for first, last in sorted(tuple(entry["data_offsets"]) for entry in header.values()):
        require(first == end, f"an array begins at {first} where the one before ends at {end}")
        end = last
    require(end == size, f"{size} bytes of arrays where the header describes {end}")


def require(ok, message):
    """Raises ValueError with the message unless `ok`."""
    if not ok:
        raise ValueError(message)
