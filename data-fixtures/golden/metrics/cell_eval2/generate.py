# /// script
# requires-python = ">=3.11"
# dependencies = ["cell-eval2==0.20.0", "numpy"]
# ///
"""Writes golden.json: cell-eval2 0.20.0 on random profiles, settings of its v2.yaml, and exact ties.

Run: uv run --script generate.py
"""

import json
from pathlib import Path

import numpy as np
from cell_eval2.metrics import discrimination_score, mae, mae_delta, mse, mse_delta, pearson_delta


def main():
    rng = np.random.default_rng(21)
    n, genes = 24, 40
    names = np.array([f"g{i:02d}" for i in range(genes)])
    targets = [f"g{i:02d}" if i % 3 else f"absent{i:02d}" for i in range(n)]
    keys = [str(k) for k in rng.permutation(targets)]
    # Quarters make exact ties likely and exact in every order of summation.
    truth = np.round(4 * rng.gamma(2.0, 0.5, (n + 1, genes))) / 4
    pred = np.round(4 * (0.5 * truth + 0.5 * rng.gamma(2.0, 0.5, (n + 1, genes)))) / 4
    truth[4] = truth[7]  # two conditions with one truth
    pred[5] = truth[0]  # a prediction of no change
    pred[9] = truth[9]  # a perfect prediction
    labels = np.array(["control", *keys])
    order = np.argsort(labels)  # the package keeps groups sorted by label
    bulks = {"pred_bulk": (labels[order], pred[order]), "real_bulk": (labels[order], truth[order])}
    common = {**bulks, "control": "control"}
    expected = {
        "expr_mse": mse(**common),
        "expr_mae": mae(**common),
        "delta_mse": mse_delta(**common, control_source="real"),
        "delta_mae": mae_delta(**common, control_source="real"),
        "delta_pearson": pearson_delta(**common, control_source="real"),
    }
    for distance in ("l1", "l2", "cosine"):
        expected[f"pds_{distance}"] = discrimination_score(
            **common, distance=distance, rank_denominator="n-1", tie_policy="midrank",
            exclude_target_gene=True, exclusion_scope="panel", control_source="real", genes=names,
        )
    out = {
        "keys": keys,
        "targets": [[int(np.flatnonzero(names == k)[0])] if k in names else [] for k in keys],
        "truth": truth[1:].tolist(),
        "pred": pred[1:].tolist(),
        "control": truth[0].tolist(),
        "pred_control": pred[0].tolist(),
        "expected": {
            name: [None if np.isnan(table[k]) else float(table[k]) for k in keys] for name, table in expected.items()
        },
    }
    Path(__file__).with_name("golden.json").write_text(json.dumps(out) + "\n")


main()
