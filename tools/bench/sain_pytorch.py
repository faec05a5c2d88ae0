"""SAIN in PyTorch, for the comparison with mini (compare_pytorch.py).

Written from the paper ("Self-Asymmetric Invertible Network for Compression-Aware Image Rescaling",
AAAI 2023), with the state-dict names of its checkpoints. The training step is that of
train/recipes/sain.h; the JPEG simulator uses the tables in Annex K of the standard.
"""

import concurrent.futures
import functools
import io
import math

import numpy
import PIL.Image
import torch
from torch import nn
from torch.nn import functional


class Haar(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.channels = channels
        signs = [[1, 1, 1, 1], [1, -1, 1, -1], [1, 1, -1, -1], [1, -1, -1, 1]]
        filters = torch.tensor(signs, dtype=torch.float32).reshape(4, 1, 2, 2)
        self.haar_weights = nn.Parameter(filters.repeat(channels, 1, 1, 1), requires_grad=False)

    def forward(self, x):
        n, c, h, w = x.shape
        y = functional.conv2d(x, self.haar_weights, stride=2, groups=c) / 4
        return y.reshape(n, c, 4, h // 2, w // 2).transpose(1, 2).reshape(n, 4 * c, h // 2, w // 2)

    def inverse(self, y):
        n, c, h, w = y.shape
        x = y.reshape(n, 4, c // 4, h, w).transpose(1, 2).reshape(n, c, h, w)
        return functional.conv_transpose2d(x, self.haar_weights, stride=2, groups=c // 4)


class DenseBlock(nn.Module):
    def __init__(self, inputs, outputs, growth=32):
        super().__init__()
        for k in range(1, 6):
            conv = nn.Conv2d(inputs + (k - 1) * growth, growth if k < 5 else outputs, 3, padding=1)
            nn.init.xavier_normal_(conv.weight, 0.1)
            nn.init.zeros_(conv.bias)
            setattr(self, f"conv{k}", conv)

    def forward(self, x):
        features = [x]
        for conv in (self.conv1, self.conv2, self.conv3, self.conv4):
            features.append(functional.leaky_relu(conv(torch.cat(features, 1)), 0.2, inplace=True))
        return self.conv5(torch.cat(features, 1))


class VanillaBlock(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.F = DenseBlock(channels - 3, 3)
        self.G = DenseBlock(3, channels - 3)
        self.H = DenseBlock(3, channels - 3)

    def couple(self, y1, x2):
        return x2 * torch.exp(2 * torch.sigmoid(self.H(y1)) - 1) + self.G(y1)

    def decouple(self, y1, y2):
        return (y2 - self.G(y1)) / torch.exp(2 * torch.sigmoid(self.H(y1)) - 1)

    def forward(self, x1, x2):
        y1 = x1 + self.F(x2)
        return y1, self.couple(y1, x2), None

    def inverse(self, y1, y2):
        x2 = self.decouple(y1, y2)
        return y1 - self.F(x2), x2, None


class EnhancedBlock(VanillaBlock):
    def __init__(self, channels):
        super().__init__(channels)
        self.E = DenseBlock(channels - 3, 3)

    def forward(self, x1, x2):
        lr = x1 + self.E(x2)
        y1 = lr - self.F(x2)
        return y1, self.couple(y1, x2), lr

    def inverse(self, y1, y2):
        x2 = self.decouple(y1, y2)
        lr = y1 + self.F(x2)
        return lr - self.E(x2), x2, lr


class Mixture(nn.Module):
    def __init__(self, components=5):
        super().__init__()
        self.gmm_para = nn.Parameter(1e-4 * torch.randn(3, components))

    def sample(self, shape):
        logits, means, logvar = self.gmm_para
        weights = torch.log_softmax(logits, 0).expand(*shape, -1)
        chosen = functional.gumbel_softmax(weights, tau=1, hard=True)
        deviation = torch.exp(0.5 * logvar.clamp(-20, 20))
        noise = torch.randn(*shape, len(means), device=means.device)
        return (chosen * (means + deviation * noise)).sum(-1)


class Sain(nn.Module):
    def __init__(self, scale):
        super().__init__()
        levels = int(math.log2(scale))
        channels = 3 * scale * scale
        self.scale = scale
        self.haar_operations = nn.ModuleList(Haar(3 * 4**i) for i in range(levels))
        self.down_operations = nn.ModuleList(EnhancedBlock(channels) for _ in range(5 * levels))
        self.comp_operations = nn.ModuleList(VanillaBlock(channels) for _ in range(3 * levels))
        self.gmm = Mixture()

    def forward(self, x):
        for haar in self.haar_operations:
            x = haar(x)
        x1, x2, lr = x[:, :3], x[:, 3:], None
        for block in self.down_operations:
            x1, x2, lr = block(x1, x2)
        for block in self.comp_operations:
            x1, x2, _ = block(x1, x2)
        return torch.cat([x1, x2], 1), lr

    def inverse(self, y):
        x1, x2, lr = y[:, :3], y[:, 3:], None
        for block in reversed(self.comp_operations):
            x1, x2, _ = block.inverse(x1, x2)
        for i, block in enumerate(reversed(self.down_operations)):
            x1, x2, this = block.inverse(x1, x2)
            lr = this if i == 0 else lr
        x = torch.cat([x1, x2], 1)
        for haar in reversed(self.haar_operations):
            x = haar.inverse(x)
        return x, lr


def quantise(x):
    """round(255 clamp(x)) / 255, with the straight-through gradient."""
    return x + (torch.round(255 * x.clamp(0, 1)) / 255 - x).detach()


CODEC_THREADS = concurrent.futures.ThreadPoolExecutor()  # Pillow releases the interpreter lock


def through_jpeg(image, quality):
    stream = io.BytesIO()
    PIL.Image.fromarray(image).save(stream, "JPEG", quality=quality)
    return numpy.asarray(PIL.Image.open(stream).convert("RGB"))


def codec(x, quality):
    """Stores a batch as JPEG and reads it back, on the host, whichever device the batch is on."""
    images = torch.round(255 * x.detach().clamp(0, 1)).to(torch.uint8).permute(0, 2, 3, 1)
    decoded = CODEC_THREADS.map(through_jpeg, images.cpu().numpy(), [quality] * len(images))
    stacked = torch.from_numpy(numpy.stack(list(decoded))).to(x.device)
    return stacked.permute(0, 3, 1, 2).float() / 255


# ISO/IEC 10918-1, tables K.1 and K.2.
LUMINANCE = [
    [16, 11, 10, 16, 24, 40, 51, 61], [12, 12, 14, 19, 26, 58, 60, 55],
    [14, 13, 16, 24, 40, 57, 69, 56], [14, 17, 22, 29, 51, 87, 80, 62],
    [18, 22, 37, 56, 68, 109, 103, 77], [24, 35, 55, 64, 81, 104, 113, 92],
    [49, 64, 78, 87, 103, 121, 120, 101], [72, 92, 95, 98, 112, 100, 103, 99]]
CHROMINANCE = [
    [17, 18, 24, 47, 99, 99, 99, 99], [18, 21, 26, 66, 99, 99, 99, 99],
    [24, 26, 56, 99, 99, 99, 99, 99], [47, 66, 99, 99, 99, 99, 99, 99]] + [[99] * 8] * 4
TO_YCC = torch.tensor([[0.299, 0.587, 0.114], [-0.168736, -0.331264, 0.5],
                       [0.5, -0.418688, -0.081312]])
TO_RGB = torch.tensor([[1, 0, 1.402], [1, -0.344136, -0.714136], [1, 1.772, 0]])
DCT = torch.tensor([[math.sqrt((1 if u == 0 else 2) / 8) * math.cos((2 * x + 1) * u * math.pi / 16)
                     for x in range(8)] for u in range(8)])


@functools.lru_cache(maxsize=None)
def constants(device):
    """TO_YCC, TO_RGB, DCT and the two tables, on the device."""
    tables = [torch.tensor(table, dtype=torch.float32) for table in (LUMINANCE, CHROMINANCE)]
    return [x.to(device) for x in (TO_YCC, TO_RGB, DCT, *tables)]


def soft_round(v):
    return v - sum((-1) ** (n + 1) / n * torch.sin(2 * math.pi * n * v)
                   for n in range(1, 10)) / math.pi


def simulate_plane(plane, table, dct):
    n, h, w = plane.shape
    blocks = plane.reshape(n, h // 8, 8, w // 8, 8).transpose(2, 3) - 128
    scaled = dct @ blocks @ dct.T / table
    blocks = dct.T @ (soft_round(scaled) * table) @ dct + 128
    return blocks.transpose(2, 3).reshape(n, h, w)


def diff_jpeg(x, quality):
    with torch.autocast(x.device.type, enabled=False):  # 8 bits need more than bfloat16 has
        to_ycc, to_rgb, dct, *tables = constants(x.device)
        factor = (5000 / quality if quality < 50 else 200 - 2 * quality) / 100
        luminance, chrominance = (factor * table for table in tables)
        ycc = torch.einsum("ij,njhw->nihw", to_ycc, x.float() * 255)
        chroma = functional.avg_pool2d(ycc[:, 1:] + 128, 2)
        y = simulate_plane(ycc[:, 0], luminance, dct)
        cb, cr = (simulate_plane(chroma[:, i], chrominance, dct) for i in range(2))
        chroma = torch.stack([cb, cr], 1).repeat_interleave(2, 2).repeat_interleave(2, 3) - 128
        rgb = torch.einsum("ij,njhw->nihw", to_rgb, torch.cat([y[:, None], chroma], 1))
        return rgb.clamp(0, 255) / 255


def losses(network, hr, reference, quality, z=None):
    """The objective and its terms, as defined and named in train/recipes/sain.h."""
    factor = 4 if network.scale == 2 else 16
    out, lr = network(hr)
    quantised = quantise(lr)
    compressed = diff_jpeg(quantised, quality)
    if z is None:
        z = network.gmm.sample(out[:, 3:].shape)
    restored, lr_restored = network.inverse(torch.cat([compressed, z], 1))

    def l2(a, b):
        return factor * ((a - b) ** 2).sum() / len(a)

    terms = {
        "l_forw_fit1": l2(lr, reference),
        "l_forw_fit2": l2(out[:, :3], codec(reference, quality)),
        "l_reg": l2(quantised, lr_restored),
        "l_rel": l2(out[:, :3], codec(quantised, quality)),
        "l_back_rec": torch.sqrt((restored[:, :3] - hr) ** 2 + 1e-6).sum() / len(hr),
    }
    forward = terms["l_forw_fit1"] + terms["l_forw_fit2"] + terms["l_reg"] + terms["l_rel"]
    return terms["l_back_rec"] + forward / 4, terms


def make_optimiser(network):
    trained = [p for p in network.parameters() if p.requires_grad]
    return torch.optim.Adam(trained, lr=2e-4, weight_decay=1e-5)


def training_step(network, optimiser, hr, reference, quality):
    optimiser.zero_grad(set_to_none=True)
    total, terms = losses(network, hr, reference, quality)
    total.backward()
    for term in terms.values():
        term.item()  # mini reports the terms in every step, too
    nn.utils.clip_grad_norm_(network.parameters(), 10)
    optimiser.step()


@torch.no_grad()
def round_trip(network, hr, quality):
    lr = quantise(network(hr)[1])
    z = torch.zeros(len(hr), 3 * network.scale**2 - 3, *lr.shape[2:], device=hr.device)
    return lr, network.inverse(torch.cat([codec(lr, quality), z], 1))[0]
