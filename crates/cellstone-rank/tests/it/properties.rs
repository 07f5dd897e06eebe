//! What every encoder must do, whatever it encodes: see [`check`].

use cellstone_core::{CellInput, Csr, Encoded, Scale, Seed, TokenRow, Tokenizer, Var, cell_seed};
use rand::RngExt;
use std::collections::BTreeSet;

/// An encoder and how to make files for it.
pub(crate) struct Subject<'a> {
    pub(crate) tokenizer: &'a dyn Tokenizer,
    /// Genes that it knows, by the names of its own vocabulary.
    pub(crate) genes: Vec<String>,
    /// The same gene by another name: with a version, in lower case.
    pub(crate) other_name: fn(&str) -> String,
    /// The scale of the values it is given.
    pub(crate) scale: Scale,
    /// Whether the order of the columns of a file may show.
    pub(crate) follows_columns: bool,
    /// Whether ids lead back to genes through `token_name`; else ids are bins.
    pub(crate) names_genes: bool,
    /// Phenotypes of every cell, in the order of the encoder's categories.
    pub(crate) phenotypes: Vec<Option<String>>,
}

impl<'a> Subject<'a> {
    /// An encoder of counts whose genes are Ensembl ids.
    pub(crate) fn new(tokenizer: &'a dyn Tokenizer, genes: Vec<String>) -> Self {
        Self {
            tokenizer,
            genes,
            other_name: |it| format!("{}.12", it.to_lowercase()),
            scale: Scale::Counts,
            follows_columns: false,
            names_genes: true,
            phenotypes: Vec::new(),
        }
    }

    /// An encoder of counts whose genes are symbols.
    pub(crate) fn of_symbols(tokenizer: &'a dyn Tokenizer, genes: Vec<String>) -> Self {
        Self { other_name: str::to_lowercase, ..Self::new(tokenizer, genes) }
    }
}

/// Counts of some cells, dense, and the totals that the cells say they have.
#[derive(Clone)]
struct Table {
    names: Vec<String>,
    rows: Vec<Vec<f32>>,
    totals: Vec<f64>,
}

impl Table {
    /// Known genes and some unknown ones in any order; few counts, so that many values tie. The last cell is empty, the
    /// one before has unknown genes alone.
    fn simulated(subject: &Subject<'_>, seed: Seed) -> Self {
        let mut rng = seed.rng();
        let mut names: Vec<String> = subject.genes.clone();
        names.extend((0..5).map(|it| format!("unknown-{it}")));
        let order = shuffled(names.len(), seed.derive("order"));
        let names: Vec<String> = order.iter().map(|it| names[*it].clone()).collect();
        let known = |name: &String| !name.starts_with("unknown");
        let mut rows: Vec<Vec<f32>> = Vec::new();
        for density in [0.1, 0.5, 0.9, 0.3] {
            let count = |_: &String| {
                if rng.random::<f64>() > density { 0.0 } else { (rng.random::<f64>().powi(4) * 30.0).ceil() as f32 }
            };
            rows.push(names.iter().map(count).collect());
        }
        rows.push(names.iter().map(|it| if known(it) { 0.0 } else { 3.0 }).collect());
        rows.push(vec![0.0; names.len()]);
        Self { names, totals: rows.iter().map(|it| total(it)).collect(), rows }
    }

    /// The chosen columns, in the given order.
    fn columns(&self, order: &[usize]) -> Self {
        Self {
            names: order.iter().map(|it| self.names[*it].clone()).collect(),
            rows: self.rows.iter().map(|row| order.iter().map(|it| row[*it]).collect()).collect(),
            totals: self.totals.clone(),
        }
    }

    fn with_column(mut self, at: usize, name: &str, value: impl Fn(usize) -> f32) -> Self {
        self.names.insert(at, name.to_owned());
        self.rows.iter_mut().enumerate().for_each(|(n, row)| row.insert(at, value(n)));
        self
    }

    fn named(mut self, name: impl Fn(&str) -> String) -> Self {
        self.names.iter_mut().for_each(|it| *it = name(it));
        self
    }

    fn csr(&self, scale: Scale) -> Csr<f32> {
        let (mut indptr, mut indices, mut data) = (vec![0], Vec::new(), Vec::new());
        for (row, total) in self.rows.iter().zip(&self.totals) {
            for (col, count) in row.iter().enumerate().filter(|it| *it.1 != 0.0) {
                indices.push(col as u32);
                data.push(match scale {
                    Scale::Counts => *count,
                    _ => (f64::from(*count) / total * 1e4).ln_1p() as f32,
                });
            }
            indptr.push(data.len());
        }
        Csr::new(self.rows.len(), self.names.len(), indptr, indices, data).expect("a matrix")
    }

