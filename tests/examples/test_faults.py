"""Nothing is lost: selfplay is killed, starved and interrupted, and its data are compared byte for byte.

BATCHMATE_FAULT_TURNS (20) says how often it is killed at a random moment, and how many system calls of a sweep
go wrong; from 100 on all of them do.
"""
import fcntl
import json
import os
import random
import re
import resource
import select
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import termios
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
# More shards than it keeps.
KEEPING = [*SMALL, "--keep", "150K"]
KEEPING[KEEPING.index("60")] = "150"
# Long enough to be killed under way.
LONGER = ["--game", "tictactoe", "--simulations", "8", "--episodes", "2000", "--threads", "2", *QUIET]
# Never ends by itself.
ENDLESS = ["--game", "tictactoe", "--simulations", "8", "--episodes", "0", "--threads", "2", *QUIET]


def but(job, **changes):
    """The flags of a job with other values: but(SMALL, seed=2)."""
    flags = list(job)
    for name, value in changes.items():
        flag = "--" + name.replace("_", "-")
        if flag in flags:
            flags[flags.index(flag) + 1] = str(value)
        else:
            flags += [flag, str(value)]
    return flags


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


def start(out, *flags, faults="", stdout=subprocess.PIPE, prepare=None):
    """Starts the program; `prepare` is called in its process before that."""
    return subprocess.Popen(command(out, *flags), stdout=stdout, stderr=subprocess.PIPE, text=True,
                            stdin=subprocess.DEVNULL, env=environment(faults), preexec_fn=prepare)


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
        self.assertEqual(run(self.folder / "timed", *LONGER).status, 0)
        usual = time.monotonic() - began
        moments = random.Random(1)
        killed = with_episodes = with_shards = chain = longest = 0
        out = self.folder / "out"
        while killed < TURNS or chain:
            process = start(out, *LONGER, "--resume")
            try:  # longer and longer, so that a busy machine gets on, too
                process.wait(moments.uniform(0, (0.5 + 0.1 * chain) * usual) if killed < TURNS else LIMIT)
            except subprocess.TimeoutExpired:
                process.kill()
            ended = finish(process)
            if ended.status == 0:
                self.assert_same(out, LONGER, f"after {chain} kills")
                shutil.rmtree(out)
                chain = 0
                continue
            self.assertEqual((ended.status, ended.err), (-signal.SIGKILL, ""))
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
        calls = self.calls_in(out, job)
        shutil.rmtree(out)
        return calls

    def sweep(self, job, check, prepare=lambda out: None, flags=()):
        """check(out, number, job, flags) for the calls of a run, several at once; the number of calls."""
        self.reference(job)
        total = len(self.calls([*job, *flags], prepare))
        chosen = range(1, total + 1) if TURNS >= 100 else sorted({1, *random.Random(total).sample(range(1, total + 1), TURNS)})

        def turn(number):
            out = self.folder / f"out-{number}"
            prepare(out)
            check(out, number, job, flags)
            shutil.rmtree(out, ignore_errors=True)

        with ThreadPoolExecutor(3) as pool:
            list(pool.map(turn, chosen))
        return total

    def killed(self, action):
        def check(out, number, job, flags):
            ended = run(out, *job, *flags, faults=f"{out}:{number}:{action}")
            what = f"{action} at {ended.faults}"
            if ended.status != 0:  # calls may come in another order, and be one less
                self.assertEqual((ended.status, ended.err, len(ended.faults)), (-signal.SIGKILL, "", 1), what)
            self.resume(out, job, what)
        return check

    def failed(self, error, text):
        def check(out, number, job, flags):
            ended = run(out, *job, *flags, faults=f"{out}:{number}:{error}")
            what = f"{error} at {ended.faults}"
            call = ended.faults[0][1] if ended.faults else "none"
            if ended.status == 0:
                self.assertIn(call, ["none", "close"], what)
                self.assert_same(out, job, what)
            else:
                self.assert_refused(ended, out, text)
            self.resume(out, job, what)
        return check

    def halfway(self, job):
        """A function that leaves what a run leaves that was killed while it wrote its second shard."""
        half = self.folder / "half"
        calls = self.calls(job)
        number = next(n for n, call, path in calls if call == "rename" and path.endswith("rows-000001.safetensors.tmp"))
        run(half, *job, faults=f"{half}:{number}:kill")
        return lambda out: shutil.copytree(half, out)

    def test_a_run_that_is_killed_before_any_call_goes_on(self):
        self.assertGreater(self.sweep(SMALL, self.killed("kill")), 120)

    def test_a_run_that_is_killed_after_any_call_goes_on(self):
        self.sweep(SMALL, self.killed("kill-after"))

    def test_a_resumed_run_that_is_killed_at_any_call_goes_on(self):
        for action in ["kill", "kill-after"]:
            self.sweep(SMALL, self.killed(action), self.halfway(SMALL), ["--resume"])
            shutil.rmtree(self.folder / "half")

    def test_a_run_that_keeps_the_newest_shards_and_is_killed_at_any_call_keeps_the_same(self):
        self.assertGreater(min(name for name in self.reference(KEEPING) if name.startswith("rows")), "rows-000001")
        for action in ["kill", "kill-after"]:
            self.sweep(KEEPING, self.killed(action), self.halfway(KEEPING), ["--resume"])
            shutil.rmtree(self.folder / "half")

    def test_a_run_any_of_whose_calls_fails_says_so_and_goes_on(self):
        self.sweep(SMALL, self.failed("EIO", "Input/output error"))

    def test_a_run_that_finds_the_disk_full_at_any_call_says_so_and_goes_on(self):
        self.sweep(SMALL, self.failed("ENOSPC", "No space left on device"))

    def test_a_resumed_run_any_of_whose_calls_fails_says_so_and_goes_on(self):
        self.sweep(KEEPING, self.failed("EIO", "Input/output error"), self.halfway(KEEPING), ["--resume"])

    def test_after_a_write_that_failed_nothing_more_is_written(self):
        out = self.folder / "out"
        calls = self.calls(SMALL)
        writes = [int(number) for number, call, path in calls if call == "write" and path.endswith("/journal")]
        self.assert_refused(run(out, *SMALL, faults=f"{out}:{writes[20]}:EIO"), out / "journal", "Input/output error")
        self.assertEqual([path.name for path in out.glob("*-*")], [])
        # The journal begins with one record of progress.
        self.assertRegex(self.resume(out, SMALL).out, "resumed +20 episodes are there already\n")

    def test_whatever_gets_its_name_is_on_the_disk_before_and_its_name_right_after(self):
        out = self.folder / "out"
        calls = [(call, Path(path).relative_to(out).as_posix()) for _, call, path in self.calls_in(out, KEEPING)]
        renamed = [place for place, (call, _) in enumerate(calls) if call == "rename"]
        names = [calls[place][1].removesuffix(".tmp") for place in renamed]
        self.assertEqual(names[:2], ["run.json", "journal"])
        self.assertGreater(len([name for name in names if name.startswith("rows-")]), 5)
        unsynced = set()
        for place, (call, name) in enumerate(calls):
            if call == "write":
                unsynced.add(name)
            elif call == "fsync":
                unsynced.discard(name)
            elif call == "rename":
                self.assertNotIn(name, unsynced)
                rest = [made for made, of in calls[place + 1:] if (made, of) == ("fsync", ".") or made in ("rename", "unlink")]
                self.assertEqual(rest[:1], ["fsync"], f"the folder is not synced after {name} was renamed")
            elif call == "unlink" and name.startswith("rows-"):  # an old shard
                self.assertEqual(names[sum(at < place for at in renamed) - 1], "journal")
        self.assertEqual(unsynced, set())
        for name in names:  # and nothing is written under the name itself, but for the journal's appended records
            self.assertTrue(name == "journal" or ("write", name) not in calls, name)

    def test_the_journal_is_synced_as_often_as_asked(self):
        def syncs(out, *flags):
            return sum((call, Path(path).name) == ("fsync", "journal") for _, call, path in self.calls_in(out, LONGER, *flags))

        began = time.monotonic()
        some = syncs(self.folder / "some", "--sync", "0.02")
        most = (time.monotonic() - began) / 0.02 + 1
        self.assertTrue(1 < some <= most, (some, most))
        self.assertEqual(syncs(self.folder / "never", "--sync", "3600"), 1)  # at the end
        self.assertGreater(syncs(self.folder / "always", "--sync", "0"), 1)

    def calls_in(self, out, job, *flags):
        """The system calls of an undisturbed run in this folder."""
        ended = run(out, *job, *flags, faults=f"{out}:1-:trace")
        self.assertEqual((ended.status, ended.err), (0, ""))
        return ended.faults

    def test_writes_that_take_a_part_at_a_time_are_gone_on_with(self):
        out = self.folder / "out"
        ended = run(out, *SMALL, faults=f"{out}:1-:short")
        self.assertEqual((ended.status, ended.err), (0, ""))
        self.assertGreater(len(ended.faults), 200)
        self.assert_same(out, SMALL)


