#!/usr/bin/env python3
"""Compares mini with PyTorch on the same GPU, in turns: speed, memory, and the share of a lower bound.

    tools/bench/compare_pytorch_gpu.py [--bench build/release/tools/mini_bench] [--seconds 150]

Runs full SAIN x2 and x4 training steps (batch 16, patch 128) and a 2040x1356 round trip through JPEG,
in float32, TF32 and bfloat16. The best of three PyTorch variants counts: default, channels_last and
torch.compile, with autocast for bfloat16, a fused Adam, and the codec on all cores. Both must compute
the same. The lower bound of a time ("floor") is the larger of two quotients: operations by the rate of
a large matrix product in that precision, and least bytes by the rate of a large copy. Both rates are
measured in the same run.
"""

import argparse
import contextlib
import json
import os
import pathlib
import signal
import statistics
import sys
import tempfile
import time

import torch
from torch import nn

import compare_pytorch
import on_request
import sain_pytorch

ROOT = pathlib.Path(__file__).resolve().parents[2]
PRECISIONS = ("bfloat16", "tf32", "float32")


def set_precision(precision):
    allowed = precision != "float32"
    torch.backends.cuda.matmul.allow_tf32 = allowed
    torch.backends.cudnn.allow_tf32 = allowed


def synchronise(device):
    if device.type == "cuda":
        torch.cuda.synchronize()


def timed(work, device):
    synchronise(device)
    before = time.perf_counter()
    work()
    synchronise(device)
    return time.perf_counter() - before


