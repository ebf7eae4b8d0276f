"""stream.py: every row once, shuffled, in bounded memory, from folders whole and broken, finished and still written."""

import contextlib
import io
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import tracemalloc
import unittest
import warnings
from pathlib import Path
from unittest import mock

import support
from support import random_rows, write_shard

support.need("torch")

import numpy as np
import torch
from torch.utils.data import DataLoader

import rows as training_rows
import folders
import stream
from rows import Board, network_id
from stream import Loader, Stream
from tensors import TensorFileError

BOARD = Board("own", planes=2, rows=3, columns=4, globals=1, actions=5)
OTHER = Board("hex7", planes=3, rows=7, columns=7, globals=0, actions=49)
LONGEST = 60  # seconds that a test of `follow` may take; it then fails instead of hanging


class Folder(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.rows = 0  # written so far; their numbers, in `episode`, count on from shard to shard

    def write(self, name, count, board=BOARD, **changes):
        """Writes a shard as folder/rows-NUMBER; returns the numbers of its rows."""
        numbers = np.arange(self.rows, self.rows + count)
        arrays = {**random_rows(board, count, seed=self.rows), "episode": numbers, **changes}
        write_shard(self.path(name), board, arrays)
        self.rows += count
        return numbers.tolist()

    def path(self, name):
        folder, number = name.split("/")
        return self.folder / folder / f"rows-{int(number):06}.safetensors"

    def stream(self, *folders, **settings):
        return Stream([self.folder / folder for folder in folders or ["a"]], **{"piece": 16, "batch": 8, **settings})


def numbers(batches):
    """The numbers of the rows of batches, in their order."""
    return [number for batch in batches for number in batch["episode"].tolist()]


class Passes(Folder):
    def test_every_row_is_seen_once_an_epoch_by_any_number_of_workers(self):
        for shard, count in enumerate([100, 1, 16, 0, 57, 33]):
            self.write(f"a/{shard}", count)
        for workers in (0, 1, 3):
            for window in (1, 20, 1000) if workers != 1 else (20,):
                loader, epochs = Loader(self.stream(window=window), workers), []
                for _ in range(2 if workers == 0 else 1):
                    epochs.append(numbers(loader))
                    self.assertEqual(sorted(epochs[-1]), list(range(self.rows)), f"{workers} workers, {window} rows")
                self.assertEqual(len({str(order) for order in epochs}), len(epochs), "two epochs in the same order")

    def test_a_plain_dataloader_sees_every_row_once_too(self):
        for shard in range(5):
            self.write(f"a/{shard}", 40)
        for workers in (0, 2):
            found = numbers(DataLoader(self.stream(), batch_size=None, num_workers=workers))
            self.assertEqual(sorted(found), list(range(200)))

    def test_the_work_is_shared_evenly(self):
        for shard in range(6):
            self.write(f"a/{shard}", 160)
        rows = self.stream()
        shares = [len(numbers(rows.batches(rows.parts(), worker, 3))) for worker in range(3)]
        self.assertEqual(shares, [320] * 3)

    def test_the_same_settings_give_the_same_batches_and_others_do_not(self):
        for shard in range(4):
            self.write(f"a/{shard}", 50)
        for workers in (0, 2):
            first, again, other = [list(Loader(self.stream(seed=seed), workers)) for seed in (1, 1, 2)]
            self.assertEqual(len(first), len(again))
            for one, two in zip(first, again):
                self.assertEqual(set(one), set(two))
                self.assertTrue(all(torch.equal(one[name], two[name]) for name in one))
            self.assertNotEqual(numbers(first), numbers(other))

    def test_batches_are_whole_but_for_the_last(self):
        self.write("a/0", 60)
        self.assertEqual([len(batch["policy"]) for batch in self.stream()], [8] * 7 + [4])
        self.assertEqual([len(batch["policy"]) for batch in self.stream(drop_last=True)], [8] * 7)
        self.assertEqual([len(batch["policy"]) for batch in self.stream(batch=100)], [60])
        self.assertEqual([len(batch["policy"]) for batch in self.stream(batch=100, drop_last=True)], [])

    def test_bad_settings_are_refused(self):
        for settings in (dict(batch=0), dict(window=0), dict(newest_rows=0), dict(on_bad="ignore"),
                         dict(value_mix=0.6, short_mix=0.6), dict(short_mix=-0.1)):
            self.assertRaisesRegex(ValueError, "stream: ", self.stream, **settings)


class Contents(Folder):
    def test_a_batch_holds_what_the_shard_does_from_one_process_or_another(self):
        count, random = 50, np.random.default_rng(1)
        arrays = {**random_rows(BOARD, count, 0), "full": random.integers(0, 2, count).astype(np.uint8),
                  "network": random.integers(0, 2, count).astype(np.int32), "ply": np.arange(count, dtype=np.int32)}
        write_shard(self.path("a/0"), BOARD, arrays, networks=json.dumps(["old", "new"]))
        expected = training_rows.unpack(BOARD, arrays)
        ids = np.array([network_id("old"), network_id("new")])
        for workers in (0, 1):
            for batch in Loader(self.stream(value_mix=0.25), workers):
                at = batch["episode"].numpy()
                self.assertEqual((batch["inputs"].shape, batch["inputs"].dtype), ((len(at), 3, 3, 4), torch.float32))
                self.assertEqual((batch["legal"].shape, batch["legal"].dtype), ((len(at), 5), torch.bool))
                for name in ("inputs", "legal", "policy", "value", "outcome", "action", "ply"):
                    np.testing.assert_array_equal(batch[name].numpy(), expected[name][at], name)
                np.testing.assert_array_equal(batch["network"].numpy(), ids[arrays["network"][at]])
                np.testing.assert_array_equal(batch["policy_weight"].numpy(), arrays["full"][at])
                np.testing.assert_array_equal(batch["value_weight"].numpy(), np.ones(len(at)))
                mixed = 0.75 * arrays["outcome"][at] + 0.25 * arrays["value"][at]
                np.testing.assert_allclose(batch["value_target"].numpy(), mixed, atol=1e-6)
                wins = batch["wdl_target"]
                np.testing.assert_allclose((wins[:, 0] - wins[:, 2]).numpy(), mixed, atol=1e-6)
                np.testing.assert_allclose(wins.sum(1).numpy(), 1, atol=1e-6)

    def test_the_value_target_takes_shares_of_the_search_now_and_some_plies_on(self):
        short = np.random.default_rng(2).uniform(-1, 1, 40).astype(np.float32)
        self.write("a/0", 40, short_value=short)
        self.write("a/1", 40)  # without them: as the search's value
        for value_mix, short_mix in [(0, 0.5), (0.25, 0.5), (0.25, 0), (0, 1)]:
            for batch in self.stream(value_mix=value_mix, short_mix=short_mix):
                at, value = batch["episode"].numpy(), batch["value"].numpy()
                expected = np.where(at < 40, short[at % 40], value)
                np.testing.assert_array_equal(batch["short_value"].numpy(), expected)
                mixed = ((1 - value_mix - short_mix) * batch["outcome"].numpy() + value_mix * value
                         + short_mix * expected)
                np.testing.assert_allclose(batch["value_target"].numpy(), mixed, atol=1e-6)
                np.testing.assert_allclose(batch["wdl_target"].sum(1).numpy(), 1, atol=1e-6)

    def test_a_shard_whose_short_values_are_none_is_named(self):
        bads = [np.full(20, np.nan, np.float32), np.zeros(20, np.float64), np.zeros(19, np.float32)]
        for number, bad in enumerate(bads):
            self.write(f"{number}/0", 20, short_value=bad)
            with self.assertRaisesRegex(TensorFileError, "rows-000000.safetensors: short_value: "):
                list(self.stream(str(number)))

    def test_the_value_target_is_the_result_unless_mixed(self):
        value, outcome = np.array([0.5, -0.2, 0.0], np.float32), np.array([1, -1, 0], np.float32)
        self.assertEqual(stream.wdl_targets(value, outcome, 0).tolist(), [[1, 0, 0], [0, 0, 1], [0, 1, 0]])
        self.assertEqual(stream.wdl_targets(value, outcome / 4, 0).tolist(),
                         [[0.25, 0.75, 0], [0, 0.75, 0.25], [0, 1, 0]])
        np.testing.assert_allclose(stream.wdl_targets(value, outcome, 1)[:2], [[0.75, 0, 0.25], [0.4, 0, 0.6]])

    def test_a_shard_that_is_written_anew_during_a_pass_is_not_read_on(self):
        """A resumed run may cut its last shard elsewhere: the old places would bring some rows twice and others never."""
        self.write("a/0", 40)
        self.write("a/1", 40)
        write_shard(self.path("a/1"), BOARD, random_rows(BOARD, 40, 1), final="no")
        for on_bad in ("warn", "error"):
            loader = Loader(self.stream(on_bad=on_bad))
            loader.parts = loader.stream.parts()
            write_shard(self.path("a/1"), BOARD, random_rows(BOARD, 40, 2), final="no")
            os.utime(self.path("a/1"), ns=(0, time.time_ns()))
            if on_bad == "warn":
                with self.assertWarnsRegex(UserWarning, "rows-000001.safetensors: was written anew"):
                    self.assertEqual(sum(len(batch["policy"]) for batch in loader), 40)
            else:
                with self.assertRaisesRegex(TensorFileError, "rows-000001.safetensors: was written anew"):
                    list(loader)
            self.assertEqual(sum(len(batch["policy"]) for batch in Loader(self.stream())), 80)

    def test_shards_with_and_without_the_newer_tensors_go_together(self):
        self.write("a/0", 20, full=np.zeros(20, np.uint8), surprise=np.ones(20, np.float32))
        self.write("a/1", 20, episode=np.arange(20, 40), ply=np.zeros(20, np.int32))
        found = list(self.stream())
        self.assertEqual(sorted(numbers(found)), list(range(40)))
        weight = {n: float(w) for b in found for n, w in zip(b["episode"].tolist(), b["policy_weight"])}
        self.assertEqual([weight[n] for n in range(40)], [0] * 20 + [1] * 20)

    def test_surprising_rows_weigh_more_and_the_mean_of_full_searches_stays_one(self):
        surprise = np.array([0, 2, 6, 0] * 4, np.float32)
        self.write("a/0", 16, surprise=surprise, full=np.array([1, 1, 1, 0] * 4, np.uint8))
        for share, expected in [(0, [1, 1, 1, 1]), (0.5, [0.5, 0.875, 1.625, 0.5]), (1, [0, 0.75, 2.25, 0])]:
            batch, = self.stream(surprise_share=share, batch=16)
            order = batch["episode"].argsort()
            self.assertEqual(batch["value_weight"][order].tolist(), expected * 4)
            self.assertEqual(batch["policy_weight"][order].tolist(), (expected[:3] + [0]) * 4)  # none is surprising

    def test_a_cheap_search_counts_for_its_surprise_beyond_one_and_a_half_times_the_mean_of_full_ones(self):
        surprise, full = np.array([1, 3, 3, 7], np.float32), np.array([1, 1, 0, 0], np.uint8)
        # mean of the full ones 2; beyond 3: 0 and 4; the sum of 1, 3, 0 and 4 is 8, and two searches are full
        self.assertEqual(stream.surprise_weights(surprise, full != 0).tolist(), [0.25, 0.75, 0, 1])
        self.write("a/0", 16, surprise=np.tile(surprise, 4), full=np.tile(full, 4))
        batch, = self.stream(surprise_share=0.5, batch=16)
        order = batch["episode"].argsort()
        self.assertEqual(batch["value_weight"][order].tolist(), [0.625, 0.875, 0.5, 1] * 4)
        self.assertEqual(batch["policy_weight"][order].tolist(), [0.625, 0.875, 0, 0.5] * 4)

    def test_without_a_full_search_or_a_surprise_full_searches_weigh_the_same(self):
        some, none = np.array([1, 2, 4], np.float32), np.zeros(3, np.float32)
        for surprise, full in [(some, [0, 0, 0]), (none, [1, 1, 1]), (none, [0, 0, 0]), (none, [1, 0, 1])]:
            self.assertEqual(stream.surprise_weights(surprise, np.array(full) != 0).tolist(), full)

    def test_where_all_searches_are_full_weights_are_the_surprise_over_its_mean_to_the_bit(self):
        for count in (1, 7, 1000):
            surprise = np.random.default_rng(count).exponential(size=count).astype(np.float32)
            weights = stream.surprise_weights(surprise, np.ones(count, bool))
            self.assertEqual(weights.tobytes(), (surprise / surprise.mean()).tobytes())


    def test_rows_that_no_search_can_have_said_are_refused(self):
        good = random_rows(BOARD, 20, 0)
        bads = [("value", np.float32(9) * good["value"]), ("outcome", np.full(20, -7, np.float32)),
                ("policy", good["policy"] * 0), ("policy", good["policy"] * 2 - 0.2)]
        for number, (name, bad) in enumerate(bads):
            self.write(f"{number}/0", 20, **{name: bad.astype(np.float32)})
            with self.assertRaisesRegex(TensorFileError, f"rows-000000.safetensors: {name}: holds "):
                list(self.stream(str(number)))


class Shuffling(Folder):
    def test_workers_of_a_loader_leave_no_row_out_more_often_than_others(self):
        """Every shard has a short last piece; where a batch is full, each epoch drops others."""
        for number in range(4):
            self.write(f"{number}/0", 20)
        seen = np.zeros(80)
        loader = Loader(self.stream(*"0123", batch=24, drop_last=True), workers=2)
        for _ in range(60):
            for batch in loader:
                seen[batch["episode"].numpy()] += 1
        whole, last = seen.reshape(4, 20)[:, :16].mean(), seen.reshape(4, 20)[:, 16:].mean()
        self.assertAlmostEqual(last / whole, 1, delta=0.25)

    def test_rows_of_all_shards_mix_even_in_a_small_window(self):
        for shard in range(8):
            self.write(f"a/{shard}", 256)
        order = np.array(numbers(self.stream(window=256, batch=64)))
        shards = [len(set(order[i:i + 64] // 256)) for i in range(0, len(order), 64)]
        self.assertGreater(np.mean(shards), 6)  # of 8; rows drawn evenly would give 8
        apart = np.abs(np.diff(order))
        self.assertGreater(np.median(apart), 300)  # drawn evenly: 600; unshuffled: 1
        self.assertLess(np.mean(apart == 1), 0.02)  # neighbours of the same game side by side
        self.assertLess(abs(np.corrcoef(order, np.arange(len(order)))[0, 1]), 0.2)

    def test_a_window_as_large_as_the_data_is_an_even_shuffle(self):
        self.write("a/0", 64)
        where = np.zeros((64, 64))
        for epoch in range(200):
            rows = self.stream(window=64, epoch=epoch)
            where[numbers(rows), np.arange(64)] += 1
        self.assertLess(((where - 200 / 64) ** 2 / (200 / 64)).sum(), 4400)  # chi-squared, 3969 expected, sigma 89

    def test_the_window_bounds_the_rows_held(self):
        arrays = random_rows(OTHER, 6000, seed=1)
        for shard in range(2):
            write_shard(self.path(f"a/{shard}"), OTHER, arrays)
        row = sum(array.nbytes for array in arrays.values()) / 6000
        window, piece, batch, most = 500, 64, 32, 0

        class Counted(stream.Window):
            def put(self, rows):
                nonlocal most
                for out in super().put(rows):
                    most = max(most, len(self.arrays["policy"]) + len(rows["policy"]))
                    yield out

        with mock.patch.object(stream, "Window", Counted):
            rows = self.stream(window=window, piece=piece, batch=batch)
            iterator = iter(rows)
            next(iterator)
            tracemalloc.start()
            before = tracemalloc.get_traced_memory()[0]
            seen = batch + sum(len(part["policy"]) for part in iterator)
            peak = tracemalloc.get_traced_memory()[1] - before
            tracemalloc.stop()
            self.assertEqual((seen, most), (12000, window + piece))
            most = 0
            self.assertGreater(sum(len(part["policy"]) for part in rows.batches(rows.parts(), 1, 4)), 2500)
            self.assertEqual(most, window // 4 + piece, "a worker holds more than its share")
        self.assertLess(peak, 500 * row + 500_000, "more than a window was allocated beside the window")


class Folders(Folder):
    def test_numbers_that_are_missing_and_files_that_are_no_shards_do_no_harm(self):
        kept = self.write("a/3", 10) + self.write("a/7", 10) + self.write("a/1000000", 10)
        content = self.path("a/3").read_bytes()
        for name in ("rows-000004.safetensors.tmp", "rows-5.safetensors", "rows-000006.safetensors.part", "games.txt",
                     ".rows-000008.safetensors.Xy1", "network.safetensors", "rows-abcdef.safetensors"):
            (self.folder / "a" / name).write_bytes(content)
        self.assertEqual(sorted(numbers(self.stream())), kept)

    def test_two_ranks_folders_are_one_set_and_overlapping_globs_count_once(self):
        every = sum((self.write(f"rank-{rank}/{shard}", 30) for rank in range(2) for shard in range(3)), [])
        (self.folder / "rank-notes.txt").touch()
        (self.folder / "a").mkdir()
        (self.folder / "rank-link").symlink_to(self.folder / "rank-1")
        for folders in (["rank-0", "rank-1"], ["rank-*"], ["rank-*", "rank-1"], ["rank-0", "rank-*", "a/../rank-0"]):
            self.assertEqual(sorted(numbers(Loader(self.stream(*folders), 2 * (len(folders) == 1)))), every)

    def test_the_newest_rows_are_those_of_the_last_folder_or_in_a_glob_of_the_last_numbers(self):
        a0, b0, a1, b1 = (self.write(name, 20) for name in ("rank-a/0", "rank-b/0", "rank-a/1", "rank-b/1"))
        for newest, ranks, follow_each_other in [
                (1, b1[19:], b1[19:]), (20, b1, b1), (25, a1[15:] + b1, b0[15:] + b1),
                (40, a1 + b1, b0 + b1), (70, a0[10:] + b0 + a1 + b1, a0[10:] + b0 + a1 + b1), (999, None, None)]:
            for folders, expected in ((["rank-*"], ranks), (["rank-a", "rank-b"], follow_each_other)):
                rows = self.stream(*folders, newest_rows=newest)
                self.assertEqual(sorted(numbers(Loader(rows, 2 * (newest == 25)))), sorted(expected or range(80)))
                self.assertEqual(rows.count(), min(newest, 80))
        self.assertEqual(sorted(numbers(self.stream("rank-*", newest_shards=2))), a1 + b1)
        self.assertEqual(sorted(numbers(self.stream("rank-a", "rank-b", newest_shards=2))), b0 + b1)

    def test_without_a_row_there_is_an_error_that_names_the_folder(self):
        self.assertRaisesRegex(TensorFileError, "/a: no such folder", list, self.stream())
        self.assertRaisesRegex(TensorFileError, r"rank-\*: no such folder", list, self.stream("rank-*"))
        (self.folder / "a").mkdir()
        self.assertRaisesRegex(TensorFileError, "/a: no rows in any shard", list, self.stream())
        self.write("a/0", 0)
        self.assertRaisesRegex(TensorFileError, "/a: no rows in any shard", list, self.stream())

    def test_a_folder_whose_name_looks_like_a_glob_is_itself(self):
        every = self.write("run[1]/0", 10)
        self.write("run1/0", 10)
        self.assertEqual(sorted(numbers(self.stream("run[1]"))), every)


class Damage(Folder):
    def setUp(self):
        super().setUp()
        self.every = [self.write(f"a/{shard}", 40) for shard in range(4)]

    def rest(self, without, rows=None, workers=0):
        """What is read with a warning for the shard `without`, whose text is returned, too."""
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("default")
            found = numbers(Loader(rows or self.stream(on_bad="warn"), workers))
        self.assertEqual(sorted(found), sorted(sum((e for i, e in enumerate(self.every) if i != without), [])))
        return [str(warning.message) for warning in caught if "rows-" in str(warning.message)]

    def test_a_shard_that_cannot_be_read_is_an_error_or_a_warning_with_its_name(self):
        good = self.path("a/2").read_bytes()
        for content in (b"", good[:100], good[:len(good) // 2], good[:-1], b"\xff" * 1000):
            self.path("a/2").write_bytes(content)
            for workers in (0, 2) if not content else (0,):
                self.assertRaisesRegex(TensorFileError, "rows-000002", list, Loader(self.stream(), workers))
                said, = self.rest(2, workers=workers)
                self.assertRegex(said, "rows-000002.safetensors: .*; going on without it")
        self.path("a/2").unlink()
        self.path("a/2").mkdir()
        self.assertRaisesRegex(TensorFileError, "rows-000002.*directory", list, self.stream())
        self.rest(2)

    def test_damage_that_only_the_rows_show_is_found_by_the_worker(self):
        value = np.full(40, np.nan, np.float32)
        write_shard(self.path("a/1"), BOARD, {**random_rows(BOARD, 40, 1), "value": value})
        for workers in (0, 2):
            self.assertRaisesRegex(TensorFileError, "rows-000001.*finite", list, Loader(self.stream(), workers))
        said, = self.rest(1)
        self.assertRegex(said, "rows-000001.*finite")
        with contextlib.redirect_stderr(io.StringIO()):
            self.rest(1, workers=2)

    def test_a_shard_of_another_game_is_refused_by_name(self):
        write_shard(self.path("a/1"), OTHER, random_rows(OTHER, 5, 1))
        self.assertRaisesRegex(TensorFileError, "rows-000001.*hex7.*own", list, self.stream())
        self.rest(1)
        self.assertRaisesRegex(TensorFileError, "rows-000003.*own.*hex7", list, self.stream(board=OTHER))

    def test_a_shard_that_is_deleted_during_a_pass_is_an_error_or_a_warning(self):
        def deleting(**settings):
            loader = Loader(self.stream(window=1, batch=4, **settings))
            batches = iter(loader)
            found = numbers([next(batches)])
            kept = [self.path(f"a/{shard}").read_bytes() for shard in range(4)]
            gone = [shard for shard in range(4) if shard != found[0] // 40]
            for shard in gone:
                self.path(f"a/{shard}").unlink()
            try:
                return gone, found + numbers(batches)
            finally:
                for shard in gone:
                    self.path(f"a/{shard}").write_bytes(kept[shard])

        self.assertRaisesRegex(TensorFileError, "rows-00000.*No such file", deleting)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("default")
            gone, found = deleting(on_bad="warn")
        self.assertEqual(len(found), len(set(found)))
        self.assertTrue(set(self.every[({0, 1, 2, 3} - set(gone)).pop()]) <= set(found))
        self.assertEqual({str(w.message).split("rows-")[1][:6] for w in caught}, {f"{shard:06}" for shard in gone})


class Resuming(Folder):
    def setUp(self):
        super().setUp()
        for shard, count in enumerate([100, 30, 57, 3]):
            self.write(f"a/{shard}", count)

    def test_the_rest_of_an_epoch_is_the_same_after_a_restart(self):
        for workers, stops in [(0, [0, 1, 5, -1, None]), (1, [5]), (3, [1, 5, -2])]:
            whole = Loader(self.stream(window=50), workers)
            orders = [[numbers([batch]) for batch in whole] for _ in range(2)]
            for stop in (len(orders[0][:stop]) for stop in stops):
                before = Loader(self.stream(window=50), workers)
                batches = iter(before)
                found = [numbers([next(batches)]) for _ in range(stop)]
                state = json.loads(json.dumps(before.state_dict()))
                after = Loader(self.stream(window=50), workers)
                after.load_state_dict(state)
                found += [numbers([batch]) for batch in after]
                self.assertEqual(found, orders[0], f"{workers} workers, stopped after {stop} batches")
                if stop == 5:
                    self.assertEqual([numbers([batch]) for batch in after], orders[1])

    def test_shards_that_come_after_the_restart_belong_to_the_next_epoch(self):
        loader, count = Loader(self.stream(), 0), self.rows
        batches = iter(loader)
        found = numbers(next(batches) for _ in range(3))
        state = loader.state_dict()
        self.write("a/9", 40)
        again = Loader(self.stream(), 0)
        again.load_state_dict(state)
        self.assertEqual(sorted(found + numbers(again)), list(range(count)))
        self.assertEqual(sorted(numbers(again)), list(range(self.rows)))

    def test_a_position_of_other_settings_is_refused(self):
        state = Loader(self.stream(), 2).state_dict()
        for loader in (Loader(self.stream(), 1), Loader(self.stream(batch=9), 2), Loader(self.stream(seed=2), 2)):
            self.assertRaisesRegex(ValueError, "position is of", loader.load_state_dict, state)
        self.assertRaisesRegex(ValueError, "no position", Loader(self.stream(follow=True)).state_dict)


class Following(Folder):
    def writer(self, names, count, pause=0.02):
        """A thread that writes shards, each first under another name; sets `self.done` at its end."""
        self.done, self.written = threading.Event(), []

        def write():
            for name in names:
                time.sleep(pause)
                part = self.path(name).with_suffix(".safetensors.tmp")
                written = self.write("staging/0", count)
                part.parent.mkdir(exist_ok=True)
                shutil.copyfile(self.path("staging/0"), part)
                os.rename(part, self.path(name))
                self.written += written
            self.done.set()

        thread = threading.Thread(target=write)
        self.addCleanup(thread.join)
        thread.start()

    def followed(self, workers=0, *folders, until=lambda: False, **settings):
        """The numbers of the rows that a stream gives; fails if it does not end."""
        late = time.monotonic() + LONGEST

        def checked():
            self.assertLess(time.monotonic(), late, "the stream does not end")
            return until()

        return numbers(Loader(self.stream(*folders, follow=True, poll=0.01, until=checked, **settings), workers))

    def test_rows_that_are_written_meanwhile_are_seen_once_until_the_writer_ends(self):
        there = self.write("a/0", 50)
        self.writer([f"a/{shard}" for shard in range(1, 30)], 20)
        found = self.followed(until=self.done.is_set, window=40)
        self.assertEqual(sorted(found), sorted(there + self.written))
        self.assertEqual(len(self.written), 29 * 20)

    def test_several_workers_follow_two_ranks_folders_one_of_which_comes_late(self):
        there = self.write("rank-0/0", 50)
        self.writer([f"rank-{shard % 3 // 2}/{shard}" for shard in range(1, 20)], 20)
        flag = self.folder / "end"
        threading.Thread(target=lambda: (self.done.wait(), flag.touch())).start()
        found = self.followed(3, "rank-*", until=flag.exists, window=40)
        self.assertEqual(sorted(found), sorted(there + self.written))

    def test_workers_end_when_the_process_that_they_work_for_is_killed(self):
        self.write("a/0", 50)
        program = ("import sys; from stream import Loader, Stream\n"
                   "for _ in Loader(Stream(sys.argv[1], follow=True, poll=0.01, batch=10, window=10), workers=2):\n"
                   "    print('a batch', flush=True)")
        trainer = subprocess.Popen([sys.executable, "-c", program, self.folder / "a"], stdout=subprocess.PIPE,
                                   env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)})
        self.addCleanup(trainer.kill)
        trainer.stdout.readline()
        trainer.kill()
        trainer.communicate(timeout=LONGEST)  # the workers have its output open for as long as they run

    def test_batches_come_before_the_writer_ends(self):
        self.write("a/0", 50)
        go_on = threading.Event()
        batches = iter(self.stream(follow=True, poll=0.01, window=10, until=go_on.is_set))
        found = numbers(next(batches) for _ in range(5))
        late = self.write("a/1", 40)
        found += numbers(next(batches) for _ in range(5))
        self.assertTrue(set(found) & set(late))
        go_on.set()
        self.assertEqual(sorted(found + numbers(batches)), list(range(90)))

    def test_a_loader_that_follows_begins_anew_after_a_break(self):
        self.write("a/0", 50)
        for workers in (0, 2):
            loader = Loader(self.stream(follow=True, poll=0.01, window=10, until=lambda: True), workers)
            next(iter(loader))
            self.write(f"a/{1 + workers}", 40)
            self.assertEqual(sorted(numbers(loader)), list(range(self.rows)))

    def test_a_shard_that_is_not_final_is_read_when_it_is_or_at_the_end(self):
        def write(name, numbers, final):
            arrays = {**random_rows(BOARD, len(numbers), seed=1), "episode": np.array(numbers)}
            self.path(name).unlink(missing_ok=True)  # as a run that goes on does first
            write_shard(self.path(name), BOARD, arrays, final=final)

        def stopped():
            write("a/0", range(40), "yes")
            write("a/1", range(40, 50), "no")
            write("a/2", range(60, 75), "no")

        stopped()
        self.assertEqual(sorted(numbers(self.stream())), [*range(50), *range(60, 75)])
        for settings in (dict(idle=0.1), dict(until=lambda: True)):
            self.assertEqual(sorted(self.followed(**settings)), [*range(50), *range(60, 75)])
        looks = []

        def until():
            looks.append(None)
            if len(looks) == 5:  # the run goes on; what it left is cut differently now
                write("a/1", range(40, 80), "yes")
                write("a/2", range(80, 90), "no")
            return len(looks) > 8

        self.assertEqual(sorted(self.followed(until=until)), list(range(90)))

    def test_it_ends_when_nothing_has_come_for_long_enough(self):
        self.write("a/0", 50)
        began = time.monotonic()
        self.assertEqual(sorted(self.followed(idle=0.3)), list(range(50)))
        self.assertGreaterEqual(time.monotonic() - began, 0.3)

    def test_a_folder_that_is_not_there_yet_is_waited_for(self):
        self.writer(["a/0", "a/1"], 30, pause=0.2)
        self.assertEqual(sorted(self.followed(until=self.done.is_set)), self.written)
        self.assertEqual(len(self.written), 60)

    def test_the_newest_limit_what_is_there_at_the_beginning_and_nothing_later(self):
        for settings in (dict(newest_rows=15), dict(newest_shards=1)):
            shutil.rmtree(self.folder / "a", ignore_errors=True)
            _, last = self.write("a/0", 20), self.write("a/1", 20)
            looks, late = [], []

            def until():
                looks.append(None)
                if len(looks) == 2:  # after the first look
                    late.extend(self.write("a/2", 30) + self.write("a/3", 30))
                return len(looks) > 2

            expected = last[20 - settings.get("newest_rows", 20):]
            self.assertEqual(sorted(self.followed(until=until, **settings)), expected + late)
            self.assertEqual(len(late), 60)

    def test_a_copy_under_way_is_read_when_it_is_whole(self):
        self.write("a/0", 40)
        late = self.write("b/1", 40)
        content, path = self.path("b/1").read_bytes(), self.path("a/1")
        looks = []

        def until():
            looks.append(None)
            size = min(len(looks) * 500, len(content))
            path.write_bytes(content[:size])
            return size == len(content)

        with warnings.catch_warnings():
            warnings.simplefilter("error")
            self.assertEqual(sorted(self.followed(until=until, patience=0)), list(range(80)))
        self.assertGreater(len(looks), 3)

    def test_a_shard_that_stays_broken_is_named_at_the_end_or_after_some_patience(self):
        self.write("a/0", 40)
        self.path("a/1").write_bytes(b"broken")
        self.assertRaisesRegex(TensorFileError, "rows-000001", self.followed, idle=0.1)
        with self.assertWarnsRegex(UserWarning, "rows-000001.*going on without"):
            self.assertEqual(sorted(self.followed(idle=0.1, on_bad="warn")), list(range(40)))
        # an end that never comes, so that only the lost patience can end it
        self.assertRaisesRegex(TensorFileError, "rows-000001", self.followed, patience=0.1)

    def test_a_shard_that_vanishes_before_it_is_opened_is_named(self):
        self.write("a/0", 40)
        gone = (str(self.path("a/1")), 1)
        find = folders.find
        with mock.patch.object(folders, "find", lambda *data, **more: find(*data, **more) + [gone]):
            self.assertRaisesRegex(TensorFileError, "rows-000001.*No such file", self.followed)
            self.assertRaisesRegex(TensorFileError, "rows-000001.*No such file", list, self.stream())

    def test_a_shard_that_vanishes_before_it_is_opened_may_be_written_anew(self):
        self.write("a/0", 40)
        gone, find = [(str(self.path("a/1")), 1)], folders.find
        # as when a run that was stopped is resumed between the two
        with mock.patch.object(folders, "find", lambda *data, **more: find(*data, **more) + (gone and [gone.pop()])):
            self.assertEqual(sorted(self.followed(idle=0.1)), list(range(40)))


class Program(Folder):
    def test_it_counts_the_rows(self):
        self.write("a/0", 40)
        out, err = io.StringIO(), io.StringIO()
        with mock.patch("sys.argv", ["stream.py", str(self.folder / "a")]), contextlib.redirect_stdout(out):
            self.assertEqual(stream.main(), 0)
        self.assertRegex(out.getvalue(), r"^40 rows in .* rows/s with 0 workers; .* s of processor time\n$")
        with mock.patch("sys.argv", ["stream.py", str(self.folder / "b")]), contextlib.redirect_stderr(err):
            self.assertEqual(stream.main(), 1)
        self.assertRegex(err.getvalue(), r"^stream.py: .*/b: no such folder\n$")


if __name__ == "__main__":
    unittest.main()
