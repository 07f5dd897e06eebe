//! Bad input: every message says file, dataset or cell, what was found and what was expected; nothing panics.

use crate::h5ad_golden::golden;
use cellstone_core::{CountSource, Csr, Error, ObsTable, Scale};
use cellstone_io::{Extras, H5ad, H5adSource, H5adWriter, Matrix, WriteOptions, write_dense};
use ndarray::{Array2, array};
use std::path::{Path, PathBuf};

fn names(stem: &str, n: usize) -> ObsTable {
    ObsTable::new((0..n).map(|it| format!("{stem}{it}")).collect())
}

fn first_error(source: &H5adSource) -> Error {
    source.blocks(0).expect("starts").find_map(Result::err).expect("some block is refused")
}

#[track_caller]
fn says(error: &Error, parts: &[&str]) {
    for part in parts {
        assert!(error.to_string().contains(part), "`{error}` lacks `{part}`");
    }
}

fn dense(dir: &Path, x: &Array2<f32>) -> H5ad {
    let path = dir.join("x.h5ad");
    let options = WriteOptions { overwrite: true, gzip_level: Some(4) };
    write_dense(&path, &options, x, &names("c", x.nrows()), &names("g", x.ncols()), &Extras::default())
        .expect("writes");
    H5ad::open(&path).expect("opens")
}

#[test]
fn values_against_the_scale() {
    let dir = tempfile::tempdir().expect("temporary folder");
    let check = |x: Array2<f32>, scale: Scale, parts: &[&str]| {
        let source = dense(dir.path(), &x).source(Matrix::X, scale).expect("fits");
        says(&first_error(&source), parts);
    };
    let log = Scale::LogNorm { target_sum: None };
    check(array![[1.0, 0.0], [0.5, 2.0]], Scale::Counts, &["x.h5ad` `X`: cell 1 gene 0 holds a fractional value 0.5"]);
    check(array![[1.0, -2.0]], Scale::Counts, &["cell 0 gene 1 holds a negative value -2, expected counts"]);
    check(array![[1.0], [f32::NAN]], log, &["cell 1 gene 0 holds a non-finite value NaN"]);
    check(array![[f32::INFINITY]], log, &["cell 0 gene 0 holds a non-finite value inf"]);
}

#[test]
fn patterns_of_sparse_rows() {
    // The writer takes only valid rows, so valid ones are written and the indices changed in the (uncompressed) file.
    let dir = tempfile::tempdir().expect("temporary folder");
    let path = dir.path().join("x.h5ad");
    let check = |from: [u32; 3], to: [u32; 3], part: &str| {
        let options = WriteOptions { overwrite: true, gzip_level: None };
        let mut writer = H5adWriter::create(&path, &options, 1000).expect("creates");
        writer
            .write_rows(&Csr::new(2, 1000, vec![0, 0, 3], from.to_vec(), vec![1.0; 3]).expect("valid"))
            .expect("writes");
        writer.finish(&names("c", 2), &names("g", 1000), &Extras::default()).expect("finishes");
        let bytes = |it: [u32; 3]| it.map(u32::to_le_bytes).concat();
        let mut file = std::fs::read(&path).expect("reads");
        let at = file.windows(12).position(|it| it == bytes(from)).expect("indices are stored as they are");
        file[at..at + 12].copy_from_slice(&bytes(to));
        std::fs::write(&path, file).expect("writes");
        let file = H5ad::open(&path).expect("opens");
        let error = first_error(&file.source(Matrix::X, Scale::Counts).expect("fits"));
        says(&error, &["x.h5ad` `X`: cell 1 has", part]);
        says(&file.dense(&Matrix::X).expect_err("refused"), &[part]);
        let report = cellstone_io::inspect(&path).expect("looks");
        assert!(report.problems.iter().any(|it| it.what.contains(part)), "{report}");
    };
    check([701, 802, 903], [701, 701, 903], "repeated indices (701 then 701)");
    check([701, 802, 903], [701, 802, 1000], "index 1000, expected below 1000");
}

#[test]
fn not_these_files() {
    let dir = tempfile::tempdir().expect("temporary folder");
    let put = |name: &str, bytes: &[u8]| {
        let path = dir.path().join(name);
        std::fs::write(&path, bytes).expect("writes");
        path
    };
    let refused = |path: PathBuf| H5ad::open(path).expect_err("refused");
    says(&refused(put("text.h5ad", b"gene,cell\n")), &["text.h5ad` is not an HDF5 file"]);
    says(&refused(put("empty.h5ad", b"")), &["empty.h5ad` is empty"]);
    assert_eq!(refused(put("a.gz", &[0x1f, 0x8b, 8, 0])).hints(), ["it is gzipped: gunzip it first"]);
    says(&refused(dir.path().join("absent.h5ad")), &["absent.h5ad`: No such file"]);
    says(&refused(dir.path().to_owned()), &["is a folder, expected an HDF5 file"]);
    let mut builder = hdf5_pure::FileBuilder::new();
    builder.create_dataset("matrix").with_f32_data(&[1.0]);
    says(&refused(put("other.h5ad", &builder.finish().expect("builds"))), &["not AnnData", "`matrix`"]);
}

