"""Whether our forest predicts what scikit-learn's and ranger's do, on data of several shapes.

forest_sameness.py IPP_RUN

Each side fits SEEDS forests to the same rows and predicts the same fresh points.  Where both draw
from one distribution, the squared difference of the mean predictions over its variance (from the
spread between forests) is 1 on average.  Points share forests, so the mean over points is not as
sharp as their number says: the null is taken from halves of the rival's own forests, which must
straddle 1 likewise.  ranger is not quite scikit-learn's method (its ratio to scikit-learn is about
2.5); there, the last column says how far those two are apart.
"""
import os
import subprocess
import sys
import tempfile

import numpy as np
from sklearn.ensemble import RandomForestRegressor

SEEDS = 40
TREES = 50
POINTS = 1000

# name, rows, columns, mtry, minimum leaf, distinct values a column (0: continuous)
SHAPES = [
    ("200 x 4", 200, 4, 4, 1, 0),
    ("500 x 20, mtry 7", 500, 20, 7, 1, 0),
    ("1000 x 10, min leaf 5", 1000, 10, 10, 5, 0),
    ("300 x 6, 5 values a column", 300, 6, 6, 1, 5),
]


def make(seed, n, p, values):
    r = np.random.RandomState(seed)
    x = r.normal(0, 1, (n, p))
    if values:
        x = np.floor(r.uniform(0, values, (n, p)))
    return x, x[:, 0] + np.sqrt(abs(x[:, 1] * x[:, 2])) - x[:, 2] + r.normal(0, 1, n)


def ours(ipp_run, folder, x, y, points, mtry, leaf):
    names = {k: os.path.join(folder, k) for k in ("x.npy", "y.npy", "points.npy", "model")}
    np.save(names["x.npy"], x)
    np.save(names["y.npy"], y)
    np.save(names["points.npy"], points)
    predictions = []
    for seed in range(SEEDS):
        subprocess.run([ipp_run, "forest", "fit", "--x", names["x.npy"], "--y", names["y.npy"],
                        "--trees", str(TREES), "--mtry", str(mtry), "--min-leaf", str(leaf),
                        "--seed", str(seed), "--out", names["model"]],
                       check=True, stdout=subprocess.DEVNULL)
        csv = subprocess.run([ipp_run, "forest", "predict", "--model", names["model"],
                              "--x", names["points.npy"]],
                             check=True, stdout=subprocess.PIPE, text=True).stdout
        predictions.append([float(line.split(",")[1]) for line in csv.splitlines()[1:]])
    return np.array(predictions)


def sklearn(folder, x, y, points, mtry, leaf):
    return np.array([RandomForestRegressor(n_estimators=TREES, max_features=mtry,
                                           min_samples_leaf=leaf, random_state=seed)
                     .fit(x, y).predict(points) for seed in range(SEEDS)])


RANGER = """
x <- as.matrix(read.csv("x.csv", header=FALSE)); y <- scan("y.csv", quiet=TRUE)
p <- as.matrix(read.csv("p.csv", header=FALSE)); colnames(p) <- colnames(x)
for (s in 1:%d) cat(predict(ranger::ranger(x=x, y=y, num.trees=%d, mtry=%d, min.node.size=1,
    seed=s, num.threads=1), p, num.threads=1)$predictions, "\\n")
"""


def ranger(folder, x, y, points, mtry, leaf):
    for name, array in (("x", x), ("y", y), ("p", points)):
        np.savetxt(os.path.join(folder, name + ".csv"), array, delimiter=",")
    out = subprocess.run(["Rscript", "-e", RANGER % (SEEDS, TREES, mtry)], cwd=folder, check=True,
                         stdout=subprocess.PIPE, text=True).stdout
    return np.array([[float(v) for v in line.split()] for line in out.splitlines()])


def ratio(a, b):
    variance = a.var(0, ddof=1) / len(a) + b.var(0, ddof=1) / len(b)
    return ((a.mean(0) - b.mean(0)) ** 2 / variance).mean()


def main():
    ipp_run = sys.argv[1]
    print("%-28s %-8s %12s %20s %20s" % ("data", "rival", "d2/expected", "rival's own halves",
                                         "scikit-learn's"))
    for name, n, p, mtry, leaf, values in SHAPES:
        x, y = make(1, n, p, values)
        points, _ = make(2, POINTS, p, values)
        reference = None
        for rival in (sklearn, ranger):
            # ranger's minimum node size counts draws, not rows: comparable for pure leaves alone
            if rival is ranger and leaf > 1:
                continue
            with tempfile.TemporaryDirectory() as folder:
                theirs = rival(folder, x, y, points, mtry, leaf)
                mine = ours(ipp_run, folder, x, y, points, mtry, leaf)
            own = sorted(ratio(theirs[order[::2]], theirs[order[1::2]])
                         for order in (np.random.RandomState(s).permutation(SEEDS)
                                       for s in range(20)))
            print("%-28s %-8s %12.2f %12.2f to %.2f %20s" % (
                name, rival.__name__, ratio(mine, theirs), own[0], own[-1],
                "" if reference is None else "%.2f" % ratio(reference, theirs)), flush=True)
            reference = theirs


main()
