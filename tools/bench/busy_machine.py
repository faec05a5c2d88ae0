#!/usr/bin/env python3
"""How much longer mini takes on a machine whose processors are busy with other programs.

Runs a training step of the quickstart's network, a step of the full network and a 512x512 round trip
through JPEG, in turns on the idle machine and beside one endless loop per processor, and prints the
medians and their ratio. With as many threads as processors, the fair share of time beside the loops is
one half, so a ratio of 2 is the best that can be had.

    python3 tools/bench/busy_machine.py [--bench build/release/tools/mini_bench] [--rounds 5] [--quick]
"""
import argparse
import json
import os
import statistics
import subprocess
import sys

FULL = {
    "step, 2 + 1 blocks, batch 8, patch 64":
        "step --enhanced 2 --vanilla 1 --batch 8 --patch 64 --runs 5",
    "step, full SAIN x2, batch 4, patch 128": "step --batch 4 --patch 128 --memory stored --runs 1",
    "round trip, 512x512": "roundtrip --size 512 --runs 1",
}
QUICK = {"step, 1 + 1 blocks, batch 1, patch 32":
             "step --enhanced 1 --vanilla 1 --batch 1 --patch 32 --runs 3"}


def seconds(bench, command):
    output = subprocess.run([bench, "--json", "-", *command.split()], check=True,
                            capture_output=True, text=True).stdout
    return json.loads(output)["measurements"][0]["seconds"]


class Busy:
    """One endless loop per processor while the context lasts."""

    def __enter__(self):
        self.loops = [subprocess.Popen([sys.executable, "-c", "while True: pass"])
                      for _ in os.sched_getaffinity(0)]

    def __exit__(self, *_):
        for loop in self.loops:
            loop.kill()
        for loop in self.loops:
            loop.wait()


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bench", default="build/release/tools/mini_bench")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", help="write the seconds of all rounds to this file")
    parser.add_argument("--quick", action="store_true", help="one small network, two rounds")
    args = parser.parse_args()
    rounds = 2 if args.quick else args.rounds
    results = {}
    print(f"{len(os.sched_getaffinity(0))} processors, {rounds} rounds, medians")
    print(f"{'':42}{'idle':>10}{'busy':>10}{'ratio':>8}")
    for name, command in (QUICK if args.quick else FULL).items():
        idle, busy = [], []
        for _ in range(rounds):
            idle.append(seconds(args.bench, command))
            with Busy():
                busy.append(seconds(args.bench, command))
        results[name] = {"idle": idle, "busy": busy}
        a, b = statistics.median(idle), statistics.median(busy)
        print(f"{name:42}{a:>8.3f} s{b:>8.3f} s{b / a:>8.2f}")
    if args.json:
        with open(args.json, "w", encoding="utf-8") as file:
            json.dump(results, file, indent=1)


if __name__ == "__main__":
    main()
