"""`--network` is a folder: newer networks are taken up under way, and every episode is the one that its network plays."""

import json
import os
import random
import shutil
import signal
import struct
import time
import unittest
from dataclasses import replace
from itertools import cycle
from pathlib import Path

from selfplay_runs import (RunTest, begun_journal, data, episodes, finish, journal_records, metrics_in, networks_of,
                           phases_in, publish, run, shards_in, start, until, write_journal, write_network)

PLAY = ["--simulations", "16", "--seed", "3", "--progress", "0", "--threads", "2", "--poll", "0.05"]
SMALL = ["--game", "tictactoe", "--shard-rows", "4096", *PLAY]
LONG_GAMES = ["--game", "connect4", "--shard-rows", "2048", *PLAY]
ENDLESS = ["--episodes", "0"]


class FolderTest(RunTest):
    def setUp(self):
        super().setUp()
        self.networks, self.made, self.out = self.folder / "networks", self.folder / "made", self.folder / "out"
        self.networks.mkdir()
        self.made.mkdir()
        self.fixed = {}

    def network(self, name, game="tictactoe"):
        """A network's file; another name is another network."""
        path = self.made / f"{name}.safetensors"
        return path if path.exists() else write_network(path, game, seed=sum(name.encode()))

    def publish(self, name, game="tictactoe"):
        return publish(self.network(name, game), self.networks, f"{name}.safetensors")

    def begin(self, job, *flags):
        process = start(*job, "--network", self.networks, "--out", self.out, *flags)
        self.addCleanup(process.kill)
        return process

    def phases(self):
        """The networks that the journal names now; none where it is not there yet."""
        try:
            return phases_in(self.out / "journal")
        except FileNotFoundError:
            return []

    def has_taken(self, name):
        return any(Path(phase.file).stem == name for phase in self.phases())

    def wait_for(self, process, condition, what):
        """Waits while the run goes on."""
        def is_so():
            if process.poll() is not None:
                self.fail(f"the run has ended, while waiting for {what}: {process.communicate()}")
            return condition()
        return until(is_so, what)

    def more_shards(self, process, count):
        """Waits until the run has cut so many shards more."""
        last = max(shards_in(self.out), default=self.out / "rows--00001").name
        wanted = f"rows-{int(last[5:11]) + count:06}.safetensors"
        self.wait_for(process, (self.out / wanted).exists, wanted)

    def stop(self, process, how=signal.SIGINT):
        process.send_signal(how)
        status, _, err = finish(process)
        self.assertEqual(status, 128 + how, err)
        return err

    def complete(self, job):
        """Lets the run fill its gaps; the number of its episodes."""
        count = 1 + max(episodes(self.out))
        self.play(*job, "--network", self.networks, "--out", self.out, "--resume", "--episodes", count)
        return count

    def episodes_of(self, name, job, count):
        """What a run with one network plays."""
        if name not in self.fixed:
            out = self.folder / f"fixed-{name}"
            self.play(*job, "--network", self.network(name), "--out", out, "--episodes", count)
            self.fixed[name] = episodes(out)
        return self.fixed[name]

    def assert_each_network_played_its_own(self, phases, job, count):
        """Every episode is, bit for bit, the one that a run with its network alone plays."""
        found = episodes(self.out)
        self.assertEqual(sorted(found), list(range(count)))
        ends = [*(phase.place for phase in phases[1:]), count]
        for phase, end in zip(phases, ends):
            expected = self.episodes_of(Path(phase.file).stem, job, count)
            for number in range(phase.place, min(end, count)):
                self.assertEqual(networks_of(found[number]), [phase.identity])
                self.assert_same_episode(found[number], expected[number], f"episode {number} by {phase.file}")

    def assert_same_as_undisturbed(self, phases, job, count):
        """The data are, byte for byte, those of one process that knows from the first which network plays what."""
        out = self.folder / "undisturbed"
        out.mkdir()
        shutil.copy(self.out / "run.json", out)
        begun_journal(out / "journal", phases)
        for phase in phases:
            (out / phase.file).parent.mkdir(parents=True)
            shutil.copy(self.made / Path(phase.file).name, out / phase.file)
        self.play(*job, "--network", self.networks, "--out", out, "--resume", "--episodes", count)
        self.assertEqual(data(self.out), data(out))


