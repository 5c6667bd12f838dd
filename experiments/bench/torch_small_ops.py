"""PyTorch's figure for the benchmark small_ops (bench.cpp): a chain of 1000 multiplications of scalars on one
core, recorded, and recorded and differentiated; the median of 21 runs, in microseconds per op."""
import statistics
import timeit

import torch

torch.set_num_threads(1)
x, c = torch.ones((), requires_grad=True), torch.ones(())


def chain():
    y = x
    for _ in range(1000):
        y = y * c
    return y


def median(run):
    return statistics.median(timeit.repeat(run, "gc.enable()", number=1, repeat=21)) * 1e3


print(f"torch {torch.__version__} small_ops: forward {median(chain):.2f} us an op, "
      f"forward and backward {median(lambda: chain().backward()):.2f} us an op")
