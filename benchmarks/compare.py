#!/usr/bin/env python3
"""Compares two builds of the benchmarks: runs them in turns, and prints a Markdown table of simulations a processor second.

    benchmarks/compare.py BEFORE AFTER [--filter search_only] [--rounds 20] [--seconds 0.25]

BEFORE and AFTER are two `benchmarks` programs. A round is one run of each, the other way round every second time, so that a
slow spell of the machine slows both; `ratio` is the median over the rounds of after by before.
"""

import argparse
import json
import statistics
import subprocess


def rates(program, options):
    """Simulations a processor second of every benchmark, by its name."""
    arguments = [program, f"--seconds={options.seconds}", f"--benchmark_filter={options.filter}", "--benchmark_format=json"]
    report = json.loads(subprocess.run(arguments, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True).stdout)
    return {run["name"].split("/iterations")[0]: run.get("simulations/CPU-s") or run["boards/CPU-s"] for run in report["benchmarks"]}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("before")
    parser.add_argument("after")
    parser.add_argument("--filter", default="search_only", help="which benchmarks, as Google Benchmark takes it")
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=0.25, help="length of each run")
    options = parser.parse_args()

    before, after = [], []
    for i in range(options.rounds):
        turns = [(options.before, before), (options.after, after)]
        for program, results in turns if i % 2 == 0 else reversed(turns):
            results.append(rates(program, options))

    print("| benchmark | before | after | ratio | quartiles |\n| --- | ---: | ---: | ---: | ---: |")
    for name in before[0]:
        if name not in after[0]:
            continue
        ratios = [new[name] / old[name] for old, new in zip(before, after)]
        low, middle, high = statistics.quantiles(ratios, n=4)
        old, new = (statistics.median(run[name] for run in results) / 1e6 for results in (before, after))
        print(f"| `{name}` | {old:.2f} | {new:.2f} | {middle:.2f} | {low:.2f} to {high:.2f} |")


if __name__ == "__main__":
    main()
