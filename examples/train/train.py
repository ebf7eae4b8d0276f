#!/usr/bin/env python3
"""Trains a network on rows that the self-play program wrote, and writes it in the form that the library loads.

    train.py --data out/first out/second --steps 2000 --out connect4.safetensors

The policy learns the search's visit shares (cross entropy over the legal actions), the value the game's result.
`--resume` is a warm start: the weights and the optimizer's state of a checkpoint, with a new schedule. It does not
continue a run that was interrupted.
"""

import os

os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # spinning threads are several times slower on a busy machine

import argparse
import math
import sys
import time
from dataclasses import dataclass

import numpy as np
import torch

import model as networks
from games import symmetries
from model import Architecture, Network
from stream import Loader, Stream
from tensors import TensorFileError


@dataclass(frozen=True)
class Settings:
    """How to train."""

    steps: int = 1000            # optimizer steps
    batch: int = 256             # B, rows a step
    lr: float = 5e-3             # the highest, after the warm-up
    weight_decay: float = 1e-2   # AdamW's, of weights but not of biases and batch norm
    value_mix: float = 0.0       # share of the search's value in the value's target; the rest is the result
    short_mix: float = 0.0       # share of the search's values some plies on there
    value_weight: float = 1.0    # of the value's loss beside the policy's
    surprise_share: float = 0.0  # share of the rows' weights that goes by their surprise; the rest is even
    symmetry: bool = True        # turn and mirror rows at random
    seed: int = 1
    report_every: int = 100      # steps


NEEDED = ("inputs", "legal", "policy", "policy_weight", "value_target", "wdl_target", "value_weight")  # by the losses


def mean(losses, weights):
    """The mean of `losses` (B) by `weights` (B); 0 if all weights are."""
    return (weights * losses).sum() / weights.sum().clamp_min(1e-9)


def policy_loss(logits, batch):
    """Mean cross entropy of the policy's targets under the softmax of `logits` (B, A) over the legal actions."""
    chances = torch.log_softmax(logits.masked_fill(~batch["legal"], -torch.inf), 1)
    return mean(-(batch["policy"] * chances.masked_fill(~batch["legal"], 0)).sum(1), batch["policy_weight"])


def value_loss(outputs, batch):
    """Mean cross entropy of win, draw and loss from `outputs` (B, 3), or squared error of tanh from (B, 1)."""
    if outputs.shape[1] == 1:
        losses = (torch.tanh(outputs[:, 0]) - batch["value_target"]) ** 2
    else:
        losses = -(batch["wdl_target"] * torch.log_softmax(outputs, 1)).sum(1)
    return mean(losses, batch["value_weight"])


def losses_of(model, batch):
    """The losses (policy, value) of a model on a batch."""
    logits, outputs = model(batch["inputs"])
    return policy_loss(logits, batch), value_loss(outputs, batch)


@torch.no_grad()
def evaluate(model, batches):
    """The mean losses (policy, value) over batches of the model as it plays, which it does not change."""
    device = next(model.parameters()).device
    sums, weights = torch.zeros(2, device=device), torch.zeros(2, device=device)
    model.eval()
    for batch in batches:
        batch = needed(batch, device)
        weight = torch.stack([batch["policy_weight"].sum(), batch["value_weight"].sum()])
        sums, weights = sums + weight * torch.stack(losses_of(model, batch)), weights + weight
    model.train()
    return tuple((sums / weights.clamp_min(1e-9)).tolist())


def to_device(tensor, device):
    """A tensor of the host on `device`; to a GPU it is copied while the host goes on."""
    if device.type == "cuda":
        return tensor.pin_memory().to(device, non_blocking=True)
    return tensor.to(device)


def needed(batch, device):
    """What the losses need of a batch, on `device`."""
    return {name: to_device(batch[name], device) for name in NEEDED}


def index_tables(moves, device):
    """Symmetries as indices on `device`: cells (M, H * W) and actions (M, A)."""
    return tuple(torch.from_numpy(np.stack(part)).to(device) for part in zip(*moves))


def augmented(batch, tables, random):
    """The batch, on the device of the `index_tables`, with every row moved by one of the symmetries, drawn evenly."""
    drawn = random.integers(len(tables[0]), size=len(batch["policy"]))
    drawn = to_device(torch.from_numpy(drawn), tables[0].device)
    cells, actions = (table[drawn] for table in tables)  # (B, H * W), (B, A)
    flat = batch["inputs"].flatten(2)
    moved = flat.gather(2, cells[:, None, :].expand_as(flat)).view_as(batch["inputs"])
    return {**batch, "inputs": moved, "legal": batch["legal"].gather(1, actions),
            "policy": batch["policy"].gather(1, actions)}


def open_stream(folders, settings, **more):
    """The rows of folders with the targets and weights of the settings; `more` is Stream's."""
    return Stream(folders, batch=settings.batch, seed=settings.seed, value_mix=settings.value_mix,
                  short_mix=settings.short_mix, surprise_share=settings.surprise_share, **more)


