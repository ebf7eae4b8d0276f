#!/usr/bin/env python3
"""The style checks: what a reader may rely on in this code, beyond that it compiles and passes its tests.

    cmake/checks.py [NAME...]    all checks but the slow clang-tidy, or the ones named
    cmake/checks.py --list       their names and what they check
    cmake/checks.py --self-test  plants faults in a copy and sees every check find them

Exit status 1 if there is a fault. A check whose tool is missing is skipped and says so.
"""
import argparse
import functools
import os
import re
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from cpp_outline import Outline

LAYERS = ["core", "game", "net", "eval", "search", "batch", "play"]
FRONT_OF = {"cpu": "onednn.hpp", "cuda": "cuda.hpp"}  # the one header that may include each of these folders
MAX_HEADER_LINES = 400
MAX_FUNCTION_LINES = 60
NEEDS_NO_TEST = {"core/macros.hpp"}  # nothing in it can be run
WARNINGS = "-Wall -Wextra -Wpedantic -Wshadow -Wconversion -Werror".split()
CLANG_VERSION = "14"  # of clang-format and clang-tidy; others judge differently


class Skipped(Exception):
    """A check, or a part of it, could not be made."""


class Tree:
    """The files of the project, as paths relative to its root."""

    def __init__(self, root):
        self.root = Path(root).resolve()

    @functools.cached_property
    def files(self):
        listed = subprocess.run(["git", "ls-files", "-co", "--exclude-standard"], cwd=self.root, capture_output=True,
                                text=True)
        if (self.root / ".git").exists() and listed.returncode == 0:
            names = listed.stdout.splitlines()
        else:
            names = [str(p.relative_to(self.root)) for p in self.root.rglob("*")]
        skip = ("build/", "out/", ".git/")
        return sorted(n for n in names if (self.root / n).is_file() and not n.startswith(skip))

    def some(self, pattern):
        return [name for name in self.files if re.search(pattern, name)]

    @property
    def headers(self):
        return self.some(r"^include/batchmate/.*\.(hpp|cuh)$")

    @property
    def sources(self):
        return self.some(r"\.(hpp|cpp|cuh|cu)$")

    @functools.lru_cache(maxsize=None)
    def text(self, name):
        return (self.root / name).read_text(encoding="utf-8", errors="replace")

    @functools.lru_cache(maxsize=None)
    def outline(self, name):
        return Outline(self.text(name)).declarations

    def run(self, command):
        done = subprocess.run(command, cwd=self.root, capture_output=True, text=True, env={**os.environ, "LC_ALL": "C"})
        return done.returncode, done.stdout + done.stderr


def folder_of(header):
    """`search` for include/batchmate/search/puct.hpp, and "" for a front header."""
    parts = header.split("/")
    return parts[2] if len(parts) > 3 else ""


def can_compile(tree, compiler, include):
    with tempfile.TemporaryDirectory() as scratch:
        probe = Path(scratch) / ("probe.cu" if "nvcc" in compiler else "probe.cpp")
        probe.write_text(f"#include <{include}>\n")
        return tree.run([compiler, "-E", "-o", os.devnull, str(probe)])[0] == 0


def device_compiler():
    return shutil.which("nvcc") or shutil.which("/usr/local/cuda/bin/nvcc")


def self_contained(tree):
    """every header compiles on its own, and included twice, without a warning"""
    nvcc = device_compiler()
    cxx = os.environ.get("CXX") or shutil.which("g++") or "c++"
    missing = {}
    if not can_compile(tree, cxx, "dnnl.hpp"):
        missing["cpu"] = "oneDNN"
    if not nvcc or not can_compile(tree, nvcc, "cudnn.h"):
        missing["cuda"] = "nvcc with cuDNN"

    def check(header):
        kind = folder_of(header) or {front: folder for folder, front in FRONT_OF.items()}.get(Path(header).name)
        if kind in missing:
            return Skipped(f"{header}: {missing[kind]} is missing")
        include = f"#include <{header.removeprefix('include/')}>\n"
        with tempfile.TemporaryDirectory() as scratch:
            unit = Path(scratch) / ("unit.cu" if kind == "cuda" else "unit.cpp")
            unit.write_text(include * 2)
            if kind == "cuda":
                command = [nvcc, "-std=c++20", "--expt-relaxed-constexpr", "-arch=sm_80", "-c", "-o", scratch + "/unit.o"]
            else:
                command = [cxx, "-std=c++20", "-fsyntax-only", *WARNINGS]
            status, output = tree.run([*command, "-I", str(tree.root / "include"), str(unit)])
        return f"{header}: is not self-contained: {first_error(output)}" if status else None

    with ThreadPoolExecutor(max_workers=min(2, os.cpu_count() or 1)) as pool:
        return [found for found in pool.map(check, tree.headers) if found]


def first_error(output):
    lines = output.splitlines()
    return next((line for line in lines if "error" in line), lines[0] if lines else "no message")


