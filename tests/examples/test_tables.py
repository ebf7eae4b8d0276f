"""benchmarks/tables.py, which fills the tables of docs/performance.md."""
import json
import os
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

TABLES = Path(os.environ["BATCHMATE_SOURCE_DIR"]) / "benchmarks" / "tables.py"
ROWS = ["search_only/hex9", "search_only/hex13", "limits/fma", "memory/hex13/to_the_end"]


class TablesTest(unittest.TestCase):
    def fill(self, **rates):
        """The document after a run of these benchmarks: the lines on the machine, {row: its figure}."""
        runs = [{"run_name": f"{name}/iterations:1/manual_time", "run_type": "iteration", "boards/s": rate}
                for name, rate in rates.items()]
        context = {"processor": "A processor", "num_cpus": 2, "date": "2026-11-28T00:00:00"}
        with tempfile.TemporaryDirectory() as folder:
            document, results = Path(folder) / "performance.md", Path(folder) / "results.json"
            document.write_text("<!-- machine -->\nAn old one.\nRows of `search_only`: another.\n<!-- /machine -->\n\n"
                                "| benchmark | boards/s |\n| --- | ---: |\n" + "".join(f"| `{row}` | - |\n" for row in ROWS))
            results.write_text(json.dumps({"benchmarks": runs, "context": context}))
            subprocess.run([sys.executable, TABLES, document, results], check=True, timeout=60)
            head, table = document.read_text().split("<!-- /machine -->\n\n")
        figures = [line.strip("|").split(" | ") for line in table.splitlines()[2:]]
        return head.splitlines()[1:], {name.strip(" `"): figure.strip() for name, figure in figures}

    def test_a_run_of_every_group_is_of_one_machine(self):
        machine, figures = self.fill(**{"search_only/hex9": 1, "search_only/hex13": 2, "limits/fma": 3,
                                        "memory/hex13/to_the_end": 4})
        self.assertEqual(figures, dict(zip(ROWS, "1234")))
        self.assertEqual(len(machine), 1)
        self.assertRegex(machine[0], "^A processor; 2 cores; .*; 2026-11-28.$")

    def test_a_run_of_some_leaves_where_the_others_are_from(self):
        machine, figures = self.fill(**{"search_only/hex9": 1, "search_only/hex13": 2})
        self.assertEqual(list(figures.values()), ["1", "2", "-", "-"])
        self.assertEqual(machine[0], "An old one.")
        self.assertEqual(len(machine), 2)
        self.assertRegex(machine[1], "^Rows of `search_only`: A processor; ")
        machine, _ = self.fill(**{"search_only/hex13": 2, "limits/fma": 3})
        self.assertEqual(machine[:2], ["An old one.", "Rows of `search_only`: another."])
        self.assertRegex(machine[2], "^Rows of `search_only/hex13`, `limits`: A processor; ")

    def test_a_run_of_what_no_table_has_changes_nothing(self):
        machine, figures = self.fill(**{"encoding/hex9": 5})
        self.assertEqual(machine, ["An old one.", "Rows of `search_only`: another."])
        self.assertEqual(set(figures.values()), {"-"})


if __name__ == "__main__":
    unittest.main()
