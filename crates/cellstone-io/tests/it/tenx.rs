//! 10x files and folders: against scanpy, restarted, and broken in every way.

use crate::common::{check_restarts, folder, golden, gzip, message, put, read_from, shared};
use cellstone_core::{CountSource, Csr};
use cellstone_io::{OpenOptions, TenxChoice, TenxH5, TenxMtx, open_source};
use hdf5_pure::FileBuilder;
use std::path::Path;

fn choice(genome: Option<&str>, feature_type: Option<&str>) -> TenxChoice {
    TenxChoice { genome: genome.map(Into::into), feature_type: feature_type.map(Into::into) }
}

fn sums(x: &Csr<f32>) -> (Vec<u64>, Vec<u64>) {
    let (mut cells, mut genes) = (vec![0; x.shape().0], vec![0; x.shape().1]);
    for row in 0..x.shape().0 {
        let (cols, values) = x.row(row);
        for (col, value) in cols.iter().zip(values) {
            cells[row] += *value as u64;
            genes[*col as usize] += *value as u64;
        }
    }
    (cells, genes)
}

/// Compares a source with what scanpy read from the same file.
fn check_against_scanpy(source: &dyn CountSource, file: &str) {
    let text = std::fs::read_to_string(golden("tenx/scanpy.json")).expect("golden file");
    let all: serde_json::Value = serde_json::from_str(&text).expect("json");
    let want = &all[file];
    let numbers = |key: &str| -> Vec<u64> {
        want[key].as_array().expect("list").iter().map(|it| it.as_u64().expect("whole")).collect()
    };
    let words = |key: &str| -> Vec<&str> {
        want[key].as_array().expect("list").iter().map(|it| it.as_str().expect("text")).collect()
    };
    let x = read_from(source, 0).expect("reads");
    assert_eq!(x.nnz() as u64, want["nnz"].as_u64().expect("whole"), "{file}");
    let (cells, genes) = sums(&x);
    assert_eq!(cells, numbers("cell_sums"), "{file}");
    assert_eq!(genes, numbers("gene_sums"), "{file}");
    assert_eq!(source.obs().index()[..3], words("first_cells"), "{file}");
    assert_eq!(source.var().ids()[..3], words("gene_ids"), "{file}");
    assert_eq!(source.var().symbols().expect("named")[..3], words("symbols"), "{file}");
    check_restarts(source);
}

#[test]
fn real_files_as_scanpy_reads_them() {
    let Some(data) = shared("formats_fixtures") else { return };
    for (file, genome, version) in [
        ("scanpy_1.2.0_filtered_gene_bc_matrices_h5.h5", None, 2),
        ("scanpy_1.2.0_multiple_genomes.h5", Some("another_genome"), 2),
        ("scanpy_3.0.0_filtered_feature_bc_matrix.h5", None, 3),
    ] {
        let source = TenxH5::open(&data.join(file), &choice(genome, None)).expect("opens").with_block_entries(1000);
        assert_eq!(source.version(), version);
        check_against_scanpy(&source, file);
    }
    for file in ["10x_1.2.0_filtered_gene_bc_matrices_hg19_chr21", "10x_3.0.0_filtered_feature_bc_matrix"] {
        let kept = TenxMtx::open(&data.join(file), &TenxChoice::default()).expect("opens");
        assert!(!kept.is_streamed());
        check_against_scanpy(&kept, file);
        let streamed = TenxMtx::open_with(&data.join(file), &TenxChoice::default(), false, 0).expect("opens");
        assert!(streamed.is_streamed());
        check_against_scanpy(&streamed.with_block_entries(1000), file);
    }
}

