# /// script
# requires-python = ">=3.11"
# dependencies = ["anndata==0.12.19", "scipy==1.17.1", "numpy==2.4.6"]
# ///
"""Times anndata.read_h5ad and prints the line of csv that the binary `read_h5ad` prints.

Run: uv run benches/peers/read_h5ad.py FILE.h5ad
"""

import resource
import sys
import time

import anndata
import numpy as np
from scipy import sparse


def main() -> None:
    path = sys.argv[1]
    start = time.perf_counter()
    data = anndata.read_h5ad(path)
    x = data.X
    nnz = x.nnz if sparse.issparse(x) else int(np.count_nonzero(x))
    total = float(x.sum(dtype=np.float64))
    seconds = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print("tool,n_obs,n_vars,nnz,total,seconds,peak_bytes")
    print(f"anndata {anndata.__version__},{data.n_obs},{data.n_vars},{nnz},{total},{seconds:.3f},{peak}")


if __name__ == "__main__":
    main()
