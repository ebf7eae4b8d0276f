#!/usr/bin/env python3
"""Learns a game from random weights: self-play, training, measuring, and again.

    loop.py --game connect4 --minutes 30 --work out/connect4 --out connect4.safetensors

The work folder holds the rows, log and network of every generation, and `checkpoint.pt`. The same command goes on
where it was stopped or killed: finished games are kept, a training under way begins anew, and the networks are those
of a run that was not stopped. With other flags for self-play, the generation under way is played anew.
"""

import argparse
import fcntl
import json
import math
import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import train
from train import amount, natural, positive
import model as networks
from games import board_of
from model import Network
from rows import Board
from tensors import TensorFileError, write_atomically

PROGRAMS = Path(__file__).resolve().parents[2] / "build" / "host" / "examples"
NEW_ROWS = 8192  # at most, of a generation before it is trained on, that the losses are measured on
RESIGNATIONS = ("resigned", "played_through", "wrong_resignations")  # of selfplay's summary
RESULT = ("score", "elo", "elo_low", "elo_high")  # of match's
WITHOUT_NETWORK = ("uniform", "rollout")
NOT_LOGGED = ("work", "out", "programs", "minutes", "generations", "board")  # flags that shape no generation


class ProgramError(Exception):
    """A program that is missing, failed or left no summary; the text says which and why."""


def run_program(command, log, summary):
    """Runs a command with its output in the file `log`; returns the JSON that it wrote to the file `summary`."""
    command = [str(part) for part in command]
    Path(summary).unlink(missing_ok=True)
    try:
        with open(log, "w") as output:
            status = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output).returncode
    except OSError as problem:
        raise ProgramError(f"{command[0]}: {problem.strerror}; build the example programs first") from problem
    if status != 0:
        last = Path(log).read_text(errors="replace").strip().splitlines()[-5:]
        raise ProgramError("\n  ".join([f"exit status {status} from: {shlex.join(command)}", *last]))
    try:
        return json.loads(Path(summary).read_text())
    except (OSError, ValueError) as problem:
        raise ProgramError(f"{summary}: no summary from: {shlex.join(command)}: {problem}") from problem


def given(name, value):
    """A program's flag where a value was asked for; else it takes its own, by its evaluator and processors."""
    return [name, value] if value else []


def kind_of(name):
    """What comes before the numbers in a player's or evaluator's name, as in `rollout:20`."""
    return name.split(":")[0]


def take_up(folder, games):
    """Makes a generation's folder; keeps what selfplay began there with the flags of the same games, and removes
    what it did with others."""
    text, begun = shlex.join(map(str, games)), folder / "selfplay.flags"
    if folder.exists() and not (begun.exists() and begun.read_text() == text):
        print(f"{folder}: was begun with other flags for selfplay; its games are removed and played anew", flush=True)
        shutil.rmtree(folder)
    folder.mkdir(exist_ok=True)
    begun.write_text(text)


def some_of(summary, names):
    """What is there of a program's summary under some names, rounded; null stays."""
    return {name: summary[name] if summary[name] is None else round(summary[name], 4)
            for name in names if name in summary}


def text_of(value):
    """A value of a log line as it is printed, a result as `93.0 % (+449, +380 to +540)`: Elo and their interval of
    95 %. `?` is infinite or unknown."""
    if isinstance(value, dict):
        elo, low, high = ("?" if value[name] is None else f"{value[name]:+.0f}" for name in RESULT[1:])
        return f"{100 * value['score']:.1f} % ({elo}, {low} to {high})"
    return "?" if value is None else f"{value:g}" if isinstance(value, float) else str(value)


def printed(line):
    """A log line as text, without the flags, and without resignations where nobody would have resigned."""
    hidden = ["flags"] if line.get("resigned") or line.get("played_through") else ["flags", *RESIGNATIONS]
    return "  ".join(f"{name} {text_of(value)}" for name, value in line.items() if name not in hidden)