class DiskTest(Faults):
    """Disks that are full, read-only, or gone."""

    def faulty(self):
        if not FAULTY_FILES:
            self.skipTest("the library that makes files faulty was not built")

    def in_small_disk(self, *steps):
        """Runs lines of a shell in which $disk is a file system of 128 KiB of its own; skips where that may not be."""
        disk = self.folder / "disk"
        disk.mkdir()
        if subprocess.run(["unshare", "-rm", "mount", "-t", "tmpfs", "none", disk], capture_output=True).returncode:
            self.skipTest("needs the right to mount")
        shell = "\n".join(["mount -t tmpfs -o size=128k none $disk", *steps])
        values = {"disk": disk, "selfplay": f"{PROGRAM} {' '.join(SMALL)} --out {disk}/out", "out": self.folder / "out"}
        done = subprocess.run(["unshare", "-rm", "sh", "-c", shell], env={**os.environ, **values}, timeout=LIMIT,
                              capture_output=True, text=True)
        return Ended(done.returncode, done.stdout, done.stderr)

    def test_a_disk_that_is_full_ends_the_run_and_a_larger_one_lets_it_go_on(self):
        ended = self.in_small_disk("$selfplay >&2; echo status $?", "mount -o remount,size=8m $disk",
                                   "$selfplay --resume >/dev/null && cp -r $disk/out $out")
        self.assertIn("status 1\n", ended.out)
        self.assertEqual(ended.status, 0, ended.err)
        self.assertRegex(ended.err, r"selfplay: \S+/out/\S+: cannot write: No space left on device")
        self.assert_same(self.folder / "out", SMALL)

    def test_a_disk_that_is_full_is_waited_for_if_asked(self):
        ended = self.in_small_disk("(sleep 1.5; mount -o remount,size=8m $disk) &",
                                   "$selfplay --wait-for-disk >/dev/null && cp -r $disk/out $out")
        self.assertEqual((ended.status, len(ended.lines)), (0, 1), ended.err)
        self.assertRegex(ended.err, r"note: waiting for space on the disk: \S+: cannot write: No space left on device")
        self.assert_same(self.folder / "out", SMALL)

    def test_whatever_finds_the_disk_full_waits_and_leaves_the_same_data(self):
        self.faulty()
        self.reference(SMALL)
        out = self.folder / "traced"
        calls = run(out, *SMALL, faults=f"{out}:1-:trace").faults
        chosen = {}  # one of every kind: call and name of the file, without its number
        for number, call, path in calls:
            chosen[call, re.sub(r"\d+", "", Path(path).name)] = number
        waits = [number for (call, _), number in chosen.items() if call in ["open", "write", "fsync", "rename", "mkdir"]]
        self.assertGreater(len(waits), 15)

        def wait(number):
            folder = self.folder / f"wait-{number}"
            ended = run(folder, *SMALL, "--wait-for-disk", faults=f"{folder}:{number}:ENOSPC")
            self.assertEqual((ended.status, len(ended.lines)), (0, 1), f"{ended.faults} {ended.err}")
            self.assertIn("note: waiting for space on the disk", ended.err)
            self.assert_same(folder, SMALL, f"{ended.faults}")

        with ThreadPoolExecutor(8) as pool:
            list(pool.map(wait, waits))

    def test_a_wait_for_the_disk_ends_with_a_signal_and_keeps_what_the_disk_has_taken(self):
        self.faulty()
        self.reference(SMALL)
        out = self.folder / "out"
        calls = run(out, *SMALL, faults=f"{out}:1-:trace").faults
        shutil.rmtree(out)
        appended = [int(number) for number, call, path in calls if (call, Path(path).name) == ("write", "journal")]
        made = next(int(number) for number, call, _ in calls if call == "mkdir")
        # Before there is a folder, under way, and when the last shard is written.
        for number, sent, kept in [(made, signal.SIGINT, 0), (appended[40], signal.SIGTERM, 20),
                                   (appended[40], signal.SIGHUP, 20), (len(calls) - 5, signal.SIGINT, 60)]:
            process = start(out, *SMALL, "--wait-for-disk", faults=f"{out}:{number}-:ENOSPC")
            self.wait_to_be_told(process, "waiting for space")
            process.send_signal(sent)
            ended = finish(process)
            self.assertEqual(ended.status, 128 + sent, ended.err)
            self.assertEqual(len(ended.lines), 1, ended.err)
            self.assertRegex(ended.err, "interrupted while the disk is full; .*: No space left on device")
            again = self.resume(out, SMALL).out
            found = re.search("resumed +([0-9]+) episodes", again)
            self.assertGreaterEqual(int(found[1]) if found else 0, kept)
            shutil.rmtree(out)

    def wait_to_be_told(self, process, text):
        line = process.stderr.readline()
        while text not in line:
            self.assertTrue(line, f"{text} was not told")
            line = process.stderr.readline()

    def test_a_file_that_may_not_grow_ends_the_run(self):
        for limit in [100, 3000, 20_000]:  # run.json, the journal, a shard
            out = self.folder / "out"
            ended = finish(start(out, *SMALL, prepare=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))))
            self.assert_refused(ended, out, "cannot write: File too large")
            self.resume(out, SMALL)
            shutil.rmtree(out)

    def test_a_folder_that_cannot_be_written_is_named_before_anything_is_played(self):
        self.faulty()
        out = self.folder / "out"
        self.assert_refused(run(out, *SMALL, faults=f"{out}:1-:EROFS"), out, "Read-only file system")
        self.assertFalse(out.exists())
        run(out, *SMALL)
        self.assert_refused(run(out, *SMALL, "--resume", faults=f"{out}:1-:EROFS"), out, "Read-only file system")
        self.assert_same(out, SMALL)
        file = self.folder / "file"
        file.write_text("mine")
        self.assert_refused(run(file, *SMALL), file, "cannot create the folder")
        self.assert_refused(run(file / "below", *SMALL), file, "cannot create the folder")
        self.assertEqual(file.read_text(), "mine")

    def test_a_disk_that_becomes_read_only_under_way_ends_the_run(self):
        self.faulty()
        self.reference(LONGER)
        out = self.folder / "out"
        ended = run(out, *LONGER, faults=f"{out}:1000-:EROFS")
        self.assert_refused(ended, out, "Read-only file system")
        self.assertIn("are there already", self.resume(out, LONGER).out)

    def test_a_sync_that_fails_under_way_ends_the_run(self):
        self.faulty()
        job = [*LONGER, "--sync", "0"]
        out = self.folder / "out"
        calls = run(out, *job, faults=f"{out}:1-:trace").faults
        syncs = [int(number) for number, call, path in calls if (call, Path(path).name) == ("fsync", "journal")]
        self.assertTrue(syncs)
        shutil.rmtree(out)
        self.assert_refused(run(out, *job, faults=f"{out}:{syncs[len(syncs) // 2]}-:EIO"), out, "Input/output error")
        self.resume(out, LONGER)

    def test_a_folder_that_is_taken_away_under_way_ends_the_run(self):
        out, moved = self.folder / "out", self.folder / "moved"
        for is_moved in [False, True]:
            process = start(out, *ENDLESS)
            until(lambda: (out / "rows-000001.safetensors").exists(), "shards")
            out.rename(moved)
            if not is_moved:
                shutil.rmtree(moved)
            ended = finish(process)
            self.assert_refused(ended, f"selfplay: {out}")
            self.assertRegex(ended.err, "was removed, moved or replaced|No such file or directory")
        self.assertEqual(run(moved, *but(ENDLESS, episodes=1), "--resume").status, 0)


