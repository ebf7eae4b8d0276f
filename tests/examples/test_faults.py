"""Nothing is lost: selfplay is killed, starved and interrupted, and its data are compared byte for byte.

BATCHMATE_FAULT_TURNS (20) says how often it is killed at a random moment, and how many system calls of a sweep
go wrong; from 100 on all of them do.
"""
import json
import os
import random
import re
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import time
import unittest
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

PROGRAM = Path(os.environ["BATCHMATE_EXAMPLES_DIR"]) / "selfplay"
FAULTY_FILES = os.environ.get("BATCHMATE_FAULTY_FILES", "")
TURNS = int(os.environ.get("BATCHMATE_FAULT_TURNS", "20"))
LIMIT = 120  # seconds that a run may take before it is said to hang

QUIET = ["--evaluator", "uniform", "--progress", "0", "--shard-rows", "512"]
# Two full shards and a part of one.
SMALL = ["--game", "connect4", "--simulations", "2", "--episodes", "60", "--threads", "1", *QUIET]
# Long enough to be killed under way.
LONGER = ["--game", "tictactoe", "--simulations", "8", "--episodes", "2000", "--threads", "2", *QUIET]
# Never ends by itself.
ENDLESS = ["--game", "tictactoe", "--simulations", "8", "--episodes", "0", "--threads", "2", *QUIET]


def command(out, *flags):
    return [PROGRAM, *flags, *(["--out", out] if out else [])]


def environment(faults):
    return {**os.environ, **({"LD_PRELOAD": FAULTY_FILES, "BATCHMATE_FAULTS": faults} if faults else {})}


class Ended:
    """A run of the program that is over."""

    def __init__(self, status, out, err):
        self.status, self.out = status, out
        lines = err.splitlines()
        # What the library that makes files faulty has said: (number, call, path).
        self.faults = [tuple(line.split(" ", 3)[1:]) for line in lines if line.startswith("faulty_files: ")]
        self.lines = [line for line in lines if not line.startswith("faulty_files: ")]
        self.err = "\n".join(self.lines)


def run(out, *flags, faults="", cwd=None):
    done = subprocess.run(command(out, *flags), env=environment(faults), capture_output=True, text=True,
                          timeout=LIMIT, cwd=cwd, stdin=subprocess.DEVNULL)
    return Ended(done.returncode, done.stdout, done.stderr)


def start(out, *flags):
    return subprocess.Popen(command(out, *flags), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                            stdin=subprocess.DEVNULL)


def finish(process):
    out, err = process.communicate(timeout=LIMIT)
    return Ended(process.returncode, out, err)


def is_data(name):
    return re.fullmatch(r"rows-\d{6}\.safetensors|games-\d{6}\.txt|run\.json", name) is not None


def data(folder):
    """The files of a run that are promised to be the same: all but the journal, whose records lie as they came."""
    return {path.name: path.read_bytes() for path in sorted(Path(folder).iterdir()) if is_data(path.name)}


def rows_in(shard):
    """The number of rows of a shard, which must be whole."""
    content = Path(shard).read_bytes()
    size, = struct.unpack("<Q", content[:8])
    header = json.loads(content[8:8 + size])
    tensors = [entry for name, entry in header.items() if name != "__metadata__"]
    if 8 + size + max(entry["data_offsets"][1] for entry in tensors) != len(content):
        raise AssertionError(f"{shard} is cut short")
    return tensors[0]["shape"][0]


def until(condition, what, seconds=LIMIT):
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise AssertionError(f"waited in vain for {what}")
        time.sleep(0.005)


class Faults(unittest.TestCase):
    """Has a temporary folder, and references to compare with."""

    references = {}

    @classmethod
    def setUpClass(cls):
        if not PROGRAM.exists():
            raise unittest.SkipTest("selfplay was not built")

    def setUp(self):
        self.folder = Path(tempfile.mkdtemp(prefix="batchmate-faults-"))
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)

    def reference(self, job):
        """The data of an undisturbed run."""
        if tuple(job) not in self.references:
            out = self.folder / "undisturbed"
            ended = run(out, *job)
            self.assertEqual((ended.status, ended.err), (0, ""))
            self.references[tuple(job)] = data(out)
            shutil.rmtree(out)
        return self.references[tuple(job)]

    def assert_same(self, out, job, what=""):
        """The folder holds what an undisturbed run leaves, and nothing else."""
        expected, found = self.reference(job), data(out)
        self.assertEqual(sorted(found), sorted(expected), what)
        for name, content in expected.items():
            self.assertTrue(found[name] == content, f"{name} differs {what}")
        others = {path.name for path in Path(out).iterdir()} - found.keys()
        self.assertEqual(others, {"journal", ".lock"}, what)

    def resume(self, out, job, what=""):
        ended = run(out, *job, "--resume")
        self.assertEqual((ended.status, ended.err), (0, ""), what)
        self.assert_same(out, job, what)
        return ended

    def assert_refused(self, ended, *texts, status=1):
        """The program has ended with one line that says why."""
        self.assertEqual((ended.status, len(ended.lines)), (status, 1), ended.err)
        self.assertTrue(ended.err.startswith("selfplay: "), ended.err)
        for text in texts:
            self.assertIn(str(text), ended.err)


