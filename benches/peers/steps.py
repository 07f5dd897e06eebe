# /// script
# requires-python = ">=3.11"
# dependencies = [
#   "anndata==0.12.19", "scanpy==1.11.5", "scipy==1.17.1", "numpy==2.4.6", "scikit-learn==1.9.1",
#   "scikit-misc==0.5.3", "leidenalg==0.12.0", "igraph==1.0.0",
# ]
# ///
"""Times one step of scanpy, scikit-learn or leidenalg on a file that is already in memory.

Prints the line that the binary `steps` prints: step,tool,n_obs,n_vars,nnz,check,median,seconds...

Run: uv run benches/peers/steps.py STEP FILE.h5ad [REPEATS]
"""

import sys
import time
import warnings

import anndata
import numpy as np

warnings.filterwarnings("ignore")


def log_normalised(data):
    import scanpy as sc

    copy = data.copy()
    sc.pp.normalize_total(copy, target_sum=1e4)
    sc.pp.log1p(copy)
    return copy


def umap_graph(data):
    import scanpy as sc

    sc.pp.neighbors(data, n_neighbors=15, use_rep="X_pca", method="umap", transformer="sklearn")
    return data.obsp["connectivities"]


def step_of(name, data):
    """The work, as a function without arguments that returns the number both tools must agree on."""
    import scanpy as sc

    if name == "qc":
        data.var["mt"] = data.var_names.str.upper().str.startswith("MT-")
        data.var["ribo"] = data.var_names.str.upper().str.startswith(("RPS", "RPL"))
        data.var["hb"] = data.var_names.str.upper().str.contains("^HB[^(P)]")

        def work():
            cells, _ = sc.pp.calculate_qc_metrics(data, qc_vars=["mt", "ribo", "hb"], inplace=False)
            return cells["pct_counts_in_top_50_genes"].sum()

        return "scanpy", work
    if name == "copy":
        return "scanpy", lambda: float(data.copy().X.data[0])
    if name == "normalize":
        return "scanpy", lambda: float(log_normalised(data).X.data[:1000].sum(dtype=np.float64))
    if name in ("hvg_seurat", "hvg_cell_ranger"):
        values = log_normalised(data)

        def work():
            table = sc.pp.highly_variable_genes(values, flavor=name[4:], n_top_genes=2000, inplace=False)
            return float(np.flatnonzero(table["highly_variable"].to_numpy()).sum())

        return "scanpy", work
    if name == "hvg_seurat_v3":

        def work():
            table = sc.pp.highly_variable_genes(data, flavor="seurat_v3", n_top_genes=2000, inplace=False)
            return float(np.flatnonzero(table["highly_variable"].to_numpy()).sum())

        return "scanpy", work
    if name == "hvg_pearson":

        def work():
            table = sc.experimental.pp.highly_variable_genes(
                data, flavor="pearson_residuals", n_top_genes=2000, inplace=False
            )
            return float(np.flatnonzero(table["highly_variable"].to_numpy()).sum())

        return "scanpy", work
    if name == "pca":
        values = log_normalised(data)

        def work():
            sc.pp.pca(values, n_comps=50, mask_var=None)
            return float(values.uns["pca"]["variance"].sum())

        return "scanpy", work
    if name == "knn":
        from sklearn.neighbors import NearestNeighbors

        rep = np.ascontiguousarray(data.obsm["X_pca"], dtype=np.float64)

        def work():
            search = NearestNeighbors(n_neighbors=30, algorithm="brute").fit(rep)
            return float(search.kneighbors()[0].sum())

        return "scikit-learn", work
    if name == "leiden":
        import igraph
        import leidenalg
        from scipy import sparse

        upper = sparse.triu(umap_graph(data)).tocoo()
        graph = igraph.Graph(n=data.n_obs, edges=list(zip(upper.row.tolist(), upper.col.tolist(), strict=True)))
        graph.es["weight"] = upper.data.astype(float).tolist()

        def work():
            part = leidenalg.find_partition(
                graph, leidenalg.RBConfigurationVertexPartition, weights="weight", n_iterations=2, seed=0
            )
            return graph.modularity(part.membership, weights="weight")

        return "leidenalg", work
    if name in ("t_test", "wilcoxon"):
        method = "t-test" if name == "t_test" else "wilcoxon"

        def work():
            sc.tl.rank_genes_groups(data, "group", method=method, tie_correct=method == "wilcoxon")
            pvalues = data.uns["rank_genes_groups"]["pvals"]
            return float(sum(pvalues[it].sum() for it in pvalues.dtype.names))

        return "scanpy", work
    raise SystemExit(f"no step {name}")


def main() -> None:
    name, path = sys.argv[1:3]
    repeats = int(sys.argv[3]) if len(sys.argv) > 3 else 5
    data = anndata.read_h5ad(path)
    tool, work = step_of(name, data)
    check = work()
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - start)
    runs = ",".join(f"{it:.4f}" for it in seconds)
    nnz = getattr(data.X, "nnz", int(np.prod(data.shape)))
    print(f"{name},{tool},{data.n_obs},{data.n_vars},{nnz},{check:.8e},{np.median(seconds):.4f},{runs}")


if __name__ == "__main__":
    main()
