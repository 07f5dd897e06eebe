# /// script
# requires-python = ">=3.11"
# dependencies = ["anndata==0.12.*", "h5py==3.*", "numpy", "pandas", "scipy"]
# ///
"""Writes the golden .h5ad files beside this script: `python generate.py`.

Every matrix of every file holds the same values, so that a test can compute them: `value(i, j)` below.
"""

from pathlib import Path

import anndata as ad
import h5py
import numpy as np
import pandas as pd
import scipy.sparse as sp

HERE = Path(__file__).parent
N, M = 23, 11


def value(i, j):
    return float((i + j) % 4 + 1) if (i * 7 + j * 3) % 5 == 0 else 0.0


DENSE = np.array([[value(i, j) for j in range(M)] for i in range(N)])
ROWS = [f"cell{i}" for i in range(N)]
GENES = [f"ENSG{j:011d}" for j in range(M)]


def obs():
    i = np.arange(N)
    text = pd.array([f"täxt{k}" if k % 3 else pd.NA for k in i], dtype="string")
    return pd.DataFrame(
        {
            "group": pd.Categorical([["b", "a", None][k % 3] for k in i], categories=["b", "a", "unused"]),
            "stage": pd.Categorical([["early", "late"][k % 2] for k in i], ["early", "late"], ordered=True),
            "n": i.astype("int16"),
            "big": i.astype("uint64"),
            "score": np.where(i % 4 == 0, np.nan, i / 2).astype("float32"),
            "flag": i % 2 == 0,
            "maybe_n": pd.array([k if k % 5 else pd.NA for k in i], dtype="Int32"),
            "maybe_flag": pd.array([bool(k % 2) if k % 5 else pd.NA for k in i], dtype="boolean"),
            "maybe_text": text,
            "text": [f"täxt{k}" for k in i],
        },
        index=ROWS,
    )


def modern():
    """anndata's own writer, gzip, small chunks."""
    ad.settings.allow_write_nullable_strings = True
    var = pd.DataFrame({"gene_name": [f"G{j // 2}" for j in range(M)]}, index=GENES)
    x = sp.csr_matrix(DENSE.astype("float32"))
    a = ad.AnnData(x, obs=obs(), var=var)
    a.layers["csc"] = sp.csc_matrix(DENSE)
    a.layers["dense"] = DENSE
    a.layers["int"] = sp.csr_matrix(DENSE.astype("int64"))
    a.obsm["X_pca"] = (DENSE[:, :3] / 2).astype("float32")
    a.obsm["table"] = pd.DataFrame({"a": np.arange(N) / 4}, index=ROWS)
    a.varm["PCs"] = DENSE.T[:, :2]
    a.obsp["near"] = sp.csr_matrix(np.eye(N, dtype="float32"))
    a.uns = {
        "word": "ünï",
        "number": 3,
        "real": 0.5,
        "yes": True,
        "words": np.array(["a", "", "c"], dtype=object),
        "grid": np.arange(6.0).reshape(2, 3),
        "deep": {"deeper": {"table": pd.DataFrame({"k": ["x", "y"]}, index=["r0", "r1"])}},
    }
    a.raw = ad.AnnData(sp.csr_matrix(DENSE[:, :5]), obs=obs()[[]], var=pd.DataFrame(index=GENES[:5]))
    a.write_h5ad(HERE / "modern.h5ad", compression="gzip")


def sparse_group(f, name, matrix, data, indices, indptr, **kwargs):
    g = f.create_group(name)
    kind = "csr_matrix" if matrix.format == "csr" else "csc_matrix"
    g.attrs.update({"encoding-type": kind, "encoding-version": "0.1.0", "shape": np.array(matrix.shape)})
    for key, values in [("data", data), ("indices", indices), ("indptr", indptr)]:
        g.create_dataset(key, data=values, **kwargs)


