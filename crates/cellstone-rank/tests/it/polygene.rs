//! PolyGene: both encoders and their vocabularies.

use crate::common::row;
use crate::properties::{Subject, check};
use cellstone_core::{BoundTokenizer, CellInput, Encoded, Scale, Seed, TokenRow, Tokenizer, Var};
use cellstone_rank::{
    BinEdges, BoundPolygene, EvaluationCondition, IGNORE_LABEL, PhenotypeCategory, PhenotypeValue, PolygeneV1,
    PolygeneV1Options, PolygeneV2, PolygeneV2Options, PolygeneVocab, PolygeneVocabSpec, StringRule, Truncation,
    UnknownPhenotype, condition_row,
};

const LOG: Scale = Scale::LogNorm { target_sum: Some(1e4) };

fn genes(n: usize) -> Vec<String> {
    (0..n).map(|it| format!("ENSG{it:011}")).collect()
}

fn categories() -> Vec<PhenotypeCategory> {
    let term = |label: &str, term: &str| PhenotypeValue { label: label.into(), term: Some(term.into()) };
    vec![
        PhenotypeCategory::from_labels("sex", ["female", "male", "unknown"]),
        PhenotypeCategory {
            name: "cell_type".into(),
            values: vec![term("B cell", "CL:0000236"), term("T cell", "CL:0000084")],
        },
        PhenotypeCategory::from_labels("development_stage", ["adult", "unknown"]),
    ]
}

fn spec(n_genes: usize, edges: BinEdges) -> PolygeneVocabSpec {
    PolygeneVocabSpec {
        rule: StringRule::Normalized,
        categories: categories(),
        genes: genes(n_genes),
        edges,
        added: vec![],
    }
}

fn vocab(n_genes: usize, edges: BinEdges) -> PolygeneVocab {
    PolygeneVocab::new(spec(n_genes, edges)).expect("valid")
}

fn bound(options: PolygeneV2Options) -> BoundPolygene {
    let encoder = PolygeneV2::new(vocab(8, BinEdges::cam()), options).expect("valid");
    let names = ["ENSG00000000005", "ENSG00000000001.4", "ENSG99999999999", "ENSG00000000007", "ENSG00000000000"];
    encoder.bind_polygene(&Var::from_ids(names).expect("unique"), Scale::Counts).expect("binds")
}

fn cell<'a>(values: &'a [f32], phenotypes: &'a [Option<&'a str>]) -> CellInput<'a> {
    CellInput { columns: &[0, 1, 2, 3, 4], values, n_counts: 100.0, phenotypes, seed: Seed::new(3) }
}

#[test]
fn ids_are_numbered_as_published() {
    let vocab = vocab(3, BinEdges::cam());
    // Categories by name: cell_type, development_stage, sex.
    let names: Vec<&str> = (0..vocab.n_values()).map(|it| vocab.value_name(it).expect("named")).collect();
    let mut want = vec!["[cls]", "[eos]", "[mask]", "[pad]", "cell_type:b_cell", "cell_type:t_cell"];
    want.extend(["development_stage:adult", "development_stage:unknown", "sex:female", "sex:male", "sex:unknown"]);
    want.extend(["bin_0", "bin_1", "bin_2", "bin_3", "bin_4", "bin_5", "bin_6", "bin_7", "bin_8", "bin_9"]);
    assert_eq!(names, want);
    assert_eq!(vocab.category_ids(2), [8, 9, 10]);
    let types: Vec<&str> = (0..vocab.n_types()).map(|it| vocab.type_name(it).expect("named")).collect();
    assert_eq!(types[..4], ["special", "cell_type", "development_stage", "sex"]);
    assert_eq!(types[4..], ["ENSG00000000000", "ENSG00000000001", "ENSG00000000002"]);
    assert_eq!((vocab.value_name(21), vocab.type_name(7)), (None, None));
    assert_eq!((vocab.gene_of(3), vocab.gene_of(6), vocab.gene_of(7)), (None, Some(2), None));
    assert_eq!((vocab.category_of(0), vocab.category_of(3), vocab.category_of(4)), (None, Some(2), None));
    assert_eq!(
        (vocab.bin_of(10), vocab.bin_of(11), vocab.bin_of(20), vocab.bin_of(21)),
        (None, Some(0), Some(9), None)
    );
    // Terms first, then names by the rule.
    for (text, id) in [("CL:0000084", 5), ("cl:0000236", 4), ("T-cell", 5), (" [B_cell] ", 4)] {
        assert_eq!(vocab.value_id(0, text), Some(id), "{text}");
    }
    assert_eq!(vocab.value_id(0, "female"), None);
}

