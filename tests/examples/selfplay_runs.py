"""What tests and the soak of selfplay share: running the program, networks whose games differ, and reading what it wrote.

`benchmarks/soak.py` uses it, too. It needs numpy, so whoever imports it is skipped, visibly, where that is missing.
"""

import importlib.util
import json
import os
import re
import shutil
import struct
import subprocess
import sys
import tempfile
import time
import unittest
import zlib
from dataclasses import dataclass
from pathlib import Path

if importlib.util.find_spec("numpy") is None:
    print(f"skipped: {sys.argv[0]} needs the Python package numpy")
    sys.exit(77)

import numpy as np

SOURCE = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(SOURCE / "examples" / "train"))

import games
import rows as training_rows
import tensors

PROGRAM = Path(os.environ.get("BATCHMATE_EXAMPLES_DIR", SOURCE / "build" / "host" / "examples")) / "selfplay"
LIMIT = 1100  # seconds that a run may take before it is said to hang
LAUNCHERS = re.compile(r"OMPI_|PMI_|SLURM_|JOB_COMPLETION")


# Running the program.

def environment(**more):
    """This process's, without what a launcher of several processes may have put there."""
    kept = {name: text for name, text in os.environ.items() if not LAUNCHERS.match(name)}
    return {**kept, **more}


def start(*flags, program=PROGRAM, **variables):
    return subprocess.Popen([str(program), *map(str, flags)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE, text=True, env=environment(**variables))


def finish(process):
    """Waits for the end; (status, output, errors)."""
    out, err = process.communicate(timeout=LIMIT)
    return process.returncode, out, err


def run(*flags, program=PROGRAM, **variables):
    return finish(start(*flags, program=program, **variables))


def until(condition, what, seconds=LIMIT):
    """Waits for the condition; returns what it returned."""
    end = time.monotonic() + seconds
    while not (found := condition()):
        if time.monotonic() > end:
            raise AssertionError(f"waited in vain for {what}")
        time.sleep(0.005)
    return found


class RunTest(unittest.TestCase):
    """A test of the built program, with a folder that goes with it."""

    @classmethod
    def setUpClass(cls):
        if not PROGRAM.exists():
            raise unittest.SkipTest(f"{PROGRAM} was not built")

    def setUp(self):
        self.folder = Path(tempfile.mkdtemp(prefix="batchmate-runs-"))
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)

    def play(self, *flags, status=0, **variables):
        """Runs the program; its output. Fails unless it ends as expected, on success without a word of complaint."""
        found, out, err = run(*flags, **variables)
        self.assertEqual(found, status, err)
        if status == 0:
            self.assertEqual(err, "")
        return out

    def kill(self, process):
        """Ends a run as a lost machine does; false if it had ended by itself."""
        process.kill()
        _, err = process.communicate(timeout=LIMIT)
        if process.returncode == 0:
            return False
        self.assertEqual(process.returncode, -9, err)
        return True

    def assert_same_episodes(self, found, expected, what=""):
        """Two results of `episodes` hold the same ones, bit for bit."""
        self.assertEqual(sorted(found), sorted(expected), what)
        for number, tensors_of in expected.items():
            self.assert_same_episode(found[number], tensors_of, f"episode {number} {what}")

    def assert_same_episode(self, found, expected, what=""):
        self.assertEqual(sorted(found), sorted(expected), what)
        for name, array in expected.items():
            self.assertEqual((found[name].dtype, found[name].shape), (array.dtype, array.shape), f"{name} of {what}")
            self.assertEqual(found[name].tobytes(), array.tobytes(), f"{name} of {what}")


# Networks.

def write_network(path, game, seed, channels=4, sharpness=2.0, value_channels=2, hidden=8):
    """A small network with random weights, large enough that others play other games; with many hidden values its
    file is large."""
    board, random = games.board_of(game), np.random.default_rng(seed)

    def layer(name, *shape):
        fan_in = int(np.prod(shape[1:]))
        arrays[f"{name}.weight"] = (random.normal(size=shape) * sharpness / np.sqrt(fan_in)).astype(np.float32)
        arrays[f"{name}.bias"] = random.normal(size=shape[:1]).astype(np.float32)

    arrays = {}
    layer("stem", channels, board.inputs, 3, 3)
    layer("blocks.0.first", channels, channels, 3, 3)
    layer("blocks.0.second", channels, channels, 3, 3)
    layer("policy_conv", 2, channels, 1, 1)
    layer("policy", board.actions, 2 * board.cells)
    layer("value_conv", value_channels, channels, 1, 1)
    layer("value_hidden", hidden, value_channels * board.cells)
    layer("value", 3, hidden)
    tensors.write(path, arrays, {"format": "batchmate-network-1", **board.metadata(), "blocks": "1",
                                 "channels": str(channels), "value": "wdl"})
    return Path(path)


