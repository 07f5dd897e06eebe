# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy==2.4.6", "scipy==1.17.1", "scikit-learn==1.9.1", "umap-learn==0.5.12", "scanpy==1.11.5",
#                 "igraph==1.0.0", "leidenalg==0.12.0"]
# ///
"""Writes golden.json: neighbours, connectivities, community qualities and UMAP constants of the reference packages.

Run: uv run --script generate.py
"""

import json
from pathlib import Path

import igraph as ig
import leidenalg
import numpy as np
import umap
from scanpy.neighbors._connectivity import gauss
from scipy import sparse
from sklearn.manifold import trustworthiness
from sklearn.neighbors import NearestNeighbors
from umap.umap_ import find_ab_params, fuzzy_simplicial_set

N_NEIGHBORS = 10


def neighbours(x, metric, k):
    distances, indices = NearestNeighbors(n_neighbors=k, metric=metric, algorithm="brute").fit(x).kneighbors()
    return {"indices": indices.tolist(), "distances": distances.tolist()}


def triplets(graph, digits):
    graph = sparse.coo_matrix(graph)
    upper = graph.row < graph.col
    return {"rows": graph.row[upper].tolist(), "cols": graph.col[upper].tolist(),
            "values": [float(f"{it:.{digits}g}") for it in graph.data[upper]]}


def leiden(graph, kind, resolution):
    """The best quality of 20 seeds."""
    upper = sparse.triu(graph, 1).tocoo()
    g = ig.Graph(n=graph.shape[0], edges=list(zip(upper.row.tolist(), upper.col.tolist())))
    weights = upper.data.tolist()
    best = None
    for seed in range(20):
        part = leidenalg.find_partition(g, kind, weights=weights, resolution_parameter=resolution, n_iterations=-1,
                                        seed=seed)
        # The package doubles the CPM of undirected graphs.
        value = g.modularity(part.membership, weights, resolution) \
            if kind is leidenalg.RBConfigurationVertexPartition else part.quality() / 2
        if best is None or value > best[0]:
            best = (value, part.membership)
    return {"resolution": resolution, "quality": best[0], "labels": best[1]}


def main():
    rng = np.random.default_rng(31)
    centres = rng.normal(0, 1.3, size=(6, 8))
    # Multiples of 1/64: exact in any precision and short in text.
    x = np.round((centres[np.arange(150) % 6] + rng.normal(size=(150, 8))) * 64) / 64
    out = {"x": x.tolist()}
    for metric in ("euclidean", "cosine", "correlation"):
        out[metric] = neighbours(x, metric, N_NEIGHBORS)
    distances, indices = NearestNeighbors(n_neighbors=N_NEIGHBORS, algorithm="brute").fit(x).kneighbors(x)
    fuzzy = fuzzy_simplicial_set(sparse.coo_matrix((len(x), 1)), N_NEIGHBORS, None, None, knn_indices=indices,
                                 knn_dists=distances)[0]
    out["fuzzy"] = triplets(fuzzy, 9)
    rows = np.repeat(np.arange(len(x)), N_NEIGHBORS - 1)
    d = sparse.csr_matrix((distances[:, 1:].ravel(), (rows, indices[:, 1:].ravel())), shape=(len(x), len(x)))
    out["gauss"] = triplets(gauss(d, N_NEIGHBORS, knn=True), 17)
    graph = sparse.csr_matrix(fuzzy).astype(float)
    out["modularity"] = [leiden(graph, leidenalg.RBConfigurationVertexPartition, it) for it in (0.5, 1.0, 2.0)]
    out["cpm"] = [leiden(graph, leidenalg.CPMVertexPartition, it) for it in (0.02, 0.1)]
    out["ab"] = [[spread, min_dist, *map(float, find_ab_params(spread, min_dist))]
                 for spread, min_dist in ((1.0, 0.1), (1.0, 0.5), (2.0, 0.01), (1.0, 0.001))]
    embedded = [umap.UMAP(n_neighbors=N_NEIGHBORS, random_state=seed).fit_transform(x) for seed in range(3)]
    out["trustworthiness"] = [float(trustworthiness(x, it, n_neighbors=10)) for it in embedded]
    Path(__file__).with_name("golden.json").write_text(json.dumps(out) + "\n")


main()