    fn encode(&self, subject: &Subject<'_>, seed: u64) -> Vec<Encoded> {
        let order: Vec<usize> = (0..self.rows.len()).collect();
        encode(subject, &self.var(), &self.csr(subject.scale), &self.totals, &order, seed)
    }

    fn var(&self) -> Var {
        Var::from_ids(self.names.iter().cloned()).expect("unique")
    }
}

fn total(row: &[f32]) -> f64 {
    row.iter().map(|it| f64::from(*it)).sum()
}

fn shuffled(n: usize, seed: Seed) -> Vec<usize> {
    let mut rng = seed.rng();
    let mut order: Vec<usize> = (0..n).collect();
    (1..n).for_each(|it| order.swap(it, rng.random_range(0..=it)));
    order
}

/// Encodes cells in the given order of work; the result is in the order of the cells.
fn encode(subject: &Subject<'_>, var: &Var, x: &Csr<f32>, totals: &[f64], order: &[usize], seed: u64) -> Vec<Encoded> {
    let bound = subject.tokenizer.bind(var, subject.scale).expect("binds");
    let phenotypes: Vec<Option<&str>> = subject.phenotypes.iter().map(Option::as_deref).collect();
    let mut out: Vec<Option<Encoded>> = vec![None; order.len()];
    for at in order {
        let (columns, values) = x.row(*at);
        let seed = cell_seed(Seed::new(seed), "data", &format!("cell{at}"));
        let cell = CellInput { columns, values, n_counts: totals[*at], phenotypes: &phenotypes, seed };
        out[*at] = Some(bound.encode(&cell));
    }
    out.into_iter().map(|it| it.expect("every cell")).collect()
}

fn rows(all: &[Encoded]) -> Vec<Option<&TokenRow>> {
    fn row(it: &Encoded) -> Option<&TokenRow> {
        match it {
            Encoded::Row(row) => Some(row),
            Encoded::Rejected { .. } => None,
        }
    }
    all.iter().map(row).collect()
}

/// Checks every property on many simulated files; panics at the first that fails.
///
/// 1. Threads and the order of work do not matter, nor does a second run. 2. The order of the cells neither. 3. Nor that
///    of the columns. 4. A gene that is in no vocabulary changes nothing but what comes from the total. 5. A gene without
///    counts changes nothing. 6. Nor does a gene in two columns. 7. A matrix by columns is the same matrix. 8. Rows are
///    no longer than the limit, repeat no gene, have no id beyond the last and special tokens where they belong. 9. Ids
///    lead back to the genes. 10. Genes by other names are the same genes. 11. Values are as many as ids. 12. Another
///    seed changes random encoders alone.
pub(crate) fn check(subject: &Subject<'_>) {
    for seed in 0..12 {
        let table = Table::simulated(subject, Seed::new(seed));
        let whole = table.encode(subject, 1);
        does_not_depend_on_work(subject, &table, &whole);
        does_not_depend_on_columns(subject, &table, &whole, seed);
        does_not_depend_on_names(subject, &table, &whole);
        for (row, counts) in rows(&whole).into_iter().zip(&table.rows) {
            if let Some(row) = row {
                is_well_formed(subject, row);
                leads_back(subject, row, &table.names, counts);
            }
        }
        let other = table.encode(subject, 2);
        assert!(subject.tokenizer.info().is_random || other == whole, "12: the seed shows");
    }
}

fn does_not_depend_on_work(subject: &Subject<'_>, table: &Table, whole: &[Encoded]) {
    assert_eq!(table.encode(subject, 1), whole, "1: a second run differs");
    let backwards: Vec<usize> = (0..table.rows.len()).rev().collect();
    let (var, x) = (table.var(), table.csr(subject.scale));
    assert_eq!(encode(subject, &var, &x, &table.totals, &backwards, 1), whole, "2: the order of cells shows");
    assert_eq!(encode(subject, &var, &x.to_csc().to_csr(), &table.totals, &backwards, 1), whole, "7: CSC differs");
    std::thread::scope(|scope| {
        let run = || encode(subject, &var, &x, &table.totals, &backwards, 1);
        let threads: Vec<_> = (0..3).map(|_| scope.spawn(run)).collect();
        for it in threads {
            assert_eq!(it.join().expect("no panic"), whole, "1: threads show");
        }
    });
}

