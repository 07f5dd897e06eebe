# /// script
# requires-python = ">=3.11"
# dependencies = [
#   "scanpy==1.11.5", "anndata==0.12.19", "scipy==1.17.1", "numpy==2.4.6", "pandas==2.3.3", "pdex==0.3.0", "mpmath==1.4.1",
# ]
# ///
"""Rank tests and t-tests of scanpy, SciPy and pdex on simulated cells, and tails with 40 digits. Run in this folder."""

import json
from pathlib import Path

import anndata as ad
import mpmath as mp
import numpy as np
import pandas as pd
import scanpy as sc
from pdex import pdex
from scipy import sparse, stats

SIZES = {"control": 80, "A": 50, "B": 40, "C": 28, "D": 2}
N_GENES = 60


def simulate() -> tuple[np.ndarray, list[str]]:
    """Log-normalised values with three decimals, so that a decimal text is exact; some genes are special."""
    rng = np.random.default_rng(20)
    label = [name for name, n in SIZES.items() for _ in range(n)]
    level = rng.gamma(0.6, 2.0, N_GENES)
    effect = {name: np.exp(rng.normal(0.0, 0.7, N_GENES) * (rng.random(N_GENES) < 0.5)) for name in SIZES}
    depth = rng.lognormal(0.0, 0.3, len(label))
    mean = np.array([depth[i] * level * effect[name] for i, name in enumerate(label)])
    count = rng.poisson(mean)
    x = np.log1p(count / depth[:, None])
    x[:, 20:40] = np.log1p(count[:, 20:40])  # without a depth: many ties
    x[:, 0] = 0.0
    x[:, 1] = 1.5
    x[:, 2] = (np.array(label) == "A") * 1.0  # constant inside every group
    x[:, 3] = 0.0
    x[90, 3] = 2.0  # one value
    x[:, 4] = rng.normal(0.0, 1.0, len(label))  # scaled
    x[:, 5] = np.round(rng.normal(0.5, 1.0, len(label)))  # negative, zero and positive ties
    x[:, 6] = 5.0 + 4.0 * (np.array(label) == "A") + rng.normal(0.0, 0.1, len(label))  # far apart
    order = rng.permutation(len(label))
    return np.round(x[order], 3).astype(np.float32), [label[i] for i in order]


def number(it: float):
    return None if np.isnan(it) else float(it) if np.isfinite(it) else str(float(it))


def numbers(values) -> list:
    return [number(it) for it in values]


def scores(values) -> list:
    """scanpy keeps statistics and fold changes as f32."""
    return [number(float(str(it))) for it in np.asarray(values, dtype=np.float32)]


def scanpy_tables(data: ad.AnnData) -> dict:
    out = {}
    for reference in ("rest", "control"):
        for name, method, options in (
            ("wilcoxon", "wilcoxon", {"tie_correct": True}),
            ("wilcoxon_ties_ignored", "wilcoxon", {"tie_correct": False}),
            ("t-test", "t-test", {}),
            ("t-test-overestim-var", "t-test_overestim_var", {}),
        ):
            sc.tl.rank_genes_groups(data, "group", reference=reference, method=method, **options)
            tables = {}
            for group in SIZES:
                if group == reference:
                    continue
                table = sc.get.rank_genes_groups_df(data, group).set_index("names").loc[data.var_names]
                tables[group] = {
                    "statistic": scores(table["scores"]),
                    "pvalue": numbers(table["pvals"]),
                    "padj": numbers(table["pvals_adj"]),
                    "lfc": scores(table["logfoldchanges"]),
                }
            out[f"{name}/{reference}"] = tables
    return out


def scipy_tables(x: np.ndarray, label: np.ndarray) -> dict:
    out = {}
    for group in ("A", "C"):
        a, b = x[label == group].astype(float), x[label == "control"].astype(float)
        t = stats.ttest_ind(a, b, equal_var=False)
        options = {"method": "asymptotic", "axis": 0}
        out[group] = {
            "u_pvalue": numbers(stats.mannwhitneyu(a, b, use_continuity=False, **options).pvalue),
            "u_pvalue_continuity": numbers(stats.mannwhitneyu(a, b, use_continuity=True, **options).pvalue),
            "t": numbers(t.statistic),
            "t_pvalue": numbers(t.pvalue),
        }
    return out


def pdex_tables(data: ad.AnnData) -> dict:
    data = data.copy()
    data.X = data.X.toarray()  # its sparse kernels refuse negative values
    out = {}
    for mode, reference in (("ref", "control"), ("all", None)):
        for geometric in (True, False):
            options = {} if reference is None else {"reference": reference}
            table = pdex(data, "group", mode=mode, is_log1p=True, geometric_mean=geometric, **options).to_pandas()
            name = f"{mode}/{'geometric' if geometric else 'arithmetic'}"
            out[name] = {
                group: {"lfc": numbers(rows["log2_fold_change"]), "pvalue": numbers(rows["p_value"])}
                for group, rows in table.set_index("feature").groupby("target")
                if group != reference
                for rows in [rows.loc[data.var_names]]
            }
    return out


def tails() -> dict:
    mp.mp.dps = 40
    z = [0.0, 1e-9, 0.1, 0.5, 1.0, 1.96, 3.0, 5.0, 8.3, 12.0, 17.77, 25.0, 30.1, 36.9, 37.4, 38.0, 38.4]
    normal = [[it, float(mp.erfc(mp.mpf(it) / mp.sqrt(2)))] for it in z]
    student = []
    for df in (1.0, 1.7, 3.0, 9.5, 19.0, 20.4, 21.3, 50.0, 123.4, 1000.0, 54321.0, 1e6):
        for t in (1e-6, 0.01, 0.3, 1.0, 1.8, 2.5, 6.0, 15.0, 33.0, 100.0, 1e4):
            a, square = mp.mpf(df) / 2, mp.mpf(t) ** 2
            if t < 1.5:
                p = 1 - mp.betainc(0.5, a, 0, square / (mp.mpf(df) + square), regularized=True)
            else:
                # I_x(a, 1/2) with s = ln(1 + t^2/df) + u/T, T = a - 1/4, as an integral over u that is of size 1.
                start, big = mp.log1p(square / df), a - mp.mpf(1) / 4
                integral = mp.quad(lambda u: mp.exp(-u) / mp.sqrt(2 * mp.sinh((start + u / big) / 2)), [0, 1, 5, 20, 50, 120])
                p = mp.exp(-big * start) * integral / (big * mp.beta(a, 0.5))
            if p > mp.mpf(10) ** -307:
                student.append([t, df, float(p)])
    return {"normal": normal, "student": student}


def write(name: str, value) -> None:
    Path(name).write_text(json.dumps(value, separators=(",", ":"), allow_nan=False) + "\n")


if __name__ == "__main__":
    x, label = simulate()
    genes = [f"g{i}" for i in range(N_GENES)]
    obs = pd.DataFrame({"group": pd.Categorical(label)}, index=[f"cell{i}" for i in range(len(label))])
    data = ad.AnnData(sparse.csr_matrix(x.astype(np.float64)), obs=obs, var=pd.DataFrame(index=genes))
    write("cells.json", {"group": label, "x": [[float(str(it)) for it in row] for row in x]})
    write("scanpy.json", scanpy_tables(data))
    write("scipy.json", scipy_tables(x, np.array(label)))
    write("pdex.json", pdex_tables(data))
    write("tails.json", tails())
