"""Fit a rival's forest again and again, on request: a line on standard input is a fit, the answer is
its processor seconds.  So that fits can be interleaved with ours.

forest_rival.py sklearn|ranger DATA ROWS COLS TREES MTRY MIN_LEAF
"""
import os
import subprocess
import sys
import time

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ[name] = "1"
os.environ.pop("OPENBLAS_CORETYPE", None)

RANGER = """
suppressMessages(library(ranger))
a <- commandArgs(trailingOnly = TRUE)
n <- as.integer(a[2]); p <- as.integer(a[3])
v <- readBin(a[1], "double", n * p + n)
x <- matrix(v[1:(n * p)], n, p, byrow = TRUE)
colnames(x) <- paste0("x", 1:p)
y <- v[(n * p + 1):(n * p + n)]
cat("ready\n")
input <- file("stdin", "r")
while (length(readLines(input, 1)) > 0) {
  t <- system.time(ranger(x = x, y = y, num.trees = as.integer(a[4]), mtry = as.integer(a[5]),
                          min.node.size = as.integer(a[6]), num.threads = 1, oob.error = FALSE))
  cat(t[["user.self"]] + t[["sys.self"]], "\n")
}
"""


def main():
    rival, path, n, p, trees, mtry, min_leaf = sys.argv[1], sys.argv[2], *map(int, sys.argv[3:])
    if rival == "ranger":
        args = [path, n, p, trees, mtry, min_leaf]
        script = ["Rscript", "--vanilla", "-e", RANGER.replace("\n", "\n")]
        sys.exit(subprocess.call(script + [str(a) for a in args]))
    import numpy as np
    from sklearn.ensemble import RandomForestRegressor

    values = np.fromfile(path)
    x, y = values[: n * p].reshape(n, p), values[n * p :]
    print("ready", flush=True)
    seed = 0
    for _ in sys.stdin:
        forest = RandomForestRegressor(n_estimators=trees, max_features=mtry, random_state=seed,
                                       min_samples_leaf=min_leaf, n_jobs=1)
        start = time.process_time()
        forest.fit(x, y)
        print(time.process_time() - start, flush=True)
        seed += 1


main()