#[test]
fn the_published_vocabulary_has_1087_rows() {
    let labels = |prefix: &str, n: usize| (0..n).map(|it| format!("{prefix} {it}")).collect::<Vec<_>>();
    let sizes = [("cell_type", 616), ("tissue", 212), ("sex", 3), ("development_stage", 171), ("disease", 71)];
    let categories = sizes.map(|(name, n)| PhenotypeCategory::from_labels(name, labels(name, n))).to_vec();
    let vocab = PolygeneVocab::new(PolygeneVocabSpec { categories, ..spec(20, BinEdges::cam()) }).expect("valid");
    assert_eq!((vocab.n_values(), vocab.n_types()), (1087, 1 + 5 + 20));
}

#[test]
fn rows_are_phenotypes_and_genes_by_rank() {
    let bound = bound(PolygeneV2Options::default());
    let values = [1.0, 12.0, 40.0, 3.0, 2.0];
    let found = row(bound.encode(&cell(&values, &[Some("T cell"), None, Some("Female")])));
    assert_eq!(found.input_ids, [0, 5, 2, 8, 14, 20, 13, 15, 1]);
    assert_eq!(found.type_ids, Some(vec![0, 1, 2, 3, 4, 5, 9, 11, 0]));
    assert_eq!((found.n_genes, found.n_truncated, found.mapped), (4, 0, 18.0));
    // Without any phenotype: all asked for.
    let found = row(bound.encode(&cell(&values, &[])));
    assert_eq!(found.input_ids[..4], [0, 2, 2, 2]);
    let none = bound.encode(&CellInput { columns: &[2], values: &[4.0], ..cell(&[], &[]) });
    assert!(matches!(none, Encoded::Rejected { reason: "no_known_gene", .. }));
}

#[test]
fn unknown_phenotypes_reject_or_are_masked() {
    let values = [1.0, 12.0, 40.0, 3.0, 2.0];
    let phenotypes = [Some("astrocyte"), None, Some("male")];
    let strict = bound(PolygeneV2Options::default());
    let Encoded::Rejected { reason, detail } = strict.encode(&cell(&values, &phenotypes)) else { panic!("unknown") };
    assert_eq!(reason, "unknown_phenotype");
    assert_eq!(detail, "`astrocyte` is no value of category `cell_type` in the vocabulary");
    let lenient = bound(PolygeneV2Options { unknown: UnknownPhenotype::Mask, ..PolygeneV2Options::default() });
    assert_eq!(row(lenient.encode(&cell(&values, &phenotypes))).input_ids[..4], [0, 2, 2, 9]);
    assert_eq!(lenient.unknown_phenotypes(&cell(&values, &phenotypes)), [(0, "astrocyte")]);
}

#[test]
fn cut_rows_keep_their_end() {
    let values = [1.0, 12.0, 40.0, 3.0, 2.0];
    let encode = |truncate, seed| {
        let bound = bound(PolygeneV2Options { max_len: 7, truncate, ..PolygeneV2Options::default() });
        let mut cut = Vec::new();
        let cell = CellInput { seed: Seed::new(seed), ..cell(&values, &[]) };
        let found = row(bound.encode_with_cut(&cell, &mut cut));
        assert_eq!((found.input_ids.len(), *found.input_ids.last().expect("tokens")), (7, 1));
        assert_eq!((found.n_genes, found.n_truncated), (4, 2));
        let kept = found.type_ids.expect("types")[4..6].iter().map(|it| it - 4).collect::<Vec<_>>();
        assert!(kept.is_sorted() && cut.is_sorted());
        (kept, cut)
    };
    // Genes 0, 1, 5, 7 with counts 2, 12, 1, 3.
    assert_eq!(encode(Truncation::Hvg, 0), (vec![0, 1], vec![5, 7]));
    assert_eq!(encode(Truncation::Expression, 0), (vec![1, 7], vec![0, 5]));
    let mut seen = [0_u32; 8];
    for seed in 0..4000 {
        let (kept, cut) = encode(Truncation::Sample, seed);
        kept.iter().for_each(|it| seen[*it as usize] += 1);
        let mut all = [kept, cut].concat();
        all.sort_unstable();
        assert_eq!(all, [0, 1, 5, 7]);
    }
    assert!([0, 1, 5, 7].iter().all(|it| seen[*it].abs_diff(2000) < 130), "{seen:?}");
    let error = PolygeneV2::new(vocab(2, BinEdges::cam()), PolygeneV2Options { max_len: 5, ..Default::default() });
    assert!(error.err().expect("refused").to_string().contains("max_len 5, expected at least 6"));
}

