//! How one name of a feature finds its gene in a vocabulary.

use super::genes::GeneVocab;
use super::name::{EnsemblName, is_excel_mangled, is_null_name};
use cellstone_core::genes::{GeneTable, IdKind, IdTarget, Resolution};
use serde::Serialize;
use std::cell::OnceCell;
use std::collections::BTreeMap;

/// How a feature found its gene, or why it did not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FeatureRule {
    /// It is a key of the vocabulary, or an id whose approved symbol is.
    Exact,
    /// The same, once its version is cut off.
    Version,
    /// It is the copy on Y of a gene that the vocabulary knows on X.
    ParY,
    /// The model's own map of retired ids and other names leads to it.
    Mapping,
    /// It is the approved symbol.
    Symbol,
    /// It is the approved symbol, or a key, but for case.
    SymbolUpper,
    /// It is an alias or a previous symbol.
    Alias,
    /// It may stand for several genes, of which the vocabulary has one.
    OnlyCandidate,
    /// It may stand for several genes of the vocabulary; not mapped.
    Ambiguous,
    /// It may stand for several genes, of which the vocabulary has none; not mapped.
    AmbiguousElsewhere,
    /// It is a date that once was a symbol; not mapped.
    ExcelMangled,
    /// It is a name of nothing; not mapped.
    NullName,
    /// It leads to no gene of the vocabulary.
    Unmapped,
}

impl FeatureRule {
    /// Every rule, in the order in which they are reported.
    pub const ALL: [Self; 13] = [
        Self::Exact,
        Self::Version,
        Self::ParY,
        Self::Mapping,
        Self::Symbol,
        Self::SymbolUpper,
        Self::Alias,
        Self::OnlyCandidate,
        Self::Ambiguous,
        Self::AmbiguousElsewhere,
        Self::ExcelMangled,
        Self::NullName,
        Self::Unmapped,
    ];

    /// The word for tables.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Exact => "exact",
            Self::Version => "version",
            Self::ParY => "par_y",
            Self::Mapping => "mapping",
            Self::Symbol => "symbol",
            Self::SymbolUpper => "symbol_upper",
            Self::Alias => "alias",
            Self::OnlyCandidate => "only_candidate",
            Self::Ambiguous => "ambiguous",
            Self::AmbiguousElsewhere => "ambiguous_elsewhere",
            Self::ExcelMangled => "excel_mangled",
            Self::NullName => "null_name",
            Self::Unmapped => "unmapped",
        }
    }
}

/// What became of a name: the position of its gene, if it has one, and by which rule.
pub(super) type Found = (Option<u32>, FeatureRule);

const UNMAPPED: Found = (None, FeatureRule::Unmapped);

/// A vocabulary and, where names are to be translated, a table of genes.
pub(super) struct Resolver<'a> {
    vocab: &'a GeneVocab,
    table: Option<&'a GeneTable>,
    /// Symbols of the table in capitals to gene ids: needed only by names that nothing else finds.
    shouted: OnceCell<BTreeMap<String, Vec<&'a str>>>,
    /// Gene ids to keys that are symbols, or once were.
    symbols: OnceCell<BTreeMap<&'a str, Vec<u32>>>,
}

impl<'a> Resolver<'a> {
    pub(super) fn new(vocab: &'a GeneVocab, table: Option<&'a GeneTable>) -> Self {
        Self { vocab, table, shouted: OnceCell::new(), symbols: OnceCell::new() }
    }

    /// What a feature became: by its id, else by its symbol.
    pub(super) fn feature(&self, id: &str, symbol: Option<&str>) -> Found {
        let found = self.name(id);
        let Some(symbol) = symbol.filter(|it| *it != id) else { return found };
        // A gene that has an id is that gene: the gene of another id that shares its symbol is not meant.
        let is_final = self.vocab.target() == IdTarget::Ensembl && EnsemblName::parse(id.trim()).is_some();
        if found.0.is_some() || is_final {
            return found;
        }
        match self.name(symbol) {
            (Some(at), rule) => (Some(at), rule),
            (None, FeatureRule::Unmapped | FeatureRule::NullName) => found,
            other if matches!(found.1, FeatureRule::Unmapped | FeatureRule::NullName) => other,
            _ => found,
        }
    }

    fn name(&self, name: &str) -> Found {
        let name = name.trim();
        if is_null_name(name) {
            return (None, FeatureRule::NullName);
        }
        let ensembl = EnsemblName::parse(name);
        if let Some(at) = self.vocab.position(name) {
            let versioned = ensembl.is_some_and(|it| it.has_version());
            return (Some(at), if versioned { FeatureRule::Version } else { FeatureRule::Exact });
        }
        if let Some(it) = ensembl {
            return self.by_id(&it);
        }
        if is_excel_mangled(name) {
            return (None, FeatureRule::ExcelMangled);
        }
        self.by_symbol(name)
    }