#[test]
fn what_is_missing_is_named() {
    let dir = tempfile::tempdir().expect("temporary folder");
    let path = dir.path().join("no_x.h5ad");
    let data = cellstone_io::AnnData { obs: names("c", 2), var: names("g", 2), ..Default::default() };
    data.write(&path, &WriteOptions::default()).expect("writes");
    let file = H5ad::open(&path).expect("opens");
    says(&file.dense(&Matrix::X).expect_err("none"), &["no_x.h5ad` has no `X`"]);
    let golden = H5ad::open(golden("modern.h5ad")).expect("opens");
    let error = golden.dense(&Matrix::Layer("dens".into())).expect_err("none");
    says(&error, &["has no `dens` in `layers`", "`dense`"]);
    assert_eq!(error.hints(), ["did you mean `dense`?"]);
    says(&golden.dense(&Matrix::Layer("../obs".into())).expect_err("none"), &["has no"]);
    says(&golden.obsm("X_umap").expect_err("none"), &["has no `X_umap` in `obsm`", "`X_pca`"]);
    // Names are not numbers.
    says(&golden.element("obs/text").expect_err("text"), &["expected numbers"]);
    says(&golden.element("obs/group").expect_err("a column"), &["encoding `categorical`"]);
}

#[test]
fn repeated_names() {
    let dir = tempfile::tempdir().expect("temporary folder");
    let path = dir.path().join("twice.h5ad");
    let twice = || ObsTable::new(vec!["a".into(), "b".into(), "a".into()]);
    write_dense(&path, &WriteOptions::default(), &Array2::<f32>::ones((3, 3)), &twice(), &twice(), &Extras::default())
        .expect("writes");
    let file = H5ad::open(&path).expect("opens");
    assert_eq!(file.obs().expect("reads").first_duplicate(), Some(("a", 0, 2)));
    let error = file.source(Matrix::X, Scale::Counts).expect_err("repeated gene");
    says(&error, &["twice.h5ad` `var`: gene id `a` stands at var rows 0 and 2, expected once"]);
    let report = cellstone_io::inspect(&path).expect("looks");
    assert!(report.problems.iter().any(|it| it.what == "obs name `a` stands at rows 0 and 2"), "{report}");
}

#[test]
fn a_corrupt_chunk_is_named() {
    let dir = tempfile::tempdir().expect("temporary folder");
    let path = dir.path().join("x.h5ad");
    let (n, m) = (400, 500);
    let x = Array2::from_shape_fn((n, m), |(i, j)| ((i * 37 + j * 11) % 251 + 1) as f32);
    let mut writer = H5adWriter::create(&path, &WriteOptions::default(), m).expect("creates");
    writer.write_rows(&Csr::from_dense(&x)).expect("writes");
    writer.finish(&names("c", n), &names("g", m), &Extras::default()).expect("finishes");
    let mut bytes = std::fs::read(&path).expect("reads");
    // The chunks of the values are the first thing after the superblock.
    for it in &mut bytes[200..260] {
        *it ^= 0x5a;
    }
    std::fs::write(&path, &bytes).expect("writes");
    let file = H5ad::open(&path).expect("opens");
    let error = first_error(&file.source(Matrix::X, Scale::Counts).expect("fits"));
    says(&error, &["x.h5ad` dataset `X/data` is corrupt: chunk 0: gzip stream is corrupt"]);
    assert_eq!(error.hints(), ["copy or download the file again and compare its checksum"]);
}

#[test]
fn truncation_is_named() {
    let dir = tempfile::tempdir().expect("temporary folder");
    for name in ["modern.h5ad", "storage.h5ad", "legacy.h5ad"] {
        let bytes = std::fs::read(golden(name)).expect("reads");
        for keep in [bytes.len() - 1, bytes.len() / 2, 3000, 100] {
            let path = dir.path().join(name);
            std::fs::write(&path, &bytes[..keep]).expect("writes");
            let error = H5ad::open(&path).expect_err("truncated");
            assert!(error.is_invalid_input(), "{error}");
            says(&error, &[name]);
        }
    }
}

#[test]
fn damage_anywhere_is_an_error_or_other_values_but_no_panic() {
    let dir = tempfile::tempdir().expect("temporary folder");
    let path = dir.path().join("damaged.h5ad");
    let mut refused = 0;
    for name in ["modern.h5ad", "storage.h5ad", "legacy.h5ad"] {
        let whole = std::fs::read(golden(name)).expect("reads");
        for step in 0..40 {
            let mut bytes = whole.clone();
            let at = whole.len() * step / 40 + step;
            for it in bytes.iter_mut().skip(at).take(24) {
                *it = it.wrapping_mul(7).wrapping_add(0x5b);
            }
            std::fs::write(&path, &bytes).expect("writes");
            let read = H5ad::open(&path)
                .and_then(|it| it.read_all().map(|_| ()).and_then(|()| it.source(Matrix::X, Scale::Counts)));
            let read = read.and_then(|it| it.read());
            refused += usize::from(read.is_err());
        }
    }
    assert!(refused > 10, "{refused} of 120 damaged files were refused");
}
