"""The reference workload R1 (nn/unet.h) in PyTorch: the peer of make bench-peer. A worker: for each line of its input

    training THREADS SECONDS      or      evaluation THREADS SECONDS

it runs steps for about that long (some more before, not counted) and answers with a line

    MEDIAN_SECONDS_A_STEP PEAK_KIB

Its first line is PyTorch's version. A training step is forward, backward and Adam on the mean-squared error. The peak is
the process's resident memory, or on CUDA what its arrays held at most."""
import argparse
import math
import resource
import sys
import time

import torch
from torch import nn
from torch.nn.functional import interpolate, mse_loss, silu

TIME, GROUPS = 128, 8


def conv3(c_in, c_out, stride=1):
    return nn.Conv2d(c_in, c_out, 3, stride, 1)


class Block(nn.Module):
    def __init__(self, c_in, c_out):
        super().__init__()
        self.norm1, self.conv1 = nn.GroupNorm(GROUPS, c_in), conv3(c_in, c_out)
        self.norm2, self.conv2 = nn.GroupNorm(GROUPS, c_out), conv3(c_out, c_out)
        self.time = nn.Linear(TIME, c_out)
        self.skip = nn.Identity() if c_in == c_out else nn.Conv2d(c_in, c_out, 1)

    def forward(self, x, e):
        h = self.conv1(silu(self.norm1(x))) + self.time(e)[..., None, None]
        return self.conv2(silu(self.norm2(h))) + self.skip(x)


class R1(nn.Module):
    """Channels 32, 64, 64 at 28, 14 and 7 pixels."""

    def __init__(self):
        super().__init__()
        self.time = nn.Sequential(nn.Linear(TIME, TIME), nn.SiLU(), nn.Linear(TIME, TIME), nn.SiLU())
        self.stem = conv3(1, 32)
        self.down = nn.ModuleList([Block(32, 32), Block(32, 64), Block(64, 64)])
        self.shrink = nn.ModuleList([conv3(32, 32, 2), conv3(64, 64, 2)])
        self.middle = Block(64, 64)
        self.up = nn.ModuleList([Block(128, 64), Block(128, 64), Block(96, 32)])
        self.grow = nn.ModuleList([conv3(64, 64), conv3(64, 64)])
        self.norm, self.head = nn.GroupNorm(GROUPS, 32), conv3(32, 1)

    def forward(self, x, t):
        omega = torch.exp(torch.arange(TIME // 2, device=t.device) * (-math.log(1e4) / (TIME // 2)))
        angle = 1000 * t[:, None] * omega
        e = self.time(torch.cat([angle.sin(), angle.cos()], 1))
        h = self.stem(x)
        skips = []
        for level, block in enumerate(self.down):
            h = block(h, e)
            skips.append(h)
            h = self.shrink[level](h) if level < 2 else h
        h = self.middle(h, e)
        for level, block in enumerate(self.up):
            h = block(torch.cat([h, skips.pop()], 1), e)
            h = self.grow[level](interpolate(h, scale_factor=2)) if level < 2 else h
        return self.head(silu(self.norm(h)))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--precision", choices=["full", "tf32"], default="full", help="on CUDA")
    parser.add_argument("--compile", action="store_true", help="torch.compile, mode reduce-overhead")
    options = parser.parse_args()
    cuda = options.device == "cuda"
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = options.precision == "tf32"
    torch.backends.cudnn.benchmark = True
    torch.manual_seed(1)
    net = R1().to(options.device)
    assert sum(p.numel() for p in net.parameters()) == 706849
    adam = torch.optim.Adam(net.parameters(), lr=1e-3, **(dict(fused=True) if cuda else {}))
    forward = torch.compile(net, mode="reduce-overhead") if options.compile else net
    image = (options.batch, 1, 28, 28)
    x, t, y = (v.to(options.device) for v in (torch.rand(image), torch.rand(options.batch), torch.randn(image)))
    synchronize = torch.cuda.synchronize if cuda else lambda: None

    def training():
        adam.zero_grad(set_to_none=True)
        mse_loss(forward(x, t), y).backward()
        adam.step()

    def evaluation():
        with torch.no_grad():
            forward(x, t)

    print("torch", torch.__version__, flush=True)
    for line in sys.stdin:
        what, threads, seconds = line.split()
        torch.set_num_threads(int(threads))
        step = {"training": training, "evaluation": evaluation}[what]
        group = 20 if cuda else 1  # steps that are waited for together
        for _ in range(20 if cuda else 3):
            step()
        synchronize()
        times, end = [], time.perf_counter() + float(seconds)
        while time.perf_counter() < end or len(times) < 3:
            start = time.perf_counter()
            for _ in range(group):
                step()
            synchronize()
            times.append((time.perf_counter() - start) / group)
        peak = torch.cuda.max_memory_allocated() // 1024 if cuda else resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        print(sorted(times)[len(times) // 2], peak, flush=True)


if __name__ == "__main__":
    main()
