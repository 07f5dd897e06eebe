# /// script
# requires-python = ">=3.11"
# dependencies = ["scanpy==1.11.5", "anndata==0.12.19", "scipy==1.17.1", "numpy==2.4.6"]
# ///
"""Times scanpy.tl.rank_genes_groups on log-normalised values, loading excluded, and prints a line of csv.

Run: uv run benches/peers/de_scanpy.py FILE.h5ad GROUPBY [rest or GROUP] [wilcoxon, t-test or t-test_overestim_var]

The total is the sum of the p-values of all tests.
"""

import resource
import sys
import time

import anndata
import scanpy


def main() -> None:
    path, groupby, *rest = sys.argv[1:]
    reference = rest[0] if rest else "rest"
    method = rest[1] if len(rest) > 1 else "wilcoxon"
    options = {"tie_correct": True} if method == "wilcoxon" else {}
    data = anndata.read_h5ad(path)
    usage, start = resource.getrusage(resource.RUSAGE_SELF), time.perf_counter()
    scanpy.tl.rank_genes_groups(data, groupby, reference=reference, method=method, **options)
    seconds, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_SELF)
    cpu = after.ru_utime + after.ru_stime - usage.ru_utime - usage.ru_stime
    pvalues = data.uns["rank_genes_groups"]["pvals"]
    total = float(sum(pvalues[group].sum() for group in pvalues.dtype.names))
    print("tool,n_obs,n_vars,layout,total,seconds,cpu_seconds,peak_bytes")
    name = f"scanpy {scanpy.__version__} {method}"
    print(f"{name},{data.n_obs},{data.n_vars},csr,{total},{seconds:.3f},{cpu:.3f},{after.ru_maxrss * 1024}")


if __name__ == "__main__":
    main()