class KillTest(Faults):
    def test_a_run_that_is_killed_at_random_moments_and_resumed_is_the_same(self):
        began = time.monotonic()
        self.reference(LONGER)
        usual = time.monotonic() - began
        moments = random.Random(1)
        killed = with_episodes = with_shards = chain = longest = 0
        out = self.folder / "out"
        while killed < TURNS or chain:
            process = start(out, *LONGER, "--resume")
            try:
                process.wait(moments.uniform(0, 0.7 * usual))
                self.assertEqual(process.returncode, 0, process.stderr.read())
            except subprocess.TimeoutExpired:
                process.kill()
            process.communicate()
            if process.returncode == 0:
                self.assert_same(out, LONGER, f"after {chain} kills")
                shutil.rmtree(out)
                chain = 0
                continue
            self.assertEqual(process.returncode, -signal.SIGKILL)
            killed, chain = killed + 1, chain + 1
            longest = max(longest, chain)
            journal = out / "journal"
            with_episodes += journal.exists() and journal.stat().st_size > 100
            with_shards += (out / "rows-000000.safetensors").exists()
        self.assertGreater(with_episodes, killed // 3)
        self.assertGreater(with_shards, killed // 10)
        print(f"killed {killed} times, {longest} times in a row at most; {with_episodes} times with episodes in the "
              f"journal, {with_shards} times with shards", file=sys.stderr)


class SystemCallTest(Faults):
    """Every system call on the run's files in turn goes wrong."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        if not FAULTY_FILES:
            raise unittest.SkipTest("the library that makes files faulty was not built")

    def calls(self, job, prepare=lambda out: None):
        """The system calls of an undisturbed run on its files: (number, call, path)."""
        out = self.folder / "traced"
        prepare(out)
        ended = run(out, *job, faults=f"{out}:1-:trace")
        self.assertEqual((ended.status, ended.err), (0, ""))
        shutil.rmtree(out)
        return ended.faults

    def sweep(self, job, check, prepare=lambda out: None):
        """check(number, folder) for the calls of a run, several at once; the number of calls."""
        self.reference(SMALL)
        total = len(self.calls(job, prepare))
        chosen = range(1, total + 1) if TURNS >= 100 else sorted(random.Random(total).sample(range(1, total + 1), TURNS))

        def turn(number):
            out = self.folder / f"out-{number}"
            prepare(out)
            check(number, out)
            shutil.rmtree(out, ignore_errors=True)

        with ThreadPoolExecutor(3) as pool:
            list(pool.map(turn, chosen))
        return total

    def check_killed(self, action, flags):
        def check(number, out):
            ended = run(out, *SMALL, *flags, faults=f"{out}:{number}:{action}")
            what = f"{action} at {ended.faults}"
            if ended.status != 0:  # calls may come in another order, and be one less
                self.assertEqual((ended.status, ended.err, len(ended.faults)), (-signal.SIGKILL, "", 1), what)
            self.resume(out, SMALL, what)
        return check

    def check_failed(self, error, text, flags):
        def check(number, out):
            ended = run(out, *SMALL, *flags, faults=f"{out}:{number}:{error}")
            what = f"{error} at {ended.faults}"
            call = ended.faults[0][1] if ended.faults else "none"
            if ended.status == 0:
                self.assertIn(call, ["none", "close", "unlink", "remove"], what)
                self.assert_same(out, SMALL, what)
            else:
                self.assert_refused(ended, out, text)
            self.resume(out, SMALL, what)
        return check

    def halfway(self, out):
        """Leaves what a run leaves that was killed while it wrote its second shard."""
        half = self.folder / "half"
        if not half.exists():
            calls = self.calls(SMALL)
            number = next(n for n, call, path in calls if call == "rename" and path.endswith("rows-000001.safetensors.tmp"))
            run(half, *SMALL, faults=f"{half}:{number}:kill")
        shutil.copytree(half, out)

    def test_a_run_that_is_killed_before_any_call_goes_on(self):
        self.assertGreater(self.sweep(SMALL, self.check_killed("kill", [])), 150)

    def test_a_run_that_is_killed_after_any_call_goes_on(self):
        self.sweep(SMALL, self.check_killed("kill-after", []))

    def test_a_resumed_run_that_is_killed_at_any_call_goes_on(self):
        for action in ["kill", "kill-after"]:
            self.sweep([*SMALL, "--resume"], self.check_killed(action, ["--resume"]), self.halfway)

    def test_a_run_any_of_whose_calls_fails_says_so_and_goes_on(self):
        self.sweep(SMALL, self.check_failed("EIO", "Input/output error", []))

    def test_a_run_that_finds_the_disk_full_at_any_call_says_so_and_goes_on(self):
        self.sweep(SMALL, self.check_failed("ENOSPC", "No space left on device", []))

    def test_a_resumed_run_any_of_whose_calls_fails_says_so_and_goes_on(self):
        self.sweep([*SMALL, "--resume"], self.check_failed("EIO", "Input/output error", ["--resume"]), self.halfway)

    def test_writes_that_take_a_part_at_a_time_are_gone_on_with(self):
        out = self.folder / "out"
        ended = run(out, *SMALL, faults=f"{out}:1-:short")
        self.assertEqual((ended.status, ended.err), (0, ""))
        self.assertGreater(len(ended.faults), 500)
        self.assert_same(out, SMALL)


if __name__ == "__main__":
    unittest.main()
