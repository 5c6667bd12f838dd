"""A model of dale's in PyTorch: its file, the score U-Net, the denoiser, and the probability flow.

    python3 examples/torch_model.py MODEL.safetensors OUT.npy [--count 16 --steps 20 --seed 0]
    python3 examples/torch_model.py MODEL.safetensors --check FILE.safetensors

The first writes samples (N,C,H,W) in the data's units, at the levels of `dale sample`. FILE holds states y
(N,C,H,W), levels s (N) and dale's D (N,C,H,W); the second prints by how much D differs here: below 1e-4, or
its exit status is 1. For processes whose network means D: gbm, y = log(1 + pixel), and ve, y = 1 + pixel.
"""
import argparse
import json
import math
import pathlib
import struct
import sys

import torch
from torch import nn
from torch.nn.functional import interpolate, silu

GROUPS = 8


def conv3(c_in, c_out, stride=1):
    return nn.Conv2d(c_in, c_out, 3, stride, 1)


class ResidualBlock(nn.Module):
    def __init__(self, c_in, c_out, time):
        super().__init__()
        self.norm1, self.conv1 = nn.GroupNorm(GROUPS, c_in), conv3(c_in, c_out)
        self.time = nn.Linear(time, c_out)
        self.norm2, self.conv2 = nn.GroupNorm(GROUPS, c_out), conv3(c_out, c_out)
        self.skip = nn.Identity() if c_in == c_out else nn.Conv2d(c_in, c_out, 1)

    def forward(self, x, e):  # (N,c_in,H,W), (N,time) → (N,c_out,H,W)
        h = self.conv1(silu(self.norm1(x))) + self.time(e)[..., None, None]
        return self.conv2(silu(self.norm2(h))) + self.skip(x)


class ScoreUNet(nn.Module):  # nn/unet.h
    def __init__(self, channels=32, multipliers=(1, 2, 2), time=128, classes=0, colours=1):
        super().__init__()
        c, last = [channels * m for m in multipliers], len(multipliers) - 1
        self.time1, self.time2 = nn.Linear(time, time), nn.Linear(time, time)
        self.label = nn.Embedding(classes + 1, time) if classes else None  # the last row: none
        self.stem = conv3(colours, channels)
        self.down = nn.ModuleList(ResidualBlock(a, b, time) for a, b in zip([channels] + c, c))
        self.shrink = nn.ModuleList(conv3(a, a, 2) for a in c[:last])
        self.middle = ResidualBlock(c[last], c[last], time)
        self.up = nn.ModuleList(ResidualBlock(a + b, b, time) for a, b in zip([c[last]] + c[::-1], c[::-1]))
        self.grow = nn.ModuleList(conv3(a, a) for a in c[:0:-1])
        self.norm, self.head = nn.GroupNorm(GROUPS, c[0]), conv3(c[0], colours)

    def forward(self, x, t, labels=None):  # (N,C,H,W), (N), (N) or none → (N,C,H,W)
        half = self.time1.in_features // 2
        omega = torch.exp(torch.arange(half, device=t.device, dtype=torch.float64) * (-math.log(1e4) / half))
        angle = 1000 * t[:, None] * omega.to(t.dtype)
        e = self.time2(silu(self.time1(torch.cat([angle.sin(), angle.cos()], 1))))
        if self.label is not None:
            e = e + (self.label.weight[-1] if labels is None else self.label(labels))
        e, h, skips = silu(e), self.stem(x), []
        for level, block in enumerate(self.down):
            h = block(h, e)
            skips.append(h)
            h = self.shrink[level](h) if level < len(self.shrink) else h
        h = self.middle(h, e)
        for level, block in enumerate(self.up):
            h = block(torch.cat([h, skips.pop()], 1), e)
            h = self.grow[level](interpolate(h, scale_factor=2)) if level < len(self.grow) else h
        return self.head(silu(self.norm(h)))


def read_safetensors(path):
    """Tensors and metadata by name: eight bytes of length, a JSON header of that length, the elements."""
    try:
        raw = pathlib.Path(path).read_bytes()
    except OSError as error:
        sys.exit(f"cannot read {path}: {error.strerror}")
    start = 8 + struct.unpack("<Q", raw[:8])[0]
    header, types = json.loads(raw[8:start]), {"F32": torch.float32, "F64": torch.float64}
    metadata, tensors = header.pop("__metadata__", {}), {}
    for name, entry in header.items():
        begin, end = (start + offset for offset in entry["data_offsets"])
        elements = torch.frombuffer(bytearray(raw[begin:end]), dtype=types[entry["dtype"]])
        tensors[name] = elements.reshape(entry["shape"])
    return tensors, metadata


