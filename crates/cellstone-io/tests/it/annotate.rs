//! Files that are written again with what a step found.

use cellstone_core::{Column, CountSource, Csr, ObsTable, Result, Scale, Var};
use cellstone_io::{
    Additions, AnnData, AnyMatrix, Extras, H5ad, Matrix, MemorySource, Uns, WriteOptions, write_annotated,
    write_transformed,
};
use ndarray::{Array2, array};
use std::collections::BTreeMap;
use std::path::Path;

fn names(stem: &str, n: usize) -> ObsTable {
    ObsTable::new((0..n).map(|it| format!("{stem}{it}")).collect())
}

fn full_file(path: &Path, dense: bool) {
    let x = array![[1.0_f32, 0.0, 2.0], [0.0, 3.0, 0.0], [4.0, 0.0, 0.0], [0.0, 5.0, 6.0]];
    let mut obs = names("cell", 4);
    obs.insert("batch", Column::categorical(&["a", "b", "a", "b"])).expect("four values");
    let one = |key: &str, it: AnyMatrix| BTreeMap::from([(key.to_owned(), it)]);
    let raw: Array2<f32> = Array2::from_shape_fn((4, 5), |(row, column)| (row * column) as f32);
    let graph = array![[0.0_f32, 1.0, 0.0, 2.0], [1.0, 0.0, 0.0, 0.0], [0.0, 0.0, 0.0, 3.0], [2.0, 0.0, 3.0, 0.0]];
    let data = AnnData {
        x: Some(if dense { AnyMatrix::DenseF32(x.clone()) } else { AnyMatrix::Csr(Csr::from_dense(&x)) }),
        obs,
        var: names("gene", 3),
        extras: Extras {
            layers: one("counts", AnyMatrix::Csr(Csr::from_dense(&(&x * 10.0)))),
            obsm: one("X_pca", AnyMatrix::Dense(array![[0.0, 1.0], [2.0, 3.0], [4.0, 5.0], [6.0, 7.0]])),
            varm: one("PCs", AnyMatrix::Dense(array![[1.0], [2.0], [3.0]])),
            obsp: one("connectivities", AnyMatrix::Csr(Csr::from_dense(&graph))),
            raw: Some((AnyMatrix::Csr(Csr::from_dense(&raw)), names("raw", 5))),
            uns: BTreeMap::from([("title".to_owned(), Uns::Str("kept".to_owned()))]),
            ..Extras::default()
        },
    };
    data.write(path, &WriteOptions::default()).expect("writes");
}

fn annotate(input: &Path, out: &Path, additions: &Additions) -> Result<AnnData> {
    let source = H5ad::open(input)?.source(Matrix::Layer("counts".to_owned()), Scale::Counts)?;
    write_annotated(out, &WriteOptions::default(), &source, input, additions)?;
    H5ad::open(out)?.read_all()
}

#[test]
fn nothing_is_lost_and_additions_are_in_their_place() {
    let dir = tempfile::tempdir().expect("temporary folder");
    for dense in [false, true] {
        let (input, out) = (dir.path().join(format!("in{dense}.h5ad")), dir.path().join(format!("out{dense}.h5ad")));
        full_file(&input, dense);
        let before = H5ad::open(&input).and_then(|it| it.read_all()).expect("reads");
        let additions = Additions {
            obs: vec![("leiden".to_owned(), Column::categorical(&["0", "1", "0", "0"]))],
            var: vec![("highly_variable".to_owned(), Column::Bool(vec![Some(true), Some(false), Some(true)]))],
            uns: BTreeMap::from([("leiden".to_owned(), Uns::Float(0.5))]),
            ..Additions::default()
        };
        let mut after = annotate(&input, &out, &additions).expect("writes");
        assert_eq!(after.obs.column("leiden").expect("added").text(1).as_deref(), Some("1"));
        assert!(after.var.get("highly_variable").is_some());
        assert_eq!(after.extras.uns.remove("leiden"), Some(Uns::Float(0.5)));
        assert_eq!(after.extras, before.extras, "dense {dense}");
        assert_eq!(after.x, before.x, "dense {dense}");
    }
}

