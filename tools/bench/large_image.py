#!/usr/bin/env python3
"""Scales a 7680x4320 image with the full-size SAIN x2 in bounded memory.

Runs mini_infer downscale and upscale under --memory-limit, and again with ten times the limit. Prints
the peak of resident memory and the time of each, and fails if a peak is above the limit or pixels
differ. Weights and image are generated, so the script needs Python only.

    python3 tools/bench/large_image.py [--limit 500] [--size 7680x4320] [--tools build/release/tools]
"""
import argparse
import array
import filecmp
import json
import os
import pathlib
import random
import struct
import sys
import tempfile
import time
import zlib


def dense_block(prefix, inputs, outputs, rng):
    """Names, shapes and values of one subnet, scaled so that pixels stay near their range in 8 blocks."""
    growth = 32
    for k in range(5):
        channels_in = inputs + k * growth
        channels_out = outputs if k == 4 else growth
        deviation = 0.5 * (2 / (9 * (channels_in + channels_out))) ** 0.5
        count = channels_out * channels_in * 9
        yield f"{prefix}.conv{k + 1}.weight", [channels_out, channels_in, 3, 3], array.array(
            "f", (rng.gauss(0, deviation) for _ in range(count)))
        yield f"{prefix}.conv{k + 1}.bias", [channels_out], array.array("f", [0.0] * channels_out)


def sain_x2(rng):
    haar = [1, 1, 1, 1, 1, -1, 1, -1, 1, 1, -1, -1, 1, -1, -1, 1]
    yield "haar_operations.0.haar_weights", [12, 1, 2, 2], array.array("f", haar * 3)
    yield "gmm.gmm_para", [3, 5], array.array("f", [0.0] * 15)
    for blocks, name, subnets in ((5, "down_operations", "EFGH"), (3, "comp_operations", "FGH")):
        for i in range(blocks):
            for subnet in subnets:
                from_rest = subnet in "EF"
                yield from dense_block(f"{name}.{i}.{subnet}", 9 if from_rest else 3,
                                       3 if from_rest else 9, rng)


def write_weights(path):
    header, data = {}, []
    start = 0
    for name, shape, values in sain_x2(random.Random(1)):
        raw = values.tobytes()
        header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [start, start + len(raw)]}
        data.append(raw)
        start += len(raw)
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(struct.pack("<Q", len(text)) + text + b"".join(data))


def write_image(path, width, height):
    """A colour gradient with fine noise, whose PNG is as large as that of a sharp photograph."""
    rng = random.Random(2)
    noise = bytes(value >> 4 for value in range(256))
    slope = int.from_bytes(
        bytes((x * 200 // width + 20 * c) % 240 for x in range(width) for c in range(3)), "little")
    compress = zlib.compressobj(1)
    pieces = []
    for _ in range(height):
        grain = rng.randbytes(3 * width).translate(noise)
        total = slope + int.from_bytes(grain, "little")  # adds all bytes; none overflows
        pieces.append(compress.compress(b"\0" + total.to_bytes(3 * width, "little")))
    pieces.append(compress.flush())

    def chunk(kind, body):
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    size = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", size) +
                     chunk(b"IDAT", b"".join(pieces)) + chunk(b"IEND", b""))


def run(command):
    """Runs the command; returns seconds and the peak of resident memory in bytes."""
    start = time.monotonic()
    child = os.posix_spawn(command[0], command, os.environ)
    _, status, usage = os.wait4(child, 0)
    if os.waitstatus_to_exitcode(status) != 0:
        sys.exit(f"failed: {' '.join(command)}")
    return time.monotonic() - start, usage.ru_maxrss * 1024


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--limit", type=int, default=500, help="memory limit in million bytes (500)")
    parser.add_argument("--size", default="7680x4320", help="size of the image (7680x4320)")
    parser.add_argument("--tools", default="build/release/tools", help="folder of mini_infer")
    options = parser.parse_args()
    width, height = map(int, options.size.split("x"))
    infer = str(pathlib.Path(options.tools) / "mini_infer")
    good = True
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        write_weights(folder / "sain.safetensors")
        write_image(folder / "large.png", width, height)
        print(f"{width}x{height}, {(folder / 'large.png').stat().st_size / 1e6:.0f} MB of PNG")
        print(f"{'':<10} {'limit':>7} {'peak RSS':>9} {'seconds':>8}")
        source = folder / "large.png"
        for step in ("downscale", "upscale"):
            results = []
            for limit in (options.limit, 10 * options.limit):
                result = folder / f"{step}_{limit}.png"
                seconds, peak = run([infer, step, str(source), str(result), "--weights",
                                     str(folder / "sain.safetensors"), "--memory-limit", f"{limit}M"])
                print(f"{step:<10} {limit:>5} M {peak / 1e6:>7.0f} M {seconds:>8.0f}", flush=True)
                good = good and peak <= limit * 1e6
                results.append(result)
            same = filecmp.cmp(*results, shallow=False)
            print(f"{step:<10} pixels {'identical' if same else 'DIFFER'}", flush=True)
            good = good and same
            source = results[0]
    sys.exit(0 if good else "the peak is above the limit, or pixels differ")


if __name__ == "__main__":
    main()
