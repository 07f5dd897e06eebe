# /// script
# requires-python = ">=3.11"
# dependencies = ["scikit-learn==1.9.1", "numpy"]
# ///
"""Writes golden.json: logistic regressions, neighbours and centroids of scikit-learn.

Run: uv run --script generate.py
"""

import json
from pathlib import Path

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier, NearestCentroid


def l2(x, y, query, **options):
    fit = LogisticRegression(solver="newton-cholesky", tol=1e-12, max_iter=1000, **options).fit(x, y)
    return {"coefficients": fit.coef_.tolist(), "intercepts": fit.intercept_.tolist(), "p": fit.predict_proba(query).tolist()}


def l1(x, y, query, c):
    fit = LogisticRegression(l1_ratio=1.0, solver="saga", C=c, tol=1e-12, max_iter=500_000, random_state=0).fit(x, y)
    return {"coefficients": fit.coef_.tolist(), "p": fit.predict_proba(query).tolist()}


def main():
    rng = np.random.default_rng(7)
    n, d, k = 160, 8, 4
    y = rng.choice(k, n, p=[0.5, 0.25, 0.15, 0.1])
    x = rng.normal(size=(n, d)) + 0.9 * rng.normal(size=(k, d))[y] + 0.5
    query = rng.normal(size=(12, d)) + 0.5
    two = (y > 0).astype(int)
    out = {
        "x": x.tolist(), "y": y.tolist(), "query": query.tolist(),
        "l2_1": l2(x, y, query, C=1.0),
        "l2_0.05": l2(x, y, query, C=0.05),
        "l2_balanced": l2(x, y, query, C=1.0, class_weight="balanced"),
        "l2_binary": l2(x, two, query, C=0.5),
        "l1_0.1": l1(x, y, query, 0.1),
        "l1_binary": l1(x, two, query, 0.1),
        "knn": KNeighborsClassifier(15, metric="cosine").fit(x, y).predict_proba(query).tolist(),
        "centroid": NearestCentroid().fit(x, y).predict(query).tolist(),
    }
    Path(__file__).with_name("golden.json").write_text(json.dumps(out))


if __name__ == "__main__":
    main()