#[test]
fn what_is_dropped_is_dropped_everywhere() {
    let dir = tempfile::tempdir().expect("temporary folder");
    let (input, out) = (dir.path().join("in.h5ad"), dir.path().join("out.h5ad"));
    full_file(&input, false);
    let additions = Additions {
        obs: vec![("n".to_owned(), Column::Int((0..4).map(Some).collect()))],
        keep_obs: Some(vec![0, 3]),
        keep_var: Some(vec![0, 2]),
        ..Additions::default()
    };
    let it = annotate(&input, &out, &additions).expect("writes");
    assert_eq!(it.obs.index(), ["cell0", "cell3"]);
    assert_eq!(it.obs.column("n").expect("added"), &Column::Int(vec![Some(0), Some(3)]));
    assert_eq!(it.var.index(), ["gene0", "gene2"]);
    assert_eq!(it.x, Some(AnyMatrix::Csr(Csr::from_dense(&array![[1.0, 2.0], [0.0, 6.0]]))));
    assert_eq!(it.extras.layers["counts"], AnyMatrix::Csr(Csr::from_dense(&array![[10.0, 20.0], [0.0, 60.0]])));
    assert_eq!(it.extras.obsm["X_pca"], AnyMatrix::Dense(array![[0.0, 1.0], [6.0, 7.0]]));
    assert_eq!(it.extras.varm["PCs"], AnyMatrix::Dense(array![[1.0], [3.0]]));
    assert_eq!(it.extras.obsp["connectivities"], AnyMatrix::Csr(Csr::from_dense(&array![[0.0, 2.0], [2.0, 0.0]])));
    let (raw, raw_var) = it.extras.raw.expect("kept");
    assert_eq!((raw.shape(), raw_var.n_rows()), ((2, 5), 5));
}

#[test]
fn a_step_that_changes_values_replaces_x_alone() {
    let dir = tempfile::tempdir().expect("temporary folder");
    let (input, out, of_raw) = (dir.path().join("in.h5ad"), dir.path().join("out.h5ad"), dir.path().join("raw.h5ad"));
    full_file(&input, false);
    let file = H5ad::open(&input).expect("opens");
    let before = file.read_all().expect("reads");
    let mut halve = |x: &mut Csr<f32>| {
        x.data_mut().iter_mut().for_each(|it| *it /= 2.0);
        Ok(())
    };
    let mut write = |matrix: Matrix, to: &Path| {
        let source = file.source(matrix, Scale::Counts).expect("counts");
        let none = Additions::default();
        write_transformed(to, &WriteOptions::default(), &source, &input, &none, &mut halve).expect("writes");
        H5ad::open(to).and_then(|it| it.read_all()).expect("reads")
    };
    let after = write(Matrix::Layer("counts".to_owned()), &out);
    assert_eq!((&after.obs, &after.var, &after.extras), (&before.obs, &before.var, &before.extras));
    let AnyMatrix::Csr(counts) = &before.extras.layers["counts"] else { panic!("sparse") };
    let want: Vec<f32> = counts.data().iter().map(|it| it / 2.0).collect();
    let Some(AnyMatrix::Csr(x)) = &after.x else { panic!("sparse") };
    assert_eq!(x.data(), want);
    // The genes of raw are others: they become those of the file.
    let after = write(Matrix::RawX, &of_raw);
    assert_eq!(after.x.map(|it| it.shape()), Some((4, 5)));
    assert_eq!(after.var.index(), ["raw0", "raw1", "raw2", "raw3", "raw4"]);
    assert!(after.extras.varm.is_empty() && after.extras.layers.is_empty() && after.extras.raw.is_none());
    assert_eq!(after.extras.obsm, before.extras.obsm);
}

#[test]
fn cells_of_any_format_become_a_file() {
    let dir = tempfile::tempdir().expect("temporary folder");
    let x = Csr::from_dense(&array![[1.0_f32, 0.0], [0.0, 2.0]]);
    let var = Var::from_ids(["g0", "g1"]).expect("two genes");
    let source = MemorySource::new("cells", x.clone(), var, names("cell", 2), Scale::Counts).expect("fits");
    let out = dir.path().join("out.h5ad");
    write_annotated(&out, &WriteOptions::default(), &source, Path::new("matrix.mtx"), &Additions::default())
        .expect("writes");
    let it = H5ad::open(&out).and_then(|it| it.read_all()).expect("reads");
    assert_eq!((it.x, it.obs.n_rows()), (Some(AnyMatrix::Csr(x)), source.n_obs()));
}

#[test]
fn an_addition_of_the_wrong_length_is_refused_and_nothing_is_written() {
    let dir = tempfile::tempdir().expect("temporary folder");
    let (input, out) = (dir.path().join("in.h5ad"), dir.path().join("out.h5ad"));
    full_file(&input, false);
    let additions = Additions {
        obsm: BTreeMap::from([("X_umap".to_owned(), AnyMatrix::Dense(array![[0.0, 1.0]]))]),
        ..Additions::default()
    };
    let error = annotate(&input, &out, &additions).expect_err("one row for four cells");
    assert_eq!(error.to_string(), "obsm/X_umap has 1 rows, expected 4");
    assert!(!out.exists());
}
