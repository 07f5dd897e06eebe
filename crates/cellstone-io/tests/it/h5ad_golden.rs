//! Golden files written by Python: every encoding and storage gives the same values, bit for bit.

use cellstone_core::{Column, CountSource, Csr, ObsTable, Scale};
use cellstone_io::{AnyMatrix, H5ad, Matrix, MatrixKind, Uns};
use ndarray::{Array2, s};
use std::path::PathBuf;

const N: usize = 23;
const M: usize = 11;

pub(crate) fn golden(name: &str) -> PathBuf {
    crate::common::golden("h5ad").join(name)
}

/// The values of `generate.py`.
pub(crate) fn expected() -> Array2<f64> {
    let value = |(i, j): (usize, usize)| if (i * 7 + j * 3) % 5 == 0 { ((i + j) % 4 + 1) as f64 } else { 0.0 };
    Array2::from_shape_fn((N, M), value)
}

fn open(name: &str) -> H5ad {
    H5ad::open(golden(name)).expect("golden file opens")
}

fn stream(file: &H5ad, matrix: Matrix, start: usize) -> Csr<f32> {
    let source = file.source(matrix, Scale::Counts).expect("matrix fits obs and var");
    let mut rows = Vec::new();
    for block in source.blocks(start).expect("starts") {
        let block = block.expect("block is counts");
        assert_eq!(block.start, start + rows.len());
        rows.extend(block.x.to_dense().outer_iter().map(|it| it.to_vec()));
    }
    assert_eq!(rows.len(), N - start);
    Csr::from_dense(&Array2::from_shape_vec((N - start, M), rows.concat()).expect("shape"))
}

#[test]
fn every_storage_reads_the_same() {
    let file = open("storage.h5ad");
    let truth = expected();
    let layers = file.keys("layers");
    assert!(layers.len() >= 25, "{layers:?}");
    for layer in layers {
        let want = match layer.as_str() {
            "dense_bool" => truth.mapv(|it| f64::from(it > 0.0)),
            "dense_unwritten" => {
                let mut part = Array2::zeros((N, M));
                part.slice_mut(s![..5, ..]).assign(&truth.slice(s![..5, ..]));
                part
            }
            _ => truth.clone(),
        };
        let matrix = Matrix::Layer(layer.clone());
        assert_eq!(file.dense(&matrix).expect("reads"), want, "layer {layer}");
        for start in [0, 9, N] {
            let rows = Csr::from_dense(&want.slice(s![start.., ..]).mapv(|it| it as f32));
            assert_eq!(stream(&file, matrix.clone(), start), rows, "layer {layer} from row {start}");
        }
    }
    assert_eq!(file.dense(&Matrix::X).expect("reads"), truth);
    assert_eq!(file.obs().expect("reads").index()[22], "cell22");
    let info = file.matrix_info(&Matrix::Layer("csc_gzip".into())).expect("there");
    assert_eq!((info.kind, info.dtype.as_str(), info.nnz), (MatrixKind::Csc, "float64", Some(51)));
    assert_eq!(info.chunk, Some(vec![9]));
    assert!(info.compression.expect("gzip").contains("deflate"));
}

#[test]
fn annotation_of_today() {
    let file = open("modern.h5ad");
    let obs = file.obs().expect("reads");
    assert_eq!(
        obs.names(),
        ["group", "stage", "n", "big", "score", "flag", "maybe_n", "maybe_flag", "maybe_text", "text"]
    );
    let Some(Column::Categorical { codes, categories, ordered }) = obs.get("group") else { panic!("not categorical") };
    assert_eq!((&codes[..3], *ordered), (&[Some(0), Some(1), None][..], false));
    assert_eq!(categories, &["b", "a", "unused"]);
    assert!(matches!(obs.get("stage"), Some(Column::Categorical { ordered: true, .. })));
    let texts = |name: &str| (0..6).map(|row| obs.get(name).expect("there").text(row)).collect::<Vec<_>>();
    let some = |all: [Option<&str>; 6]| all.map(|it| it.map(str::to_owned)).to_vec();
    let all = |all: [&str; 6]| some(all.map(Some));
    assert_eq!(texts("n"), all(["0", "1", "2", "3", "4", "5"]));
    assert_eq!(texts("big"), all(["0", "1", "2", "3", "4", "5"]));
    assert_eq!(texts("score"), some([None, Some("0.5"), Some("1"), Some("1.5"), None, Some("2.5")]));
    assert_eq!(texts("flag"), all(["True", "False", "True", "False", "True", "False"]));
    assert_eq!(texts("maybe_n"), some([None, Some("1"), Some("2"), Some("3"), Some("4"), None]));
    assert_eq!(texts("maybe_flag"), some([None, Some("True"), Some("False"), Some("True"), Some("False"), None]));
    assert_eq!(texts("maybe_text"), some([None, Some("täxt1"), Some("täxt2"), None, Some("täxt4"), Some("täxt5")]));
    assert_eq!(texts("text"), all(["täxt0", "täxt1", "täxt2", "täxt3", "täxt4", "täxt5"]));
    let var = file.var().expect("reads");
    assert_eq!((var.len(), var.label(3)), (M, "G1"));
    assert_eq!(var.columns_of("G1"), [2, 3]);
}

