//! What the best network says of the phenotypes of cells it never learnt from, beside what needs no network.

use super::corpus::Part;
use super::rows::{Cell, Census, Rows, phenotype_ids};
use cellstone_core::{Result, TokenRow};
use cellstone_model::{Network, PhenotypeQuery, phenotype_logits};
use cellstone_rank::{EvaluationCondition, PolygeneVocab};
use cellstone_report::pretrain::schema::HeldOutRow;
use std::collections::BTreeMap;

const CONDITIONS: [EvaluationCondition; 3] =
    [EvaluationCondition::Masked, EvaluationCondition::Visible, EvaluationCondition::Dropped];

/// Answers of one method to one question.
#[derive(Default)]
struct Tally {
    n: u64,
    hits: u64,
    log_loss: f64,
    /// Cells and hits by true value.
    by_value: BTreeMap<u32, (u64, u64)>,
}

impl Tally {
    /// Adds the probabilities of the values for a cell; ties go to the first value.
    fn add(&mut self, p: &[f64], truth: usize) {
        let best = p.iter().enumerate().fold(0, |best, (at, it)| if *it > p[best] { at } else { best });
        let hit = u64::from(best == truth);
        let of = self.by_value.entry(truth as u32).or_default();
        *of = (of.0 + 1, of.1 + hit);
        self.n += 1;
        self.hits += hit;
        // A value that a method rules out costs what one in a million would.
        self.log_loss -= p[truth].max(1e-6).ln();
    }

    fn row(&self, base: &HeldOutRow) -> HeldOutRow {
        let mean = |it: f64| (self.n > 0).then(|| it / self.n as f64);
        let recalls: Vec<f64> = self.by_value.values().map(|(n, hits)| *hits as f64 / *n as f64).collect();
        HeldOutRow {
            n: self.n as i64,
            accuracy: mean(self.hits as f64),
            balanced_accuracy: (!recalls.is_empty()).then(|| recalls.iter().sum::<f64>() / recalls.len() as f64),
            log_loss: mean(self.log_loss),
            ..base.clone()
        }
    }
}

/// One category under one condition.
struct Question {
    category: usize,
    condition: EvaluationCondition,
    /// Model, majority, conditional frequency.
    answers: [Tally; 3],
}

const METHODS: [&str; 3] = ["model", "majority", "conditional"];

/// Asks for every category of every cell of a part, under every condition. Cells whose value no training cell has are
/// left out.
///
/// # Errors
/// If the file cannot be read.
pub(super) fn assess(
    network: &Network,
    rows: &Rows,
    vocab: &PolygeneVocab,
    census: &Census,
    part: Part,
    advance: &dyn Fn(u64),
) -> Result<Vec<HeldOutRow>> {
    let n = vocab.categories().len();
    let ask = |category| {
        CONDITIONS.map(|condition| Question {
            category,
            condition,
            answers: [Tally::default(), Tally::default(), Tally::default()],
        })
    };
    let mut questions: Vec<Question> = (0..n).flat_map(ask).collect();
    for chunk in rows.chunks() {
        let cells = rows.read(&chunk, part)?;
        for question in &mut questions {
            question.put(network, vocab, census, &cells)?;
        }
        advance(chunk.len() as u64);
    }
    let mut found = Vec::new();
    for it in &questions {
        let base = HeldOutRow {
            part: part.as_str().into(),
            category: vocab.categories()[it.category].name.clone(),
            condition: it.condition.as_str().into(),
            n_classes: vocab.category_ids(it.category).len() as i64,
            ..HeldOutRow::default()
        };
        for (method, tally) in METHODS.iter().zip(&it.answers) {
            found.push(HeldOutRow { method: (*method).into(), ..tally.row(&base) });
        }
    }
    Ok(found)
}

