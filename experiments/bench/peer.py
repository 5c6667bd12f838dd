"""make bench-peer: this project and PyTorch in turn, many times, on the workload R1 and on what the quick
profile trains; and every op against the machine's own peak. Prints two tables and writes them as r1.csv
and ops.csv. With DEVICE=cuda: R1 on a GPU against PyTorch, eager and compiled, and against its own floor;
r1-cuda.csv.

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
import statistics
import subprocess
import sys

HERE = pathlib.Path(__file__).parent
BATCH, CUDA_BATCH = 64, 128
WAYS = {"eager": [], "channels_last": ["--channels-last"], "compile": ["--compile"],
        "compile, channels_last": ["--compile", "--channels-last"]}
BESIDE = {"bf16 autocast": ["--channels-last", "--bf16"]}  # another precision: shown, not counted


def find_peer(folder):
    """A Python with PyTorch, or None."""
    own = folder / "bin" / "python"
    runs = lambda *command, **how: subprocess.run(command, **how).returncode == 0
    has_torch = lambda python: runs(python, "-c", "import torch", capture_output=True)
    if own.exists() and has_torch(own):
        return own
    for python in (sys.executable, "/usr/bin/python3"):
        if has_torch(python):
            return python
    print(f"installing PyTorch into {folder} (once; it is large) …", flush=True)
    quiet = dict(stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    if runs(sys.executable, "-m", "venv", folder, **quiet) and \
            runs(own, "-m", "pip", "install", "--quiet", "torch", "numpy", **quiet):
        return own
    return None


class WorkerEnded(Exception):
    pass


class Peer:
    def __init__(self, python, *options, batch=BATCH):
        self.batch = batch
        self.command = [str(python), str(HERE / "torch_r1.py"), "--batch", str(batch), *options]
        self.process = subprocess.Popen(self.command, text=True, stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        self.version = self.process.stdout.readline().strip()

    def run(self, what, threads, seconds):
        """(images/s, peak MiB so far)"""
        try:
            print(what, threads, seconds, file=self.process.stdin, flush=True)
        except BrokenPipeError:
            pass
        answer = self.process.stdout.readline().split()
        if not answer:
            raise WorkerEnded(f"PyTorch's worker ended: {' '.join(self.command)} says why")
        step, peak = answer
        return self.batch / float(step), int(peak) / 1024

    def end(self):
        self.process.stdin.close()
        self.process.wait()


def run_ours(benchmark, filters, *options):
    """Google Benchmark's rows, and the peak resident MiB of the process."""
    command = [benchmark, f"--benchmark_filter={filters}", "--benchmark_format=json", *options]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    text = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        sys.exit(f"{' '.join(map(str, command))} failed")
    return json.loads(text)["benchmarks"], usage.ru_maxrss / 1024


def alternate(benchmark, python, cases, options, batch, rounds, seconds):
    """For each case (row of bench.cpp, what, threads): figures of ours and of each way of PyTorch's, a list
    each; the peaks of resident MiB in training; PyTorch's version; the ways that ran."""
    ways = {**WAYS, **BESIDE} if python else {}
    peers = {way: Peer(python, *options, *flags, batch=batch) for way, flags in ways.items()}
    rates = {case: {who: [] for who in ("dale", *peers)} for case in cases}
    resident = dict.fromkeys(("dale", *peers), 0)
    for turn in range(rounds):
        for case in cases:
            row, what, threads = case
            progress = f"\r{row}, {threads} threads: alternation {turn + 1} of {rounds}   "
            print(progress, end="", file=sys.stderr, flush=True)
            found, mib = run_ours(benchmark, f"^{row}/threads:{threads}/", f"--benchmark_min_time={seconds}")
            measured = {"dale": (found[0]["items_per_second"], mib)}
            for way, peer in list(peers.items()):
                try:
                    if way in WAYS or turn == 0:
                        measured[way] = peer.run(what, threads, seconds)
                except WorkerEnded as e:  # torch.compile wants a compiler and Python's headers
                    print(f"\nnot counted: {way}: {e}", file=sys.stderr)
                    del peers[way]
            for who, (rate, mib) in measured.items():
                rates[case][who].append(rate)
                if what == "training":
                    resident[who] = max(resident[who], mib)
    for peer in peers.values():
        peer.end()
    print(file=sys.stderr)
    return rates, resident, next(iter(peers.values())).version if peers else "PyTorch: not here", list(peers)


