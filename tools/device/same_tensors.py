#!/usr/bin/env python3
"""Compares the weights and moments that two runs of mini_train saved, bit for bit.

    tools/device/same_tensors.py RUN RUN

RUN is a checkpoint, or a folder whose last checkpoint is compared. Metadata, which contains the
configuration, may differ. If tensors differ, prints the first of them and returns exit code 1.
"""

import json
import pathlib
import struct
import sys


def tensors(path):
    path = pathlib.Path(path)
    if path.is_dir():
        path = max(path.glob("step_*.safetensors"))
    data = path.read_bytes()
    (length,) = struct.unpack("<Q", data[:8])
    header = json.loads(data[8:8 + length])
    header.pop("__metadata__", None)
    body = data[8 + length:]
    return {name: (entry["dtype"], entry["shape"], body[slice(*entry["data_offsets"])])
            for name, entry in header.items()}


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    first, second = map(tensors, sys.argv[1:])
    if not first:
        sys.exit(f"{sys.argv[1]} holds no tensors")
    other = sorted(name for name in first.keys() | second.keys()
                   if first.get(name) != second.get(name))
    size = sum(len(data) for _, _, data in first.values())
    print(f"{sys.argv[1]} and {sys.argv[2]}: {len(first)} tensors, {size} bytes, {len(other)} differ")
    for name in other[:5]:
        print(f"  {name}")
    sys.exit(1 if other else 0)


if __name__ == "__main__":
    main()
