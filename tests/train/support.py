"""What the tests of the trainer share: its modules on the path, and random rows."""

import importlib.util
import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "examples" / "train"))


def need(package):
    """Skips the calling module, visibly, where a package is missing; as a program it ends with status 77."""
    if importlib.util.find_spec(package) is not None:
        return
    if Path(sys.argv[0]).name.startswith("test_"):
        print(f"skipped: {sys.argv[0]} needs the Python package {package}")
        sys.exit(77)
    raise unittest.SkipTest(f"needs the Python package {package}")


need("numpy")

import numpy as np

import rows as training_rows
import tensors


def random_rows(board, count, seed):
    """The arrays of a shard with `count` random rows; at least one action of each is legal."""
    random = np.random.default_rng(seed)
    legal = random.random((count, board.actions)) < 0.7
    legal[np.arange(count), random.integers(board.actions, size=count)] = True
    policy = np.where(legal, random.random((count, board.actions)) + 1e-3, 0)
    arrays = {
        "planes": training_rows.pack_bits(random.random((count, board.planes, board.cells)) < 0.4),
        "legal": training_rows.pack_bits(legal),
        "policy": (policy / policy.sum(1, keepdims=True)).astype(np.float32),
        "value": random.uniform(-1, 1, count).astype(np.float32),
        "outcome": random.integers(-1, 2, count).astype(np.float32),
        "action": legal.argmax(1).astype(np.int32),
        "ply": np.zeros(count, np.int32),
        "episode": np.arange(count, dtype=np.int64),
    }
    if board.globals:
        arrays["globals"] = random.normal(size=(count, board.globals)).astype(np.float32)
    return arrays


def write_shard(path, board, arrays, **metadata):
    """Writes the arrays of a shard as the self-play program does."""
    tensors.write(path, arrays, {"format": training_rows.FORMAT, "evaluator": "test", **board.metadata(), **metadata})