class SignalTest(Faults):
    def test_one_signal_ends_a_run_with_its_data_whole(self):
        for number, status, batching in [(signal.SIGINT, 130, "lockstep"), (signal.SIGTERM, 143, "shared-queue"),
                                         (signal.SIGHUP, 129, "overlapped")]:
            out = self.folder / "out"
            process = start(out, *ENDLESS, "--batching", batching)
            until(lambda: (out / "rows-000001.safetensors").exists(), "shards")
            process.send_signal(number)
            ended = finish(process)
            self.assertEqual((ended.status, ended.err), (status, ""))
            self.assertIn("interrupted; finished games have been kept, and --resume goes on", ended.out)
            games, rows = (int(re.search(rf"^{name} +([\d,]+)", ended.out, re.M)[1].replace(",", ""))
                           for name in ["games", "rows"])
            self.assertEqual(sum(rows_in(shard) for shard in out.glob("rows-*")), rows)
            lines = "".join(path.read_text() for path in sorted(out.glob("games-*"))).splitlines()
            numbers = [int(line.split()[0]) for line in lines if not line.startswith("#")]
            self.assertEqual((len(numbers), numbers), (games, sorted(set(numbers))))
            # The rest of it, up to the last game that is there.
            ended = self.resume(out, but(ENDLESS, episodes=numbers[-1] + 1))
            self.assertIn(f"resumed     {games:,} episodes are there already", ended.out)
            shutil.rmtree(out)

    def test_a_run_on_a_terminal_that_is_closed_ends_with_its_data_whole(self):
        ours, theirs = os.openpty()

        def take_terminal():
            os.setsid()
            fcntl.ioctl(theirs, termios.TIOCSCTTY, 0)

        out = self.folder / "out"
        process = start(out, *but(ENDLESS, progress=0.05), stdout=theirs, prepare=take_terminal)
        os.close(theirs)
        until(lambda: (out / "rows-000001.safetensors").exists(), "shards")
        os.close(ours)
        self.assertEqual(finish(process).status, 129)
        self.resume(out, but(ENDLESS, episodes=self.episodes_in(out)))

    def test_a_run_under_nohup_outlives_its_terminal(self):
        out = self.folder / "out"
        process = start(out, *ENDLESS, prepare=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN))
        until(lambda: (out / "rows-000000.safetensors").exists(), "a shard")
        process.send_signal(signal.SIGHUP)
        shards = len(list(out.glob("rows-*.safetensors")))
        until(lambda: len(list(out.glob("rows-*.safetensors"))) > shards, "more shards")
        process.send_signal(signal.SIGINT)
        self.assertEqual(finish(process).status, 130)

    def episodes_in(self, out):
        """The number after the last game that is there."""
        lines = "".join(path.read_text() for path in sorted(out.glob("games-*"))).splitlines()
        return 1 + int(lines[-1].split()[0])

    def test_whoever_reads_what_a_run_prints_may_go_away(self):
        out = self.folder / "out"
        process = start(out, *but(LONGER, progress=0.01))
        self.assertTrue(process.stdout.readline().startswith("game "))
        process.stdout.close()
        with process.stderr:
            err = process.stderr.read()
        self.assertEqual(process.wait(LIMIT), 0)
        self.assertEqual(err, "selfplay: note: no more is printed: standard output: Broken pipe\n")
        self.assert_same(out, LONGER)

    def test_a_summary_that_nobody_takes_is_an_error_when_all_data_are_there(self):
        out = self.folder / "out"
        process = start(out, *SMALL, "--summary", "-")
        process.stdout.close()
        with process.stderr:
            err = process.stderr.read()
        self.assertEqual(process.wait(LIMIT), 1)
        self.assertEqual(err.splitlines()[-1], "selfplay: standard output: cannot write: Broken pipe")
        self.assert_same(out, SMALL)

    def slow(self):
        """A run whose first batch takes long."""
        return start(self.folder / "slow", "--game", "hex13", "--network", "random:20x256:1", "--evaluator",
                     "reference", "--simulations", "200", "--threads", "1", "--progress", "0", "--stall", "0.3")

    def wait_for_batch(self, process):
        """Returns when the slow run evaluates its first batch: it says that none comes."""
        self.assertRegex(process.stderr.readline(), "no batch was evaluated for 0 seconds; worker 0 is submitting to the evaluator$")

    def test_two_signals_more_than_a_second_apart_end_a_run_at_once(self):
        process = self.slow()
        self.wait_for_batch(process)
        process.send_signal(signal.SIGINT)
        time.sleep(1.3)
        self.assertIsNone(process.poll())
        process.send_signal(signal.SIGINT)
        began = time.monotonic()
        ended = finish(process)
        self.assertEqual(ended.status, 130)
        self.assertNotIn("interrupted", ended.out)
        self.assertEqual(list(data(self.folder / "slow")), ["run.json"])

    def test_two_signals_at_once_are_one(self):
        out = self.folder / "out"
        process = start(out, *ENDLESS)
        until(lambda: (out / "rows-000000.safetensors").exists(), "a shard")
        process.send_signal(signal.SIGINT)
        process.send_signal(signal.SIGTERM)
        ended = finish(process)
        self.assertIn(ended.status, [130, 143])
        self.assertIn("interrupted; finished games have been kept", ended.out)