#[test]
fn several_genomes_ask_for_a_choice() {
    let Some(data) = shared("formats_fixtures") else { return };
    let path = data.join("scanpy_1.2.0_multiple_genomes.h5");
    let error = TenxH5::open(&path, &TenxChoice::default()).expect_err("two genomes");
    assert_eq!(
        message(&error, &data),
        "`scanpy_1.2.0_multiple_genomes.h5` holds 2 genomes (`another_genome`, `hg19_chr21`) and none is chosen"
    );
    let error = TenxH5::open(&path, &choice(Some("hg19"), None)).expect_err("no such genome");
    assert_eq!(error.hints(), ["did you mean `hg19_chr21`?"]);
}

/// A version 3 file: 3 features (one an antibody) by 3 barcodes, rows of a cell out of order.
struct H5File {
    data: Vec<i32>,
    indices: Vec<i64>,
    indptr: Vec<i64>,
    shape: [i32; 2],
    barcodes: Vec<&'static str>,
    ids: Vec<&'static str>,
    types: Vec<&'static str>,
    genomes: Vec<&'static str>,
}

impl Default for H5File {
    fn default() -> Self {
        Self {
            data: vec![2, 1, 7, 5],
            indices: vec![1, 0, 2, 1],
            indptr: vec![0, 3, 3, 4],
            shape: [3, 3],
            barcodes: vec!["AAC-1", "AAG-1", "AAT-1"],
            ids: vec!["E1", "E2", "CD3"],
            types: vec!["Gene Expression", "Gene Expression", "Antibody Capture"],
            genomes: vec!["GRCh38", "GRCh38", ""],
        }
    }
}

impl H5File {
    fn write(&self, path: &Path) {
        let n = |it: usize| [it as u64];
        let mut file = FileBuilder::new();
        let mut matrix = file.create_group("matrix");
        matrix.create_dataset("data").with_i32_data(&self.data).with_shape(&n(self.data.len()));
        matrix.create_dataset("indices").with_i64_data(&self.indices).with_shape(&n(self.indices.len()));
        matrix.create_dataset("indptr").with_i64_data(&self.indptr).with_shape(&n(self.indptr.len()));
        matrix.create_dataset("shape").with_i32_data(&self.shape).with_shape(&[2]);
        matrix.create_dataset("barcodes").with_ascii_strings(&self.barcodes).expect("ascii");
        let mut features = matrix.create_group("features");
        for (name, values) in
            [("id", &self.ids), ("name", &self.ids), ("feature_type", &self.types), ("genome", &self.genomes)]
        {
            features.create_dataset(name).with_ascii_strings(values).expect("ascii");
        }
        matrix.add_group(features.finish());
        file.add_group(matrix.finish());
        file.write(path).expect("written");
    }
}

#[test]
fn features_are_chosen_by_type() {
    let dir = folder();
    let path = dir.path().join("a.h5");
    H5File::default().write(&path);
    let source = TenxH5::open(&path, &TenxChoice::default()).expect("opens");
    assert_eq!(source.var().ids(), ["E1", "E2"]);
    assert_eq!(source.left_out().get("Antibody Capture"), Some(&1));
    let want = ndarray::array![[1.0, 2.0], [0.0, 0.0], [0.0, 5.0]];
    assert_eq!(read_from(&source, 0).expect("reads").to_dense(), want);
    let source = TenxH5::open(&path, &choice(None, Some("Antibody Capture"))).expect("opens");
    assert_eq!(read_from(&source, 0).expect("reads").to_dense(), ndarray::array![[7.0], [0.0], [0.0]]);
}

