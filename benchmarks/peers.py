#!/usr/bin/env python3
"""The same jobs in batchmate and in its peers, which take turns on this machine: OpenSpiel's C++ search, and mctx with
the games of pgx (JAX).

    python3 -m venv build/peers && build/peers/bin/pip install open_spiel mctx pgx
    build/peers/bin/python benchmarks/peers.py [--seconds S] [--rounds N] [--only TEXT]

Prints a table in Markdown: of every job the median rate of either side, and the median of the ratios of the rounds. A
peer that is not installed is left out. batchmate is `selfplay`, the whole program; a peer's search is called as its own
examples call it, and nothing is done with its moves but to play them. What is compiled at run time is compiled before
the clock runs. mctx and pgx are made for accelerators: on a CPU they show what a machine without one can expect of
them, no more.
"""

import argparse
import json
import random
import statistics
import subprocess
import sys
import time
from pathlib import Path

SELFPLAY = Path(__file__).resolve().parents[1] / "build" / "host" / "examples" / "selfplay"


def selfplay(flags, unit):
    """A function of seconds that measures `unit` a second of selfplay, which is interrupted after that time."""

    def run(seconds):
        command = [str(SELFPLAY), *flags.split(), "--episodes", "0", "--summary", "-"]
        try:
            child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        except OSError as problem:
            sys.exit(f"peers.py: {SELFPLAY}: {problem.strerror}; build the example programs first")
        time.sleep(seconds)
        child.terminate()
        printed = child.communicate()[0]
        if child.returncode not in (0, -15, 143):
            sys.exit(f"peers.py: exit status {child.returncode} from {' '.join(command)}")
        return json.loads(printed[printed.index("{"):])[unit]

    return run


def open_spiel(game_text, simulations):
    """Simulations a second of one thread: PUCT in C++, a random playout at every leaf, moves drawn as in self-play."""
    import pyspiel
    game = pyspiel.load_game(game_text)
    bot = pyspiel.MCTSBot(game, pyspiel.RandomRolloutEvaluator(1, 1), 1.5, simulations, 1000, False, 1, False,
                          pyspiel.ChildSelectionPolicy.PUCT)

    def run(seconds):
        begin, done, state = time.perf_counter(), 0, game.new_initial_state()
        while time.perf_counter() - begin < seconds:
            root = bot.mcts_search(state)
            done += root.explore_count
            visits = [c.explore_count for c in root.children]
            state.apply_action(random.choices([c.action for c in root.children], visits)[0])
            if state.is_terminal():
                state = game.new_initial_state()
        return done / (time.perf_counter() - begin)

    return run


def pgx_games(name, games, simulations, network):
    """Evaluations a second of all cores: Gumbel AlphaZero of mctx. `network` of observations: logits and values."""
    import jax
    import jax.numpy as jnp
    import mctx
    import pgx
    env = pgx.make(name)
    init, step = jax.vmap(env.init), jax.vmap(env.step)

    def answer(state):
        logits, value = network(state.observation.astype(jnp.float32))
        return jnp.where(state.legal_action_mask, logits, jnp.finfo(logits.dtype).min), value

    def simulate(_, __, action, state):
        mover = state.current_player
        state = step(state, action)
        logits, value = answer(state)
        ended = state.terminated
        output = mctx.RecurrentFnOutput(reward=state.rewards[jnp.arange(games), mover],
                                        discount=jnp.where(ended, 0.0, -1.0), prior_logits=logits,
                                        value=jnp.where(ended, 0.0, value))
        return output, state

    @jax.jit
    def move(state, key):
        mine, fresh = jax.random.split(key)
        logits, value = answer(state)
        root = mctx.RootFnOutput(prior_logits=logits, value=value, embedding=state)
        found = mctx.gumbel_muzero_policy(None, mine, root, simulate, simulations,
                                          invalid_actions=~state.legal_action_mask,
                                          qtransform=mctx.qtransform_completed_by_mix_value)
        state = step(state, found.action)
        begun = init(jax.random.split(fresh, games))
        choose = lambda new, old: jnp.where(state.terminated.reshape((games,) + (1,) * (old.ndim - 1)), new, old)
        return jax.tree.map(choose, begun, state)

    keys = iter(jax.random.split(jax.random.PRNGKey(1), 1_000_000))
    state = [jax.jit(init)(jax.random.split(next(keys), games))]

    def forward():
        state[0] = jax.block_until_ready(move(state[0], next(keys)))

    forward()

    def run(seconds):
        begin, done = time.perf_counter(), 0
        while time.perf_counter() - begin < seconds:
            forward()
            done += games * (simulations + 1)  # the root's, too
        return done / (time.perf_counter() - begin)

    return run


