# /// script
# requires-python = ">=3.11"
# dependencies = ["illico==0.6.0", "anndata==0.12.19", "scipy==1.17.1", "numpy==2.4.6", "statsmodels==0.15.0"]
# ///
"""Times illico's Wilcoxon tests of log-normalised values, loading and compiling excluded, and prints a line of csv.

Run: uv run benches/peers/de_illico.py FILE.h5ad GROUPBY [rest or GROUP] [csr, csc or dense]

The total is the sum of the p-values of all tests; illico lists the reference group as well, with p = 1.
"""

import resource
import sys
import time
from importlib.metadata import version

import anndata
from illico import asymptotic_wilcoxon

RUNS = 5


def main() -> None:
    path, groupby, *rest = sys.argv[1:]
    reference = rest[0] if rest and rest[0] != "rest" else None
    layout = rest[1] if len(rest) > 1 else "csr"
    data = anndata.read_h5ad(path)
    if layout == "dense":
        data.X = data.X.toarray()
    else:
        data.X = data.X.asformat(layout)

    def run():
        return asymptotic_wilcoxon(
            data,
            is_log1p=True,
            group_keys=groupby,
            reference=reference,
            n_threads=2,
            use_continuity=False,
            tie_correct=True,
            exp_post_agg=True,
        )

    run()  # compiles
    print("tool,n_obs,n_vars,layout,total,seconds,cpu_seconds,peak_bytes")
    for _ in range(RUNS):
        usage, start = resource.getrusage(resource.RUSAGE_SELF), time.perf_counter()
        table = run()
        seconds, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_SELF)
        cpu = after.ru_utime + after.ru_stime - usage.ru_utime - usage.ru_stime
        total = float(table["p_value"].sum())
        name = f"illico {version('illico')}"
        print(f"{name},{data.n_obs},{data.n_vars},{layout},{total},{seconds:.3f},{cpu:.3f},{after.ru_maxrss * 1024}")


if __name__ == "__main__":
    main()