class Task:
    """The work that both do; `kind` is step or roundtrip."""

    def __init__(self, kind, scale, batch, height, width, quality):
        self.kind, self.scale, self.quality = kind, scale, quality
        self.name = (f"training step x{scale}, batch {batch}, patch {width}" if kind == "step"
                     else f"round trip x{scale}, {width}x{height}")
        self.network = compare_pytorch.make_network(scale)
        coarse = torch.rand(batch, 3, max(2, height // 16), max(2, width // 16))
        hr = nn.functional.interpolate(coarse, (height, width), mode="bicubic", align_corners=False)
        self.hr = (hr + 0.02 * torch.randn_like(hr)).clamp(0, 1)
        self.reference = nn.functional.avg_pool2d(self.hr, scale)
        self.z = torch.randn(batch, 3 * scale**2 - 3, *self.reference.shape[2:])
        # Passes through the network: a step runs it in both directions, each once forward and backward
        # with twice the products. A round trip stops at the small image, so its number is too high.
        self.passes = 2 * 3 if kind == "step" else 2
        self.gflop = self.passes * compare_pytorch.gflop_per_pass(self.network, self.hr)

    def gbytes(self, element):
        """The least traffic of unfused convolutions: a block's input and output, and its four features,
        each written once and read once."""
        pixels = self.hr.shape[0] * self.hr.shape[2] * self.hr.shape[3] / self.scale**2
        values = sum(block.conv1.weight.shape[1] + block.conv5.weight.shape[0]
                     + 2 * 4 * block.conv1.weight.shape[0]
                     for block in self.network.modules() if isinstance(block, sain_pytorch.DenseBlock))
        return self.passes * values * pixels * element * 1e-9

    def mini(self, args, folder, precision, *options):
        file = folder / f"{self.kind}{self.scale}.safetensors"
        if not file.exists():
            compare_pytorch.write_safetensors(file, {
                **self.network.state_dict(), "bench.hr": self.hr,
                "bench.lr_reference": self.reference, "bench.z": self.z})
        environment = dict(os.environ)
        if args.library_path:
            environment["LD_LIBRARY_PATH"] = args.library_path
        return on_request.MiniBench(
            [args.bench, self.kind, "--device", args.mini_device, "--precision", precision, "--from", file,
             "--quality", self.quality, *options], environment)


class PyTorch:
    """A task in PyTorch, in one variant."""

    def __init__(self, task, device, precision, channels_last=False, compiled=False):
        self.task, self.device, self.precision = task, device, precision
        layout = torch.channels_last if channels_last else torch.contiguous_format
        self.network = compare_pytorch.make_network(task.scale)
        self.network.load_state_dict(task.network.state_dict())
        self.network.to(device, memory_format=layout)
        self.hr = task.hr.to(device, memory_format=layout)
        self.reference = task.reference.to(device)
        if compiled:  # blocks are alike, so each kind is compiled once
            for block in self.network.modules():
                if isinstance(block, sain_pytorch.VanillaBlock):
                    block.forward = torch.compile(block.forward)
                    block.inverse = torch.compile(block.inverse)
        trained = [p for p in self.network.parameters() if p.requires_grad]
        fused = {"fused": True} if device.type == "cuda" else {}
        self.optimiser = torch.optim.Adam(trained, lr=2e-4, weight_decay=1e-5, **fused)
        self.run()  # loads libraries and compiles
        self.run()

    def autocast(self):
        if self.precision != "bfloat16":
            return contextlib.nullcontext()
        return torch.autocast(self.device.type, torch.bfloat16)

    def work(self):
        if self.task.kind == "roundtrip":
            with self.autocast():
                sain_pytorch.round_trip(self.network, self.hr, self.task.quality)
            return
        self.optimiser.zero_grad(set_to_none=True)
        with self.autocast():
            total, terms = sain_pytorch.losses(self.network, self.hr, self.reference, self.task.quality)
        total.backward()
        nn.utils.clip_grad_norm_(self.network.parameters(), 10)
        self.optimiser.step()
        torch.stack([term.float() for term in terms.values()]).tolist()  # as a step that reports its losses

    def run(self):
        set_precision(self.precision)
        if self.device.type != "cuda":
            return {"seconds": timed(self.work, self.device), "activations": 0}
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()  # includes the last step's gradients, as in mini
        seconds = timed(self.work, self.device)
        return {"seconds": seconds, "activations": torch.cuda.max_memory_allocated() - before}


def ceilings(device, quick):
    """TFLOP/s of a large product in each precision, and GB/s of a large copy."""
    side, count = (512, 1 << 22) if quick else (8192, 1 << 30)
    result = {}
    for precision in PRECISIONS:
        set_precision(precision)
        dtype = torch.bfloat16 if precision == "bfloat16" else torch.float32
        a, b = (torch.randn(side, side, device=device, dtype=dtype) for _ in range(2))
        times = [timed(lambda: a @ b, device) for _ in range(3 if quick else 8)]
        result[precision] = 2e-12 * side**3 / statistics.median(times[2:])
    source = torch.randn(count, device=device)
    target = torch.empty_like(source)
    times = [timed(lambda: target.copy_(source), device) for _ in range(3 if quick else 8)]
    result["copy"] = 2e-9 * source.numel() * 4 / statistics.median(times[2:])
    return result


def agreement(task, args, folder, device):
    """mini's losses and gradients, or images, against PyTorch's in float32, |a - b| / |b|."""
    theirs = {}
    set_precision("float32")
    network = compare_pytorch.make_network(task.scale).to(device)
    network.load_state_dict(task.network.state_dict())
    hr = task.hr.to(device)
    if task.kind == "step":
        total, terms = sain_pytorch.losses(network, hr, task.reference.to(device), task.quality,
                                           task.z.to(device))
        total.backward()
        theirs = {"loss." + name: term.detach() for name, term in terms.items()}
        theirs.update({"grad." + name: p.grad for name, p in network.named_parameters()
                       if p.grad is not None})
    else:
        theirs["lr"], theirs["hr"] = sain_pytorch.round_trip(network, hr, task.quality)
    result = {}
    for precision in args.precisions:
        out = folder / "out.safetensors"
        out.unlink(missing_ok=True)
        mini = task.mini(args, folder, precision, "--results", out)
        mini.run()
        mini.close()
        ours = compare_pytorch.read_safetensors(out)
        groups = ({"losses": "loss.", "gradients": "grad."} if task.kind == "step"
                  else {"LR": "lr", "HR": "hr"})
        result[precision] = {
            group: compare_pytorch.difference(
                torch.cat([ours[name].flatten().double() for name in theirs if name.startswith(start)]),
                torch.cat([t.flatten().double().cpu() for name, t in theirs.items()
                           if name.startswith(start)]))
            for group, start in groups.items()}
        print(f"  {task.name}, {precision}: " + ", ".join(
            f"{group} {error:.1e}" for group, error in result[precision].items()), flush=True)
    return result


class Clock:
    def __init__(self, seconds):
        self.end = time.monotonic() + seconds

    def left(self):
        return self.end - time.monotonic()

    @contextlib.contextmanager
    def at_most(self, seconds):
        """Interrupts work that takes longer, such as compilation."""
        def stop(*_):
            raise TimeoutError(f"more than {seconds:.0f} s")
        signal.signal(signal.SIGALRM, stop)
        signal.setitimer(signal.ITIMER_REAL, max(1, seconds))
        try:
            yield
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)


def try_variant(name, make, clock, seconds):
    """The variant, or None if it fails, with the reason printed."""
    try:
        with clock.at_most(min(seconds, clock.left())):
            return make()
    except Exception as error:  # PyTorch's compilers may throw anything
        print(f"  {name} did not run: {str(error).splitlines()[0][:120] if str(error) else type(error)}")
        return None


def interleaved(runners, rounds):
    """Medians of the runs of each runner; the runners run in turns."""
    runs = {name: [] for name in runners}
    for _ in range(rounds):
        for name, runner in runners.items():
            runs[name].append(runner.run())
    result = {}
    for name, list_ in runs.items():
        last = list_[-1]
        activations = last.get("activations", last.get("peak_bytes", 0) - last.get("live_bytes", 0))
        result[name] = {"seconds": statistics.median(run["seconds"] for run in list_),
                        "activations": activations}
    return result


def measure(task, precision, args, folder, device, clock, compiled):
    """Measures all variants of one task in one precision, in turns."""
    mini = {"mini exact": ("--memory", "exact", "--graph", "on"),
            "mini stored": ("--memory", "stored", "--graph", "on"),
            "mini exact, no graph": ("--memory", "exact", "--graph", "off")}
    if device.type != "cuda":
        mini = {"mini exact": ("--memory", "exact"), "mini stored": ("--memory", "stored")}
    if task.kind == "roundtrip":
        mini = {"mini": ()}
    if compiled:
        mini = dict(list(mini.items())[:1])
    runners = {name: task.mini(args, folder, precision, *options) for name, options in mini.items()}
    for _ in range(4):  # afterwards mini has captured its passes
        for runner in runners.values():
            runner.run()
    ways = {"compile": dict(compiled=True, channels_last=True)} if compiled else {
        "default": {}, "channels_last": dict(channels_last=True)}
    for name, options in ways.items():
        variant = try_variant(f"PyTorch {name}, {task.name}, {precision}",
                              lambda: PyTorch(task, device, precision, **options), clock, 40)
        if variant:
            runners["PyTorch " + name] = variant
    result = interleaved(runners, args.rounds)
    for runner in runners.values():
        if isinstance(runner, on_request.MiniBench):
            runner.close()
    runners.clear()
    if device.type == "cuda":
        torch.cuda.empty_cache()
    return result


def summary(task, precision, result, ceiling):
    """A row of the table. PyTorch's best variant is that with the best ratio to mini in the same turns."""
    first = result[0]
    mine = next(iter(first))  # exact mode, which all turns include
    ways = {name: (value["seconds"] / part[mine]["seconds"], value) for part in result
            for name, value in part.items() if name.startswith("PyTorch")}
    fastest = min((name for name in first if name.startswith("mini")), key=lambda n: first[n]["seconds"])
    element = 2 if precision == "bfloat16" else 4
    floor = max(task.gflop * 1e-3 / ceiling[precision], task.gbytes(element) / ceiling["copy"])
    row = {"task": task.name, "precision": precision, "gflop": task.gflop,
           "gbytes": task.gbytes(element), "floor_seconds": floor,
           "mini_seconds": first[mine]["seconds"], "mini_activations": first[mine]["activations"],
           "fastest": fastest, "fastest_seconds": first[fastest]["seconds"],
           "share_of_floor": floor / first[fastest]["seconds"]}
    if ways:
        best = min(ways, key=lambda name: ways[name][0])
        row.update(pytorch=best, pytorch_seconds=ways[best][1]["seconds"],
                   pytorch_activations=ways[best][1]["activations"], times=ways[best][0],
                   times_fastest=ways[best][0] * first[mine]["seconds"] / first[fastest]["seconds"])
    return row


def markdown(rows, ceiling, title):
    lines = [f"Against PyTorch on the same GPU ({title}); ceilings measured: " + ", ".join(
        f"{name} {value:.0f} {'GB/s' if name == 'copy' else 'TFLOP/s'}" for name, value in ceiling.items()),
        "",
        "| task | precision | mini, exact mode | mini, fastest | PyTorch, best | times PyTorch: exact, fastest "
        "| activations: mini, PyTorch | floor | share reached |", "|---|---|---|---|---|---|---|---|---|"]
    for r in rows:
        theirs = (f"{r['pytorch_seconds'] * 1e3:.1f} ms ({r['pytorch'].split(' ', 1)[1]})"
                  if "pytorch" in r else "none ran")
        memory = f"{r['mini_activations'] / 1e6:.0f} MB"
        if "pytorch" in r:
            memory += f", {r['pytorch_activations'] / 1e6:.0f} MB"
            if r["mini_activations"] > 0:
                memory += f" (1/{r['pytorch_activations'] / r['mini_activations']:.0f})"
        times = f"{r['times']:.2f}, {r['times_fastest']:.2f}" if "pytorch" in r else ""
        lines.append(
            f"| {r['task']} | {r['precision']} | {r['mini_seconds'] * 1e3:.1f} ms "
            f"| {r['fastest_seconds'] * 1e3:.1f} ms ({r['fastest'].removeprefix('mini ')}) | {theirs} "
            f"| {times} | {memory} | {r['floor_seconds'] * 1e3:.1f} ms "
            f"| {100 * r['share_of_floor']:.0f} % |")
    return "\n".join(lines) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--bench", default=ROOT / "build/release/tools/mini_bench")
    parser.add_argument("--library-path", help="LD_LIBRARY_PATH for mini_bench only")
    parser.add_argument("--device", default="cuda", help="PyTorch's device; mini uses the same")
    parser.add_argument("--precisions", default=",".join(PRECISIONS))
    parser.add_argument("--seconds", type=float, default=150, help="stop after about this many")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--quick", action="store_true", help="small sizes, to try the script")
    parser.add_argument("--json")
    parser.add_argument("--markdown")
    args = parser.parse_args()
    args.precisions = args.precisions.split(",")
    device, args.mini_device = torch.device(args.device), args.device
    if not pathlib.Path(args.bench).is_file():
        sys.exit(f"compare_pytorch_gpu: no {args.bench}; build it or name it with --bench")
    if device.type == "cuda" and not torch.cuda.is_available():
        sys.exit("compare_pytorch_gpu: PyTorch sees no GPU")
    clock = Clock(args.seconds)
    title = (torch.cuda.get_device_name() if device.type == "cuda" else "cpu") + f", PyTorch {torch.__version__}"
    torch.backends.cudnn.benchmark = True
    ceiling = ceilings(device, args.quick)
    batch, patch, height, width = (1, 64, 48, 64) if args.quick else (16, 128, 1356, 2040)
    tasks = [Task("step", 2, batch, patch, patch, 75), Task("roundtrip", 2, 1, height, width, 75),
             Task("step", 4, batch, patch, patch, 75)]
    order = [(task, precision) for task in tasks for precision in args.precisions]
    report = {"title": title, "ceilings": ceiling, "agreement": {}, "ways": {}}
    results, failures, left_out, rows = {}, [], [], []

    def save():
        rows = [summary(task, precision, results[task, precision], ceiling)
                for task, precision in order if (task, precision) in results]
        report["rows"] = rows
        report["ways"] = {f"{task.name}, {precision}": result
                          for (task, precision), result in results.items()}
        if args.json:
            pathlib.Path(args.json).write_text(json.dumps(report, indent=1) + "\n")
        if args.markdown:
            pathlib.Path(args.markdown).write_text(markdown(rows, ceiling, title))
        return rows

    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        print("agreement with PyTorch's float32, |a - b| / |b|")
        for task in tasks[:2]:
            try:
                errors = agreement(task, args, folder, device)
            except SystemExit as error:
                failures.append(f"{task.name}: {error}")
                continue
            report["agreement"][task.name] = errors
            failures += [f"{task.name}: {group}" for group, error in errors.get("float32", {}).items()
                         if not error <= 1e-3]
        for compiled in (False, True):
            for task, precision in order:
                if clock.left() < (25 if compiled and not args.quick else 10):
                    left_out.append(f"{task.name}, {precision}{', compiled' if compiled else ''}")
                    continue
                try:
                    result = measure(task, precision, args, folder, device, clock, compiled)
                except SystemExit as error:  # mini_bench failed; other tasks may still succeed
                    failures.append(f"{task.name}, {precision}: {error}")
                    continue
                results.setdefault((task, precision), []).append(result)
                for name, value in result.items():
                    print(f"{task.name}, {precision}: {name:26} {value['seconds'] * 1e3:9.2f} ms "
                          f"{value['activations'] / 1e6:9.1f} MB", flush=True)
                rows = save()
    print(markdown(rows, ceiling, title))
    if left_out:
        print("no time was left for: " + "; ".join(left_out))
    print("key: " + "; ".join(
        f"{r['task'].split(',')[0]} {r['precision']} {r.get('times', float('nan')):.2f} times PyTorch"
        for r in rows))
    if failures:
        sys.exit("compare_pytorch_gpu: mini failed, or disagrees with PyTorch: " + ", ".join(failures))


if __name__ == "__main__":
    main()
