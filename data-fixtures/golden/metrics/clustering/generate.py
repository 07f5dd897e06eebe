# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy==2.4.6", "scikit-learn==1.9.1"]
# ///
"""Writes golden.json: agreement of clusterings and silhouettes by scikit-learn.

Run: uv run --script generate.py
"""

import json
from pathlib import Path

import numpy as np
from sklearn import metrics


def main():
    rng = np.random.default_rng(77)
    truth = rng.integers(0, 5, 300)
    noisy = np.where(rng.uniform(size=300) < 0.3, rng.integers(0, 7, 300), truth)
    pairs = {
        "noisy": (truth, noisy),
        "random": (rng.integers(0, 4, 120), rng.integers(0, 9, 120)),
        "permuted": (truth, (truth + 2) % 5),
        "split": (truth // 2, truth),
        "one_and_many": (np.zeros(20, int), np.arange(20)),
        "one_and_two": (np.zeros(20, int), np.arange(20) % 2),
        "both_one": (np.zeros(20, int), np.ones(20, int)),
        "all_apart": (np.arange(20), np.arange(20)[::-1]),
        "protocol": (np.array([0, 0, 1, 1, 2, 2]), np.array([0, 1, 2, 2, 2, 2])),
        "independent": (np.arange(40) // 20, np.arange(40) % 2),
    }
    agreement = {
        name: {
            "a": a.tolist(), "b": b.tolist(),
            "nmi": float(metrics.normalized_mutual_info_score(a, b)),
            "ami": float(metrics.adjusted_mutual_info_score(a, b)),
            "ari": float(metrics.adjusted_rand_score(a, b)),
            "homogeneity": float(metrics.homogeneity_score(a, b)),
            "completeness": float(metrics.completeness_score(a, b)),
        }
        for name, (a, b) in pairs.items()
    }
    x = np.round((rng.normal(size=(5, 4))[truth[:150]] * 2 + rng.normal(size=(150, 4)) + 3) * 64) / 64
    labels = truth[:150].copy()
    labels[7] = 9
    out = {
        "agreement": agreement, "x": x.tolist(), "labels": labels.tolist(),
        "euclidean": metrics.silhouette_samples(x, labels).tolist(),
        "cosine": metrics.silhouette_samples(x, labels, metric="cosine").tolist(),
    }
    Path(__file__).with_name("golden.json").write_text(json.dumps(out) + "\n")


main()