def includes_of(tree, name):
    """(line, angle bracket or quote, path) of every include."""
    for number, line in enumerate(tree.text(name).splitlines(), 1):
        found = re.match(r"\s*#\s*include\s*([<\"])([^>\"]+)", line)
        if found:
            yield number, found[1], found[2]


def may_include(header, target):
    """Whether include/batchmate/HEADER may include batchmate/TARGET, both as `folder/name.hpp` or `name.hpp`."""
    ours, theirs = header.rpartition("/")[0], target.rpartition("/")[0]
    if theirs in FRONT_OF:
        return ours == theirs or header == FRONT_OF[theirs]
    if not ours:
        return True
    if theirs not in LAYERS:
        return False
    return ours in FRONT_OF and LAYERS.index(theirs) <= LAYERS.index("eval") or \
        ours in LAYERS and LAYERS.index(theirs) <= LAYERS.index(ours)


def include_direction(tree):
    """headers include their own layer and lower ones, as <batchmate/...>, and not in a circle"""
    faults, graph = [], {}
    for header in tree.headers:
        short = header.removeprefix("include/batchmate/")
        graph[short] = []
        for line, bracket, path in includes_of(tree, header):
            if bracket == '"':
                faults.append(f"{header}:{line}: includes \"{path}\"; the form is <batchmate/...>")
            elif path.startswith("batchmate/"):
                target = path.removeprefix("batchmate/")
                graph[short].append(target)
                if not may_include(short, target):
                    faults.append(f"{header}:{line}: must not include {path}")

    done, path = set(), []

    def visit(header):
        if header in path:
            faults.append("include/batchmate/" + " -> ".join(path[path.index(header):] + [header]) + ": a circle")
        elif header not in done:
            path.append(header)
            for target in graph.get(header, []):
                visit(target)
            done.add(path.pop())

    for header in graph:
        visit(header)
    return faults


def pinned(tool):
    """The path of a clang tool of the pinned version."""
    for name in (f"{tool}-{CLANG_VERSION}", tool):
        path = shutil.which(name)
        if path and f"version {CLANG_VERSION}." in subprocess.run([path, "--version"], capture_output=True,
                                                                  text=True).stdout:
            return path
    raise Skipped(f"{tool} {CLANG_VERSION} is missing")


def formatting(tree):
    """clang-format would change nothing"""
    status, output = tree.run([pinned("clang-format"), "--dry-run", "-Werror", *tree.sources])
    places = {}  # the lines of every file
    for name, line in re.findall(r"^(.+?):(\d+):\d+: error: ", output, re.M):
        places.setdefault(name, []).append(line)
    faults = [f"{name}:{lines[0]}: clang-format -i would change {len(lines)} places" for name, lines in places.items()]
    return faults or ([output] if status else [])


def tidy(tree):
    """clang-tidy is content with every header (slow: only when named)"""
    tool = pinned("clang-tidy")

    def check(header):
        with tempfile.TemporaryDirectory() as scratch:
            unit = Path(scratch) / "unit.cpp"
            unit.write_text(f"#include <{header.removeprefix('include/')}>\n")
            _, output = tree.run([tool, "--quiet", "--config-file=.clang-tidy", str(unit), "--", "-std=c++20",
                                  "-I", str(tree.root / "include")])
        return [line for line in output.splitlines() if re.search(r" (warning|error): ", line)]

    headers = [header for header in tree.headers if not re.search(r"cuda|cuh$", header)]
    with ThreadPoolExecutor(max_workers=min(2, os.cpu_count() or 1)) as pool:
        return sorted({line for lines in pool.map(check, headers) for line in lines})


def sizes(tree):
    """no header is longer than 400 lines and no function than 60"""
    faults = []
    for name in tree.headers:
        lines = tree.text(name).count("\n")
        if lines > MAX_HEADER_LINES:
            faults.append(f"{name}: {lines} lines, more than {MAX_HEADER_LINES}")
    for name in tree.sources:
        for found in tree.outline(name):
            lines = found.last - found.first + 1
            if found.kind == "function" and lines > MAX_FUNCTION_LINES:
                faults.append(f"{name}:{found.first}: {found.name} has {lines} lines, more than {MAX_FUNCTION_LINES}")
    return faults


def tests_exist(tree):
    """every include/batchmate/FOLDER/NAME.hpp has its tests/FOLDER/NAME.cpp"""
    faults = []
    for header in tree.headers:
        short = header.removeprefix("include/batchmate/")
        stem = "tests/" + short.rpartition(".")[0]
        if folder_of(header) and short not in NEEDS_NO_TEST and not {stem + ".cpp", stem + ".cu"} & set(tree.files):
            faults.append(f"{header}: {stem}.cpp is missing")
    return faults


