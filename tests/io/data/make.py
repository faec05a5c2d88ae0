#!/usr/bin/env python3
"""Makes the small .pth files beside it with PyTorch (1.13 or later); tests/io/pth_test.cpp has their
values."""
import collections
import pathlib
import sys
import types

import torch

folder = pathlib.Path(__file__).parent

base = torch.arange(12, dtype=torch.float32).reshape(3, 4) / 4
state = collections.OrderedDict(
    base=base,
    transposed=base.t(),  # these two share base's storage
    slice=base[1:, 1:3],
    double=torch.tensor([0.1, -1e300], dtype=torch.float64),
    half=torch.tensor([1.5, -65504], dtype=torch.float16),
    bfloat16=torch.tensor([1.5, -3e38], dtype=torch.bfloat16),
    int64=torch.tensor([2**40, -7]),
    int32=torch.tensor([-(2**31), 5], dtype=torch.int32),
    int16=torch.tensor([-300], dtype=torch.int16),
    int8=torch.tensor([-128, 127], dtype=torch.int8),
    uint8=torch.tensor([[0], [255]], dtype=torch.uint8),
    bool=torch.tensor([True, False]),
    scalar=torch.tensor(2.5),
    empty=torch.zeros(0, 3),
    expanded=torch.tensor([7.0]).expand(2, 3),
    parameter=torch.nn.Parameter(torch.tensor([1.0, 2.0])),
)
checkpoint = {
    "state_dict": state, "step": 1234567890123, "lr": 2e-4, "name": "tiny", "done": True,
    "nothing": None, "list": [torch.tensor([4.0]), 3, -200], "size": torch.Size([2, 3]), 5: "five",
}
torch.save(checkpoint, folder / "zip.pth")
torch.save(checkpoint, folder / "protocol4.pth", pickle_protocol=4)
torch.save(checkpoint, folder / "legacy.pth", _use_new_zipfile_serialization=False)
torch.save(torch.tensor([[1.0, 2.0]]), folder / "alone.pth")


class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.enc = torch.nn.Sequential(torch.nn.Conv2d(1, 2, 1), torch.nn.BatchNorm2d(2))
        with torch.no_grad():
            self.enc[0].weight.copy_(torch.tensor([0.5, -0.25]).reshape(2, 1, 1, 1))
            self.enc[0].bias.copy_(torch.tensor([1.0, 2.0]))
        self.scale = torch.nn.Parameter(torch.tensor([3.0]))
        self.register_buffer("kept", torch.tensor([1]))
        self.register_buffer("transient", torch.tensor([2]), persistent=False)


# A class of the user, in a module that the reader cannot import. The legacy format would store the
# source text of every class; leave that out.
def no_source(*_):
    raise OSError


Net.__module__ = "user_code"
sys.modules["user_code"] = types.SimpleNamespace(Net=Net)
torch.serialization.get_source_lines_and_file = no_source
torch.save(Net(), folder / "module_legacy.pth", _use_new_zipfile_serialization=False)
torch.save(Net().enc, folder / "module_zip.pth")
torch.save(Net(), folder / "module_unknown.pth")