def locked(folder):
    """Makes a folder and keeps other processes out of it until the file that it returns is closed."""
    folder.mkdir(parents=True, exist_ok=True)
    lock = open(folder / ".lock", "w")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as problem:
        lock.close()
        raise ProgramError(f"{folder}: is in use by another process") from problem
    os.register_at_fork(after_in_child=lock.close)  # a loader's workers outlive a loop that is killed
    return lock


def take_up_training(checkpoint, flags, counts):
    """A model, its optimizer and the state beside them: a checkpoint's, which must be of the flags' game and sizes and
    of a program that counts `counts`; or random weights and no state where there is no checkpoint."""
    train.prepare_torch(flags)
    wanted, state = (flags.board, train.architecture_of(flags)), None
    if checkpoint.exists():
        model, state = networks.load_checkpoint(checkpoint, flags.device)
        found = (model.board, model.architecture)
        if found != wanted:
            raise TensorFileError(f"{checkpoint}: holds {found}, but the flags ask for {wanted}")
        if counts not in state:
            raise TensorFileError(f"{checkpoint}: is another program's: it names no {counts}")
    else:
        model = Network(*wanted).to(flags.device)
    optimizer = train.make_optimizer(model)
    if state:
        optimizer.load_state_dict(state["optimizer"])
    return model, optimizer, state