#[test]
fn edges_say_what_values_they_are_for() {
    let var = Var::from_ids(genes(8)).expect("unique");
    let counts = PolygeneV2::new(vocab(8, BinEdges::cam()), PolygeneV2Options::default()).expect("valid");
    let error = counts.bind(&var, LOG).err().expect("refused");
    assert_eq!(error.hints().len(), 2, "{error:?}");
    assert!(error.hints()[1].contains("edges = linear"));
    let logs = PolygeneV2::new(vocab(8, BinEdges::linear()), PolygeneV2Options::default()).expect("valid");
    let values = [1.0_f32, 5.0];
    let input =
        |values| CellInput { columns: &[0, 1], values, n_counts: 10_000.0, phenotypes: &[], seed: Seed::new(0) };
    let from_counts = row(logs.bind(&var, Scale::Counts).expect("normalises").encode(&input(&values)));
    let log_values = [2.0_f32.ln(), 6.0_f32.ln()];
    let from_logs = row(logs.bind(&var, LOG).expect("as they come").encode(&input(&log_values)));
    assert_eq!(from_counts.input_ids, from_logs.input_ids);
    // ln 2 is above 0.1, ln 6 above 1.089 too.
    assert_eq!(from_counts.input_ids[4..6], [12, 13]);
    // Below the first edge a gene is not expressed.
    let faint = row(logs.bind(&var, LOG).expect("as they come").encode(&input(&[0.05, 0.5])));
    assert_eq!((faint.input_ids.len(), faint.n_genes), (6, 1));
    let error = logs.bind(&var, Scale::LogNorm { target_sum: Some(1e6) }).err().expect("another size");
    assert_eq!(error.hints(), ["give raw counts: the encoder normalises them itself"]);
}

#[test]
fn bad_vocabularies_are_named() {
    let said = |spec| PolygeneVocab::new(spec).expect_err("refused").to_string();
    let of = |name: &str, labels: &[&str]| PhenotypeCategory::from_labels(name, labels.iter().copied());
    let with = |categories| PolygeneVocabSpec { categories, ..spec(2, BinEdges::cam()) };
    assert_eq!(
        said(with(vec![of("sex", &["Female", "female "])])),
        "category `sex` holds `female ` twice, as token `female`"
    );
    assert_eq!(said(with(vec![of("sex", &["a"]), of("sex", &["b"])])), "category `sex` stands twice");
    assert_eq!(said(with(vec![of("sex", &[])])), "category `sex` without a name or a value");
    assert!(said(with(vec![of("sex", &["β"])])).contains("`β`"));
    assert!(
        said(PolygeneVocabSpec { genes: vec!["A".into(), "A".into()], ..spec(0, BinEdges::cam()) }).contains("`A`")
    );
}

#[test]
fn vocabularies_grow_at_the_end_and_come_back_from_disk() {
    let mut vocab = vocab(3, BinEdges::cam());
    let before: Vec<String> = (0..vocab.n_values()).map(|it| vocab.value_name(it).expect("named").to_owned()).collect();
    assert_eq!(vocab.extend_category("sex", ["hermaphrodite"]).expect("new"), [21]);
    assert_eq!(vocab.extend_genes(["ENSG00000000999"]).expect("new"), [7]);
    assert_eq!(vocab.extend_category("cell_type", ["NK cell"]).expect("new"), [22]);
    assert!(before.iter().enumerate().all(|(id, it)| vocab.value_name(id as u32) == Some(it)));
    assert_eq!((vocab.value_id(2, "Hermaphrodite"), vocab.value_id(0, "NK cell")), (Some(21), Some(22)));
    assert_eq!((vocab.category_ids(2), vocab.type_name(7)), (&[8, 9, 10, 21][..], Some("ENSG00000000999")));
    assert_eq!((vocab.bin_of(20), vocab.bin_of(21)), (Some(9), None));
    assert!(vocab.extend_category("sex", ["male"]).is_err());
    assert!(vocab.extend_category("sexx", ["male"]).expect_err("no such").to_string().contains("`sexx`"));
    assert!(vocab.extend_genes(["ENSG00000000001"]).is_err());
    let text = serde_json::to_string(vocab.spec()).expect("text");
    let again = PolygeneVocab::new(serde_json::from_str(&text).expect("a vocabulary")).expect("valid");
    assert_eq!(again.spec(), vocab.spec());
    assert!((0..23).all(|id| again.value_name(id) == vocab.value_name(id)));
}

