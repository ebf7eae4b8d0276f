"""What the trainer knows of the shipped games: their boards, and their symmetries for augmenting rows.

A symmetry is a pair of index arrays: `cells` (H * W) and `actions` (A) such that `planes[..., cells]` and
`policy[..., actions]` are the moved planes and policy. They are numbered as the library numbers them, so that the
identity is always the first.
"""

import re

import numpy as np

from rows import Board

SIZES = {"tictactoe": (2, 3, 3, 0, 9), "connect4": (2, 6, 7, 0, 7), "othello": (2, 8, 8, 0, 65),
         "gomoku": (2, 15, 15, 0, 225)}


def board_of(game):
    """The board of a shipped game by its name, or None."""
    if game in SIZES:
        return Board(game, *SIZES[game])
    if found := re.fullmatch(r"hex(\d+)(-swap)?", game):
        size, swap = int(found[1]), bool(found[2])
        return Board(game, planes=3, rows=size, columns=size, globals=0, actions=size * size + swap)
    if found := re.fullmatch(r"go(\d+)", game):
        size = int(found[1])
        return Board(game, planes=8, rows=size, columns=size, globals=2, actions=size * size + 1)
    if found := re.fullmatch(r"mnk(\d+)x(\d+)x\d+", game):
        rows, columns = int(found[1]), int(found[2])
        return Board(game, planes=2, rows=rows, columns=columns, globals=0, actions=rows * columns)
    if found := re.fullmatch(r"breakthrough(\d+)(?:x(\d+))?", game):
        rows, columns = int(found[1]), int(found[2] or found[1])
        return Board(game, planes=2, rows=rows, columns=columns, globals=0, actions=3 * rows * columns)
    return None


def symmetries(board):
    """The symmetries of a board's game; the identity alone for a game, or a board of it, that is not known here."""
    cells = np.arange(board.cells).reshape(board.rows, board.columns)
    mirrored = cells[:, ::-1]
    if board != board_of(board.game):
        return [(cells.ravel(), np.arange(board.actions))]
    if board.game == "connect4":
        return [(moved.ravel(), moved[0]) for moved in (cells, mirrored)]
    if board.game.startswith("breakthrough"):
        return [(cells.ravel(), moving(cells, [0, 1, 2])), (mirrored.ravel(), moving(mirrored, [2, 1, 0]))]
    if board.game.startswith("hex"):
        return [placing(moved, board) for moved in (cells, turned(cells, 2))]
    if board.game == "othello":  # without those that exchange the colours of the start
        return [placing(moved, board) for moved in (cells, turned(cells, 2), cells.T, turned(cells.T, 2))]
    turns = range(4) if board.rows == board.columns else (0, 2)
    return [placing(turned(first, turn), board) for first in (cells, mirrored) for turn in turns]


def turned(cells, quarters):
    """A board turned to the right."""
    return np.rot90(cells, -quarters)


def placing(moved, board):
    """The symmetry of a game whose action i is cell i; actions beyond the board (a swap, a pass) stay."""
    return moved.ravel(), np.concatenate([moved.ravel(), np.arange(board.cells, board.actions)])


def moving(moved, directions):
    """The actions of a game whose action is direction * H * W + cell."""
    return np.concatenate([direction * moved.size + moved.ravel() for direction in directions])
