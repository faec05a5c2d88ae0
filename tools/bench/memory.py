#!/usr/bin/env python3
"""Measures, prints and plots the memory of training in every memory mode.

    tools/bench/memory.py [--bench build/release/tools/mini_bench] [--from WEIGHTS]
                          [--parts networks,pytorch,depth,drift] [--json FILE] [--plots docs/images]

It has four parts:
  networks  memory and time of a training step in each mode, the modes in turns (A B C D A B ..)
  pytorch   SAIN against PyTorch, whose resident memory is measured in a fresh process
  depth     memory against the number of blocks
  drift     the drift of plain inversion, and the bytes that exact mode keeps to prevent it
"Activations" are the live bytes at the peak of a step minus those "between" steps (weights, their
gradients, the optimiser's moments, images). --from adds your own weights to the last part. --quick runs
all parts at small sizes. Plots need matplotlib, the comparison needs PyTorch.
"""

import argparse
import importlib.util
import json
import os
import pathlib
import statistics
import subprocess
import sys

import on_request

MODES = ("exact", "reversible", "checkpoint", "stored")
ROOT = pathlib.Path(__file__).resolve().parents[2]


def start(args, mode, setting):
    options = [text for key, value in setting.items() for text in (f"--{key}", value)]
    return on_request.MiniBench(
        [args.bench, "--threads", args.threads, "step", "--memory", mode, *options])


def measure(args, setting, rounds):
    """Memory and median times of a step in each mode; ratios are to the times of stored mode."""
    steps = {mode: start(args, mode, setting) for mode in MODES}
    runs = {mode: [] for mode in MODES}
    for _ in range(1 + rounds):  # the first allocates gradients and moments
        for mode, step in steps.items():
            runs[mode].append(step.run())
    result = {}
    for mode, step in steps.items():
        step.close()
        measured = runs[mode][1:]
        result[mode] = {
            "activation_bytes": measured[-1]["peak_bytes"] - measured[-1]["live_bytes"],
            "live_bytes": measured[-1]["live_bytes"],
            "resident_bytes": measured[-1]["resident_bytes"]}
        for key in ("seconds", "cpu_seconds"):
            result[mode][key] = statistics.median(run[key] for run in measured)
            result[mode][key + "_ratio"] = statistics.median(
                run[key] / stored[key] for run, stored in zip(measured, runs["stored"][1:]))
    return result


def megabytes(count):
    return f"{count * 1e-6:10.1f} MB"


def networks(args):
    size = {"batch": 1, "patch": 32, "enhanced": 1, "vanilla": 1} if args.quick else {
        "batch": args.batch, "patch": args.patch}
    report = []
    for network, scale in (("sain", 2), ("irn", 2), ("sain", 4), ("irn", 4)):
        if args.quick and scale == 4:
            continue
        setting = {"network": network, "scale": scale, **size}
        modes = measure(args, setting, args.rounds if (network, scale) == ("sain", 2) else 1)
        report.append({"setting": setting, "modes": modes})
        print(f"{network} x{scale}, batch {size['batch']}, patch {size['patch']}")
        print(f"  {'':11}{'activations':>13}{'between':>13}{'resident':>13}{'wall':>10}{'cpu':>10}"
              f"{'  / stored: wall, cpu':>22}")
        for mode, row in modes.items():
            print(f"  {mode:11}{megabytes(row['activation_bytes'])}{megabytes(row['live_bytes'])}"
                  f"{megabytes(row['resident_bytes'])}{row['seconds']:8.2f} s"
                  f"{row['cpu_seconds']:8.2f} s{row['seconds_ratio']:14.2f}"
                  f"{row['cpu_seconds_ratio']:8.2f}", flush=True)
    return report


