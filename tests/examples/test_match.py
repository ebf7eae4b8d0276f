"""The arena, match: its games, what it counts and works out of them, and when it stops."""
import json
import math
import os
import re
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path

MATCH = Path(os.environ["BATCHMATE_EXAMPLES_DIR"]) / "match"
SHIPPED = Path(os.environ["BATCHMATE_SOURCE_DIR"]) / "examples" / "networks"
STRENGTH = Path(os.environ["BATCHMATE_SOURCE_DIR"]) / "benchmarks" / "strength.py"
NETWORK = "random:2x8:1"
TWO_SETTINGS = ["--first", f"{NETWORK},simulations=24,leaves=3", "--second", "uniform,simulations=16"]
LINES = [[3 * r + c for c in range(3)] for r in range(3)] + [[3 * r + c for r in range(3)] for c in range(3)] + \
    [[0, 4, 8], [2, 4, 6]]


def run(*flags):
    """(exit status, standard output, standard error) of the program."""
    done = subprocess.run([MATCH, "--progress", "0", *flags], capture_output=True, text=True, timeout=300)
    return done.returncode, done.stdout, done.stderr


def score_of(text):
    """Half points."""
    return {"0": 0, "1/2": 1, "1": 2}[text]


def tictactoe_winner(moves):
    """Who wins after these moves, 0 for whoever moved first, 1 or None; checks that the game goes on until then."""
    board, winner = [None] * 9, None
    for ply, move in enumerate(moves):
        assert winner is None, moves
        cell = "abc".index(move[0]) + 3 * (int(move[1:]) - 1)
        assert board[cell] is None, moves
        board[cell] = ply % 2
        if any(all(board[c] == ply % 2 for c in line) for line in LINES):
            winner = ply % 2
    assert winner is not None or None not in board, moves
    return winner


