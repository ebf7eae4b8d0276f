"""What the trainer knows of the shipped games: their boards, and their symmetries for augmenting rows.

A symmetry is a pair of index arrays: `cells` (H * W) and `actions` (A) such that `planes[..., cells]` and
`policy[..., actions]` are the moved planes and policy. The identity is always the first.
"""

import re

import numpy as np

from rows import Board


def board_of(game):
    """The board of a shipped game by its name, or None."""
    if game == "connect4":
        return Board(game, planes=2, rows=6, columns=7, globals=0, actions=7)
    if game == "tictactoe":
        return Board(game, planes=2, rows=3, columns=3, globals=0, actions=9)
    if found := re.fullmatch(r"hex(\d+)(-swap)?", game):
        size, swap = int(found[1]), bool(found[2])
        return Board(game, planes=3, rows=size, columns=size, globals=0, actions=size * size + swap)
    return None


def symmetries(board):
    """The symmetries of a board's game by its name; the identity alone for a game that is not known here."""
    cells = np.arange(board.cells).reshape(board.rows, board.columns)
    if board.game == "connect4":
        return [(moved.ravel(), moved[0]) for moved in (cells, cells[:, ::-1])]
    if board.game == "tictactoe":
        turned = [np.rot90(cells, turn) for turn in range(4)]
        return [placing(moved, board) for moved in turned + [moved[:, ::-1] for moved in turned]]
    if board.game.startswith("hex") and board_of(board.game):
        return [placing(moved, board) for moved in (cells, cells[::-1, ::-1])]
    return [(cells.ravel(), np.arange(board.actions))]


def placing(moved, board):
    """The symmetry of a game whose action i is cell i; actions beyond the board (a swap) stay."""
    return moved.ravel(), np.concatenate([moved.ravel(), np.arange(board.cells, board.actions)])