def documentation(tree):
    """every public name has a /// comment: its own, one behind it, or that of the member right above it"""
    known = {word for name in tree.headers if name.endswith("concepts.hpp")
             for line in re.findall(r"^\s*///.*$", tree.text(name), re.M)
             for code in re.findall(r"`([^`]+)", line) for word in re.findall(r"\w+", code)}
    faults = []
    for name in tree.headers:
        lines = tree.text(name).splitlines()
        documented_until = {}  # the last line of a documented declaration, by scope
        for found in sorted(tree.outline(name), key=lambda d: d.first):
            if not found.public or found.kind == "namespace":
                continue
            above = lines[found.first - 2].strip() if found.first > 1 else ""
            documented = above.startswith("///") or any(
                "///" in line for line in lines[found.first - 1:found.body or found.last])
            if found.kind != "type":
                documented |= documented_until.get(found.scope) == found.first - 1
            if documented:
                documented_until[found.scope] = found.last
            elif not needs_no_comment(found, known):
                faults.append(f"{name}:{found.first}: {found.name or found.head[:40]} has no /// comment")
    return faults


def needs_no_comment(found, known):
    """Operators, constructors, what a concept describes, and what names nothing new."""
    head = found.head
    return (found.name in ("operator", found.scope, "~" + found.scope) or (found.scope and found.name in known) or
            re.match(r"(friend|static_assert|using namespace|extern template)\b", head) or
            re.match(r"using\s+[\w:]*::\w+$", head) or re.search(r"=\s*(default|delete)$", head) or
            re.search(r"\btemplate\s*<\s*>", head) or re.search(r"\b(class|struct)\s+\w+::", head) or "->" in head and re.match(r"\w+\(\)\s*->", head.split("> ")[-1]) or
            (found.kind == "other" and re.match(r"(template\s*<.*>\s*)?(class|struct|union|enum)\b", head) and
             "{" not in head and "=" not in head))


def readme_programs(tree):
    """every C++ block of a page follows `<!-- FILE -->` and stands verbatim in that file, which is compiled"""
    faults = []
    for page in tree.some(r"^(README\.md|docs/.*\.md)$"):
        text = tree.text(page)
        for block in re.finditer(r"(?:<!--\s*(\S+)\s*-->\s*\n)?^```(?:cpp|c\+\+)\n(.*?)^```", text, re.M | re.S):
            line = text.count("\n", 0, block.start()) + 1
            source = block[1]
            if not source:
                if page == "README.md":
                    faults.append(f"{page}:{line}: the block names no file by <!-- FILE --> in the line above it")
            elif source not in tree.files:
                faults.append(f"{page}:{line}: there is no {source}")
            elif block[2] not in tree.text(source):
                faults.append(f"{page}:{line}: the block differs from {source}")
    return faults


# Put together so that this file does not contain them.
FOREIGN = [r"/(?:wo" r"rk|root|home/\w+)/", r"(?<![\w/.-])sha" r"red/", r"/tmp/age" r"nts", r"pypi\.o" r"rg",
           r"pythonhosted\.o" r"rg", r"registry\.npmjs\.o" r"rg", r"crates\.i" r"o\b", r"proxy\.golang\.o" r"rg",
           r"deb\.debian\.o" r"rg"]


def foreign_words(tree):
    """no file names a machine's paths or a package registry's host"""
    faults = []
    for name in tree.files:
        if name.endswith((".safetensors", ".png")):
            continue
        for number, line in enumerate(tree.text(name).splitlines(), 1):
            found = next(filter(None, (re.search(word, line) for word in FOREIGN)), None)
            if found:
                faults.append(f"{name}:{number}: names {found[0]}")
    return faults


CHECKS = [formatting, include_direction, sizes, tests_exist, documentation, readme_programs, foreign_words,
          self_contained]
SLOW_CHECKS = [tidy]


def report(check, tree):
    """Runs one check, prints what it finds and returns the number of faults."""
    try:
        found = check(tree)
    except Skipped as reason:
        found = [reason]
    faults = [fault for fault in found if not isinstance(fault, Skipped)]
    print(f"{check.__name__:18} {len(faults)} faults" if faults else f"{check.__name__:18} ok")
    for item in found:
        print(f"  skipped: {item}" if isinstance(item, Skipped) else f"  {item}")
    return len(faults)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME")
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--self-test", action="store_true")
    options = parser.parse_args()
    every = {check.__name__: check for check in CHECKS + SLOW_CHECKS}
    if options.list:
        for check in every.values():
            print(f"{check.__name__:18} {check.__doc__}")
        return 0
    root = Path(__file__).resolve().parent.parent
    if options.self_test:
        from checks_self_test import self_test
        return self_test(root)
    unknown = [name for name in options.names if name not in every]
    if unknown:
        parser.error(f"no check {unknown[0]}; --list names them")
    chosen = [every[name] for name in options.names] or CHECKS
    tree = Tree(root)
    return 1 if sum([report(check, tree) for check in chosen]) else 0


if __name__ == "__main__":
    sys.exit(main())
