"""For training: the residual tower with its heads as the library evaluates it (include/batchmate/net/network.hpp).

Every convolution is followed by batch norm while training; `export` folds it into the weights, which is the only form
that a network file knows. Shapes: B rows, C_in inputs, C channels, H x W board, A actions.
"""

from dataclasses import asdict, dataclass

import numpy as np
import torch
from torch import nn

import tensors
from rows import Board
from tensors import TensorFileError

FORMAT = "batchmate-network-1"
OUTPUTS = {"wdl": 3, "scalar": 1}  # of the value head
SAFELY = {"weights_only": True} if int(torch.__version__.split(".")[0]) >= 2 else {}  # 1.13 then refuses numbers


@dataclass(frozen=True)
class Architecture:
    """The sizes of a network that its game does not determine."""

    blocks: int = 4
    channels: int = 32          # C
    policy_channels: int = 4    # P, of the 1x1 convolution before the policy
    value_channels: int = 4     # V, of the 1x1 convolution before the value
    hidden: int = 64            # between it and the value
    value: str = "wdl"          # (win, draw, loss), or "scalar"


class Convolution(nn.Module):
    """A convolution that keeps the board's size, with batch norm after it or, once folded, with a bias instead."""

    def __init__(self, inputs, outputs, kernel, folded):
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2, bias=folded)
        self.norm = nn.Identity() if folded else nn.BatchNorm2d(outputs)

    def forward(self, x):
        """(B, inputs, H, W) to (B, outputs, H, W)."""
        return self.norm(self.conv(x))

    def folded(self):
        """The weights (outputs, inputs, kernel, kernel) and bias (outputs) of the same function without batch norm."""
        weight = self.conv.weight.detach().double()
        if isinstance(self.norm, nn.Identity):
            return weight, self.conv.bias.detach().double()
        norm = self.norm
        scale = norm.weight.detach().double() / torch.sqrt(norm.running_var.double() + norm.eps)
        return weight * scale[:, None, None, None], norm.bias.detach().double() - norm.running_mean.double() * scale


class Block(nn.Module):
    """relu(second(relu(first(x))) + x)."""

    def __init__(self, channels, folded):
        super().__init__()
        self.first = Convolution(channels, channels, 3, folded)
        self.second = Convolution(channels, channels, 3, folded)

    def forward(self, x):
        """(B, C, H, W) to the same."""
        return torch.relu(self.second(torch.relu(self.first(x))) + x)


class Network(nn.Module):
    """The whole network for one board; its parts are named as in the network file."""

    def __init__(self, board, architecture, folded=False):
        super().__init__()
        self.board, self.architecture = board, architecture
        a = architecture
        self.stem = Convolution(board.inputs, a.channels, 3, folded)
        self.blocks = nn.ModuleList(Block(a.channels, folded) for _ in range(a.blocks))
        self.policy_conv = Convolution(a.channels, a.policy_channels, 1, folded)
        self.policy = nn.Linear(a.policy_channels * board.cells, board.actions)
        self.value_conv = Convolution(a.channels, a.value_channels, 1, folded)
        self.value_hidden = nn.Linear(a.value_channels * board.cells, a.hidden)
        self.value = nn.Linear(a.hidden, OUTPUTS[a.value])

    def forward(self, x):
        """(B, C_in, H, W) to the policy's logits (B, A) and the value head's outputs (B, 3 or 1)."""
        x = torch.relu(self.stem(x))
        for block in self.blocks:
            x = block(x)
        logits = self.policy(torch.relu(self.policy_conv(x)).flatten(1))
        hidden = torch.relu(self.value_hidden(torch.relu(self.value_conv(x)).flatten(1)))
        return logits, self.value(hidden)

    @torch.no_grad()
    def evaluate(self, x, legal):
        """Priors (B, A), 0 where not `legal` (B, A), and values (B) in [-1, 1] for the player to move."""
        logits, outputs = self(x)
        priors = torch.softmax(logits.masked_fill(~legal, -torch.inf), 1)
        if self.architecture.value == "scalar":
            return priors, torch.tanh(outputs[:, 0])
        chances = torch.softmax(outputs, 1)
        return priors, chances[:, 0] - chances[:, 2]

    def convolutions(self):
        """Every convolution by its name in the file: `stem`, `blocks.0.first`, ..."""
        return {name: part for name, part in self.named_modules() if isinstance(part, Convolution)}

    def dense_layers(self):
        """Every fully connected layer by its name in the file."""
        return {"policy": self.policy, "value_hidden": self.value_hidden, "value": self.value}


def folded_arrays(model, path):
    """The tensors of a model's network file, `path`, batch norm folded; refuses numbers that are not finite."""
    arrays = {}
    for name, part in model.convolutions().items():
        arrays[f"{name}.weight"], arrays[f"{name}.bias"] = part.folded()
    for name, part in model.dense_layers().items():
        arrays[f"{name}.weight"], arrays[f"{name}.bias"] = part.weight.detach(), part.bias.detach()
    arrays = {name: np.ascontiguousarray(array.cpu().float().numpy()) for name, array in arrays.items()}
    for name, array in arrays.items():
        if not np.isfinite(array).all():
            raise TensorFileError(f"{path}: not written: {name} is not finite; training has diverged")
    return arrays


def export(model, path):
    """Writes the network file of a model; it appears whole or not at all, and not if training has diverged."""
    arrays, a = folded_arrays(model, path), model.architecture
    shape = {"blocks": str(a.blocks), "channels": str(a.channels), "value": a.value}
    tensors.write(path, arrays, {"format": FORMAT, **model.board.metadata(), **shape})


def load(path):
    """The folded model of a network file, on the CPU and ready to evaluate."""
    arrays, metadata = tensors.read(path)
    board = Board.of_metadata(metadata, path, FORMAT)
    try:
        architecture = Architecture(int(metadata["blocks"]), int(metadata["channels"]),
                                    len(arrays["policy_conv.bias"]), len(arrays["value_conv.bias"]),
                                    len(arrays["value_hidden.bias"]), metadata["value"])
        model = Network(board, architecture, folded=True)
        model.load_state_dict({state_name(name): torch.from_numpy(array) for name, array in arrays.items()})
    except (KeyError, ValueError, RuntimeError) as problem:
        raise TensorFileError(f"{path}: not the network that its metadata names: {problem}") from problem
    return model.eval()


def state_name(name):
    """A tensor's name in the file as PyTorch names it in a folded model."""
    layer, kind = name.rsplit(".", 1)
    return name if layer in ("policy", "value_hidden", "value") else f"{layer}.conv.{kind}"


def save_checkpoint(path, model, optimizer, **more):
    """Writes what it takes to go on training: model with its batch norm, optimizer, sizes and `more`."""
    state = {"board": asdict(model.board), "architecture": asdict(model.architecture), "model": model.state_dict(),
             "optimizer": optimizer.state_dict(), **more}
    tensors.write_atomically(path, lambda part: torch.save(state, part))


def load_checkpoint(path, device="cpu"):
    """The model of a checkpoint on `device`, and the checkpoint's state, which holds the optimizer's."""
    try:
        with open(path, "rb") as file:
            state = torch.load(file, map_location=device, **SAFELY)
        model = Network(Board(**state["board"]), Architecture(**state["architecture"])).to(device)
        model.load_state_dict(state["model"])
    except Exception as problem:  # what torch.load raises differs by version and damage
        reason = (str(problem) or type(problem).__name__).splitlines()[0]
        raise TensorFileError(f"{path}: not a checkpoint of this trainer: {reason}") from problem
    return model, state