def pytorch(args, found):
    """Resident memory of PyTorch's step and of mini's; `found` may contain some of the latter."""
    if importlib.util.find_spec("torch") is None:
        print("no PyTorch: not compared")
        return []
    batch, patch = (1, 32) if args.quick else (args.batch, args.patch)
    report = []
    for scale in (2,) if args.quick else (2, 4):
        setting = {"network": "sain", "scale": scale, "batch": batch, "patch": patch}
        known = [entry for entry in found if entry["setting"] == setting]
        ours = (known[0]["modes"] if known else measure(args, setting, 1))["exact"]
        theirs = json.loads(subprocess.run(
            [sys.executable, ROOT / "tools/bench/pytorch_memory.py", "--scale", str(scale),
             "--batch", str(batch), "--patch", str(patch), "--threads", str(args.threads)],
            check=True, text=True, stdout=subprocess.PIPE).stdout)
        above = theirs["above_empty_bytes"]
        report.append({"setting": setting, "mini": ours, "pytorch": theirs,
                       "ratio_activations": above / ours["activation_bytes"],
                       "ratio_resident": above / ours["resident_bytes"]})
        print(f"sain x{scale}, batch {batch}, patch {patch}, against PyTorch {theirs['pytorch']}")
        print(f"  PyTorch: {megabytes(above)} resident above the empty process")
        print(f"  mini:    {megabytes(ours['activation_bytes'])} activations, 1/"
              f"{above / ours['activation_bytes']:.0f}; {megabytes(ours['resident_bytes'])} for the "
              f"whole process, 1/{above / ours['resident_bytes']:.0f}", flush=True)
    return report


