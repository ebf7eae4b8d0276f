#!/usr/bin/env python3
"""An endless run of self-play that is never left alone, and whether its data are those of an undisturbed one.

    python3 benchmarks/soak.py                    # an hour, and about half as long again for the undisturbed run
    python3 benchmarks/soak.py --minutes 2        # a quick look whether it works
    python3 benchmarks/soak.py --folder DIR       # keep all files there

A network arrives every minute. At random moments, some of them right after a network has come, the process is killed by
SIGKILL, stopped by SIGTERM, or the disk is full for some seconds; then the run is resumed, with another number of threads
and another batching policy. At the end the same episodes are played by one process that nobody disturbs and that is
told which network plays which episodes: all files must be the same, byte for byte. The last lines are a table for
docs/reliability.md. Exit status 1 if anything was not as it should be.

As root the run lies on a small disk of its own (a tmpfs), which is filled now and then; elsewhere that part is left out.
"""

import argparse
import hashlib
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "examples"))

import selfplay_runs as runs

GAME = ["--game", "connect4", "--simulations", "64", "--seed", "7", "--shard-rows", "16384", "--progress", "0",
        "--metrics-every", "1"]
POLICIES = ["per-tree", "lockstep", "overlapped", "shared-queue"]


class Disk:
    """A small file system, if this process may make one."""

    def __init__(self, place, megabytes):
        self.place = place
        place.mkdir()
        mount = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", str(place)]
        self.is_small = megabytes > 0 and subprocess.run(mount, capture_output=True).returncode == 0

    def fill(self):
        """Leaves no room at all."""
        with open(self.place / "filler", "wb", buffering=0) as file:
            for size in [16 << 20, 1 << 20, 4096]:
                try:
                    while file.write(bytes(size)) == size:
                        pass
                except OSError:
                    pass

    def free(self):
        (self.place / "filler").unlink()

    def take_down(self):
        if self.is_small:
            subprocess.run(["umount", "-l", str(self.place)], check=True)


