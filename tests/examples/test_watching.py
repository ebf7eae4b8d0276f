"""What a run says for machines: lines of JSON and Prometheus' text, with just the fields of docs/running.md."""

import contextlib
import fcntl
import importlib.util
import json
import math
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import time
import unittest

from selfplay_runs import PROGRAM, SOURCE, RunTest, environment, finish, metrics_in, run, start, until, write_network

QUICK = ["--game", "tictactoe", "--progress", "0", "--threads", "2", "--metrics-every", "0.05"]
COUNTERS = ["seconds", "episodes", "rows", "boards", "simulations", "batches", "stalls", "networks_refused"]


def documented(language):
    """The first example in that language in docs/running.md."""
    text = (SOURCE / "docs" / "running.md").read_text()
    return re.search(rf"^```{language}\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)[1]


class PrometheusError(Exception):
    """Text that is not of the format 0.0.4 as the node exporter's textfile collector takes it."""


def parse_prometheus(text):
    """{name: (type, {labels: value})} of a file in the Prometheus text format 0.0.4, read strictly."""
    families, name, is_open = {}, None, False
    if not text.endswith("\n"):
        raise PrometheusError("the last line has no end")
    for line in text[:-1].split("\n"):
        if found := re.fullmatch(r"# HELP ([a-zA-Z_:][a-zA-Z0-9_:]*) (\S.*)", line):
            if found[1] in families or is_open:
                raise PrometheusError(f"{line}: is out of place")
            name, is_open = found[1], True
        elif found := re.fullmatch(r"# TYPE ([a-zA-Z_:][a-zA-Z0-9_:]*) (counter|gauge)", line):
            if found[1] != name or not is_open:
                raise PrometheusError(f"{line}: is out of place")
            families[name], is_open = (found[2], {}), False
        else:
            found = re.fullmatch(r"([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (\S+)", line)
            if not found or found[1] != name or is_open:
                raise PrometheusError(f"{line}: is no sample of {name}")
            label = r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"'
            if found[2] is not None and not re.fullmatch(rf"{label}(?:,{label})*,?", found[2]):
                raise PrometheusError(f"{line}: has no labels")
            labels = tuple(sorted(re.findall(label, found[2] or "")))
            if labels in families[name][1]:
                raise PrometheusError(f"{line}: is there twice")
            families[name][1][labels] = float(found[3])
    if is_open or not all(samples for _, samples in families.values()):
        raise PrometheusError("a metric has no sample")
    return families


class WatchTest(RunTest):
    def setUp(self):
        super().setUp()
        self.metrics, self.prometheus = self.folder / "run.jsonl", self.folder / "run.prom"

    def lines(self):
        return metrics_in(self.metrics)


class JsonLinesTest(WatchTest):
    def test_every_line_has_the_documented_fields_and_counters_only_grow(self):
        job = [*QUICK, "--evaluator", "uniform", "--simulations", "16", "--episodes", "20000", "--seed", "2"]
        self.play(*job, "--metrics", self.metrics, "--out", self.folder / "out", "--summary", self.folder / "summary")
        lines, example = self.lines(), json.loads(documented("json"))
        self.assertGreater(len(lines), 2)
        for line in lines:
            self.assertEqual(list(line), list(example))
            for name, value in line.items():
                self.assertEqual(type(value) is str, type(example[name]) is str, name)
                self.assertTrue(type(value) is str or math.isfinite(value) and value >= 0, (name, value))
            self.assertLess(abs(line["time"] - time.time()), 600)
            shares = sum(line[f"{of}_share"] for of in ("search", "encoding", "evaluator", "waiting"))
            self.assertTrue(shares == 0 or abs(shares - 1) < 1e-6, shares)
        for before, now in zip(lines, lines[1:]):
            for name in COUNTERS:
                self.assertLessEqual(before[name], now[name], name)
        last, summary = lines[-1], json.loads((self.folder / "summary").read_text())
        for name in ["game", "rank", "episodes", "rows", "shards", "boards", "simulations", "batches", "evaluator"]:
            self.assertEqual(last[name], summary[name], name)
        self.assertEqual((last["episodes"], last["in_flight"], last["stalls"]), (20000, 0, 0))
        self.assertGreater(last["resident_memory_bytes"], 1 << 20)
        late = 64 * 4096 * os.cpu_count()  # Linux counts each processor's pages apart and adds them to the peak late
        self.assertLessEqual(last["resident_memory_bytes"], summary["peak_memory_bytes"] + late)

    def test_the_rate_is_that_since_the_line_before_whatever_else_is_told_meanwhile(self):
        job = ["--game", "tictactoe", "--progress", "0.05", "--metrics-every", "0.05", "--evaluator", "uniform",
               "--simulations", "16", "--episodes", "20000"]
        self.play(*job, "--metrics", self.metrics)
        lines = self.lines()
        self.assertGreater(len(lines), 2)
        for before, now in zip(lines, lines[1:]):
            boards, seconds = (now[name] - before[name] for name in ("boards", "seconds"))
            self.assertAlmostEqual(now["boards_per_second"], boards / seconds, delta=1 + boards / seconds / 1000)

    def test_a_resumed_run_appends_and_counts_on(self):
        job = [*QUICK, "--evaluator", "uniform", "--simulations", "8", "--metrics", self.metrics, "--resume", "--out",
               self.folder / "out"]
        self.play(*job, "--episodes", "500")
        first = self.lines()
        self.play(*job, "--episodes", "700")
        lines = self.lines()
        self.assertEqual(lines[:len(first)], first)
        self.assertEqual([line["episodes"] for line in (first[-1], lines[-1])], [500, 700])
        self.assertTrue(all(line["episodes"] >= 500 for line in lines[len(first):]))

    def test_a_line_for_which_there_was_no_room_leaves_no_part_to_which_the_next_is_glued(self):
        job = [*QUICK, "--evaluator", "uniform", "--simulations", "16", "--episodes", "200", "--metrics", self.metrics]
        self.play(*job)
        line = self.metrics.read_text().splitlines(keepends=True)[-1]
        self.metrics.write_text(2 * line.rjust(900))  # of the next line only a part has room in 2 KiB
        first = self.lines()
        status, _, err = run("-c", 'ulimit -f 2; exec "$0" "$@"', PROGRAM, *job, program="bash")
        self.assertEqual((status, len(err.splitlines())), (0, 1), err)
        self.assertIn("no metrics", err)
        self.assertEqual(self.lines(), first)
        self.play(*job)
        self.assertEqual(self.lines()[:len(first)], first)
        self.assertGreater(len(self.lines()), len(first))

    def test_a_stall_is_counted_and_says_what_every_worker_waits_for(self):
        process = start("--game", "hex13", "--network", "random:20x256:1", "--evaluator", "reference", "--threads", "2",
                        "--progress", "0", "--stall", "0.3", "--metrics", self.metrics, "--metrics-every", "0.05")
        self.addCleanup(self.kill, process)
        self.assertRegex(process.stderr.readline(), r"note: no batch was evaluated for 0 seconds; "
                                                    r"worker 0 is submitting to the evaluator, worker 1 is [a-z ]+$")
        until(lambda: self.metrics.exists() and any(line["stalls"] >= 1 for line in self.lines()), "the stall")

    def test_where_nothing_can_be_written_that_is_told_once_and_the_run_goes_on(self):
        status, out, err = run(*QUICK, "--evaluator", "uniform", "--simulations", "8", "--episodes", "20000", "--metrics",
                               self.folder / "none" / "run.jsonl")
        self.assertEqual((status, len(err.splitlines())), (0, 1), err)
        self.assertIn("no metrics", err)


class SummaryTest(WatchTest):
    def test_the_documented_fields_are_those_of_the_summary(self):
        text = (SOURCE / "docs" / "running.md").read_text().split("\n## The summary\n")[1].split("\n## ")[0]
        fields = [name for row in re.findall(r"^\| (`.*?) \|", text, re.MULTILINE) for name in re.findall(r"`(\w+)`", row)]
        self.play(*QUICK[:-2], "--evaluator", "uniform", "--simulations", "4", "--episodes", "5", "--summary",
                  self.folder / "summary")
        self.assertEqual(fields, list(json.loads((self.folder / "summary").read_text())))


class PrometheusTest(WatchTest):
    def test_the_file_is_whole_whenever_it_is_read_while_it_is_replaced(self):
        network = write_network(self.folder / "net.safetensors", "tictactoe", 1)
        process = start(*QUICK, "--network", network, "--episodes", "0", "--rank", "1", "--ranks", "3", "--prometheus",
                        self.prometheus, "--simulations", "16")
        self.addCleanup(process.kill)
        until(self.prometheus.exists, "the file")
        read, seen = 0, []
        while len(seen) < 8:
            self.assertIsNone(process.poll())
            text = self.prometheus.read_text()
            read += 1
            if not seen or seen[-1] != text:
                parse_prometheus(text)
                seen.append(text)
        process.send_signal(signal.SIGINT)
        self.assertEqual(finish(process)[0], 130)
        self.assertGreater(read, len(seen))
        self.assert_documented(map(parse_prometheus, seen))
        self.assertEqual([path.name for path in self.folder.glob("run.prom*")], ["run.prom"])

    def assert_documented(self, files):
        example, before = parse_prometheus(documented("text")), None
        for families in files:
            self.assertEqual({name: kind for name, (kind, _) in families.items()},
                             {name: kind for name, (kind, _) in example.items()})
            for name, (kind, samples) in families.items():
                self.assertEqual(list(samples), [(("game", "tictactoe"), ("rank", "1"))])
                self.assertTrue(math.isfinite(*samples.values()), name)
                if kind == "counter":
                    self.assertTrue(name.endswith("_total"))
                    if before:
                        self.assertGreaterEqual(*samples.values(), *before[name][1].values())
            before = families
        self.assertGreater(*before["batchmate_boards_total"][1].values(), 0)

    def test_the_parser_refuses_what_prometheus_refuses(self):
        good = '# HELP a What.\n# TYPE a gauge\na{b="c",d="e"} 1\n'
        self.assertEqual(parse_prometheus(good), {"a": ("gauge", {(("b", "c"), ("d", "e")): 1.0})})
        for bad in [good[:-1], good + good, good + "b 1\n", good.replace("gauge", "number"), good.replace('"c"', "c"),
                    good.replace(" 1", ""), good[:good.index("a{")], good + good.splitlines()[2] + "\n",
                    good.replace("HELP a", "HELP b"), good.replace(" 1", " one"), good + "\n"]:
            with self.assertRaises((PrometheusError, ValueError), msg=bad):
                parse_prometheus(bad)


class CommandTest(WatchTest):
    def test_the_documented_commands_have_flags_that_there_are(self):
        text = (SOURCE / "docs" / "running.md").read_text().replace("\\\n", " ")
        commands = re.findall(r"(?:exec |^    |; do )selfplay (--[^'\n]*)", text, re.MULTILINE)
        commands += [found.replace(",", " ") for found in re.findall(r"args: \[selfplay, (.*?)\]", text)]
        self.assertGreaterEqual(len(commands), 4)
        known = re.findall(r"--[a-z-]+", self.play("--help"))
        for flag in re.findall(r"--[a-z-]+", " ".join(commands)):
            self.assertIn(flag, known)

    def test_documented_files_hold_shell_that_can_be_read(self):
        text = (SOURCE / "docs" / "running.md").read_text()
        for script in re.findall(r"^```bash\n(.*?)^```$", text, re.DOTALL | re.MULTILINE):
            done = subprocess.run(["bash", "-n"], input=script, text=True, capture_output=True)
            self.assertEqual((done.returncode, done.stderr), (0, ""), script)

    def test_the_documented_slurm_script_starts_a_rank_a_task_and_queues_itself_again_when_its_time_is_up(self):
        said = self.folder / "said"
        programs = {"srun": 'status=0; shift; for r in 0 1; do SLURM_PROCID=$r "$@" || status=$?; done; exit $status',
                    "selfplay": f'echo "rank $SLURM_PROCID $@" >>{said}; exit $ENDS_WITH', "scontrol": f'echo "$@" >>{said}'}
        for name, script in programs.items():
            (self.folder / name).write_text(f"#!/bin/bash\n{script}\n")
            (self.folder / name).chmod(0o755)
        for status, queued in [(143, ["requeue 7"]), (1, []), (0, [])]:
            said.write_text("")
            subprocess.run(["bash", "-c", documented("bash")], check=True, env={
                "PATH": f"{self.folder}:{os.environ['PATH']}", "SLURM_JOB_ID": "7", "SLURM_CPUS_PER_TASK": "12",
                "ENDS_WITH": str(status)})
            lines = said.read_text().splitlines()
            for rank in [0, 1]:
                self.assertRegex(lines[rank], f"^rank {rank} .*--resume.* --threads 12 .*metrics-{rank}.jsonl")
            self.assertEqual(lines[2:], queued)

    def test_the_documented_job_of_kubernetes_tells_every_pod_how_many_there_are(self):
        text = documented("yaml")
        counts = re.findall(r"(?:completions|parallelism|JOB_COMPLETIONS, value): \"?(\d+)", text)
        self.assertEqual((len(counts), len(set(counts))), (3, 1))
        for line in ["kind: Job", "completionMode: Indexed", "restartPolicy: Never", "terminationGracePeriodSeconds:"]:
            self.assertIn(line, text)
        if importlib.util.find_spec("yaml") is None:
            self.skipTest("needs the Python package yaml to read it")
        import yaml
        pod = yaml.safe_load(text)["spec"]["template"]["spec"]["containers"][0]
        self.assertEqual(pod["env"], [{"name": "JOB_COMPLETIONS", "value": counts[0]}])
        self.assertEqual((pod["args"][0], pod["args"][-1]), ("selfplay", "--resume"))


class StoppedReaderTest(RunTest):
    def test_a_reader_that_has_stopped_reading_keeps_no_run_from_its_end(self):
        out = self.folder / "out"
        reader, writer = os.pipe()
        self.addCleanup(os.close, reader)
        process = subprocess.Popen([PROGRAM, "--game", "tictactoe", "--evaluator", "uniform", "--episodes", "0",
                                    "--simulations", "400", "--threads", "1", "--progress", "0.1", "--out", out],
                                   stdin=subprocess.DEVNULL, stdout=writer, stderr=subprocess.STDOUT, env=environment())
        self.addCleanup(process.kill)
        text = b""
        while b"games/s" not in text:  # until it plays
            text += os.read(reader, 65536)
        own = os.open(f"/proc/self/fd/{writer}", os.O_WRONLY | os.O_NONBLOCK)  # the program's end goes on to block
        os.close(writer)
        for size in [4096, 1]:
            with contextlib.suppress(BlockingIOError):
                while True:
                    os.write(own, b"." * size)
        os.close(own)
        time.sleep(0.5)  # some lines
        process.send_signal(signal.SIGTERM)
        until(lambda: (out / "rows-000000.safetensors").exists(), "what was played")
        while part := os.read(reader, 65536):
            text += part
        self.assertEqual(process.wait(), 143, text)
        self.assertIn(b"games' hash", text)


class TerminalTest(RunTest):
    def lines_at(self, columns):
        """What a run writes over and over on a terminal of that width."""
        terminal, end = pty.openpty()
        fcntl.ioctl(end, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        process = subprocess.Popen([PROGRAM, "--game", "tictactoe", "--evaluator", "uniform", "--episodes", "20000",
                                    "--simulations", "50", "--threads", "1", "--progress", "0.02"],
                                   stdin=subprocess.DEVNULL, stdout=end, stderr=end, env=environment())
        os.close(end)
        self.addCleanup(process.kill)
        text = b""
        while True:
            try:
                text += os.read(terminal, 65536)
            except OSError:  # the other end is closed
                break
        os.close(terminal)
        self.assertEqual(process.wait(), 0, text)
        return [line.removesuffix("\033[K") for line in re.findall(r"\r([^\r\n]*)", text.decode()) if "boards/s" in line]

    def test_the_line_of_progress_has_all_its_parts_on_eighty_columns(self):
        parts = r" +\d+ %( +[\d,]+/20,000 games)? +\S+ games/s +\S+ boards/s +batch \S+ +waiting \d+ % +[\d.]+ \wi?B +ETA \S+"
        lines = self.lines_at(80)
        self.assertGreater(len(lines), 3)
        for line in lines:
            self.assertRegex(line, f"^{parts}$")
            self.assertLess(len(line), 80)
        self.assertTrue(all("games  " in line for line in self.lines_at(200)))

    def test_a_narrow_terminal_cuts_the_line(self):
        for line in self.lines_at(30):
            self.assertEqual(len(line), 29)


if __name__ == "__main__":
    unittest.main()
