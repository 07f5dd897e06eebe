//! Annotation tables, embeddings, gene sets and networks.

use crate::common::{folder, golden, message, put, read_from, shared, texts};
use cellstone_core::{Column, CountSource, Csr, ObsTable, Scale, Var};
use cellstone_io::{
    AnnotatedSource, EmbeddingOptions, MemorySource, NpyArray, OpenOptions, load_embedding, open_source, read_edges,
    read_embedding, read_gmt, read_obs_table, write_npz,
};
use ndarray::array;
use std::path::Path;

#[test]
fn parquet_as_pandas_wrote_it() {
    for file in ["obs.parquet", "categorical.parquet"] {
        let obs = read_obs_table(&golden("tenx").join(file)).expect(file);
        assert_eq!(obs.index(), ["AAC-1", "AAG-1", "AAT-1"], "{file}");
        assert_eq!(obs.names(), ["batch", "n", "score", "keep"], "{file}");
        assert_eq!(texts(&obs, "batch"), ["b1", "b2", "-"], "{file}");
        assert_eq!(obs.column("n").expect("there"), &Column::Int(vec![Some(1), Some(2), Some(3)]));
        assert_eq!(texts(&obs, "score"), ["0.5", "-", "2"], "{file}");
        assert_eq!(obs.column("keep").expect("there"), &Column::Bool(vec![Some(true), Some(false), Some(true)]));
    }
    let narrow = read_obs_table(&golden("tenx/narrow.parquet")).expect("8 bits");
    let limits = [("int8", -128, 127), ("int16", -32_768, 32_767), ("uint8", 0, 255), ("uint16", 0, 65_535)];
    for (name, least, most) in limits {
        let want = Column::Int(vec![Some(least), Some(1), Some(most)]);
        assert_eq!(narrow.column(name).expect("there"), &want, "{name}");
    }
    assert_eq!(narrow.column("gap").expect("there"), &Column::Int(vec![None, Some(7), Some(-1)]));
    assert_eq!(narrow.column("n").expect("there"), &Column::Int(vec![Some(1), Some(2), Some(3)]));
    let path = golden("tenx/dense.parquet");
    let source = open_source(&path, &OpenOptions::default()).expect("opens");
    assert_eq!(source.obs().index(), ["c1", "c2"]);
    assert_eq!(source.var().ids(), ["g1", "g2", "g3"]);
    assert_eq!(read_from(&*source, 0).expect("reads").to_dense(), array![[1.0, 0.0, 2.0], [0.0, 3.0, 0.0]]);
    let turned = open_source(&path, &OpenOptions { transpose: true, ..Default::default() }).expect("opens");
    assert_eq!(turned.var().ids(), ["c1", "c2"]);
    let error = open_source(&golden("tenx/obs.parquet"), &OpenOptions::default()).err().expect("text");
    assert!(error.to_string().ends_with("obs.parquet` column `batch`: type str, expected numbers"), "{error}");
}

#[test]
fn broken_parquet_is_named() {
    let dir = folder();
    let path = dir.path().join("a.parquet");
    let bytes = std::fs::read(golden("tenx/obs.parquet")).expect("golden file");
    for kept in [0, 3, bytes.len() / 2, bytes.len() - 5] {
        std::fs::write(&path, &bytes[..kept]).expect("written");
        let error = read_obs_table(&path).expect_err("truncated");
        assert!(message(&error, dir.path()).starts_with("`a.parquet` is not readable as parquet ("), "{error}");
    }
}

#[test]
fn bad_annotation_is_named() {
    let dir = folder();
    let path = dir.path().join("obs.csv");
    let check = |text: &str, want: &str| {
        put(&path, text);
        assert_eq!(message(&read_obs_table(&path).expect_err("bad table"), dir.path()), want);
    };
    check("", "`obs.csv` is empty, expected a table with a header");
    check("id,a\nx,1\ny\n", "`obs.csv` line 3: 1 fields, expected 2 as in the header");
    check("id,a,a\nx,1,2\n", "`obs.csv`: column `a` stands at positions 2 and 3, expected once");
    check("id,a\nx,1\nx,2\n", "`obs.csv`: row name `x` stands at rows 0 and 1, expected once");
    check("id,a\nx,\"1\n", "`obs.csv` line 2: column 2 opens a quote that is not closed");
}

