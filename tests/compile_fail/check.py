#!/usr/bin/env python3
"""check.py COMPILER SOURCE INCLUDE_DIR: what must not compile does not, and says why.

SOURCE lists its bad forms in lines such as

    // BAD NO_PLAY: batchmate::game: needs 'void play(int action)'

It must compile as it is; with -DNO_PLAY it must not, and the first line with an error must contain the sentence.
"""
import os
import re
import subprocess
import sys


def first_error(compiler, source, include, define=None):
    """The first line of the compiler's output that reports an error, or None if it compiles."""
    if "nvcc" in os.path.basename(compiler):
        command = [compiler, "-std=c++20", "-x", "cu", "--expt-relaxed-constexpr", "-cuda", "-o", os.devnull]
    else:
        command = [compiler, "-std=c++20", "-fsyntax-only"]
    command += ["-I", include] + (["-D" + define] if define else []) + [source]
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "LC_ALL": "C"})
    if done.returncode == 0:
        return None
    lines = (done.stdout + done.stderr).splitlines()
    return next((line for line in lines if re.search(r"\berror\b", line)), "no line with an error")


def main(compiler, source, include):
    with open(source, encoding="utf-8") as file:
        bad_forms = re.findall(r"^// BAD (\w+): (.+)$", file.read(), re.M)
    faults = [] if bad_forms else ["the source lists no bad form"]
    error = first_error(compiler, source, include)
    if error:
        faults.append(f"the good form does not compile: {error}")
    for define, sentence in bad_forms:
        error = first_error(compiler, source, include, define)
        if error is None:
            faults.append(f"{define}: compiles")
        elif sentence not in error:
            faults.append(f"{define}: the first error is\n    {error}\n  and not\n    {sentence}")
    for fault in faults:
        print(fault)
    print(f"{len(bad_forms)} bad forms, {len(faults)} faults")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
