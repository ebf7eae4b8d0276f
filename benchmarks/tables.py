#!/usr/bin/env python3
"""Fills the tables of docs/performance.md from Google Benchmark's JSON.

    build/host/benchmarks/benchmarks --benchmark_format=json > results.json
    python3 benchmarks/tables.py docs/performance.md results.json [more.json ...]

A table whose first header is `benchmark` is filled: the first cell of a row names a benchmark, every other header
names one of its counters. A cell that no file has a figure for stays as it is, `-` at first. Later files win over
earlier ones; of repetitions the median is taken. If the files have figures for every group (the first part of a
name), the text between <!-- machine --> and <!-- /machine --> becomes one line on the machine of the last file; if not, that
text stays, and gets a line for the rows that were filled.

    python3 benchmarks/tables.py --names docs/performance.md names.txt

compares the rows with the output of `benchmarks --benchmark_list_tests` instead, and fails if a row names no
benchmark.
"""

import json
import re
import statistics
import sys
from pathlib import Path

MACHINE = re.compile(r"(<!-- machine -->\n)(.*?)(<!-- /machine -->)", re.DOTALL)
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


def row_names(text):
    """The benchmarks that the tables have rows of."""
    return [cells(line)[0].strip("`") for line, header in table_rows(text) if header]


def groups_of(names):
    return {name.split("/")[0] for name in names}


def rows_filled(names, filled):
    """What of these names was filled: groups, and single benchmarks of groups that were filled in part."""
    whole = groups_of(names) - groups_of(name for name in names if name not in filled)
    found = [group if group in whole else name for name in names if name in filled for group in [name.split("/")[0]]]
    return ", ".join(f"`{name}`" for name in dict.fromkeys(found))


def with_machine(text, figures, line):
    """The document with this line on the machine: of all rows if every group has figures, else of those that have."""
    names = row_names(text)
    if groups_of(names) <= groups_of(figures):
        return MACHINE.sub(lambda found: found[1] + line + found[3], text)
    rows = rows_filled(names, figures)
    if not rows:
        return text
    head = f"Rows of {rows}: "

    def changed(found):
        others = [old for old in found[2].splitlines(True) if not old.startswith(head)]
        return found[1] + "".join(others) + head + line + found[3]

    return MACHINE.sub(changed, text)


def fill(document, results):
    figures, context = read_results(results)
    rows = table_rows(document.read_text())
    text = "".join((filled_row(header, line, figures) if header else line) + "\n" for line, header in rows)
    document.write_text(with_machine(text, figures, machine_line(context)))


def check_names(document, names):
    known = {benchmark_name(line) for line in Path(names).read_text().split()}
    unknown = [name for name in row_names(document.read_text()) if name not in known]
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