#[test]
fn annotation_is_joined_by_barcode() {
    let dir = folder();
    let path = dir.path().join("obs.tsv.gz");
    put(&path, "barcode\tguide\nb\tAHR\na\tcontrol\n");
    let source = || {
        let mut obs = ObsTable::new(vec!["a".into(), "b".into()]);
        obs.insert("batch", Column::Int(vec![Some(1), Some(2)])).expect("fits");
        let x = Csr::from_dense(&array![[1.0_f32], [2.0]]);
        Box::new(MemorySource::new("m", x, Var::from_ids(["g"]).expect("unique"), obs, Scale::Counts).expect("fits"))
    };
    let joined = AnnotatedSource::new(source(), &read_obs_table(&path).expect("reads")).expect("same cells");
    assert_eq!(texts(joined.obs(), "guide"), ["control", "AHR"]);
    assert_eq!(texts(joined.obs(), "batch"), ["1", "2"]);
    assert_eq!(read_from(&joined, 1).expect("reads").to_dense(), array![[2.0]]);
    put(&path, "barcode\tguide\na\tAHR\nc\tcontrol\nd\tcontrol\n");
    let error = AnnotatedSource::new(source(), &read_obs_table(&path).expect("reads")).err().expect("other cells");
    assert_eq!(
        error.to_string(),
        "joining the annotation to `m`: the annotation has 3 rows for 2 cells: 1 cells have no row (`b`), 2 rows have no cell (`c`, `d`)"
    );
}

#[test]
fn embeddings_from_every_format() {
    let dir = folder();
    let at = |name: &str| dir.path().join(name);
    let matrix = NpyArray::from_matrix(&array![[1.0, 2.0], [0.0, 1.0], [3.0, 4.0]]);
    let ids = NpyArray::from_strings(["TP53", "AHR", "TP53"]);
    write_npz(&at("e.npz"), false, &[("genes", &ids), ("z", &matrix)]).expect("written");
    put(&at("e.csv"), "gene,d1,d2\nTP53,1,2\nAHR,0,1\nTP53,3,4\n");
    put(&at("e.tsv.gz"), "d1\td2\tsymbol\n1\t2\tTP53\n0\t1\tAHR\n3\t4\tTP53\n");
    let options = |id_column: Option<&str>| EmbeddingOptions {
        name: "e".into(),
        id_column: id_column.map(Into::into),
        ..Default::default()
    };
    for (name, id_column) in [("e.npz", None), ("e.npz", Some("genes")), ("e.csv", None), ("e.tsv.gz", Some("symbol"))]
    {
        let loaded = load_embedding(&at(name), &options(id_column)).expect(name);
        assert_eq!((loaded.n_rows, loaded.n_repeated), (3, 1), "{name}");
        assert_eq!(loaded.embedding.ids(), ["TP53", "AHR"], "{name}");
        assert_eq!(loaded.embedding.values(), &array![[2.0, 3.0], [0.0, 1.0]], "{name}");
        assert_eq!(loaded.embedding.name(), "e");
    }
    let parquet = read_embedding(&golden("tenx/dense.parquet"), &options(None)).expect("reads");
    assert_eq!(parquet.get("c2").expect("there").to_vec(), [0.0, 3.0, 0.0]);
}