#[test]
fn elements_of_today() {
    let file = open("modern.h5ad");
    let truth = expected();
    let half = truth.slice(s![.., ..3]).mapv(|it| it / 2.0);
    assert_eq!(file.obsm("X_pca").expect("reads"), half);
    assert!(matches!(file.element("layers/csc").expect("reads"), AnyMatrix::Csc(it) if it.nnz() == 51));
    assert!(
        matches!(file.element("obsp/near").expect("reads"), AnyMatrix::Csr(it) if it.to_dense() == Array2::<f32>::eye(N))
    );
    let AnyMatrix::Table(table) = file.element("obsm/table").expect("reads") else { panic!("not a table") };
    assert_eq!(table.get("a").expect("there").text(3).as_deref(), Some("0.75"));
    assert!(file.obsm("table").expect_err("a table").to_string().contains("is a table, expected numbers"));
    assert_eq!(file.dense(&Matrix::RawX).expect("reads"), truth.slice(s![.., ..5]));
    assert_eq!(file.raw_var().expect("reads").len(), 5);
    let Uns::Group(uns) = file.uns().expect("reads") else { panic!("not a group") };
    assert_eq!(uns["word"], Uns::Str("ünï".into()));
    assert_eq!(uns["number"], Uns::Int(3));
    assert_eq!(uns["real"], Uns::Float(0.5));
    assert_eq!(uns["yes"], Uns::Bool(true));
    assert_eq!(uns["words"], Uns::Strs(vec!["a".into(), String::new(), "c".into()]));
    assert_eq!(uns["grid"], Uns::Array { shape: vec![2, 3], values: vec![0.0, 1.0, 2.0, 3.0, 4.0, 5.0] });
    let Uns::Group(deep) = &uns["deep"] else { panic!("not a group") };
    let Uns::Group(deeper) = &deep["deeper"] else { panic!("not a group") };
    let mut want = ObsTable::new(vec!["r0".into(), "r1".into()]);
    want.insert("k", Column::Str(vec![Some("x".into()), Some("y".into())])).expect("fits");
    assert_eq!(deeper["table"], Uns::Table(want));
}

#[test]
fn a_file_of_the_first_format() {
    let file = open("legacy.h5ad");
    let obs = file.obs().expect("reads");
    assert_eq!((obs.index()[7].as_str(), obs.names()), ("cell7", &["group", "n", "short"].map(str::to_owned)[..]));
    let Some(Column::Categorical { codes, categories, .. }) = obs.get("group") else { panic!("not categorical") };
    assert_eq!(
        (&codes[..3], categories.as_slice()),
        (&[Some(0), Some(1), None][..], &["b".to_owned(), "a".into()][..])
    );
    assert_eq!(obs.get("n"), Some(&Column::Int((0..N as i64).map(Some).collect())));
    assert_eq!(obs.get("short").expect("there").text(11).as_deref(), Some("s11"));
    assert_eq!(file.var().expect("reads").ids()[10], "ENSG00000000010");
    assert_eq!(file.dense(&Matrix::X).expect("reads"), expected());
    assert_eq!(file.keys("obsm"), ["X_pca"]);
    assert_eq!(file.obsm("X_pca").expect("reads"), expected().slice(s![.., ..3]).mapv(|it| it / 2.0));
}
