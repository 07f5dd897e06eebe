# /// script
# requires-python = ">=3.10"
# dependencies = ["scanpy==1.11.5", "anndata==0.12.19", "numpy==2.4.6"]
# ///
"""Gene weights from scanpy's t statistic with overestimated variance, each group against all others. Run in this folder."""

import json
from pathlib import Path

import anndata as ad
import numpy as np
import scanpy as sc

if __name__ == "__main__":
    rng = np.random.default_rng(11)
    sizes = {"control": 40, "A": 25, "B": 12, "A+B": 7}
    label = [name for name, n in sizes.items() for _ in range(n)]
    n_genes = 15
    level = {name: rng.gamma(2.0, 1.0, n_genes) for name in sizes}
    x = np.array([np.log1p(rng.poisson(level[name])) for name in label]).astype(np.float32)
    order = rng.permutation(len(label))
    x, label = x[order], [label[it] for it in order]
    data = ad.AnnData(x.astype(np.float64))
    data.obs["condition"] = label
    data.var_names = [f"g{i}" for i in range(n_genes)]
    sc.tl.rank_genes_groups(data, "condition", reference="rest", method="t-test_overestim_var", n_genes=n_genes)
    weights = {}
    for name in ("A", "B", "A+B"):
        table = sc.get.rank_genes_groups_df(data, name).set_index("names").loc[data.var_names, "scores"]
        t = np.abs(table.to_numpy(dtype=np.float64))
        weights[name] = (((t - t.min()) / (t.max() - t.min())) ** 2).tolist()
    Path("weights.json").write_text(
        json.dumps({"label": label, "x": [[float(it) for it in row] for row in x], "weights": weights}, separators=(",", ":"))
        + "\n"
    )
