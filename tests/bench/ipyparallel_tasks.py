#!/usr/bin/python3
"""ipyparallel, two engines: what make bench puts beside our tasks and round trips.

Prints "tasks_per_s balanced_us direct_us": no-op tasks of one load-balanced map, one message each,
and the medians of blocking round trips through the load-balanced and the direct view."""
import statistics
import time

import ipyparallel


def noop(item=None):
    return None


def median_us(view, n):
    taken = []
    for _ in range(n):
        begin = time.perf_counter()
        view.apply_sync(noop)
        taken.append(time.perf_counter() - begin)
    return statistics.median(taken) * 1e6


def main():
    n_tasks = 2000
    with ipyparallel.Cluster(n=2, log_level=40) as client:
        client.wait_for_engines(2)
        balanced = client.load_balanced_view()
        direct = client[0]
        direct.block = True
        balanced.map_sync(noop, range(50))
        begin = time.perf_counter()
        balanced.map_sync(noop, range(n_tasks))
        rate = n_tasks / (time.perf_counter() - begin)
        print(f"{rate:.0f} {median_us(balanced, 200):.0f} {median_us(direct, 200):.0f}")


if __name__ == "__main__":
    main()
