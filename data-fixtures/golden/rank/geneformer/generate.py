# /// script
# requires-python = ">=3.10"
# dependencies = ["numpy==2.4.6"]
# ///
"""Simulated counts, and the rank-value encoding of Geneformer written out in NumPy. Run in this folder.

The recipe, as published: normalise the genes of the dictionary by the total of the cell, scale by their medians, sort
descending with the default argsort, cut. `published` is that; `by_token` is the same with ties by token id.
"""

import json
from pathlib import Path

import numpy as np

SPECIALS = ["<pad>", "<mask>", "<cls>", "<eos>"]
N_GENES, N_UNKNOWN, N_CELLS = 260, 40, 14
MAX_LEN = {"v1": 64, "v2": 60}


def simulated(rng):
    genes = [f"ENSG{it:011d}" for it in rng.choice(10**6, N_GENES, replace=False)]
    tokens = dict(zip(SPECIALS + genes, range(len(SPECIALS) + N_GENES)))
    # Six decimals, a third of the genes alike, two as small as the smallest published ones.
    medians = np.round(rng.uniform(0.3, 5.0, N_GENES), 6)
    medians[rng.permutation(N_GENES)[: N_GENES // 3]] = 1.25
    medians[[7, 11]] = 7e-7
    columns = genes + [f"unknown{it}" for it in range(N_UNKNOWN)]
    columns = [columns[it] for it in rng.permutation(len(columns))]
    counts = rng.negative_binomial(0.4, 0.25, (N_CELLS, len(columns)))
    return genes, tokens, dict(zip(genes, medians.tolist())), columns, counts


def encoded(row, columns, tokens, medians):
    known = np.array([it in medians for it in columns])
    ids = np.array([tokens[it] for it in columns if it in medians])
    median = np.array([medians[it] for it in columns if it in medians])
    n_counts = row.sum()
    unscaled = row[known] / n_counts * 10_000
    scaled = unscaled / median
    nonzero = np.nonzero(scaled)[0]
    published = nonzero[np.argsort(-scaled[nonzero])]
    by_token = nonzero[np.lexsort((ids[nonzero], -scaled[nonzero]))]
    stored = np.nonzero(row)[0]
    out = {
        "columns": stored.tolist(),
        "counts": row[stored].tolist(),
        "n_counts": int(n_counts),
        "published": ids[published].tolist(),
        "tokens": ids[nonzero].tolist(),
        "values": scaled[nonzero].tolist(),
    }
    for name, n_ends in [("v1", 0), ("v2", 2)]:
        cut = by_token[: MAX_LEN[name] - n_ends]
        first, last, zero = ([tokens["<cls>"]], [tokens["<eos>"]], [0.0]) if n_ends else ([], [], [])
        out[name] = {
            "by_token": first + ids[cut].tolist() + last,
            "counts_by_token": zero + unscaled[cut].tolist() + zero,
        }
    return out


if __name__ == "__main__":
    genes, tokens, medians, columns, counts = simulated(np.random.default_rng(4))
    golden = {
        "max_len": MAX_LEN,
        "tokens": tokens,
        "medians": medians,
        "columns": columns,
        "cells": [encoded(row, columns, tokens, medians) for row in counts],
    }
    Path("golden.json").write_text(json.dumps(golden, separators=(",", ":")) + "\n")
