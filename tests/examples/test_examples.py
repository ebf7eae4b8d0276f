"""The small example programs do what they say: hello, with_network, engine, own_evaluator, own_search, analyse, play, gtp."""
import json
import os
import re
import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path

EXAMPLES = Path(os.environ["BATCHMATE_EXAMPLES_DIR"])
SOURCES = Path(__file__).resolve().parents[2]
NETWORK = "random:2x8:1"
FIRST_MOVE = ["--evaluator", "uniform", "--simulations", "1"]  # a player who takes the first legal move
EMPTY = "/".join(["." * 7] * 6) + " x"


def run(name, *flags, stdin=""):
    """(exit status, standard output, standard error) of an example program."""
    program = EXAMPLES / name
    if not program.exists():
        raise unittest.SkipTest(f"{name} was not built")
    done = subprocess.run([program, *flags], input=stdin, capture_output=True, text=True, timeout=300,
                          cwd=SOURCES)
    return done.returncode, done.stdout, done.stderr


class Example(unittest.TestCase):
    def output(self, name, *flags, stdin=""):
        """Standard output of a program that must succeed without a complaint."""
        status, out, err = run(name, *flags, stdin=stdin)
        self.assertEqual((status, err), (0, ""))
        return out

    def refused(self, status, name, *flags):
        """The one line with which a program must refuse its flags."""
        found, out, err = run(name, *flags)
        self.assertEqual((found, out), (status, ""), err)
        self.assertRegex(err, rf"\A{name}: [^\n]+\n\Z")
        return err


class VersionTest(Example):
    def test_every_program_with_flags_says_its_version(self):
        version, = re.findall(r"project\(batchmate VERSION (\S+)", (SOURCES / "CMakeLists.txt").read_text())
        for name in ("selfplay", "match", "analyse", "play", "gtp"):
            self.assertEqual(self.output(name, "--version"), f"{name} {version}\n")


class EvaluatorFlagsTest(Example):
    """What all programs say of evaluators alike."""

    programs = ("selfplay", "analyse", "play")

    def test_a_network_whose_name_is_no_utf_8_is_refused(self):
        with tempfile.TemporaryDirectory() as folder:
            file = os.fsencode(Path(folder) / "b") + b"\xff.safetensors"
            shutil.copy(SOURCES / "examples" / "networks" / "connect4.safetensors", file)
            for name, *flags in [*([name] for name in self.programs), ("analyse", "--json")]:
                with self.subTest(name):
                    self.assertIn("/b?.safetensors: expected a name of printable UTF-8",
                                  self.refused(1, name, "--network", file, *flags))

    def test_rollouts_are_named_with_their_number_and_seed(self):
        flags = ["--game", "tictactoe", "--simulations", "20", "--json", "--evaluator"]
        found = {name: json.loads(self.output("analyse", *flags, name))
                 for name in ["rollout", "rollout:1:0", "rollout:1:5", "rollout:30"]}
        self.assertEqual(found["rollout"], found["rollout:1:0"])
        self.assertEqual([found[name]["evaluator"] for name in found],
                         ["rollout:1:0", "rollout:1:0", "rollout:1:5", "rollout:30:0"])
        self.assertEqual(len({found[name]["value"] for name in found}), 3)
        self.assertEqual(abs(found["rollout"]["network_value"]) in (0, 1), True)
        self.assertEqual(abs(found["rollout:30"]["network_value"]) in (0, 1), False)
        out = self.output("selfplay", "--game", "tictactoe", "--evaluator", "rollout:2:3", "--episodes", "1", "--simulations",
                          "4", "--progress", "0")
        self.assertIn("rollout:2:3", out)

    def test_what_names_no_evaluator_is_refused(self):
        for name in self.programs:
            for evaluator in ["rollout:", "rollout:0", "rollout:-1", "rollout:2x", "rollout:1:", "rollout:1:-1", "rollout:1:2:3",
                              "rollouts", "uniform:1"]:
                with self.subTest(name=name, evaluator=evaluator):
                    self.assertIn(f"--evaluator: expected auto, cudnn, onednn, reference, uniform or rollout[:PLAYOUTS[:SEED]], "
                                  f"found '{evaluator}'", self.refused(2, name, "--evaluator", evaluator))

    def test_a_network_that_is_not_looked_at_is_told(self):
        for name, *flags in [("selfplay", "--episodes", "1", "--progress", "0"), ("analyse",), ("play",)]:
            with self.subTest(name):
                status, _, err = run(name, *flags, "--simulations", "1", "--evaluator", "rollout:2", "--precision", "fp32")
                self.assertEqual((status, err),
                                 (0, f"{name}: note: --precision has no effect with --evaluator rollout:2\n"))


