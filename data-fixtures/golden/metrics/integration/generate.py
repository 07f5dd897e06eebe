# /// script
# requires-python = ">=3.13"
# dependencies = ["numpy==2.5.5", "scipy==1.18.1", "scikit-learn==1.9.1", "scib-metrics==0.6.1", "scanpy==1.11.5", "jax==0.12.0.1"]
# ///
"""Writes golden.json: integration metrics of a small simulated embedding by scib-metrics in double precision,
scikit-learn and scanpy.

300 cells, 10 dimensions, 5 labels, 4 batches of unequal size; label 4 is in one batch. Neighbours are exact.

Run: uv run --script generate.py
"""

import json
from pathlib import Path

import jax

jax.config.update("jax_enable_x64", True)

import numpy as np
import scanpy as sc
import scib_metrics
from scib_metrics.metrics import _kbet
from scib_metrics.nearest_neighbors import NeighborsResults
from scib_metrics.utils import principal_component_regression
from scipy.sparse import coo_matrix, csr_matrix
from sklearn import metrics
from sklearn.linear_model import LinearRegression


def simulate(rng):
    labels = rng.choice(5, 300, p=[0.35, 0.25, 0.2, 0.12, 0.08])
    batch = rng.choice(4, 300, p=[0.4, 0.3, 0.2, 0.1])
    batch[labels == 4] = 2
    centres, shifts = rng.normal(size=(5, 10)) * 1.5, rng.normal(size=(4, 10))
    pre = centres[labels] + 0.9 * shifts[batch] + rng.normal(size=(300, 10))
    # Batches are mixed better in half of the labels; label 1 is in two pieces.
    left = np.where(labels % 2 == 0, 0.15, 0.45)[:, None]
    post = centres[labels] + left * shifts[batch] + 0.6 * rng.normal(size=(300, 10))
    post[(labels == 1) & (np.arange(300) % 3 == 0)] += 6
    grid = lambda x: np.round(x * 64) / 64 + rng.integers(0, 9, x.shape) / 4096
    return grid(pre), grid(post), labels, batch


def neighbors(x, k):
    """Exact, the cell itself first."""
    distances = metrics.pairwise_distances(x)
    np.fill_diagonal(distances, -1)
    indices = np.argsort(distances, axis=1, kind="stable")[:, :k]
    distances = np.take_along_axis(distances, indices, axis=1)
    distances[:, 0] = 0
    return NeighborsResults(indices=indices, distances=distances)


def by_walks(graph, k, **_):
    """Neighbours by walks of up to three steps, ties by index: in the place of an approximate search."""
    steps = graph.toarray() / graph.toarray().sum(axis=1, keepdims=True)
    reach = steps + steps @ steps + steps @ steps @ steps
    np.fill_diagonal(reach, np.inf)
    indices = np.argsort(-reach, axis=1, kind="stable")[:, : k + 1]
    return NeighborsResults(indices=indices, distances=np.zeros(indices.shape))


def rounded_graph(result):
    """Connectivities in six digits, as a symmetric matrix and as its upper triangle."""
    graph = result.knn_graph_connectivities.toarray()
    graph = np.round((graph + graph.T) / 2, 6)
    upper = coo_matrix(np.triu(graph))
    edges = [[int(i), int(j), float(w)] for i, j, w in zip(upper.row, upper.col, upper.data)]
    return csr_matrix(graph), edges


def main():
    rng = np.random.default_rng(4)
    pre, x, labels, batch = simulate(rng)
    nn90 = neighbors(x, 90)
    nn15, nn20 = nn90.subset_neighbors(15), nn90.subset_neighbors(20)
    graph, edges = rounded_graph(nn15)
    clusters = metrics.cluster.contingency_matrix(labels, batch)  # design, for the record
    guess = np.where(rng.uniform(size=300) < 0.2, rng.integers(0, 6, 300), labels)
    _, statistics, p_values = scib_metrics.kbet(nn20, batch)
    _kbet.diffusion_nn = by_walks
    graph_result = NeighborsResults(indices=nn15.indices, distances=nn15.distances)
    graph_result.__dict__["knn_graph_connectivities"] = graph
    kbet, kbet_labels = scib_metrics.kbet_per_label(graph_result, batch, labels, return_df=True)
    scores = rng.normal(size=(300, 2)) + x[:, :2]
    r2 = lambda c: LinearRegression().fit(scores, x[:, c]).score(scores, x[:, c])
    out = {
        "x": x.tolist(), "pre": pre.tolist(), "labels": labels.tolist(), "batch": batch.tolist(),
        "guess": guess.tolist(), "scores": scores.tolist(), "edges": edges, "design": clusters.tolist(),
        "silhouette_samples": metrics.silhouette_samples(x, labels).tolist(),
        "silhouette_label": float(scib_metrics.silhouette_label(x, labels)),
        "silhouette_batch": float(scib_metrics.silhouette_batch(x, labels, batch)),
        "bras": float(scib_metrics.bras(x, labels, batch)),
        "bras_furthest": float(scib_metrics.bras(x, labels, batch, between_cluster_distances="furthest")),
        "isolated_labels": float(scib_metrics.isolated_labels(x, labels, batch)),
        "isolated_labels_3": float(scib_metrics.isolated_labels(x, labels, batch, iso_threshold=3)),
        "isolated_labels_4": float(scib_metrics.isolated_labels(x, labels, batch, iso_threshold=4)),
        "nmi": float(metrics.normalized_mutual_info_score(labels, guess)),
        "ari": float(metrics.adjusted_rand_score(labels, guess)),
        "lisi_batch": np.asarray(scib_metrics.lisi_knn(nn90, batch)).tolist(),
        "lisi_label": np.asarray(scib_metrics.lisi_knn(nn90, labels)).tolist(),
        "ilisi": float(scib_metrics.ilisi_knn(nn90, batch)),
        "clisi": float(scib_metrics.clisi_knn(nn90, labels)),
        "graph_connectivity": float(scib_metrics.graph_connectivity(nn15, labels)),
        "pcr_pre": float(principal_component_regression(pre, batch, categorical=True)),
        "pcr_post": float(principal_component_regression(x, batch, categorical=True)),
        "pcr_comparison": float(scib_metrics.pcr_comparison(pre, x, batch, categorical=True)),
        "pcr_difference": float(scib_metrics.pcr_comparison(pre, x, batch, categorical=True, scale=False)),
        "pcr_number": float(principal_component_regression(x, scores[:, 0])),
        "r2_two_scores": [float(r2(c)) for c in range(10)],
        "kbet_statistics": np.asarray(statistics).tolist(), "kbet_p_values": np.asarray(p_values).tolist(),
        "kbet": float(kbet),
        "kbet_per_label": [None if np.isnan(it) else float(it) for it in kbet_labels.sort_values("cluster")["kBET"]],
        "sbee": float(scib_metrics.sbee(nn90, x, batch, labels)),
        "morans_i": sc.metrics.morans_i(graph, x.T).tolist(),
    }
    Path(__file__).with_name("golden.json").write_text(json.dumps(out) + "\n")


main()
