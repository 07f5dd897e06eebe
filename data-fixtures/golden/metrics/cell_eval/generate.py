# /// script
# requires-python = ">=3.11"
# dependencies = ["cell-eval==0.8.2", "anndata==0.12.19", "numpy"]
# ///
"""Writes golden.json: cell-eval 0.8.2 on random cells, predicted controls unlike the true ones.

Run: uv run --script generate.py
"""

import json
from pathlib import Path

import anndata as ad
import numpy as np
import pandas as pd
from cell_eval._types import PerturbationAnndataPair
from cell_eval.metrics import metrics_registry

IDS = [
    "mse", "mae", "mse_delta", "mae_delta", "pearson_delta",
    "discrimination_score_l1", "discrimination_score_l2", "discrimination_score_cosine",
]


def cells(rng, means, labels, per_condition=3):
    x = np.vstack([np.abs(m + rng.normal(0, 0.3, (per_condition, means.shape[1]))) for m in means])
    obs = pd.DataFrame({"target": np.repeat(labels, per_condition)}, index=[f"c{i}" for i in range(len(x))])
    return x, obs


def main():
    rng = np.random.default_rng(20)
    n, genes = 24, 40
    names = [f"g{i:02d}" for i in range(genes)]
    # Every third target is not a gene of the file; the rows are not in the order of their keys.
    targets = [f"g{i:02d}" if i % 3 else f"absent{i:02d}" for i in range(n)]
    labels = np.array(["control", *rng.permutation(targets)])
    true_means = rng.gamma(2.0, 0.5, (n + 1, genes))
    pred_means = 0.5 * true_means + 0.5 * rng.gamma(2.0, 0.5, (n + 1, genes))
    var = pd.DataFrame(index=names)
    real, pred = (ad.AnnData(x, obs, var) for x, obs in (cells(rng, true_means, labels), cells(rng, pred_means, labels)))
    pair = PerturbationAnndataPair(real=real, pred=pred, pert_col="target", control_pert="control")
    expected = {}
    for name in IDS:
        expected[name] = {k: float(v) for k, v in metrics_registry.compute(name, pair).items()}
    bulk = {side: dict(zip(*table["_default"])) for side, table in (("real", pair.bulk_real), ("pred", pair.bulk_pred))}
    keys = [str(k) for k in labels[1:]]
    out = {
        "keys": keys,
        "targets": [[names.index(k)] if k in names else [] for k in keys],
        "truth": [bulk["real"][k].tolist() for k in keys],
        "pred": [bulk["pred"][k].tolist() for k in keys],
        "control": bulk["real"]["control"].tolist(),
        "pred_control": bulk["pred"]["control"].tolist(),
        "expected": {name: [table[k] for k in keys] for name, table in expected.items()},
    }
    Path(__file__).with_name("golden.json").write_text(json.dumps(out) + "\n")


main()