class HelloTest(Example):
    def test_plays_three_whole_games_of_nim(self):
        moves = re.findall(r"^game (\d): +(\d+) stones, takes (\d) \(.*\), outcome ([+-]1)$", self.output("hello"), re.M)
        for game in "012":
            of_game = [(int(stones), int(takes), end) for number, stones, takes, end in moves if number == game]
            left = 10
            for stones, takes, _ in of_game:
                self.assertEqual(stones, left)
                left -= takes
            self.assertEqual(left, 0)
            # Whoever takes the last stone wins, and players alternate.
            self.assertEqual([end for _, _, end in reversed(of_game)], (["+1", "-1"] * 5)[:len(of_game)])

    def test_finds_the_winning_moves_near_the_end(self):
        winning = [(int(stones), int(takes)) for stones, takes in
                   re.findall(r": +(\d+) stones, takes (\d)", self.output("hello")) if 1 < int(stones) < 4]
        self.assertTrue(winning)
        for stones, takes in winning:
            self.assertEqual(takes, stones)

    def test_prints_the_same_games_again(self):
        self.assertEqual(self.output("hello"), self.output("hello"))


class WithNetworkTest(Example):
    def test_evaluates_the_positions_of_its_games_together(self):
        rate, rows = map(float, re.search(r"^(\d+) positions/s in batches of ([0-9.]+)$", self.output("with_network"),
                                          re.M).groups())
        self.assertGreater(rate, 0)
        self.assertGreater(rows, 2)


class EngineTest(Example):
    def test_positions_of_its_threads_share_batches(self):
        out = self.output("engine")
        threads, positions, batches = map(int, re.search(
            r"^(\d+) threads asked about (\d+) positions in (\d+) batches", out, re.M).groups())
        self.assertEqual(len(re.findall(r"^moves .*: (x|o|nobody) wins$", out, re.M)), threads)
        self.assertGreater(positions, 100 * threads)
        self.assertLess(batches, positions)

    def test_its_games_do_not_depend_on_which_positions_met(self):
        first, second = (re.findall(r"^moves .*$", self.output("engine"), re.M) for _ in range(2))
        self.assertEqual(first, second)


class OwnPartsTest(Example):
    def test_own_evaluator_gives_the_same_games_one_position_at_a_time_and_in_batches(self):
        self.same_games("own_evaluator", 2)

    def test_own_search_gives_the_same_games_under_three_batching_policies(self):
        self.same_games("own_search", 3)

    def same_games(self, name, runs):
        """The program's runs, the first of which asks about one position at a time, play the same games."""
        out = self.output(name)
        hashes = re.findall(r"games ([0-9a-f]{16})$", out, re.M)
        self.assertEqual((len(hashes), len(set(hashes))), (runs, 1))
        batches = [float(size) for size in re.findall(r"([\d.]+) positions a batch", out)]
        self.assertEqual(batches[0], 1)
        self.assertGreater(min(batches[1:]), 2)


