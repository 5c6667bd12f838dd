"""make bench-peer: this project and PyTorch in turn, many times, on the workload R1 and on what the quick
profile trains; and every op against the machine's own peak. Prints two tables and writes them as r1.csv
and ops.csv. With DEVICE=cuda: R1 on a GPU against PyTorch, and against its own floor; r1-cuda.csv.

PyTorch is the newest of the Python package index, in a virtual environment of its own, or where that is
not reached the system's (Debian: python3-torch). It is asked in every way a user would try, and the ratio
is to the way whose median is best, a row each: the median over alternations of figures taken one after the
other. Figures are medians too."""
import argparse
import csv
import json
import os
import pathlib
import re
import shutil
import statistics
import subprocess
import sys
from typing import NamedTuple

HERE = pathlib.Path(__file__).parent
WAYS = {"eager": [], "channels_last": ["--channels-last"], "compile": ["--compile"],
        "compile, channels_last": ["--compile", "--channels-last"],
        "bf16 autocast": ["--channels-last", "--bf16"]}
BESIDE = "bf16 autocast"  # another precision: shown, not counted


class Case(NamedTuple):
    row: str  # of bench.cpp
    title: str
    what: str
    setting: object  # threads, or on a GPU the precision
    threads: int = 1


KINDS = ("training", "evaluation")
BATCH = {"cpu": 64, "cuda": 128}
# On each machine: batch, options of PyTorch's workers, and the cases that they run in turn.
SETUPS = {"cpu": [(BATCH["cpu"], [], [Case(f"r1_{what}/threads:{n}", "R1", what, n, n)
                                      for n in (1, 2) for what in KINDS]),
                  (16, ["--channels", "16"],
                   [Case("quick_training/threads:2", "width 16, batch 16,", "training", 2, 2)])],
          "cuda": [(BATCH["cuda"], ["--device", "cuda", "--precision", precision],
                    [Case(f"cuda r1_{what} {precision}", "R1", what, precision) for what in KINDS])
                   for precision in ("full", "tf32")]}


def find_peer(folder):
    """A Python with PyTorch, or None."""
    own = folder / "bin" / "python"
    runs = lambda python, *options: (shutil.which(python) and
                                     subprocess.run([python, *options], capture_output=True).returncode == 0)
    for python in (own, sys.executable, "/usr/bin/python3"):
        if runs(python, "-c", "import torch"):
            return python
    print(f"installing PyTorch into {folder} (once; it is large) …", flush=True)
    made = (runs(sys.executable, "-m", "venv", folder) and
            runs(own, "-m", "pip", "install", "--quiet", "torch", "numpy"))
    return own if made else None


