#!/usr/bin/env python3
"""Prints what a game in flight can need, by game, search and simulations, as a table for docs/performance.md.

    python3 benchmarks/memory.py                                 what selfplay plans before a run
    python3 benchmarks/memory.py --games go9 --simulations 400 --measure 128
        beside it, what 128 games took: the kernel's high-water mark, less that of a run with one game
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path

PROGRAM = Path(__file__).resolve().parents[1] / "build/host/examples/selfplay"
GAMES = ["tictactoe", "connect4", "hex9", "hex13", "othello", "breakthrough8", "gomoku", "go9", "go13", "go19"]


def run(program, game, search, simulations, in_flight, episodes):
    """(planned bytes, most resident bytes) of a run with one thread and the free evaluator."""
    command = [program, "--game", game, "--search", search, "--simulations", simulations, "--games", in_flight,
               "--episodes", episodes, "--evaluator", "uniform", "--batching", "lockstep", "--threads", 1,
               "--progress", 0, "--summary", "-"]
    done = subprocess.run(list(map(str, command)), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    if done.returncode != 0:
        sys.exit(f"memory.py: {' '.join(map(str, command))}: {done.stderr}")
    summary = json.loads(done.stdout)
    return summary["planned_memory_bytes"], summary["peak_memory_bytes"]


def kilobytes(count):
    return f"{count / 1000:,.0f}"


def main():
    flags = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    flags.add_argument("--program", default=PROGRAM)
    flags.add_argument("--games", nargs="+", default=GAMES)
    flags.add_argument("--searches", nargs="+", default=["puct", "gumbel"])
    flags.add_argument("--simulations", nargs="+", type=int, default=[100, 400, 1600])
    flags.add_argument("--measure", type=int, metavar="GAMES", help="in flight; each plays twice")
    wanted = flags.parse_args()
    cases = [(search, simulations) for search in wanted.searches for simulations in wanted.simulations]
    print("| KB a game in flight |" + "".join(f" {search} {simulations} |" for search, simulations in cases))
    print("| --- |" + " ---: |" * len(cases))
    for game in wanted.games:
        cells = []
        for search, simulations in cases:
            planned, one = run(wanted.program, game, search, simulations, 1, 1)
            cells.append(kilobytes(planned))
            if wanted.measure:
                many = run(wanted.program, game, search, simulations, wanted.measure, 2 * wanted.measure)[1]
                cells[-1] += f" ({kilobytes((many - one) / (wanted.measure - 1))} measured)"
        print(f"| {game} | " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main()
