# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy==2.4.6", "scikit-learn==1.9.1"]
# ///
"""Writes golden.json: the published linear model, ridge leave-one-out and kNN, by NumPy and scikit-learn.

Run in this folder: python generate.py
"""

import json
from pathlib import Path

import numpy as np
from sklearn.decomposition import PCA
from sklearn.linear_model import Ridge
from sklearn.neighbors import KNeighborsRegressor
from sklearn.preprocessing import StandardScaler

rng = np.random.default_rng(20)
n_genes, n_train, n_query, width = 18, 14, 4, 5
genes = [f"G{i:02}" for i in range(n_genes)]
train, query = genes[:n_train], genes[n_train:]
control = rng.uniform(0, 2, n_genes)
profiles = control + rng.normal(0, 0.4, (n_train, n_genes))
embedding = rng.normal(0, 1, (n_genes, width)) * np.arange(1, width + 1)


def published(y, g, p, p_new, lam):
    """y: genes x conditions with the control as a zero column; p: conditions x d."""
    b = y.mean(axis=1)
    left = np.linalg.inv(g.T @ g + lam * np.eye(g.shape[1]))
    right = np.linalg.inv(p.T @ p + lam * np.eye(p.shape[1]))
    w = left @ g.T @ (y - b[:, None]) @ p @ right
    return (g @ w @ p_new.T).T + b


# Gene scores: genes are observations; every condition and the control is a centred, unscaled variable.
raw = np.vstack([profiles, control]).T
scores = PCA(n_components=4, svd_solver="full").fit_transform(raw)
deltas = profiles - control
y = np.hstack([deltas.T, np.zeros((n_genes, 1))])
p_training = np.vstack([scores[:n_train], np.zeros(4)])
linear_training = published(y, scores, p_training, scores[n_train:], 0.1)
p_given = np.vstack([embedding[:n_train], np.zeros(width)])
linear_given = published(y, scores, p_given, embedding[n_train:], 0.7)

# Ridge with intercept on z-scored vectors; the penalty is a multiple of tr(K_c)/n.
x = StandardScaler().fit(embedding[:n_train])
z, z_new = x.transform(embedding[:n_train]), x.transform(embedding[n_train:])
unit = np.trace(z @ z.T) / n_train
grid = 10.0 ** np.linspace(-4, 4, 33)


def loo(lam):
    errors = []
    for i in range(n_train):
        keep = np.arange(n_train) != i
        model = Ridge(alpha=lam, solver="svd").fit(z[keep], deltas[keep])
        errors.append(np.linalg.norm(deltas[i] - model.predict(z[i : i + 1])[0]))
    return float(np.mean(errors))


losses = [loo(it * unit) for it in grid]
best = int(np.argmin(losses))
ridge = Ridge(alpha=0.3 * unit, solver="svd").fit(z, deltas).predict(z_new)
knn = KNeighborsRegressor(n_neighbors=3).fit(z, deltas).predict(z_new)

Path("golden.json").write_text(
    json.dumps(
        {
            "genes": genes,
            "n_train": n_train,
            "control": control.tolist(),
            "profiles": profiles.tolist(),
            "embedding": embedding.tolist(),
            "linear_training": linear_training.tolist(),
            "linear_given": linear_given.tolist(),
            "ridge": ridge.tolist(),
            "ridge_loo_0.3": loo(0.3 * unit),
            "ridge_loo_best": [float(grid[best]), losses[best]],
            "knn_3": knn.tolist(),
        }
    )
    + "\n"
)
