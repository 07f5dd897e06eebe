# /// script
# requires-python = ">=3.10"
# dependencies = [
#     "scanpy==1.11.5", "anndata==0.12.19", "numpy==2.4.6", "scipy==1.17.1", "scikit-learn==1.9.1",
#     "scikit-misc==0.5.3", "pandas==2.3.3",
# ]
# ///
"""Digests of what scanpy and scikit-learn make of real cells: no data, only sums, quantiles and a few values.

Run in this folder with the folder of the shared data as argument.
"""

import functools
import json
import sys
import warnings
from pathlib import Path

import anndata as ad
import numpy as np
import scanpy as sc
import scipy.sparse as sp
from sklearn.decomposition import PCA
from sklearn.neighbors import NearestNeighbors

# What is measured: `raw` holds log-normalised values, the others counts.
DATA = {
    "pbmc68k_reduced": {
        "file": "pbmc68k_reduced/10x_pbmc68k_reduced.h5ad",
        "scale": "lognorm",
        "n_top": 200,
        "labels": [["bulk_labels", "rest"]],
    },
    "pbmc3k": {
        "file": "pbmc3k/pbmc3k_2638x2767_counts.h5ad",
        "scale": "counts",
        "n_top": 500,
        "labels": [["cell_type", "rest"]],
    },
    "sc_mixology": {
        "file": "sc_mixology/sc_mixology_counts.h5ad",
        "scale": "counts",
        "n_top": 500,
        # Where NumPy's default sort leaves some of the selection to chance.
        "n_top_v3": [1000, 2000],
        "batch": "batch",
        "labels": [["cell_line", "rest"]],
    },
    "papalexi_lowmoi": {
        "file": "papalexi_lowmoi/papalexi_20729x299_counts.h5ad",
        "scale": "counts",
        "n_top": 100,
        "batch": "bio_rep",
        "labels": [["bio_rep", "rest"], ["top_grna_target", "non-targeting"]],
    },
}
QUANTILES = [0.0, 0.25, 0.5, 0.75, 1.0]
# With batches scanpy clips all of them at the square root of the size of the first; a given bound is the same for both.
CLIP = 20.0


def number(value, digits):
    if not np.isfinite(value):
        return None
    short = float(f"{value:.{digits}g}")
    return int(short) if short.is_integer() and abs(short) < 1e15 else short


def numbers(values, digits=10):
    return [number(it, digits) for it in np.asarray(values, dtype=float).ravel()]


def gaps(indices):
    """Rising numbers as the first and the distances to the next, which are shorter."""
    return np.diff(indices, prepend=0).tolist()


def digest(values, at, digits=10):
    """Sums over all, quantiles that are values of the data, and the values at fixed places."""
    values = np.asarray(values, dtype=float)
    finite = np.sort(values[np.isfinite(values)])
    places = [int(q * (len(finite) - 1)) for q in QUANTILES] if len(finite) else []
    out = {
        "n": len(finite),
        "sum": number(finite.sum(), digits),
        "quantiles": numbers(finite[places], digits),
        "at": numbers(values[at], digits),
    }
    if (finite < 0).any():
        out["abs"] = number(np.abs(finite).sum(), digits)
    return out


def qc(counts, cells, genes):
    names = counts.var["symbol"].astype(str) if "symbol" in counts.var else counts.var_names.to_series()
    counts.var["mt"] = names.str.startswith("MT-").to_numpy()
    counts.var["ribo"] = names.str.startswith(("RPS", "RPL")).to_numpy()
    counts.var["hb"] = names.str.contains("^HB[^(P)]").to_numpy()
    tops = [it for it in (50, 100, 200, 500) if it <= counts.n_vars]
    obs, var = sc.pp.calculate_qc_metrics(counts, qc_vars=["mt", "ribo", "hb"], percent_top=tops)
    # An empty cell has no shares, which scanpy writes as NaN (docs/divergences.md, qc-empty-cell).
    assert not obs.isna().any(axis=None)
    return {
        "percent_top": tops,
        "cells": {name: digest(obs[name], cells) for name in obs},
        "genes": {name: digest(var[name], genes[::4]) for name in var},
    }


def normalized(counts, target):
    """In double precision, the result rounded to single: the values of every later step."""
    out = counts.copy()
    sc.pp.normalize_total(out, target_sum=target)
    sc.pp.log1p(out)
    out.X = out.X.astype(np.float32)
    return out


def normalization(lognorm, cells, genes):
    x = lognorm.X.astype(np.float64)
    return {
        "cells": digest(np.asarray(x.sum(axis=1)).ravel(), cells),
        "genes": digest(np.asarray(x.sum(axis=0)).ravel(), genes),
        "values": numbers(x[cells][:, genes].toarray(), 9),
    }


def table(flavor, data, batch, n_top):
    # Without batches the bound stays at its default, the square root of the number of cells.
    options = {"clip": CLIP} if flavor == "pearson_residuals" and batch else {}
    hvg = sc.experimental.pp.highly_variable_genes if flavor == "pearson_residuals" else sc.pp.highly_variable_genes
    frame = hvg(data.copy(), flavor=flavor, n_top_genes=n_top, batch_key=batch, inplace=False, **options)
    return frame.loc[data.var_names]


