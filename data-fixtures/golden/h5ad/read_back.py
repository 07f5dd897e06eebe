# /// script
# requires-python = ">=3.11"
# dependencies = ["anndata==0.12.*", "h5py==3.*", "numpy", "pandas", "scipy"]
# ///
"""Checks with Python anndata a file that the test `h5ad_write::a_file_for_python` wrote: `python read_back.py FILE`.

The file holds what `modern.h5ad` holds, read by this project and written again.
"""

import sys
from pathlib import Path

import anndata as ad
import numpy as np
import pandas as pd
import scipy.sparse as sp

want = ad.read_h5ad(Path(__file__).parent / "modern.h5ad")
got = ad.read_h5ad(sys.argv[1])


def dense(it):
    return it.toarray() if sp.issparse(it) else np.asarray(it)


def same(name, a, b):
    np.testing.assert_array_equal(dense(a), dense(b), err_msg=name)
    print("ok", name, type(b).__name__)


same("X", want.X, got.X)
for group in ["layers", "obsm", "varm", "obsp"]:
    assert sorted(getattr(want, group)) == sorted(getattr(got, group)), group
    for key in getattr(want, group):
        same(f"{group}/{key}", getattr(want, group)[key], getattr(got, group)[key])
same("raw/X", want.raw.X, got.raw.X)
assert list(want.raw.var_names) == list(got.raw.var_names)
pd.testing.assert_frame_equal(want.obs, got.obs, check_dtype=False)
pd.testing.assert_frame_equal(want.var, got.var, check_dtype=False)
assert got.obs["stage"].cat.ordered and not got.obs["group"].cat.ordered
print(got.obs.dtypes.to_string())
for key in ["word", "number", "real", "yes"]:
    assert want.uns[key] == got.uns[key], key
assert list(want.uns["words"]) == list(got.uns["words"])
np.testing.assert_array_equal(want.uns["grid"], got.uns["grid"])
pd.testing.assert_frame_equal(want.uns["deep"]["deeper"]["table"], got.uns["deep"]["deeper"]["table"])
print("ok uns")
print(got)
