//! Token tables: written, stopped, continued, read back, and what is wrong with some.

use crate::common::{folder, message, shared};
use cellstone_core::{Column, Error, TokenRow};
use cellstone_io::{
    ObsValues, Sidecars, Start, TokenBatch, TokenCell, TokenFile, TokenTable, TokenWriter, read_token_dictionary,
};
use pl::NamedFrom as _;
use polars::prelude as pl;
use proptest::prelude::*;
use std::fs::File;
use std::path::Path;

/// What becomes of a cell of a test.
#[derive(Debug, Clone)]
enum Cell {
    Row(TokenRow),
    Reject(u8),
}

fn row(ids: &[u32]) -> TokenRow {
    TokenRow { input_ids: ids.to_vec(), n_genes: ids.len() as u32, mapped: 3.0, ..TokenRow::default() }
}

fn table(config: &str) -> TokenTable {
    TokenTable {
        config: config.to_owned(),
        dataset_id: "set".to_owned(),
        obs: Vec::new(),
        group_cells: 3,
        overwrite: false,
        resume: false,
    }
}

fn sidecars(config: &str) -> Sidecars {
    Sidecars { tokenizer: format!("{{\"config\":{config}}}"), coverage: "{}\n".to_owned(), manifest: "{}\n".to_owned() }
}

#[track_caller]
fn start(path: &Path, table: TokenTable) -> TokenWriter {
    match TokenWriter::start(path, table).expect("starts") {
        Start::Write(it) => *it,
        Start::Complete => panic!("complete already"),
    }
}

#[track_caller]
fn refused(path: &Path, table: TokenTable, dir: &Path) -> (String, Vec<String>) {
    match TokenWriter::start(path, table) {
        Ok(_) => panic!("not refused"),
        Err(error) => (message(&error, dir), error.hints().to_vec()),
    }
}

fn add(writer: &mut TokenWriter, at: usize, cell: &Cell) {
    let id = format!("cell{at}");
    let of = TokenCell { id: &id, row: at, n_counts: at as f64 };
    match cell {
        Cell::Row(it) => writer.push(of, it.clone()).expect("a row"),
        Cell::Reject(it) => writer.reject(of, ["empty", "odd"][usize::from(*it) % 2], format!("cell {at}")),
    }
}

/// Writes cells from where the writer stands; commits after the groups that `commits` says; stops before `stop`.
fn write(writer: &mut TokenWriter, cells: &[Cell], commits: &[bool], stop: usize) {
    for at in writer.next_row()..cells.len().min(stop) {
        add(writer, at, &cells[at]);
        if writer.is_full() {
            writer.close_group(at + 1).expect("closed");
            if commits.get(at % commits.len().max(1)) == Some(&true) {
                writer.commit(serde_json::json!({ "seen": at + 1 })).expect("committed");
            }
        }
    }
    if stop >= cells.len() {
        writer.close_group(cells.len()).expect("closed");
    }
}

fn all(path: &Path) -> (TokenFile, Vec<TokenBatch>) {
    let file = TokenFile::open(path).expect("opens");
    let batches = file.batches(0).collect::<Result<_, Error>>().expect("reads");
    (file, batches)
}