def storage():
    """The same values in every way that HDF5 can store them, in layers."""
    csr, csc = sp.csr_matrix(DENSE), sp.csc_matrix(DENSE)
    with h5py.File(HERE / "storage.h5ad", "w") as f:
        f.attrs.update({"encoding-type": "anndata", "encoding-version": "0.1.0"})
        for name, labels in [("obs", ROWS), ("var", GENES)]:
            g = f.create_group(name)
            g.attrs.update({"encoding-type": "dataframe", "encoding-version": "0.2.0", "_index": "names"})
            g.attrs["column-order"] = np.array([], dtype="float64")
            g["names"] = np.array([it.encode() for it in labels])  # Fixed-length ASCII.
        f["X"] = DENSE.astype("float32")  # Contiguous.
        layers = f.create_group("layers")
        chunked = {"chunks": (5, 4)}
        for dtype in ["f2", "f4", "f8", ">f4", "i1", "u1", "i2", ">i4", "u4", "i8", "u8"]:
            layers.create_dataset(f"dense_{dtype.strip('>')}{'_big' if '>' in dtype else ''}", data=DENSE.astype(dtype), **chunked)
        layers.create_dataset("dense_gzip_shuffle", data=DENSE, compression="gzip", shuffle=True, **chunked)
        layers.create_dataset("dense_lzf", data=DENSE, compression="lzf", **chunked)
        layers.create_dataset("dense_lzf_shuffle", data=DENSE.astype("f4"), compression="lzf", shuffle=True, chunks=(6, M))
        layers.create_dataset("dense_fletcher", data=DENSE, fletcher32=True, compression="gzip", **chunked)
        layers.create_dataset("dense_rows", data=DENSE, compression="gzip", chunks=(4, M))
        layers.create_dataset("dense_growing", data=DENSE, chunks=(8, 16), maxshape=(None, None))
        layers["dense_bool"] = DENSE > 0
        part = layers.create_dataset("dense_unwritten", shape=DENSE.shape, dtype="f4", chunks=(5, 4))
        part[:5] = DENSE[:5]
        for dtype in ["i4", "i8", "u2", ">i8"]:
            name = f"csr_{dtype.strip('>')}{'_big' if '>' in dtype else ''}"
            sparse_group(layers, name, csr, csr.data.astype("f4"), csr.indices.astype(dtype), csr.indptr.astype(dtype))
        sparse_group(layers, "csr_lzf", csr, csr.data.astype("f2"), csr.indices, csr.indptr, compression="lzf", chunks=(7,))
        sparse_group(layers, "csr_gzip", csr, csr.data.astype("u2"), csr.indices, csr.indptr, compression="gzip", shuffle=True, chunks=(7,))
        sparse_group(layers, "csr_one_chunk", csr, csr.data, csr.indices, csr.indptr, compression="gzip", chunks=True, maxshape=(None,))
        sparse_group(layers, "csc_gzip", csc, csc.data, csc.indices.astype("i8"), csc.indptr.astype("i8"), compression="gzip", chunks=(9,))


def legacy():
    """AnnData 0.5: compound annotation, categories in uns, `h5sparse` attributes, text of variable length."""
    csr = sp.csr_matrix(DENSE.astype("f4"))
    text = h5py.string_dtype()
    with h5py.File(HERE / "legacy.h5ad", "w") as f:
        g = f.create_group("X")
        g.attrs.update({"h5sparse_format": "csr", "h5sparse_shape": np.array(DENSE.shape)})
        for key in ["data", "indices", "indptr"]:
            g.create_dataset(key, data=getattr(csr, key))
        table = np.zeros(N, dtype=[("index", text), ("group", "i1"), ("n", ">i4"), ("short", "S6")])
        table["index"], table["n"] = ROWS, np.arange(N)
        table["group"] = [[0, 1, -1][k % 3] for k in range(N)]
        table["short"] = [f"s{k}".encode() for k in range(N)]
        f.create_dataset("obs", data=table)
        var = np.zeros(M, dtype=[("index", "S16")])
        var["index"] = [it.encode() for it in GENES]
        f.create_dataset("var", data=var, compression="gzip")
        f["uns/group_categories"] = np.array([b"b", b"a"])
        obsm = np.zeros(N, dtype=[("X_pca", "<f4", (3,))])
        obsm["X_pca"] = DENSE[:, :3] / 2
        f.create_dataset("obsm", data=obsm, chunks=(5,), compression="gzip")


if __name__ == "__main__":
    modern()
    storage()
    legacy()
