# /// script
# requires-python = ">=3.10"
# dependencies = ["scanpy==1.11.5", "anndata==0.12.19", "numpy==2.4.6", "scipy==1.17.1"]
# ///
"""Counts and what scanpy makes of them, in float32. Run in this folder."""

import json
from pathlib import Path

import anndata as ad
import numpy as np
import scanpy as sc
import scipy.sparse as sp


def normalized(counts, target_sum):
    data = ad.AnnData(sp.csr_matrix(counts.astype(np.float32)))
    sc.pp.normalize_total(data, target_sum=target_sum)
    sc.pp.log1p(data)
    assert data.X.dtype == np.float32
    return [float(it) for it in data.X.data]


if __name__ == "__main__":
    rng = np.random.default_rng(7)
    depth = rng.lognormal(0.0, 0.5, size=(30, 1))
    level = rng.lognormal(0.0, 2.0, size=(1, 40))
    counts = rng.poisson(depth * level).astype(int)
    counts[:, 5] = rng.integers(500, 90000, 30)
    sparse = sp.csr_matrix(counts)
    Path("lognorm.json").write_text(
        json.dumps(
            {
                "n_cols": 40,
                "indptr": sparse.indptr.tolist(),
                "indices": sparse.indices.tolist(),
                "counts": sparse.data.tolist(),
                "lognorm_1e4": normalized(counts, 1e4),
                "lognorm_median": normalized(counts, None),
            },
            separators=(",", ":"),
        )
        + "\n"
    )
