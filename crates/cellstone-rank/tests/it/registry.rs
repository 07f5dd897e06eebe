//! Every entry of the registry: what it says of itself, what it needs, and the properties of all encoders.

use crate::properties::{Subject, check};
use cellstone_core::{Scale, Tokenizer, nearest};
use cellstone_rank::{EncoderEntry, EncoderInputs, GeneLocation, Need, encoder, encoders};
use std::collections::{BTreeMap, BTreeSet};

const N_GENES: u32 = 60;

/// What the conformance test has to know of an entry.
struct Case {
    id: &'static str,
    /// Genes are symbols; Ensembl ids otherwise.
    symbols: bool,
    /// Special tokens that the vocabulary brings.
    specials: &'static [&'static str],
    names_genes: bool,
    options: &'static [(&'static str, &'static str)],
}

const fn case(id: &'static str, symbols: bool, specials: &'static [&'static str], names_genes: bool) -> Case {
    Case { id, symbols, specials, names_genes, options: &[] }
}

const ENDS: &[&str] = &["<pad>", "<mask>", "<cls>", "<eos>"];

const CASES: &[Case] = &[
    case("geneformer_v1", false, &["<pad>", "<mask>"], true),
    case("geneformer_v2", false, ENDS, true),
    case("genecompass", false, &["<pad>", "<mask>"], true),
    case("scgpt", true, &[], true),
    Case { options: &[("min_genes", "3")], ..case("scbert", true, &[], false) },
    case("scfoundation", true, &[], true),
    case("aido_cell", true, &[], true),
    Case { options: &[("n_draws", "64")], ..case("uce", true, &[], true) },
    case("scprint", false, &[], true),
    case("cell2sentence", true, &[], true),
    case("genept_s", true, &[], true),
    case("polygene_v1", false, &[], false),
    case("polygene_v2", false, &[], false),
];

impl Case {
    fn genes(&self) -> Vec<String> {
        let name = |it: u32| if self.symbols { format!("GENE{it}") } else { format!("ENSG{it:011}") };
        (0..N_GENES).map(name).collect()
    }

    fn inputs(&self) -> EncoderInputs {
        let first = self.specials.len() as u32;
        let specials = self.specials.iter().zip(0..).map(|(it, id)| ((*it).to_owned(), id));
        let genes = self.genes();
        let vocab = specials.chain(genes.iter().cloned().zip(first..)).collect();
        let location = |(gene, at): (&String, u32)| GeneLocation {
            gene: gene.clone(),
            token: 10 + at,
            chromosome: at % 4,
            start: i64::from(at),
        };
        let words = |it: &[&str]| it.iter().map(|it| (*it).to_owned()).collect::<Vec<_>>();
        EncoderInputs {
            vocab: Some(vocab),
            medians: Some(genes.iter().cloned().zip([0.5, 1.0, 2.0].into_iter().cycle()).collect()),
            gene_locations: Some(genes.iter().zip(0..).map(location).collect()),
            phenotype_vocab: Some(vec![
                ("sex".to_owned(), words(&["female", "male"])),
                ("tissue".to_owned(), words(&["blood"])),
            ]),
            options: self.options.iter().map(|(name, it)| ((*name).to_owned(), (*it).to_owned())).collect(),
            ..EncoderInputs::default()
        }
    }
}

fn entry_and_case() -> Vec<(EncoderEntry, &'static Case)> {
    let case = |entry: EncoderEntry| {
        let case = CASES.iter().find(|it| it.id == entry.id);
        (entry, case.unwrap_or_else(|| panic!("encoder `{}` has no case here", entry.id)))
    };
    encoders().into_iter().map(case).collect()
}

#[test]
fn every_entry_has_every_property() {
    for (entry, case) in entry_and_case() {
        let made = (entry.make)(&case.inputs()).unwrap_or_else(|error| panic!("{}: {error}", entry.id));
        let tokenizer: &dyn Tokenizer = made.as_ref();
        let subject = if case.symbols {
            Subject::of_symbols(tokenizer, case.genes())
        } else {
            Subject::new(tokenizer, case.genes())
        };
        let male = |name: &String| (name == "sex").then(|| "male".to_owned());
        let phenotypes = tokenizer.info().phenotypes.iter().map(male).collect();
        check(&Subject { names_genes: case.names_genes, phenotypes, ..subject });
    }
}

#[test]
fn entries_say_what_their_encoders_say() {
    let mut ids = BTreeSet::new();
    for (entry, case) in entry_and_case() {
        assert!(ids.insert(entry.id), "`{}` stands twice", entry.id);
        assert!(entry.id.chars().all(|it| it.is_ascii_lowercase() || it.is_ascii_digit() || it == '_'), "{}", entry.id);
        let made = (entry.make)(&case.inputs()).expect("valid");
        let info = made.info();
        assert_eq!((info.id.as_ref(), info.summary.as_ref()), (entry.id, entry.summary));
        assert_eq!(info.source.as_ref(), entry.source);
        let told: BTreeSet<&str> = info.options.iter().map(|it| it.0.as_str()).collect();
        for it in entry.options {
            assert!(
                !it.summary.is_empty() && !it.values.is_empty() && !it.default.is_empty(),
                "{} {}",
                entry.id,
                it.name
            );
            // What decides rows is recorded with them; `edges_scale` and `rule` are in the vocabulary of a run.
            let is_told = told.contains(it.name) || ["edges_scale", "rule"].contains(&it.name);
            assert!(is_told, "`{}` does not record its option `{}`", entry.id, it.name);
        }
    }
    assert_eq!(ids.len(), CASES.len());
    assert!(encoder("geneformer_v2").is_ok());
    let error = encoder("geneformerv2").expect_err("no such");
    assert!(error.is_config() && error.to_string().starts_with("no encoder `geneformerv2`"), "{error}");
    assert!(error.hints()[0].starts_with("did you mean `geneformer_v"), "{error:?}");
}

#[test]
fn missing_inputs_and_unknown_options_are_named() {
    for (entry, case) in entry_and_case() {
        assert!(!entry.needs.is_empty(), "{}", entry.id);
        for need in entry.needs {
            let mut inputs = case.inputs();
            match need {
                Need::Vocab => inputs.vocab = None,
                Need::Medians => inputs.medians = None,
                Need::Phenotypes => inputs.phenotype_vocab = None,
                Need::Locations => inputs.gene_locations = None,
            }
            let error = (entry.make)(&inputs).err().unwrap_or_else(|| panic!("{} did without {need:?}", entry.id));
            assert_eq!(error.to_string(), format!("encoder `{}` needs {}", entry.id, need.as_str()));
        }
        let options = |name: &str, value: &str| EncoderInputs {
            options: BTreeMap::from([(name.to_owned(), value.to_owned())]),
            ..case.inputs()
        };
        let error = (entry.make)(&options("no-such-option", "1")).err().expect("unknown");
        assert!(error.is_config() && error.to_string().contains("has no option `no-such-option`"), "{error}");
        for it in entry.options {
            let typo = format!("{}x", it.name);
            let error = (entry.make)(&options(&typo, "1")).err().expect("unknown");
            let near = nearest(&typo, entry.options.iter().map(|it| it.name)).expect("near");
            assert_eq!(error.hints(), [format!("did you mean `{near}`?")], "{}", entry.id);
            let bad = (entry.make)(&options(it.name, "zzz")).err();
            assert!(bad.is_some_and(|it| it.to_string().contains("zzz")), "{} takes zzz for `{}`", entry.id, it.name);
        }
    }
}

#[test]
fn lengths_can_be_chosen_where_rows_are_cut() {
    for (entry, case) in entry_and_case() {
        let made = (entry.make)(&EncoderInputs { max_len: Some(130), ..case.inputs() });
        match made {
            Ok(it) => {
                // scPRINT counts genes, its two leading tokens come on top.
                let want = if entry.id == "scprint" { 132 } else { 130 };
                assert_eq!(it.info().max_len, Some(want), "{}", entry.id);
            }
            Err(error) => {
                assert!(error.to_string().contains("cuts nothing"), "{}: {error}", entry.id);
                assert!(["scbert", "scfoundation", "aido_cell", "polygene_v1"].contains(&entry.id), "{}", entry.id);
            }
        }
    }
}

#[test]
fn scales_that_do_not_fit_are_refused_with_a_hint() {
    for (entry, case) in entry_and_case() {
        let made = (entry.make)(&case.inputs()).expect("valid");
        let var = cellstone_core::Var::from_ids(case.genes()).expect("unique");
        for scale in [Scale::Effect, Scale::Cpm] {
            let error = made.bind(&var, scale).err().unwrap_or_else(|| panic!("{} takes {scale}", entry.id));
            assert!(error.is_invalid_input() && !error.hints().is_empty(), "{}: {error:?}", entry.id);
        }
        made.bind(&var, Scale::Counts).unwrap_or_else(|error| panic!("{}: {error}", entry.id));
    }
}
