//! How two types are related: the same, biologically similar, different, or unknown.

use super::cells::Cells;
use super::config::OntologyConfig;
use cellstone_core::Result;
use cellstone_io::read_obo;
use cellstone_neighbors::Ontology;

/// The relation of two types.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kinship {
    /// One type.
    Same,
    /// Two types near each other in the ontology.
    Similar,
    /// Two types that are not.
    Different,
    /// One of the two has no term.
    Unknown,
}

impl Kinship {
    /// All of them, in the order of tables.
    pub(crate) const ALL: [Self; 4] = [Self::Same, Self::Similar, Self::Different, Self::Unknown];

    /// The word in tables.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Same => "same",
            Self::Similar => "similar",
            Self::Different => "different",
            Self::Unknown => "unknown",
        }
    }
}

/// Relations of every two types.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Relations {
    n: usize,
    kinship: Vec<Kinship>,
    /// Edges over the nearest common term below the roots.
    distance: Vec<Option<u32>>,
    /// Whether there is an ontology at all.
    pub(crate) known: bool,
    /// Remarks for the reader: `(level, text)`.
    pub(crate) notes: Vec<(&'static str, String)>,
}

impl Relations {
    /// Without an ontology: same, or unknown.
    pub(crate) fn none(n: usize) -> Self {
        let kinship = (0..n * n).map(|it| if it / n == it % n { Kinship::Same } else { Kinship::Unknown }).collect();
        let distance = (0..n * n).map(|it| (it / n == it % n).then_some(0)).collect();
        Self { n, kinship, distance, known: false, notes: Vec::new() }
    }

    /// From the terms of the types.
    ///
    /// Two types are similar where they are at most `similar_distance` edges apart over a common term below the roots, or
    /// have a hierarchical F of at least `similar_f`. A type whose term is missing or obsolete without one replacement is
    /// related to no other, and is named.
    ///
    /// # Errors
    /// As the reader of the ontology says, or if a root is no term of it.
    pub(crate) fn read(cells: &Cells, config: Option<&OntologyConfig>) -> Result<Self> {
        let n = cells.type_names.len();
        let Some(config) = config else { return Ok(Self::none(n)) };
        let obo = read_obo(&config.obo)?;
        let used = obo.terms().iter().filter(|it| !it.is_obsolete);
        let ontology = Ontology::new(used.map(|it| (it.id.clone(), it.parents())))?;
        let roots: Vec<&str> = config.roots.iter().map(String::as_str).collect();
        let excluded = ontology.upper(&roots).map_err(|it| it.context("ontology.roots"))?;
        let mut out = Self::none(n);
        out.known = true;
        let mut places = Vec::with_capacity(n);
        let mut lost = Vec::new();
        for (name, term) in cells.type_names.iter().zip(&cells.terms) {
            let found = match term {
                None => Err("no term".to_owned()),
                Some(term) => obo.resolve(term).map_err(|it| it.to_string()),
            };
            match found {
                Ok(term) => places.push(Some(ontology.index(&term.id)?)),
                Err(why) => {
                    lost.push(format!("{name} ({why})"));
                    places.push(None);
                }
            }
        }
        if !lost.is_empty() {
            let text =
                format!("types without a place in the ontology, left out of relation calls: {}", lost.join(", "));
            out.notes.push(("warning", text));
        }
        let known: Vec<usize> = (0..n).filter(|it| places[*it].is_some()).collect();
        let terms: Vec<usize> = known.iter().filter_map(|it| places[*it]).collect();
        let pairs = ontology.all_pairs(&terms, &excluded);
        for (i, a) in known.iter().enumerate() {
            for (j, b) in known.iter().enumerate().filter(|it| it.0 != i) {
                let (distance, f) = pairs[i * known.len() + j];
                let near = distance.is_some_and(|it| it <= config.similar_distance);
                let alike = f.is_some_and(|it| it >= config.similar_f);
                out.kinship[a * n + b] = if near || alike { Kinship::Similar } else { Kinship::Different };
                out.distance[a * n + b] = distance;
            }
        }
        Ok(out)
    }

    /// The relation of two types.
    pub(crate) fn kinship(&self, a: u32, b: u32) -> Kinship {
        self.kinship[a as usize * self.n + b as usize]
    }

    /// Edges between two types.
    pub(crate) fn distance(&self, a: u32, b: u32) -> Option<u32> {
        self.distance[a as usize * self.n + b as usize]
    }

    /// `exp(−d/2)`: 1 for the same type, 0 for types that nothing below the roots joins.
    pub(crate) fn closeness(&self, a: u32, b: u32) -> f64 {
        self.distance(a, b).map_or(0.0, |it| (-f64::from(it) / 2.0).exp())
    }

    /// The nearest other type, the first of equals.
    pub(crate) fn nearest(&self, a: u32) -> Option<(u32, u32)> {
        let others = (0..self.n as u32).filter(|it| *it != a);
        others.filter_map(|it| Some((self.distance(a, it)?, it))).min().map(|(distance, it)| (it, distance))
    }
}
