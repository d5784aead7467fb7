"""Ratios of a rival's fit to ours, in interleaved pairs, as a table.

forest_pairs.py FOREST_BENCH [--quick] [--only TEXT]

Processor seconds of one thread, 100 trees; both sides prepare their data within the time.  Ours
takes some milliseconds where the rival takes a second, so a sample of it is the mean of as many
fits as fill FILL seconds, before and after the rival's: not the cold caches of a process that has
just been woken up.  The machine may run faster or slower from one second to the next, so only ratios of neighbours count:
each row is the median of those and their quartiles.
"""
import argparse
import os
import statistics
import subprocess
import sys
import tempfile

import numpy as np

HERE = os.path.dirname(os.path.abspath(__file__))
TREES = 100
FILL = 0.25


class Fitter:
    """A process that fits once for each line it is sent."""

    def __init__(self, command, simd=None):
        env = {k: v for k, v in os.environ.items() if k != "OPENBLAS_CORETYPE"}
        if simd:
            env["IPP_SIMD"] = simd
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        text=True, env=env)
        if self.process.stdout.readline().strip() != "ready":
            sys.exit(f"forest_pairs: {command[0]} did not start")

    def fit(self, times=1):
        self.process.stdin.write(f"{times}\n")
        self.process.stdin.flush()
        return float(self.process.stdout.readline())

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def make_data(folder, n, p):
    """The tutorial's data in another shape."""
    path = os.path.join(folder, f"{n}x{p}")
    if not os.path.exists(path):
        r = np.random.RandomState(n + p)
        x = r.normal(0, 1, (n, p))
        y = x[:, 0] + np.sqrt(abs(x[:, 1] * x[:, 2])) + x[:, 1] - x[:, 2] + r.normal(0, 1, n)
        with open(path, "wb") as file:
            file.write(x.tobytes() + y.tobytes())
    return path


# rival, rows, columns, mtry, minimum leaf, vector path, the ratio aimed for, pairs
CASES = [
    ("sklearn", 499, 50, 50, 1, "avx512", 50, 15),
    ("sklearn", 499, 50, 50, 1, "avx2", 38, 15),
    ("sklearn", 499, 50, 50, 1, "scalar", 30, 15),
    ("sklearn", 2000, 50, 50, 1, None, 35, 7),
    ("sklearn", 10000, 50, 50, 1, None, 35, 3),
    ("sklearn", 10000, 10, 10, 1, None, 25, 5),
] + [
    ("ranger", n, p, mtry, leaf, None, 10, pairs)
    for n, p, pairs in ((499, 50, 15), (2000, 50, 7), (10000, 10, 5), (10000, 50, 3))
    for mtry, leaf in ((p // 3, 1), (int(p**0.5), 1), (p // 3, 5), (int(p**0.5), 5))
]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("forest_bench")
    parser.add_argument("--quick", action="store_true", help="three pairs a row")
    parser.add_argument("--only", default="", help="rows whose text has this")
    args = parser.parse_args()
    print(f"{'rival':8} {'data':>9} {'mtry':>5} {'leaf':>4} {'path':>7} {'rival s':>9} "
          f"{'ours s':>9} {'ratio':>7} {'quartiles':>15} {'aim':>4}")
    with tempfile.TemporaryDirectory() as folder:
        for rival, n, p, mtry, leaf, simd, aim, pairs in CASES:
            name = f"{rival:8} {f'{n}x{p}':>9} {mtry:5} {leaf:4} {simd or 'best':>7}"
            if args.only not in name:
                continue
            numbers = [make_data(folder, n, p)] + [str(v) for v in (n, p, TREES, mtry, leaf)]
            ours = Fitter([args.forest_bench] + numbers, simd)
            theirs = Fitter(["/usr/bin/python3", f"{HERE}/forest_rival.py", rival] + numbers)
            a, b = [], []
            times = max(1, round(FILL / ours.fit()))
            for _ in range(3 if args.quick else pairs):
                before = ours.fit(times)
                a.append(theirs.fit())
                b.append((before + ours.fit(times)) / 2)
            ours.close()
            theirs.close()
            ratio = sorted(s / t for s, t in zip(a, b))
            low, high = ratio[len(ratio) // 4], ratio[-1 - len(ratio) // 4]
            print(f"{name} {statistics.median(a):9.3f} {statistics.median(b):9.4f} "
                  f"{statistics.median(ratio):7.1f} {f'{low:.1f} - {high:.1f}':>15} {aim:4}",
                  flush=True)


main()
