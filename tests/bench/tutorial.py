#!/usr/bin/python3
"""The tutorial's benchmark as sites run it today: ipyparallel, two engines, scikit-learn's forest.

Prints the seconds that lview.map alone took; starting the engines is not counted."""
import sys
import time

import ipyparallel
import numpy as np


def wrapper(i):
    from sklearn.ensemble import RandomForestRegressor
    import numpy as np

    forest = RandomForestRegressor(n_estimators=100)
    forest.fit(np.delete(X, i, 0), np.delete(Y, i))  # noqa: F821 - pushed
    return forest.predict(X[i:i + 1])[0]  # noqa: F821


def main():
    engines = int(sys.argv[1]) if len(sys.argv) > 1 else 2
    np.random.seed(0)
    n, p = 500, 50
    X = np.random.normal(0, 1, (n, p))
    Y = X[:, 0] + np.sqrt(abs(X[:, 1] * X[:, 2])) + X[:, 1] - X[:, 2] + np.random.normal(0, 1, n)
    with ipyparallel.Cluster(n=engines, log_level=40) as client:
        client.wait_for_engines(engines)
        client[:].push(dict(X=X, Y=Y), block=True)
        view = client.load_balanced_view()
        started = time.time()
        predictions = view.map_sync(wrapper, range(50))
        seconds = time.time() - started
    print(f"{seconds:.3f}")
    print("MSE %.4f" % np.mean((Y[:50] - predictions) ** 2), file=sys.stderr)


main()