def publish(path, folder, name):
    """Puts a network into a folder as a trainer should: whole, under its name, and newer than all others there."""
    folder = Path(folder)
    newest = max((p.lstat().st_mtime_ns for p in folder.glob("*.safetensors")), default=0)
    part = folder / f".{name}.part"
    part.write_bytes(Path(path).read_bytes())
    if part.stat().st_mtime_ns <= newest:
        os.utime(part, ns=(newest + 1, newest + 1))
    part.rename(folder / name)
    return folder / name


# What a run has written.

def metrics_in(path):
    """The reports of a file of metrics, which may be written to meanwhile; none where it is not there yet."""
    try:
        whole, _, _ = Path(path).read_text().rpartition("\n")
    except FileNotFoundError:
        return []
    return [json.loads(line) for line in whole.splitlines()]


def shards_in(folder):
    return sorted(Path(folder).glob("rows-*.safetensors"))


def is_data(name):
    """Whether a file of a run is promised to be the same however often it is killed."""
    return re.fullmatch(r"rows-\d{6}\.safetensors|games-\d{6}\.txt|run\.json", name) is not None


def data(folder):
    return {path.name: path.read_bytes() for path in sorted(Path(folder).iterdir()) if is_data(path.name)}


def read_shard(path):
    """The tensors of a shard, with the tensor `network` as identities, by way of the metadata `networks`."""
    with training_rows.Shard(path) as shard:
        arrays = {name: shard.file.read(name) for name in shard.file.entries}
        names = np.array(json.loads(shard.file.metadata["networks"]))
        arrays["network"] = names[shard.network_indices(0, shard.count)].astype("S256")
    return arrays


def episodes(*folders):
    """{number: {tensor: its rows}} of all episodes in the shards of some folders; each may be there once."""
    found = {}
    for folder in folders:
        for path in shards_in(folder):
            arrays = read_shard(path)
            numbers = arrays["episode"]
            begins = np.flatnonzero(np.diff(numbers, prepend=-1))
            for first, last in zip(begins, [*begins[1:], len(numbers)]):
                number = int(numbers[first])
                if number in found:
                    raise AssertionError(f"{path}: episode {number} is there twice")
                found[number] = {name: array[first:last] for name, array in arrays.items()}
    return found


def networks_of(episode):
    """The identities of the networks that made an episode's rows, in order."""
    names = episode["network"]
    return [names[i].decode() for i in range(len(names)) if i == 0 or names[i] != names[i - 1]]


# The journal, as docs/formats.md describes it.

MAGIC = b"batchmate-journal-1\n"


@dataclass(frozen=True)
class Phase:
    """A network plays from an episode on."""

    network: int
    place: int
    identity: str
    file: str

    def record(self):
        texts = [text.encode() for text in (self.identity, self.file)]
        return struct.pack("<ciq", b"n", self.network, self.place) + b"".join(
            struct.pack("<I", len(text)) + text for text in texts)


def checksum(record):
    return zlib.crc32(record, zlib.crc32(struct.pack("<I", len(record))))


def write_journal(path, records):
    framed = (struct.pack("<II", len(record), checksum(record)) + record for record in records)
    Path(path).write_bytes(MAGIC + b"".join(framed))


def begun_journal(path, phases):
    """The journal of a run that has played nothing yet, but knows which networks will play which episodes."""
    write_journal(path, [struct.pack("<cqiiqQ", b"p", 0, 0, 0, 0, 0), *(phase.record() for phase in phases)])


def journal_records(path):
    """The whole records of a journal, which may be written to meanwhile."""
    content = Path(path).read_bytes()
    if not content.startswith(MAGIC):
        raise AssertionError(f"{path} is no journal")
    at = len(MAGIC)
    while at + 8 <= len(content):
        length, crc = struct.unpack_from("<II", content, at)
        record = content[at + 8:at + 8 + length]
        if len(record) < length or checksum(record) != crc:
            return
        yield record
        at += 8 + length


def phases_in(path):
    """The networks that a journal names."""
    found = []
    for record in journal_records(path):
        if record[:1] == b"n":
            network, place, size = struct.unpack_from("<iqI", record, 1)
            identity, (rest,) = record[17:17 + size], struct.unpack_from("<I", record, 17 + size)
            found.append(Phase(network, place, identity.decode(), record[21 + size:21 + size + rest].decode()))
    return found
