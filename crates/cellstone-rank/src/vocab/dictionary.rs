//! The entries of a model's dictionary, taken apart into genes and special tokens.

use cellstone_core::{Error, Result, SpecialTokens};

/// What every token id of a model stands for.
///
/// Names in angle brackets (`<pad>`, `<mask>`, `<cls>`, `<eos>`, `<eoc>` and any other) stand for no gene.
///
/// # Examples
/// ```
/// use cellstone_rank::Dictionary;
/// let entries = [("ENSG00000141510", 3), ("<pad>", 0), ("<mask>", 1), ("ENSG00000000003", 2)];
/// let dictionary = Dictionary::new(entries.map(|(name, id)| (name.to_owned(), id)).to_vec())?;
/// assert_eq!((dictionary.specials().mask, dictionary.specials().cls), (Some(1), None));
/// assert_eq!((dictionary.genes().len(), dictionary.n_tokens()), (2, 4));
/// assert_eq!((dictionary.name(3), dictionary.name(4)), (Some("ENSG00000141510"), None));
/// # Ok::<(), cellstone_core::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Dictionary {
    /// By ascending id.
    names: Vec<(u32, String)>,
    specials: SpecialTokens,
}

impl Dictionary {
    /// A dictionary from names and ids in any order.
    ///
    /// # Errors
    /// If there is no entry, a name is empty, or a name or an id stands twice: which, and with what.
    pub fn new(entries: Vec<(String, u32)>) -> Result<Self> {
        if entries.is_empty() {
            return Err(Error::invalid_input("the dictionary is empty, expected names and token ids"));
        }
        let mut names: Vec<(u32, String)> = entries.into_iter().map(|(name, id)| (id, name)).collect();
        names.sort_unstable();
        if let Some((id, _)) = names.iter().find(|it| it.1.trim().is_empty()) {
            return Err(Error::invalid_input(format!("token {id} has an empty name")));
        }
        if let Some(pair) = names.windows(2).find(|it| it[0].0 == it[1].0) {
            let (id, first, second) = (pair[0].0, &pair[0].1, &pair[1].1);
            return Err(Error::invalid_input(format!("token {id} stands for `{first}` and for `{second}`")));
        }
        let mut by_name: Vec<&(u32, String)> = names.iter().collect();
        by_name.sort_unstable_by(|a, b| a.1.cmp(&b.1));
        if let Some(pair) = by_name.windows(2).find(|it| it[0].1 == it[1].1) {
            let (name, first, second) = (&pair[0].1, pair[0].0, pair[1].0);
            return Err(Error::invalid_input(format!("`{name}` has the tokens {first} and {second}, expected one")));
        }
        let find = |name: &str| by_name.binary_search_by(|it| it.1.as_str().cmp(name)).ok().map(|at| by_name[at].0);
        let specials =
            SpecialTokens { pad: find("<pad>"), mask: find("<mask>"), cls: find("<cls>"), eos: find("<eos>") };
        Ok(Self { names, specials })
    }

    /// Genes and their tokens, by ascending token.
    pub fn genes(&self) -> Vec<(String, u32)> {
        self.names.iter().filter(|it| !is_special(&it.1)).map(|(id, name)| (name.clone(), *id)).collect()
    }

    /// Ids of the special tokens by their usual names.
    pub fn specials(&self) -> SpecialTokens {
        self.specials
    }

    /// One more than the largest id.
    pub fn n_tokens(&self) -> u32 {
        self.names.last().map_or(0, |it| it.0.saturating_add(1))
    }

    /// What an id stands for.
    pub fn name(&self, id: u32) -> Option<&str> {
        let at = self.names.binary_search_by_key(&id, |it| it.0).ok()?;
        Some(&self.names[at].1)
    }

    /// The id of a name, as it is written.
    pub fn id(&self, name: &str) -> Option<u32> {
        self.names.iter().find(|it| it.1 == name).map(|it| it.0)
    }
}

fn is_special(name: &str) -> bool {
    name.len() > 2 && name.starts_with('<') && name.ends_with('>')
}
