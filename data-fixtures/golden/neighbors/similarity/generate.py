# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy==2.4.6", "scipy==1.17.1"]
# ///
"""Writes pairs.json and cells.json: rank correlations of pairs of rows, and Spearman's rho of all pairs of 200 cells.

Run: uv run --script generate.py
"""

import json
from pathlib import Path

import numpy as np
from scipy import stats
from scipy.spatial.distance import cosine

MIN_CODETECTED = 30


def codetected(a, b):
    both = (a != 0) & (b != 0)
    if both.sum() < MIN_CODETECTED:
        return None
    return float(stats.spearmanr(a[both], b[both]).statistic)


def pair(name, a, b):
    a, b = np.asarray(a, dtype=float), np.asarray(b, dtype=float)
    return {
        "name": name,
        "a": a.tolist(),
        "b": b.tolist(),
        "pearson": float(stats.pearsonr(a, b).statistic),
        "cosine": float(1 - cosine(a, b)),
        "spearman": float(stats.spearmanr(a, b).statistic),
        "codetected": codetected(a, b),
        "kendall": float(stats.kendalltau(a, b).statistic),
        "weighted": float(stats.weightedtau(a, b).statistic),
    }


def counts(rng, n, depth, detected):
    return rng.poisson(rng.gamma(0.6, depth, n)) * (rng.random(n) < detected)


def eighths(values):
    """Multiples of 1/8: exact in single precision and short in text."""
    return np.round(np.asarray(values) * 8) / 8


def main():
    rng = np.random.default_rng(41)
    shared = rng.gamma(0.6, 3.0, 300)
    sparse = [rng.poisson(shared * rng.gamma(2, 0.5, 300)) * (rng.random(300) < 0.4) for _ in range(2)]
    dense = rng.normal(size=120)
    pairs = [
        pair("protocol", [0, 0, 0, 1, 2, 5, 0, 3], [0, 1, 0, 0, 2, 4, 0, 3]),
        pair("counts", counts(rng, 200, 4, 0.7), counts(rng, 200, 2, 0.7)),
        pair("sparse counts", *sparse),
        pair("no ties", rng.permutation(90) - 30.0, rng.permutation(90) + 1.0),
        pair("negative values and zeros", eighths(dense) * (rng.random(120) < 0.6), eighths(dense + rng.normal(size=120))),
        pair("few levels", rng.integers(0, 3, 60), rng.integers(0, 2, 60)),
        pair("opposite", np.arange(20.0), -np.arange(20.0)),
        pair("one gene differs", [0, 0, 0, 0, 1], [0, 2, 0, 0, 0]),
    ]
    here = Path(__file__).parent
    (here / "pairs.json").write_text(json.dumps(pairs) + "\n")

    types = rng.gamma(0.4, 2.0, size=(5, 80))
    cells = rng.poisson(types[np.arange(200) % 5] * rng.gamma(3, 0.3, size=(200, 1)))
    rho = stats.spearmanr(cells, axis=1).statistic
    upper = rho[np.triu_indices(200, 1)]
    out = {"cells": cells.tolist(), "rho": [float(f"{it:.9g}") for it in upper]}
    (here / "cells.json").write_text(json.dumps(out) + "\n")


main()
