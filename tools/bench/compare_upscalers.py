#!/usr/bin/env python3
"""Compares mini's EDSR and RRDBNet with the same networks in PyTorch: the same cores, weights and images,
in turns (A B A B ..).

    tools/bench/compare_upscalers.py [CASE ...] [--rounds 3] [--bench build/release/tools/mini_bench]

Cases: edsr (EDSR's baseline x2: 16 blocks, 64 channels), rrdb (RRDBNet x4: 23 blocks), each with _upscale,
one LR image of 256x256, or _step, a training step of the paper's batch of 16 crops (48 LR pixels a side for
EDSR, 32 for RRDBNet) with mean |d| and Adam. Checks that both compute the same; prints medians, ratios, and
the shares of the machine's measured peak of fused multiply-adds. Needs PyTorch and NumPy.
"""

import argparse
import json
import os
import pathlib
import statistics
import sys
import tempfile

import torch
from torch import nn

import on_request
from compare_pytorch import difference, read_safetensors, run_pytorch, write_safetensors

MEAN = (0.4488, 0.4371, 0.4040)


class Residual(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(channels, channels, 3, 1, 1), nn.ReLU(True),
                                  nn.Conv2d(channels, channels, 3, 1, 1))

    def forward(self, x):
        return x + self.body(x)


class Edsr(nn.Module):
    """The baseline x2, on images in [0,1]. The names of the weights are EDSR-PyTorch's."""

    scale = 2

    def __init__(self, blocks=16, channels=64):
        super().__init__()
        self.head = nn.Sequential(nn.Conv2d(3, channels, 3, 1, 1))
        self.body = nn.Sequential(*[Residual(channels) for _ in range(blocks)],
                                  nn.Conv2d(channels, channels, 3, 1, 1))
        self.tail = nn.Sequential(
            nn.Sequential(nn.Conv2d(channels, 4 * channels, 3, 1, 1), nn.PixelShuffle(2)),
            nn.Conv2d(channels, 3, 3, 1, 1))
        self.register_buffer("mean", 255 * torch.tensor(MEAN).reshape(1, 3, 1, 1), persistent=False)

    def forward(self, x):
        features = self.head(255 * x - self.mean)
        return (self.tail(self.body(features) + features) + self.mean) / 255

    def state_of_mini(self):
        state = dict(self.state_dict())
        for name, sign in (("sub_mean", -1), ("add_mean", 1)):
            state[name + ".weight"] = torch.eye(3).reshape(3, 3, 1, 1)
            state[name + ".bias"] = sign * self.mean.flatten()
        return state


class Dense(nn.Module):
    def __init__(self, channels, growth):
        super().__init__()
        for k in range(5):
            setattr(self, f"conv{k + 1}", nn.Conv2d(channels + k * growth,
                                                    growth if k < 4 else channels, 3, 1, 1))

    def forward(self, x):
        features = x
        for k in range(1, 5):
            new = nn.functional.leaky_relu(getattr(self, f"conv{k}")(features), 0.2, True)
            features = torch.cat((features, new), 1)
        return x + 0.2 * self.conv5(features)


class Rrdb(nn.Module):
    def __init__(self, channels, growth):
        super().__init__()
        self.rdb1, self.rdb2, self.rdb3 = (Dense(channels, growth) for _ in range(3))

    def forward(self, x):
        return x + 0.2 * self.rdb3(self.rdb2(self.rdb1(x)))


class RrdbNet(nn.Module):
    """x4. The names of the weights are BasicSR's."""

    scale = 4

    def __init__(self, blocks=23, channels=64, growth=32):
        super().__init__()
        self.conv_first = nn.Conv2d(3, channels, 3, 1, 1)
        self.body = nn.Sequential(*[Rrdb(channels, growth) for _ in range(blocks)])
        for name in ("conv_body", "conv_up1", "conv_up2", "conv_hr"):
            setattr(self, name, nn.Conv2d(channels, channels, 3, 1, 1))
        self.conv_last = nn.Conv2d(channels, 3, 3, 1, 1)

    def forward(self, x):
        y = self.conv_first(x)
        y = y + self.conv_body(self.body(y))
        for conv in (self.conv_up1, self.conv_up2):
            y = nn.functional.leaky_relu(conv(nn.functional.interpolate(y, scale_factor=2)), 0.2, True)
        return self.conv_last(nn.functional.leaky_relu(self.conv_hr(y), 0.2, True))

    def state_of_mini(self):
        return dict(self.state_dict())


def gflop_of(network, shape):
    """Multiplications and additions of the convolutions of one forward pass, which grow with the image."""
    total = 0

    def count(module, _, output):
        nonlocal total
        total += 2e-9 * module.weight.numel() * output.shape[0] * output.shape[2] * output.shape[3]

    hooks = [m.register_forward_hook(count) for m in network.modules() if isinstance(m, nn.Conv2d)]
    side = 8
    with torch.no_grad():
        network(torch.zeros(1, 3, side, side))
    for hook in hooks:
        hook.remove()
    return total * shape[0] * shape[2] * shape[3] / side**2