def nothing(actions):
    """The free evaluator: equal logits, values of 0."""
    import jax.numpy as jnp
    return lambda x: (jnp.zeros((x.shape[0], actions)), jnp.zeros(x.shape[0]))


def tower(blocks, channels, board, planes, actions):
    """A random residual tower in fp32 with the heads of `random:BLOCKSxCHANNELS:1`, channels last."""
    import jax
    import jax.numpy as jnp
    keys = iter(jax.random.split(jax.random.PRNGKey(7), 6 + 2 * blocks))
    cells = board[0] * board[1]

    def weights(*extents):
        fan_in = 1
        for extent in extents[:-1]:
            fan_in *= extent
        return jax.random.normal(next(keys), extents) * (2 / fan_in) ** 0.5

    def convolve(x, kernel):
        return jax.lax.conv_general_dilated(x, kernel, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC"))

    stem = weights(3, 3, planes, channels)
    pairs = [(weights(3, 3, channels, channels), weights(3, 3, channels, channels)) for _ in range(blocks)]
    policy_head, policy = weights(1, 1, channels, 8), weights(8 * cells, actions)
    value_head, hidden, value = weights(1, 1, channels, 8), weights(8 * cells, 64), weights(64, 3)
    relu = jax.nn.relu

    def network(x):
        x = relu(convolve(x, stem))
        for first, second in pairs:
            x = relu(convolve(relu(convolve(x, first)), second) + x)
        outcome = jax.nn.softmax(relu(relu(convolve(x, value_head)).reshape(x.shape[0], -1) @ hidden) @ value)
        return relu(convolve(x, policy_head)).reshape(x.shape[0], -1) @ policy, outcome[:, 0] - outcome[:, 2]

    return network


def jobs():
    """(what is done, what is counted, batchmate's side, the peer, a function that makes the peer's side)."""
    playout = "--threads 1 --evaluator rollout --simulations 100 --no-reuse --noise 0 --game "
    for ours, theirs in [("connect4", "connect_four"), ("hex9", "hex(board_size=9)"),
                         ("othello", "othello"), ("breakthrough8", "breakthrough")]:
        yield (f"{ours}, a random playout a leaf, 100 simulations, one thread", "simulations",
               selfplay(playout + ours, "simulations_per_second"), "OpenSpiel",
               lambda game=theirs: open_spiel(game, 100))
    gumbel = "--search gumbel --simulations 100 --game "
    for ours, theirs, actions in [("connect4", "connect_four", 7), ("othello", "othello", 65), ("go9", "go_9x9", 82)]:
        yield (f"{ours}, free evaluator, Gumbel, 100 simulations, all cores", "evaluations",
               selfplay(f"{gumbel}{ours} --evaluator uniform", "boards_per_second"), "mctx, pgx",
               lambda game=theirs, a=actions: pgx_games(game, 1024, 100, nothing(a)))
    yield ("connect4, 4x64 in fp32, Gumbel, 100 simulations, all cores", "evaluations",
           selfplay(gumbel + "connect4 --network random:4x64:1 --precision fp32", "boards_per_second"), "mctx, pgx",
           lambda: pgx_games("connect_four", 128, 100, tower(4, 64, (6, 7), 2, 7)))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=5, help="of every measurement")
    parser.add_argument("--rounds", type=int, default=3, help="in which the two sides take turns")
    parser.add_argument("--only", default="", help="jobs that hold this text")
    options = parser.parse_args()
    print("| job | peer | counted | peer's a second | batchmate's a second | ratio |\n"
          "| --- | --- | --- | ---: | ---: | ---: |", flush=True)
    for what, unit, ours, peer, make in jobs():
        if options.only not in f"{what} {peer}":
            continue
        try:
            theirs = make()
        except ImportError as missing:
            print(f"peers.py: {peer} is left out: {missing}", file=sys.stderr)
            continue
        rounds = [(theirs(options.seconds), ours(options.seconds)) for _ in range(options.rounds)]
        slow, fast = (statistics.median(side) for side in zip(*rounds))
        ratio = statistics.median(b / a for a, b in rounds)
        print(f"| {what} | {peer} | {unit} | {slow:,.0f} | {fast:,.0f} | {ratio:.1f} |", flush=True)


if __name__ == "__main__":
    main()
