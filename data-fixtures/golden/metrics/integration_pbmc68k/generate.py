# /// script
# requires-python = ">=3.13"
# dependencies = ["numpy==2.5.5", "scipy==1.18.1", "scikit-learn==1.9.1", "scib-metrics==0.6.1", "scanpy==1.11.5", "jax==0.12.0.1"]
# ///
"""Writes golden.json: integration metrics of real principal components by scib-metrics as it is used, in single
precision.

The file is `10x_pbmc68k_reduced.h5ad` of scanpy: 700 cells, `X_pca`, labels `bulk_labels`, and the phase of the cell
cycle in the place of a batch. Only numbers about it are written.

Run: uv run --script generate.py PATH
"""

import json
import sys
from pathlib import Path

import numpy as np
import scanpy as sc
import scib_metrics
from scib_metrics.nearest_neighbors import NeighborsResults
from sklearn import metrics


def neighbors(x, k):
    """Exact, the cell itself first."""
    distances = metrics.pairwise_distances(x)
    np.fill_diagonal(distances, -1)
    indices = np.argsort(distances, axis=1, kind="stable")[:, :k]
    distances = np.take_along_axis(distances, indices, axis=1)
    distances[:, 0] = 0
    return NeighborsResults(indices=indices, distances=distances)


def main():
    data = sc.read_h5ad(sys.argv[1])
    x = data.obsm["X_pca"].astype(np.float64)
    labels, batch = data.obs["bulk_labels"].astype(str).to_numpy(), data.obs["phase"].astype(str).to_numpy()
    nn90 = neighbors(x, 90)
    half = x[:, :5]
    out = {
        "n_obs": int(x.shape[0]), "d": int(x.shape[1]),
        "silhouette_label": float(scib_metrics.silhouette_label(x, labels)),
        "silhouette_batch": float(scib_metrics.silhouette_batch(x, labels, batch)),
        "bras": float(scib_metrics.bras(x, labels, batch)),
        "isolated_labels": float(scib_metrics.isolated_labels(x, labels, batch, iso_threshold=2)),
        "ilisi": float(scib_metrics.ilisi_knn(nn90, batch)),
        "clisi": float(scib_metrics.clisi_knn(nn90, labels)),
        "graph_connectivity": float(scib_metrics.graph_connectivity(nn90.subset_neighbors(15), labels)),
        "pcr_comparison": float(scib_metrics.pcr_comparison(x, half, batch, categorical=True, scale=False)),
        "kbet_statistic": float(np.mean(scib_metrics.kbet(nn90.subset_neighbors(50), batch)[1])),
    }
    Path(__file__).with_name("golden.json").write_text(json.dumps(out, indent=1) + "\n")


main()
