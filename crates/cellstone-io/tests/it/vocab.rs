//! Vocabularies in every published format, and what is wrong with some.

use crate::common::{folder, gzip, message, shared};
use cellstone_core::{Error, Result};
use cellstone_io::{read_category_lists, read_gene_mapping, read_gene_medians, read_token_dictionary};
use polars::prelude as pl;
use std::fs::File;
use std::path::Path;

fn pairs(all: &[(&str, u32)]) -> Vec<(String, u32)> {
    all.iter().map(|it| (it.0.to_owned(), it.1)).collect()
}

/// Writes a file and reads it as tokens.
fn tokens(name: &str, bytes: &[u8]) -> Result<Vec<(String, u32)>, String> {
    read(name, bytes, read_token_dictionary)
}

fn read<T>(name: &str, bytes: &[u8], how: impl Fn(&Path) -> Result<T>) -> Result<T, String> {
    let dir = folder();
    let path = dir.path().join(name);
    std::fs::write(&path, bytes).expect("written");
    how(&path).map_err(|error: Error| message(&error, dir.path()))
}

#[test]
fn one_vocabulary_in_every_format() {
    let want = pairs(&[("<pad>", 0), ("AHR", 1), ("TP53", 2)]);
    let json = br#"{"TP53": 2, "<pad>": 0, "AHR": 1}"#;
    let pickle = b"\x80\x04}\x94(\x8c\x04TP53\x94K\x02\x8c\x05<pad>\x94K\x00\x8c\x03AHR\x94K\x01u.";
    for (name, bytes) in [
        ("v.json", json.to_vec()),
        ("v.json.gz", gzip(json)),
        ("list.json", br#"["<pad>", "AHR", "TP53"]"#.to_vec()),
        ("floats.json", br#"{"TP53": 2.0, "<pad>": 0, "AHR": 1}"#.to_vec()),
        ("v.pkl", pickle.to_vec()),
        ("v.pickle.gz", gzip(pickle)),
        ("vocab.txt", b"<pad>\nAHR\nTP53\n".to_vec()),
        ("crlf.txt", b"\xef\xbb\xbf<pad>\r\nAHR\r\nTP53".to_vec()),
        ("v.tsv", b"gene_name\tindex\nTP53\t2\n<pad>\t0\nAHR\t1\n".to_vec()),
        ("bare.csv", b"TP53,2\n<pad>,0\nAHR,1\n".to_vec()),
    ] {
        assert_eq!(tokens(name, &bytes).as_deref(), Ok(want.as_slice()), "{name}");
    }
}

#[test]
fn entries_that_are_no_tokens() {
    let check = |name: &str, bytes: &[u8], want: &str| {
        assert_eq!(tokens(name, bytes).expect_err("refused"), want);
    };
    check("v.json", br#"{"a": -1}"#, "`v.json`: key `a` has `-1`, expected a whole number from 0 to 2147483647");
    check("v.json", br#"{"a": 1.5}"#, "`v.json`: key `a` has `1.5`, expected a whole number from 0 to 2147483647");
    check(
        "v.json",
        br#"{"a": "b"}"#,
        "`v.json`: key `a` has the text `b`, expected a whole number from 0 to 2147483647",
    );
    check("v.json", br#"{"a": 0, "b": 0}"#, "`v.json`: `a` and `b` share the id 0, expected one token for an id");
    check("v.json", br#"{"a": 0, "b": 1, "a": 2}"#, "`v.json`: key `a` stands at entries 1 and 3, expected once");
    check("v.json", b"{}", "`v.json` has no entry, expected at least one");
    let expected = "expected an object of names and values, or a list of names";
    check("v.json", b"3", &format!("`v.json` is not the JSON of a vocabulary: {expected}"));
    check("v.txt", b"a\n\nb\n", "`v.txt` line 2: is empty, expected a token");
    check("v.tsv", b"a\t1\tx\n", "`v.tsv` line 1: 3 fields, expected two: a name and a value");
    check(
        "v.csv",
        b"gene,id\na,1\nb,x\n",
        "`v.csv`: key `b` has the text `x`, expected a whole number from 0 to 2147483647",
    );
    check(
        "v.xlsx",
        b"",
        "`v.xlsx` ends in `.xlsx`, expected a vocabulary as .json, .pkl, .txt, .tsv or .csv (also .gz)",
    );
    let error = tokens("v.json", br#"{"a": 1, "b"#).expect_err("cut");
    assert!(error.starts_with("`v.json` is not the JSON of a vocabulary: EOF"), "{error}");
    let whole = gzip(&b"{\"a\": 0}".repeat(100));
    let error = tokens("v.json.gz", &whole[..whole.len() / 2]).expect_err("cut");
    assert!(error.starts_with("`v.json.gz` is truncated or corrupt gzip"), "{error}");
    let error = tokens("v.pkl", b"\x80\x04\x8c\x08builtins\x8c\x04eval\x93\x8c\x011\x85R.").expect_err("code");
    assert_eq!(error, "`v.pkl` byte 18: opcode STACK_GLOBAL (0x93) would run code, which is never done");
    let error = read_token_dictionary(Path::new("absent.json")).expect_err("absent");
    assert!(error.to_string().starts_with("`absent.json`: "), "{error}");
}

#[test]
fn medians_and_mappings() {
    let want = vec![("ENSG1".to_owned(), 1.5), ("ENSG2".to_owned(), 2.0)];
    let medians = |name: &str, bytes: &[u8]| read(name, bytes, read_gene_medians);
    for (name, bytes) in [
        ("m.json", &br#"{"ENSG1": 1.5, "ENSG2": 2}"#[..]),
        ("m.pkl", b"}(X\x05\x00\x00\x00ENSG1G?\xf8\x00\x00\x00\x00\x00\x00X\x05\x00\x00\x00ENSG2K\x02u."),
        ("m.csv", b"gene_id,median,n_cells_detected\nENSG1,1.5,100\nENSG2,2,7\n"),
        ("m.tsv", b"gene\tmedian\nENSG1\t1.5\nENSG2\t2\n"),
    ] {
        assert_eq!(medians(name, bytes).as_ref(), Ok(&want), "{name}");
    }
    for (bytes, found) in
        [(&br#"{"ENSG1": 0}"#[..], "`0`"), (br#"{"ENSG1": -1.5}"#, "`-1.5`"), (br#"{"ENSG1": null}"#, "null")]
    {
        let error = medians("m.json", bytes).expect_err("no median");
        assert_eq!(error, format!("`m.json`: key `ENSG1` has {found}, expected a finite positive number"));
    }
    let error = medians("m.csv", b"gene,mean\nENSG1,1\n").expect_err("no median");
    assert_eq!(error, "column `median` not found in `m.csv` (columns: `gene`, `mean`)");
    let mapping = read("m.json", br#"{"7SK": "ENSG1"}"#, read_gene_mapping).expect("a mapping");
    assert_eq!(mapping, [("7SK".to_owned(), "ENSG1".to_owned())]);
    let mapping = read("m.csv", b"name,gene\n7SK,ENSG1\n", read_gene_mapping).expect("a mapping");
    assert_eq!(mapping, [("7SK".to_owned(), "ENSG1".to_owned())]);
    let lists = read("c.json", br#"{"sex": ["male", "female"]}"#, read_category_lists).expect("lists");
    assert_eq!(lists, [("sex".to_owned(), vec!["male".to_owned(), "female".to_owned()])]);
    let error = read("c.json", br#"{"sex": ["male", 1]}"#, read_category_lists).expect_err("a number");
    assert_eq!(error, "`c.json`: key `sex` has a list of other things than texts, expected a list of texts");
}

#[test]
fn medians_of_a_parquet_table() {
    let dir = folder();
    let path = dir.path().join("m.parquet");
    let put = |columns: Vec<pl::Column>| {
        let mut frame = pl::DataFrame::new(2, columns).expect("a frame");
        pl::ParquetWriter::new(File::create(&path).expect("made")).finish(&mut frame).expect("written");
    };
    let genes = || pl::Column::new("gene_id".into(), ["ENSG1", "ENSG2"]);
    put(vec![genes(), pl::Column::new("median".into(), [1.5, 2.0])]);
    assert_eq!(read_gene_medians(&path).expect("medians"), [("ENSG1".to_owned(), 1.5), ("ENSG2".to_owned(), 2.0)]);
    put(vec![genes(), pl::Column::new("median".into(), ["a", "b"])]);
    let error = read_gene_medians(&path).expect_err("texts");
    assert_eq!(message(&error, dir.path()), "`m.parquet` column `median` is text, expected numbers");
    put(vec![genes(), pl::Column::new("mean".into(), [1.5, 2.0])]);
    let error = read_gene_medians(&path).expect_err("no median");
    assert_eq!(message(&error, dir.path()), "`m.parquet`: column `median` not found (columns: `mean`)");
}

#[test]
fn published_vocabularies() {
    let Some(data) = shared("vocab") else { return };
    for (name, n, last) in [
        ("geneformer_gc30M_token_dictionary.json.gz", 25_426, 25_425),
        ("geneformer_gc95M_token_dictionary.json.gz", 20_275, 20_274),
        ("scgpt_default_census_vocab.json", 60_694, 60_693),
        ("scgpt_default_gene_vocab.json", 48_292, 48_291),
        ("scfoundation_gene_index_19264.tsv", 19_264, 19_263),
    ] {
        let tokens = read_token_dictionary(&data.join(name)).expect("reads");
        assert_eq!((tokens.len(), tokens.last().map(|it| it.1)), (n, Some(last)), "{name}");
    }
    let gc30m = read_token_dictionary(&data.join("geneformer_gc30M_token_dictionary.json.gz")).expect("reads");
    assert_eq!(gc30m[..3], pairs(&[("<pad>", 0), ("<mask>", 1), ("ENSG00000000003", 2)]));
    for (name, n) in [("gc30M", 25_424), ("gc95M", 42_005)] {
        let path = data.join(format!("geneformer_{name}_gene_median.json.gz"));
        assert_eq!(read_gene_medians(&path).expect("reads").len(), n, "{name}");
    }
    let mapping = read_gene_mapping(&data.join("geneformer_gc95M_ensembl_mapping.json.gz")).expect("reads");
    assert_eq!(mapping.len(), 173_697);
    assert!(mapping.contains(&("7SK".to_owned(), "ENSG00000271394".to_owned())));
}
