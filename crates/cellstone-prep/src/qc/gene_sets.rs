//! The sets of genes whose share of a cell's counts tells about its quality.

use cellstone_core::{Error, Result, Var};

/// Names and members of up to 32 gene sets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GeneSets {
    names: Vec<String>,
    /// Bit `i` of a gene says whether it belongs to set `i`.
    bits: Vec<u32>,
}

impl GeneSets {
    /// No sets over `n_vars` genes.
    pub fn none(n_vars: usize) -> Self {
        Self { names: Vec::new(), bits: vec![0; n_vars] }
    }

    /// The three sets of the field, by symbol: `mt`, `ribo` and `hb`.
    ///
    /// | set | rule |
    /// |---|---|
    /// | `mt` | begins with `MT-`, `Mt-` or `mt-` |
    /// | `ribo` | begins with `RPS` or `RPL`, `Rps` or `Rpl`, `rps` or `rpl` |
    /// | `hb` | the pattern `^HB[^(P)]` of the tutorials, also as `^Hb[^(p)]`: `HBA1` but not `HBP1` |
    ///
    /// The last pattern takes more than haemoglobin (`HBEGF`, `HBS1L`), which is kept so that numbers stay comparable.
    ///
    /// # Examples
    /// ```
    /// use cellstone_core::Var;
    /// use cellstone_prep::GeneSets;
    /// let var = Var::from_ids(["MT-CO1", "RPL3", "HBA1", "HBP1", "CD3E"])?;
    /// let sets = GeneSets::standard(&var);
    /// assert_eq!(sets.names(), ["mt", "ribo", "hb"]);
    /// assert_eq!((sets.members("mt"), sets.members("ribo"), sets.members("hb")), (vec![0], vec![1], vec![2]));
    /// # Ok::<(), cellstone_core::Error>(())
    /// ```
    pub fn standard(var: &Var) -> Self {
        let of = |rule: fn(&str) -> bool| (0..var.len()).map(|it| rule(var.label(it))).collect::<Vec<bool>>();
        let mut sets = Self::none(var.len());
        for (name, mask) in [("mt", of(is_mitochondrial)), ("ribo", of(is_ribosomal)), ("hb", of(is_hemoglobin))] {
            sets.push(name, &mask);
        }
        sets
    }

    /// Adds a set by membership of each gene.
    ///
    /// # Errors
    /// If the name is taken or empty, the mask has another length, or there are 32 sets.
    pub fn with(mut self, name: &str, mask: &[bool]) -> Result<Self> {
        if name.is_empty() || self.names.iter().any(|it| it == name) {
            return Err(Error::config(format!("gene set name `{name}` is empty or taken, expected a new one")));
        }
        if mask.len() != self.bits.len() {
            return Err(Error::invalid_input(format!(
                "gene set `{name}` says yes or no for {} genes, expected {}",
                mask.len(),
                self.bits.len()
            )));
        }
        if self.names.len() == 32 {
            return Err(Error::config("a 33rd gene set was given, expected at most 32"));
        }
        self.push(name, mask);
        Ok(self)
    }

    /// Names in the order they were added.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// Columns of the genes of a set; empty for an unknown one.
    pub fn members(&self, name: &str) -> Vec<usize> {
        let Some(set) = self.names.iter().position(|it| it == name) else { return Vec::new() };
        (0..self.bits.len()).filter(|it| self.bits[*it] >> set & 1 == 1).collect()
    }

    /// Number of genes that the sets speak about.
    pub fn n_vars(&self) -> usize {
        self.bits.len()
    }

    pub(super) fn bits(&self) -> &[u32] {
        &self.bits
    }

    fn push(&mut self, name: &str, mask: &[bool]) {
        let bit = 1 << self.names.len();
        self.names.push(name.to_owned());
        self.bits.iter_mut().zip(mask).filter(|it| *it.1).for_each(|it| *it.0 |= bit);
    }
}

fn begins(symbol: &str, with: &[&str]) -> bool {
    with.iter().any(|it| symbol.starts_with(it))
}

fn is_mitochondrial(symbol: &str) -> bool {
    begins(symbol, &["MT-", "Mt-", "mt-"])
}

fn is_ribosomal(symbol: &str) -> bool {
    begins(symbol, &["RPS", "RPL", "Rps", "Rpl", "rps", "rpl"])
}

fn is_hemoglobin(symbol: &str) -> bool {
    let third = |prefix: &str| symbol.strip_prefix(prefix).and_then(|rest| rest.chars().next());
    third("HB").is_some_and(|it| !"(P)".contains(it)) || third("Hb").is_some_and(|it| !"(p)".contains(it))
}