def compare(title, mini, pytorch, gflop, rounds):
    ours, theirs = [], []
    for _ in range(rounds):
        ours.append(mini.run())
        theirs.append(run_pytorch(pytorch))
    mini.close()
    peak = max(run["peak_gflops"] for run in ours)
    result = {"gflop": gflop, "rounds": rounds, "peak_gflops": peak}
    for name, runs in (("mini", ours), ("pytorch", theirs)):
        for key in ("seconds", "cpu_seconds"):
            result[f"{name}_{key}"] = statistics.median(run[key] for run in runs)
    for key in ("seconds", "cpu_seconds"):
        result["ratio_" + key] = statistics.median(b[key] / a[key] for a, b in zip(ours, theirs))
    print(f"{title}: {gflop:.1f} GFLOP; medians of {rounds} rounds; "
          f"peak of multiply-adds {peak:.1f} GFLOP/s")
    for name in ("mini", "pytorch"):
        seconds = result[name + "_seconds"]
        print(f"  {name:8} {seconds * 1e3:9.1f} ms  {gflop / seconds:7.1f} GFLOP/s  "
              f"{100 * gflop / seconds / peak:5.1f} % of peak")
    print(f"  mini is {result['ratio_seconds']:.2f} times as fast by the clock, "
          f"{result['ratio_cpu_seconds']:.2f} times by cpu time", flush=True)
    return result


def run_case(case, args, folder):
    name, _, what = case.partition("_")
    torch.manual_seed(10)
    network = Edsr() if name == "edsr" else RrdbNet()
    options = {"edsr": ["blocks=16", "features=64", "residual_scale=1"], "rrdb": []}[name]
    batch, side = (1, 256) if what == "upscale" else (16, 48 if name == "edsr" else 32)
    # Images in 8 bits, as recipes round them.
    lr = (torch.rand(batch, 3, side, side) * 255).round() / 255
    hr = torch.rand(batch, 3, network.scale * side, network.scale * side)
    gflop = gflop_of(network, lr.shape)
    write_safetensors(folder / "in.safetensors",
                      network.state_of_mini() | {"bench.lr": lr, "bench.hr": hr})
    mini = on_request.MiniBench(
        [args.bench, "--threads", args.threads, "upscale" if what == "upscale" else "upscale_step",
         "--network", name, *[x for option in options for x in ("--set", option)],
         "--from", folder / "in.safetensors", "--results", folder / "out.safetensors"])
    mini.run()  # after this, its results are written
    results = read_safetensors(folder / "out.safetensors")
    if what == "upscale":
        errors = {}

        def work():
            with torch.no_grad():
                hr = network(lr)
            if not errors:
                errors["HR"] = difference(results["hr"], hr)
    else:
        adam = torch.optim.Adam(network.parameters(), 1e-4)

        def losses():
            adam.zero_grad()
            loss = (network(lr) - hr).abs().mean()
            loss.backward()
            return loss.detach()

        def work():
            losses()
            adam.step()
        errors = {"loss": difference(results["loss"], losses())}
        gradients = {key: p.grad for key, p in network.named_parameters()}
        errors["all gradients"] = difference(
            torch.cat([results["grad." + key].flatten() for key in gradients]),
            torch.cat([g.flatten() for g in gradients.values()]))
        gflop *= 3
    result = compare(case, mini, work, gflop, args.rounds)
    print("  agreement with PyTorch, |a - b| / |b|: " +
          ", ".join(f"{key} {value:.1e}" for key, value in errors.items()), flush=True)
    if max(errors.values()) > 1e-3:
        sys.exit(f"compare_upscalers: {case}: mini and PyTorch disagree")
    return result | {"errors": errors}


def main():
    root = pathlib.Path(__file__).resolve().parents[2]
    cases = ["edsr_upscale", "edsr_step", "rrdb_upscale", "rrdb_step"]
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("cases", nargs="*", choices=[[], *cases], default=[], metavar="CASE")
    parser.add_argument("--bench", default=root / "build/release/tools/mini_bench")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--json", help="write all numbers to this file")
    args = parser.parse_args()
    if not pathlib.Path(args.bench).is_file():
        sys.exit(f"compare_upscalers: no {args.bench}; build it or name it with --bench")
    torch.set_num_threads(args.threads)
    print(f"PyTorch {torch.__version__}; {args.threads} threads")
    results = {}
    with tempfile.TemporaryDirectory() as folder:
        for case in args.cases or cases:
            results[case] = run_case(case, args, pathlib.Path(folder))
    if args.json:
        pathlib.Path(args.json).write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
