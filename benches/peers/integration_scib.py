# /// script
# requires-python = ">=3.12"
# dependencies = ["scib-metrics==0.6.1", "anndata==0.12.19", "numpy==2.5.5"]
# ///
"""Times the benchmark of scib-metrics on embeddings that are already in memory.

Prints the lines that the binary `integration` prints: bench,tool,n_obs,n_embeddings,check,seconds,peak_bytes. The first
run compiles (JAX and numba), the later ones do not: both are printed, the first as `scib-metrics-cold`.

Run: uv run benches/peers/integration_scib.py FILE.h5ad BATCH LABEL KEY[,KEY...] PRE [REPEATS]
"""

import os
import resource
import sys
import time
import warnings

warnings.filterwarnings("ignore")

import anndata
import numpy as np
from scib_metrics.benchmark import Benchmarker, BatchCorrection, BioConservation

CHECKED = ["silhouette_label", "bras", "ilisi_knn", "clisi_knn", "pcr_comparison"]


def benchmark(data, batch, label, keys, pre):
    bench = Benchmarker(
        data,
        batch_key=batch,
        label_key=label,
        embedding_obsm_keys=keys,
        pre_integrated_embedding_obsm_key=pre,
        bio_conservation_metrics=BioConservation(nmi_ari_cluster_labels_leiden=True),
        batch_correction_metrics=BatchCorrection(),
        n_jobs=os.cpu_count() or 1,
        progress_bar=False,
    )
    bench.benchmark()
    return bench._results


def main() -> None:
    path, batch, label, keys, pre = sys.argv[1:6]
    repeats = int(sys.argv[6]) if len(sys.argv) > 6 else 1
    data = anndata.read_h5ad(path)
    keys = keys.split(",")
    for run in range(repeats + 1):
        start = time.perf_counter()
        results = benchmark(data, batch, label, keys, pre)
        seconds = time.perf_counter() - start
        check = float(results.loc[CHECKED, keys].astype(np.float64).to_numpy().sum())
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        tool = "scib-metrics-cold" if run == 0 else "scib-metrics"
        print(f"integration,{tool},{data.n_obs},{len(keys)},{check:.6e},{seconds:.3f},{peak}", flush=True)
    for key in keys:
        values = ", ".join(f"{name} {float(value):.4f}" for name, value in results[key].items())
        print(f"# {key}: {values}")


if __name__ == "__main__":
    main()
