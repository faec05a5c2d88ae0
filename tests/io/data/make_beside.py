#!/usr/bin/env python3
"""Makes beside_*.pth and the .npy and .npz files beside it with PyTorch 2.6 or later and NumPy 2: weights
next to what is no tensor, in every protocol; tests/io/beside_test.cpp and npy_test.cpp have the
values."""
import argparse
import collections
import datetime
import decimal
import io
import pathlib
import uuid
import zipfile

import numpy
import torch

folder = pathlib.Path(__file__).parent


def checkpoint(legacy):
    state = collections.OrderedDict(weight=torch.tensor([[1.5, -2.0]]))
    odd = torch.nn.Parameter(torch.tensor([3.0]))
    odd.note = "an attribute"  # makes PyTorch use _rebuild_parameter_with_state
    settings = {
        "state_dict": state,
        "odd": odd,
        "epoch": 12,
        "scalar": numpy.float64(0.5),
        "array": numpy.arange(3.0),
        "numpy_type": numpy.dtype("float32"),
        "dtype": torch.bfloat16,
        "sparse": torch.tensor([[0.0, 1.0]]).to_sparse(),
        "bytearray": bytearray(b"ab"),
        "date": datetime.datetime(2024, 5, 6, tzinfo=datetime.timezone.utc),
        "path": pathlib.PurePosixPath("runs/1"),
        "counts": collections.defaultdict(list, {"a": torch.tensor([4.0])}),
        "recent": collections.deque([1, 2], maxlen=2),
        "args": argparse.Namespace(lr=0.25, size=torch.Size([2])),
        "fraction": decimal.Decimal("0.1"),
        "id": uuid.UUID(int=1),
        "range": range(3),
        "frozen": frozenset([7]),
        "many": list(range(100)),
        (1, 2): "under a key that is a tuple",
        None: "under no key",
    }
    if not legacy:  # which says nothing about the size of their elements
        settings["uint16"] = torch.tensor([1, 65535], dtype=torch.uint16)
        settings["complex"] = torch.tensor([1 + 2j])
        settings["float8"] = torch.tensor([1.0]).to(torch.float8_e4m3fn)
    return settings


def save(name, legacy=False, protocol=2):
    torch.save(checkpoint(legacy), folder / name, pickle_protocol=protocol,
               _use_new_zipfile_serialization=not legacy)


save("beside_zip.pth")
save("beside_protocol5.pth", protocol=5)
save("beside_legacy.pth", legacy=True)
small = {"weight": torch.tensor([[1.5, -2.0]]), "epoch": 12, "large": 2**40, "rate": 0.25,
         "done": True, "scalar": numpy.float64(0.5), "bytes": b"\xff"}
for protocol in (0, 1):
    torch.save(small, folder / f"protocol{protocol}.pth", pickle_protocol=protocol)
    torch.save(small, folder / f"protocol{protocol}_legacy.pth", pickle_protocol=protocol,
               _use_new_zipfile_serialization=False)

# The same archive, every entry deflated.
packed = zipfile.ZipFile(folder / "deflated.pth", "w", zipfile.ZIP_DEFLATED)
data = io.BytesIO()
torch.save({"weight": torch.arange(1000.0) % 7}, data)
with zipfile.ZipFile(data) as plain:
    for name in plain.namelist():
        packed.writestr(zipfile.ZipInfo(name), plain.read(name), zipfile.ZIP_DEFLATED)
packed.close()

matrix = numpy.arange(6, dtype=numpy.float32).reshape(2, 3)
numpy.save(folder / "matrix.npy", matrix)
numpy.save(folder / "fortran.npy", numpy.asfortranarray(matrix))
arrays = {"a": matrix, "b.c": numpy.array([True, False]), "scalar": numpy.array(7, dtype=numpy.int16)}
numpy.savez(folder / "arrays.npz", **arrays)
numpy.savez_compressed(folder / "compressed.npz", **arrays)