#[test]
fn bad_h5_files_are_named() {
    let dir = folder();
    let path = dir.path().join("a.h5");
    let check = |file: &H5File, want: &str| {
        file.write(&path);
        let read = TenxH5::open(&path, &TenxChoice::default()).and_then(|it| read_from(&it, 0));
        assert_eq!(message(&read.expect_err("bad file"), dir.path()), want);
    };
    let good = H5File::default;
    check(
        &H5File { shape: [3, 4], ..good() },
        "`a.h5` `matrix/shape` is [3, 4], expected [3, 3] as there are features and barcodes",
    );
    check(
        &H5File { indptr: vec![0, 3, 4], ..good() },
        "`a.h5` `matrix/indptr` has 3 entries, expected 4 for 3 barcodes",
    );
    check(
        &H5File { indptr: vec![0, 3, 2, 4], ..good() },
        "`a.h5` `matrix/indptr` falls from 3 to 2 at cell 1, expected no fall",
    );
    check(
        &H5File { data: vec![1, 2], ..good() },
        "`a.h5` dataset `matrix/data` has 2 entries, expected 4 as indptr ends there",
    );
    check(&H5File { indices: vec![1, 0, 9, 1], ..good() }, "`a.h5`: cell `AAC-1` has feature index 9, expected 0 to 2");
    check(
        &H5File { indices: vec![1, 1, 2, 1], ..good() },
        "`a.h5`: cell `AAC-1` has two entries for gene `E2`, expected one",
    );
    check(
        &H5File { data: vec![2, -1, 7, 5], ..good() },
        "`a.h5`: cell 0 gene 0 holds a negative value -1, expected counts",
    );
    check(
        &H5File { barcodes: vec!["A", "B", "A"], ..good() },
        "`a.h5`: cell id `A` stands at rows 0 and 2, expected once",
    );
    check(
        &H5File { ids: vec!["E1", "E1", "CD3"], ..good() },
        "features of `a.h5`: gene id `E1` stands at var rows 0 and 1, expected once",
    );
    check(
        &H5File { genomes: vec!["GRCh38", "mm10", ""], ..good() },
        "`a.h5` holds 2 genomes (`GRCh38`, `mm10`) and none is chosen",
    );
    std::fs::write(&path, "cell,gene\n").expect("written");
    let error = TenxH5::open(&path, &TenxChoice::default()).expect_err("no HDF5");
    assert!(message(&error, dir.path()).starts_with("`a.h5` is not an HDF5 file"), "{error}");
    let error = TenxH5::open(&dir.path().join("b.h5"), &TenxChoice::default()).expect_err("absent");
    assert!(message(&error, dir.path()).starts_with("`b.h5`: "), "{error}");
    good().write(&path);
    let bytes = std::fs::read(&path).expect("readable");
    for kept in [bytes.len() / 3, bytes.len() - 1] {
        std::fs::write(&path, &bytes[..kept]).expect("written");
        let read = TenxH5::open(&path, &TenxChoice::default()).and_then(|it| read_from(&it, 0));
        let error = read.expect_err("truncated");
        assert!(message(&error, dir.path()).contains("a.h5`"), "{error}");
    }
}

#[test]
fn an_h5_without_a_matrix_is_no_10x_file() {
    let dir = folder();
    let path = dir.path().join("a.h5");
    let mut file = FileBuilder::new();
    let group = file.create_group("obs");
    file.add_group(group.finish());
    file.write(&path).expect("written");
    let error = open_source(&path, &OpenOptions::default()).err().expect("no 10x file");
    assert_eq!(
        message(&error, dir.path()),
        "`a.h5` is no 10x file: expected a group `matrix`, or one per genome that holds `barcodes` (groups: `obs`)"
    );
}

const MATRIX: &str = "%%MatrixMarket matrix coordinate integer general\n%\n3 2 3\n3 1 7\n1 1 1\n2 2 5\n";
const FEATURES: &str = "E1\tA\tGene Expression\nE2\tB\tGene Expression\nCD3\tCD3\tAntibody Capture\n";

fn put_folder(folder: &Path, prefix: &str, ending: &str) {
    put(&folder.join(format!("{prefix}matrix.mtx{ending}")), MATRIX);
    put(&folder.join(format!("{prefix}features.tsv{ending}")), FEATURES);
    put(&folder.join(format!("{prefix}barcodes.tsv{ending}")), "AAC-1\nAAG-1\n");
}

