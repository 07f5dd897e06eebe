# /// script
# requires-python = ">=3.10"
# dependencies = ["numpy==2.4.6", "scipy==1.17.1", "scanpy==1.11.5", "anndata==0.12.19"]
# ///
"""Counts, their average ranks, rank correlations and Pearson residuals. Run in this folder."""

import json
import warnings
from pathlib import Path

import anndata as ad
import numpy as np
import scanpy as sc
from scipy.stats import rankdata, spearmanr

N_OBS, N_VARS = 24, 40


def main():
    rng = np.random.default_rng(7)
    mean = rng.lognormal(-0.3, 1.3, size=(1, N_VARS)) * rng.lognormal(0.0, 0.5, size=(N_OBS, 1))
    counts = rng.poisson(mean).astype(np.float64)
    # A gene that is nowhere, one that is everywhere, a cell without zeros, a cell of equal counts.
    counts[:, 3] = 0
    counts[:, 4] += 1
    counts[5] += 1
    counts[5, 3] = 2
    counts[6] = np.where(counts[6] > 0, 2, 0)
    ranks = np.apply_along_axis(rankdata, 1, counts)
    zero = (counts == 0).sum(axis=1)
    offsets = ranks - (zero[:, None] + 1) / 2
    rho = spearmanr(counts, axis=1).statistic
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        data = ad.AnnData(counts)
        sc.experimental.pp.normalize_pearson_residuals(data, theta=100)
    out = {
        "counts": counts.astype(int).tolist(),
        "offsets": offsets.tolist(),
        "zero_rank": ((zero + 1) / 2).tolist(),
        "spearman": [[float(f"{it:.15g}") for it in row] for row in rho],
        "pearson_residuals": [[float(f"{it:.10g}") for it in row] for row in np.nan_to_num(data.X)],
    }
    Path("golden.json").write_text(json.dumps(out, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
