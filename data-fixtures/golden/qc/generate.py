# /// script
# requires-python = ">=3.10"
# dependencies = ["scanpy==1.11.5", "anndata==0.12.19", "numpy==2.4.6", "scipy==1.17.1"]
# ///
"""Counts and what scanpy measures of their cells and genes, in float64. Run in this folder."""

import json
from pathlib import Path

import anndata as ad
import numpy as np
import scanpy as sc
import scipy.sparse as sp


def gene_names(n):
    special = ["MT-CO1", "MT-ND4", "mt-Nd1", "RPS3", "RPL7A", "Rpl13", "HBA1", "HBB", "HBP1", "Hbb-bs", "MTOR", "HBEGF"]
    return special + [f"G{it}" for it in range(n - len(special))]


def rounded(values):
    return [float(f"{it:.12g}") for it in values]


if __name__ == "__main__":
    rng = np.random.default_rng(11)
    n_obs, n_vars = 60, 90
    level = rng.lognormal(-0.5, 1.5, size=(1, n_vars))
    counts = rng.poisson(rng.lognormal(0.0, 0.6, size=(n_obs, 1)) * level).astype(np.float64)
    counts[:, 40] = 0
    names = gene_names(n_vars)
    data = ad.AnnData(sp.csr_matrix(counts))
    data.var_names = names
    # The rules are spelled here as the tutorials spell them; case variants by hand.
    data.var["mt"] = data.var_names.str.startswith(("MT-", "mt-"))
    data.var["ribo"] = data.var_names.str.startswith(("RPS", "RPL", "Rps", "Rpl"))
    data.var["hb"] = data.var_names.str.contains("^HB[^(P)]") | data.var_names.str.contains("^Hb[^(p)]")
    obs, var = sc.pp.calculate_qc_metrics(data, qc_vars=["mt", "ribo", "hb"], percent_top=(5, 20, 50, 90))
    out = {
        "genes": names,
        "counts": counts.astype(int).tolist(),
        "cells": {name: rounded(obs[name]) for name in obs.columns},
        "vars": {name: rounded(var[name]) for name in var.columns},
        "kept_cells": sc.pp.filter_cells(data, min_counts=100, inplace=False)[0].tolist(),
        "kept_genes": sc.pp.filter_genes(data, min_cells=10, inplace=False)[0].tolist(),
    }
    Path("qc.json").write_text(json.dumps(out, separators=(",", ":")) + "\n")