class SettingsTest(Faults):
    def test_a_second_process_on_the_same_folder_is_refused(self):
        out = self.folder / "out"
        process = start(out, *ENDLESS)
        until(lambda: (out / "rows-000000.safetensors").exists(), "a shard")
        for flag in [[], ["--resume"], ["--overwrite"]]:
            self.assert_refused(run(out, *ENDLESS, *flag), f"{out}: is in use by another process")
        process.send_signal(signal.SIGINT)
        self.assertEqual(finish(process).status, 130)

    def test_a_run_goes_on_with_the_settings_that_it_began_with_alone(self):
        out = self.folder / "out"
        run(out, *SMALL)
        for changes, setting in [({"seed": 2}, '"seed": "1", expected "2"'),
                                 ({"shard_rows": 513}, '"shard_rows": "512", expected "513"'),
                                 ({"game": "tictactoe"}, '"game": "connect4", expected "tictactoe"'),
                                 ({"evaluator": "rollout"}, '"evaluator": "uniform", expected "rollout'),
                                 ({"simulations": 3}, '"search": "puct simulations=2'),
                                 ({"leaves": 2}, '"search"'), ({"noise": 0}, '"search"'),
                                 ({"temperature_plies": 3}, '"search"')]:
            self.assert_refused(run(out, *but(SMALL, **changes), "--resume"),
                                f"{out}/run.json: cannot resume: the run has {setting}")
            self.assert_same(out, SMALL)

    def test_every_flag_is_known_to_change_games_and_refused_or_to_change_none(self):
        openings = self.folder / "openings.txt"
        openings.write_text("4 4 3\n")
        change = {"game": "tictactoe", "seed": 2, "random_plies": 3, "openings": openings, "play_through": 0.5,
                  "evaluator": "rollout", "shard_rows": 513, "switch_at_move": None, "search": "gumbel", "no_reuse": None,
                  "set": "prove=1", "simulations": 3, "leaves": 2, "exploration": 2, "fpu_reduction": 0.3, "noise": 0.1,
                  "noise_alpha": 0.5, "temperature": 0.5, "temperature_plies": 3}
        # Of these the evaluator's identity tells (tests/eval, tests/cpu), or --search topk, or where the folder is.
        elsewhere = {"network", "precision", "plan", "fixed_rows", "symmetry", "widths", "rank", "ranks"}
        none = {"episodes", "threads", "memory_limit", "poll", "batching", "games", "max_batch", "groups", "processors",
                "deadline", "devices", "cache", "out", "resume", "overwrite", "sync", "keep", "wait_for_disk", "summary", "metrics",
                "prometheus", "metrics_every", "stall", "progress", "help", "version"}
        known = {flag.replace("-", "_") for flag in re.findall(r"^ +(?:-h, *)?--([a-z-]+)", run(None, "--help").out, re.M)}
        self.assertEqual(known, change.keys() | elsewhere | none)
        out = self.folder / "out"
        self.assertEqual(run(out, *SMALL).status, 0)
        for name, value in change.items():
            flag = "--" + name.replace("_", "-")
            flags = [*SMALL, flag] if value is None else but(SMALL, **{name: value})
            self.assert_refused(run(out, *flags, "--resume"), f"{out}/run.json: cannot resume: the run has ")
        self.assert_same(out, SMALL)

    def test_every_setting_of_every_search_is_refused_if_it_changes(self):
        text = run(None, "--help").out
        listed = re.sub(r"\s+", " ", text[text.index("KEY=VALUE,...;") + 13:].split("Batching")[0])
        searches = re.findall(r"; (\w+): ([a-z, -]+?)(?=;| *\Z)", listed.replace(" and ", ", "))
        self.assertEqual([name for name, _ in searches], ["puct", "gumbel", "graph", "topk"])
        for search, keys in searches:
            out, keys = self.folder / search, keys.split(", ")
            job = but(SMALL, search=search, episodes=3)
            del job[job.index("--simulations"):job.index("--simulations") + 2]
            # So that no setting is without effect.
            common = "simulations=4,full-share=0.5,cheap-simulations=3,fpu=absolute,exploration-growth=0.1"
            begin = {"puct": f"{common},lower-bound-errors=0.5,leaves=4", "gumbel": "simulations=4", "graph": common,
                     "topk": "widths=4/2"}[search]
            self.assertEqual(run(out, *job, "--set", begin).status, 0)
            self.assertGreater(len(keys), 3)
            if search == "gumbel":  # whose leaves change no game
                keys.remove("leaves")
                other = self.folder / "leaves"
                self.assertEqual(run(other, *job, "--set", f"{begin},leaves=3").status, 0)
                self.assertEqual(data(other), data(out))
            for key in keys:  # some values cannot be, and one may be what it was
                ends = [run(out, *job, "--set", f"{begin},{key}={value}", "--resume")
                        for value in ["1", "5", "0", "0.3", "parent", "3/2"]]
                self.assertIn('cannot resume: the run has "search"', "".join(ended.err for ended in ends if ended.status == 1),
                              f"{search}: {key}")

    def test_a_rank_goes_on_with_its_own_share_alone(self):
        out = self.folder / "out"
        self.assertEqual(run(out, *SMALL, "--rank", "1", "--ranks", "3").status, 0)
        (out / "rank-00001").rename(out / "rank-00002")
        self.assert_refused(run(out, *SMALL, "--rank", "2", "--ranks", "3", "--resume"), '"rank": "1", expected "2"')
        (out / "rank-00002").rename(out / "rank-00001")
        self.assert_refused(run(out, *SMALL, "--rank", "1", "--ranks", "4", "--resume"), '"ranks": "3", expected "4"')

    def test_what_does_not_change_games_may_change_on_the_way(self):
        out = self.folder / "out"
        episodes = 10
        for changes in [{}, {"batching": "immediate"}, {"games": 5}, {"threads": 3}, {"sync": 0}]:
            ended = run(out, *but(SMALL, episodes=episodes, **changes), "--resume")
            self.assertEqual((ended.status, ended.err), (0, ""))
            self.assert_same(out, but(SMALL, episodes=episodes))
            episodes += 10

    def test_asking_for_fewer_episodes_than_there_are_removes_none(self):
        out = self.folder / "out"
        self.assertEqual(run(out, *SMALL).status, 0)
        ended = run(out, *but(SMALL, episodes=10), "--resume")
        self.assertEqual((ended.status, ended.err), (0, ""))
        self.assert_same(out, SMALL)

    def test_a_missing_shard_is_named_when_the_run_goes_on(self):
        out = self.folder / "out"
        self.assertEqual(run(out, *SMALL).status, 0)
        numbers = sorted(int(path.stem[5:]) for path in out.glob("rows-*"))
        self.assertEqual(len(numbers), 3)
        (out / f"rows-{numbers[1]:06}.safetensors").unlink()
        ended = run(out, *SMALL, "--resume")
        self.assertEqual((ended.status, ended.err), (0, ""))
        self.assertIn(f"{out}/rows-{numbers[1]:06}.safetensors is missing; its games count as played", ended.out)
        self.assertIn(f" in {len(numbers) - 1} shards\n", ended.out)

    def test_a_missing_shard_is_not_counted_when_old_ones_make_room(self):
        out = self.folder / "out"
        self.assertEqual(run(out, *KEEPING).status, 0)
        numbers = sorted(int(path.stem[5:]) for path in out.glob("rows-*"))
        self.assertGreater(len(numbers), 2)
        (out / f"rows-{numbers[1]:06}.safetensors").unlink()
        ended = run(out, *but(KEEPING, episodes=400), "--resume")
        self.assertEqual((ended.status, ended.err), (0, ""))
        self.assertIn("is missing; its games count as played", ended.out)
        self.assertIn(f" in {len(list(out.glob('rows-*')))} shards\n", ended.out)

    def test_a_folder_with_data_is_gone_on_with_overwritten_or_refused_as_asked(self):
        out = self.folder / "out"
        self.resume(out, SMALL)  # there is nothing yet
        shutil.rmtree(out)
        out.mkdir()
        self.resume(out, SMALL)
        self.assert_refused(run(out, *SMALL), out, "holds the data of an earlier run")
        self.assert_same(out, SMALL)
        other = but(SMALL, seed=2)
        self.assertEqual(run(out, *other, "--overwrite").status, 0)
        self.assert_same(out, other)
        (out / "journal").unlink()
        self.assert_refused(run(out, *other, "--resume"), "is of a run whose run.json or journal is gone")
        self.assertEqual(run(out, *SMALL, "--overwrite").status, 0)
        self.assert_same(out, SMALL)

    def test_a_damaged_journal_or_manifest_is_refused_or_made_good(self):
        out = self.folder / "out"
        run(out, *SMALL)
        journal = (out / "journal").read_bytes()
        damaged = random.Random(2)
        for _ in range(max(5, TURNS // 4)):
            cut = damaged.randrange(100, len(journal))
            (out / "journal").write_bytes(journal[:cut])
            self.resume(out, SMALL)
        (out / "journal").write_bytes(b"GIF89a")
        self.assert_refused(run(out, *SMALL, "--resume"), out / "journal", "is no journal")
        (out / "journal").write_bytes(journal)
        (out / "run.json").write_text("{")
        self.assert_refused(run(out, *SMALL, "--resume"), out / "run.json")

    def test_batching_and_threads_change_no_byte(self):
        self.reference(SMALL)
        for threads in ["1", "2", "3"]:
            for batching in ["per-tree", "lockstep", "overlapped", "shared-queue"]:
                out = self.folder / f"{threads}-{batching}"
                self.assertEqual(run(out, *but(SMALL, threads=threads, batching=batching)).status, 0)
                self.assert_same(out, SMALL, f"{threads} threads, {batching}")


class WithNetworks(Faults):
    """Has the shipped network, and can change it."""

    def setUp(self):
        super().setUp()
        try:
            sys.path.insert(0, str(Path(os.environ["BATCHMATE_SOURCE_DIR"]) / "examples/train"))
            import tensors
        except ImportError:
            self.skipTest("needs numpy")
        self.tensors = tensors
        self.shipped = Path(os.environ["BATCHMATE_SOURCE_DIR"]) / "examples/networks/connect4.safetensors"
        self.job = but(SMALL, evaluator="auto")

    def changed(self, name, change):
        """A copy of the shipped network after change(arrays, metadata)."""
        arrays, metadata = self.tensors.read_plain(self.shipped)
        arrays = {key: value.copy() for key, value in arrays.items()}
        change(arrays, metadata)
        path = self.folder / name
        self.tensors.write(path, arrays, metadata)
        return path

    def huge(self):
        """A network whose weights are finite, but not what comes of them."""
        return self.changed("huge.safetensors", lambda arrays, _: [array.__imul__(1e30) for array in arrays.values()])


class NetworkTest(WithNetworks):
    """Networks that cannot be used, at the start and under way."""

    def overflowing(self, cell):
        """A network of finite weights whose value is no number as soon as a stone of the player to move is at a cell."""
        def change(arrays, _):
            for array in arrays.values():
                array.fill(0)
            arrays["stem.weight"][0, 0, 1, 1] = 1
            arrays["value_conv.weight"][0, 0] = 1
            arrays["value_hidden.weight"][:, cell] = 3e38
            arrays["value.weight"].fill(3e38)
        return self.changed("overflowing.safetensors", change)

    def test_a_network_that_cannot_be_used_is_named_and_nothing_is_begun(self):
        cut = self.folder / "cut.safetensors"
        cut.write_bytes(self.shipped.read_bytes()[:-1])
        nan = self.changed("nan.safetensors", lambda arrays, _: next(iter(arrays.values())).fill(float("nan")))
        out = self.folder / "out"
        for path, text in [(cut, "cut.safetensors"), (nan, "finite"), (self.folder / "none", "No such file")]:
            self.assert_refused(run(out, *self.job, "--network", path), path.name, text)
            self.assertFalse(out.exists())
        self.assert_refused(run(out, *but(self.job, game="hex7"), "--network", self.shipped), "connect4.safetensors")
        self.assertFalse(out.exists())

    def test_a_network_whose_answers_are_no_numbers_ends_the_run(self):
        out = self.folder / "out"
        job = [*but(self.job, games=4, episodes=2000), "--network", self.overflowing(cell=0)]
        ended = run(out, *job)
        self.assert_refused(ended, "evaluator ", "overflowing", "expected a value in [-1, 1], found ")
        # Most games end before that; they are kept.
        games = (out / "games-000000.txt").read_text().splitlines()
        self.assertGreater(len(games), 2)
        self.assertGreater(rows_in(out / "rows-000000.safetensors"), 7 * (len(games) - 1))
        again = run(out, *job, "--resume")
        self.assert_refused(again, "expected a value in [-1, 1], found ")
        self.assertIn(f"{len(games) - 1} episodes are there already", again.out)
        # Another network would play other games.
        before = data(out)
        job[job.index("--network") + 1] = self.shipped
        self.assert_refused(run(out, *job, "--resume"), f"{out}/run.json: cannot resume", '"evaluator"', "overflowing")
        self.assertEqual(data(out), before)

    def test_a_network_that_never_answers_with_numbers_ends_the_run_before_its_first_game(self):
        out = self.folder / "out"
        job = [*self.job, "--network", self.huge()]
        for flags in [[], ["--resume"]]:
            self.assert_refused(run(out, *job, *flags), "evaluator ", ":huge:", "found -nan")
            self.assertEqual(list(data(out)), ["run.json"])
        self.assert_refused(run(out, *self.job, "--network", self.shipped, "--resume"), "cannot resume", ":huge:")
        job[-1] = self.shipped
        self.assertEqual(run(out, *job, "--overwrite").status, 0)

    def test_a_run_whose_network_was_exchanged_does_not_go_on(self):
        path = self.folder / "net.safetensors"
        shutil.copy(self.shipped, path)
        out = self.folder / "out"
        self.assertEqual(run(out, *self.job, "--network", path).status, 0)
        before = data(out)
        other = self.changed("other", lambda arrays, _: next(iter(arrays.values())).__imul__(1.5))
        other.replace(path)
        self.assert_refused(run(out, *self.job, "--network", path, "--resume"), '"evaluator"', "cannot resume")
        self.assertEqual(data(out), before)


class CopyTest(WithNetworks):
    """The copies of networks from a folder, on a disk that is full."""

    def setUp(self):
        super().setUp()
        if not FAULTY_FILES:
            self.skipTest("the library that makes files faulty was not built")
        self.networks, self.out = self.folder / "networks", self.folder / "out"
        self.networks.mkdir()
        shutil.copy(self.shipped, self.networks / "first.safetensors")
        self.job = [*self.job, "--network", self.networks, "--poll", "0.05"]

    def faulty(self, first, last, action="ENOSPC"):
        return f"{self.out}/networks:{first}-{last}:{action}"

    def test_the_first_copy_waits_for_the_disk_if_asked(self):
        self.assertEqual(run(self.out, *self.job).status, 0)
        expected = data(self.out)
        shutil.rmtree(self.out)
        self.assert_refused(run(self.out, *self.job, faults=self.faulty(1, 2)), self.out / "networks", "No space left")
        self.assertEqual(data(self.out).keys(), {"run.json"})
        shutil.rmtree(self.out)
        for first in range(1, 6):  # the folders, the file, its bytes
            ended = run(self.out, *self.job, "--wait-for-disk", faults=self.faulty(first, first + 1))
            self.assertEqual((ended.status, len(ended.lines)), (0, 1), ended.err)
            self.assertRegex(ended.err, "note: waiting for space on the disk: .*/networks.*No space left on device")
            self.assertEqual(data(self.out), expected)
            shutil.rmtree(self.out)

    def test_the_copy_of_a_newer_network_waits_while_the_older_one_plays(self):
        self.job = but(self.job, episodes=0)
        before = len(run(self.out, *but(self.job, episodes=1), faults=self.faulty(1, "", "trace")).faults)
        shutil.rmtree(self.out)
        process = start(self.out, *self.job, faults=self.faulty(before + 1, before + 3))
        until(lambda: (self.out / "rows-000000.safetensors").exists(), "a shard")
        self.changed("second", lambda arrays, _: next(iter(arrays.values())).__imul__(1.5)).rename(
            self.networks / "second.safetensors")
        until(lambda: b"second.safetensors" in (self.out / "journal").read_bytes(), "the second network")
        process.send_signal(signal.SIGINT)
        ended = finish(process)
        self.assertEqual((ended.status, len(ended.lines)), (130, 1), ended.err)
        self.assertIn("note: waiting for space on the disk", ended.err)
        copies = {path.name: path.read_bytes() for path in self.out.glob("networks/*/*")}
        self.assertEqual(copies, {path.name: path.read_bytes() for path in self.networks.iterdir()})


class NewcomerTest(WithNetworks):
    def test_a_newer_network_whose_answers_are_no_numbers_is_refused_and_the_older_one_stays(self):
        networks, out = self.folder / "networks", self.folder / "out"
        networks.mkdir()
        shutil.copy(self.shipped, networks / "first.safetensors")
        process = start(out, *but(self.job, episodes=0, network=networks, poll=0.05))
        self.addCleanup(process.kill)
        until(lambda: (out / "rows-000000.safetensors").exists(), "a shard")
        self.huge().rename(networks / "huge.safetensors")
        self.assertTrue(select.select([process.stderr], [], [], LIMIT)[0], "nothing was told")
        line = process.stderr.readline()
        self.assertRegex(line, "the network .*/huge.safetensors is refused, the one before stays: evaluator .*found -?nan")
        shards = len(list(out.glob("rows-*.safetensors")))
        until(lambda: len(list(out.glob("rows-*.safetensors"))) > shards, "more shards")
        process.send_signal(signal.SIGINT)
        ended = finish(process)
        self.assertEqual((ended.status, ended.err), (130, ""))
        self.assertEqual([path.name for path in out.glob("networks/*/*")], ["first.safetensors"])


class BadInputTest(Faults):
    """docs/reliability.md says what the program answers to what it cannot use."""

    def table(self):
        """(flags, message, status) of every row."""
        page = (Path(os.environ["BATCHMATE_SOURCE_DIR"]) / "docs/reliability.md").read_text(encoding="utf-8")
        section = page.split("\n## Bad input\n")[1].split("\n## ")[0]
        rows = re.findall(r"^\| `([^`]+)` \| `([^`]+)` \| (\d+) \|$", section, re.M)
        self.assertEqual(len(rows), section.count("\n|") - 2)
        return rows

    def make_what_rows_name(self):
        networks = Path(os.environ["BATCHMATE_SOURCE_DIR"]) / "examples/networks"
        self.assertEqual(run(self.folder / "used", "--game", "connect4", "--evaluator", "uniform", "--simulations",
                             "2", "--episodes", "20").status, 0)
        for copy in ["lost", "scrambled", "mangled", "busy"]:
            shutil.copytree(self.folder / "used", self.folder / copy)
        self.assertEqual(run(self.folder / "ranks", "--game", "connect4", "--evaluator", "uniform", "--simulations",
                             "2", "--episodes", "20", "--rank", "0", "--ranks", "2").status, 0)
        (self.folder / "lost/journal").unlink()
        (self.folder / "scrambled/journal").write_text("GIF89a")
        (self.folder / "mangled/run.json").write_text("{\n")
        (self.folder / "empty").mkdir()
        (self.folder / "file").write_text("x\n")
        shutil.copy(networks / "connect4.safetensors", self.folder)
        (self.folder / "cut.safetensors").write_bytes((networks / "connect4.safetensors").read_bytes()[:20000])
        os.mkfifo(self.folder / "pipe.safetensors")

    def test_every_row_of_the_table_is_what_happens(self):
        self.make_what_rows_name()
        rows = self.table()
        self.assertGreater(len(rows), 30)
        usual = {"game": "connect4", "evaluator": "uniform", "simulations": 2, "episodes": 20, "progress": 0}
        with open(self.folder / "busy/.lock", "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            for flags, message, status in rows:
                with self.subTest(flags):
                    given = flags.split()
                    more = {name: value for name, value in usual.items() if "--" + name not in given}
                    ended = run(None, *given, *but([], **more), cwd=self.folder)
                    expected = ".*".join(re.escape(part) for part in f"selfplay: {message}".split("…"))
                    self.assertEqual(ended.status, int(status), ended.err)
                    said = re.sub(r"range \[(\S+) - (\S+)\]", r"range \1 to \2", ended.err)  # newer versions of CLI11
                    self.assertRegex(said, rf"\A{expected}\Z")


if __name__ == "__main__":
    unittest.main()