class AnalyseTest(Example):
    def json(self, *flags):
        return json.loads(self.output("analyse", "--json", *flags))

    def test_shows_board_network_search_and_moves(self):
        out = self.output("analyse", "--network", NETWORK, "--moves", "4 4 3", "--simulations", "200")
        self.assertIn(". . x x . . .\n1 2 3 4 5 6 7\no to move", out)
        self.assertIn("position   ......./......./......./......./...o.../..xx... o\n", out)
        self.assertRegex(out, r"network    value [+-]0\.\d+, policy \d [\d.]+ %, \d")
        self.assertRegex(out, r"search     value [+-]0\.\d+ after 200 simulations, \d+ nodes")
        rows = re.findall(r"^ +(\d) +(\d+) +[+-]\d\.\d+ +([\d.]+) %$", out, re.M)
        self.assertEqual(sorted(row[0] for row in rows), list("1234567"))
        self.assertEqual(sum(int(row[1]) for row in rows), 200)
        self.assertEqual(rows, sorted(rows, key=lambda row: -int(row[1])))
        self.assertTrue(re.search(r"^line +(\d)", out, re.M)[1] == rows[0][0])

    def test_json_is_complete_consistent_and_the_same_again(self):
        flags = ["--network", NETWORK, "--moves", "4 4 3", "--simulations", "200"]
        found = self.json(*flags)
        self.assertEqual(found, self.json(*flags))
        moves = found["moves"]
        self.assertEqual(sum(m["visits"] for m in moves), found["simulations"])
        self.assertAlmostEqual(sum(m["prior"] for m in moves), 1, delta=0.01)
        self.assertEqual(found["principal_variation"][0], moves[0]["move"])
        self.assertEqual({m["move"]: m["prior"] for m in found["network_policy"]}, {m["move"]: m["prior"] for m in moves})
        self.assertIn(NETWORK, found["network"] + found["evaluator"])
        # The root's value is the mean over its own evaluation and the simulations.
        mean = (found["network_value"] + sum(m["visits"] * m["value"] for m in moves)) / 201
        self.assertAlmostEqual(found["value"], mean, places=4)

    def test_values_are_for_the_player_to_move(self):
        # x has three in a column: x wins with the next, o must block.
        win = self.json("--evaluator", "uniform", "--moves", "1 2 1 2 1 2")
        self.assertEqual(win["moves"][0]["move"], "1")
        self.assertEqual(win["moves"][0]["value"], 1)
        self.assertGreater(win["value"], 0.5)
        block = self.json("--evaluator", "uniform", "--moves", "1 2 1 2 1")
        self.assertEqual(block["moves"][0]["move"], "1")
        # Any other move loses at once; the search leaves it after a few visits, not all of them at that reply.
        self.assertLess(max(m["value"] for m in block["moves"][1:] if m["visits"]), -0.3)

    def test_a_position_equals_the_moves_that_lead_to_it(self):
        flags = ["--network", NETWORK, "--simulations", "50"]
        by_moves = self.json(*flags, "--moves", "4 4 3")
        self.assertEqual(by_moves, self.json(*flags, "--position", by_moves["position"]))
        self.assertEqual(by_moves, self.json(*flags, "--position", EMPTY, "--moves", "4 4 3"))

    def test_settings_of_the_search_change_what_it_finds(self):
        flags = ["--game", "connect4", "--network", NETWORK, "--moves", "4 4 3", "--simulations", "100"]
        usual = self.json(*flags)
        for setting in ["root-symmetries=2", "fpu=absolute", "exploration-growth=9,exploration-base=20", "noise=0.25",
                        "forced-playouts=9", "leaves=8,virtual-loss=3", "root-temperature=3"]:
            with self.subTest(setting):
                found = self.json(*flags, "--set", setting)
                self.assertNotEqual(usual["moves"], found["moves"])
                self.assertNotEqual(usual["search"], found["search"])
                self.assertEqual(usual["network_value"], found["network_value"])
        self.assertEqual(usual, self.json(*flags, "--set", "noise=0,reuse=1"))
        # What is proven is not searched any longer.
        won = ["--evaluator", "uniform", "--moves", "1 2 1 2 1 2"]
        self.assertLess(self.json(*won, "--set", "prove=1")["simulations"], self.json(*won)["simulations"])

    def test_the_move_is_the_one_that_the_search_plays(self):
        flags = ["--network", NETWORK, "--evaluator", "reference", "--simulations", "200"]
        usual = self.json(*flags)
        self.assertEqual((usual["move"], usual["principal_variation"][0]), (usual["moves"][0]["move"],) * 2)
        others = []
        for position in ["4", "4 4", "4 4 3", "1 2", "2 3", "4 3 5"]:
            found = self.json(*flags, "--moves", position, "--set", "lower-bound-errors=1")
            self.assertEqual(found["move"], found["principal_variation"][0])
            others += [found["move"]] if found["move"] != found["moves"][0]["move"] else []
        self.assertTrue(others)

    def test_plays_as_match_does(self):
        settings = "root-symmetries=2,fpu-reduction=0.3,lower-bound-errors=1"
        for moves in ["4 4 3", "1 2"]:
            with tempfile.TemporaryDirectory() as folder:
                openings, games = Path(folder) / "openings", Path(folder) / "games"
                openings.write_text(moves + "\n")
                player = f"{NETWORK},simulations=60,symmetry=random,{settings}"
                self.output("match", "--first", player, "--second", "uniform,simulations=2", "--openings", openings, "--out",
                            games, "--progress", "0")
                first_move = games.read_text().splitlines()[1].split("\t")[4].split()[0]
            found = self.json("--network", NETWORK, "--simulations", "60", "--symmetry", "random", "--set", settings, "--moves",
                              moves)
            self.assertEqual(found["move"], first_move)

    def test_the_network_is_asked_as_the_flags_say(self):
        flags = ["--network", NETWORK, "--moves", "4 4 3", "--simulations", "30"]
        usual = self.json(*flags)
        average = self.json(*flags, "--symmetry", "average")
        self.assertNotEqual(usual["network_value"], average["network_value"])
        self.assertNotEqual(usual["evaluator"], average["evaluator"])
        self.assertEqual(usual["moves"], self.json(*flags, "--cache", "100")["moves"])
        self.assertIn("--precision bf16: reference computes in fp32 only",
                      self.refused(2, "analyse", *flags, "--evaluator", "reference", "--precision", "bf16"))
        self.assertIn("no/plan", self.refused(2, "analyse", *flags, "--plan", "no/plan"))

    def test_every_game_can_be_analysed(self):
        for game in ["tictactoe", "connect4", "hex7", "hex9", "hex11", "hex13"]:
            with self.subTest(game):
                found = self.json("--game", game, "--network", NETWORK, "--simulations", "20")
                self.assertEqual(found["simulations"], 20)
        self.assertEqual(len(found["moves"]), 169)

    def test_bad_flags_are_refused_in_one_line(self):
        for flags, reason in [
            (["--game", "chess"], "chess"),
            (["--simulations", ""], "--simulations: "),
            (["--simulations", "0"], "--simulations: puct: simulations must be 1 to 131072, got 0"),
            (["--simulations", "131073"], "--simulations: puct: simulations must be 1 to 131072, got 131073"),
            (["--exploration", "-1"], "--exploration: puct: exploration must be finite and not negative"),
            (["--set", "leaves=0"], "--set: puct: leaves must be 1 to 1024, got 0"),
            (["--set", "widths=3"], "--set: there is no setting 'widths' of puct; it has simulations, "),
            (["--set", "prove"], "--set: expected KEY=VALUE, found 'prove'"),
            (["--set", "temperature=1"], "--set: temperature is for whole games, not for one position"),
            (["--set", "full-share=0.5"], "--set: full-share is for whole games, not for one position"),
            (["--evaluator", "uniform", "--position", "xx o"], "expected a position of connect4"),
            (["--evaluator", "uniform", "--moves", "4 9"], "'9' is no move of connect4"),
            (["--evaluator", "uniform", "--moves", "1 1 1 1 1 1 1"], "'1' cannot be played here (move 7)"),
            (["--evaluator", "uniform", "--moves", "1 2 1 2 1 2 1"], "the game is over"),
            (["--network", "random:2x"], "random:BLOCKSxCHANNELS:SEED"),
            (["--nonsense"], "nonsense"),
        ]:
            with self.subTest(flags):
                self.assertIn(reason, self.refused(2, "analyse", *flags))

    def test_an_output_that_nobody_takes_is_an_error(self):
        for name, *flags in [("analyse",), ("analyse", "--json"), ("play",)]:
            with open("/dev/full", "w") as full:
                done = subprocess.run([EXAMPLES / name, "--network", NETWORK, *flags], stdin=subprocess.DEVNULL, stdout=full,
                                      stderr=subprocess.PIPE, text=True, timeout=300)
            self.assertEqual((done.returncode, done.stderr),
                             (1, f"{name}: standard output: cannot write: No space left on device\n"))

    def test_a_network_that_is_not_there_is_named(self):
        self.assertIn("no/such.safetensors", self.refused(1, "analyse", "--network", "no/such.safetensors"))


