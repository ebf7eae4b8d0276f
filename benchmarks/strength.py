#!/usr/bin/env python3
"""Plays the matches in the tables of docs/strength.md and fills in their results.

    python3 benchmarks/strength.py docs/strength.md              # all rows; about 20 minutes on two quiet cores
    python3 benchmarks/strength.py docs/strength.md --only leaves # rows that hold this text
    python3 benchmarks/strength.py copy.md --openings 2           # a quick look whether every row runs

A row of a table whose header begins with `game`, `simulations`, `first`, `second` and `openings` is a match with these
flags; the other columns are named after what they hold. The document is written after every match; when all rows have
been played, the text between <!-- machine --> and <!-- /machine --> becomes one line on this machine and the program's
evaluators. With --only that text stays, and gets a line for these rows.
"""

import argparse
import json
import os
import platform
import re
import subprocess
import sys
import time
from pathlib import Path

PROGRAM = Path(__file__).resolve().parents[1] / "build" / "host" / "examples" / "match"
FLAGS = ["game", "simulations", "first", "second", "openings"]  # the columns that say what to play
MACHINE = re.compile(r"(<!-- machine -->\n)(.*?)(<!-- /machine -->)", re.DOTALL)


def cells(line):
    return [cell.strip() for cell in line.strip().strip("|").split("|")]


def matches(lines):
    """(index of the line, names of its columns) of every row that is a match."""
    header = None
    for i, line in enumerate(lines):
        if not line.startswith("|"):
            header = None
        elif header is None:
            header = cells(line)
        elif header[:len(FLAGS)] == FLAGS and not set(line) <= set("|-: "):
            yield i, header


def play(program, row, options):
    """The summary of the match that a row describes."""
    values = {**row, **({"openings": str(options.openings)} if options.openings else {})}
    flags = [part for name in FLAGS for part in (f"--{name}", values[name].strip("`"))]
    command = [program, *flags, "--seed", options.seed, "--summary", "-", "--progress", "0"]
    try:
        done = subprocess.run(list(map(str, command)), stdin=subprocess.DEVNULL, capture_output=True, text=True)
    except OSError as problem:
        sys.exit(f"strength.py: {program}: {problem.strerror}; build the example programs first")
    if done.returncode != 0:
        sys.exit(f"strength.py: exit status {done.returncode} from {' '.join(map(str, command))}: {done.stderr.strip()}")
    return json.loads(done.stdout)


def elo_text(value, otherwise):
    """A number of Elo; the summary has none where it is infinite."""
    return otherwise if value is None else f"{value:+.0f}"


def filled(row, summary):
    """The row with its results."""
    results = {"openings": summary["openings"], "won": summary["wins"], "drawn": summary["draws"], "lost": summary["losses"],
               "score": f"{100 * summary['score']:.1f} %", "Elo": elo_text(summary["elo"], "infinite"),
               "95 % interval": f"{elo_text(summary['elo_low'], '-inf')} to {elo_text(summary['elo_high'], '+inf')}",
               "pairs": ", ".join(map(str, summary["pairs"])), "seconds": f"{summary['seconds']:.0f}"}
    return {name: str(results.get(name, text)) for name, text in row.items()}


def machine_line(summaries):
    """What the figures depend on."""
    model = next((line.split(":")[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines()
                  if line.startswith("model name")), platform.machine())
    evaluators = sorted({":".join(s[side].split(":")[:-2]) for s in summaries for side in ("first", "second")} - {""})
    return f"{model}; {os.cpu_count()} cores; evaluators {', '.join(evaluators)}; {time.strftime('%Y-%m-%d')}.\n"


def with_machine(text, only, line):
    """The document with this line on the machine: of the rows that hold a text, or of all if that is empty."""
    head = f"Rows with `{only}`: "

    def changed(found):
        others = [old for old in found[2].splitlines(True) if not old.startswith(head)] if only else []
        return found[1] + "".join(others) + (head if only else "") + line + found[3]

    return MACHINE.sub(changed, text)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("document", type=Path)
    parser.add_argument("--only", default="", metavar="TEXT", help="rows that hold this text")
    parser.add_argument("--openings", type=int, metavar="N", help="instead of those of the rows")
    parser.add_argument("--seed", type=int, default=1, help="of the openings (%(default)s)")
    parser.add_argument("--program", type=Path, default=PROGRAM, help="match (%(default)s)")
    options = parser.parse_args()
    lines, summaries = options.document.read_text().splitlines(), []
    for i, header in matches(lines):
        if options.only not in lines[i]:
            continue
        row = dict(zip(header, cells(lines[i])))
        summaries.append(play(options.program, row, options))
        lines[i] = "| " + " | ".join(filled(row, summaries[-1]).values()) + " |"
        print(f"{lines[i]} {summaries[-1]['seconds']:.0f} s", flush=True)
        options.document.write_text("\n".join(lines) + "\n")
    if not summaries:
        sys.exit(f"strength.py: {options.document}: no row holds '{options.only}'")
    text = with_machine(options.document.read_text(), options.only, machine_line(summaries))
    options.document.write_text(text)


if __name__ == "__main__":
    main()