class Loop:
    """The state of a run: the model, its optimizer, the generation and the seconds spent so far."""

    def __init__(self, flags):
        self.flags, self.work = flags, Path(flags.work)
        self.checkpoint = self.work / "checkpoint.pt"
        self.model, self.optimizer, state = take_up_training(self.checkpoint, flags, "generation")
        self.generation, self.seconds = (state["generation"], state["seconds"]) if state else (0, 0.0)
        if not state:
            networks.export(self.model, self.network(0))
            self.save()

    def save(self):
        """Writes the checkpoint that makes a generation count, whose network is there."""
        networks.save_checkpoint(self.checkpoint, self.model, self.optimizer, generation=self.generation,
                                 seconds=self.seconds)

    def network(self, generation):
        """The network file of a generation."""
        return self.work / f"network-{generation:03}.safetensors"

    def folder(self, generation):
        """Where the rows and logs of a generation are."""
        return self.work / f"generation-{generation:03}"

    def step(self):
        """One generation: plays with the network at hand, trains the next one, measures it; returns its log line."""
        began, folder = time.monotonic(), self.folder(self.generation)
        played = self.play(folder)
        play_seconds = time.monotonic() - began
        policy_new, value_new = self.evaluate(folder)
        policy, value = self.train(folder, played["rows"])
        train_seconds = time.monotonic() - began - play_seconds
        self.generation += 1
        networks.export(self.model, self.network(self.generation))
        scores = self.measure(folder)
        took = time.monotonic() - began
        self.seconds += took
        self.save()
        return {"generation": self.generation, "minutes": round(self.seconds / 60, 2), "games": played["episodes"],
                "rows": played["rows"], **some_of(played, () if played.get("resumed_episodes") else RESIGNATIONS),
                "boards_per_second": round(played["boards_per_second"]),
                "play_seconds": round(play_seconds, 1), "train_seconds": round(train_seconds, 1),
                "measure_seconds": round(took - play_seconds - train_seconds, 1),
                "policy_loss": round(policy, 4), "policy_loss_new": round(policy_new, 4),
                "value_loss": round(value, 4), "value_loss_new": round(value_new, 4), **scores,
                "flags": {name: value for name, value in vars(self.flags).items() if name not in NOT_LOGGED}}

    def play(self, folder):
        """Plays a generation's games into the folder, or the rest of them; returns the program's summary."""
        flags, summary = self.flags, folder / "selfplay.json"
        games = ["--game", flags.game, "--evaluator", flags.evaluator, "--search", flags.search,
                 "--simulations", flags.simulations, "--episodes", flags.episodes,
                 "--seed", flags.seed + self.generation, *shlex.split(flags.selfplay_flags)]
        take_up(folder, games)
        command = [flags.programs / "selfplay", *games, "--network", self.network(self.generation),
                   *given("--games", flags.games), *given("--threads", flags.threads),
                   "--out", folder, "--resume", "--summary", summary]
        return run_program(command, folder / "selfplay.log", summary)

    def evaluate(self, folder):
        """The losses (policy, value) of the model on new rows of the folder, before it is trained on them."""
        settings = train.settings_of(self.flags, 0, self.flags.seed)
        return train.evaluate(self.model, train.open_stream([folder], settings, newest_rows=NEW_ROWS,
                                                            board=self.model.board))

    def train(self, folder, new_rows):
        """Trains on the newest generations, as many as half of those played but at most `--window`."""
        kept = min(self.flags.window, 1 + self.generation // 2)
        folders = [self.folder(g) for g in range(self.generation + 1 - kept, self.generation + 1)]
        seed = self.flags.seed + self.generation
        loader, _ = train.open_rows(folders, train.settings_of(self.flags, 0, seed), workers=self.flags.workers,
                                    board=self.model.board)
        steps = max(1, math.ceil(self.flags.passes * new_rows / loader.stream.batch))
        settings = train.settings_of(self.flags, steps, seed)
        with open(folder / "train.log", "w") as log:
            return train.fit(self.model, self.optimizer, loader, settings,
                             report=lambda line: print(line, file=log, flush=True))

    def measure(self, folder):
        """The results of the new network against every opponent: {opponent: {score from 0 to 1, elo, ...}}."""
        flags = self.flags
        if not flags.measure_every or self.generation % flags.measure_every:
            return {}
        results = {}
        for number, opponent in enumerate(flags.opponents):
            summary = folder / f"match-{number}.json"
            command = [flags.programs / "match", "--game", flags.game,
                       "--first", self.player(str(self.network(self.generation))), "--second", self.player(opponent),
                       "--simulations", flags.measure_simulations, "--openings", flags.openings,
                       "--opening-plies", flags.opening_plies, "--seed", flags.seed, "--summary", summary,
                       *given("--threads", flags.threads)]
            results[opponent] = some_of(run_program(command, summary.with_suffix(".log"), summary), RESULT)
        return results

    def player(self, who):
        """A player as match names it: `previous` by its file, and a network on the evaluator that self-play has,
        unless it asks for another."""
        (name, *settings), evaluator = who.split(","), self.flags.evaluator
        if name == "previous":
            name = str(self.network(self.generation - 1))
        if kind_of(name) not in WITHOUT_NETWORK and kind_of(evaluator) not in ("auto", *WITHOUT_NETWORK):
            settings.insert(0, f"evaluator={evaluator}")
        return ",".join([name, *settings])

    def publish(self):
        """Copies the newest network to `--out`."""
        write_atomically(self.flags.out, lambda part: shutil.copyfile(self.network(self.generation), part))


def run(flags):
    """Runs generations until one of the limits; publishes the network after each."""
    loop, longest = Loop(flags), 0.0
    print(f"{loop.work}: {flags.game}, generation {loop.generation} after {loop.seconds / 60:.1f} minutes", flush=True)
    while flags.generations is None or loop.generation < flags.generations:
        if flags.minutes is not None and loop.seconds + longest > flags.minutes * 60:
            break
        before, line = loop.seconds, loop.step()
        longest = max(longest, loop.seconds - before)
        with open(loop.work / "log.jsonl", "a") as log:
            print(json.dumps(line), file=log)
        print(printed(line), flush=True)
        loop.publish()
    loop.publish()
    print(f"{flags.out}: generation {loop.generation}", flush=True)


def add_game_flags(parser):
    """What `board_from` reads."""
    add = parser.add_argument
    add("--game", required=True, help="connect4, hex7, othello, go9, ...; with --board a game of your own programs")
    add("--board", metavar="P,H,W,G,A", help="planes, rows, columns, globals and actions of a game that does not ship")


def parse_flags(arguments):
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    add = parser.add_argument
    add_game_flags(parser)
    add("--work", required=True, metavar="FOLDER", help="where everything is kept; an earlier run there goes on")
    add("--out", required=True, metavar="FILE", help="where the newest network goes")
    add("--minutes", type=amount, metavar="M", help="begin no generation that would end after M, earlier runs counted")
    add("--generations", type=positive, metavar="N", help="stop after generation N")
    add("--programs", type=Path, default=PROGRAMS, metavar="FOLDER", help="where selfplay and match are (%(default)s)")
    play = parser.add_argument_group("self-play").add_argument
    play("--search", default="puct", help="as selfplay's; gumbel learns from few simulations (%(default)s)")
    play("--simulations", type=positive, default=100, metavar="N", help="a move (%(default)s)")
    play("--episodes", type=positive, default=500, metavar="N",
         help="games a generation; on a GPU several times as many as are in flight, up to 3,072 there unless --games "
              "says else, as batches drain towards a generation's end (%(default)s)")
    play("--games", type=positive, metavar="N", help="in flight; never changes games (selfplay's own)")
    play("--evaluator", default="auto", help="what runs the network, in matches, too (%(default)s)")
    play("--selfplay-flags", default="", metavar="TEXT", help="more flags for selfplay, as one argument")
    measure = parser.add_argument_group("measuring").add_argument
    measure("--opponents", nargs="*", default=["uniform", "rollout"], metavar="WHO",
            help="uniform, rollout, network files, or previous: the generation before (%(default)s)")
    measure("--measure-every", type=natural, default=1, metavar="N", help="generations; 0: never (%(default)s)")
    measure("--measure-simulations", type=positive, metavar="N", help="of puct, a move (as --simulations)")
    measure("--openings", type=positive, default=100, metavar="N", help="random ones, two games each (%(default)s)")
    measure("--opening-plies", type=positive, default=4, metavar="K", help="their length (%(default)s)")
    train.add_network_flags(parser)
    group = train.add_training_flags(parser)
    group.add_argument("--window", type=positive, default=10, metavar="N",
                       help="train on N generations at most (%(default)s)")
    group.add_argument("--passes", type=amount, default=4, metavar="N",
                       help="times that a row is trained on before it leaves the window, on average (%(default)s)")
    flags = train.check_training_flags(parser, parser.parse_args(arguments))
    if flags.minutes is None and flags.generations is None:
        parser.error("one of --minutes and --generations is needed")
    for opponent in flags.opponents if flags.measure_every else []:
        name = Path(opponent.split(",")[0])
        known = kind_of(str(name)) in (*WITHOUT_NETWORK, "random", "shipped", "previous")
        if not known and not name.exists() and name != Path(flags.work, "network-000.safetensors"):
            parser.error(f"--opponents {opponent}: there is no file {name}")
    flags.board = board_from(flags, parser)
    flags.measure_simulations = flags.measure_simulations or flags.simulations
    return flags


def board_from(flags, parser):
    """The board of the game that the flags name."""
    if flags.board is None:
        return board_of(flags.game) or parser.error(f"--game {flags.game}: does not ship; say its --board")
    try:
        return Board(flags.game, *map(int, flags.board.split(",")))
    except (TypeError, ValueError):
        return parser.error(f"--board {flags.board}: expected five numbers, say 2,6,7,0,7")


def run_guarded(program, parse, run, arguments):
    """Runs a program in its work folder. Exit status 0; 1 with the reason on standard error; 2 for bad flags; 130 when
    interrupted."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # which ends a program under way, too
    try:
        flags = parse(arguments)
        with locked(Path(flags.work)):
            run(flags)
    except (ProgramError, TensorFileError, OSError) as problem:
        print(f"{program}: {problem}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(f"{program}: interrupted; the same command goes on from there", file=sys.stderr)
        return 130
    return 0


def main(arguments=None):
    """The exit status."""
    return run_guarded("loop.py", parse_flags, run, arguments)


if __name__ == "__main__":
    sys.exit(main())
