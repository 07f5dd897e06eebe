# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy==2.4.6", "scikit-learn==1.9.1"]
# ///
"""Writes the PCA golden files: a sparse non-negative matrix and scikit-learn's components of it."""

from pathlib import Path

import numpy as np
from sklearn.decomposition import PCA

HERE = Path(__file__).parent
K = 6

rng = np.random.default_rng(20240501)
# Counts of a few programs, log-transformed and rounded to multiples of 1/64: exact in single precision and in text.
programs = rng.gamma(0.6, 1.0, size=(5, 40))
weights = rng.gamma(0.5, 1.0, size=(60, 5))
x = np.round(np.log1p(rng.poisson(weights @ programs)) * 64) / 64

pca = PCA(n_components=K, svd_solver="full").fit(x)
loadings = pca.components_.T
signs = np.sign(loadings[np.abs(loadings).argmax(axis=0), np.arange(K)])
loadings = loadings * signs
scores = pca.transform(x) * signs

np.savetxt(HERE / "x.csv", x, fmt="%.9g", delimiter=",")
np.savetxt(HERE / "loadings.csv", loadings, fmt="%.12e", delimiter=",")
np.savetxt(HERE / "scores.csv", scores, fmt="%.12e", delimiter=",")
variance = np.stack([pca.explained_variance_, pca.explained_variance_ratio_])
np.savetxt(HERE / "variance.csv", variance, fmt="%.14e", delimiter=",")
