#!/usr/bin/env python3
"""Compares mini with PyTorch: the same cores, weights and images, in turns (A B A B ..).

    tools/bench/compare_pytorch.py [--bench build/release/tools/mini_bench] [--json FILE]

Runs a SAIN training step (batch 4, patch 128) and a 512x512 round trip through JPEG. Checks that both
compute the same; prints medians, ratios, and the shares of the machine's measured peak of fused
multiply-adds. Needs PyTorch, NumPy and Pillow (Debian: python3-torch python3-pil).
"""

import argparse
import json
import os
import pathlib
import statistics
import struct
import subprocess
import sys
import tempfile
import time

import numpy
import PIL
import torch

import on_request
import sain_pytorch


def write_safetensors(path, tensors):
    header, chunks, offset = {}, [], 0
    for name, tensor in tensors.items():
        data = tensor.detach().contiguous().cpu().numpy().astype("<f4").tobytes()
        header[name] = {"dtype": "F32", "shape": list(tensor.shape),
                        "data_offsets": [offset, offset + len(data)]}
        chunks.append(data)
        offset += len(data)
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(struct.pack("<Q", len(text)) + text + b"".join(chunks))


def read_safetensors(path):
    data = path.read_bytes()
    (length,) = struct.unpack("<Q", data[:8])
    kinds = {"F32": "<f4", "F64": "<f8"}
    result = {}
    for name, entry in json.loads(data[8:8 + length]).items():
        if name != "__metadata__":
            begin, end = entry["data_offsets"]
            values = numpy.frombuffer(data[8 + length + begin:8 + length + end],
                                      kinds[entry["dtype"]])
            result[name] = torch.from_numpy(values.reshape(entry["shape"]).copy())
    return result


def run_pytorch(work):
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    return {"seconds": time.perf_counter() - wall, "cpu_seconds": time.process_time() - cpu}


def difference(ours, theirs):
    """|a - b| / |b| in Euclidean norms."""
    return float((ours.double() - theirs.double()).norm() / theirs.double().norm())


def make_network(scale):
    """Random weights in which, as after training, the last convolutions are not zero."""
    torch.manual_seed(10)
    network = sain_pytorch.Sain(scale)
    for name, parameter in network.named_parameters():
        if "conv5.weight" in name:
            torch.nn.init.normal_(parameter, std=0.01)
    return network