@unittest.skipUnless(MATCH.exists(), "match was not built")
class Match(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def output(self, *flags):
        """Standard output of a match that must succeed without a complaint."""
        status, out, err = run(*flags)
        self.assertEqual((status, err), (0, ""))
        return out

    def play(self, *flags):
        """(summary, games as lists of a line's fields) of a match that must succeed."""
        out, summary = self.folder / "games.txt", self.folder / "summary.json"
        self.output("--out", out, "--overwrite", "--summary", summary, *flags)
        header, *lines = out.read_text().splitlines()
        self.assertRegex(header, r"\A# \w+: pair, who moves first, points of the first player, opening, moves\Z")
        return json.loads(summary.read_text()), [line.split("\t") for line in lines]

    def openings(self, *lines):
        """A file of openings."""
        path = self.folder / "openings.txt"
        path.write_text("".join(line + "\n" for line in lines))
        return path

    def refused(self, status, *flags):
        """The one line with which the program must refuse its flags."""
        found, out, err = run(*flags)
        self.assertEqual((found, out), (status, ""), err)
        self.assertRegex(err, r"\Amatch: [^\n]+\n\Z")
        return err


class GamesTest(Match):
    def test_games_are_played_by_the_rules_and_scored_for_the_first_player(self):
        _, games = self.play("--game", "tictactoe", *TWO_SETTINGS, "--openings", "60", "--opening-plies", "2")
        self.assertEqual(len(games), 120)
        results = set()
        for _, mover, points, opening, moves in games:
            winner = tictactoe_winner(opening.split() + moves.split())
            # After two plies whoever moves first makes the plies 2, 4, ...: those of player 0.
            first_player = 0 if mover == "first" else 1
            self.assertEqual(score_of(points), 1 if winner is None else 2 * (winner == first_player))
            results.add((mover, points))
        self.assertGreaterEqual(len(results), 4)  # both colours win, so that a wrong sign would show

    def test_every_opening_is_played_with_both_colours_and_openings_differ(self):
        _, games = self.play("--game", "hex7", *TWO_SETTINGS, "--openings", "30", "--opening-plies", "2")
        self.assertEqual([game[0] for game in games], [str(i // 2) for i in range(60)])
        self.assertEqual([game[1] for game in games], ["first", "second"] * 30)
        for one, other in zip(games[::2], games[1::2]):
            self.assertEqual(one[3], other[3])
        positions = {(frozenset(a.split()[::2]), frozenset(a.split()[1::2])) for a in (g[3] for g in games)}
        self.assertEqual(len(positions), 30)

    def test_games_do_not_depend_on_batching_and_threads(self):
        sampling = ["--first", f"{NETWORK},simulations=20,noise=0.25,temperature=1,temperature-plies=9",
                    "--second", f"{NETWORK},search=topk,widths=3/4,temperature=1"]
        gumbel = ["--first", f"{NETWORK},search=gumbel,simulations=20,noise=1,leaves=4", "--second", "rollout"]
        graph = ["--first", f"{NETWORK},search=graph,simulations=20,noise=0.25", "--second", "rollout"]
        for players in [TWO_SETTINGS, sampling, gumbel, graph]:
            with self.subTest(players):
                summary, games = self.play(*players, "--openings", "15", "--games", "1", "--threads", "1")
                for games_in_flight, threads in [("7", "1"), ("8", "3"), ("30", "2"), ("500", "64")]:
                    other, others = self.play(*players, "--openings", "15", "--games", games_in_flight,
                                              "--threads", threads)
                    self.assertEqual(games, others)
                    self.assertEqual({**summary, "seconds": 0}, {**other, "seconds": 0})

    def test_another_seed_gives_other_openings_and_other_draws(self):
        players = ["--first", f"{NETWORK},simulations=9,temperature=1,temperature-plies=9", "--second", "uniform",
                   "--simulations", "9"]
        summaries, games = zip(*(self.play(*players, "--openings", "10", "--seed", seed) for seed in ["10", "2", "010"]))
        self.assertEqual(summaries[0]["games_hash"], summaries[2]["games_hash"])
        self.assertNotEqual(summaries[0]["games_hash"], summaries[1]["games_hash"])
        self.assertNotEqual([g[3] for g in games[0]], [g[3] for g in games[1]])
        # From the same openings, what is drawn in the games differs, too.
        file = self.openings(*(g[3] for g in games[0][::2]))
        drawn = [[g[4] for g in self.play(*players, "--openings", file, "--seed", seed)[1]] for seed in ["10", "2"]]
        self.assertEqual(drawn[0], [g[4] for g in games[0]])
        self.assertNotEqual(drawn[0], drawn[1])

    def test_the_documented_fields_are_those_of_the_summary(self):
        text = (Path(os.environ["BATCHMATE_SOURCE_DIR"]) / "docs" / "strength.md").read_text()
        fields = re.findall(r"`(\w+)`", text.split("- **Summary.**")[1].split("\n\n")[0].split(" Null is ")[0])
        summary, _ = self.play(*TWO_SETTINGS, "--openings", "2", "--sprt", "elo0=-10,elo1=10")
        self.assertEqual(sorted(fields), sorted(summary))

    def test_a_player_against_itself_makes_one_point_of_every_pair(self):
        summary, games = self.play("--first", NETWORK, "--second", NETWORK, "--simulations", "12", "--openings", "20")
        self.assertEqual(summary["pairs"], [0, 0, 20, 0, 0])
        self.assertEqual((summary["elo"], summary["score"], summary["superiority"]), (0, 0.5, 0.5))
        self.assertAlmostEqual(summary["elo_low"], -summary["elo_high"])
        # Pairs would be won whole with a chance of 1 - exp(-1.92 / 20), or lost whole.
        self.assertAlmostEqual(summary["elo_high"], -400 * math.log10(2 / (2 - math.exp(-1.9207 / 20)) - 1), delta=0.5)
        for one, other in zip(games[::2], games[1::2]):
            self.assertEqual(one[4], other[4])

    def test_more_simulations_and_every_search_setting_change_the_play(self):
        second = ["--second", NETWORK + ",simulations=30", "--openings", "8"]
        usual = self.play("--first", NETWORK + ",simulations=30", *second)[1]
        for change in ["simulations=60", "leaves=4", "exploration=3", "fpu-reduction=0.4",
                       "search=gumbel", "search=graph",
                       "noise=0.5", "final-temperature=1"]:
            with self.subTest(change):
                self.assertNotEqual(usual, self.play("--first", f"{NETWORK},simulations=30,{change}", *second)[1])
        self.assertNotEqual(usual, self.play("--first", f"{NETWORK},search=topk,widths=5/5", *second)[1])

    def test_rollouts_are_as_many_as_asked_for(self):
        games = {}
        for name, identity in [("rollout", "rollout:1:0"), ("rollout:1", "rollout:1:0"), ("rollout:1:0", "rollout:1:0"),
                               ("rollout:1:5", "rollout:1:5"), ("rollout:9", "rollout:9:0")]:
            summary, games[name] = self.play("--first", f"{name},simulations=9", "--second", "uniform,simulations=9",
                                             "--openings", "9")
            self.assertEqual(summary["first"], identity)
        self.assertEqual(games["rollout"], games["rollout:1"])
        self.assertEqual(games["rollout"], games["rollout:1:0"])
        self.assertNotEqual(games["rollout"], games["rollout:1:5"])
        self.assertNotEqual(games["rollout"], games["rollout:9"])

    def test_every_search_is_at_its_strongest_unless_a_player_asks_for_noise(self):
        searches = re.findall(r"search=(\w+): ", self.output("--help"))
        self.assertGreater(len(searches), 3)
        for search in searches:
            summary, _ = self.play("--game", "tictactoe", "--openings", "1", "--first", f"uniform,search={search}",
                                   "--second", "uniform")
            with self.subTest(search):
                found = re.findall(r" (?:noise|temperature)=([^ /]+)", summary["first_search"])
                self.assertTrue(found)
                self.assertEqual(set(found), {"0"})

    def test_a_cache_changes_nothing(self):
        flags = ["--second", "uniform", "--simulations", "20", "--openings", "10"]
        self.assertEqual(self.play("--first", NETWORK, *flags)[1], self.play("--first", NETWORK + ",cache=512", *flags)[1])


class ScoreTest(Match):
    def test_summary_counts_what_the_games_say(self):
        summary, games = self.play("--game", "connect4", *TWO_SETTINGS, "--openings", "60")
        points = [score_of(game[2]) for game in games]
        self.assertEqual([points.count(k) for k in (2, 1, 0)], [summary[k] for k in ("wins", "draws", "losses")])
        self.assertEqual(points[::2].count(2), summary["wins_moving_first"])
        pairs = [a + b for a, b in zip(points[::2], points[1::2])]
        self.assertEqual([pairs.count(k) for k in range(5)], summary["pairs"])
        self.assertEqual(summary["score"], sum(points) / 240)
        self.assertEqual(summary["plies"], sum(len(game[4].split()) for game in games))

    def test_elo_and_its_interval_are_those_of_the_pairs(self):
        summary, _ = self.play(*TWO_SETTINGS, "--openings", "60", "--confidence", "0.9")
        mean, shares = summary["score"], [max(n, 0.001) / 60 for n in summary["pairs"]]
        self.assertAlmostEqual(summary["elo"], -400 * math.log10(1 / mean - 1), places=3)
        self.assertEqual(summary["confidence"], 0.9)
        self.assertLess(summary["elo_low"], summary["elo"])
        self.assertLess(summary["elo"], summary["elo_high"])
        for elo in summary["elo_low"], summary["elo_high"]:
            # The likeliest chances of this mean are shares / (1 + t * offs), with the t that makes them sum to 1.
            offs = [k / 4 - 1 / (1 + 10 ** (-elo / 400)) for k in range(5)]
            low, high = -1 / offs[4], -1 / offs[0]
            for _ in range(100):
                t = (low + high) / 2
                excess = sum(share * off / (1 + t * off) for share, off in zip(shares, offs))
                low, high = (t, high) if excess > 0 else (low, t)
            lost = 60 * sum(share * math.log(1 + t * off) for share, off in zip(shares, offs))
            self.assertAlmostEqual(2 * lost, 1.6448536 ** 2, delta=0.01)

    def test_who_makes_all_points_has_one_bound(self):
        summary, _ = self.play("--game", "tictactoe", "--first", "uniform,simulations=200", "--second",
                               "uniform,simulations=1", "--openings", "3", "--opening-plies", "1")
        self.assertEqual(summary["pairs"], [0, 0, 0, 0, 3])
        self.assertEqual((summary["elo"], summary["elo_high"]), (None, None))
        self.assertAlmostEqual(summary["elo_low"], -400 * math.log10(math.exp(1.9207 / 3) - 1), delta=2)

    def test_the_printed_result_agrees_with_the_summary(self):
        out = self.output(*TWO_SETTINGS, "--openings", "20", "--summary", self.folder / "s.json")
        summary = json.loads((self.folder / "s.json").read_text())
        self.assertIn(f"connect4: {TWO_SETTINGS[1]} against uniform,simulations=16\n", out)
        self.assertIn(f"40 games: {summary['wins']} won ({summary['wins_moving_first']} moving first), "
                      f"{summary['draws']} drawn, {summary['losses']} lost; score {100 * summary['score']:.1f} %\n", out)
        self.assertIn("points: " + ", ".join(map(str, summary["pairs"])) + "\n", out)
        self.assertRegex(out, r"\nElo [+-]\d+\.\d, with 95 % confidence [+-]\S+ to [+-]\S+; stronger with chance ")

    def test_a_summary_to_standard_output_is_all_there_is_on_it(self):
        status, out, err = run(*TWO_SETTINGS, "--openings", "2", "--summary", "-")
        self.assertEqual((status, json.loads(out)["openings"]), (0, 2))
        self.assertIn("4 games: ", err)


class TestTest(Match):
    strong = ["--first", "uniform,simulations=200", "--second", "uniform,simulations=4"]
    test = ["--sprt", "elo0=0,elo1=100", "--openings", "300"]

    def test_ends_the_match_when_the_pairs_decide(self):
        summary, games = self.play(*self.strong, *self.test, "--games", "8")
        self.assertEqual(summary["sprt"]["accepted"], "H1")
        self.assertGreaterEqual(summary["sprt"]["ratio"], summary["sprt"]["upper"])
        self.assertAlmostEqual(summary["sprt"]["upper"], math.log(19))
        self.assertLess(len(games), 100)
        self.assertEqual(sum(summary["pairs"]) * 2, len(games))
        swapped, _ = self.play("--first", self.strong[3], "--second", self.strong[1], *self.test)
        self.assertEqual(swapped["sprt"]["accepted"], "H0")

    def test_the_pair_that_decides_does_not_depend_on_batching_and_threads(self):
        one, games = self.play(*self.strong, *self.test, "--games", "2", "--threads", "1")
        for flags in (["--games", "600", "--threads", "1"], ["--games", "50", "--threads", "3"]):
            other, others = self.play(*self.strong, *self.test, *flags)
            self.assertEqual((one["games_hash"], games), (other["games_hash"], others))

    def test_is_undecided_when_openings_run_out(self):
        out = self.output(*self.strong, "--sprt", "elo0=0,elo1=5,alpha=0.01,beta=0.1", "--openings", "10")
        self.assertRegex(out, r"test of Elo 0 \(H0\) against 5 \(H1\): log-likelihood ratio \d\.\d\d in \(-2\.29, 4\.50\), "
                              r"not decided\n\Z")


class OpeningsTest(Match):
    players = ["--first", "uniform", "--second", "uniform", "--simulations", "3"]

    def test_a_file_holds_moves_and_positions(self):
        empty = "/".join(["." * 7] * 5)
        file = self.openings("# two by moves, two by positions", "4 4 3", "", "  1 2\t", empty + "/...x... o",
                             empty + "/.o.x.x. o")
        summary, games = self.play(*self.players, "--openings", file)
        self.assertEqual([game[3] for game in games[::2]], ["4 4 3", "1 2", empty + "/...x... o", empty + "/.o.x.x. o"])
        self.assertEqual(summary["openings"], 4)

    def test_written_openings_can_be_played_again(self):
        flags = [*self.players, "--game", "hex7"]
        summary, games = self.play(*flags, "--openings", "12")
        again, _ = self.play(*flags, "--openings", self.openings(*(game[3] for game in games[::2])))
        self.assertEqual(summary["games_hash"], again["games_hash"])

    def test_a_bad_line_is_named_with_its_number(self):
        for line, reason in [("4 9", "'9' is no move of connect4, nor is the line a position"),
                             ("1 1 1 1 1 1 1", "move 7, '1', cannot be played"),
                             ("1 2 1 2 1 2 1", "the game is over in this position"),
                             ("1 2 1 2 1 2 1 2", "the game is over before move 8, '2'"),
                             ("3 2 1", "the same position as in line 2")]:
            with self.subTest(line):
                file = self.openings("# connect4", "1 2 3", "", line)
                self.assertIn(f"{file}:4: {reason}", self.refused(1, *self.players, "--openings", file))

    def test_a_file_without_openings_or_missing_is_refused(self):
        file = self.openings("# nothing", "")
        self.assertIn(f"{file}: holds no opening", self.refused(1, *self.players, "--openings", file))
        self.assertIn("no/file: cannot open", self.refused(1, *self.players, "--openings", "no/file"))

    def test_more_openings_than_there_are_are_refused(self):
        self.assertIn("found 7 distinct positions after 1 random plies, expected 8",
                      self.refused(1, *self.players, "--opening-plies", "1", "--openings", "8"))


class SgfTest(Match):
    players = ["--first", "uniform,simulations=4", "--second", "rollout,simulations=2"]

    def sgf(self, *flags):
        """(games as lists of a line's fields, games of the SGF file as (properties, moves))."""
        path = self.folder / "games.sgf"
        _, games = self.play(*self.players, "--sgf", path, *flags)
        found = []
        for line in path.read_text().splitlines():
            root, *moves = re.fullmatch(r"\(;(.*)\)", line)[1].split(";")
            moves = [re.fullmatch(r"([BW])\[([a-z0-9]*)\]", move).groups() for move in moves]
            self.assertEqual([colour for colour, _ in moves], [*"BW" * len(moves)][:len(moves)])
            found.append((dict(re.findall(r"([A-Z]+)\[([^]]*)\]", root)), [move for _, move in moves]))
        return games, found

    def test_tells_the_games_of_the_other_file(self):
        def as_cells(move):
            return move or "pass"

        def as_letters(move):
            return f"{move[0]}{ord(move[1]) - ord('a') + 1}" if move else "pass"

        for game, number, size, cell, plies in [("othello", 2, 8, as_cells, 4), ("hex7", 11, 7, as_cells, 3),
                                                ("gomoku", 4, 15, as_letters, 5), ("go9", 1, 9, as_letters, 2)]:
            with self.subTest(game):
                games, found = self.sgf("--game", game, "--openings", "3", "--opening-plies", str(plies))
                self.assertEqual(len(found), 6)
                for (_, mover, points, opening, moves), (properties, told) in zip(games, found):
                    self.assertEqual((properties["FF"], properties["GM"], properties["SZ"]), ("4", str(number), str(size)))
                    self.assertEqual([cell(move) for move in told], opening.split() + moves.split())
                    # The first player is black if it moves first after an even number of plies.
                    is_black = (mover == "first") == (plies % 2 == 0)
                    names = [properties["PB"], properties["PW"]]
                    self.assertEqual(names if is_black else names[::-1], self.players[1::2])
                    winner = {"B": 2 if is_black else 0, "W": 0 if is_black else 2, "0": 1}[properties["RE"][0]]
                    self.assertEqual(winner, score_of(points))

    def test_openings_are_moves_and_komi_is_told(self):
        start = "/".join(["." * 9] * 9)
        games, found = self.sgf("--game", "go9", "--openings", self.openings("pass e5", start + " x 6.5"))
        self.assertEqual([properties["KM"] for properties, _ in found], ["7.5", "7.5", "6.5", "6.5"])
        self.assertEqual(found[0][1][:2], ["", "ee"])
        position = "/".join(["." * 9] * 8 + ["x........"]) + " o 7.5"
        self.assertIn(position, self.refused(1, "--game", "go9", "--sgf", self.folder / "x", "--openings",
                                             self.openings("e5", position)))

    def test_games_that_sgf_does_not_know_are_refused(self):
        path = self.folder / "games.sgf"
        for game in ["connect4", "tictactoe", "breakthrough8"]:
            self.assertIn(f"--sgf: SGF does not know {game}, but hex7, ", self.refused(2, "--game", game, "--sgf", path))
        self.assertFalse(path.exists())


class StrengthTest(Match):
    """benchmarks/strength.py."""

    ROW = "| tictactoe | 9 | `uniform` | `uniform,simulations=4` | 20 | - | - |"

    def fill(self, *flags, rows=ROW, machine=""):
        document = self.folder / "strength.md"
        document.write_text(f"<!-- machine -->\n{machine}<!-- /machine -->\n\n| game | simulations | first | second | openings "
                            f"| won | pairs |\n| --- | --- | --- | --- | --- | --- | --- |\n{rows}\n\nThe end.\n")
        done = subprocess.run([sys.executable, STRENGTH, document, "--program", MATCH, *flags], capture_output=True,
                              text=True, timeout=300)
        return done, document.read_text()

    def test_fills_a_row_with_its_match(self):
        done, text = self.fill(machine="an old machine.\n")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        summary, _ = self.play("--game", "tictactoe", "--simulations", "9", "--first", "uniform", "--second",
                               "uniform,simulations=4", "--openings", "20")
        self.assertIn(f"\n| tictactoe | 9 | `uniform` | `uniform,simulations=4` | 20 | {summary['wins']} | "
                      f"{', '.join(map(str, summary['pairs']))} |\n\nThe end.\n", text)
        self.assertRegex(text, r"\A<!-- machine -->\n(?!an old machine).* cores; .*\n<!-- /machine -->\n\n")

    def test_some_rows_do_not_change_where_the_others_are_from(self):
        rows = f"{self.ROW}\n| tictactoe | 9 | `rollout` | `uniform` | 20 | 3 | - |"
        machine = "An old machine.\nRows with `=4`: a middle-aged one.\nRows with `x`: another.\n"
        done, text = self.fill("--only", "=4", rows=rows, machine=machine)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertIn("\n| tictactoe | 9 | `rollout` | `uniform` | 20 | 3 | - |\n", text)
        self.assertRegex(text, r"\A<!-- machine -->\nAn old machine\.\nRows with `x`: another\.\nRows with `=4`: "
                               r".* cores; .*\n<!-- /machine -->\n\n")

    def test_a_match_that_fails_is_named_and_leaves_the_document(self):
        done, text = self.fill("--openings", "3", rows="| tictactoe | 9 | `nothing` | `uniform` | 20 | - | - |")
        self.assertEqual(done.returncode, 1)
        self.assertIn("nothing: cannot open", done.stderr)
        self.assertIn("| `nothing` | `uniform` | 20 | - | - |", text)


class FilesTest(Match):
    """The files of games."""

    def test_they_stay_as_they_are_if_the_match_cannot_begin(self):
        for flag, game in [("--out", "connect4"), ("--sgf", "hex7")]:
            old, new = self.folder / f"old{flag}", self.folder / f"new{flag}"
            old.write_text("games\n")
            for bad in [["--first", "no/such.safetensors"], ["--openings", "no/file"], ["--opening-plies", "9999"]]:
                with self.subTest(flag=flag, bad=bad):
                    self.refused(1, "--game", game, flag, old, "--overwrite", *bad)
                    self.refused(1, "--game", game, flag, new, *bad)
                    self.assertEqual((old.read_text(), new.exists()), ("games\n", False))
        for file in [old, new]:
            self.refused(2, "--game", "go9", "--out", file, "--overwrite", "--first", "uniform,search=graph")
        self.assertEqual((old.read_text(), new.exists()), ("games\n", False))
        self.refused(1, "--game", "hex7", "--first", "uniform", "--out", old, "--sgf", "/no/such/folder/sgf", "--overwrite")
        self.refused(2, "--game", "hex7", "--first", "uniform", "--out", old, "--sgf", old, "--overwrite")
        again = old.parent / ".." / old.parent.name / old.name
        for one, other in [("--sgf", "--out"), ("--summary", "--out"), ("--summary", "--sgf")]:
            self.assertIn(f"{one}: {again} is the file of {other}",
                          self.refused(2, "--game", "hex7", "--first", "uniform", other, old, one, again, "--overwrite"))
        self.assertEqual(old.read_text(), "games\n")

    def test_one_that_holds_something_is_replaced_only_if_asked(self):
        for flag, game in [("--out", "connect4"), ("--sgf", "hex7")]:
            old, new = self.folder / f"old{flag}", self.folder / f"new{flag}"
            old.write_text("games\n")
            new.touch()
            flags = ["--game", game, "--first", "uniform", "--second", "rollout", "--simulations", "2", "--openings", "1"]
            self.assertIn(f"{old}: holds something already; overwrite it (--overwrite), or take another file",
                          self.refused(1, *flags, flag, old))
            self.assertEqual(old.read_text(), "games\n")
            self.output(*flags, flag, new)
            self.output(*flags, flag, old, "--overwrite")
            self.assertEqual(old.read_text(), new.read_text())
            self.assertNotIn("games\n", old.read_text())


class FlagsTest(Match):
    def test_bad_flags_are_refused_in_one_line(self):
        for flags, reason in [(["--first", NETWORK + ",width=3"], "no setting 'width' of puct"),
                              (["--first", NETWORK + ",search=topk,leaves=2"], "no setting 'leaves' of topk"),
                              (["--first", NETWORK + ",search=minimax"], "--first: search: there is no 'minimax'"),
                              (["--first", NETWORK + ",search=graph", "--game", "go9"], "as go9 does not"),
                              (["--first", NETWORK + ",leaves"], "expected KEY=VALUE, found 'leaves'"),
                              (["--second", NETWORK + ",leaves=two"], "--second: leaves: expected a number, found 'two'"),
                              (["--second", NETWORK + ",leaves=0"], "leaves must be 1 to 1024, got 0"),
                              (["--second", "uniform,precision=bf16"], "no setting 'precision'"),
                              (["--first", NETWORK + ",precision=fp7"], "precision: there is no 'fp7'"),
                              (["--first", NETWORK + ",cache=-1"], "cache: expected a number"),
                              (["--simulations", "many"], "simulations: expected a number, found 'many'"),
                              (["--simulations", ""], "simulations: expected a number, found ''"),
                              (["--sprt", ""], "--sprt: expected"),
                              (["--sprt", "elo0=1"], "expected elo0=X,elo1=Y"),
                              (["--sprt", "elo0=2,elo1=1"], "elo0 must be less than elo1"),
                              (["--sprt", "elo0=0,elo1=1,gamma=2"], "'gamma'"),
                              (["--openings", "0"], "expected a number from 1 or a file"),
                              (["--confidence", "nan"], "--confidence: Value nan not in range 0.5 to 0.999999"),
                              (["--progress", "nan"], "--progress: Value nan not in range 0 to 86400"),
                              (["--seed", "-1"], "--seed: Value -1 not in range 0 to 18446744073709551615"),
                              (["--opening-plies", "-1"], "--opening-plies: Value -1 not in range 0 to 1048576"),
                              (["--first", "rollout:0"], "--first: expected auto, "),
                              (["--first", NETWORK + ",evaluator=rollout:1:2:3"], "--first: evaluator: expected auto, "),
                              (["--game", "chess"], "chess")]:
            with self.subTest(flags):
                self.assertIn(reason, self.refused(2, *flags))

    def test_messages_name_the_flags_that_there_are(self):
        for status, flags, reason in [
                (1, ["--first", "shipped", "--game", "tictactoe"], "name a file with --first, or try --first random:4x32:1"),
                (2, ["--second", "random:1"], "--second: expected random:BLOCKSxCHANNELS:SEED, found random:1"),
                (2, ["--second", "random:1x0:1"], "--second random:1x0:1: "),
                (2, ["--first", NETWORK + ",evaluator=reference,precision=bf16"], "--first: precision bf16: reference"),
                (2, ["--first", NETWORK + ",evaluator=uniform,cache=5"], "--first: cache: only "),
                (2, ["--first", NETWORK + ",evaluator=uniform,symmetry=random"], "--first: symmetry: only "),
                (2, ["--simulations", "many"], "match: --simulations: simulations: expected a number")]:
            with self.subTest(flags):
                err = self.refused(status, *flags)
                self.assertIn(reason, err)
                named, there = (set(re.findall(r"--[a-z]+", text)) for text in (err, self.output("--help")))
                self.assertLessEqual(named, there)

    def test_flags_without_effect_on_a_player_are_told(self):
        status, _, err = run("--first", "uniform,search=topk", "--second", "uniform", "--simulations", "2", "--exploration",
                             "3", "--openings", "1")
        self.assertEqual((status, err.splitlines()),
                         (0, ["match: note: --simulations has no effect with search=topk of --first",
                              "match: note: --exploration has no effect with search=topk of --first"]))

    def test_a_network_whose_name_is_no_utf_8_is_refused_before_anything_is_played(self):
        file, out = os.fsencode(self.folder / "b") + b"\xff.safetensors", self.folder / "games.txt"
        shutil.copy(SHIPPED / "connect4.safetensors", file)
        self.assertIn("/b?.safetensors: expected a name of printable UTF-8",
                      self.refused(1, "--first", file, "--out", out, "--simulations", "2", "--openings", "1"))
        self.assertFalse(out.exists())

    def test_files_that_cannot_be_read_or_written_are_named(self):
        self.assertIn("no/such.safetensors", self.refused(1, "--first", "no/such.safetensors"))
        self.assertIn("/no/games", self.refused(1, "--out", "/no/games", *TWO_SETTINGS))
        self.assertIn("/no/games", self.refused(1, "--game", "hex7", "--sgf", "/no/games", *TWO_SETTINGS))
        # Nothing is played for a summary that could not be written.
        for summary, reason in [("/no/s.json", "cannot write: No such file or directory"), (self.folder, "is no regular file")]:
            out = self.folder / "games.txt"
            self.assertIn(reason, self.refused(1, "--out", out, "--summary", summary, *TWO_SETTINGS))
            self.assertFalse(out.exists())

    def test_help_explains_flags_and_settings(self):
        out = self.output("--help")
        for word in ["--first", "--sprt", "--openings", "--out", "search=puct: simulations,", "search=gumbel: simulations,",
                     "search=graph: simulations,", "search=topk: widths,"]:
            self.assertIn(word, out)


class EndTest(Match):
    """How a match ends before its last game."""

    def start(self, *flags, prepare=None, stdout=subprocess.PIPE):
        """A match that nobody waits for; `prepare` is called in its process before."""
        process = subprocess.Popen([MATCH, "--progress", "0", *flags], stdout=stdout, stderr=subprocess.PIPE, text=True,
                                   preexec_fn=prepare)
        self.addCleanup(process.communicate)
        self.addCleanup(process.kill)
        return process

    def long(self, **how):
        """A match of many short games, one of which is counted."""
        self.games, self.summary = self.folder / "games.txt", self.folder / "s.json"
        playing = self.start("--first", "uniform", "--second", "rollout", "--openings", "200000", "--opening-plies", "9",
                             "--out", self.games, "--summary", self.summary, **how)
        self.wait_for_more(playing, 3)
        return playing

    def wait_for_more(self, playing, lines):
        """Returns when the file of games holds more lines."""
        while not (self.games.exists() and self.games.read_text().count("\n") > lines):
            self.assertIsNone(playing.poll(), "the match has ended")
            time.sleep(0.05)

    def test_a_signal_ends_the_match_with_what_has_been_counted(self):
        for sent, status in [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)]:
            with self.subTest(sent):
                playing = self.long()
                playing.send_signal(sent)
                out, err = playing.communicate(timeout=300)
                self.assertEqual((playing.returncode, err), (status, ""))
                played = sum(json.loads(self.summary.read_text())["pairs"]) * 2
                self.assertGreaterEqual(played, 2)
                self.assertEqual(int(re.search(r"^(\d+) games: ", out, re.M)[1]), played)
                self.assertEqual(len(self.games.read_text().splitlines()), played + 1)
                self.games.unlink()

    def test_a_match_without_a_pair_has_no_score(self):
        playing = self.start("--first", "random:20x256:1,evaluator=reference", "--threads", "1", "--summary",
                             self.folder / "s.json", "--out", self.folder / "games.txt")
        while not (self.folder / "games.txt").exists():  # then it plays; its first batch takes seconds
            self.assertIsNone(playing.poll())
            time.sleep(0.05)
        playing.send_signal(signal.SIGINT)
        out, err = playing.communicate(timeout=600)
        self.assertEqual((playing.returncode, err), (130, ""))
        self.assertRegex(out, r"\nno pair of games was played\n")
        self.assertNotIn("Elo", out)
        summary = json.loads((self.folder / "s.json").read_text())
        self.assertEqual([summary[name] for name in ("score", "elo", "elo_low")], [None] * 3)
        self.assertEqual(sum(summary["pairs"]), 0)

    def test_under_nohup_a_match_outlives_its_terminal(self):
        playing = self.long(prepare=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN))
        playing.send_signal(signal.SIGHUP)
        self.wait_for_more(playing, self.games.read_text().count("\n") + 100)
        playing.send_signal(signal.SIGTERM)
        playing.communicate(timeout=300)
        self.assertEqual(playing.returncode, 143)

    def test_a_second_signal_ends_the_match_at_once(self):
        for seconds in [1, 2, 4, 8, 16]:  # until it plays; its first batch takes minutes
            playing = self.start("--first", "random:20x256:1,evaluator=reference", "--threads", "1")
            time.sleep(seconds)
            playing.send_signal(signal.SIGINT)
            time.sleep(1.3)
            if playing.poll() is None:
                break
        playing.send_signal(signal.SIGTERM)
        self.assertEqual((playing.communicate(timeout=10), playing.returncode), (("", ""), 143))

    def test_a_file_that_may_not_grow_ends_the_match(self):
        for limit in [10, 5000]:
            playing = self.start("--first", "uniform", "--second", "rollout", "--openings", "2000", "--opening-plies", "9",
                                 "--out", self.folder / "games.txt", "--overwrite",
                                 prepare=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)))
            out, err = playing.communicate(timeout=300)
            self.assertEqual((playing.returncode, out), (1, ""))
            self.assertRegex(err, r"\Amatch: \S+/games.txt: cannot write: File too large\n\Z")

    def test_a_result_that_nobody_takes_is_an_error(self):
        for flags in [[], ["--summary", "-"]]:
            with open("/dev/full", "w") as full:
                playing = self.start("--first", "uniform", "--second", "uniform", "--openings", "20", *flags, stdout=full)
            _, err = playing.communicate(timeout=300)
            self.assertEqual((playing.returncode, err.splitlines()[-1]),
                             (1, "match: standard output: cannot write: No space left on device"))

    def test_a_result_that_nobody_takes_is_in_the_summary_all_the_same(self):
        summary = self.folder / "s.json"
        with open("/dev/full", "w") as full:
            playing = self.start("--first", "uniform", "--second", "uniform", "--openings", "20", "--summary", summary,
                                 stdout=full)
        playing.communicate(timeout=300)
        self.assertEqual((playing.returncode, json.loads(summary.read_text())["pairs"]), (1, [0, 0, 20, 0, 0]))


if __name__ == "__main__":
    unittest.main()
