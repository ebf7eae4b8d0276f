#!/usr/bin/env python3
"""Fills the tables of docs/performance.md from Google Benchmark's JSON.

    build/host/benchmarks/benchmarks --benchmark_format=json > results.json
    python3 benchmarks/tables.py docs/performance.md results.json [more.json ...]

A table whose first header is `benchmark` is filled: the first cell of a row names a benchmark, every other header
names one of its counters. A cell that no file has a figure for stays as it is, `-` at first. Later files win over
earlier ones; of repetitions the median is taken. The text between <!-- machine --> and <!-- /machine --> becomes one line on the
machine of the last file.

    python3 benchmarks/tables.py --names docs/performance.md names.txt

compares the rows with the output of `benchmarks --benchmark_list_tests` instead, and fails if a row names no
benchmark.
"""

import json
import re
import statistics
import sys
from pathlib import Path

MACHINE = re.compile(r"(<!-- machine -->\n).*?(<!-- /machine -->)", re.DOTALL)
SUFFIX = re.compile(r"(/iterations:\d+)?(/repeats:\d+)?(/manual_time)?$")


def benchmark_name(run_name):
    """The name as a table has it, without what Google Benchmark appends."""
    return SUFFIX.sub("", run_name)


def read_results(paths):
    """{benchmark: {counter: median}} of the plain runs in all files, and the last file's context."""
    figures, context = {}, {}
    for path in paths:
        document = json.loads(Path(path).read_text())
        context = document["context"]
        runs = {}
        for run in document["benchmarks"]:
            if run.get("run_type") == "iteration" and not run.get("error_occurred"):
                runs.setdefault(benchmark_name(run["run_name"]), []).append(run)
        for name, repetitions in runs.items():
            numbers = {
                key: statistics.median(run[key] for run in repetitions if key in run)
                for key, value in repetitions[0].items()
                if isinstance(value, (int, float))
            }
            figures[name] = numbers
    return figures, context


def formatted(counter, value):
    """A number as people read it: shares in percent, bytes in MB, times in ns, the rest with three digits."""
    if counter.endswith("_share") or counter.endswith("ratio"):
        return f"{100 * value:.1f} %"
    if counter in ("peak_bytes", "planned_bytes"):
        return f"{value / 1e6:,.0f} MB"
    if counter.startswith("s/"):
        return f"{value * 1e9:.1f} ns"
    if abs(value) >= 1e6:
        return f"{value / 1e6:.2f} M"
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def cells(line):
    return [cell.strip() for cell in line.strip().strip("|").split("|")]


def filled_row(header, line, figures):
    row = cells(line)
    counters = figures.get(row[0].strip("`"))
    if counters is None:
        return line
    for place, counter in enumerate(header[1:], start=1):
        if counter in counters:
            row[place] = formatted(counter, counters[counter])
    return "| " + " | ".join(row) + " |"


def table_rows(text):
    """Every line with the header of the table of benchmarks that it is a row of, or None."""
    header = None
    for line in text.splitlines():
        if not line.startswith("|"):
            header = None
        elif header is None and cells(line)[0] == "benchmark":
            header = cells(line)
            yield line, None
            continue
        yield line, None if header is None or set(line) <= set("|-: ") else header


def machine_line(context):
    parts = [
        context.get("processor", "unknown processor"),
        f"{context.get('num_cpus', '?')} cores",
        f"oneDNN: {context.get('onednn', '?')}",
        f"compiler {context.get('compiler', '?')}",
        f"{context.get('seconds', '?')} s a run",
        context.get("date", "")[:10],
    ]
    return "; ".join(parts) + ".\n"


def fill(document, results):
    figures, context = read_results(results)
    rows = table_rows(document.read_text())
    text = "".join((filled_row(header, line, figures) if header else line) + "\n" for line, header in rows)
    document.write_text(MACHINE.sub(lambda match: match[1] + machine_line(context) + match[2], text))


def check_names(document, names):
    known = {benchmark_name(line) for line in Path(names).read_text().split()}
    rows = [cells(line)[0].strip("`") for line, header in table_rows(document.read_text()) if header]
    unknown = [name for name in rows if name not in known]
    for name in unknown:
        print(f"{document}: no benchmark is named {name}", file=sys.stderr)
    return 1 if unknown else 0


def main(arguments):
    if len(arguments) == 3 and arguments[0] == "--names":
        return check_names(Path(arguments[1]), arguments[2])
    if len(arguments) < 2 or arguments[0].startswith("-"):
        print(__doc__, file=sys.stderr)
        return 2
    fill(Path(arguments[0]), arguments[1:])
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
