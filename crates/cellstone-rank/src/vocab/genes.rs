//! The genes of a vocabulary and their tokens.

use super::bound::BoundGenes;
use super::name::EnsemblName;
use super::resolve::Resolver;
use cellstone_core::genes::{GeneTable, IdTarget};
use cellstone_core::{Error, Result, Var};

/// The genes of a vocabulary; a gene is known by its position, and positions ascend with the token id.
///
/// # Examples
/// ```
/// use cellstone_core::{Var, genes::IdTarget};
/// use cellstone_rank::GeneVocab;
/// let genes = vec![("ENSG00000000005".to_owned(), 8), ("ENSG00000000003".to_owned(), 5)];
/// let vocab = GeneVocab::new("example", IdTarget::Ensembl, genes)?;
/// assert_eq!((vocab.keys()[0].as_str(), vocab.tokens()), ("ENSG00000000003", &[5, 8][..]));
/// let var = Var::from_ids(["ENSG00000000005.6", "ENSG00000999999", "ensg00000000003"])?;
/// let bound = vocab.bind(&var, None)?;
/// assert_eq!(bound.positions(), [Some(1), None, Some(0)]);
/// assert_eq!(bound.coverage().n_mapped, 2);
/// # Ok::<(), cellstone_core::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct GeneVocab {
    name: String,
    target: IdTarget,
    keys: Vec<String>,
    tokens: Vec<u32>,
    /// Canonical key to position, sorted.
    index: Vec<(String, u32)>,
    /// Key in capitals to position, sorted; equal names follow each other.
    shouted: Vec<(String, u32)>,
    /// The model's own map of other names, in capitals, to positions, sorted.
    others: Vec<(String, u32)>,
}

impl GeneVocab {
    /// A vocabulary from keys (Ensembl ids or symbols, as `target` says) and their tokens, in any order.
    ///
    /// # Errors
    /// If there is no gene, a key is empty, a token is `u32::MAX`, or two genes share a key or a token: both are named.
    /// Keys that are Ensembl ids are compared in capitals and without their version. Among symbols, where ids fill in
    /// for genes without one, an id may stand with a version beside itself without one, each under its own spelling
    /// (`ENSG00000283886` and `ENSG00000283886.3` of scGPT's census vocabulary).
    pub fn new(name: impl Into<String>, target: IdTarget, genes: Vec<(String, u32)>) -> Result<Self> {
        let (name, mut genes) = (name.into(), genes);
        if genes.is_empty() {
            return Err(Error::invalid_input(format!("vocabulary `{name}` has no gene, expected at least one")));
        }
        genes.sort_unstable_by(|a, b| (a.1, &a.0).cmp(&(b.1, &b.0)));
        if let Some(pair) = genes.windows(2).find(|it| it[0].1 == it[1].1) {
            let (token, first, second) = (pair[0].1, &pair[0].0, &pair[1].0);
            return Err(Error::invalid_input(format!(
                "vocabulary `{name}` gives token {token} to `{first}` and to `{second}`"
            )));
        }
        if let Some((_, token)) = genes.iter().find(|it| it.0.trim().is_empty()) {
            return Err(Error::invalid_input(format!("vocabulary `{name}` has an empty name for token {token}")));
        }
        if let Some((key, token)) = genes.iter().find(|it| it.1 == u32::MAX) {
            return Err(Error::invalid_input(format!(
                "vocabulary `{name}` gives `{key}` the token {token}, which stands for none"
            )));
        }
        let (keys, tokens): (Vec<String>, Vec<u32>) = genes.into_iter().unzip();
        let at = |make: fn(&str) -> String| {
            let mut index: Vec<(String, u32)> = keys.iter().enumerate().map(|(n, it)| (make(it), n as u32)).collect();
            index.sort_unstable();
            index
        };
        let (mut index, shouted) = (at(canonical), at(|it| it.trim().to_uppercase()));
        if target == IdTarget::Symbol {
            keep_versions_beside(&mut index, &keys);
        }
        if let Some(pair) = index.windows(2).find(|it| it[0].0 == it[1].0) {
            let (first, second) = (&keys[pair[0].1 as usize], &keys[pair[1].1 as usize]);
            return Err(Error::invalid_input(format!(
                "vocabulary `{name}` holds one gene twice: `{first}` (token {}) and `{second}` (token {})",
                tokens[pair[0].1 as usize], tokens[pair[1].1 as usize]
            )));
        }
        Ok(Self { name, target, keys, tokens, index, shouted, others: Vec::new() })
    }

