//! What is written reads back the same, and appears whole or not at all.

use crate::h5ad_golden::golden;
use cellstone_core::{Column, CountSource, Csr, ObsTable, Scale};
use cellstone_io::{AnnData, AnyMatrix, Extras, H5ad, H5adWriter, Matrix, MatrixKind, WriteOptions, write_dense};
use ndarray::Array2;
use proptest::prelude::*;
use std::path::Path;

fn names(stem: &str, n: usize) -> ObsTable {
    ObsTable::new((0..n).map(|it| format!("{stem}{it}")).collect())
}

fn folder(path: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(path).expect("readable");
    entries.map(|it| it.expect("entry").file_name().to_string_lossy().into_owned()).collect()
}

/// A file for `read_back.py`: what `modern.h5ad` holds, read and written. Kept where the caller says, if anywhere.
#[test]
fn a_file_for_python() {
    let dir = tempfile::tempdir().expect("temporary folder");
    let path = option_env!("CELLSTONE_READ_BACK").map_or_else(|| dir.path().join("back.h5ad"), Into::into);
    let first = H5ad::open(golden("modern.h5ad")).expect("opens").read_all().expect("reads");
    let options = WriteOptions { overwrite: true, ..WriteOptions::default() };
    first.write(&path, &options).expect("writes");
    let second = H5ad::open(&path).expect("opens").read_all().expect("reads");
    // NaN is not equal to itself; its bits are not asked for.
    let blank = |mut it: AnnData| {
        let score = it.obs.get("score").expect("there").clone();
        it.obs.insert("score", Column::Str((0..score.len()).map(|row| score.text(row)).collect())).expect("fits");
        it
    };
    assert_eq!(blank(second), blank(first));
}

#[test]
fn many_chunks_and_levels_of_the_index() {
    // 9,000,000 values are 138 chunks of data and two levels of B-tree; rows of every length come and go.
    let dir = tempfile::tempdir().expect("temporary folder");
    let path = dir.path().join("big.h5ad");
    let (n, m) = (3000_usize, 6000_usize);
    let rows = |range: std::ops::Range<usize>| {
        let (mut indptr, mut indices, mut data) = (vec![0], Vec::new(), Vec::new());
        for row in range {
            for col in (row % 7..m).step_by(row % 3 + 1) {
                indices.push(col as u32);
                data.push(((row * 31 + col * 7) % 11 + 1) as f32);
            }
            indptr.push(indices.len());
        }
        Csr::new(indptr.len() - 1, m, indptr, indices, data).expect("valid")
    };
    let mut writer = H5adWriter::create(&path, &WriteOptions { gzip_level: Some(1), ..WriteOptions::default() }, m)
        .expect("creates");
    for start in (0..n).step_by(700) {
        writer.write_rows(&rows(start..n.min(start + 700))).expect("writes");
    }
    assert_eq!(writer.n_rows(), n);
    assert!(!path.exists(), "nothing stands under the final name before the end");
    writer.finish(&names("c", n), &names("g", m), &Extras::default()).expect("finishes");
    assert_eq!(folder(dir.path()), ["big.h5ad"]);
    let file = H5ad::open(&path).expect("opens");
    let source = file.source(Matrix::X, Scale::Counts).expect("fits");
    let (mut next, mut n_blocks) = (0, 0);
    for block in source.blocks(0).expect("starts") {
        let block = block.expect("reads");
        assert_eq!(block.start, next);
        next += block.x.shape().0;
        n_blocks += 1;
        assert_eq!(block.x, rows(block.start..next));
    }
    assert_eq!(next, n);
    assert!(n_blocks > 2, "{n_blocks} blocks");
    let late = source.blocks(2990).expect("starts").next().expect("a block").expect("reads");
    assert_eq!(late.x, rows(2990..n));
    // A consumer that stops early stops the reader.
    drop(source.blocks(0).expect("starts").next());
}

#[test]
fn files_of_one_thread_are_those_of_many() {
    let dir = tempfile::tempdir().expect("temporary folder");
    let x = Csr::from_dense(&Array2::from_shape_fn((500, 300), |(i, j)| ((i * j) % 13) as f32));
    let write = |name: &str| {
        let mut writer = H5adWriter::create(dir.path().join(name), &WriteOptions::default(), 300).expect("creates");
        writer.write_rows(&x).expect("writes");
        writer.finish(&names("c", 500), &names("g", 300), &Extras::default()).expect("finishes");
        std::fs::read(dir.path().join(name)).expect("reads")
    };
    let many = write("many.h5ad");
    let one = rayon::ThreadPoolBuilder::new().num_threads(1).build().expect("pool").install(|| write("one.h5ad"));
    assert!(one == many, "bytes differ");
}