fn names(dir: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(dir).expect("readable");
    let mut names: Vec<String> =
        entries.map(|it| it.expect("entry").file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

#[test]
fn every_column_reads_back() {
    let dir = folder();
    let path = dir.path().join("t.parquet");
    let kinds = Column::Categorical {
        codes: vec![Some(1), None, Some(0), Some(1), Some(1)],
        categories: vec!["B cell".into(), "T cell".into()],
        ordered: false,
    };
    let ages = Column::Float(vec![1.5, 2.0, f64::NAN, 4.0, 5.0]);
    let donors = Column::Int(vec![Some(7), None, Some(9), Some(10), Some(11)]);
    let obs = [("cell_type", &kinds), ("age", &ages), ("donor", &donors)].map(|(name, it)| ObsValues::new(name, it));
    let mut writer = start(&path, TokenTable { obs: obs.to_vec(), ..table("{}") });
    let full = |ids: &[u32]| TokenRow {
        input_ids: ids.to_vec(),
        type_ids: Some(ids.iter().map(|it| it + 1).collect()),
        values: Some(ids.iter().map(|it| *it as f32 / 2.0).collect()),
        sentence: Some(format!("{ids:?}")),
        n_genes: 9,
        n_truncated: 2,
        mapped: 1.0,
    };
    let cells = [
        Cell::Row(full(&[5, 6, 5])),
        Cell::Row(full(&[])),
        Cell::Reject(0),
        Cell::Row(full(&[70_000])),
        Cell::Row(full(&[0, 1])),
    ];
    write(&mut writer, &cells, &[], usize::MAX);
    assert_eq!(writer.n_rows(), 4);
    assert!(!path.exists(), "no name before it is complete");
    writer.finish(&sidecars("{}")).expect("finished");
    assert_eq!(names(dir.path()), ["t.coverage.json", "t.manifest.json", "t.parquet", "t.rejects.parquet"]);
    let (file, batches) = all(&path);
    assert_eq!(file.tokenizer(), Some("{\"config\":{}}"));
    assert_eq!(
        file.columns(),
        [
            "cell_id",
            "dataset_id",
            "row_index",
            "input_ids",
            "type_ids",
            "values",
            "length",
            "n_counts",
            "n_genes",
            "n_truncated",
            "mapped_fraction",
            "sentence",
            "obs.cell_type",
            "obs.age",
            "obs.donor"
        ]
    );
    assert_eq!(batches.len(), 2);
    let [first, second] = [&batches[0], &batches[1]];
    assert_eq!((first.start, first.n_rows(), second.start, second.n_rows()), (0, 2, 2, 2));
    assert_eq!((first.tokens(0), first.types(0)), (&[5, 6, 5][..], Some(&[6, 7, 6][..])));
    assert_eq!((first.values(0), first.tokens(1)), (Some(&[2.5, 3.0, 2.5][..]), &[][..]));
    assert_eq!((second.tokens(0), second.tokens(1)), (&[70_000][..], &[0, 1][..]));
    assert_eq!(second.cell_ids, Some(vec!["cell3".into(), "cell4".into()]));
    assert_eq!(file.column("length").expect("there"), Column::Int([3, 0, 1, 2].map(Some).to_vec()));
    assert_eq!(file.column("row_index").expect("there"), Column::Int([0, 1, 3, 4].map(Some).to_vec()));
    assert_eq!(file.column("n_counts").expect("there"), Column::Float(vec![0.0, 1.0, 3.0, 4.0]));
    let mapped = file.column("mapped_fraction").expect("there");
    assert_eq!(mapped, Column::Float(vec![0.0, 1.0, f64::from(1.0_f32 / 3.0), 0.25]));
    let text = |name: &str| {
        let column = file.column(name).expect("there");
        (0..4).map(|row| column.text(row).unwrap_or("-".into())).collect::<Vec<_>>()
    };
    assert_eq!(text("sentence"), ["[5, 6, 5]", "[]", "[70000]", "[0, 1]"]);
    assert_eq!(text("obs.cell_type"), ["T cell", "-", "T cell", "T cell"]);
    assert_eq!(text("obs.age"), ["1.5", "2", "4", "5"]);
    assert_eq!(text("obs.donor"), ["7", "-", "10", "11"]);
    assert_eq!(text("dataset_id"), ["set"; 4]);
    let rejects = pl::SerReader::finish(<pl::ParquetReader<_> as pl::SerReader<_>>::new(
        File::open(dir.path().join("t.rejects.parquet")).expect("there"),
    ))
    .expect("polars reads it");
    let shown = |name: &str| rejects.column(name).expect("there").get(0).expect("a row").to_string();
    assert_eq!(
        ["cell_id", "dataset_id", "row_index", "reason", "detail"].map(shown),
        ["\"cell2\"", "\"set\"", "2", "\"empty\"", "\"cell 2\""]
    );
}

#[test]
fn polars_sees_the_types_of_the_protocol() {
    let dir = folder();
    let path = dir.path().join("t.parquet");
    let mut writer = start(&path, table("{}"));
    let cells: Vec<Cell> = (0..7).map(|it| Cell::Row(row(&[it, it + 1]))).collect();
    write(&mut writer, &cells, &[], usize::MAX);
    writer.finish(&sidecars("{}")).expect("finished");
    let reader = <pl::ParquetReader<_> as pl::SerReader<_>>::new(File::open(&path).expect("there"));
    let frame = pl::SerReader::finish(reader).expect("polars reads it");
    assert_eq!(frame.shape(), (7, 9));
    let list = pl::DataType::List(Box::new(pl::DataType::Int32));
    for (name, want) in [
        ("cell_id", pl::DataType::String),
        ("row_index", pl::DataType::Int64),
        ("input_ids", list),
        ("length", pl::DataType::Int32),
        ("n_counts", pl::DataType::Float64),
        ("mapped_fraction", pl::DataType::Float32),
    ] {
        assert_eq!(*frame.column(name).expect("there").dtype(), want, "{name}");
    }
    assert!(frame.columns().iter().all(|it| it.null_count() == 0));
}

#[test]
fn many_tokens_make_many_pages_and_groups() {
    let dir = folder();
    let path = dir.path().join("t.parquet");
    let mut writer = start(&path, TokenTable { group_cells: 1 << 16, ..table("{}") });
    let cells: Vec<Cell> = (0..700_u32)
        .map(|cell| {
            let ids: Vec<u32> = (0..20_000).map(|it| (it * 7 + cell) % 25_426).collect();
            let values = (cell % 2 == 0).then(|| ids.iter().map(|it| *it as f32 * 0.1).collect());
            let values = values.or_else(|| Some(vec![1.0; ids.len()]));
            Cell::Row(TokenRow { values, ..row(&ids) })
        })
        .collect();
    write(&mut writer, &cells, &[], usize::MAX);
    writer.finish(&sidecars("{}")).expect("finished");
    let (_, batches) = all(&path);
    assert_eq!(batches.len(), 2, "a group ends after eight million tokens");
    for (at, cell) in cells.iter().enumerate() {
        let batch = &batches[usize::from(at >= batches[1].start)];
        let Cell::Row(want) = cell else { panic!("all have tokens") };
        assert_eq!(batch.tokens(at - batch.start), want.input_ids);
        assert_eq!(batch.values(at - batch.start), want.values.as_deref());
    }
}

#[test]
fn a_stopped_table_is_continued_to_the_same_bytes() {
    let dir = folder();
    let cells: Vec<Cell> = (0..23_u32)
        .map(|it| if it % 5 == 3 { Cell::Reject(it as u8) } else { Cell::Row(row(&[it, 2 * it, 7])) })
        .collect();
    let whole = dir.path().join("whole.parquet");
    let mut writer = start(&whole, table("{\"a\":1}"));
    write(&mut writer, &cells, &[], usize::MAX);
    writer.finish(&sidecars("{\"a\":1}")).expect("finished");
    let bytes = |path: &Path| std::fs::read(path).expect("readable");
    for stop in 1..=23 {
        let path = dir.path().join("t.parquet");
        let mut writer = start(&path, table("{\"a\":1}"));
        write(&mut writer, &cells, &[true], stop);
        // Dropped without a word, as a killed process leaves it; perhaps with half a group behind the last commit.
        drop(writer);
        let mut writer = start(&path, TokenTable { resume: true, ..table("{\"a\":1}") });
        assert_eq!(writer.next_row(), if stop == 23 { 21 } else { stop / 3 * 3 }, "stopped before cell {stop}");
        let seen = writer.state().map(|it| it["seen"].as_u64());
        assert_eq!(seen, (stop >= 3).then(|| Some(writer.next_row() as u64)));
        write(&mut writer, &cells, &[false, true], usize::MAX);
        writer.finish(&sidecars("{\"a\":1}")).expect("finished");
        assert!(bytes(&path) == bytes(&whole), "stopped before cell {stop}");
        let rejects = |name: &str| bytes(&dir.path().join(format!("{name}.rejects.parquet")));
        assert!(rejects("t") == rejects("whole"));
        // Once more: it is complete.
        let again = TokenWriter::start(&path, TokenTable { resume: true, ..table("{\"a\":1}") }).expect("starts");
        assert!(matches!(again, Start::Complete));
        for name in ["t.parquet", "t.rejects.parquet", "t.coverage.json", "t.manifest.json"] {
            std::fs::remove_file(dir.path().join(name)).expect("removed");
        }
    }
}

#[test]
fn what_is_there_is_not_replaced() {
    let dir = folder();
    let path = dir.path().join("t.parquet");
    let asked = "choose another path, or pass --force to overwrite".to_owned();
    for name in ["t.parquet", "t.rejects.parquet", "t.manifest.json"] {
        std::fs::write(dir.path().join(name), "mine").expect("written");
        let (error, hints) = refused(&path, table("{}"), dir.path());
        assert_eq!(error, format!("`{name}` exists already and is not overwritten"));
        assert_eq!(hints, [asked.as_str()]);
        assert_eq!(names(dir.path()), [name]);
        std::fs::remove_file(dir.path().join(name)).expect("removed");
    }
    let mut writer = start(&path, table("{\"seed\":1,\"encoder\":{\"id\":\"a\"}}"));
    write(&mut writer, &vec![Cell::Row(row(&[1])); 4], &[true], 4);
    // The first process still holds the folder.
    let resume = |config: &str| TokenTable { resume: true, ..table(config) };
    let (error, _) = refused(&path, resume("{\"seed\":1}"), dir.path());
    assert_eq!(error, "`t.parquet.partial` is being written by another process");
    let (error, _) = refused(&path, TokenTable { overwrite: true, ..table("{}") }, dir.path());
    assert_eq!(error, "`t.parquet.partial` is being written by another process");
    drop(writer);
    // As a run leaves it that is stopped between the last two steps.
    std::fs::write(dir.path().join("t.rejects.parquet"), "ours").expect("written");
    let (error, hints) = refused(&path, table("{}"), dir.path());
    assert_eq!(error, "`t.parquet.partial` holds a table that was not finished");
    assert_eq!(hints, ["pass --resume to continue it, or --force to start over"]);
    let (error, hints) = refused(&path, resume("{\"seed\":2,\"encoder\":{\"id\":\"b\"}}"), dir.path());
    assert_eq!(error, "`t.parquet.partial` was begun with another `encoder.id`, `seed`");
    assert_eq!(hints, ["give the same input and options as before, or start over with --force"]);
    let mut writer = start(&path, TokenTable { overwrite: true, ..table("{\"seed\":2}") });
    assert_eq!((writer.next_row(), writer.state()), (0, None));
    write(&mut writer, &vec![Cell::Row(row(&[1])); 4], &[true], usize::MAX);
    writer.finish(&sidecars("{\"seed\":2}")).expect("finished");
    let (error, _) = refused(&path, resume("{\"seed\":3}"), dir.path());
    assert_eq!(error, "`t.parquet` exists already and was made with other settings");
}

#[test]
fn what_was_not_committed_is_not_continued() {
    let dir = folder();
    let path = dir.path().join("t.parquet");
    let mut writer = start(&path, table("{}"));
    write(&mut writer, &vec![Cell::Row(row(&[1])); 7], &[], 6);
    assert!(!writer.keep(), "there is nothing to continue");
    assert!(names(dir.path()).is_empty());
    let mut writer = start(&path, table("{}"));
    write(&mut writer, &vec![Cell::Row(row(&[1])); 7], &[true], 6);
    assert!(writer.keep());
    assert_eq!(names(dir.path()), ["t.parquet.partial"]);
    // Shorter than the commit says: it was changed since.
    let part = dir.path().join("t.parquet.partial/rows.part");
    let bytes = std::fs::read(&part).expect("readable");
    std::fs::write(&part, &bytes[..bytes.len() - 1]).expect("written");
    let (error, hints) = refused(&path, TokenTable { resume: true, ..table("{}") }, dir.path());
    assert!(error.starts_with("`t.parquet.partial/rows.part` has "), "{error}");
    assert_eq!(hints, ["start over with --force"]);
    std::fs::write(dir.path().join("t.parquet.partial/commit.json"), "{").expect("written");
    let (error, _) = refused(&path, TokenTable { resume: true, ..table("{}") }, dir.path());
    assert!(error.starts_with("`t.parquet.partial/commit.json` is damaged: "), "{error}");
    let writer = start(&path, TokenTable { overwrite: true, ..table("{}") });
    let error = writer.finish(&sidecars("{}")).expect_err("no row");
    assert_eq!(error.to_string(), "no cell has tokens, so that there is no table");
    assert!(names(dir.path()).is_empty());
}

#[test]
fn rows_that_do_not_fit() {
    let dir = folder();
    let mut writer = start(&dir.path().join("t.parquet"), table("{}"));
    let mut push = |row: TokenRow| {
        let cell = TokenCell { id: "c", row: 0, n_counts: 1.0 };
        writer.push(cell, row).expect_err("refused").to_string()
    };
    let values = |it: Vec<f32>| TokenRow { values: Some(it), ..row(&[1, 2]) };
    assert_eq!(push(values(vec![1.0])), "cell `c` has 2 tokens but 1 values, expected as many");
    assert_eq!(push(values(vec![1.0, f32::NAN])), "cell `c` has a token whose value is not finite");
    assert_eq!(push(row(&[1])), "cell `c` has other columns than the cells before it, expected the same for all");
    let large = TokenRow { values: Some(vec![1.0]), ..row(&[1 << 31]) };
    assert_eq!(push(large), "cell `c` has the token 2147483648, expected below 2147483648");
}

#[test]
fn damage_is_found() {
    let dir = folder();
    let path = dir.path().join("t.parquet");
    let mut writer = start(&path, table("{}"));
    let cells: Vec<Cell> =
        (0..3).map(|cell| Cell::Row(row(&(0..500).map(|it| it * cell % 311).collect::<Vec<_>>()))).collect();
    write(&mut writer, &cells, &[], usize::MAX);
    writer.finish(&sidecars("{}")).expect("finished");
    let bytes = std::fs::read(&path).expect("readable");
    let bad = dir.path().join("bad.parquet");
    for keep in [0, 3, 11, bytes.len() / 2, bytes.len() - 1] {
        std::fs::write(&bad, &bytes[..keep]).expect("written");
        let error = TokenFile::open(&bad).err().expect("cut off");
        assert!(message(&error, dir.path()).starts_with("`bad.parquet` is not readable as"), "{error}");
    }
    // Any byte before the footer: an error, or, in a header, something the reader does not look at; never other tokens.
    let (_, want) = all(&path);
    let footer = u32::from_le_bytes(bytes[bytes.len() - 8..bytes.len() - 4].try_into().expect("four")) as usize;
    let mut found = 0;
    let n = bytes.len() - 8 - footer;
    for at in (4..n).step_by(7) {
        let mut flipped = bytes.clone();
        flipped[at] ^= 0x10;
        std::fs::write(&bad, &flipped).expect("written");
        let read: Result<Vec<_>, _> = TokenFile::open(&bad).expect("the footer is whole").batches(0).collect();
        match read {
            Ok(it) => assert!(it == want, "byte {at} changed the tokens"),
            Err(_) => found += 1,
        }
    }
    assert!(found * 7 > n / 3, "{found} of {} changes were noticed", n / 7);
}

#[test]
fn tables_of_other_writers() {
    let dir = folder();
    let path = dir.path().join("t.parquet");
    let put = |columns: Vec<pl::Column>| {
        let mut frame = pl::DataFrame::new(columns[0].len(), columns).expect("a frame");
        pl::ParquetWriter::new(File::create(&path).expect("made")).finish(&mut frame).expect("written");
    };
    let lists = |name: &str, rows: &[&[i64]]| {
        let rows: Vec<pl::Series> = rows.iter().map(|it| pl::Series::new("".into(), it.to_vec())).collect();
        pl::Column::new(name.into(), rows)
    };
    put(vec![lists("input_ids", &[&[3, 1], &[2]]), pl::Column::new("length".into(), [2_i32, 1])]);
    let (file, batches) = all(&path);
    assert_eq!((file.n_rows(), file.tokenizer(), batches[0].cell_ids.clone()), (2, None, None));
    assert_eq!((batches[0].tokens(0), batches[0].tokens(1)), (&[3, 1][..], &[2][..]));
    assert_eq!(file.batches(1).next().expect("a row").expect("reads").tokens(0), [2]);
    assert!(file.batches(2).next().is_none());
    put(vec![pl::Column::new("ids".into(), [1_i32])]);
    let error = TokenFile::open(&path).err().expect("no tokens");
    assert_eq!(message(&error, dir.path()), "column `input_ids` not found in `t.parquet` (columns: `ids`)");
    put(vec![pl::Column::new("input_ids".into(), [1_i32])]);
    let error = TokenFile::open(&path).err().expect("no lists");
    let said = message(&error, dir.path());
    assert!(said.starts_with("`t.parquet` column `input_ids` is stored as "), "{said}");
    assert!(said.ends_with(", expected lists of whole numbers"), "{said}");
    put(vec![lists("input_ids", &[&[-1]])]);
    let file = TokenFile::open(&path).expect("opens");
    let error = file.batches(0).next().expect("a batch").expect_err("negative");
    assert_eq!(
        message(&error, dir.path()),
        "`t.parquet` column `input_ids`: a token is missing, negative or above 4294967295"
    );
    put(vec![lists("input_ids", &[&[1, 2]]), lists("type_ids", &[&[1]])]);
    let error = TokenFile::open(&path).expect("opens").batches(0).next().expect("a batch").expect_err("uneven");
    assert_eq!(message(&error, dir.path()), "`t.parquet` column `type_ids`: row 0 is not as long as its input_ids");
    let error = TokenFile::open(&path).expect("opens").column("lenght").expect_err("absent");
    assert!(message(&error, dir.path()).starts_with("column `lenght` not found in `t.parquet`"), "{error}");
}

/// Real cells, encoded by the published tool.
#[test]
fn published_cells_decode() {
    let Some(data) = shared("vocab") else { return };
    let dictionary = read_token_dictionary(&data.join("geneformer_gc30M_token_dictionary.json.gz")).expect("reads");
    let known: Vec<u32> = dictionary.iter().map(|it| it.1).collect();
    let (file, batches) = all(&data.join("genecorpus_500_tokenized_cells.parquet"));
    assert_eq!(file.n_rows(), 500);
    let Column::Int(lengths) = file.column("length").expect("there") else { panic!("whole numbers") };
    for batch in &batches {
        for row in 0..batch.n_rows() {
            let tokens = batch.tokens(row);
            assert_eq!(Some(tokens.len() as i64), lengths[batch.start + row]);
            assert!((2009..=2048).contains(&tokens.len()));
            let mut sorted = tokens.to_vec();
            sorted.sort_unstable();
            assert!(sorted.windows(2).all(|it| it[0] < it[1]), "row {} repeats a gene", batch.start + row);
            assert!(sorted[0] >= 2, "row {} holds a special token", batch.start + row);
            assert!(sorted.iter().all(|it| known.binary_search(it).is_ok()), "row {}", batch.start + row);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    /// Rows of any kind, stopped anywhere, with commits anywhere: the same bytes, and the same rows.
    #[test]
    fn any_rows_survive(
        cells in prop::collection::vec(
            prop_oneof![
                4 => prop::collection::vec((0_u32..70_000, -4_i32..4), 0..40).prop_map(|it| Cell::Row(TokenRow {
                    values: Some(it.iter().map(|it| it.1 as f32).collect()),
                    ..row(&it.iter().map(|it| it.0).collect::<Vec<_>>())
                })),
                1 => any::<u8>().prop_map(Cell::Reject),
            ],
            1..40,
        ),
        commits in prop::collection::vec(any::<bool>(), 1..5),
        stops in prop::collection::vec(0_usize..40, 0..3),
        group_cells in 1_usize..9,
    ) {
        let tokens: Vec<TokenRow> = cells.iter().filter_map(|it| match it {
            Cell::Row(it) => Some(it.clone()),
            Cell::Reject(_) => None,
        }).collect();
        prop_assume!(!tokens.is_empty());
        let dir = folder();
        let [a, b] = ["a.parquet", "b.parquet"].map(|it| dir.path().join(it));
        let table = || TokenTable { group_cells, ..table("{}") };
        let mut writer = start(&a, table());
        write(&mut writer, &cells, &[], usize::MAX);
        writer.finish(&sidecars("{}")).expect("finished");
        for stop in &stops {
            let mut writer = start(&b, TokenTable { resume: true, ..table() });
            write(&mut writer, &cells, &commits, (*stop).min(cells.len() - 1));
        }
        let mut writer = start(&b, TokenTable { resume: true, ..table() });
        write(&mut writer, &cells, &commits, usize::MAX);
        writer.finish(&sidecars("{}")).expect("finished");
        prop_assert!(std::fs::read(&a).expect("readable") == std::fs::read(&b).expect("readable"));
        let (_, batches) = all(&a);
        let mut at = 0;
        for batch in &batches {
            for row in 0..batch.n_rows() {
                prop_assert_eq!(batch.tokens(row), &tokens[at].input_ids);
                prop_assert_eq!(batch.values(row), tokens[at].values.as_deref());
                at += 1;
            }
        }
        prop_assert_eq!(at, tokens.len());
    }
}