    /// The same vocabulary with the model's own map from other names (retired ids, symbols) to keys, in place of any
    /// it had. Names are compared in capitals; rows whose key is not in the vocabulary say nothing and are left out.
    ///
    /// # Errors
    /// Names a name that leads to two genes of the vocabulary.
    pub fn with_mapping<A, B>(mut self, rows: impl IntoIterator<Item = (A, B)>) -> Result<Self>
    where
        A: AsRef<str>,
        B: AsRef<str>,
    {
        let mut others = Vec::new();
        for (from, key) in rows {
            if let Some(at) = self.position(key.as_ref()) {
                others.push((from.as_ref().trim().to_uppercase(), at));
            }
        }
        others.sort_unstable();
        others.dedup();
        if let Some(pair) = others.windows(2).find(|it| it[0].0 == it[1].0) {
            let (name, first, second) = (&pair[0].0, pair[0].1 as usize, pair[1].1 as usize);
            return Err(Error::invalid_input(format!(
                "the map of vocabulary `{}` leads from `{name}` to `{}` and to `{}`, expected one gene",
                self.name, self.keys[first], self.keys[second]
            )));
        }
        self.others = others;
        Ok(self)
    }

    /// What to call it in messages.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What its keys are.
    pub fn target(&self) -> IdTarget {
        self.target
    }

    /// Number of genes.
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// Whether there is no gene; never so, by construction.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// Keys as they are written, by position.
    pub fn keys(&self) -> &[String] {
        &self.keys
    }

    /// Tokens by position, ascending.
    pub fn tokens(&self) -> &[u32] {
        &self.tokens
    }

    /// Position of a key, spelled as in the vocabulary; Ensembl ids in any case and version.
    pub fn position(&self, key: &str) -> Option<u32> {
        let key = key.trim();
        let find = |key: &str| {
            let at = self.index.binary_search_by(|it| it.0.as_str().cmp(key)).ok()?;
            Some(self.index[at].1)
        };
        // Most keys are written as they are stored; only Ensembl ids have another form.
        find(key).or_else(|| EnsemblName::parse(key).and_then(|_| find(&canonical(key))))
    }

    /// Finds the gene of every feature of a file.
    ///
    /// A feature is looked for by its id, and by its symbol where the id says nothing. In this order: a key as it is
    /// written; an Ensembl id without its version, a copy on Y as the gene on X; the model's own map
    /// ([`GeneVocab::with_mapping`]); with `table` also the approved symbol, exactly and then in any case, and aliases
    /// and previous symbols. Of several genes that a name may stand for, the only one of the vocabulary is taken; if
    /// none or several are in it, none is. Values of features that lead to one gene are summed by
    /// [`BoundGenes::gather`].
    ///
    /// # Errors
    /// None at present; a rule that cannot be decided without the caller may become one.
    pub fn bind(&self, var: &Var, table: Option<&GeneTable>) -> Result<BoundGenes> {
        Ok(BoundGenes::new(self, &Resolver::new(self, table), var))
    }

    /// The only key that equals `shouted` in capitals.
    pub(super) fn shouted(&self, shouted: &str) -> Option<u32> {
        let from = self.shouted.partition_point(|it| it.0.as_str() < shouted);
        let mut found = self.shouted[from..].iter().take_while(|it| it.0 == shouted);
        let first = found.next()?.1;
        found.next().is_none().then_some(first)
    }

    /// Where the model's own map leads.
    pub(super) fn mapped(&self, shouted: &str) -> Option<u32> {
        let at = self.others.binary_search_by(|it| it.0.as_str().cmp(shouted)).ok()?;
        Some(self.others[at].1)
    }
}

/// The form in which keys are compared: Ensembl ids in capitals and without version, anything else as it is.
/// Of ids that differ by their version alone, one of them without: the others are found by their own spelling.
fn keep_versions_beside(index: &mut [(String, u32)], keys: &[String]) {
    for run in index.chunk_by_mut(|a, b| a.0 == b.0).filter(|run| run.len() > 1) {
        let is_bare = |it: &(String, u32)| keys[it.1 as usize].trim() == it.0;
        if run.iter().filter(|it| is_bare(it)).count() == 1 {
            let versioned = run.iter_mut().filter(|it| keys[it.1 as usize].trim() != it.0);
            versioned.for_each(|it| keys[it.1 as usize].trim().clone_into(&mut it.0));
        }
    }
    index.sort_unstable();
}

fn canonical(key: &str) -> String {
    match EnsemblName::parse(key.trim()) {
        // A vocabulary that lists the copy on Y apart keeps it apart.
        Some(it) if it.is_copy_on_y() && !it.stem().starts_with("ENSGR") => format!("{}_PAR_Y", it.stem()),
        Some(it) => it.stem().to_owned(),
        None => key.trim().to_owned(),
    }
}