def hvg(counts, lognorm, flavor, batch, n_top, genes):
    by_counts = flavor in ("seurat_v3", "pearson_residuals")
    data = counts if by_counts else lognorm
    default = table(flavor, data, batch, n_top)["highly_variable"].to_numpy()
    # NumPy's default sort leaves the choice among equal scores to chance; a stable one does not.
    unstable = np.argsort
    np.argsort = functools.partial(unstable, kind="stable")
    frame = table(flavor, data, batch, n_top)
    np.argsort = unstable
    flags = frame["highly_variable"].to_numpy()
    columns = [it for it in frame.columns if it not in ("gene_name", "mean_bin", "highly_variable")]
    return {
        "flavor": flavor,
        "batch": batch,
        "n_top": n_top,
        "clip": CLIP if flavor == "pearson_residuals" and batch else None,
        "selected_gaps": gaps(np.flatnonzero(flags)),
        "n_flags_by_chance": int((flags != default).sum()),
        "columns": {it: digest(frame[it], genes, 10 if by_counts else 8) for it in columns},
    }


def pca(x, cells, n_comps=30):
    model = PCA(n_components=n_comps, svd_solver="full")
    scores = model.fit_transform(x)
    return {
        "variance": numbers(model.explained_variance_),
        "total": number(x.var(axis=0, ddof=1).sum(), 10),
        "abs_scores": [numbers(np.abs(scores[it])) for it in cells],
    }


def neighbors(x, cells, metric):
    model = NearestNeighbors(n_neighbors=16, algorithm="brute", metric=metric).fit(x)
    distances, indices = model.kneighbors(x[cells])
    found = []
    for cell, row, at in zip(cells, distances, indices):
        keep = np.flatnonzero(at != cell)[:15]
        found.append({"distances": numbers(row[keep]), "indices": at[keep].tolist()})
    return {"metric": metric, "k": 15, "cells": found}


def tests(lognorm, label, reference, method):
    data = lognorm.copy()
    options = {"tie_correct": True} if method == "wilcoxon" else {}
    data.obs[label] = data.obs[label].astype(str).astype("category")
    sc.tl.rank_genes_groups(data, label, method=method, reference=reference, use_raw=False, **options)
    result = data.uns["rank_genes_groups"]
    out = {}
    names = list(result["names"].dtype.names)
    n_shown = (20 if method == "wilcoxon" else 10) if len(names) <= 10 else 5
    for group in names:
        statistic = np.asarray(result["scores"][group], dtype=float)
        out[group] = {
            "sum": number(statistic.sum(), 8),
            "abs": number(np.abs(statistic).sum(), 8),
            "padj_sum": number(result["pvals_adj"][group].sum(), 10),
            "genes": result["names"][group][:n_shown].tolist(),
            "statistic": numbers(statistic[:n_shown], 8),
            "pvalue": numbers(result["pvals"][group][:n_shown], 9),
            "lfc": numbers(result["logfoldchanges"][group][:n_shown], 8),
        }
    return {"label": label, "reference": reference, "method": method, "groups": out}


def of(folder, spec):
    data = ad.read_h5ad(folder / spec["file"])
    if spec["scale"] == "counts":
        counts = ad.AnnData(sp.csr_matrix(data.X, dtype=np.float64), obs=data.obs, var=data.var)
        lognorm = normalized(counts, 1e4)
    else:
        raw = data.raw.to_adata()
        counts, lognorm = None, ad.AnnData(sp.csr_matrix(raw.X, dtype=np.float32), obs=data.obs, var=raw.var[[]])
    n_obs, n_vars = lognorm.shape
    cells = [int(it) for it in np.linspace(0, n_obs - 1, 5)]
    # From the middle to the most abundant, so that most of them are seen.
    order = np.argsort(np.asarray(lognorm.X.sum(axis=0)).ravel(), kind="stable")
    genes = sorted(int(order[int(it)]) for it in np.linspace(n_vars // 2, n_vars - 1, 20))
    out = {"file": spec["file"], "scale": spec["scale"], "n_obs": n_obs, "n_vars": n_vars, "cells": cells, "genes": genes}
    if counts is not None:
        out["qc"] = qc(counts.copy(), cells, genes)
        out["normalized"] = normalization(lognorm, cells, genes)
        libraries = np.asarray(counts.X.sum(axis=1)).ravel()
        out["median"] = number(np.median(libraries[libraries > 0]), 10)
        out["normalized_to_median"] = normalization(normalized(counts, None), cells, genes)
    double = lognorm.copy()
    double.X = double.X.astype(np.float64)
    flavors = ["seurat", "cell_ranger"] + (["seurat_v3", "pearson_residuals"] if counts is not None else [])
    batches = [None] + ([spec["batch"]] if "batch" in spec else [])
    n_top = {(it, batch): spec["n_top"] for batch in batches for it in flavors}
    if "n_top_v3" in spec:
        n_top.update(zip([("seurat_v3", None), ("seurat_v3", spec["batch"])], spec["n_top_v3"]))
    out["hvg"] = [hvg(counts, double, *which, n, genes) for which, n in n_top.items()]
    # Components and neighbours on the genes of the first flavour.
    x = double.X[:, np.cumsum(out["hvg"][0]["selected_gaps"])].toarray()
    out["pca"] = pca(x, cells)
    metrics = ["euclidean"] + (["cosine"] if (np.abs(x).sum(axis=1) > 0).all() else [])
    out["neighbors"] = [neighbors(x, cells, it) for it in metrics]
    out["de"] = [tests(lognorm, *it, method) for it in spec["labels"] for method in ("wilcoxon", "t-test")]
    return out


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    folder = Path(sys.argv[1])
    golden = {name: of(folder, spec) for name, spec in DATA.items()}
    lines = [f"{json.dumps(name)}:{json.dumps(it, separators=(',', ':'))}" for name, it in golden.items()]
    Path("golden.json").write_text("{\n" + ",\n".join(lines) + "\n}\n")
