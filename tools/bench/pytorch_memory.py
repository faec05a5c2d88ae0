#!/usr/bin/env python3
"""Runs training steps of SAIN in PyTorch and prints the resident memory of the process as JSON.

    tools/bench/pytorch_memory.py [--scale 2] [--batch 16] [--patch 128] [--steps 2] [--threads N]

memory.py starts this as a fresh process, since a process may keep memory that it has used once.
"""

import argparse
import json
import os
import pathlib
import time

import numpy
import torch

import compare_pytorch
import sain_pytorch


def memory(field):
    """A line of /proc/self/status, in bytes: VmRSS is the present memory, VmHWM the peak so far."""
    for line in pathlib.Path("/proc/self/status").read_text().splitlines():
        if line.startswith(field + ":"):
            return int(line.split()[1]) * 1024
    raise LookupError(field)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--scale", type=int, default=2, choices=(2, 4))
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--patch", type=int, default=128)
    parser.add_argument("--steps", type=int, default=2)
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    # The libraries are now loaded and have computed something; this memory is not the step's.
    torch.nn.functional.conv2d(torch.ones(1, 3, 8, 8), torch.ones(3, 3, 3, 3))
    sain_pytorch.codec(torch.ones(1, 3, 16, 16), 75)
    empty = memory("VmRSS")

    network = compare_pytorch.make_network(args.scale)
    hr, reference = compare_pytorch.make_images(args.batch, args.patch, args.scale)
    optimiser = sain_pytorch.make_optimiser(network)
    before, cpu = time.perf_counter(), time.process_time()
    for _ in range(args.steps):
        sain_pytorch.training_step(network, optimiser, hr, reference, 75)
    print(json.dumps({
        "pytorch": torch.__version__, "numpy": numpy.__version__, "empty_bytes": empty,
        "peak_bytes": memory("VmHWM"), "above_empty_bytes": memory("VmHWM") - empty,
        "seconds": (time.perf_counter() - before) / args.steps,
        "cpu_seconds": (time.process_time() - cpu) / args.steps}))


if __name__ == "__main__":
    main()
