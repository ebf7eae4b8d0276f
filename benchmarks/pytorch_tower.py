#!/usr/bin/env python3
"""The same towers in PyTorch on a GPU, to compare the cudnn evaluator with: fp16, channels-last, in a CUDA graph, and
by torch.compile. Times the tower and the heads on batches that lie on the device; moves no data, runs no search.

    benchmarks/pytorch_tower.py [--seconds S] [--rows N,N,...] [--no-compile]

Prints a line of JSON for each tower, batch size and way. Exit status 77 where there is no GPU."""
import argparse
import json
import sys
import time

TOWERS = [(6, 64, 9, 82), (10, 128, 11, 122), (10, 128, 13, 170), (15, 192, 13, 170), (20, 256, 19, 362)]
PLANES = 3


def make_tower(torch, blocks, channels, board, actions):
    """A residual tower with batch norm folded, as the library has it: relu(conv(relu(conv(x))) + x)."""
    nn = torch.nn

    class Block(nn.Module):
        def __init__(self):
            super().__init__()
            self.first = nn.Conv2d(channels, channels, 3, padding=1)
            self.second = nn.Conv2d(channels, channels, 3, padding=1)

        def forward(self, x):
            return torch.relu(self.second(torch.relu(self.first(x))) + x)

    class Tower(nn.Module):
        def __init__(self):
            super().__init__()
            self.stem = nn.Conv2d(PLANES, channels, 3, padding=1)
            self.blocks = nn.Sequential(*[Block() for _ in range(blocks)])
            self.policy_conv = nn.Conv2d(channels, 8, 1)
            self.policy = nn.Linear(8 * board * board, actions)
            self.value_conv = nn.Conv2d(channels, 8, 1)
            self.value_hidden = nn.Linear(8 * board * board, 64)
            self.value = nn.Linear(64, 3)

        def forward(self, x):
            x = self.blocks(torch.relu(self.stem(x)))
            policy = self.policy(torch.relu(self.policy_conv(x)).flatten(1))
            value = self.value(torch.relu(self.value_hidden(torch.relu(self.value_conv(x)).flatten(1))))
            return torch.softmax(policy.float(), 1), torch.softmax(value.float(), 1)

    return Tower().cuda().half().eval().to(memory_format=torch.channels_last)


def rate(torch, step, rows, seconds):
    """Boards a second of a step that is repeated for so long."""
    for _ in range(5):
        step()
    torch.cuda.synchronize()
    begin, done = time.perf_counter(), 0
    while time.perf_counter() - begin < seconds:
        for _ in range(20):
            step()
        done += 20 * rows
        torch.cuda.synchronize()
    return done / (time.perf_counter() - begin)


def in_a_graph(torch, function, x):
    """A step that replays `function(x)` as a CUDA graph."""
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        for _ in range(3):
            function(x)
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        function(x)
    return graph.replay


def measure(torch, options, tower, rows):
    """Yields (way, boards a second)."""
    blocks, channels, board, actions = tower
    net = make_tower(torch, blocks, channels, board, actions)
    x = torch.randint(0, 2, (rows, PLANES, board, board), device="cuda").half()
    x = x.contiguous(memory_format=torch.channels_last)
    yield "eager", rate(torch, lambda: net(x), rows, options.seconds)
    yield "graph", rate(torch, in_a_graph(torch, net, x), rows, options.seconds)
    if not options.no_compile and hasattr(torch, "compile"):
        compiled = torch.compile(net, mode="max-autotune-no-cudagraphs", dynamic=False)
        compiled(x)
        yield "compiled graph", rate(torch, in_a_graph(torch, compiled, x), rows, options.seconds)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=2, help="of every measurement")
    parser.add_argument("--rows", default="400,1199,4096", help="batch sizes")
    parser.add_argument("--no-compile", action="store_true", help="leave torch.compile out, which takes minutes")
    options = parser.parse_args()
    try:
        import torch
    except ImportError:
        print("skipped: PyTorch is missing")
        return 77
    if not torch.cuda.is_available():
        print("skipped: PyTorch finds no CUDA device")
        return 77
    torch.backends.cudnn.benchmark = True
    with torch.inference_mode():
        for tower in TOWERS:
            for rows in map(int, options.rows.split(",")):
                for way, boards in measure(torch, options, tower, rows):
                    print(json.dumps({"tower": "%dx%d@%dx%d" % (tower[0], tower[1], tower[2], tower[2]), "rows": rows,
                                      "way": way, "boards_per_second": round(boards),
                                      "device": torch.cuda.get_device_name(), "torch": torch.__version__}), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
