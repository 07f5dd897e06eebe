# /// script
# requires-python = ">=3.11"
# dependencies = ["scikit-learn==1.9.1", "scipy==1.17.1", "statsmodels==0.15.0", "patsy==1.0.3", "rapidfuzz==3.14.3", "numpy", "pandas"]
# ///
"""Writes golden.json: scores, calibration, regressions and distances of scikit-learn, SciPy, statsmodels and rapidfuzz.

Run: uv run --script generate.py
"""

import json
from pathlib import Path

import numpy as np
import statsmodels.api as sm
from patsy import dmatrix
from rapidfuzz.fuzz import partial_ratio
from scipy import stats
from sklearn import metrics
from sklearn.covariance import ledoit_wolf


def classification(rng, out):
    n, k = 120, 5
    raw = rng.dirichlet(np.full(k, 0.6), n)
    p = np.round(raw * 64)
    p[np.arange(n), p.argmax(1)] += 64 - p.sum(1)
    p /= 64
    truth = np.array([rng.choice(4, p=row[:4] / row[:4].sum()) if row[:4].sum() > 0 else 0 for row in p])
    donor = rng.integers(0, 7, n)
    out.update(p=p.tolist(), truth=truth.tolist(), donor=donor.tolist())
    # Ties count against the model.
    own = p[np.arange(n), truth]
    rank = (p >= own[:, None]).sum(1)
    pred = np.array([next((j for j in range(k) if p[i, j] == p[i].max() and j != truth[i]), truth[i]) for i in range(n)])
    sizes = np.bincount(donor)
    for name, w in [("by_cell", np.ones(n)), ("by_donor", 1 / sizes[donor])]:
        f1 = {a: metrics.f1_score(truth, pred, average=a, sample_weight=w, labels=range(4)) for a in ("macro", "weighted")}
        recall = metrics.recall_score(truth, pred, average="macro", sample_weight=w, zero_division=0)
        precision = metrics.precision_score(truth, pred, average="macro", sample_weight=w, zero_division=0)
        areas, precisions = [], []
        for j in range(4):
            areas.append(metrics.roc_auc_score(truth == j, p[:, j], sample_weight=w))
            precisions.append(metrics.average_precision_score(truth == j, p[:, j], sample_weight=w))
        out[name] = {
            "top1": float(np.average(rank <= 1, weights=w)),
            "top3": float(np.average(rank <= 3, weights=w)),
            "top5": float(np.average(rank <= 5, weights=w)),
            "mrr": float(np.average(1 / rank, weights=w)),
            "balanced_accuracy": metrics.balanced_accuracy_score(truth, pred, sample_weight=w),
            "macro_f1": f1["macro"],
            "weighted_f1": f1["weighted"],
            "cam_f1": 2 / (1 / recall + 1 / precision),
            "cohen_kappa": metrics.cohen_kappa_score(truth, pred, sample_weight=w),
            "matthews": metrics.matthews_corrcoef(truth, pred, sample_weight=w),
            "nll": metrics.log_loss(truth, p, labels=range(k), sample_weight=w),
            "brier": metrics.brier_score_loss(truth, p, labels=range(k), sample_weight=w, scale_by_half=False),
            "auroc_macro": float(np.mean(areas)),
            "auprc_macro": float(np.mean(precisions)),
        }
    out["tied"] = float(np.mean([(p[i] == own[i]).sum() > 1 for i in range(n)]))
    conf, hit = p.max(1), p.argmax(1) == truth
    edges = np.linspace(0, 1, 16)
    bins = np.clip(np.digitize(conf, edges, right=True) - 1, 0, 14)
    out["ece_width"] = float(sum((bins == b).sum() / n * abs(hit[bins == b].mean() - conf[bins == b].mean())
                                 for b in range(15) if (bins == b).any()))
    order = np.argsort(conf, kind="stable")
    total, start = 0.0, 0
    for b in range(1, 9):
        end = max(-(-n * b // 8), start)
        while start < end < n and conf[order[end]] == conf[order[end - 1]]:
            end += 1
        if end > start:
            part = order[start:end]
            total += len(part) / n * abs(hit[part].mean() - conf[part].mean())
            start = end
    out["ece_mass_8"] = float(total)
    fpr, tpr, _ = metrics.roc_curve(~hit, 1 - conf, drop_intermediate=False)
    out["fpr_at_95"] = float(fpr[np.argmax(tpr >= 0.95)])
    out["detection_at_5"] = float(tpr[fpr <= 0.05].max())
    years = np.array([5.0, 22.0, 41.0, 60.0, 85.0])
    out["years"] = years.tolist()
    out["spearman"] = stats.spearmanr(years[pred], years[truth]).statistic
    mean = [[years[x][donor == d].mean() for d in range(7)] for x in (pred, truth)]
    out["spearman_donors"] = stats.spearmanr(*mean).statistic


def bca(rng, out):
    values = rng.gamma(1.5, size=30)
    draws = np.array([rng.choice(values, 30).mean() for _ in range(400)])
    jack = np.array([np.delete(values, i).mean() for i in range(30)])
    estimate = values.mean()
    z0 = stats.norm.ppf(((draws < estimate).sum() + (draws <= estimate).sum()) / 800)
    d = jack.mean() - jack
    a = (d**3).sum() / (6 * (d**2).sum() ** 1.5)
    z = z0 + stats.norm.ppf([0.025, 0.975])
    out["bca"] = {"draws": draws.tolist(), "jackknife": jack.tolist(), "estimate": estimate,
                  "levels": stats.norm.cdf(z0 + z / (1 - a * z)).tolist()}


def regression(rng, out):
    n, g = 150, 12
    cluster = rng.integers(0, g, n)
    age = rng.uniform(1, 80, g)[cluster]
    depth, kind = rng.normal(8, 1, n), rng.integers(0, 4, n)
    y = 0.01 * age + 0.2 * depth + 0.3 * kind + rng.normal(0, 1, g)[cluster] + rng.normal(0, 0.5, n)
    w = rng.uniform(0.5, 2, n)
    levels = (kind[:, None] == np.arange(1, 4)).astype(float)
    x = np.column_stack([np.ones(n), depth, levels, age])
    fits = {"plain": sm.OLS(y, x), "weighted": sm.WLS(y, x, weights=w)}
    found = {}
    for name, model in fits.items():
        fit = model.fit(cov_type="cluster", cov_kwds={"groups": cluster, "df_correction": True}, use_t=True)
        test = fit.f_test(np.eye(6)[2:5])
        found[name] = {"estimate": fit.params[1:].tolist(), "se": fit.bse[1:].tolist(), "p": fit.pvalues[1:].tolist(),
                       "interval": fit.conf_int()[1:].tolist(), "f": float(np.squeeze(test.fvalue)), "f_p": float(test.pvalue)}
    spline = np.asarray(dmatrix("cr(x, df=4) - 1", {"x": age}))
    found["spline_residual"] = float(sm.OLS(y, spline).fit().ssr)
    out["regression"] = {"y": y.tolist(), "age": age.tolist(), "depth": depth.tolist(), "kind": kind.tolist(),
                         "cluster": cluster.tolist(), "w": w.tolist(), **found}


def distances(rng, out):
    x = rng.normal(size=(40, 6)) @ rng.normal(size=(6, 6)) + 1
    label = rng.integers(0, 3, 40)
    query = rng.normal(size=(5, 6))
    means = np.stack([x[label == j].mean(0) for j in range(3)])
    within, shrinkage = ledoit_wolf(x - means[label], assume_centered=True)
    overall, _ = ledoit_wolf(x, assume_centered=False)

    def squared(rows, centre, covariance):
        gap = rows - centre
        return np.einsum("ij,jk,ik->i", gap, np.linalg.inv(covariance), gap)

    score = np.min([squared(query, m, within) for m in means], axis=0)
    unit = [v / np.linalg.norm(v, axis=1, keepdims=True) for v in (query, x)]
    cosine = 1 - np.sort(unit[0] @ unit[1].T, axis=1)[:, -10:].mean(1)
    out["distances"] = {"x": x.tolist(), "label": label.tolist(), "query": query.tolist(), "shrinkage": float(shrinkage),
                        "within": within.tolist(), "score": score.tolist(),
                        "relative": (score - squared(query, x.mean(0), overall)).tolist(), "cosine": cosine.tolist()}


def fuzzy(out):
    labels = ["[macrophage]", "[alveolar_macrophage]", "[b_cell]", "[memory_b_cell]", "[t_cell]", "[cd8_positive_t_cell]",
              "[lung]", "[left_lung_lobe]", "[43_year_old_human_stage]", "[44_year_old_human_stage]", "abcd", "bcde", "", "a"]
    out["fuzzy"] = [[a, b, partial_ratio(a, b) / 100] for a in labels for b in labels]


def main():
    rng = np.random.default_rng(20)
    out = {}
    classification(rng, out)
    bca(rng, out)
    regression(rng, out)
    distances(rng, out)
    fuzzy(out)
    Path(__file__).with_name("golden.json").write_text(json.dumps(out))


if __name__ == "__main__":
    main()
