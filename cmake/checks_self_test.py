"""Sees every style check fail once: `cmake/checks.py --self-test`."""
import re
import shutil
import tempfile
from pathlib import Path

import checks

GOOD_HEADER = """#pragma once

#include <batchmate/core/macros.hpp>

#include <vector>

namespace batchmate {

/// A pair of numbers, used nowhere.
struct planted_pair {
  int first = 0;   ///< any
  int second = 0;  ///< any

  /// Their sum.
  int sum() const { return first + second; }
  int difference() const { return first - second; }
};

}  // namespace batchmate
"""
LONG_FUNCTION = "inline int planted_long() {\n  int n = 0;\n" + "  n += 1;\n" * 60 + "  return n;\n}\n"

HEADER = "include/batchmate/game/planted.hpp"
TEST = "tests/game/planted.cpp"

# What each check must find: (check, file, its text, a part of the message).
PLANTED = [
    ("formatting", HEADER, GOOD_HEADER.replace("int first = 0;", "int  first=0;"), "clang-format -i would change"),
    ("include_direction", HEADER, GOOD_HEADER.replace("core/macros", "search/planted"), "must not include"),
    ("include_direction", HEADER, GOOD_HEADER.replace("core/macros", "cpu/planted"), "must not include"),
    ("include_direction", HEADER, GOOD_HEADER.replace("core/macros", "onednn"), "must not include"),
    ("include_direction", HEADER, GOOD_HEADER.replace("<vector>", '"vector.hpp"'), "the form is <batchmate/...>"),
    ("include_direction", HEADER, GOOD_HEADER.replace("core/macros", "game/planted"), "a circle"),
    ("sizes", HEADER, GOOD_HEADER + "// more\n" * 400, "lines, more than 400"),
    ("sizes", HEADER, GOOD_HEADER + LONG_FUNCTION, "planted_long has 64 lines, more than 60"),
    ("sizes", TEST, LONG_FUNCTION, "planted_long has 64 lines, more than 60"),
    ("documentation", HEADER, GOOD_HEADER.replace("/// A pair of numbers, used nowhere.", ""), "planted_pair has no"),
    ("documentation", HEADER, GOOD_HEADER.replace("  /// Their sum.\n", ""), "sum has no"),
    ("documentation", HEADER, GOOD_HEADER.replace("  ///< any", ""), "first has no"),
    ("documentation", HEADER, GOOD_HEADER.replace("  int diff", "\n  int diff"), "difference has no"),
    ("readme_programs", "README.md", "```cpp\nint main() {}\n```\n", "names no file"),
    ("readme_programs", "README.md", f"<!-- {TEST} -->\n```cpp\nint other;\n```\n", "the block differs"),
    ("readme_programs", "docs/planted.md", "<!-- no/such.cpp -->\n```cpp\nint other;\n```\n", "there is no no/such.cpp"),
    ("foreign_words", "docs/planted.md", "See /wo" "rk/main.\n", "names /wo" "rk/"),
    ("foreign_words", "docs/planted.md", "See sha" "red/GPU.md.\n", "names sha" "red/"),
    ("foreign_words", "docs/planted.md", "From pypi.o" "rg.\n", "names pypi.o" "rg"),
    ("self_contained", HEADER, GOOD_HEADER.replace("int first", "std::string first"), "is not self-contained"),
    ("self_contained", HEADER, GOOD_HEADER.replace("#pragma once", ""), "is not self-contained"),
    ("self_contained", HEADER, GOOD_HEADER.replace("first + second", "first + 0.5"), "is not self-contained"),
    ("tidy", HEADER, GOOD_HEADER.replace("first + second", "first == 0 ? NULL : second"), HEADER),
]


def self_test(root):
    """Plants every fault in a copy of the project; 1 if a check misses one, or finds fault where there is none."""
    failures = 0
    with tempfile.TemporaryDirectory() as scratch:
        copy = Path(scratch) / "copy"
        for name in checks.Tree(root).files:
            # The slow checks see the planted header and what it needs, no other.
            if name.startswith("include/") and not name.startswith("include/batchmate/core/"):
                continue
            if name != "README.md" and not name.startswith("docs/"):
                (copy / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(root / name, copy / name)
        write(copy / HEADER, GOOD_HEADER)
        for check in checks.CHECKS + checks.SLOW_CHECKS:
            expected = "tests/game/planted.cpp is missing" if check is checks.tests_exist else None
            failures += expect(check, copy, "the clean header" if not expected else expected, expected)
        write(copy / TEST, "// planted\n")
        failures += expect(checks.tests_exist, copy, "a header with its test", None)
        for name, path, text, message in PLANTED:
            before = (copy / path).read_text() if (copy / path).exists() else None
            write(copy / path, text)
            failures += expect(getattr(checks, name), copy, message, message)
            if before is None:
                (copy / path).unlink()
            else:
                write(copy / path, before)
    print(f"self-test: {len(PLANTED) + 1} planted faults, {failures} failures")
    return 1 if failures else 0


def write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def expect(check, root, what, message):
    """0 if the check finds a fault of a planted file with the message, or none of a planted file without one."""
    try:
        found = [str(fault) for fault in check(checks.Tree(root)) if not isinstance(fault, checks.Skipped)]
    except checks.Skipped as reason:
        print(f"  skipped: {check.__name__}: {reason}")
        return 0
    planted = [fault for fault in found if re.search(r"planted|README|no/such", fault)]
    good = any(message in fault for fault in planted) if message else not planted
    print(f"  {'ok' if good else 'FAILED'}: {check.__name__}: {what}")
    if not good:
        print("    " + "\n    ".join(planted or ["found nothing"]))
    return 0 if good else 1