class Peer:
    def __init__(self, python, batch, *options):
        self.batch = batch
        self.command = [str(python), str(HERE / "torch_r1.py"), "--batch", str(batch), *options]
        self.process = subprocess.Popen(self.command, text=True, stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        self.version = self.process.stdout.readline().strip()

    def run(self, case, seconds):
        """(images/s, peak MiB so far). Throws BrokenPipeError or ValueError of a worker that ended."""
        print(case.what, case.threads, seconds, file=self.process.stdin, flush=True)
        step, peak = self.process.stdout.readline().split()
        return self.batch / float(step), int(peak) / 1024

    def end(self):
        self.process.communicate()  # closes its input, and waits


def run_ours(benchmark, filters, *options):
    """Google Benchmark's rows, each with the peak resident MiB of the process."""
    command = [benchmark, f"--benchmark_filter={filters}", "--benchmark_format=json", *options]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    text = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        sys.exit(f"{' '.join(map(str, command))} failed")
    return [{**row, "peak resident MiB": usage.ru_maxrss / 1024} for row in json.loads(text)["benchmarks"]]


def alternate(benchmark, python, setup, memory, rounds, seconds):
    """For each case: figures of ours and of each way of PyTorch's, a list each; and our last row. Peaks of
    `memory` in training, of all that ran to the end; and PyTorch's version."""
    batch, options, cases = setup
    peers = {way: Peer(python, batch, *options, *flags) for way, flags in (WAYS if python else {}).items()}
    rates = {case: {who: [] for who in ("dale", *peers)} for case in cases}
    ours, peaks = {}, dict.fromkeys(("dale", *peers), 0)
    for turn in range(rounds):
        for case in cases:
            print(f"\r{case.row}: alternation {turn + 1} of {rounds}   ", end="", file=sys.stderr, flush=True)
            ours[case] = run_ours(benchmark, f"^{case.row}/", f"--benchmark_min_time={seconds}")[0]
            measured = {"dale": (ours[case]["items_per_second"], ours[case][memory])}
            for way, peer in list(peers.items()):
                try:
                    if way != BESIDE or turn == 0:
                        measured[way] = peer.run(case, seconds)
                except (BrokenPipeError, ValueError):  # torch.compile wants a compiler and Python's headers
                    print(f"\nnot counted: {way}: PyTorch's worker ended: {' '.join(peer.command)} says why",
                          file=sys.stderr)
                    peer.end()
                    del peers[way], peaks[way]
            for who, (rate, mib) in measured.items():
                rates[case][who].append(rate)
                if case.what == "training":
                    peaks[who] = max(peaks[who], mib)
    for peer in peers.values():
        peer.end()
    print(file=sys.stderr)
    return rates, ours, peaks, next(iter(peers.values())).version if peers else "PyTorch: not here"


def floor(benchmark, step, row, precision, seconds):
    """A training step on a GPU against its floor: its products at the rate of large ones, or its memory's
    traffic at that of a large copy."""
    limits = run_ours(benchmark, f"^cuda (matmul {precision}|copy)/", f"--benchmark_min_time={seconds}")
    products, copy = (limit["items_per_second"] for limit in limits)
    work, traffic = row["operations"] / products, row["bytes"] / copy
    return [["R1 training, time / floor", precision, f"{step / max(work, traffic):.1f}"],
            ["   floor: products, memory (ms)", precision, f"{1e3 * work:.3f}, {1e3 * traffic:.3f}"]]


def compare(benchmark, python, device, rounds, seconds):
    """Every setup of a machine against every way of PyTorch's, the ratio to the best: the ways that ran, a
    row for each figure, PyTorch's version."""
    memory = "peak MiB" if device == "cuda" else "peak resident MiB"
    found = [alternate(benchmark, python, setup, memory, rounds, seconds) for setup in SETUPS[device]]
    names = [way for way in WAYS if all(way in peaks for _, _, peaks, _ in found)]
    median = statistics.median

    def row(title, setting, figure, form):
        return [title, setting, *(format(figure(who), form) for who in ("dale", *names))]

    rows = []
    for case, figures in (of_case for rates, *_ in found for of_case in rates.items()):
        rate = lambda who: median(figures[who])
        rows.append(row(f"{case.title} {case.what}, images/s", case.setting, rate, ".1f"))
        if names:
            best = max((way for way in names if way != BESIDE), key=rate)
            ratios = [a / b for a, b in zip(figures["dale"], figures[best])]
            rows[-1] += [best, f"{median(ratios):.2f}", f"{min(ratios):.2f}-{max(ratios):.2f}"]
    for rates, ours, peaks, _ in found if device == "cuda" else found[:1]:
        training = [case for case in rates if case.what == "training"]
        if device == "cpu":
            one, two = (rates[case] for case in training)
            speedup = lambda who: median([b / a for a, b in zip(one[who], two[who])])
            rows.append(row("R1 training, 2 threads / 1", "", speedup, ".2f"))
        settings = ", ".join(str(case.setting) for case in training)
        rows.append(row(f"R1 training, {memory}", settings, peaks.get, ".0f"))
        if device == "cuda":
            step = BATCH[device] / median(rates[training[0]]["dale"])  # seconds
            rows += floor(benchmark, step, ours[training[0]], settings, seconds)
    return names, rows, found[0][-1]


def rows_of(benchmark):
    listing = subprocess.run([benchmark, "--benchmark_list_tests=true"], capture_output=True, text=True)
    return listing.stdout.splitlines()


def ops_against_peak(benchmark):
    """Medians of interleaved repetitions; convolutions count the operations of the direct method."""
    found = run_ours(benchmark, "^(peak|conv2d|group_norm|silu|adam)", "--benchmark_repetitions=5",
                     "--benchmark_min_time=0.05", "--benchmark_enable_random_interleaving=true")
    medians = {r["run_name"]: r for r in found if r.get("aggregate_name") == "median"}
    at = lambda name, threads: medians[f"{name}/threads:{threads}/real_time"]
    names = [n for n in dict.fromkeys(re.sub("/threads:.*", "", line) for line in rows_of(benchmark))
             if f"{n}/threads:1/real_time" in medians and n != "peak"]
    peak = {t: at("peak", t)["items_per_second"] for t in (1, 2)}
    rows = [["machine's peak", *(f"{peak[t] / 1e9:.1f} Gop/s" for t in (1, 2)), "", ""]]
    for name in names:
        ms = [f"{at(name, t)['real_time']:.3f} ms" for t in (1, 2)]
        rate = {t: at(name, t)["items_per_second"] for t in (1, 2)}
        rows.append([name, *ms, *(f"{100 * rate[t] / peak[t]:.0f} %" if name.startswith("conv2d") else
                                  f"{rate[t] / 1e9:.2f} G/s" for t in (1, 2))])

    def whole(what, threads, kind="conv2d"):
        return sum(at(n, threads)["times"] * at(n, threads)[what] for n in names if n.startswith(kind))

    ms = {t: whole("real_time", t) for t in (1, 2)}
    rows.append(["whole convolution work of R1", *(f"{ms[t]:.1f} ms" for t in (1, 2)),
                 *(f"{1e5 * whole('operations', t) / ms[t] / peak[t]:.0f} %" for t in (1, 2))])
    return rows, whole("operations", 1, "conv2d ") / BATCH["cpu"] / 1e6


def show(title, header, rows, path):
    print(f"\n{title}")
    widths = [max(len(str(r[i])) for r in [header, *rows] if i < len(r)) for i in range(len(header))]
    for row in [header, *rows]:
        cells = [str(v).rjust(w) for v, w in zip(row, widths)]
        print("  ".join([str(row[0]).ljust(widths[0]), *cells[1:]]))
    with open(path, "w", newline="") as f:
        csv.writer(f).writerows([header, *rows])
    print(f"→ {path}")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("benchmark", type=pathlib.Path)
    parser.add_argument("--peer", type=pathlib.Path, default=pathlib.Path("build/peer"),
                        help="virtual environment")
    parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path("results"))
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=1.5, help="of each measurement")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    cuda = options.device == "cuda"
    if cuda and not any("cuda r1_training" in row for row in rows_of(options.benchmark)):
        sys.exit("no CUDA device that this build can use: build/dale info says what is missing")
    python = find_peer(options.peer)
    names, rows, version = compare(options.benchmark, python, options.device, options.rounds, options.seconds)
    header = ["figure", "precision" if cuda else "threads", "dale", *names,
              *(["best", "ratio", "from-to"] if names else [])]
    batch = f"R1 at batch {BATCH[options.device]}"
    show(f"Against {version}, medians of {options.rounds} alternations; {batch}{' on a GPU' if cuda else ''}",
         header, rows, options.out / ("r1-cuda.csv" if cuda else "r1.csv"))
    if not cuda:
        rows, forward = ops_against_peak(options.benchmark)
        show(f"Ops of {batch} (convolution: {forward:.1f} million direct operations per image, forward)",
             ["op", "1 thread", "2 threads", "of peak, 1", "of peak, 2"], rows, options.out / "ops.csv")
    if not python:
        print("skipped: PyTorch is not here and could not be installed; try apt-get install python3-torch")


if __name__ == "__main__":
    main()