fn does_not_depend_on_columns(subject: &Subject<'_>, table: &Table, whole: &[Encoded], seed: u64) {
    let order = shuffled(table.names.len(), Seed::new(seed).derive("columns"));
    let mixed = table.columns(&order).encode(subject, 1);
    if !subject.follows_columns {
        assert_eq!(rows(&mixed), rows(whole), "3: the order of columns shows");
    }
    let stranger = table.clone().with_column(order[0], "in-no-vocabulary", |_| 40.0);
    assert_eq!(rows(&stranger.encode(subject, 1)), rows(whole), "4: an unknown gene shows");
    let mut deeper = stranger;
    deeper.totals.iter_mut().for_each(|it| *it += 40.0);
    let n_genes = |all: &[Encoded]| rows(all).iter().map(|it| it.map_or(0, |row| row.n_genes)).collect::<Vec<_>>();
    assert_eq!(n_genes(&deeper.encode(subject, 1)), n_genes(whole), "4: an unknown gene hides known ones");
    // A known gene that the file lacked: take one away, and add it back without counts.
    let Some(gone) = table.names.iter().position(|it| !it.starts_with("unknown")) else { return };
    let mut without = table.clone();
    without.rows.iter_mut().for_each(|row| row[gone] = 0.0);
    let kept: Vec<usize> = (0..table.names.len()).filter(|it| *it != gone).collect();
    let lacking = without.columns(&kept).encode(subject, 1);
    assert_eq!(rows(&without.encode(subject, 1)), rows(&lacking), "5: a gene without counts shows");
}

fn does_not_depend_on_names(subject: &Subject<'_>, table: &Table, whole: &[Encoded]) {
    let is_known = |name: &str| !name.starts_with("unknown");
    let other = |name: &str| if is_known(name) { (subject.other_name)(name) } else { name.to_owned() };
    assert_eq!(rows(&table.clone().named(other).encode(subject, 1)), rows(whole), "10: names show");
    // Sums of logarithms round.
    if subject.scale != Scale::Counts {
        return;
    }
    let mut split = table.clone();
    let known: Vec<usize> = (0..table.names.len()).filter(|it| is_known(&table.names[*it])).step_by(3).collect();
    for at in known {
        let name = (subject.other_name)(&table.names[at]);
        let half: Vec<f32> = split.rows.iter().map(|row| (row[at] / 2.0).floor()).collect();
        split.rows.iter_mut().zip(&half).for_each(|(row, it)| row[at] -= it);
        split = split.with_column(table.names.len(), &name, |row| half[row]);
    }
    assert_eq!(rows(&split.encode(subject, 1)), rows(whole), "6: a gene in two columns shows");
}

fn is_well_formed(subject: &Subject<'_>, row: &TokenRow) {
    let info = subject.tokenizer.info();
    let n = row.input_ids.len();
    assert!(n > 0 && info.max_len.is_none_or(|it| n <= it), "8: {n} tokens of at most {:?}", info.max_len);
    assert!(row.input_ids.iter().all(|it| *it < info.n_tokens), "8: an id beyond {}", info.n_tokens);
    let specials = [info.specials.cls, info.specials.eos].into_iter().flatten().collect::<BTreeSet<_>>();
    if subject.names_genes && !info.repeats {
        let distinct: BTreeSet<u32> = row.input_ids.iter().copied().collect();
        assert_eq!(distinct.len(), n, "8: a gene twice");
        // A special token that stands in a row stands at its end.
        let inside = row.input_ids.get(1..n - 1).unwrap_or_default();
        assert!(!inside.iter().any(|it| specials.contains(it)), "8: a special token inside");
    }
    let is_pad = |it: &u32| Some(*it) == info.specials.pad;
    assert!(!subject.names_genes || !row.input_ids.iter().any(is_pad), "8: padding is stored");
    assert!(row.values.as_ref().is_none_or(|it| it.len() == n && it.iter().all(|it| it.is_finite())), "11: values");
    assert!(row.type_ids.as_ref().is_none_or(|it| it.len() == n), "11: types");
    assert!(row.n_truncated <= row.n_genes, "8: {} of {} genes lost", row.n_truncated, row.n_genes);
}

fn leads_back(subject: &Subject<'_>, row: &TokenRow, names: &[String], counts: &[f32]) {
    let known: BTreeSet<&str> = subject.genes.iter().map(String::as_str).collect();
    let expressed: BTreeSet<&str> = names
        .iter()
        .zip(counts)
        .filter(|it| *it.1 > 0.0)
        .map(|it| it.0.as_str())
        .filter(|it| known.contains(it))
        .collect();
    let mapped: f64 =
        names.iter().zip(counts).filter(|it| known.contains(it.0.as_str())).map(|it| f64::from(*it.1)).sum();
    assert_eq!(row.n_genes as usize, expressed.len(), "9: number of genes");
    assert!(subject.scale != Scale::Counts || row.mapped == mapped, "9: {} counts of {mapped}", row.mapped);
    if !subject.names_genes {
        return;
    }
    let name = |id: &u32| subject.tokenizer.token_name(*id).unwrap_or_else(|| panic!("9: token {id} has no name"));
    let found: BTreeSet<&str> = row.input_ids.iter().map(name).filter(|it| known.contains(it)).collect();
    assert!(found.is_subset(&expressed), "9: genes that are not expressed");
    assert_eq!(found.len(), (row.n_genes - row.n_truncated) as usize, "9: genes in the row");
}