#[test]
fn evaluation_hides_what_it_says() {
    let vocab = vocab(3, BinEdges::cam());
    let row =
        TokenRow { input_ids: vec![0, 4, 2, 8, 13, 1], type_ids: Some(vec![0, 1, 2, 3, 4, 0]), ..TokenRow::default() };
    let none = IGNORE_LABEL;
    let visible = condition_row(&vocab, &row, 0, EvaluationCondition::Visible).expect("a row");
    assert_eq!((visible.input_ids, visible.labels), (vec![0, 2, 2, 8, 13, 1], vec![none, 4, none, none, none, none]));
    assert_eq!(visible.attention, [1; 6]);
    let masked = condition_row(&vocab, &row, 0, EvaluationCondition::Masked).expect("a row");
    assert_eq!((masked.input_ids, masked.labels), (vec![0, 2, 2, 2, 13, 1], vec![none, 4, none, 8, none, none]));
    let dropped = condition_row(&vocab, &row, 2, EvaluationCondition::Dropped).expect("a row");
    assert_eq!((dropped.input_ids, dropped.labels), (vec![0, 3, 3, 2, 13, 1], vec![none, none, none, 8, none, none]));
    assert_eq!((dropped.type_ids, dropped.attention), (vec![0, 0, 0, 3, 4, 0], vec![1, 0, 0, 1, 1, 1]));
    // A cell without the phenotype has nothing to predict.
    let absent = condition_row(&vocab, &row, 1, EvaluationCondition::Visible).expect("a row");
    assert_eq!(absent.labels, [none; 6]);
    assert!(condition_row(&vocab, &row, 3, EvaluationCondition::Visible).is_err());
    let plain = TokenRow { type_ids: None, ..row };
    assert!(condition_row(&vocab, &plain, 0, EvaluationCondition::Visible).is_err());
}

fn v1_categories() -> Vec<PhenotypeCategory> {
    vec![
        PhenotypeCategory::from_labels("disease", ["normal"]),
        PhenotypeCategory::from_labels("sex", ["female", "male"]),
        PhenotypeCategory::from_labels("tissue", ["blood", "bone marrow"]),
        PhenotypeCategory::from_labels("age", ["20 year-old human stage"]),
    ]
}

#[test]
fn v1_rows_have_a_place_for_every_gene() {
    let encoder = PolygeneV1::new(v1_categories(), genes(5), PolygeneV1Options::default()).expect("valid");
    // Tissue 21 and 22, no cell type, age 23, sex 24 and 25, disease 26, bins from 27.
    let info = encoder.info();
    assert_eq!((info.n_tokens, info.max_len, info.specials.cls), (27 + 10, Some(13), Some(3)));
    assert_eq!(
        [3, 10, 12, 22, 23, 25, 27, 36, 37].map(|it| encoder.token_name(it)),
        [
            Some("[CLS]"),
            Some("[no_age]"),
            Some("[unused_12]"),
            Some("[bone_marrow]"),
            Some("[20_year-old_human_stage]"),
            Some("[male]"),
            Some("0"),
            Some("9"),
            None
        ]
    );
    let var = Var::from_ids(["ENSG00000000004", "x", "ENSG00000000001", "ENSG00000000002"]).expect("unique");
    let bound = encoder.bind(&var, LOG).expect("binds");
    let encode = |values: &[f32], phenotypes: &[Option<&str>]| {
        bound.encode(&CellInput { columns: &[0, 1, 2, 3], values, n_counts: 1.0, phenotypes, seed: Seed::new(0) })
    };
    let phenotypes = [Some("male"), Some("bone marrow"), None, Some("20 year-old human stage"), Some("normal")];
    let found = row(encode(&[9.5, 3.0, 0.05, 1.3], &phenotypes));
    // Edges 0, 0.1, 1.2125, …, 9.
    assert_eq!(found.input_ids, [3, 25, 22, 9, 23, 26, 5, 27, 27, 29, 27, 36, 6]);
    assert_eq!(found.n_genes, 2);
    let bare = row(encode(&[9.5, 3.0, 0.05, 1.3], &[]));
    assert_eq!(bare.input_ids[1..6], [7, 8, 9, 10, 11]);
    let Encoded::Rejected { reason, detail } = encode(&[1.0; 4], &[Some("other")]) else { panic!("unknown") };
    assert_eq!(
        (reason, detail.as_str()),
        ("unknown_phenotype", "`other` is no value of category `sex` in the vocabulary")
    );
    // Masked genes are attended to whatever they are; by the reference they tell what they are.
    let masked: Vec<bool> = (0..13).map(|it| it == 7 || it == 9).collect();
    assert_eq!(encoder.attention(&found.input_ids, &masked, false), [1, 1, 1, 1, 1, 1, 1, 1, 0, 1, 0, 1, 1]);
    assert_eq!(encoder.attention(&found.input_ids, &masked, true), [1, 1, 1, 1, 1, 1, 1, 0, 0, 1, 0, 1, 1]);
}