def write_npy(path, x):
    """float32, after a header of 128 bytes; without NumPy, which need not be there."""
    header = str({"descr": "<f4", "fortran_order": False, "shape": tuple(x.shape)}).ljust(117) + "\n"
    elements = bytes(x.float().flatten().view(torch.uint8).tolist())
    pathlib.Path(path).write_bytes(b"\x93NUMPY\1\0" + struct.pack("<H", 118) + header.encode() + elements)


def load_model(path):
    """The network, and what the metadata say of it, of a model.safetensors that the formulas here are for."""
    tensors, about = read_safetensors(path)
    if "attention" in about:
        sys.exit(f"{path}: its network has self-attention, which the one here has not")
    if about.get("process") not in ("gbm", "ve") or about.get("network_output") != "denoised":
        sys.exit(f"{path}: not a model of gbm or ve that dale train wrote")
    if "embedding" in about or "consistency" in about:
        sys.exit(f"{path}: a model of other data than pixels, or of dale tune; neither is known here")
    size = lambda name, absent=None: int(about.get(name, absent))
    net = ScoreUNet(size("channels"), [int(m) for m in about["multipliers"].split(",")], size("time_width"),
                    size("classes", 0), size("colours", 1))
    net.load_state_dict(tensors)
    return net.eval(), about


def denoiser(net, mean, deviation):
    """D(y; s) (IV.11) of y (N,C,H,W) in the chart, s (N), in double: c_skip y + c_out F(c_in y; ¼ ln s)."""
    def D(y, s):
        root, centred = torch.sqrt(s * s + deviation * deviation), y - mean
        c_skip, c_out, c_in = (c.to(y.dtype)[:, None, None, None]
                               for c in ((deviation / root) ** 2, s * deviation / root, 1 / root))
        return c_skip * centred + c_out * net(c_in * centred, (s.log() / 4).to(y.dtype)) + mean
    return D


def heun(D, y, levels):
    """The probability flow dy/ds = (y − D)/s by Heun's rule (IV.22); the step to level 0 is y ← D."""
    slope = lambda y, s: (y - D(y, torch.full((len(y),), s, dtype=torch.float64))) / s
    for s, following in zip(levels, levels[1:]):
        d, h = slope(y, s), following - s
        y = y + h / 2 * (d + slope(y + h * d, following)) if following else y + h * d
    return y


@torch.no_grad()
def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("model")
    goal = parser.add_mutually_exclusive_group(required=True)
    goal.add_argument("out", nargs="?")
    goal.add_argument("--check", metavar="FILE")
    for name, usual in {"count": 16, "steps": 20, "seed": 0}.items():
        parser.add_argument(f"--{name}", type=int, default=usual)
    o = parser.parse_args()
    net, about = load_model(o.model)
    mean, deviation = float(about["data_mean"]), float(about["data_deviation"])
    D = denoiser(net, mean, deviation)
    if o.check:
        asked = read_safetensors(o.check)[0]
        gap = (D(asked["y"].float(), asked["s"].double()) - asked["D"]).abs().max().item()
        print(f"{o.model}: D differs from dale's by {gap:.1e} at most")
        sys.exit(not gap <= 1e-4)
    # s_i = (s_max^{1/ρ} + i/(N−1) (s_min^{1/ρ} − s_max^{1/ρ}))^ρ, ρ = 7, of which the first is s_max, and 0
    top, bottom = min(40 * deviation, 80) ** (1 / 7), (0.6 * deviation) ** (1 / 7)
    levels = [(top + (bottom - top) * i / max(1, o.steps - 1)) ** 7 for i in range(o.steps)] + [0]
    torch.manual_seed(o.seed)
    shape = o.count, int(about.get("colours", 1)), int(about.get("height", 28)), int(about.get("width", 28))
    noise = mean + math.hypot(levels[0], deviation) * torch.randn(shape)
    y = torch.cat([heun(D, part, levels) for part in noise.split(64)])
    write_npy(o.out, (y.exp() if about["process"] == "gbm" else y).clamp(1, 2) - 1)


if __name__ == "__main__":
    main()
