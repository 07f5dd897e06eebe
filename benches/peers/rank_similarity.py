# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy==2.4.6", "scipy==1.17.1"]
# ///
"""All-pairs Spearman of simulated cells into histograms by pair of types, with NumPy (OpenBLAS) and scipy's ranks.

Prints the line that the binary `all_pairs` prints: tool,n_obs,n_vars,n_types,similarity,k,check,seconds,gflops,
gemm_gflops,share,peak_bytes. The counts are the same formula of cell and gene. Blocks of 2,048 rows, threaded products,
one `bincount` per pair of types in a block: how such a study is written with NumPy. The rate of the plain product is that
of blocks of the same shape.

Run: uv run benches/peers/rank_similarity.py N G [MAX_BLOCK_PAIRS]

With MAX_BLOCK_PAIRS only so many block pairs are computed, and the seconds of the rest are extrapolated from them.
"""

import resource
import sys
import time

import numpy as np
from scipy.stats import rankdata

PER_TYPE = 500
BLOCK = 2048
BINS = 4096


def hashed(it):
    it = it + np.uint64(0x9E3779B97F4A7C15)
    it = (it ^ (it >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    it = (it ^ (it >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return it ^ (it >> np.uint64(31))


def cells(n, n_genes):
    n_types = -(-n // PER_TYPE)
    types = np.arange(n) // PER_TYPE
    genes = np.arange(n_genes, dtype=np.uint64)
    base = np.uint64(1000) + (hashed(genes) >> np.uint64(50)) ** np.uint64(2) // np.uint64(9000)
    of = (np.arange(n_types, dtype=np.uint64)[:, None] + np.uint64(1)) << np.uint64(32)
    raised = hashed(of | genes) % np.uint64(10) == 0
    level = np.minimum(np.where(raised, np.uint64(3) * base, base), np.uint64(60000))
    x = np.empty((n, n_genes), dtype=np.float32)
    for start in range(0, n, BLOCK):
        rows = np.arange(start, min(n, start + BLOCK), dtype=np.uint64)
        draw = hashed(np.uint64(1 << 60) | (rows[:, None] << np.uint64(24)) | genes)
        product = ((draw >> np.uint64(16)) & np.uint64(0xFF)) * ((draw >> np.uint64(24)) & np.uint64(0xFF))
        seen = (draw & np.uint64(0xFFFF)) < level[types[start : start + BLOCK]]
        x[start : start + BLOCK] = np.where(seen, np.uint64(1) + (product >> np.uint64(11)), np.uint64(0))
    return x, types, n_types


def standardised_ranks(x):
    out = np.empty(x.shape, dtype=np.float32)
    for start in range(0, len(x), BLOCK):
        ranks = rankdata(x[start : start + BLOCK], axis=1)
        ranks -= ranks.mean(axis=1, keepdims=True)
        ranks /= np.linalg.norm(ranks, axis=1, keepdims=True)
        out[start : start + BLOCK] = ranks
    return out


def plain_rate(ranks):
    a, b = ranks[:BLOCK], ranks[-BLOCK:]
    a @ b.T
    start = time.perf_counter()
    for _ in range(5):
        a @ b.T
    return 5 * 2 * len(a) * len(b) * a.shape[1] / (time.perf_counter() - start) * 1e-9


def main() -> None:
    n, n_genes = int(sys.argv[1]), int(sys.argv[2])
    limit = int(sys.argv[3]) if len(sys.argv) > 3 else None
    x, types, n_types = cells(n, n_genes)
    start = time.perf_counter()
    ranks = standardised_ranks(x)
    ranking = time.perf_counter() - start
    rate = plain_rate(ranks)
    n_pairs = n_types * (n_types + 1) // 2
    histograms = np.zeros((n_pairs, BINS), dtype=np.int64)
    sums, counts = np.zeros(n_pairs), np.zeros(n_pairs)
    blocks = [(i, j) for i in range(0, n, BLOCK) for j in range(i, n, BLOCK)]
    chosen = blocks if limit is None else blocks[:: max(1, len(blocks) // limit)]
    start = time.perf_counter()
    for i, j in chosen:
        rho = ranks[i : i + BLOCK] @ ranks[j : j + BLOCK].T
        bins = np.clip(((rho + 1) * (BINS / 2)).astype(np.int32), 0, BINS - 1)
        for a in np.unique(types[i : i + BLOCK]):
            rows = np.flatnonzero(types[i : i + BLOCK] == a)
            for b in np.unique(types[j : j + BLOCK]):
                if i == j and b < a:
                    continue
                cols = np.flatnonzero(types[j : j + BLOCK] == b)
                part = (slice(rows[0], rows[-1] + 1), slice(cols[0], cols[-1] + 1))
                values, places = rho[part], bins[part]
                if i == j and a == b:
                    upper = np.triu_indices(len(rows), 1)
                    values, places = values[upper], places[upper]
                at = a * n_types - a * (a + 1) // 2 + b
                histograms[at] += np.bincount(places.ravel(), minlength=BINS)
                sums[at] += values.sum(dtype=np.float64)
                counts[at] += values.size
    seconds = ranking + (time.perf_counter() - start) * len(blocks) / len(chosen)
    within = np.array([a * n_types - a * (a + 1) // 2 + a for a in range(n_types)])
    check = sums[within].sum() / counts[within].sum()
    gflops = 2 * n_genes * (n * (n - 1) / 2) / seconds * 1e-9
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print("tool,n_obs,n_vars,n_types,similarity,k,check,seconds,gflops,gemm_gflops,share,peak_bytes")
    print(
        f"numpy,{n},{n_genes},{n_types},spearman,0,{check:.6e},{seconds:.3f},{gflops:.1f},{rate:.1f},"
        f"{gflops / rate:.3f},{peak}"
    )


if __name__ == "__main__":
    main()