def compare(benchmark, python, rounds, seconds):
    """R1 and the quick profile's training against every way of PyTorch's, the ratio to the best."""
    median = statistics.median

    def row(title, threads, figures):
        cells = [title, threads, *(f"{median(figures[who]):.1f}" for who in ("dale", *names))]
        if names:
            best = max((way for way in names if way in WAYS), key=lambda way: median(figures[way]))
            ratios = [a / b for a, b in zip(figures["dale"], figures[best])]
            cells += [best, f"{median(ratios):.2f}", f"{min(ratios):.2f}-{max(ratios):.2f}"]
        return cells

    cases = [(f"r1_{what}", what, threads) for threads in (1, 2) for what in ("training", "evaluation")]
    quick = ("quick_training", "training", 2)
    rates, resident, version, names = alternate(benchmark, python, cases, [], BATCH, rounds, seconds)
    small, _, _, small_names = alternate(benchmark, python, [quick], ["--channels", "16"], 16, rounds,
                                         seconds)
    names = [way for way in names if way in small_names]
    rows = [row(f"R1 {what}, images/s", threads, rates[name, what, threads]) for name, what, threads in cases]
    rows.append(row("width 16, batch 16, training, images/s", 2, small[quick]))
    one, two = rates[cases[0]], rates[cases[2]]
    rows.append(["R1 training, 2 threads / 1", "",
                 *(f"{median([b / a for a, b in zip(one[who], two[who])]):.2f}" for who in ("dale", *names))])
    rows.append(["R1 training, peak resident MiB", "1, 2",
                 *(f"{resident[who]:.0f}" for who in ("dale", *names))])
    return names, rows, version


def compare_cuda(benchmark, python, rounds, seconds):
    """R1 on a GPU, each precision on both sides, and the ratio of a training step to its floor."""
    rows, version = [], ""
    own = lambda name: run_ours(benchmark, f"^cuda {name}/", f"--benchmark_min_time={seconds}")[0][0]
    for precision in ("full", "tf32"):
        peers = {}
        for kind, options in (("eager", []), ("compiled", ["--compile"])) if python else ():
            peers[kind] = Peer(python, "--device", "cuda", "--precision", precision, *options,
                               batch=CUDA_BATCH)
            version = peers[kind].version
        steps = {}
        for what in ("training", "evaluation"):
            ours, theirs, peak = [], {kind: [] for kind in peers}, {}
            for turn in range(rounds):
                print(f"\r{precision} {what}: alternation {turn + 1} of {rounds} ", end="", file=sys.stderr,
                      flush=True)
                steps[what] = own(f"r1_{what} {precision}")
                ours.append(steps[what]["items_per_second"])
                for kind, peer in peers.items():
                    rate, peak[kind] = peer.run(what, 1, seconds)
                    theirs[kind].append(rate)
            row = [f"R1 {what}, images/s", precision, f"{statistics.median(ours):.0f}"]
            for kind in peers:
                ratios = [a / b for a, b in zip(ours, theirs[kind])]
                row += [f"{statistics.median(theirs[kind]):.0f}", f"{statistics.median(ratios):.2f}",
                        f"{min(ratios):.2f}-{max(ratios):.2f}"]
            rows.append(row)
            if what == "training":
                rows.append([f"R1 {what}, peak MiB", precision, f"{steps[what]['peak MiB']:.0f}",
                             *(v for kind in peers for v in (f"{peak[kind]:.0f}", "", ""))])
                rate = own(f"matmul {precision}")["items_per_second"]
                step = CUDA_BATCH / statistics.median(ours)  # seconds
                memory = steps[what]["bytes"] / own("copy")["items_per_second"]
                work = steps[what]["operations"] / rate
                rows.append([f"R1 {what}, time / floor", precision, f"{step / max(work, memory):.1f}"])
                rows.append(["   floor: products, memory (ms)", precision,
                             f"{1e3 * work:.3f}, {1e3 * memory:.3f}"])
    print(file=sys.stderr)
    return rows, version


