# /// script
# requires-python = ">=3.10"
# dependencies = [
#     "scanpy==1.11.5", "anndata==0.12.19", "numpy==2.4.6", "scipy==1.17.1", "scikit-misc==0.5.3", "pandas==2.3.3",
# ]
# ///
"""Counts, and the highly variable genes that scanpy finds in them by every flavour. Run in this folder."""

import json
import warnings
from pathlib import Path

import anndata as ad
import numpy as np
import scanpy as sc
import scipy.sparse as sp
from skmisc.loess import loess

N_OBS, N_VARS = 170, 240


def simulated(rng):
    level = rng.lognormal(0.8, 1.2, size=(1, N_VARS))
    programs = rng.normal(0.0, 0.8, size=(3, N_VARS)) * (rng.random((3, N_VARS)) < 0.2)
    types = rng.integers(0, 3, N_OBS)
    batches = rng.choice(["b1", "b2", "b10"], N_OBS, p=[0.5, 0.3, 0.2])
    shift = {it: np.exp(rng.normal(0.0, 0.3, N_VARS)) for it in ("b1", "b2", "b10")}
    mean = rng.lognormal(0.0, 0.4, size=(N_OBS, 1)) * level * np.exp(programs[types])
    mean = mean * np.stack([shift[it] for it in batches])
    size = 2.0 + level
    counts = rng.poisson(rng.gamma(size, 1.0, size=(N_OBS, N_VARS)) / size * mean)
    counts[:, 7] = 0
    counts[:, 8] = 1
    counts[batches == "b10", 9] = 0
    counts[batches != "b2", 10] = 0
    return counts, batches


def annotated(x, batches):
    data = ad.AnnData(sp.csr_matrix(x.astype(np.float64)))
    data.var_names = [f"g{it}" for it in range(x.shape[1])]
    data.obs["batch"] = batches
    return data


def numbers(values, digits=10):
    return [None if np.isnan(it) else float(f"{it:.{digits}g}") for it in np.asarray(values, dtype=float)]


def table(frame):
    out = {}
    for name in frame.columns:
        if name in ("gene_name", "mean_bin"):
            continue
        out[name] = numbers(frame[name])
    return out


def run(counts, lognorm, flavor, batch, **options):
    kind = lognorm if flavor in ("seurat", "cell_ranger") else counts
    hvg = sc.experimental.pp.highly_variable_genes if flavor == "pearson_residuals" else sc.pp.highly_variable_genes
    frame = hvg(kind.copy(), flavor=flavor, batch_key="batch" if batch else None, inplace=False, **options)
    return {"flavor": flavor, "batch": batch, "options": options, "columns": table(frame.loc[kind.var_names])}


def assert_no_ties(raw, n_top):
    """scanpy ranks with an unstable sort, so equal scores among the first would leave the golden to chance."""
    for batch in ("b1", "b2", "b10"):
        part = raw[raw.obs["batch"] == batch].copy()
        for flavor, column in [("seurat_v3", "variances_norm"), ("pearson_residuals", "residual_variances")]:
            hvg = sc.pp.highly_variable_genes if flavor == "seurat_v3" else sc.experimental.pp.highly_variable_genes
            scores = hvg(part, flavor=flavor, n_top_genes=n_top, inplace=False)[column].to_numpy()
            top = np.sort(scores)[::-1][: n_top + 1]
            assert (np.diff(top) < -1e-9).all(), (flavor, batch)


def regressions(rng):
    out = []
    for n, span, ties in [(40, 0.3, False), (333, 0.3, False), (333, 0.3, True), (500, 0.75, False), (90, 0.5, True)]:
        x = rng.normal(size=n)
        x = np.round(x, 1) if ties else x
        y = np.sin(2 * x) + 0.2 * rng.normal(size=n)
        x, y = np.round(x, 6), np.round(y, 6)
        model = loess(x, y, span=span, degree=2)
        model.fit()
        fit = numbers(model.outputs.fitted_values, 12)
        out.append({"span": span, "x": x.tolist(), "y": y.tolist(), "fit": fit})
    return out


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    rng = np.random.default_rng(6)
    counts, batches = simulated(rng)
    raw = annotated(counts, batches)
    lognorm = raw.copy()
    sc.pp.normalize_total(lognorm, target_sum=1e4)
    sc.pp.log1p(lognorm)
    assert_no_ties(raw, 40)
    sparse = sp.csr_matrix(counts)
    Path("counts.json").write_text(
        json.dumps(
            {
                "n_vars": N_VARS,
                "indptr": sparse.indptr.tolist(),
                "indices": sparse.indices.tolist(),
                "counts": sparse.data.tolist(),
                "batches": batches.tolist(),
            },
            separators=(",", ":"),
        )
        + "\n"
    )
    for name, batch in [("single", False), ("batches", True)]:
        runs = [
            run(raw, lognorm, "seurat", batch, n_top_genes=40),
            run(raw, lognorm, "seurat", batch),
            run(raw, lognorm, "cell_ranger", batch, n_top_genes=40),
            run(raw, lognorm, "seurat_v3", batch, n_top_genes=40),
            run(raw, lognorm, "pearson_residuals", batch, n_top_genes=40, **({"clip": 9.0} if batch else {})),
        ]
        if batch:
            runs.insert(4, run(raw, lognorm, "seurat_v3_paper", batch, n_top_genes=40))
        Path(f"{name}.json").write_text(json.dumps(runs, separators=(",", ":")) + "\n")
    Path("loess.json").write_text(json.dumps(regressions(rng), separators=(",", ":")) + "\n")