class Soak:
    def __init__(self, options, folder):
        self.options, self.folder = options, folder
        self.random = random.Random(options.seed)
        self.disk = Disk(folder / "disk", options.disk)
        self.out, self.networks = folder / "disk" / "run", folder / "networks"
        self.archive, self.metrics = folder / "archive", folder / "metrics.jsonl"
        self.networks.mkdir()
        self.archive.mkdir()
        self.counts, self.phases, self.stamps, self.resident, self.faults = Counter(), {}, {}, [], []
        self.began = time.monotonic()
        self.next_network = self.last_network = 0

    def say(self, text):
        minutes, seconds = divmod(int(time.monotonic() - self.began), 60)
        print(f"{minutes:3}:{seconds:02} {text}", flush=True)

    def fault(self, text):
        self.faults.append(text)
        self.say(f"WRONG: {text}")

    # Networks and what becomes of them.

    def publish(self):
        """Puts the next network where the run looks for it; now and then one that is no use."""
        number = self.counts["networks"]
        name = f"net-{number:04}.safetensors"
        network = runs.write_network(self.archive / name, "connect4", 1000 * self.options.seed + number)
        if number % 5 == 4:
            torn = self.folder / "torn"
            torn.write_bytes(network.read_bytes()[:-number])
            runs.publish(torn, self.networks, name)
            self.counts["torn networks"] += 1
        else:
            runs.publish(network, self.networks, name)
        self.counts["networks"] += 1
        self.last_network = time.monotonic()
        self.next_network = self.last_network + self.options.network_every
        for old in sorted(self.networks.glob("*.safetensors"))[:-2]:
            old.unlink()

    def look(self):
        """Notes which network plays what, and that full shards stay as they are."""
        journal = self.out / "journal"
        if not journal.exists():
            return
        for phase in runs.phases_in(journal):
            if self.phases.setdefault(phase.network, phase) != phase:
                self.fault(f"network {phase.network} was to play as {self.phases[phase.network]}, and is {phase}")
        for path in runs.shards_in(self.out)[:-2]:
            state = path.stat()
            stamp = (state.st_ino, state.st_size, state.st_mtime_ns)
            if self.stamps.setdefault(path.name, stamp) != stamp:
                self.fault(f"{path.name} was written again")

    # The run and its disturbances.

    def start(self, *more):
        threads, policy = self.random.randint(1, self.options.threads), self.random.choice(POLICIES)
        self.metrics.unlink(missing_ok=True)
        self.counts["processes"] += 1
        return runs.start(*GAME, "--network", self.networks, "--poll", "0.5", "--out", self.out, "--resume",
                          "--threads", threads, "--batching", policy, "--metrics", self.metrics, *more)

    def rest(self, process, seconds):
        """Lets the run play; false if it ended."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            if process.poll() is not None:
                return False
            if time.monotonic() >= self.next_network:
                self.publish()
                if self.random.random() < 0.5:  # disturb it while it changes over
                    end = min(end, time.monotonic() + self.random.uniform(0, 2))
            self.look()
            time.sleep(min(0.3, max(left, 0)))
        return process.poll() is None

    def finish(self, process, expected, *texts):
        """Waits for the end, which must be as expected."""
        status, _, err = runs.finish(process)
        if status not in expected or (status == 1 and not any(text in err for text in texts)):
            self.fault(f"exit status {status} where {expected} was expected: {err.strip()}")
        self.resident += [(now["seconds"], now["resident_memory_bytes"])
                          for now in runs.metrics_in(self.metrics)[-1:] if now["seconds"] > 5]
        self.look()

    def disturb(self):
        """One process of the run, from its start to its end."""
        waits = self.disk.is_small and self.random.random() < 0.5
        began = time.monotonic()
        process = self.start("--episodes", 0, *(["--wait-for-disk"] if waits else []))
        longest = min(45, 10 * self.options.minutes)
        if not self.rest(process, self.random.choice([0.3, 3, longest]) * self.random.random()):
            return self.finish(process, [])
        lived, soon = time.monotonic() - began, time.monotonic() - self.last_network < 2
        what = self.random.choices(["kill", "stop", "full"], [70, 12, 18 if self.disk.is_small else 0])[0]
        if what == "full":
            self.fill_disk(process, waits)
        elif what == "stop":
            self.counts["stopped by SIGTERM"] += 1
            process.send_signal(signal.SIGTERM)
            # One that has only just begun does not listen yet.
            self.finish(process, [128 + signal.SIGTERM, *([-signal.SIGTERM] if lived < 1 else [])])
        else:
            self.counts["killed by SIGKILL"] += 1
            self.counts["killed within 2 s of a new network"] += soon
            process.kill()
            self.finish(process, [-signal.SIGKILL])

    def fill_disk(self, process, waits):
        self.disk.fill()
        alive = self.rest(process, self.random.uniform(1, 8))
        kill = alive and self.random.random() < 0.3
        if kill:
            process.kill()
        self.disk.free()
        self.counts["times the disk was full"] += 1
        if kill or not alive:
            self.counts["killed while the disk was full" if kill else "ended with a full disk"] += 1
            self.finish(process, [-signal.SIGKILL] if kill else [] if waits else [1], "No space left")
        else:
            self.counts["waited for the disk"] += waits
            self.rest(process, self.random.uniform(1, 5))
            process.kill()  # it may also have had nothing to write meanwhile, or be just about to end
            self.finish(process, [-signal.SIGKILL] if waits else [-signal.SIGKILL, 1], "No space left")

    def play(self):
        self.publish()
        shown = 0
        while time.monotonic() - self.began < 60 * self.options.minutes:
            self.disturb()
            if time.monotonic() - shown > 30:
                shown = time.monotonic()
                self.say(f"{dict(self.counts)}, {len(self.phases)} phases, {len(self.stamps)} shards")

    # What it comes to.

    def complete(self):
        """Lets one last process fill the gaps, so that the run has all of so many episodes; how many."""
        places = [int.from_bytes(record[1:9], "little") for record in runs.journal_records(self.out / "journal")
                  if record[:1] == b"e"]
        episodes = 1 + max([*places, max(phase.place for phase in self.phases.values())])
        process = self.start("--episodes", episodes)
        while self.rest(process, 1):
            pass
        self.finish(process, [0])
        return episodes

    def undisturbed(self, episodes):
        """The same episodes by one process; its folder."""
        numbers = sorted(self.phases)
        if numbers != list(range(len(numbers))):
            self.fault(f"networks {numbers} were seen, and none may be missing")
        out = self.folder / "undisturbed"
        out.mkdir()
        shutil.copy(self.out / "run.json", out)
        runs.begun_journal(out / "journal", [self.phases[n] for n in numbers])
        for phase in self.phases.values():
            (out / phase.file).parent.mkdir(parents=True)
            shutil.copy(self.archive / Path(phase.file).name, out / phase.file)
        self.metrics.unlink(missing_ok=True)
        process = runs.start(*GAME, "--network", self.networks, "--poll", "3600", "--out", out, "--resume", "--threads",
                             self.options.threads, "--episodes", episodes, "--metrics", self.metrics)
        while process.poll() is None:
            time.sleep(1)
        status, _, err = runs.finish(process)
        if status != 0:
            self.fault(f"the undisturbed run ended with {status}: {err}")
        return out

    def compare(self, out):
        """(files, bytes) that are the same."""
        def hashes(folder):
            return {path.name: (hashlib.sha256(path.read_bytes()).hexdigest(), path.stat().st_size)
                    for path in folder.iterdir() if runs.is_data(path.name)}

        found, expected = hashes(self.out), hashes(out)
        for name in sorted(found.keys() | expected.keys()):
            if found.get(name) != expected.get(name):
                self.fault(f"{name}: {found.get(name)}, expected {expected.get(name)}")
        same = [found[name][1] for name in found if found[name] == expected.get(name)]
        return len(same), sum(same)

    def memory_lines(self):
        """How resident memory went: of the processes that lived longer, and of the undisturbed one."""
        mib = 1 << 20
        quarter = max(1, len(self.resident) // 4)
        middle = lambda sample: sorted(size for _, size in sample)[len(sample) // 2] / mib
        if self.resident:
            yield ("resident memory at a process's end, first and last quarter of the processes",
                   f"{middle(self.resident[:quarter]):.1f} and {middle(self.resident[-quarter:]):.1f} MiB (medians)")
        lines = runs.metrics_in(self.metrics)
        tenth = lines[len(lines) // 10:] or lines
        if tenth:
            first, last = tenth[0]["resident_memory_bytes"], tenth[-1]["resident_memory_bytes"]
            yield ("resident memory of the undisturbed process after a tenth of its games, and at the end",
                   f"{first / mib:.1f} and {last / mib:.1f} MiB, {100 * (last / first - 1):+.1f} %")

    def report(self, minutes, episodes, same):
        rows = [("minutes", f"{minutes:.0f}"), *((name, str(count)) for name, count in self.counts.items()),
                ("networks that played", str(len(self.phases))), ("episodes", f"{episodes:,}"),
                ("shards", str(len(runs.shards_in(self.out)))),
                ("files that are the same as the undisturbed run's", f"{same[0]}, {same[1] / (1 << 20):.0f} MiB"),
                *self.memory_lines(), ("faults", str(len(self.faults)))]
        print("\n| what | how much |\n| --- | --- |")
        for name, value in rows:
            print(f"| {name} | {value} |")
        print(f"\n{os.cpu_count()} cores, {self.options.threads} threads at most, "
              f"{'a disk of ' + str(self.options.disk) + ' MiB' if self.disk.is_small else 'no small disk'}, "
              f"{time.strftime('%Y-%m-%d')}", flush=True)

    def run(self):
        try:
            self.play()
            minutes = (time.monotonic() - self.began) / 60
            self.say("filling the gaps")
            episodes = self.complete()
            self.say(f"playing the same {episodes:,} episodes undisturbed")
            same = self.compare(self.undisturbed(episodes))
            self.report(minutes, episodes, same)
        finally:
            self.disk.take_down()
        return 1 if self.faults else 0


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--minutes", type=float, default=60, help="of disturbed play [60]")
    parser.add_argument("--network-every", type=float, default=60, help="seconds [60]")
    parser.add_argument("--threads", type=int, default=2, help="of a process at most [2]")
    parser.add_argument("--disk", type=int, default=4096, help="MiB of the small disk, which must hold all files; 0: none [4096]")
    parser.add_argument("--seed", type=int, default=1, help="of the disturbances and networks [1]")
    parser.add_argument("--folder", type=Path, help="for all files, must not exist [a temporary one]")
    options = parser.parse_args()
    if options.folder:
        options.folder.mkdir(parents=True)
        return Soak(options, options.folder.resolve()).run()
    with tempfile.TemporaryDirectory(prefix="batchmate-soak-") as folder:
        return Soak(options, Path(folder)).run()


if __name__ == "__main__":
    sys.exit(main())