def open_rows(folders, settings, newest_rows=None, workers=0, **more):
    """The rows of folders, ready to train on, and their number; `more` is Stream's."""
    stream = open_stream(folders, settings, newest_rows=newest_rows, drop_last=True, **more)
    count = stream.count()
    if count < 2:
        raise TensorFileError(f"{count} row is too few to train on")
    stream.batch = min(settings.batch, max(2, count // max(1, workers)))  # so that at least one worker fills one
    return Loader(stream, workers), count


def symmetries_of(stream, board):
    """Those that the rows name, else those that are known here."""
    return stream.symmetries or symmetries(board)


def endless(loader):
    """Batches of one epoch after the other."""
    while True:
        batch = None
        for batch in loader:
            yield batch
        if batch is None:
            raise TensorFileError(f"{loader.stream.data}: not enough rows are left for a batch")


def learning_rate(step, settings):
    """A linear warm-up over the first twentieth, then half a cosine down to a fiftieth."""
    done = (step + 1) / settings.steps
    if done < 0.05:
        return settings.lr * done / 0.05
    return settings.lr * (0.02 + 0.98 * (1 + math.cos(math.pi * (done - 0.05) / 0.95)) / 2)


def make_optimizer(model):
    """AdamW that decays weights only; `fit` sets the rates."""
    weights = [p for p in model.parameters() if p.ndim > 1]
    others = [p for p in model.parameters() if p.ndim <= 1]
    return torch.optim.AdamW([{"params": weights}, {"params": others, "weight_decay": 0.0}])


def fit(model, optimizer, loader, settings, report=print):
    """Trains in place; returns the mean (policy loss, value loss) of the last report. `report` takes a line."""
    device = next(model.parameters()).device
    random = np.random.default_rng(settings.seed)
    moves = symmetries_of(loader.stream, model.board) if settings.symmetry else []
    tables = index_tables(moves, device) if len(moves) > 1 else None
    optimizer.param_groups[0]["weight_decay"] = settings.weight_decay
    model.train()
    losses, rows, since, means = [], 0, time.monotonic(), (math.nan, math.nan)
    for step, batch in zip(range(settings.steps), endless(loader)):
        batch = needed(batch, device)
        if tables:
            batch = augmented(batch, tables, random)
        losses.append(learn(model, optimizer, batch, learning_rate(step, settings), settings))
        rows += len(batch["policy"])
        if (step + 1) % settings.report_every == 0 or step + 1 == settings.steps:
            means = tuple(float(torch.stack(part).mean()) for part in zip(*losses))
            speed = rows / (time.monotonic() - since)
            report(f"step {step + 1}/{settings.steps}  policy {means[0]:.4f}  value {means[1]:.4f}  {speed:.0f} rows/s")
            losses, rows, since = [], 0, time.monotonic()
    return means


def learn(model, optimizer, batch, lr, settings):
    """One step of the optimizer; returns the losses (policy, value) before it."""
    for group in optimizer.param_groups:
        group["lr"] = lr
    of_policy, of_value = losses_of(model, batch)
    optimizer.zero_grad(set_to_none=True)
    (of_policy + settings.value_weight * of_value).backward()
    optimizer.step()
    return of_policy.detach(), of_value.detach()


def add_network_flags(parser):
    """The flags of `Architecture`, read back by `architecture_of`."""
    default, group = Architecture(), parser.add_argument_group("a new network")
    for name, text in [("blocks", "residual blocks"), ("channels", "channels of the tower"),
                       ("policy-channels", "channels before the policy"),
                       ("value-channels", "channels before the value"),
                       ("hidden", "units between them and the value")]:
        group.add_argument(f"--{name}", type=positive, default=getattr(default, name.replace("-", "_")), metavar="N",
                           help=f"{text} (%(default)s)")
    group.add_argument("--value", choices=networks.OUTPUTS, default=default.value,
                       help="the value as win/draw/loss chances or as one number (%(default)s)")


def architecture_of(flags):
    """The architecture that the flags ask for."""
    return Architecture(flags.blocks, flags.channels, flags.policy_channels, flags.value_channels, flags.hidden,
                        flags.value)


def add_training_flags(parser):
    """The flags of `Settings` but for `steps`, read back by `settings_of`; returns their group."""
    default, group = Settings(), parser.add_argument_group("training")
    group.add_argument("--batch", type=positive, default=default.batch, metavar="ROWS",
                       help="rows a step (%(default)s)")
    group.add_argument("--lr", type=amount, default=default.lr, help="highest learning rate (%(default)s)")
    group.add_argument("--weight-decay", type=amount, default=default.weight_decay, help="AdamW's (%(default)s)")
    group.add_argument("--value-mix", type=share, default=default.value_mix, metavar="SHARE",
                       help="share of the search's own value in the value's target, 0 to 1 (%(default)s)")
    group.add_argument("--short-mix", type=share, default=default.short_mix, metavar="SHARE",
                       help="share of the search's values some plies on there, with --value-mix at most 1 "
                            "(%(default)s)")
    group.add_argument("--value-weight", type=amount, default=default.value_weight,
                       help="of the value's loss beside the policy's (%(default)s)")
    group.add_argument("--surprise-share", type=share, default=default.surprise_share, metavar="SHARE",
                       help="share of the rows' weights that goes by how much the search surprised the network, 0 to 1 "
                            "(%(default)s)")
    group.add_argument("--workers", type=natural, default=0, metavar="N",
                       help="processes that read rows; 0: read between the steps (%(default)s)")
    group.add_argument("--no-symmetry", action="store_true", help="do not turn or mirror rows")
    group.add_argument("--device", default="auto", help="cpu, cuda or auto (%(default)s)")
    group.add_argument("--threads", type=positive, metavar="N", help="processor threads (all that may be used)")
    group.add_argument("--seed", type=natural, default=default.seed, help="of everything random (%(default)s)")
    return group


def settings_of(flags, steps, seed):
    """The settings that the flags ask for, for a number of steps and a seed."""
    return Settings(steps, flags.batch, flags.lr, flags.weight_decay, flags.value_mix, flags.short_mix,
                    flags.value_weight, flags.surprise_share, not flags.no_symmetry, seed)


def check_training_flags(parser, flags):
    """Ends the program where the flags of `add_training_flags` contradict each other."""
    if flags.value_mix + flags.short_mix > 1:
        parser.error("--value-mix and --short-mix must be at most 1 together, "
                     f"got {flags.value_mix} and {flags.short_mix}")
    if flags.device == "auto":
        flags.device = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        torch.empty(0, device=flags.device)
    except (RuntimeError, AssertionError) as problem:
        parser.error(f"--device {flags.device}: {str(problem).splitlines()[0]}")
    return flags


def prepare_torch(flags):
    """Seeds PyTorch and sets its threads."""
    torch.manual_seed(flags.seed)
    if flags.threads:
        torch.set_num_threads(flags.threads)


def positive(text):
    """An argparse type: an integer of at least 1."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"must be positive, got {text}")
    return number


def natural(text):
    """An argparse type: an integer of at least 0, and of 63 bits."""
    number = int(text)
    if not 0 <= number < 2**63:
        raise argparse.ArgumentTypeError(f"must be 0 to 2^63 - 1, got {text}")
    return number


def amount(text):
    """An argparse type: a finite number of at least 0."""
    number = float(text)
    if not 0 <= number < math.inf:
        raise argparse.ArgumentTypeError(f"must be finite and not negative, got {text}")
    return number


def share(text):
    """An argparse type: a number from 0 to 1."""
    number = float(text)
    if not 0 <= number <= 1:
        raise argparse.ArgumentTypeError(f"must be from 0 to 1, got {text}")
    return number


def parse_flags(arguments):
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", nargs="+", required=True, metavar="FOLDER",
                        help="folders of rows-*.safetensors, or quoted globs, oldest first")
    parser.add_argument("--window", type=positive, metavar="ROWS", help="train on the newest rows only (all)")
    parser.add_argument("--out", required=True, metavar="FILE", help="the network to write")
    length = parser.add_mutually_exclusive_group()
    length.add_argument("--steps", type=positive, metavar="N", help="optimizer steps")
    length.add_argument("--epochs", type=amount, default=4, help="times to see every row (%(default)s)")
    parser.add_argument("--resume", metavar="FILE",
                        help="begin with the weights and the optimizer's state of this checkpoint, on a new schedule "
                             "(a warm start)")
    parser.add_argument("--checkpoint", metavar="FILE", help="write what --resume reads")
    add_network_flags(parser)
    add_training_flags(parser)
    return check_training_flags(parser, parser.parse_args(arguments))


def run(flags):
    """Loads, trains, writes."""
    prepare_torch(flags)
    loader, count = open_rows(flags.data, settings_of(flags, 0, flags.seed), flags.window, flags.workers)
    board, batch = loader.stream.board, loader.stream.batch
    if flags.resume:
        model, state = networks.load_checkpoint(flags.resume, flags.device)
        if model.board != board:
            raise TensorFileError(f"{flags.resume}: is for {model.board}, the rows are of {board}")
    else:
        model, state = Network(board, architecture_of(flags)).to(flags.device), None
    optimizer = make_optimizer(model)
    if state:
        optimizer.load_state_dict(state["optimizer"])
    steps = flags.steps or max(1, math.ceil(flags.epochs * count / batch))
    print(f"{board.game}: {count} rows, {steps} steps, "
          f"{sum(p.numel() for p in model.parameters())} parameters, {flags.device}, "
          f"{1 if flags.no_symmetry else len(symmetries_of(loader.stream, board))} symmetries", flush=True)
    fit(model, optimizer, loader, settings_of(flags, steps, flags.seed), lambda line: print(line, flush=True))
    networks.export(model, flags.out)
    if flags.checkpoint:
        networks.save_checkpoint(flags.checkpoint, model, optimizer)


def main(arguments=None):
    """Exit status 0; 1 with one line on standard error for a missing, damaged or unfit file; 2 for bad flags."""
    try:
        run(parse_flags(arguments))
    except (TensorFileError, OSError) as problem:
        print(f"train.py: {problem}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