def depth(args):
    blocks = (2, 4) if args.quick else (8, 16, 32, 64)
    batch, patch = 1, 48 if args.quick else 64
    pixels = batch * (patch // 2)**2
    report = {"batch": batch, "patch": patch, "blocks": blocks,
              "activation_bytes": {mode: [] for mode in MODES}}
    peaks = report["activation_bytes"]
    for count in blocks:
        half = {"enhanced": count // 2, "vanilla": count // 2}
        modes = measure(args, {"batch": batch, "patch": patch, **half}, 1)
        for mode in MODES:
            peaks[mode].append(modes[mode]["activation_bytes"])
    print(f"activation peak by the number of blocks, SAIN x2, half of them enhanced, batch {batch}, "
          f"patch {patch}")
    print(f"  {'':11}" + "".join(f"{count:13}" for count in blocks)
          + "  a block adds, per LR pixel")
    report["bytes_per_block_and_pixel"] = {}
    for mode in MODES:
        slope = (peaks[mode][-1] - peaks[mode][0]) / (blocks[-1] - blocks[0]) / pixels
        report["bytes_per_block_and_pixel"][mode] = slope
        print(f"  {mode:11}" + "".join(megabytes(peak) for peak in peaks[mode])
              + f"{slope:12.1f} bytes", flush=True)
    return report


def drift(args):
    size = "16" if args.quick else "64"
    deep = "2" if args.quick else "32"
    # The weights are: initial ones; those of the golden files, where f is as large as x; the same in
    # many blocks; trained ones.
    cases = {"untrained": [], "random": ["--gain", "1"],
             "deep": ["--gain", "1", "--enhanced", deep, "--vanilla", deep]}
    if args.weights:
        cases["trained"] = ["--from", args.weights]
    report = {}
    print(f"{pathlib.Path(args.image).name}, {size}x{size}: walked back")
    print("  weights    dtype    pass  blocks    error  largest  gradients |  exact: differ  bytes  "
          "entropy    aside")
    for name, options in cases.items():
        command = [str(args.bench), "--threads", str(args.threads), "--json", "-", "drift",
                   "--image", str(args.image), "--size", size, *options]
        report[name] = json.loads(subprocess.run(command, check=True, text=True,
                                                 stdout=subprocess.PIPE).stdout)
        for part in report[name]["parts"]:
            last, cost = part["drift"][-1], part["all"]
            print(f"  {name:10} {part['dtype']:8} {part['pass']:4} {last['blocks']:7}  "
                  f"{last['relative']:.1e}  {last['largest']:.1e}  "
                  f"{part['reversible_gradient_error']:.1e}   | {part['exact_elements_that_differ']:13}"
                  f"  {cost['bytes_per_element']:.3f}  {cost['entropy_bits']:.2f} bit  "
                  f"{100 * cost['share_aside']:.3f} %", flush=True)
    return report


def plot(report, folder):
    if importlib.util.find_spec("matplotlib") is None:
        print("no matplotlib: no plots")
        return
    import matplotlib
    matplotlib.use("Agg")
    from matplotlib import pyplot
    from matplotlib.ticker import LogLocator, NullFormatter, ScalarFormatter
    pyplot.rcParams.update({"font.size": 10, "axes.grid": True, "grid.alpha": 0.3,
                            "axes.spines.top": False, "axes.spines.right": False})
    # Markers tell the modes apart without colour, too.
    looks = {"exact": ("#0072B2", "o"), "reversible": ("#009E73", "s"),
             "checkpoint": ("#E69F00", "^"), "stored": ("#D55E00", "D")}

    def label(axes, blocks, text):
        axes.set_xscale("log", base=2)
        axes.set_xticks(blocks)
        axes.xaxis.set_major_formatter(ScalarFormatter())
        axes.xaxis.set_minor_formatter(NullFormatter())
        axes.set_xlabel(text)

    def save(axes, name):
        folder.mkdir(parents=True, exist_ok=True)
        axes.figure.tight_layout()
        axes.figure.savefig(folder / name, dpi=100)
        pyplot.close(axes.figure)

    if "depth" in report:
        data = report["depth"]
        axes = pyplot.subplots(figsize=(6.4, 4.2))[1]
        for mode in reversed(MODES):
            colour, marker = looks[mode]
            axes.plot(data["blocks"], [peak * 1e-6 for peak in data["activation_bytes"][mode]],
                      color=colour, marker=marker, label=mode)
        axes.set_yscale("log")
        axes.set_ylabel("activation peak of a training step, MB")
        axes.set_title(f"SAIN ×2, batch {data['batch']}, patch {data['patch']}")
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 3)))
        axes.yaxis.set_major_formatter("{x:g}")
        label(axes, data["blocks"], "blocks")
        axes.legend(frameon=False)
        save(axes, "memory_depth.png")
    if "drift" in report:
        panels = pyplot.subplots(1, 2, figsize=(8.4, 4.2), sharey=True)[1]
        colours = {"float32": "#D55E00", "float64": "#0072B2"}
        for part in report["drift"]["deep"]["parts"]:
            axes = panels[int(part["pass"] == "up")]
            blocks = [row["blocks"] for row in part["drift"]]
            for key, style in (("largest", "--"), ("relative", "-")):
                axes.plot(blocks, [row[key] for row in part["drift"]], style,
                          color=colours[part["dtype"]],
                          label=part["dtype"] + (", largest" if key == "largest" else ""))
        panels[0].set_yscale("log")
        panels[0].set_ylabel("error of what is restored,\nrelative to its root mean square")
        panels[0].set_title("the pass down")
        panels[1].set_title("the pass up")
        ticks = [2**k for k in range(blocks[-1].bit_length())]
        for axes in panels:
            label(axes, ticks, "blocks walked back")
        panels[0].legend(frameon=False)
        save(panels[0], "drift_depth.png")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--bench", type=pathlib.Path,
                        default=ROOT / "build/release/tools/mini_bench")
    parser.add_argument("--parts", default="networks,pytorch,depth,drift")
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--patch", type=int, default=128)
    parser.add_argument("--rounds", type=int, default=5, help="rounds of timing SAIN x2")
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--image", type=pathlib.Path,
                        default=ROOT / "data/photos/train/astronaut.png")
    parser.add_argument("--from", dest="weights", help="trained weights of a x2 network, for drift")
    parser.add_argument("--json", type=pathlib.Path, help="write all numbers to this file")
    parser.add_argument("--plot", type=pathlib.Path, metavar="JSON",
                        help="measure nothing, but plot the numbers in such a file")
    parser.add_argument("--plots", type=pathlib.Path, help="write the plots into this folder")
    parser.add_argument("--quick", action="store_true", help="small sizes, a few seconds")
    args = parser.parse_args()
    parts = args.parts.split(",")
    unknown = set(parts) - {"networks", "pytorch", "depth", "drift"}
    if unknown:
        parser.error(f"no part is called {', '.join(sorted(unknown))}")
    if args.plot:
        return plot(json.loads(args.plot.read_text()), args.plots or ROOT / "docs/images")
    if not args.bench.is_file():
        sys.exit(f"memory: no {args.bench}; build it or name it with --bench")
    if args.quick:
        args.rounds = 1

    version = subprocess.run([args.bench, "--version"], check=True, text=True,
                             stdout=subprocess.PIPE).stdout.strip()
    load = os.getloadavg()[0]
    print(f"{version}; {args.threads} threads; load of the machine at the start: {load:.1f}")
    report = {"mini": version, "threads": args.threads, "load": load}
    if "networks" in parts:
        report["networks"] = networks(args)
    if "pytorch" in parts:
        report["pytorch"] = pytorch(args, report.get("networks", []))
    if "depth" in parts:
        report["depth"] = depth(args)
    if "drift" in parts:
        report["drift"] = drift(args)
    if args.json:
        args.json.write_text(json.dumps(report, indent=1) + "\n")
    if args.plots:
        plot(report, args.plots)


if __name__ == "__main__":
    main()
