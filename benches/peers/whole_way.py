# /// script
# requires-python = ">=3.11"
# dependencies = ["anndata==0.12.19", "scanpy==1.11.5", "scipy==1.17.1", "numpy==2.4.6", "scikit-learn==1.9.1"]
# ///
"""From a gzip .h5ad through QC, normalisation, log1p, HVG and PCA with scanpy; the line that `whole_way` prints.

Run: uv run benches/peers/whole_way.py FILE.h5ad
"""

import resource
import sys
import time
import warnings

import scanpy as sc

warnings.filterwarnings("ignore")
N_TOP = 2000


def main() -> None:
    start = time.perf_counter()
    data = sc.read_h5ad(sys.argv[1])
    n_obs, n_vars = data.shape
    names = data.var_names.str.upper()
    data.var["mt"] = names.str.startswith("MT-")
    data.var["ribo"] = names.str.startswith(("RPS", "RPL"))
    data.var["hb"] = names.str.contains("^HB[^(P)]")
    sc.pp.calculate_qc_metrics(data, qc_vars=["mt", "ribo", "hb"], inplace=True)
    sc.pp.normalize_total(data, target_sum=1e4)
    sc.pp.log1p(data)
    sc.pp.highly_variable_genes(data, flavor="seurat", n_top_genes=N_TOP)
    sc.pp.pca(data, n_comps=50, mask_var="highly_variable")
    check = float(data.obs["total_counts"].sum()) * float(data.uns["pca"]["variance"].sum())
    seconds = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print("tool,n_obs,n_vars,n_top,check,seconds,peak_bytes")
    print(f"scanpy {sc.__version__},{n_obs},{n_vars},{N_TOP},{check:.6e},{seconds:.3f},{peak}")


if __name__ == "__main__":
    main()
