"""make bench-peer: this project and PyTorch on the workload R1, in turn, many times; and every op against the machine's
own peak. Prints two tables and writes them as r1.csv and ops.csv. With DEVICE=cuda: R1 on a GPU against PyTorch,
eager and compiled, and against its own floor; r1-cuda.csv.

PyTorch is the newest of the Python package index, in a virtual environment of its own, or where that is not reached
the system's (Debian: python3-torch). Ratios are medians over alternations of figures taken one after the other; both
sides' figures are medians too."""
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


def find_peer(folder):
    """A Python with PyTorch, or None."""
    own = folder / "bin" / "python"
    has_torch = lambda python: subprocess.run([python, "-c", "import torch"], capture_output=True).returncode == 0
    if own.exists() and has_torch(own):
        return own
    for python in (sys.executable, "/usr/bin/python3"):
        if has_torch(python):
            return python
    print(f"installing PyTorch into {folder} (once; it is large) …", flush=True)
    quiet = dict(stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    made = subprocess.run([sys.executable, "-m", "venv", folder], **quiet).returncode == 0
    if made and subprocess.run([own, "-m", "pip", "install", "--quiet", "torch", "numpy"], **quiet).returncode == 0:
        return own
    return None


class Peer:
    def __init__(self, python, *options, batch=BATCH):
        self.batch = batch
        self.command = [str(python), str(HERE / "torch_r1.py"), "--batch", str(batch), *options]
        self.process = subprocess.Popen(self.command, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.DEVNULL)
        self.version = self.process.stdout.readline().strip()

    def run(self, what, threads, seconds):
        """(images/s, peak MiB so far)"""
        try:
            print(what, threads, seconds, file=self.process.stdin, flush=True)
        except BrokenPipeError:
            pass
        answer = self.process.stdout.readline().split()
        if not answer:
            sys.exit(f"PyTorch's worker ended: {' '.join(self.command)} says why")
        step, peak = answer
        return self.batch / float(step), int(peak) / 1024


def run_ours(benchmark, filters, *options):
    """Google Benchmark's rows, and the peak resident MiB of the process."""
    command = [benchmark, f"--benchmark_filter={filters}", "--benchmark_format=json", *options]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    text = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        sys.exit(f"{' '.join(map(str, command))} failed")
    return json.loads(text)["benchmarks"], usage.ru_maxrss / 1024


def compare_r1(benchmark, peer, rounds, seconds):
    cases = [(what, threads) for threads in (1, 2) for what in ("training", "evaluation")]
    ours, theirs, resident = {c: [] for c in cases}, {c: [] for c in cases}, [0, 0]
    for turn in range(rounds):
        print(f"\ralternation {turn + 1} of {rounds}", end="", file=sys.stderr, flush=True)
        for what, threads in cases:
            rows, mib = run_ours(benchmark, f"^r1_{what}/threads:{threads}/", f"--benchmark_min_time={seconds}")
            ours[what, threads].append(rows[0]["items_per_second"])
            if what == "training":
                resident[0] = max(resident[0], mib)
            if peer:
                rate, mib = peer.run(what, threads, seconds)
                theirs[what, threads].append(rate)
                resident[1] = max(resident[1], mib)
    print(file=sys.stderr)
    rows = []
    for what, threads in cases:
        a, b = ours[what, threads], theirs[what, threads]
        row = [f"R1 {what}, images/s", threads, f"{statistics.median(a):.1f}"]
        if peer:
            ratios = [x / y for x, y in zip(a, b)]
            row += [f"{statistics.median(b):.1f}", f"{statistics.median(ratios):.2f}",
                    f"{min(ratios):.2f}-{max(ratios):.2f}"]
        rows.append(row)
    scaling = [b / a for a, b in zip(ours["training", 1], ours["training", 2])]
    rows.append(["R1 training, 2 threads / 1", "", f"{statistics.median(scaling):.2f}"])
    if peer:
        of_peer = statistics.median(b / a for a, b in zip(theirs["training", 1], theirs["training", 2]))
        rows[-1].append(f"{of_peer:.2f}")
    rows.append(["R1 training, peak resident MiB", "1, 2", f"{resident[0]:.0f}"]
                + ([f"{resident[1]:.0f}"] if peer else []))
    return rows


def compare_cuda(benchmark, python, rounds, seconds):
    """R1 on a GPU, each precision on both sides, and the ratio of a training step to its floor."""
    rows, version = [], ""
    own = lambda name: run_ours(benchmark, f"^cuda {name}/", f"--benchmark_min_time={seconds}")[0][0]
    for precision in ("full", "tf32"):
        peers = {}
        for kind, options in (("eager", []), ("compiled", ["--compile"])) if python else ():
            peers[kind] = Peer(python, "--device", "cuda", "--precision", precision, *options, batch=CUDA_BATCH)
            version = peers[kind].version
        steps = {}
        for what in ("training", "evaluation"):
            ours, theirs, peak = [], {kind: [] for kind in peers}, {}
            for turn in range(rounds):
                print(f"\r{precision} {what}: alternation {turn + 1} of {rounds} ", end="", file=sys.stderr, flush=True)
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
                rate, seconds_a_step = own(f"matmul {precision}")["items_per_second"], CUDA_BATCH / statistics.median(ours)
                memory = steps[what]["bytes"] / own("copy")["items_per_second"]
                work = steps[what]["operations"] / rate
                rows.append([f"R1 {what}, time / floor", precision, f"{seconds_a_step / max(work, memory):.1f}"])
                rows.append(["   floor: products, memory (ms)", precision, f"{1e3 * work:.3f}, {1e3 * memory:.3f}"])
    print(file=sys.stderr)
    return rows, version


def ops_against_peak(benchmark):
    """Medians of interleaved repetitions; convolutions count the operations of the direct method."""
    found, _ = run_ours(benchmark, "^(peak|conv2d|matmul|group_norm|silu|adam)", "--benchmark_repetitions=5",
                        "--benchmark_min_time=0.05", "--benchmark_enable_random_interleaving=true")
    medians = {r["run_name"]: r for r in found if r.get("aggregate_name") == "median"}
    at = lambda name, threads: medians[f"{name}/threads:{threads}/real_time"]
    listing = subprocess.run([benchmark, "--benchmark_list_tests=true"], capture_output=True, text=True).stdout
    names = [n for n in dict.fromkeys(re.sub("/threads:.*", "", line) for line in listing.splitlines())
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
        print("  ".join(str(v).ljust(w) if i == 0 else str(v).rjust(w) for i, (v, w) in enumerate(zip(row, widths))))
    with open(path, "w", newline="") as f:
        csv.writer(f).writerows([header, *rows])
    print(f"→ {path}")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("benchmark", type=pathlib.Path)
    parser.add_argument("--peer", type=pathlib.Path, default=pathlib.Path("build/peer"), help="virtual environment")
    parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path("results"))
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--seconds", type=float, default=1.5, help="of each measurement")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    python = find_peer(options.peer)
    if options.device == "cuda":
        tests = subprocess.run([options.benchmark, "--benchmark_list_tests=true"], capture_output=True, text=True).stdout
        if "cuda r1_training" not in tests:
            sys.exit("no CUDA device that this build can use: build/dale info says what is missing")
        rows, version = compare_cuda(options.benchmark, python, options.rounds, options.seconds)
        show(f"R1 at batch {CUDA_BATCH} on a GPU against {version or 'PyTorch: not here'}",
             ["figure", "precision", "dale", "eager", "ratio", "from-to", "compiled", "ratio", "from-to"], rows,
             options.out / "r1-cuda.csv")
        return
    peer = Peer(python) if python else None
    rows = compare_r1(options.benchmark, peer, options.rounds, options.seconds)
    name = peer.version if peer else "PyTorch: not here"
    show(f"R1 at batch {BATCH}: this project against {name}, medians of {options.rounds} alternations",
         ["figure", "threads", "dale", name, "ratio", "from-to"], rows, options.out / "r1.csv")
    rows, forward = ops_against_peak(options.benchmark)
    show(f"Ops of R1 at batch {BATCH} (convolution {forward:.1f} million direct operations an image, forward)",
         ["op", "1 thread", "2 threads", "of peak, 1", "of peak, 2"], rows, options.out / "ops.csv")
    if not peer:
        print("skipped: PyTorch is not here and could not be installed; try apt-get install python3-torch")


if __name__ == "__main__":
    main()