#[test]
fn folders_in_every_form() {
    let dir = folder();
    let want = ndarray::array![[1.0, 0.0], [0.0, 5.0]];
    let check = |path: &Path, choice: &TenxChoice| {
        for in_memory in [0, 100] {
            let source = TenxMtx::open_with(path, choice, false, in_memory).expect("opens");
            assert_eq!(source.is_streamed(), in_memory == 0);
            assert_eq!(read_from(&source, 0).expect("reads").to_dense(), want);
            assert_eq!(source.var().symbols().expect("named"), ["A", "B"]);
            check_restarts(&source);
        }
    };
    put_folder(&dir.path().join("v3"), "", ".gz");
    put_folder(&dir.path().join("plain"), "", "");
    put_folder(&dir.path().join("prefixed"), "GSM1_", ".gz");
    check(&dir.path().join("v3"), &TenxChoice::default());
    check(&dir.path().join("plain"), &TenxChoice::default());
    check(&dir.path().join("prefixed"), &TenxChoice::default());
    check(&dir.path().join("prefixed/GSM1_matrix.mtx.gz"), &TenxChoice::default());
    put_folder(&dir.path().join("genomes/hg19"), "", "");
    put_folder(&dir.path().join("genomes/mm10"), "", "");
    check(&dir.path().join("genomes"), &choice(Some("mm10"), None));
    let error = TenxMtx::open(&dir.path().join("genomes"), &TenxChoice::default()).expect_err("two genomes");
    assert_eq!(message(&error, dir.path()), "`genomes` holds 2 genomes (`hg19`, `mm10`) and none is chosen");
    put_folder(&dir.path().join("prefixed"), "GSM2_", ".gz");
    let error = TenxMtx::open(&dir.path().join("prefixed"), &TenxChoice::default()).expect_err("two matrices");
    assert_eq!(message(&error, dir.path()), "`prefixed` holds 2 matrices (`GSM1_matrix.mtx.gz`, `GSM2_matrix.mtx.gz`)");
}

#[test]
fn cells_out_of_order_are_sorted_in_memory() {
    let dir = folder();
    put_folder(dir.path(), "", "");
    put(
        &dir.path().join("matrix.mtx"),
        "%%MatrixMarket matrix coordinate real general\n3 2 3\n2 2 5\n3 1 7\n1 1 1.0\n",
    );
    let source = TenxMtx::open_with(dir.path(), &TenxChoice::default(), false, 0).expect("opens");
    assert!(!source.is_streamed());
    assert_eq!(read_from(&source, 0).expect("reads").to_dense(), ndarray::array![[1.0, 0.0], [0.0, 5.0]]);
    put(&dir.path().join("matrix.mtx"), "%%MatrixMarket matrix coordinate real general\n2 3 3\n2 2 5\n1 3 7\n1 1 1\n");
    let error = TenxMtx::open(dir.path(), &TenxChoice::default()).expect_err("exchanged");
    assert_eq!(
        message(&error, dir.path()),
        "`matrix.mtx` line 2: the size line says 2 x 3, expected 3 features x 2 barcodes as in `features.tsv` and `barcodes.tsv`"
    );
    assert_eq!(error.hints(), ["rows and columns are exchanged: set transpose"]);
    let options = OpenOptions { transpose: true, ..Default::default() };
    let source = open_source(dir.path(), &options).expect("opens");
    assert_eq!(read_from(&*source, 0).expect("reads").to_dense(), ndarray::array![[1.0, 0.0], [0.0, 5.0]]);
}

