#!/usr/bin/env python3
"""Whether a long run of small games holds more memory than a short one: resident memory after 10^5 and 10^6 games.

    python3 tests/examples/flat_memory.py                  # exit status 1 if they differ by 2 % or more
    python3 tests/examples/flat_memory.py 200000 2000000   # after other numbers of games

Games of tic-tac-toe, written as shards of which the newest 20 MB stay, so fast that the thread that writes cannot always
keep up and finished games wait for it. What counts is the median of the reports nearest to these numbers.
"""

import statistics
import sys
import tempfile
import time
from pathlib import Path

from selfplay_runs import metrics_in, run

JOB = ["--game", "tictactoe", "--evaluator", "uniform", "--simulations", "8", "--threads", "2", "--keep", "20000000",
       "--shard-rows", "16384", "--progress", "0", "--metrics-every", "0.05"]


def resident(lines, games):
    """The median of the five reports nearest to so many games, however fast they were played; bytes."""
    near = sorted(lines, key=lambda line: abs(line["episodes"] - games))[:5]
    return statistics.median(line["resident_memory_bytes"] for line in near)


def measure(few, many):
    """Resident memory after so few and so many games of one process, in bytes."""
    with tempfile.TemporaryDirectory(prefix="batchmate-memory-") as folder:
        metrics = Path(folder) / "metrics.jsonl"
        status, _, err = run(*JOB, "--episodes", many, "--out", Path(folder) / "out", "--metrics", metrics)
        if status != 0:
            raise RuntimeError(f"selfplay ended with {status}: {err}")
        lines = metrics_in(metrics)
    return resident(lines, few), resident(lines, many)


def main():
    few, many = map(int, sys.argv[1:3]) if len(sys.argv) > 2 else (10**5, 10**6)
    began = time.monotonic()
    first, last = measure(few, many)
    change = last / first - 1
    print(f"resident after {few:,} games {first / 2**20:.2f} MiB, after {many:,} games {last / 2**20:.2f} MiB: "
          f"{100 * change:+.2f} %, in {time.monotonic() - began:.0f} s")
    return 0 if abs(change) < 0.02 else 1


if __name__ == "__main__":
    sys.exit(main())
