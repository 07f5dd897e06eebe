# /// script
# requires-python = ">=3.11"
# dependencies = ["scanpy==1.11.5", "anndata==0.12.19", "numpy==2.4.6", "pandas==2.3.3", "pyarrow==26.0.1"]
# ///
"""What scanpy reads from 10x files: sums by cell and by gene, and a few small files that other tools wrote.

Run in this folder; the 10x files are taken from ../../../../shared/data/formats_fixtures, the rest is made here.
"""

import json
import pathlib
import warnings

import numpy as np
import pandas as pd
import scanpy as sc

warnings.filterwarnings("ignore")
HERE = pathlib.Path(__file__).resolve().parent
NARROW = ["int8", "int16", "uint8", "uint16"]
DATA = HERE.parents[3] / "shared" / "data" / "formats_fixtures"


def summary(adata):
    x = adata.X.tocsr()
    return {
        "n_obs": adata.n_obs,
        "n_vars": adata.n_vars,
        "nnz": int((x.data != 0).sum()),
        "first_cells": list(adata.obs_names[:3]),
        "gene_ids": list(adata.var["gene_ids"][:3]),
        "symbols": list(adata.var_names[:3]),
        "cell_sums": [int(it) for it in np.asarray(x.sum(1)).ravel()],
        "gene_sums": [int(it) for it in np.asarray(x.sum(0)).ravel()],
    }


def tenx():
    v2 = "scanpy_1.2.0_filtered_gene_bc_matrices_h5.h5"
    several = "scanpy_1.2.0_multiple_genomes.h5"
    v3 = "scanpy_3.0.0_filtered_feature_bc_matrix.h5"
    out = {
        v2: summary(sc.read_10x_h5(DATA / v2)),
        several: summary(sc.read_10x_h5(DATA / several, genome="another_genome")),
        v3: summary(sc.read_10x_h5(DATA / v3)),
    }
    for folder in ["10x_1.2.0_filtered_gene_bc_matrices_hg19_chr21", "10x_3.0.0_filtered_feature_bc_matrix"]:
        out[folder] = summary(sc.read_10x_mtx(DATA / folder))
    (HERE / "scanpy.json").write_text(json.dumps(out, separators=(",", ":")) + "\n")


def numpy_files():
    rng = np.random.default_rng(0)
    arrays = {
        "f4": rng.normal(size=(3, 4)).astype("<f4"),
        "f8_fortran": np.asfortranarray(np.arange(6, dtype="<f8").reshape(2, 3)),
        "f2": np.array([1.0, -0.5, 65504.0], dtype="<f2"),
        "i4_big_endian": np.array([1, -2, 2**30], dtype=">i4"),
        "i8": np.array([2**40, -1]),
        "i1": np.array([-128, 127], dtype="i1"),
        "u1": np.array([[0, 255]], dtype="u1"),
        "u2": np.array([65535], dtype="<u2"),
        "u4": np.array([2**32 - 1], dtype="<u4"),
        "b1": np.array([True, False, True]),
        "unicode": np.array(["control", "AHR+FEV", "µ🧬", ""]),
        "fixed_bytes": np.array([b"AAC-1", b"A"]),
        "scalar": np.array(3.5),
        "empty": np.zeros((0, 5), dtype="<f4"),
        "cube": np.asfortranarray(np.arange(24, dtype="<i4").reshape(2, 3, 4)),
        "objects": np.array(["a", None], dtype=object),
        "complex": np.array([1 + 2j]),
        "record": np.array([(1, 2.0)], dtype=[("a", "<i4"), ("b", "<f8")]),
    }
    np.savez_compressed(HERE / "numpy.npz", **arrays)


def pandas_files():
    frame = pd.DataFrame(
        {
            "batch": ["b1", "b2", None],
            "n": np.array([1, 2, 3], dtype="int32"),
            "score": [0.5, np.nan, 2.0],
            "keep": [True, False, True],
        },
        index=["AAC-1", "AAG-1", "AAT-1"],
    )
    frame.to_parquet(HERE / "obs.parquet")
    narrow = {name: np.array([np.iinfo(name).min, 1, np.iinfo(name).max], dtype=name) for name in NARROW}
    frame.assign(**narrow, gap=pd.array([None, 7, -1], dtype="Int8")).to_parquet(HERE / "narrow.parquet")
    frame.assign(batch=frame["batch"].astype("category")).to_parquet(HERE / "categorical.parquet")
    dense = pd.DataFrame([[1, 0, 2], [0, 3, 0]], index=["c1", "c2"], columns=["g1", "g2", "g3"], dtype="int32")
    dense.to_parquet(HERE / "dense.parquet")


tenx()
numpy_files()
pandas_files()