class PlayTest(Example):
    def game(self, commands, *flags):
        return self.output("play", *(flags or ["--network", NETWORK, "--simulations", "30"]), stdin=commands)

    def test_input_that_ends_ends_the_game(self):
        self.assertTrue(self.game("").endswith("> \nGoodbye.\n"))
        self.assertTrue(self.game("4\n4").endswith("> \nGoodbye.\n"))

    def test_moves_are_drawn_and_answered(self):
        out = self.game("4\nquit\n")
        self.assertIn("> . . . . . . .\n" + ". . . . . . .\n" * 4 + ". . . x . . .\n1 2 3 4 5 6 7\no to move", out)
        self.assertEqual(len(re.findall(r"^The network plays \d \(value [+-]\d\.\d\d for it; line \d", out, re.M)), 1)
        self.assertTrue(out.endswith("> Goodbye.\n"))

    def test_what_is_no_legal_move_is_explained_and_asked_again(self):
        out = self.game("9\nx\n4 4\n\nmoves\nquit\n")
        self.assertIn("'9' is no move of connect4; one is 1. Try again, or type help.", out)
        self.assertIn("'x' is no move of connect4", out)
        self.assertIn("'4 4' is too much", out)
        self.assertIn("> 1 2 3 4 5 6 7\n> Goodbye.", out)
        self.assertNotIn("The network plays", out)

    def test_a_full_column_cannot_be_played(self):
        out = self.game("1\n1\n1\n1\nquit\n", *FIRST_MOVE)
        self.assertIn("'1' cannot be played here. Try again, or type help.\n> Goodbye.", out)
        self.assertEqual(out.count("The network plays 1 "), 3)

    def test_undo_takes_back_a_move_and_its_answer(self):
        out = self.game("undo\n4\nundo\nboard\nquit\n")
        self.assertIn("There is no move of yours to take back.", out)
        empty = ". . . . . . .\n" * 6 + "1 2 3 4 5 6 7\nx to move\n"
        self.assertEqual(out.count(empty), 3)

    def test_a_game_goes_on_after_undo_as_if_nothing_had_been(self):
        straight, detour = (self.game(f"4\n{detour}3\nquit\n", "--network", NETWORK, "--simulations", "1")
                            for detour in ("", "5\nundo\n"))
        board = r"(?:(?:[.xo] ){6}[.xo]\n){6}"
        self.assertEqual(len(re.findall(board, detour)) - len(re.findall(board, straight)), 3)
        self.assertEqual(re.findall(board, straight)[-1], re.findall(board, detour)[-1])

    def test_a_hint_is_the_move_that_analyse_likes_best(self):
        out = self.game("hint\nquit\n")
        hint = re.search(r"^> (\d) \(value ([+-]\d\.\d\d) for you; line ([\d ]+)\)", out, re.M)
        found = json.loads(self.output("analyse", "--network", NETWORK, "--simulations", "30", "--json"))
        self.assertEqual(hint[1], found["moves"][0]["move"])
        self.assertAlmostEqual(float(hint[2]), found["value"], delta=0.006)
        self.assertEqual(hint[3].split(), found["principal_variation"][:6])
        self.assertNotIn("The network plays", out)

    def test_whoever_moves_second_waits_for_the_network(self):
        out = self.game("quit\n", "--game", "hex7", "--network", NETWORK, "--simulations", "5", "--colour", "second")
        self.assertIn("You move second.", out)
        self.assertIn("o (left to right) to move\n> Goodbye.", out)

    def test_plays_by_the_settings_of_the_search(self):
        flags = ["--network", NETWORK, "--simulations", "30"]
        usual, other = (self.game("hint\nquit\n", *flags, *more) for more in ([], ["--set", "fpu=absolute,fpu-value=-1"]))
        self.assertNotEqual(usual, other)

    def test_a_game_ends_with_its_result(self):
        for colour, moves, result in [("first", "b2 b1 b3", "You win."), ("second", "a2 b2", "You lose."),
                                      ("second", "b1 b2 a3 c3", "A draw.")]:
            with self.subTest(result):
                out = self.game("\n".join(moves.split()) + "\n", *FIRST_MOVE, "--game", "tictactoe", "--colour", colour)
                self.assertTrue(out.endswith(f"\n{result}\n"), out)

    def test_bad_flags_are_refused_in_one_line(self):
        for flags, reason in [(["--colour", "red"], "red"), (["--game", "go"], "go"), (["--simulations", "-1"], "-1"),
                              (["--simulations", "131073"], "1 to 131072"),
                              (["--set", "resign-below=0"], "resign-below is for whole games"),
                              (["--network", "random:0x0:0"], "random:0x0:0")]:
            with self.subTest(flags):
                self.assertIn(reason, self.refused(2, "play", *flags))

    def test_help_explains_every_flag(self):
        for name in ["play", "analyse", "gtp"]:
            out = self.output(name, "--help")
            for flag in ["--game", "--network", "--evaluator", "--simulations", "--set", "--precision", "--symmetry", "--plan",
                         "--cache"]:
                self.assertIn(flag, out)


