//! The table: genes sorted by id, and sorted names that lead to them.

use super::gene::{Gene, Spelling};
use crate::{Error, Result};
use serde::Serialize;
use std::fmt;

/// What names are mapped to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum IdTarget {
    /// Ensembl ids without version.
    Ensembl,
    /// Symbols of the table; the id of a gene that has no symbol.
    Symbol,
}

impl fmt::Display for IdTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ensembl => "Ensembl id",
            Self::Symbol => "symbol",
        })
    }
}

/// How a name found its gene, or why it did not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum IdKind {
    /// It is an id of the table.
    Ensembl,
    /// It is an id of the table but for its version.
    Versioned,
    /// It is a symbol of the table.
    Symbol,
    /// It is an alias or a previous symbol.
    Alias,
    /// It may be one of several.
    Ambiguous,
    /// It leads to no gene of the table.
    Unknown,
}

impl IdKind {
    /// The word for tables.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ensembl => "ensembl",
            Self::Versioned => "versioned",
            Self::Symbol => "symbol",
            Self::Alias => "alias",
            Self::Ambiguous => "ambiguous",
            Self::Unknown => "unknown",
        }
    }
}

/// What a name stands for, as an id or symbol of the table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Resolution<'a> {
    /// The name is an id of the table, in capitals or not.
    Exact(&'a str),
    /// The name is an id of the table once its version (and `_PAR_Y`) is cut off.
    Versioned(&'a str),
    /// The name is a symbol of the table.
    Symbol(&'a str),
    /// The name is an alias or previous symbol of one gene.
    Alias(&'a str),
    /// The name may stand for any of these, in order; none is chosen.
    Ambiguous(Vec<&'a str>),
    /// The name leads to no gene of the table.
    Unknown,
}

impl<'a> Resolution<'a> {
    /// The id or symbol, where there is one.
    pub fn id(&self) -> Option<&'a str> {
        match self {
            Self::Exact(it) | Self::Versioned(it) | Self::Symbol(it) | Self::Alias(it) => Some(it),
            Self::Ambiguous(_) | Self::Unknown => None,
        }
    }

    /// How the name found its gene.
    pub fn kind(&self) -> IdKind {
        match self {
            Self::Exact(_) => IdKind::Ensembl,
            Self::Versioned(_) => IdKind::Versioned,
            Self::Symbol(_) => IdKind::Symbol,
            Self::Alias(_) => IdKind::Alias,
            Self::Ambiguous(_) => IdKind::Ambiguous,
            Self::Unknown => IdKind::Unknown,
        }
    }
}

/// Genes of one species and release with everything they are called. Neither the order of the genes nor that of the
/// aliases matters.
#[derive(Debug, Clone, PartialEq)]
pub struct GeneTable {
    /// Sorted by id.
    genes: Vec<Gene>,
    /// Id in capitals to gene.
    ids: Names,
    /// Symbol to genes.
    symbols: Names,
    /// Symbols that aliases lead to, sorted.
    heads: Vec<Head>,
    /// Alias to places in `heads`.
    aliases: Names,
    /// Symbols that the table lacks or gives to several genes, to those whose id the alias source lists for them.
    bridged: Names,
}

/// A symbol of the alias source and the genes it stands for, if the table has any.
#[derive(Debug, Clone, PartialEq)]
struct Head {
    symbol: String,
    genes: Vec<u32>,
}

impl GeneTable {
    /// A table without aliases.
    ///
    /// # Errors
    /// If there is no gene, an id stands twice, or a symbol is the id of another gene.
    pub fn new(mut genes: Vec<Gene>) -> Result<Self> {
        if genes.is_empty() {
            return Err(Error::invalid_input("the gene table is empty, expected at least one gene"));
        }
        if let Some((first, second)) = Self::first_repeat(&genes) {
            let (id, first, second) = (genes[first].id(), first + 1, second + 1);
            return Err(Error::invalid_input(format!(
                "gene `{id}` stands at rows {first} and {second} of the gene table, expected once"
            )));
        }
        genes.sort_unstable();
        let at = |gene: usize| gene as u32;
        let ids = Names::new(genes.iter().enumerate().map(|(n, it)| (it.id().to_ascii_uppercase(), at(n))).collect());
        let named = genes.iter().enumerate().filter_map(|(n, it)| Some((it.symbol()?.to_owned(), at(n))));
        let symbols = Names::new(named.collect());
        let empty = || Names(Vec::new());
        let table = Self { genes, ids, symbols, heads: Vec::new(), aliases: empty(), bridged: empty() };
        for (symbol, gene) in &table.symbols.0 {
            // Otherwise a mapped symbol would be read back as another gene.
            if table.by_id(symbol).is_some() {
                let id = table.genes[*gene as usize].id();
                return Err(Error::invalid_input(format!(
                    "gene `{id}` has the symbol `{symbol}`, which is the id of another gene, expected a symbol"
                )));
            }
        }
        Ok(table)
    }

    /// Two places of the same id: the second is the first repeat in order, the first where it stood before.
    pub fn first_repeat(genes: &[Gene]) -> Option<(usize, usize)> {
        let mut order: Vec<(String, usize)> =
            genes.iter().enumerate().map(|(n, it)| (it.id().to_ascii_uppercase(), n)).collect();
        order.sort_unstable();
        let repeats = order.windows(2).filter(|it| it[0].0 == it[1].0).map(|it| (it[0].1, it[1].1));
        repeats.min_by_key(|it| it.1)
    }

    /// The same table with these rows of alias (or previous symbol) and symbol in place of any it had.
    ///
    /// Rows may repeat. An alias that is an id or a symbol of the table never leads elsewhere. Rows whose alias is an
    /// id of the table say which gene the source means by a symbol: this counts where the table lacks the symbol
    /// (annotation and aliases are of different years) and where it gives it to several genes (`CD99` on X and on Y).
    /// Whole numbers (NCBI gene ids) are left out: they are also what unnamed columns are called.
    ///
    /// # Errors
    /// Names a row of which one half is empty.
    ///
    /// # References
    /// HGNC keeps one approved symbol for a gene, its previous symbols and its aliases, of which the latter two may
    /// belong to several genes: <https://www.genenames.org/help/symbol-report/>.
    pub fn with_aliases<A, S>(mut self, rows: impl IntoIterator<Item = (A, S)>) -> Result<Self>
    where
        A: AsRef<str>,
        S: AsRef<str>,
    {
        let mut pairs = Vec::new();
        for (alias, symbol) in rows {
            let (alias, symbol) = (alias.as_ref().trim(), symbol.as_ref().trim());
            if alias.is_empty() || symbol.is_empty() {
                return Err(Error::invalid_input(format!(
                    "an alias row holds `{alias}` and `{symbol}`, expected an alias and its symbol"
                )));
            }
            if !is_whole_number(alias) {
                pairs.push((symbol.to_owned(), alias.to_owned()));
            }
        }
        pairs.sort_unstable();
        pairs.dedup();
        let bridges = pairs.iter().filter_map(|(symbol, alias)| {
            let gene = self.by_id(alias)?.0;
            let own = self.symbols.get(symbol);
            let open = own.is_empty() || (own.len() > 1 && own.iter().any(|it| it.1 == gene));
            open.then(|| (symbol.clone(), gene))
        });
        self.bridged = Names::new(bridges.collect());
        self.heads = Vec::new();
        let mut aliases = Vec::new();
        for (symbol, alias) in pairs {
            if self.heads.last().is_none_or(|it| it.symbol != symbol) {
                let genes = self.carriers(&symbol).iter().map(|it| it.1).collect();
                self.heads.push(Head { symbol, genes });
            }
            aliases.push((alias, (self.heads.len() - 1) as u32));
        }
        self.aliases = Names::new(aliases);
        Ok(self)
    }

    /// Genes in the order of their ids.
    pub fn genes(&self) -> &[Gene] {
        &self.genes
    }

    /// The gene of this id, with or without version.
    pub fn gene(&self, id: &str) -> Option<&Gene> {
        self.by_id(id.trim()).map(|(gene, _)| &self.genes[gene as usize])
    }

    /// Whether the table knows any alias.
    pub fn has_aliases(&self) -> bool {
        !self.heads.is_empty()
    }

    /// What `name` stands for.
    ///
    /// Looked for in this order, spaces around it aside: an id in any case, the same without its version, a symbol
    /// exactly as written (symbols of species differ by case), an alias or previous symbol exactly as written. Several
    /// genes of one symbol are ambiguous where ids are asked for, unless the alias source names the id; one alias of
    /// several symbols always is, also when the table has only one of them.
    pub fn resolve(&self, name: &str, target: IdTarget) -> Resolution<'_> {
        let name = name.trim();
        if let Some((gene, exact)) = self.by_id(name) {
            let id = self.target(gene, target);
            return if exact { Resolution::Exact(id) } else { Resolution::Versioned(id) };
        }
        // A symbol of the alias source wins over an alias, like one of the table.
        let found = self.carriers(name);
        if found.is_empty() {
            return self.by_alias(name, target);
        }
        let kind = if self.symbols.get(name).is_empty() { Resolution::Alias } else { Resolution::Symbol };
        self.one_of(found.iter().map(|it| it.1), target, kind)
    }

    /// The genes that a symbol of either source stands for.
    fn carriers(&self, symbol: &str) -> &[(String, u32)] {
        let (own, bridged) = (self.symbols.get(symbol), self.bridged.get(symbol));
        if own.len() == 1 || bridged.is_empty() { own } else { bridged }
    }

    fn by_alias(&self, name: &str, target: IdTarget) -> Resolution<'_> {
        let mut found = self.aliases.get(name);
        if found.is_empty() && name.starts_with("ENS") {
            found = self.aliases.get(Spelling::of(name).stem);
        }
        let heads: Vec<&Head> = found.iter().map(|it| &self.heads[it.1 as usize]).collect();
        let genes = || heads.iter().flat_map(|it| it.genes.iter().copied());
        let agree = genes().all(|it| genes().next() == Some(it)) && heads.iter().all(|it| !it.genes.is_empty());
        if heads.len() > 1 && !agree {
            return Resolution::Ambiguous(heads.iter().map(|it| it.symbol.as_str()).collect());
        }
        self.one_of(genes(), target, Resolution::Alias)
    }

    /// The one target that all genes share.
    fn one_of<'a>(
        &'a self,
        genes: impl Iterator<Item = u32>,
        target: IdTarget,
        found: fn(&'a str) -> Resolution<'a>,
    ) -> Resolution<'a> {
        let mut ids: Vec<&str> = genes.map(|it| self.target(it, target)).collect();
        ids.sort_unstable();
        ids.dedup();
        match ids[..] {
            [] => Resolution::Unknown,
            [it] => found(it),
            _ => Resolution::Ambiguous(ids),
        }
    }

    fn target(&self, gene: u32, target: IdTarget) -> &str {
        let gene = &self.genes[gene as usize];
        match target {
            IdTarget::Ensembl => gene.id(),
            IdTarget::Symbol => gene.label(),
        }
    }

    /// The gene of an id, and whether it is written as in the table but for case.
    fn by_id(&self, name: &str) -> Option<(u32, bool)> {
        let upper = name.to_ascii_uppercase();
        let find = |id: &str| self.ids.get(id).first().map(|it| it.1);
        if let Some(gene) = find(&upper) {
            return Some((gene, true));
        }
        let spelling = Spelling::of(&upper);
        let own_copy = if spelling.par_y { find(&spelling.without_version()) } else { None };
        own_copy.or_else(|| find(spelling.stem)).map(|gene| (gene, false))
    }

    /// Whether any id of the table begins with `prefix`.
    pub(super) fn has_prefix(&self, prefix: &str) -> bool {
        let at = self.ids.0.partition_point(|it| it.0.as_str() < prefix);
        self.ids.0.get(at).is_some_and(|it| it.0.starts_with(prefix))
    }
}

/// Whether a name is digits and nothing else.
pub(super) fn is_whole_number(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|it| it.is_ascii_digit())
}

/// Names, sorted, each with a number.
#[derive(Debug, Clone, PartialEq)]
struct Names(Vec<(String, u32)>);

impl Names {
    fn new(mut pairs: Vec<(String, u32)>) -> Self {
        pairs.sort_unstable();
        pairs.dedup();
        Self(pairs)
    }

    /// All entries of `name`.
    fn get(&self, name: &str) -> &[(String, u32)] {
        let from = self.0.partition_point(|it| it.0.as_str() < name);
        let n = self.0[from..].iter().take_while(|it| it.0 == name).count();
        &self.0[from..from + n]
    }
}
