# /// script
# requires-python = ">=3.11"
# dependencies = ["anndata==0.12.19", "numpy==2.4.6", "scipy==1.17.1", "pyarrow==26.0.1"]
# ///
"""The published recipe of Geneformer's ranks in NumPy: normalise, scale by medians, sort each cell, cut to 2,048.

`memory` encodes a CSR matrix that is in memory, cell by cell on its stored values, as the published tokeniser does;
`file` reads with anndata, encodes and writes Parquet. Prints the line that the binary `encode` prints.

Run: uv run benches/peers/geneformer_numpy.py memory|file FILE.h5ad VOCAB.json MEDIANS.json [REPEATS]
"""

import json
import resource
import sys
import time
from pathlib import Path

import anndata
import numpy as np

MAX_LEN = 2048
TARGET = 10_000


def encode(x, var_names, tokens, medians):
    known = np.array([it in medians and it in tokens for it in var_names])
    ids = np.array([tokens[it] for it in var_names[known]], dtype=np.int64)
    scale = np.array([medians[it] for it in var_names[known]])
    totals = np.asarray(x.sum(axis=1)).ravel()
    if not known.all():
        x = x[:, known]
    rows = []
    for row in range(x.shape[0]):
        part = slice(x.indptr[row], x.indptr[row + 1])
        columns = x.indices[part]
        values = x.data[part] / totals[row] * TARGET / scale[columns]
        rows.append(ids[columns][np.argsort(-values)][:MAX_LEN])
    return rows


def write(rows, path):
    import pyarrow as pa
    import pyarrow.parquet as pq

    lengths = np.array([len(it) for it in rows], dtype=np.int32)
    offsets = np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)]).astype(np.int32)
    ids = pa.array(np.concatenate(rows).astype(np.int32))
    table = pa.table({"input_ids": pa.ListArray.from_arrays(pa.array(offsets), ids), "length": pa.array(lengths)})
    pq.write_table(table, path, compression="zstd", row_group_size=8192)


def line(bench, rows, seconds):
    n_tokens = sum(len(it) for it in rows)
    places = np.arange(1, MAX_LEN + 1)
    check = sum(int((it * places[: len(it)]).sum()) for it in rows)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(f"{bench},numpy {np.__version__},{len(rows)},{n_tokens},{check},{seconds:.3f},{n_tokens / seconds:.4e},{peak}")


def main() -> None:
    mode, path, vocab, medians = sys.argv[1:5]
    tokens, medians = json.loads(Path(vocab).read_text()), json.loads(Path(medians).read_text())
    if mode == "memory":
        data = anndata.read_h5ad(path)
        x, names = data.X.tocsr(), data.var_names.to_numpy()
        for _ in range(int(sys.argv[5]) if len(sys.argv) > 5 else 1):
            start = time.perf_counter()
            rows = encode(x, names, tokens, medians)
            line("encode_memory", rows, time.perf_counter() - start)
    else:
        start = time.perf_counter()
        data = anndata.read_h5ad(path)
        rows = encode(data.X.tocsr(), data.var_names.to_numpy(), tokens, medians)
        write(rows, Path(path).with_suffix(".peer.parquet"))
        line("encode_file", rows, time.perf_counter() - start)


main()
