# /// script
# requires-python = ">=3.10"
# dependencies = ["numpy==2.4.6"]
# ///
"""Rows of non-zero values and, for every distinct one, the two numbers of quantile edges that decide its bin. Run here.

The law is that of scGPT's preprocessing: edges at 50 quantiles of the non-zero values; `l` edges are at or below a
value, `r` below it. Values are multiples of a power of two or short decimals, so that every digit of a row is in the
file.
"""

import json
from pathlib import Path

import numpy as np

N_BINS = 51


def edges(row):
    return np.quantile(row, np.linspace(0, 1, N_BINS - 1))


def case(row):
    row = np.asarray(row, dtype=np.float64)
    at = edges(row)
    values, counts = np.unique(row, return_counts=True)
    left, right = np.digitize(values, at), np.digitize(values, at, right=True)
    return [[float(v), int(n), int(l), int(r)] for v, n, l, r in zip(values, counts, left, right)]


def rows(rng):
    # The row of the protocol, rows of one and two values, rows of equal values.
    yield [1, 1, 1, 2, 2, 3, 5, 8]
    yield [4]
    yield [4, 4]
    yield [3, 7]
    yield [2] * 30
    # Counts of cells of every depth: a few values, most of them 1.
    for _ in range(2600):
        n = int(rng.integers(1, 400))
        mean = rng.lognormal(-0.5, 1.0, size=n)
        counts = rng.poisson(rng.gamma(1.0, mean))
        yield counts[counts > 0].tolist() or [1]
    # As many values as edges, and one more or fewer: quantiles fall on values.
    for n in [49, 50, 51, 98, 99, 100, 148]:
        yield list(range(1, n + 1))
        yield rng.integers(1, 20, size=n).tolist()
    # Few ties or none.
    for _ in range(60):
        n = int(rng.integers(2, 130))
        yield (rng.integers(1, 9000, size=n) / 1024).tolist()
    for _ in range(60):
        n = int(rng.integers(2, 130))
        yield np.round(rng.gamma(2.0, 1.0, size=n) + 0.001, 3).tolist()

    # Ties of decimals that no power of two divides: interpolation between them rounds.
    for _ in range(250):
        n = int(rng.integers(2, 300))
        yield (rng.integers(1, int(rng.integers(3, 40)), size=n) / 10).tolist()

def main():
    rng = np.random.default_rng(20)
    found = [case(row) for row in rows(rng)]
    text = "[\n" + ",\n".join(json.dumps(it, separators=(",", ":")).replace(".0,", ",") for it in found) + "\n]\n"
    assert json.loads(text) == found
    Path("rows.json").write_text(text)


if __name__ == "__main__":
    main()