#[test]
fn existing_files_are_kept() {
    let dir = tempfile::tempdir().expect("temporary folder");
    let path = dir.path().join("out.h5ad");
    std::fs::write(&path, "precious").expect("writes");
    let x = Array2::<f32>::ones((2, 2));
    let write = |overwrite| {
        let options = WriteOptions { overwrite, gzip_level: None };
        write_dense(&path, &options, &x, &names("c", 2), &names("g", 2), &Extras::default())
    };
    let error = write(false).expect_err("exists");
    assert!(error.is_config() && error.to_string().contains("out.h5ad` exists already"), "{error}");
    assert_eq!(error.hints(), ["choose another path, or pass --force to overwrite"]);
    assert_eq!(std::fs::read_to_string(&path).expect("reads"), "precious");
    write(true).expect("overwrites");
    assert_eq!(H5ad::open(&path).expect("opens").dense(&Matrix::X).expect("reads"), Array2::<f64>::ones((2, 2)));
    let missing = dir.path().join("no/such/out.h5ad");
    let error = H5adWriter::create(&missing, &WriteOptions::default(), 2).err().expect("no folder");
    assert!(error.to_string().contains("no/such/out.h5ad"), "{error}");
}

#[test]
fn an_abandoned_writer_leaves_nothing() {
    let dir = tempfile::tempdir().expect("temporary folder");
    let path = dir.path().join("out.h5ad");
    let mut writer = H5adWriter::create(&path, &WriteOptions::default(), 2).expect("creates");
    writer.write_rows(&Csr::from_dense(&ndarray::array![[1.0, 2.0]])).expect("writes");
    let error = writer.write_rows(&Csr::from_dense(&ndarray::array![[1.0]])).expect_err("another width");
    assert!(error.to_string().contains("a block of rows has 1 columns, expected 2"), "{error}");
    let error = writer.finish(&names("c", 3), &names("g", 2), &Extras::default()).expect_err("3 cells");
    assert!(error.to_string().contains("X has shape 1 × 2, but obs has 3 rows and var 2"), "{error}");
    assert!(folder(dir.path()).is_empty());
    let mut extras = Extras::default();
    extras.obsm.insert("X_pca".into(), AnyMatrix::Dense(Array2::zeros((5, 2))));
    let error = write_dense(
        &path,
        &WriteOptions::default(),
        &Array2::<f64>::zeros((2, 2)),
        &names("c", 2),
        &names("g", 2),
        &extras,
    )
    .expect_err("5 rows");
    assert!(error.to_string().contains("obsm/X_pca has shape 5 × 2, expected 2 × any"), "{error}");
    let mut obs = names("c", 2);
    obs.insert("a/b", Column::Float(vec![0.0; 2])).expect("fits");
    let error = AnnData { obs, var: names("g", 1), ..AnnData::default() }
        .write(&path, &WriteOptions::default())
        .expect_err("slash");
    assert!(error.to_string().contains("name `a/b` cannot be written"), "{error}");
    assert!(folder(dir.path()).is_empty());
}

fn column(n: usize) -> impl Strategy<Value = Column> {
    let text = prop::option::of("[a-zé ]{0,6}");
    prop_oneof![
        prop::collection::vec(prop::option::of(any::<i64>()), n).prop_map(Column::Int),
        prop::collection::vec(prop::option::of(any::<bool>()), n).prop_map(Column::Bool),
        prop::collection::vec(any::<f64>().prop_filter("NaN is not equal to itself", |it| !it.is_nan()), n)
            .prop_map(Column::Float),
        prop::collection::vec(text, n).prop_map(Column::Str),
        (prop::collection::vec(prop::option::of(0_u32..200), n), any::<bool>()).prop_map(|(codes, ordered)| {
            Column::Categorical { codes, ordered, categories: (0..200).map(|it| format!("c{it}")).collect() }
        }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn what_is_written_is_read(
        (x, columns) in (1_usize..9, 1_usize..7).prop_flat_map(|(n, m)| (
            prop::collection::vec(0_u8..3, n * m)
                .prop_map(move |it| Array2::from_shape_vec((n, m), it).expect("shape").mapv(f32::from)),
            prop::collection::vec(column(n), 0..4),
        )),
        gzip_level in prop::option::of(0_u32..=9),
    ) {
        let dir = tempfile::tempdir().expect("temporary folder");
        let path = dir.path().join("it.h5ad");
        let (n, m) = x.dim();
        let csr = Csr::from_dense(&x);
        let mut obs = names("c", n);
        for (at, it) in columns.into_iter().enumerate() {
            obs.insert(format!("col{at}"), it).expect("fits");
        }
        let mut data = AnnData { x: Some(AnyMatrix::Csr(csr.clone())), obs, var: names("g", m), ..AnnData::default() };
        data.extras.layers.insert("csc".into(), AnyMatrix::Csc(csr.to_csc()));
        data.extras.layers.insert("dense".into(), AnyMatrix::DenseF32(x.clone()));
        data.extras.layers.insert("dense64".into(), AnyMatrix::Dense(x.mapv(f64::from)));
        data.write(&path, &WriteOptions { overwrite: false, gzip_level }).expect("writes");
        let file = H5ad::open(&path).expect("opens");
        prop_assert_eq!(&file.read_all().expect("reads"), &data);
        prop_assert_eq!(file.matrix_info(&Matrix::Layer("csc".into())).expect("there").kind, MatrixKind::Csc);
        for matrix in [Matrix::X, Matrix::Layer("csc".into()), Matrix::Layer("dense".into()), Matrix::Layer("dense64".into())] {
            let source = file.source(matrix, Scale::Counts).expect("fits");
            prop_assert_eq!(&source.read().expect("reads"), &csr);
        }
    }
}