#[test]
fn bad_folders_are_named() {
    let check = |name: &str, text: &str, want: &str| {
        for in_memory in [0, 100] {
            let dir = folder();
            put_folder(dir.path(), "", "");
            put(&dir.path().join(name), text);
            let read = TenxMtx::open_with(dir.path(), &TenxChoice::default(), false, in_memory);
            let error = read.and_then(|it| read_from(&it, 0)).expect_err("bad folder");
            assert_eq!(message(&error, dir.path()), want);
        }
    };
    let matrix = |entries: &str| format!("%%MatrixMarket matrix coordinate integer general\n3 2 2\n{entries}");
    check("matrix.mtx", "", "`matrix.mtx` is empty, expected a Matrix Market file");
    check(
        "matrix.mtx",
        &matrix("1 1 1\n"),
        "`matrix.mtx` line 3: the file ends after 1 entries, expected 2 as its header says",
    );
    check("matrix.mtx", &matrix("1 1 1\n4 2 1\n"), "`matrix.mtx` line 4: row index 4, expected 1 to 3");
    check("matrix.mtx", &matrix("1 1 1\n1 2\n"), "`matrix.mtx` line 4: `1 2`, expected `row column value`");
    check(
        "matrix.mtx",
        &matrix("1 1 1\n1 2 -3\n"),
        "`matrix.mtx`: cell 1 gene 0 holds a negative value -3, expected counts",
    );
    check(
        "matrix.mtx",
        &matrix("1 1 1\n1 2 0.5\n"),
        "`matrix.mtx`: cell 1 gene 0 holds a fractional value 0.5, expected counts",
    );
    check(
        "matrix.mtx",
        &matrix("1 1 nan\n1 2 1\n"),
        "`matrix.mtx`: cell 0 gene 0 holds a non-finite value NaN, expected counts",
    );
    check("barcodes.tsv", "A\nA\n", "`barcodes.tsv`: cell id `A` stands at rows 0 and 1, expected once");
    check(
        "features.tsv",
        "E1\tA\tGene Expression\nE1\tB\tGene Expression\nE3\tC\tGene Expression\n",
        "features of `features.tsv`: gene id `E1` stands at var rows 0 and 1, expected once",
    );
    check(
        "features.tsv",
        "E1\tA\tGene Expression\nE2\tB\n",
        "`features.tsv` line 2: 2 columns, expected 3 as in the first line",
    );
    check(
        "barcodes.tsv",
        "A\n",
        "`matrix.mtx` line 3: the size line says 3 x 2, expected 3 features x 1 barcodes as in `features.tsv` and `barcodes.tsv`",
    );
}

#[test]
fn repeated_entries_and_truncated_gzip_are_named() {
    let dir = folder();
    put_folder(dir.path(), "", "");
    put(&dir.path().join("matrix.mtx"), "%%MatrixMarket matrix coordinate integer general\n3 2 2\n2 2 5\n2 2 5\n");
    let read = TenxMtx::open_with(dir.path(), &TenxChoice::default(), false, 0).and_then(|it| read_from(&it, 0));
    let want = "`matrix.mtx`: cell `AAG-1` has two entries for gene `E2`, expected one";
    assert_eq!(message(&read.expect_err("repeated"), dir.path()), want);
    std::fs::remove_file(dir.path().join("matrix.mtx")).expect("there");
    let whole = gzip(MATRIX.as_bytes());
    std::fs::write(dir.path().join("matrix.mtx.gz"), &whole[..whole.len() - 12]).expect("written");
    let error = TenxMtx::open(dir.path(), &TenxChoice::default()).expect_err("truncated");
    let text = message(&error, dir.path());
    assert!(text.starts_with("`matrix.mtx.gz` line "), "{text}");
    assert!(text.ends_with(": the gzip stream ends early: the file is truncated"), "{text}");
    std::fs::remove_file(dir.path().join("barcodes.tsv")).expect("there");
    let error = TenxMtx::open(dir.path(), &TenxChoice::default()).expect_err("no barcodes");
    assert_eq!(message(&error, dir.path()), "none of `barcodes.tsv`, `barcodes.tsv.gz` beside `matrix.mtx.gz`");
    let empty = folder();
    let error = TenxMtx::open(empty.path(), &TenxChoice::default()).expect_err("empty folder");
    assert_eq!(message(&error, empty.path()), "no `matrix.mtx` or `matrix.mtx.gz` in `DIR` (files: none)");
}
