# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy==2.4.6", "scipy==1.17.1", "scikit-learn==1.9.1", "umap-learn==0.5.12", "scanpy==1.11.5",
#                 "anndata==0.12.19"]
# ///
"""Writes golden.json: diffusion maps and pseudotime of scanpy, k-means of scikit-learn.

Run: uv run --script generate.py
"""

import json
import warnings
from pathlib import Path

import anndata
import numpy as np
import scanpy as sc
from scipy import sparse
from sklearn.cluster import KMeans

warnings.filterwarnings("ignore")


def branches(rng, n, gap):
    """Cells along a path that forks; `gap` moves one branch away."""
    t = np.sort(rng.uniform(0, 1, n))
    side = rng.integers(0, 2, n)
    late = np.maximum(t - 0.4, 0)
    x = np.stack([4 * t, late * np.where(side == 0, 3, -3), 0.5 * np.sin(6 * t)], axis=1)
    x += 0.12 * rng.normal(size=x.shape)
    x[side == 1] += gap * (late[side == 1] > 0.15)[:, None]
    return np.round(x * 1024) / 1024


def short(values):
    return [float(f"{it:.9g}") for it in np.asarray(values, dtype=np.float64).ravel()]


def graph_of(data):
    upper = sparse.triu(data.obsp["connectivities"]).tocoo()
    return {"rows": upper.row.tolist(), "cols": upper.col.tolist(), "values": short(upper.data)}


def diffusion(x, root):
    data = anndata.AnnData(x.astype(np.float32))
    sc.pp.neighbors(data, n_neighbors=10, use_rep="X")
    sc.tl.diffmap(data, n_comps=15)
    data.uns["iroot"] = root
    sc.tl.dpt(data, n_dcs=10)
    times = data.obs["dpt_pseudotime"].to_numpy()
    return {"n": len(x), "graph": graph_of(data), "eigenvalues": short(data.uns["diffmap_evals"]),
            "components": short(data.obsm["X_diffmap"]), "root": root,
            "times": [float(f"{it:.9g}") if np.isfinite(it) else None for it in times]}


def main():
    rng = np.random.default_rng(8)
    fork = diffusion(branches(rng, 160, 0.0), 3)
    split = diffusion(branches(rng, 140, 30.0), 0)
    centres = rng.normal(0, 2.6, size=(7, 6))
    cells = np.round((centres[np.arange(200) % 7] + rng.normal(size=(200, 6))) * 64) / 64
    found = KMeans(7, n_init=200, random_state=0).fit(cells)
    out = {"fork": fork, "split": split,
           "kmeans": {"x": cells.tolist(), "labels": found.labels_.tolist(), "inertia": float(found.inertia_)}}
    Path(__file__).with_name("golden.json").write_text(json.dumps(out) + "\n")


main()
