"""Reads and writes safetensors files as NumPy arrays.

The stock `safetensors` package reads where it is installed; `read_plain` below does the same without it. Files are
always written here, because the stock package puts the metadata in another order every time.

A file is, from its beginning:

    8 bytes    N, unsigned, little-endian
    N bytes    JSON: {"__metadata__": {text: text}, name: {"dtype", "shape", "data_offsets": [begin, end]}, ...}
    the rest   the arrays, row-major and little-endian; offsets count from here, without gaps or overlaps
"""

import json
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
    try:
        content = Path(path).read_bytes()
    except OSError as problem:
        raise TensorFileError(f"{path}: {problem.strerror}") from problem
    try:
        header, begin = parse_header(content)
        metadata = header.pop("__metadata__", {})
        require(all(isinstance(text, str) for text in metadata.values()), "metadata must be text")
        tensors = {name: view(content, begin, name, entry) for name, entry in header.items()}
        require_seamless(header, len(content) - begin)
    except (ValueError, KeyError, TypeError, AttributeError) as problem:
        raise TensorFileError(f"{path}: not a whole safetensors file: {problem}") from problem
    return tensors, metadata


def parse_header(content):
    """The JSON header of a file's bytes, and the offset at which the arrays begin."""
    require(len(content) >= 8, f"{len(content)} bytes are too few")
    length = int.from_bytes(content[:8], "little")
    require(length <= min(LONGEST_HEADER, len(content) - 8), f"a header of {length} bytes in {len(content)}")
    header = json.loads(content[8:8 + length].decode())
    require(isinstance(header, dict), "the header is no JSON object")
    return header, 8 + length


def view(content, begin, name, entry):
    """The array that one entry of the header describes, checked against its shape and the end of the file."""
    require(entry["dtype"] in DTYPES, f"{name} has the type {entry['dtype']}")
    dtype, shape = np.dtype(DTYPES[entry["dtype"]]), entry["shape"]
    first, last = entry["data_offsets"]
    require(all(isinstance(n, int) and n >= 0 for n in [first, last, *shape]), f"{name} has a negative extent")
    count = int(np.prod(shape, dtype=object)) if shape else 1
    require(last - first == count * dtype.itemsize, f"{name} has {last - first} bytes for the shape {shape}")
    require(begin + last <= len(content), f"{name} ends at {begin + last} of {len(content)} bytes")
    return np.frombuffer(content, dtype, count, begin + first).reshape(shape).copy()


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