def make_images(batch, size, scale):
    """Smooth images in [0,1] with some noise, and small versions of them."""
    coarse = torch.rand(batch, 3, max(2, size // 16), max(2, size // 16))
    hr = torch.nn.functional.interpolate(coarse, (size, size), mode="bicubic", align_corners=False)
    hr = (hr + 0.02 * torch.randn_like(hr)).clamp(0, 1)
    return hr, torch.nn.functional.avg_pool2d(hr, scale)


def gflop_per_pass(network, hr):
    products = sum(p.numel() for name, p in network.named_parameters() if "conv" in name
                   and p.dim() == 4)
    return 2e-9 * products * hr.shape[0] * hr.shape[2] * hr.shape[3] / network.scale**2


def compare(title, mini, pytorch, gflop, rounds):
    for _ in range(2):
        mini.run()
        run_pytorch(pytorch)
    ours, theirs = [], []
    for _ in range(rounds):
        ours.append(mini.run())
        theirs.append(run_pytorch(pytorch))
    mini.close()
    # Every round measures the peak. The largest counts, since other programs may slow one down.
    peak = max(run["peak_gflops"] for run in ours)
    result = {"gflop": gflop, "rounds": rounds, "peak_gflops": peak,
              "mini_peak_bytes": ours[-1]["peak_bytes"]}
    for key in ("seconds", "cpu_seconds"):
        result["mini_" + key] = statistics.median(run[key] for run in ours)
        result["pytorch_" + key] = statistics.median(run[key] for run in theirs)
        result["ratio_" + key] = statistics.median(
            b[key] / a[key] for a, b in zip(ours, theirs))
    # mini computes less: its downscaler stops at the small image, the published code does not.
    work = {"mini": ours[0]["gflop"], "pytorch": gflop}
    result["mini_gflop"] = work["mini"]
    print(f"{title}: {work['mini']:.1f} GFLOP, {gflop:.1f} in PyTorch; medians of {rounds} rounds; "
          f"peak of multiply-adds {peak:.1f} GFLOP/s")
    for name in ("mini", "pytorch"):
        seconds, cpu = result[name + "_seconds"], result[name + "_cpu_seconds"]
        rate = work[name] / seconds
        print(f"  {name:8} {seconds * 1e3:9.1f} ms  {cpu * 1e3:9.1f} ms cpu  "
              f"{rate:7.1f} GFLOP/s  {100 * rate / peak:5.1f} % of peak")
    print(f"  mini is {result['ratio_seconds']:.2f} times as fast by the clock, "
          f"{result['ratio_cpu_seconds']:.2f} times by cpu time")
    return result


def expect(name, value, limit, failures):
    print(f"  {name:42} {value:.1e}  (limit {limit:.0e})")
    if not value <= limit:
        failures.append(name)


def main():
    root = pathlib.Path(__file__).resolve().parents[2]
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--bench", default=root / "build/release/tools/mini_bench")
    parser.add_argument("--scale", type=int, default=2, choices=(2, 4))
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--patch", type=int, default=128)
    parser.add_argument("--size", type=int, default=512, help="side of the round trip's image")
    parser.add_argument("--quality", type=int, default=75)
    parser.add_argument("--memory", default="exact", choices=("exact", "reversible", "checkpoint",
                        "stored"), help="mini's memory mode in training")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--json", help="write all numbers to this file")
    args = parser.parse_args()
    if not pathlib.Path(args.bench).is_file():
        sys.exit(f"compare_pytorch: no {args.bench}; build it or name it with --bench")
    torch.set_num_threads(args.threads)

    network = make_network(args.scale)
    failures = []
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)

        def start(command, hr, reference, z, *options):
            tensors = dict(network.state_dict())
            tensors.update({"bench.hr": hr, "bench.lr_reference": reference, "bench.z": z})
            write_safetensors(folder / "in.safetensors", tensors)
            mini = on_request.MiniBench(
                [args.bench, "--threads", args.threads, command, "--from",
                 folder / "in.safetensors", "--results", folder / "out.safetensors",
                 "--quality", args.quality, *options])
            mini.run()  # after this, its results are written
            return mini, read_safetensors(folder / "out.safetensors")

        version = subprocess.run([args.bench, "--version"], check=True, text=True,
                                 stdout=subprocess.PIPE).stdout.strip()
        print(f"{version}; PyTorch {torch.__version__}, Pillow {PIL.__version__}; "
              f"{args.threads} threads")

        # The round trip comes first, since training steps change PyTorch's weights.
        hr, reference = make_images(1, args.size, args.scale)
        z = torch.zeros(1, 3 * args.scale**2 - 3, *reference.shape[2:])
        mini, results = start("roundtrip", hr, reference, z)
        lr, restored = sain_pytorch.round_trip(network, hr, args.quality)
        print("agreement with PyTorch, |a - b| / |b|")
        expect("round trip: LR", difference(results["lr"], lr), 1e-3, failures)
        expect("round trip: HR", difference(results["hr"], restored), 1e-3, failures)
        trip = compare(
            f"round trip {args.size}x{args.size}", mini,
            lambda: sain_pytorch.round_trip(network, hr, args.quality),
            2 * gflop_per_pass(network, hr), args.rounds)

        hr, reference = make_images(args.batch, args.patch, args.scale)
        z = torch.randn(args.batch, 3 * args.scale**2 - 3, *reference.shape[2:])
        mini, results = start("step", hr, reference, z, "--memory", args.memory)
        total, terms = sain_pytorch.losses(network, hr, reference, args.quality, z)
        total.backward()
        print("agreement with PyTorch, |a - b| / |b|")
        for name, term in terms.items():
            expect(f"loss {name}", difference(results["loss." + name], term.detach()), 1e-3,
                   failures)
        gradients = {name: p.grad for name, p in network.named_parameters() if p.grad is not None}
        for name in gradients:
            if "grad." + name not in results:
                failures.append(f"mini has no gradient of {name}")
        expect("all gradients", difference(
            torch.cat([results["grad." + name].flatten() for name in gradients]),
            torch.cat([g.flatten() for g in gradients.values()])), 1e-3, failures)
        optimiser = sain_pytorch.make_optimiser(network)
        step = compare(
            f"training step, batch {args.batch}, patch {args.patch}, memory {args.memory}", mini,
            lambda: sain_pytorch.training_step(network, optimiser, hr, reference, args.quality),
            2 * 3 * gflop_per_pass(network, hr), args.rounds)

    if args.json:
        versions = {"mini": version, "pytorch": torch.__version__, "pillow": PIL.__version__}
        pathlib.Path(args.json).write_text(json.dumps(
            {"versions": versions, "threads": args.threads,
             "memory": args.memory, "round_trip": trip, "training_step": step}, indent=1) + "\n")
    if failures:
        sys.exit("compare_pytorch: mini and PyTorch disagree: " + ", ".join(failures))


if __name__ == "__main__":
    main()
