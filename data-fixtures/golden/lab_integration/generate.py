# /// script
# requires-python = ">=3.12"
# dependencies = ["scib-metrics==0.6.1", "anndata==0.12.19", "numpy==2.5.5", "scikit-learn==1.9.1",
#                 "scipy==1.18.1"]
# ///
"""Writes golden.json: two simulated embeddings, what the benchmark of scib-metrics says about them, and kBET by its
definition with dense matrices.

Neighbours are exact (scikit-learn), with the cell itself first: what scib-metrics searches for approximately.

Run: uv run --script generate.py
"""

import json
import warnings
from pathlib import Path

import anndata
import numpy as np
import scib_metrics
from scib_metrics.benchmark import Benchmarker, BatchCorrection, BioConservation
from scib_metrics.nearest_neighbors import NeighborsResults
from scipy.sparse.csgraph import connected_components
from scipy.stats import chi2
from sklearn.neighbors import NearestNeighbors

warnings.filterwarnings("ignore")


def exact(x, k):
    distances, indices = NearestNeighbors(n_neighbors=k, algorithm="kd_tree").fit(x).kneighbors(x)
    own = np.arange(len(x))
    assert (indices[:, 0] == own).all(), "no two cells coincide"
    return NeighborsResults(indices=indices, distances=distances)


def kbet_by_definition(x, label, batch):
    """Acceptance of every label whose graph is connected: dense matrices in double precision, exact neighbours."""
    graph = exact(x, 50).knn_graph_connectivities.tocsr()
    found = {}
    for name in np.unique(label):
        own = np.flatnonzero(label == name)
        _, codes = np.unique(batch[own], return_inverse=True)
        n, n_batches = len(own), codes.max() + 1
        w = graph[own][:, own]
        if n_batches < 2 or n < 10 or connected_components(w)[0] > 1:
            continue
        w = w.toarray().astype(np.float64)
        k = w / np.outer(w.sum(0), w.sum(0))
        z = np.sqrt(k.sum(0))
        values, vectors = np.linalg.eigh(k / np.outer(z, z))
        order = np.argsort(-abs(values))[: min(100, n - 1)]
        order = order[np.argsort(-values[order])]
        factors = np.ones(len(order))
        factors[1:] = values[order[1:]] / (1 - values[order[1:]])
        points = vectors[:, order] * factors
        size = int(min(70, max(10, np.floor(n / n_batches / 4)))) + 1
        near = np.argsort(((points[:, None] - points[None]) ** 2).sum(-1), axis=1, kind="stable")[:, :size]
        seen = np.stack([np.bincount(codes[it], minlength=n_batches) for it in near])
        expected = size * np.bincount(codes) / n
        p = chi2.sf(((seen - expected) ** 2 / expected).sum(1), n_batches - 1)
        found[str(name)] = float((p >= 0.05).mean())
    return found


def simulate(rng):
    """Four types in three batches, one type in a single batch; a batch effect that one embedding keeps."""
    sizes = {("a", 0): 40, ("a", 1): 30, ("a", 2): 25, ("b", 0): 30, ("b", 1): 35, ("b", 2): 20,
             ("c", 0): 15, ("c", 1): 30, ("c", 2): 30, ("d", 1): 25}
    label = np.concatenate([[name] * n for (name, _), n in sizes.items()])
    batch = np.concatenate([[f"batch{at}"] * n for (_, at), n in sizes.items()])
    centres = {name: rng.normal(0, 1.6, 10) for name in "abcd"}
    shifts = {f"batch{at}": rng.normal(0, 1.1, 10) for at in range(3)}
    noise = rng.normal(size=(len(label), 10))
    types = np.stack([centres[it] for it in label])
    effects = np.stack([shifts[it] for it in batch])
    order = rng.permutation(len(label))
    embeddings = {"X_raw": types + effects + noise, "X_good": types + 0.15 * effects + 0.9 * noise}
    # Multiples of 1/128: exact in single precision and short in text.
    return {name: np.round(x[order] * 128) / 128 for name, x in embeddings.items()}, batch[order], label[order]


def main():
    embeddings, batch, label = simulate(np.random.default_rng(20))
    data = anndata.AnnData(np.zeros((len(label), 1), dtype=np.float32))
    data.obs["batch"], data.obs["label"] = batch, label
    data.obs = data.obs.astype("category")
    for name, x in embeddings.items():
        data.obsm[name] = x.astype(np.float32)
    bench = Benchmarker(data, "batch", "label", list(embeddings), pre_integrated_embedding_obsm_key="X_raw",
                        bio_conservation_metrics=BioConservation(nmi_ari_cluster_labels_leiden=True),
                        batch_correction_metrics=BatchCorrection(), progress_bar=False)
    bench.prepare(neighbor_computer=exact)
    bench.benchmark()
    values = {name: {metric: float(value) for metric, value in bench._results[name].items()} for name in embeddings}
    for name, x in embeddings.items():
        values[name]["silhouette_batch"] = float(scib_metrics.silhouette_batch(x, label, batch))
        values[name]["sbee"] = float(scib_metrics.sbee(exact(x, 90), x, batch, label))
    # Its totals have no Leiden unless asked for: those are the ones to compare with.
    bench._results = bench._results.drop(index=[it for it in bench._results.index if "leiden" in it])
    totals = bench.get_results(min_max_scale=False, clean_names=False)
    for name in embeddings:
        for ours, theirs in (("bio_conservation", "Bio conservation"), ("batch_correction", "Batch correction"),
                             ("total", "Total")):
            values[name][ours] = float(totals.loc[name, theirs])
    out = {"batch": batch.tolist(), "label": label.tolist(),
           "embeddings": {name: x.tolist() for name, x in embeddings.items()}, "values": values,
           "kbet": {name: kbet_by_definition(x, label, batch) for name, x in embeddings.items()}}
    Path(__file__).with_name("golden.json").write_text(json.dumps(out) + "\n")


main()