#[test]
fn v1_has_the_published_size() {
    let labels = |n: usize, name: &str| PhenotypeCategory::from_labels(name, (0..n).map(|it| format!("{name} {it}")));
    let categories = vec![
        labels(45, "tissue"),
        labels(161, "cell_type"),
        labels(14, "age"),
        labels(2, "sex"),
        labels(31, "disease"),
    ];
    let encoder = PolygeneV1::new(categories, genes(128), PolygeneV1Options::default()).expect("valid");
    assert_eq!((encoder.info().n_tokens, encoder.info().max_len), (274 + 10, Some(136)));
    let binary = PolygeneV1Options { threshold: Some(0.5), ..PolygeneV1Options::default() };
    let encoder = PolygeneV1::new(v1_categories(), genes(2), binary).expect("valid");
    assert_eq!(encoder.info().n_tokens, 27 + 2);
    let error = |categories, options| PolygeneV1::new(categories, genes(2), options).err().expect("refused");
    let unknown = error(vec![PhenotypeCategory::from_labels("tisue", ["a"])], PolygeneV1Options::default());
    assert_eq!(unknown.hints(), ["did you mean `tissue`?"]);
    let few = PolygeneV1Options { n_bins: 1, ..PolygeneV1Options::default() };
    assert_eq!(error(v1_categories(), few).to_string(), "1 bins, expected at least 2");
}

#[test]
fn properties_hold() {
    let names = genes(60);
    let phenotypes: Vec<Option<String>> = vec![Some("T cell".into()), None, Some("male".into())];
    for (max_len, truncate) in
        [(2000, Truncation::Hvg), (14, Truncation::Hvg), (14, Truncation::Expression), (14, Truncation::Sample)]
    {
        let options = PolygeneV2Options { max_len, truncate, ..PolygeneV2Options::default() };
        let v2 = PolygeneV2::new(vocab(60, BinEdges::cam()), options.clone()).expect("valid");
        let subject =
            Subject { names_genes: false, phenotypes: phenotypes.clone(), ..Subject::new(&v2, names.clone()) };
        check(&subject);
        let logs = PolygeneV2::new(vocab(60, BinEdges::linear()), options).expect("valid");
        for scale in [Scale::Counts, LOG] {
            let subject = Subject {
                names_genes: false,
                phenotypes: phenotypes.clone(),
                scale,
                ..Subject::new(&logs, names.clone())
            };
            check(&subject);
        }
    }
    let v1 = PolygeneV1::new(v1_categories(), names.clone(), PolygeneV1Options::default()).expect("valid");
    for scale in [Scale::Counts, LOG] {
        check(&Subject { names_genes: false, scale, ..Subject::new(&v1, names.clone()) });
    }
}

/// Property 9 for the second stream: types lead back to the genes, each once.
#[test]
fn types_lead_back_to_the_genes() {
    let bound = bound(PolygeneV2Options::default());
    let found = row(bound.encode(&cell(&[0.0, 12.0, 40.0, 3.0, 2.0], &[])));
    let vocab = vocab(8, BinEdges::cam());
    let names: Vec<&str> = found.type_ids.expect("types")[4..7]
        .iter()
        .map(|it| vocab.genes().keys()[vocab.gene_of(*it).expect("a gene") as usize].as_str())
        .collect();
    assert_eq!(names, ["ENSG00000000000", "ENSG00000000001", "ENSG00000000007"]);
}