class GtpTest(Example):
    def answers(self, commands, *flags):
        """What the program answers to each line."""
        out = self.output("gtp", *(flags or ["--game", "go9", *FIRST_MOVE]), stdin=commands)
        self.assertTrue(out.endswith("\n\n"), out)
        return out[:-2].split("\n\n")

    def test_answers_carry_the_status_and_the_number_of_the_command(self):
        found = self.answers("# a comment\n\n1 name\nprotocol_version # 2?\n\t7\tknown_command\tgenmove\n8 known_command x\n"
                             "9 fly\n10 \nplay\nquit\nname\n")
        self.assertEqual(found, ["=1 batchmate", "= 2", "=7 true", "=8 false", "?9 unknown command", "?10 unknown command",
                                 "? syntax error: expected a colour and a move", "="])

    def test_all_commands_listed_are_known(self):
        listed = self.answers("list_commands\n")[0].removeprefix("= ").split("\n")
        self.assertEqual(set(self.answers("".join(f"known_command {name}\n" for name in listed))), {"= true"})
        self.assertIn("genmove", listed)

    def test_points_of_go_have_letters_without_i_and_rows_from_the_bottom(self):
        out = self.answers("showboard\n", "--game", "go13", *FIRST_MOVE)[0]
        self.assertEqual([line[:4] for line in out.split("\n")[1:14]], ["   A", *(f"{row:2} ." for row in range(13, 1, -1))])
        found = self.answers("play b A1\nplay W j9\nplay black i5\nplay b k1\nplay b a10\nplay b a1\nplay b pass\nshowboard\n")
        self.assertEqual(found[:7], ["=", "=", "? syntax error: 'i5' is no point", "? illegal move", "? illegal move",
                                     "? illegal move", "="])
        empty = [f"{row} . . . . . . . . ." for row in range(9, 0, -1)]
        board = ["  A B C D E F G H J", "9 . . . . . . . . o", *empty[1:8], "1 x . . . . . . . .", "o to move, komi 7.5"]
        self.assertEqual(found[7].split("\n"), ["= ", *board])

    def test_colours_alternate_and_moves_are_generated_played_and_taken_back(self):
        found = self.answers("play w e5\nplay red e5\nreg_genmove b\ngenmove b\ngenmove b\nundo\nundo\ngenmove w\n")
        self.assertEqual(found[0], "? illegal move: it is the other player's turn")
        self.assertEqual(found[1], "? syntax error: 'red' is no colour")
        self.assertRegex(found[2], r"= ([A-HJ][1-9]|pass)")
        self.assertRegex(found[3], r"= ([A-HJ][1-9]|pass)")
        self.assertEqual(found[4:], [found[0], "=", "? cannot undo", found[0]])

    def test_a_game_of_go_is_scored_with_its_komi(self):
        moves = "play b e5\nfinal_score\nplay w pass\nplay b pass\n"
        self.assertEqual(self.answers(f"boardsize 9\nkomi 6.50\n{moves}final_score\ngenmove w\ngenmove b\nclear_board\nfinal_score\n"),
                         ["=", "=", "=", "? cannot score: the game goes on", "=", "=", "= B+74.5", "= pass", "= pass", "=",
                          "? cannot score: the game goes on"])
        self.assertEqual(self.answers(f"{moves}komi 0.0\nfinal_score\nundo\nfinal_score\nkomi a\n")[4:],
                         ["=", "= B+81", "=", "? cannot score: the game goes on", "? syntax error: 'a' is no komi in half points"])

    def test_another_size_is_refused(self):
        self.assertEqual(self.answers("boardsize 19\nboardsize\n"), ["? unacceptable size", "? syntax error: expected a size"])

    def test_other_games_have_their_own_moves_and_no_komi(self):
        flags = ["--game", "tictactoe", *FIRST_MOVE]
        found = self.answers("komi 1\nplay b b2\ngenmove w\nplay b B1\nplay w c3\nplay b b3\ngenmove w\nfinal_score\n", *flags)
        self.assertEqual(found, ["? unknown command", "=", "= a1", "=", "=", "=", "? the game is over", "= B+"])

    def test_resigns_where_it_was_told_to(self):
        flags = ["--game", "connect4", "--network", NETWORK, "--simulations", "50", "--resign-below"]
        self.assertEqual(self.answers("genmove b\n", *flags, "1"), ["= resign"])
        self.assertEqual(self.answers("genmove b\n", *flags, "-0.9"), ["= 4"])
        self.assertIn("--resign-below", self.refused(2, "gtp", "--resign-below", "2"))


if __name__ == "__main__":
    unittest.main()