#[test]
fn bad_embeddings_are_named() {
    let dir = folder();
    let check = |name: &str, text: &str, want: &str| {
        put(&dir.path().join(name), text);
        let error = read_embedding(&dir.path().join(name), &EmbeddingOptions::default()).expect_err("bad file");
        assert_eq!(message(&error, dir.path()), want);
    };
    check("e.csv", "gene,d1\nA,x\n", "`e.csv` line 2: column 2 (`d1`) holds `x`, expected a number");
    check("e.csv", "gene,d1\nA,\n", "`e.csv` line 2: column 2 (`d1`) holds a missing value, expected a number");
    check("e.csv", "gene,d1\n,1\n", "`e.csv` line 2: column 1 is empty, expected an id");
    check("e.csv", "A,0.5,1\nB,2,3\n", "`e.csv` line 1: numbers, expected a header that names the columns");
    check("e.npy", "x", "`e.npy` holds no ids");
    check(
        "e.pkl",
        "x",
        "`e.pkl` ends in `.pkl`, expected an embedding as .h5ad, .npz, .npy, .parquet, .csv or .tsv (also .gz)",
    );
    let matrix = NpyArray::from_matrix(&array![[1.0]]);
    let path = dir.path().join("e.npz");
    let two = [("a", &matrix), ("b", &matrix), ("ids", &NpyArray::from_strings(["A", "B"]))];
    write_npz(&path, false, &two).expect("written");
    let error = read_embedding(&path, &EmbeddingOptions::default()).expect_err("two matrices");
    assert_eq!(message(&error, dir.path()), "`e.npz` holds 2 matrices (`a`, `b`), expected one or a choice");
    let options = EmbeddingOptions { key: Some("a".into()), ..Default::default() };
    let error = read_embedding(&path, &options).expect_err("lengths differ");
    assert_eq!(message(&error, dir.path()), "`e.npz` has 2 ids for 1 rows, expected as many");
    let infinite = NpyArray::from_matrix(&array![[f64::INFINITY], [1.0]]);
    let ids = NpyArray::from_strings(["A", "B"]);
    write_npz(&path, true, &[("a", &infinite), ("ids", &ids)]).expect("written");
    let error = read_embedding(&path, &EmbeddingOptions::default()).expect_err("infinite");
    assert_eq!(message(&error, dir.path()), "`e.npz`: embedding `` holds a non-finite value in the row of `A`");
}

#[test]
fn real_effects_as_an_embedding() {
    let Some(data) = shared("perturb_edist") else { return };
    for (file, n) in [("norman19.npz", 238), ("adamson16.npz", 0), ("replogle22rpe1.npz", 0)] {
        let options = EmbeddingOptions { name: "effect".into(), ..Default::default() };
        let loaded = load_embedding(&data.join(file), &options).expect(file);
        assert_eq!(loaded.n_repeated, 0);
        assert!(loaded.n_rows >= n && loaded.embedding.width() <= 50, "{file}");
        assert!(loaded.embedding.get("control").expect("there").iter().all(|it| *it == 0.0));
    }
}

#[test]
fn real_gene_sets_and_networks() {
    if let Some(data) = shared("genesets") {
        for file in [
            "ReactomePathways.gmt",
            "enrichr.GO_Biological_Process_2021.gmt",
            "bto_specific.gmt",
            "2020_hsa_ALL_BP_direct.gmt",
        ] {
            let sets = read_gmt(&data.join(file)).expect(file);
            let lines = std::fs::read_to_string(data.join(file)).expect("text");
            assert_eq!(sets.len(), lines.lines().filter(|it| !it.trim().is_empty()).count(), "{file}");
        }
        let reactome = read_gmt(&data.join("ReactomePathways.gmt")).expect("reads");
        assert_eq!(
            (reactome[0].name.as_str(), reactome[0].description.as_str()),
            ("2-LTR circle formation", "R-HSA-164843")
        );
        assert_eq!(reactome[0].genes[0], "BANF1");
        let phases = read_obs_table(&data.join("cell_cycle_genes_homo_sapiens.tsv")).expect("reads");
        assert_eq!((phases.index()[0].as_str(), texts(&phases, "phase")[0].as_str()), ("MCM5", "S"));
        for file in ["gene_ontology_info.parquet", "go_relationship_info.parquet", "go_to_genes.parquet"] {
            // Their first columns repeat: not tables of named rows, but readable, and the message says so.
            match read_obs_table(&data.join(file)) {
                Ok(table) => assert!(table.n_rows() > 1000, "{file}"),
                Err(error) => assert!(error.to_string().contains("expected once"), "{error}"),
            }
        }
    }
    if let Some(data) = shared("networks") {
        let edges = read_edges(&data.join("string_hESC_beeline_edges.csv.gz")).expect("reads");
        assert!(edges.len() > 100_000, "{}", edges.len());
        assert_eq!((edges[0].source.as_str(), edges[0].target.as_str(), edges[0].weight), ("CDC5L", "ARF5", 1.0));
    }
}

#[test]
fn real_text_tables() {
    let Some(data) = shared("vocab") else { return };
    let read = |name: &str| read_obs_table(&data.join(Path::new(name)));
    for name in ["gencode_genes_homo_sapiens.csv.gz", "scfoundation_gene_index_19264.tsv", "gears_gene_set.csv"] {
        match read(name) {
            Ok(table) => assert!(table.n_rows() > 1000, "{name}"),
            Err(error) => assert!(error.is_invalid_input(), "{error}"),
        }
    }
}
