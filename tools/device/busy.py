#!/usr/bin/env python3
"""Measures how busy training keeps the GPU: runs a command that reports steps, beside nvidia-smi.

    tools/device/busy.py --seconds 20 [--no-gpu] -- mini_train CONFIG --device cuda ...

Stops the run after this many seconds (by SIGTERM, so it saves and ends). The first reports are left
out, since libraries are loaded and the first images decoded then. Utilisation, as defined by
nvidia-smi, is the share of its last sampling period in which any kernel ran.
"""

import argparse
import re
import signal
import statistics
import subprocess
import sys
import threading
import time

QUERY = "utilization.gpu,memory.used,power.draw,clocks.sm"


def timed_lines(stream, lines, echo=False):
    for line in stream:
        lines.append((time.monotonic(), line.rstrip()))
        if echo:
            print(line, end="", flush=True)


def start(command, lines, echo=False, **options):
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, **options)
    thread = threading.Thread(target=timed_lines, args=(process.stdout, lines, echo), daemon=True)
    thread.start()
    return process, thread


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--no-gpu", action="store_true", help="do not run nvidia-smi")
    parser.add_argument("--skip", type=int, default=2, help="number of reports left out at the start")
    parser.add_argument("--least", type=float, default=0, help="fail below this utilisation, in %%")
    parser.add_argument("command", nargs="+")
    args = parser.parse_args()

    samples, reports = [], []
    if not args.no_gpu:
        watcher, _ = start(["nvidia-smi", "--query-gpu=" + QUERY, "--format=csv,noheader,nounits",
                            "-lms", "100"], samples)
    training, reader = start(args.command, reports, echo=True)
    try:
        code = training.wait(args.seconds)
    except subprocess.TimeoutExpired:
        training.send_signal(signal.SIGTERM)
        code = training.wait()
    reader.join()
    if not args.no_gpu:
        watcher.terminate()
    if code not in (0, 128 + signal.SIGTERM):
        sys.exit(f"busy: the command ended with {code}")

    steps = [(when, int(found[1])) for when, line in reports
             if (found := re.match(r"(\d+)/\d+ ", line))][args.skip:]
    if len(steps) < 3:
        sys.exit(f"busy: only {len(steps)} reports after the first {args.skip}; give it more time")
    (begin, first), (end, last) = steps[0], steps[-1]
    rate = (last - first) / (end - begin)
    text = f"{last - first} steps in {end - begin:.1f} s: {rate:.2f} steps/s, {1e3 / rate:.1f} ms each"
    share = None
    if not args.no_gpu:
        rows = [[float(x) for x in line.split(", ")] for when, line in samples
                if begin <= when <= end and "[" not in line]
        if not rows:
            sys.exit("busy: nvidia-smi gave no samples")
        share = statistics.mean(row[0] for row in rows)
        low = sorted(row[0] for row in rows)[len(rows) // 20]
        text += (f"; GPU busy {share:.1f} % of the time (5th percentile {low:.0f} %, {len(rows)} samples), "
                 f"{max(row[1] for row in rows):.0f} MiB, "
                 f"{statistics.mean(row[2] for row in rows):.0f} W, "
                 f"{statistics.median(row[3] for row in rows):.0f} MHz")
    print("key: " + text)
    if share is not None and share < args.least:
        sys.exit(1)


if __name__ == "__main__":
    main()
