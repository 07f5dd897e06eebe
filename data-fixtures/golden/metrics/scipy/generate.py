# /// script
# requires-python = ">=3.11"
# dependencies = ["scipy==1.17.1", "statsmodels==0.15.0", "numpy"]
# ///
"""Writes golden.json: correlations, corrections and rank tests of SciPy and statsmodels.

Run: uv run --script generate.py
"""

import json
from pathlib import Path

import numpy as np
from scipy import stats
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.proportion import proportion_confint
from statsmodels.stats.weightstats import DescrStatsW


def main():
    rng = np.random.default_rng(22)
    x = np.round(rng.normal(size=37), 1)
    y = np.round(0.5 * x + rng.normal(size=37), 1)
    p = np.round(rng.uniform(size=15) ** 3, 3)
    scores = np.round(rng.normal(size=(17, 5)) + np.arange(5) * 0.4, 1)
    diffs = rng.normal(0.1, 0.5, 23)
    friedman = stats.friedmanchisquare(*scores.T)
    p_tost, lower, upper = DescrStatsW(diffs).ttost_mean(-0.3, 0.3)
    out = {
        "x": x.tolist(), "y": y.tolist(),
        "pearson": float(stats.pearsonr(x, y)[0]),
        "spearman": float(stats.spearmanr(x, y)[0]),
        "midranks": stats.rankdata(x).tolist(),
        "p": p.tolist(),
        "holm": multipletests(p, method="holm")[1].tolist(),
        "bh": multipletests(p, method="fdr_bh")[1].tolist(),
        "scores": scores.tolist(),
        "friedman": [float(friedman.statistic), float(friedman.pvalue)],
        "quantiles": np.quantile(diffs, [0.0, 0.025, 0.3, 0.975, 1.0]).tolist(),
        "diffs": diffs.tolist(),
        "tost": [float(lower[1]), float(upper[1]), float(p_tost)],
        "wilson": [list(map(float, proportion_confint(k, 13, method="wilson"))) for k in (1, 6, 12)],
        "nemenyi": [float(stats.studentized_range.ppf(0.95, k, np.inf) / np.sqrt(2)) for k in range(2, 13)],
    }
    Path(__file__).with_name("golden.json").write_text(json.dumps(out) + "\n")


main()