impl Question {
    fn put(&mut self, network: &Network, vocab: &PolygeneVocab, census: &Census, cells: &[Cell]) -> Result<()> {
        let candidates = vocab.category_ids(self.category);
        let n = vocab.categories().len();
        let known: Vec<(TokenRow, Vec<Option<u32>>, usize)> = cells
            .iter()
            .filter_map(|it| {
                let ids = phenotype_ids(&it.tokens, vocab, n);
                let truth = candidates.iter().position(|id| Some(*id) == ids[self.category])?;
                Some((it.tokens.clone(), ids, truth))
            })
            .collect();
        if known.is_empty() {
            return Ok(());
        }
        let query = PhenotypeQuery { vocab, category: self.category, condition: self.condition };
        let tokens: Vec<TokenRow> = known.iter().map(|it| it.0.clone()).collect();
        let logits = phenotype_logits(network, &query, &tokens)?;
        let visible = self.condition == EvaluationCondition::Visible;
        for ((_, ids, truth), row) in known.iter().zip(logits.rows()) {
            let scores: Vec<f64> = candidates.iter().map(|it| f64::from(row[*it as usize])).collect();
            self.answers[0].add(&softmax(&scores), *truth);
            let majority = frequencies(census, candidates, self.category, &[]);
            let given: Vec<(usize, u32)> = ids
                .iter()
                .enumerate()
                .filter(|it| visible && it.0 != self.category)
                .filter_map(|(at, it)| it.map(|it| (at, it)))
                .collect();
            let conditional = frequencies(census, candidates, self.category, &given);
            self.answers[1].add(&majority, *truth);
            self.answers[2].add(&conditional, *truth);
        }
        Ok(())
    }
}

fn softmax(scores: &[f64]) -> Vec<f64> {
    let most = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let shares: Vec<f64> = scores.iter().map(|it| (it - most).exp()).collect();
    let sum: f64 = shares.iter().sum();
    shares.into_iter().map(|it| it / sum).collect()
}

/// Shares of the values of a category among the training cells that have the given values of other categories; among
/// all of them where there is none.
fn frequencies(census: &Census, candidates: &[u32], category: usize, given: &[(usize, u32)]) -> Vec<f64> {
    let fits = |ids: &[Option<u32>]| given.iter().all(|(at, it)| ids[*at] == Some(*it));
    let mut counts = vec![0.0; candidates.len()];
    for (ids, n) in census.combinations.iter().filter(|it| fits(it.0)) {
        if let Some(at) = candidates.iter().position(|it| Some(*it) == ids[category]) {
            counts[at] += *n as f64;
        }
    }
    let sum: f64 = counts.iter().sum();
    match sum {
        0.0 if given.is_empty() => vec![1.0 / candidates.len() as f64; candidates.len()],
        0.0 => frequencies(census, candidates, category, &[]),
        _ => counts.into_iter().map(|it| it / sum).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frequencies_back_off() {
        let mut census = Census::default();
        census.combinations.insert(vec![Some(4), Some(7)], 3);
        census.combinations.insert(vec![Some(5), Some(7)], 1);
        census.combinations.insert(vec![Some(5), Some(8)], 4);
        assert_eq!(frequencies(&census, &[4, 5], 0, &[]), [0.375, 0.625]);
        assert_eq!(frequencies(&census, &[4, 5], 0, &[(1, 7)]), [0.75, 0.25]);
        assert_eq!(frequencies(&census, &[4, 5], 0, &[(1, 9)]), [0.375, 0.625], "never seen");
        let mut tally = Tally::default();
        tally.add(&[0.75, 0.25], 0);
        tally.add(&[0.75, 0.25], 1);
        let row = tally.row(&HeldOutRow::default());
        assert_eq!((row.n, row.accuracy, row.balanced_accuracy), (2, Some(0.5), Some(0.5)));
        assert!((row.log_loss.expect("defined") - (0.75_f64.ln() + 0.25_f64.ln()) / -2.0).abs() < 1e-12);
    }
}