class PickUpTest(FolderTest):
    def test_a_newer_network_is_taken_up_without_stopping(self):
        self.publish("first")
        process = self.begin(SMALL, *ENDLESS)
        self.more_shards(process, 1)
        known = self.phases()
        self.assertEqual([(phase.network, phase.place) for phase in known], [(0, 0)])
        self.publish("second")
        self.wait_for(process, lambda: self.has_taken("second"), "the second network")
        phases = [*known, self.phases()[-1]]
        self.more_shards(process, 2)
        self.assertEqual(self.stop(process), "")
        count = self.complete(SMALL)
        self.assertEqual([phase.network for phase in phases], [0, 1])
        self.assertTrue(0 < phases[1].place < count)
        self.assert_each_network_played_its_own(phases, SMALL, count)
        # Otherwise the test would say nothing.
        first, second = (self.fixed[name] for name in ("first", "second"))
        different = [n for n in range(count) if first[n]["action"].tobytes() != second[n]["action"].tobytes()]
        self.assertGreater(len(different), count // 2)
        self.assert_same_as_undisturbed(phases, SMALL, count)

    def test_of_several_networks_the_newest_plays_first(self):
        for name in ["old", "middle", "newest"]:
            self.publish(name)
        (self.networks / "zzz.txt").write_text("no network")
        self.play(*SMALL, "--network", self.networks, "--out", self.out, "--episodes", 20)
        self.assertEqual([phase.file for phase in self.phases()], ["networks/000000/newest.safetensors"])

    def test_a_network_that_was_only_touched_is_not_a_new_one(self):
        self.publish("first")
        process = self.begin(SMALL, *ENDLESS)
        self.more_shards(process, 1)
        self.publish("first")
        self.more_shards(process, 4)
        self.stop(process)
        self.complete(SMALL)
        self.assertEqual(len(self.phases()), 1)
        self.assertEqual([path.name for path in (self.out / "networks").iterdir()], ["000000"])

    def test_a_folder_without_networks_is_refused(self):
        status, _, err = run(*SMALL, "--network", self.networks, "--out", self.out)
        self.assertEqual((status, len(err.splitlines())), (1, 1), err)
        self.assertIn("holds no network", err)

    @unittest.skipIf("BATCHMATE_SANITIZE" in os.environ, "a sanitizer's own memory is resident, too")
    def test_at_most_two_networks_are_in_memory_however_fast_they_come(self):
        job = ["--game", "tictactoe", "--progress", "0", "--threads", "2", "--poll", "0.05", "--simulations", "1", "--games", "8"]
        names = ["0", "1", "2", "3", "4", "5"]
        for seed, name in enumerate(names):
            size = write_network(self.made / f"{name}.safetensors", "tictactoe", seed, value_channels=256,
                                 hidden=2048).stat().st_size
        self.assertGreater(size, 15 << 20)

        def peak(names):
            self.out = self.folder / f"out-{len(names)}"
            for path in self.networks.iterdir():
                path.unlink()
            self.publish(names[0])
            process = self.begin(job, *ENDLESS, "--summary", self.folder / "summary")
            self.wait_for(process, self.phases, "the first network")
            for name in names[1:]:
                self.publish(name)
                self.wait_for(process, lambda: self.has_taken(name), name)
            self.stop(process)
            return json.loads((self.folder / "summary").read_text())["peak_memory_bytes"]

        two = peak(names[:2])
        self.assertGreater(two, 2 * size)
        self.assertLess(peak(names), two + size)

    def test_without_a_folder_for_data_networks_are_taken_up_too(self):
        self.publish("first")
        process = start(*SMALL, "--network", self.networks, *ENDLESS, "--metrics", self.folder / "m", "--metrics-every",
                        "0.05", "--batching", "shared-queue")
        self.addCleanup(process.kill)
        last = lambda: [line["network"] for line in metrics_in(self.folder / "m")][-1:]
        self.wait_for(process, lambda: last() == [0], "metrics")
        self.publish("second")
        self.wait_for(process, lambda: last() == [1], "the second network")
        self.stop(process)


class KillTest(FolderTest):
    def test_killed_at_any_moment_of_a_change_the_assignment_stays_and_the_data_are_the_same(self):
        moments, known = random.Random(4), []
        self.publish("0")
        batching = cycle(["lockstep", "shared-queue", "overlapped"])  # which changes no game
        process = self.begin(SMALL, *ENDLESS, "--resume")
        for change in range(1, 7):
            self.wait_for(process, lambda: self.phases() and len(self.phases()) > 0, "a network")
            self.publish(str(change))
            if change % 2 == 0:
                self.wait_for(process, lambda: self.has_taken(str(change)), f"network {change}")
            time.sleep(moments.uniform(0, 0.3))
            self.kill(process)
            self.assert_noted_before_played()
            known = self.joined(known, self.phases())
            process = self.begin(SMALL, *ENDLESS, "--resume", "--batching", next(batching))
        self.wait_for(process, lambda: self.has_taken("6"), "the last network")
        self.more_shards(process, 1)
        known = self.joined(known, self.phases())
        self.stop(process)
        count = self.complete(SMALL)
        known = self.joined(known, self.phases())
        self.assertGreaterEqual(len(known), 4)
        self.assertEqual([phase.network for phase in known], list(range(len(known))))
        self.assert_each_network_played_its_own(known, SMALL, count)
        self.assert_same_as_undisturbed(known, SMALL, count)

    def assert_noted_before_played(self):
        """In the journal the network of an episode lies before the episode."""
        begins = {}
        for record in journal_records(self.out / "journal"):
            if record[:1] == b"n":
                network, place = struct.unpack_from("<iq", record, 1)
                begins[network] = place
            elif record[:1] == b"e":
                place, = struct.unpack_from("<q", record, 1)
                network, = struct.unpack_from("<i", record, 28)  # of the first move
                self.assertIn(network, begins)
                self.assertLessEqual(begins[network], place)

    def joined(self, known, now):
        """All that was journalled; what was noted once must not change."""
        for phase in now:
            if phase.network < len(known):
                self.assertEqual(phase, known[phase.network])
            else:
                known = [*known, phase]
        return known

    def test_a_new_network_plays_nothing_before_episodes_that_are_there_while_older_ones_are_not(self):
        job = ["--game", "tictactoe", "--shard-rows", "65536", *PLAY]
        self.publish("first")
        self.play(*job, "--network", self.networks, "--out", self.out, "--episodes", 6000)
        # As if the process had been killed when the last thousand episodes were finished, and no other ones.
        late = [record for record in journal_records(self.out / "journal")
                if record[:1] != b"e" or int.from_bytes(record[1:9], "little") >= 5000]
        write_journal(self.out / "journal", late)
        self.publish("second")
        process = self.begin(job, *ENDLESS, "--resume")
        self.wait_for(process, lambda: self.has_taken("second"), "the second network")
        self.more_shards(process, 1)
        self.stop(process)
        change = self.phases()[-1].place
        self.assertGreaterEqual(change, 6000)
        count = self.complete(job)
        found, first = episodes(self.out), self.episodes_of("first", job, count)
        for number in range(change):
            self.assert_same_episode(found[number], first[number], f"episode {number}")

    def test_networks_and_the_run_may_be_moved_before_it_is_resumed(self):
        self.publish("first")
        process = self.begin(SMALL, *ENDLESS)
        self.more_shards(process, 1)
        self.publish("second")
        self.wait_for(process, lambda: self.has_taken("second"), "the second network")
        phases = self.phases()
        self.kill(process)
        for path in self.networks.iterdir():
            path.unlink()
        moved = self.folder / "elsewhere"
        self.out.rename(moved)
        self.out = moved
        phases = self.joined([replace(phases[0], network=0)] if len(phases) > 1 else [], phases)
        count = phases[-1].place + 100
        self.play(*SMALL, "--network", self.networks, "--out", self.out, "--resume", "--episodes", count)
        self.assertEqual(self.phases()[-1], phases[-1])
        found = episodes(self.out)
        self.assertEqual(networks_of(found[count - 1]), [phases[-1].identity])
        expected = self.episodes_of("second", SMALL, count)
        for number in range(phases[-1].place, count):
            self.assert_same_episode(found[number], expected[number], f"episode {number}")

    def test_a_copy_that_is_gone_or_exchanged_ends_the_run(self):
        self.publish("first")
        self.play(*SMALL, "--network", self.networks, "--out", self.out, "--episodes", 20)
        copy = self.out / self.phases()[0].file
        for break_it, text in [(copy.unlink, "No such file"),
                               (lambda: shutil.copy(self.network("other"), copy), "cannot resume: episodes from 0 on")]:
            break_it()
            status, _, err = run(*SMALL, "--network", self.networks, "--out", self.out, "--resume", "--episodes", 40)
            self.assertEqual((status, len(err.splitlines())), (1, 1), err)
            self.assertIn(text, err)
        shutil.copy(self.network("first"), copy)
        self.play(*SMALL, "--network", self.networks, "--out", self.out, "--resume", "--episodes", 40)
        self.assert_each_network_played_its_own(self.phases(), SMALL, 40)

    def test_a_damaged_journal_is_refused_before_a_network_is_copied(self):
        self.publish("first")
        self.play(*SMALL, "--network", self.networks, "--out", self.out, "--episodes", 2000)
        self.assertGreater(len(shards_in(self.out)), 0)
        write_journal(self.out / "journal", list(journal_records(self.out / "journal"))[:1])
        shutil.copy(self.network("other"), self.networks / "first.safetensors")

        def copies():
            return {path: path.read_bytes() for path in (self.out / "networks").rglob("*") if path.is_file()}

        before = copies()
        status, _, err = run(*SMALL, "--network", self.networks, "--out", self.out, "--resume", "--episodes", 4000)
        self.assertEqual((status, len(err.splitlines())), (1, 1), err)
        self.assertIn("journal: is damaged: names no network for episode 0 on", err)
        self.assertEqual(copies(), before)
        self.assertEqual(len(before), 1)


class RefusalTest(FolderTest):
    def test_newcomers_that_are_of_no_use_are_refused_with_a_note_and_the_old_network_stays(self):
        good = self.network("good").read_bytes()
        bad = {
            "empty": b"", "garbage": b"GIF89a" + bytes(100), "short": good[:-1], "long": good + b"0",
            "hex": self.network("hex", "hex7").read_bytes(),
            "another": self.network("connect", "connect4").read_bytes(),
        }
        self.publish("first")
        process = self.begin(SMALL, *ENDLESS, "--metrics", self.folder / "m", "--metrics-every", "0.05")
        refused = lambda: [line["networks_refused"] for line in metrics_in(self.folder / "m")][-1:]
        self.wait_for(process, lambda: refused() == [0], "metrics")
        for count, (name, content) in enumerate(bad.items(), 1):
            (self.made / name).write_bytes(content)
            publish(self.made / name, self.networks, f"{name}.safetensors")
            self.wait_for(process, lambda: refused() == [count], f"{name} to be refused")
        (self.networks / "folder.safetensors").mkdir()
        self.wait_for(process, lambda: refused() == [len(bad) + 1], "a folder to be refused")
        os.mkfifo(self.networks / "pipe.safetensors")
        self.wait_for(process, lambda: refused() == [len(bad) + 2], "a pipe to be refused")
        os.truncate(publish(self.made / "empty", self.networks, "huge.safetensors"), 1 << 40)
        self.wait_for(process, lambda: refused()[0] >= len(bad) + 3, "a huge file to be refused")
        # Rows name their network, so that this one would break the shard that it is in.
        unprintable = os.fsdecode(b"b\xff.safetensors")
        publish(self.network("good"), self.networks, unprintable)
        self.wait_for(process, lambda: refused()[0] >= len(bad) + 4, "a name that is no text to be refused")
        (self.networks / "link.safetensors").symlink_to("nowhere")
        self.assertEqual([phase.network for phase in self.phases()], [0])
        self.more_shards(process, 1)
        self.publish("good")
        self.wait_for(process, lambda: self.has_taken("good"), "a good network after all these")
        names = lambda: {name for played in episodes(self.out).values() for name in networks_of(played)}
        self.wait_for(process, lambda: len(names()) > 1, "its rows")
        lines = self.stop(process).splitlines()
        for name in [*bad, "folder", "pipe", "b?"]:
            told = [line for line in lines if f"{name}.safetensors is refused, the one before stays: " in line]
            self.assertEqual(len(told), 1, lines)
        self.assertTrue(any("huge.safetensors is refused" in line for line in lines), lines)
        self.assertEqual(len(names()), 2)
        self.assertLessEqual({path.name for path in (self.out / "networks").iterdir()}, {"000000", "000001"})

    def test_a_network_whose_name_is_no_text_is_refused_in_one_line(self):
        path = shutil.copy(self.network("good"), self.made / os.fsdecode(b"b\xff\x1b.safetensors"))
        for more in [[], ["--out", self.out], ["--metrics", self.folder / "m"]]:
            status, _, err = run("--game", "tictactoe", *PLAY, "--network", path, "--episodes", 20, *more)
            self.assertEqual((status, len(err.splitlines())), (1, 1), err)
            self.assertIn("b??.safetensors: expected a name of printable UTF-8", err)

    @unittest.skipIf("BATCHMATE_SANITIZE" in os.environ, "a sanitizer's own memory is resident, too")
    def test_a_newcomer_that_does_not_fit_the_memory_limit_is_refused_with_the_bytes(self):
        self.publish("first")
        large = write_network(self.made / "large.safetensors", "tictactoe", 1, value_channels=512, hidden=8192)
        self.assertGreater(large.stat().st_size, 100 << 20)
        process = self.begin(SMALL, *ENDLESS, "--memory-limit", "60M", "--metrics", self.folder / "m", "--metrics-every",
                             "0.05", "--summary", self.folder / "summary")
        last = lambda: metrics_in(self.folder / "m")[-1:]
        self.wait_for(process, last, "metrics")
        self.publish("large")
        self.wait_for(process, lambda: last()[0]["networks_refused"] == 1 or last()[0]["network"] == 1, "an answer")
        self.publish("second")
        self.wait_for(process, lambda: self.has_taken("second"), "a small network after it")
        err = self.stop(process)
        self.assertRegex(err, r"large.safetensors is refused, .*--memory-limit: both networks can need .* MiB, the limit")
        self.assertLess(json.loads((self.folder / "summary").read_text())["peak_memory_bytes"], 60 << 20)

    def test_an_older_network_is_none_to_go_back_to(self):
        self.publish("first")
        newest = self.publish("second")
        process = self.begin(SMALL, *ENDLESS)
        self.more_shards(process, 1)
        newest.unlink()
        self.more_shards(process, 6)
        self.kill(process)
        process = self.begin(SMALL, *ENDLESS, "--resume")
        self.more_shards(process, 6)
        self.publish("third")
        self.wait_for(process, lambda: self.has_taken("third"), "a newer one")
        self.assertEqual([Path(phase.file).stem for phase in self.phases()][-2:], ["second", "third"])
        self.stop(process)
        self.assertEqual(len({name for played in episodes(self.out).values() for name in networks_of(played)}
                             - {self.phases()[-1].identity}), 1)


class SwitchTest(FolderTest):
    def test_with_switch_at_move_begun_games_go_on_with_the_newer_network(self):
        self.publish("first", "connect4")
        process = self.begin([*LONG_GAMES, "--games", "64"], *ENDLESS, "--switch-at-move")
        for name in ["second", "third"]:
            self.more_shards(process, 1)
            self.publish(name, "connect4")
            self.wait_for(process, lambda: self.has_taken(name), name)
        self.more_shards(process, 1)
        self.stop(process)
        count = self.complete([*LONG_GAMES, "--switch-at-move"])
        found = episodes(self.out)
        self.assertEqual(sorted(found), list(range(count)))
        mixed = 0
        for number, played in found.items():
            self.assertEqual(list(played["ply"]), list(range(len(played["ply"]))), f"episode {number}")
            names = [name.split(":")[-2] for name in networks_of(played)]
            self.assertEqual(names, [name for name in ("first", "second", "third") if name in names])
            mixed += len(names) > 1
        self.assertGreater(mixed, 10)
        self.assertLessEqual(mixed, 2 * 64)

    def test_a_run_does_not_go_on_as_one_that_switches(self):
        self.publish("first")
        self.play(*SMALL, "--network", self.networks, "--out", self.out, "--episodes", 20)
        status, _, err = run(*SMALL, "--network", self.networks, "--out", self.out, "--resume", "--switch-at-move")
        self.assertEqual(status, 1)
        self.assertIn('"switch_at_move": "no"', err)


class EndlessTest(FolderTest):
    def test_an_endless_run_hands_shards_over_keeps_no_more_than_asked_and_ends_on_sigint(self):
        keep = 1_000_000
        job = ["--game", "tictactoe", "--shard-rows", "1024", *PLAY, "--evaluator", "uniform"]
        process = start(*job, *ENDLESS, "--out", self.out, "--keep", keep)
        self.addCleanup(process.kill)
        until(self.out.exists, "the folder")
        self.more_shards(process, 1)
        largest = sum(path.stat().st_size for path in self.out.glob("*-000000.*"))
        most = 0
        while not (self.out / "rows-000030.safetensors").exists():
            self.assertIsNone(process.poll())
            sizes = 0
            for path in self.out.glob("*-??????.*"):
                try:
                    sizes += path.stat().st_size
                except FileNotFoundError:
                    pass  # it has just been removed
            most = max(most, sizes)
        self.assertLessEqual(most, keep)
        self.assertGreater(most, keep - 3 * largest)
        self.stop(process)
        self.assertLessEqual(sum(path.stat().st_size for path in self.out.glob("*-??????.*")), keep)
        found = episodes(self.out)
        self.assertNotIn(0, found)
        whole = range(min(found), max(found) - 4 * 64)  # the last ones had overtaken those that were given up
        self.assertLessEqual(set(whole), set(found))
        # What is kept is what a run plays that keeps all.
        count = max(found) + 1
        self.play(*job, "--out", self.folder / "all", "--episodes", count)
        expected = episodes(self.folder / "all")
        self.assert_same_episodes(found, {number: expected[number] for number in found})


if __name__ == "__main__":
    unittest.main()
