"""The reference workload R1 in PyTorch (tests/fixtures/score_unet.py): the peer of make bench-peer. A
worker: for each line of its input

    training THREADS SECONDS      or      evaluation THREADS SECONDS

it runs steps for about that long (some more before, not counted) and answers with a line

    MEDIAN_SECONDS_A_STEP PEAK_KIB

Its first line is PyTorch's version. Options say in which of the ways that a user would try. A training
step is forward, backward and Adam on the mean-squared error. The peak is the process's resident memory, or
on CUDA what its arrays held at most."""
import argparse
import contextlib
import pathlib
import resource
import sys
import time

import torch
from torch.nn.functional import mse_loss

sys.path.append(str(pathlib.Path(__file__).resolve().parents[2] / "tests" / "fixtures"))
from score_unet import ScoreUNet


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--precision", choices=["full", "tf32"], default="full", help="on CUDA")
    parser.add_argument("--channels", type=int, default=32)
    parser.add_argument("--channels-last", action="store_true")
    parser.add_argument("--compile", action="store_true",
                        help="torch.compile; on CUDA in the mode reduce-overhead")
    parser.add_argument("--bf16", action="store_true", help="autocast to bfloat16")
    options = parser.parse_args()
    cuda = options.device == "cuda"
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = options.precision == "tf32"
    torch.backends.cudnn.benchmark = True
    torch.manual_seed(1)
    net = ScoreUNet(options.channels).to(options.device)
    assert options.channels != 32 or sum(p.numel() for p in net.parameters()) == 706849
    adam = torch.optim.Adam(net.parameters(), lr=1e-3, **(dict(fused=True) if cuda else {}))
    image = (options.batch, 1, 28, 28)
    inputs = torch.rand(image), torch.rand(options.batch), torch.randn(image)
    x, t, y = (v.to(options.device) for v in inputs)
    if options.channels_last:
        net, x = net.to(memory_format=torch.channels_last), x.to(memory_format=torch.channels_last)
    network = torch.compile(net, mode="reduce-overhead" if cuda else None) if options.compile else net
    bf16 = lambda: torch.autocast(options.device, torch.bfloat16)

    def forward(x, t):
        with bf16() if options.bf16 else contextlib.nullcontext():
            return network(x, t).float()

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
        peak = (torch.cuda.max_memory_allocated() // 1024 if cuda
                else resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
        print(sorted(times)[len(times) // 2], peak, flush=True)


if __name__ == "__main__":
    main()