def rows_of(benchmark):
    listing = subprocess.run([benchmark, "--benchmark_list_tests=true"], capture_output=True, text=True)
    return listing.stdout.splitlines()


def ops_against_peak(benchmark):
    """Medians of interleaved repetitions; convolutions count the operations of the direct method."""
    found, _ = run_ours(benchmark, "^(peak|conv2d|matmul|group_norm|silu|adam)", "--benchmark_repetitions=5",
                        "--benchmark_min_time=0.05", "--benchmark_enable_random_interleaving=true")
    medians = {r["run_name"]: r for r in found if r.get("aggregate_name") == "median"}
    at = lambda name, threads: medians[f"{name}/threads:{threads}/real_time"]
    names = [n for n in dict.fromkeys(re.sub("/threads:.*", "", line) for line in rows_of(benchmark))
             if f"{n}/threads:1/real_time" in medians]
    peak = {t: at("peak", t)["items_per_second"] for t in (1, 2)}
    rows = [["machine's peak", *(f"{peak[t] / 1e9:.1f} Gop/s" for t in (1, 2)), "", ""]]
    for name in names:
        ms = [f"{at(name, t)['real_time']:.3f} ms" for t in (1, 2)]
        rate = {t: at(name, t)["items_per_second"] for t in (1, 2)}
        if name.startswith(("conv2d", "matmul")):
            rows.append([name, *ms, *(f"{100 * rate[t] / peak[t]:.0f} %" for t in (1, 2))])
        elif name != "peak":
            rows.append([name, *ms, *(f"{rate[t] / 1e9:.2f} G/s" for t in (1, 2))])
    whole = {}
    for t in (1, 2):
        convolutions = [at(n, t) for n in names if n.startswith("conv2d")]
        work = sum(r["times"] * r["operations"] for r in convolutions)
        seconds = sum(r["times"] * r["real_time"] / 1e3 for r in convolutions)
        whole[t] = (seconds, work / seconds / peak[t])
    rows.append(["whole convolution work of R1", *(f"{whole[t][0] * 1e3:.1f} ms" for t in (1, 2)),
                 *(f"{100 * whole[t][1]:.0f} %" for t in (1, 2))])
    forward = sum(r["times"] * r["operations"] for n in names if n.startswith("conv2d ") for r in [at(n, 1)])
    return rows, forward / BATCH / 1e6


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
    python = find_peer(options.peer)
    if options.device == "cuda":
        if not any("cuda r1_training" in row for row in rows_of(options.benchmark)):
            sys.exit("no CUDA device that this build can use: build/dale info says what is missing")
        rows, version = compare_cuda(options.benchmark, python, options.rounds, options.seconds)
        show(f"R1 at batch {CUDA_BATCH} on a GPU against {version or 'PyTorch: not here'}",
             ["figure", "precision", "dale", "eager", "ratio", "from-to", "compiled", "ratio", "from-to"],
             rows, options.out / "r1-cuda.csv")
        return
    names, rows, version = compare(options.benchmark, python, options.rounds, options.seconds)
    header = ["figure", "threads", "dale", *names] + (["best", "ratio", "from-to"] if names else [])
    show(f"Against {version}, medians of {options.rounds} alternations; R1 at batch {BATCH}", header, rows,
         options.out / "r1.csv")
    rows, forward = ops_against_peak(options.benchmark)
    show(f"Ops of R1 at batch {BATCH} (convolution: {forward:.1f} million direct operations per image, "
         "forward)",
         ["op", "1 thread", "2 threads", "of peak, 1", "of peak, 2"], rows, options.out / "ops.csv")
    if not python:
        print("skipped: PyTorch is not here and could not be installed; try apt-get install python3-torch")


if __name__ == "__main__":
    main()