    /// An Ensembl id that is no key as it is written.
    fn by_id(&self, name: &EnsemblName) -> Found {
        let rule = match (name.is_copy_on_y(), name.has_version()) {
            (true, _) => FeatureRule::ParY,
            (false, true) => FeatureRule::Version,
            (false, false) => FeatureRule::Exact,
        };
        let on_x = name.on_x();
        if let Some(at) = self.vocab.position(&on_x) {
            return (Some(at), rule);
        }
        if let Some(at) = self.vocab.mapped(name.stem()).or_else(|| self.vocab.mapped(&on_x)) {
            return (Some(at), FeatureRule::Mapping);
        }
        let Some(table) = self.table else { return UNMAPPED };
        match table.resolve(&on_x, IdTarget::Ensembl) {
            Resolution::Exact(id) => self.settle(&[id], rule),
            Resolution::Versioned(id) => self.settle(&[id], FeatureRule::Version),
            found => self.settle(&self.ids(&found), FeatureRule::Alias),
        }
    }

    /// A name that is no id.
    fn by_symbol(&self, name: &str) -> Found {
        let shouted = name.to_uppercase();
        let exact = self.table.map(|it| it.resolve(name, IdTarget::Ensembl));
        if let Some(found) = exact.as_ref().filter(|it| it.kind() == IdKind::Symbol || self.is_symbol(name, &shouted)) {
            return self.settle(&self.ids(found), FeatureRule::Symbol);
        }
        if let Some(ids) = self.shouted().get(&shouted) {
            return self.settle(ids, FeatureRule::SymbolUpper);
        }
        if let Some(at) = self.vocab.mapped(&shouted) {
            return (Some(at), FeatureRule::Mapping);
        }
        if let Some(at) = self.vocab.shouted(&shouted) {
            return (Some(at), FeatureRule::SymbolUpper);
        }
        let (Some(table), Some(exact)) = (self.table, exact) else { return UNMAPPED };
        let found = match exact {
            Resolution::Unknown => table.resolve(&shouted, IdTarget::Ensembl),
            it => it,
        };
        self.settle(&self.ids(&found), FeatureRule::Alias)
    }

    /// Whether genes of the table carry the symbol, spelled so.
    fn is_symbol(&self, name: &str, shouted: &str) -> bool {
        let (Some(table), Some(ids)) = (self.table, self.shouted().get(shouted)) else { return false };
        ids.iter().any(|it| table.gene(it).and_then(|gene| gene.symbol()) == Some(name))
    }

    /// Every gene id that a name may stand for.
    fn ids(&self, found: &Resolution<'a>) -> Vec<&'a str> {
        let (Some(table), Resolution::Ambiguous(of)) = (self.table, found) else {
            return found.id().into_iter().collect();
        };
        let mut ids = Vec::new();
        for name in of {
            // Ids of genes that share a symbol, or symbols that share an alias.
            match table.resolve(name, IdTarget::Ensembl) {
                Resolution::Ambiguous(more) => ids.extend(more.iter().filter_map(|it| Some(table.gene(it)?.id()))),
                one => ids.extend(one.id()),
            }
        }
        ids.sort_unstable();
        ids.dedup();
        ids
    }

    /// The one gene of the vocabulary among the candidates.
    fn settle(&self, ids: &[&'a str], rule: FeatureRule) -> Found {
        let at: Vec<Vec<u32>> = ids.iter().map(|it| self.positions(it)).collect();
        let mut all = at.concat();
        all.sort_unstable();
        all.dedup();
        match all[..] {
            [it] if at.iter().any(Vec::is_empty) => (Some(it), FeatureRule::OnlyCandidate),
            [it] => (Some(it), rule),
            [] if ids.len() > 1 => (None, FeatureRule::AmbiguousElsewhere),
            [] => UNMAPPED,
            _ => (None, FeatureRule::Ambiguous),
        }
    }

    /// Keys of the vocabulary that stand for a gene id of the table.
    fn positions(&self, id: &'a str) -> Vec<u32> {
        match self.vocab.target() {
            IdTarget::Ensembl => self.vocab.position(id).or_else(|| self.vocab.mapped(id)).into_iter().collect(),
            IdTarget::Symbol => self.symbols().get(id).cloned().unwrap_or_default(),
        }
    }

    fn shouted(&self) -> &BTreeMap<String, Vec<&'a str>> {
        self.shouted.get_or_init(|| {
            let mut by_name = BTreeMap::<String, Vec<&str>>::new();
            for gene in self.table.iter().flat_map(|it| it.genes()) {
                if let Some(symbol) = gene.symbol() {
                    by_name.entry(symbol.to_uppercase()).or_default().push(gene.id());
                }
            }
            by_name
        })
    }

    /// Which keys stand for which genes: the approved symbol if it is a key, else keys that once were symbols.
    fn symbols(&self) -> &BTreeMap<&'a str, Vec<u32>> {
        self.symbols.get_or_init(|| {
            let mut by_id = BTreeMap::<&str, Vec<u32>>::new();
            let Some(table) = self.table else { return by_id };
            for gene in table.genes() {
                if let Some(at) = self.vocab.position(gene.label()) {
                    by_id.insert(gene.id(), vec![at]);
                }
            }
            let approved: std::collections::BTreeSet<&str> = by_id.keys().copied().collect();
            for (at, key) in self.vocab.keys().iter().enumerate() {
                let found = table.resolve(key, IdTarget::Ensembl);
                // DIVERGES(vocabulary-old-symbols): two old symbols of one gene lead to both, and so to neither.
                if let Some(id) = found.id().filter(|it| !approved.contains(it)) {
                    by_id.entry(id).or_default().push(at as u32);
                }
            }
            by_id
        })
    }
}
