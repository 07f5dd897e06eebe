//! Ontologies in OBO files: the terms with their names, synonyms and `is_a` edges.
//!
//! What is not here: distances and ancestors, which `cellstone-neighbors` computes from the edges.

use crate::text::Lines;
use cellstone_core::{Error, Result, nearest};
use std::collections::BTreeMap;
use std::path::Path;

/// How far a synonym means the same as the name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum SynonymScope {
    /// The same.
    Exact,
    /// Something more special.
    Narrow,
    /// Something more general.
    Broad,
    /// Something near; also what a file means that names no scope.
    Related,
}

/// Another name of a term.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Synonym {
    /// The name.
    pub text: String,
    /// How far it means the same.
    pub scope: SynonymScope,
}

/// One `[Term]` stanza.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct OboTerm {
    /// Unique id, such as `CL:0000236`.
    pub id: String,
    /// Name; empty where the stanza has none.
    pub name: String,
    /// Other names, in file order.
    pub synonyms: Vec<Synonym>,
    /// Ids of the parents, in file order, each once.
    pub is_a: Vec<String>,
    /// Ids of the terms that the definition starts from (`intersection_of: ID` without a relation): parents as well, which
    /// files without inferred edges do not repeat as `is_a`.
    pub genus: Vec<String>,
    /// Ids that were merged into this one.
    pub alt_ids: Vec<String>,
    /// Whether the term must not be used any more.
    pub is_obsolete: bool,
    /// Ids to use in place of an obsolete term.
    pub replaced_by: Vec<String>,
}

impl OboTerm {
    /// Every parent that the file states, each once: `is_a` edges, then the genus of the definition.
    pub fn parents(&self) -> Vec<String> {
        let mut parents = self.is_a.clone();
        self.genus.iter().for_each(|it| push_once(&mut parents, it.clone()));
        parents
    }
}

/// The terms of an OBO file.
///
/// # Examples
/// ```
/// let dir = tempfile::tempdir().unwrap();
/// let path = dir.path().join("cl.obo");
/// std::fs::write(&path, "format-version: 1.2\n\n[Term]\nid: CL:1\nname: cell\n\n[Term]\nid: CL:2\nname: B cell\n\
///     synonym: \"B lymphocyte\" EXACT []\nis_a: CL:1 {is_inferred=\"true\"} ! cell\nalt_id: CL:9\n").unwrap();
/// let obo = cellstone_io::read_obo(&path)?;
/// assert_eq!(obo.terms()[1].is_a, ["CL:1"]);
/// assert_eq!(obo.resolve("CL:9")?.id, "CL:2");
/// assert_eq!(obo.find("b lymphocyte").map(|it| it.id.as_str()), Some("CL:2"));
/// # Ok::<(), cellstone_core::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Obo {
    version: Option<String>,
    terms: Vec<OboTerm>,
    /// Ids and alternative ids to places in `terms`.
    at: BTreeMap<String, usize>,
    /// Lower-case names and exact synonyms of terms in use; names win over synonyms.
    by_name: BTreeMap<String, usize>,
}

impl Obo {
    /// The `data-version` of the file, where it has one.
    pub fn version(&self) -> Option<&str> {
        self.version.as_deref()
    }

    /// The terms in file order, obsolete ones among them.
    pub fn terms(&self) -> &[OboTerm] {
        &self.terms
    }

    /// The term in use that an id stands for: the term itself, the one it was merged into, or the one that replaced it.
    ///
    /// # Errors
    /// If the id is not in the file, or stands for an obsolete term without exactly one replacement.
    pub fn resolve(&self, id: &str) -> Result<&OboTerm> {
        let mut term = self.get(id)?;
        // A chain of replacements longer than the file is a circle.
        for _ in 0..=self.terms.len() {
            if !term.is_obsolete {
                return Ok(term);
            }
            let [next] = term.replaced_by.as_slice() else {
                let error = Error::invalid_input(format!("term `{id}` (`{}`) is obsolete", term.name));
                return Err(if term.replaced_by.is_empty() {
                    error.with_hint("choose another term: this one has no replacement")
                } else {
                    error.with_hint(format!("choose one of {}", cellstone_core::quoted(&term.replaced_by)))
                });
            };
            term = self.get(next).map_err(|error| error.context(format!("replacement of `{id}`")))?;
        }
        Err(Error::invalid_input(format!("term `{id}` is obsolete and its replacements run in a circle")))
    }

    /// The term in use with this name or exact synonym, whatever its case.
    pub fn find(&self, name: &str) -> Option<&OboTerm> {
        self.by_name.get(&name.to_lowercase()).map(|it| &self.terms[*it])
    }

    fn get(&self, id: &str) -> Result<&OboTerm> {
        self.at.get(id).map(|it| &self.terms[*it]).ok_or_else(|| {
            let error = Error::invalid_input(format!("no term `{id}` among the {} of the ontology", self.terms.len()));
            match nearest(id, self.at.keys().map(String::as_str)) {
                Some(near) => error.with_hint(format!("the nearest id is `{near}`")),
                None => error.with_hint("ids look like `CL:0000236`"),
            }
        })
    }
}

/// Reads the terms of an OBO file (1.2 and 1.4), gzipped or not.
///
/// Trailing modifiers (`{…}`) and comments (`! …`) are left out, quoted text is unescaped; stanzas other than
/// `[Term]` and tags that [`OboTerm`] has no field for are skipped. Parents need not be terms of the file.
///
/// # Errors
/// Names file and line of a term without an id, of a repeated id, of a line that is no `tag: value`, or of a synonym
/// without quotes; refuses a file without terms.
pub fn read_obo(path: &Path) -> Result<Obo> {
    let mut lines = Lines::open(path)?;
    let mut version = None;
    let (mut terms, mut at): (Vec<OboTerm>, BTreeMap<String, usize>) = (Vec::new(), BTreeMap::new());
    let mut stanza = Stanza::Header;
    while let Some(line) = lines.next_text()? {
        let line = line.trim();
        if line.is_empty() || line.starts_with('!') {
            continue;
        }
        if let Some(kind) = line.strip_prefix('[').and_then(|it| it.strip_suffix(']')) {
            close(&mut stanza, &mut terms, &mut at, &lines)?;
            stanza = if kind == "Term" { Stanza::Term(Box::default(), lines.number()) } else { Stanza::Other };
            continue;
        }
        let Some((tag, value)) = line.split_once(':') else {
            return Err(lines.error(format!("`{line}` is no `tag: value`")));
        };
        match &mut stanza {
            Stanza::Header if tag == "data-version" => version = Some(value.trim().to_owned()),
            Stanza::Header | Stanza::Other => {}
            Stanza::Term(term, _) => set(term, tag, value.trim()).map_err(|what| lines.error(what))?,
        }
    }
    close(&mut stanza, &mut terms, &mut at, &lines)?;
    if terms.is_empty() {
        return Err(Error::invalid_input(format!("`{}` holds no [Term] stanza", path.display()))
            .with_hint("expected an ontology in OBO format, such as cl-basic.obo"));
    }
    for (place, term) in terms.iter().enumerate() {
        for alt in &term.alt_ids {
            at.entry(alt.clone()).or_insert(place);
        }
    }
    let by_name = names(&terms);
    Ok(Obo { version, terms, at, by_name })
}

/// Where the reader stands.
enum Stanza {
    Header,
    /// The term so far and the line it began at.
    Term(Box<OboTerm>, usize),
    Other,
}

/// Ends a stanza; a finished term joins the others.
fn close(stanza: &mut Stanza, terms: &mut Vec<OboTerm>, at: &mut BTreeMap<String, usize>, lines: &Lines) -> Result<()> {
    let Stanza::Term(term, line) = std::mem::replace(stanza, Stanza::Other) else { return Ok(()) };
    if term.id.is_empty() {
        return Err(lines.error(format!("the [Term] of line {line} ends here without an id")));
    }
    if at.insert(term.id.clone(), terms.len()).is_some() {
        return Err(lines.error(format!("term `{}` of line {line} stands twice", term.id)));
    }
    terms.push(*term);
    Ok(())
}

fn set(term: &mut OboTerm, tag: &str, value: &str) -> std::result::Result<(), String> {
    let plain = || unescape(without_tail(value));
    match tag {
        "id" => term.id = plain(),
        "name" => term.name = plain(),
        "is_a" => push_once(&mut term.is_a, plain()),
        // One id is the genus; `RELATION ID` is a difference.
        "intersection_of" if !plain().contains(char::is_whitespace) => push_once(&mut term.genus, plain()),
        "alt_id" => push_once(&mut term.alt_ids, plain()),
        "replaced_by" => push_once(&mut term.replaced_by, plain()),
        "is_obsolete" => term.is_obsolete = plain() == "true",
        "synonym" => term.synonyms.push(synonym(value)?),
        _ => {}
    }
    Ok(())
}

fn push_once(list: &mut Vec<String>, value: String) {
    if !list.contains(&value) {
        list.push(value);
    }
}

/// The value without a trailing `! comment` and `{modifiers}`; a `!` or `{` after a backslash is text.
fn without_tail(value: &str) -> &str {
    let mut escaped = false;
    for (at, it) in value.char_indices() {
        match it {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '!' | '{' => return value[..at].trim_end(),
            _ => {}
        }
    }
    value
}

fn unescape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(it) = chars.next() {
        match it {
            '\\' => match chars.next() {
                Some('n') => out.push('\n'),
                Some('t') => out.push('\t'),
                Some('W') => out.push(' '),
                Some(other) => out.push(other),
                None => {}
            },
            it => out.push(it),
        }
    }
    out
}

/// `"text" SCOPE [xrefs]`.
fn synonym(value: &str) -> std::result::Result<Synonym, String> {
    let wrong = || format!("synonym `{value}` is no `\"text\" SCOPE [references]`");
    let inner = value.strip_prefix('"').ok_or_else(wrong)?;
    let mut escaped = false;
    let end = inner
        .char_indices()
        .find(|(_, it)| {
            let closes = *it == '"' && !escaped;
            escaped = *it == '\\' && !escaped;
            closes
        })
        .ok_or_else(wrong)?
        .0;
    let scope = match inner[end + 1..].split_whitespace().next() {
        Some("EXACT") => SynonymScope::Exact,
        Some("NARROW") => SynonymScope::Narrow,
        Some("BROAD") => SynonymScope::Broad,
        _ => SynonymScope::Related,
    };
    Ok(Synonym { text: unescape(&inner[..end]), scope })
}

fn names(terms: &[OboTerm]) -> BTreeMap<String, usize> {
    let mut by_name = BTreeMap::new();
    let in_use = || terms.iter().enumerate().filter(|it| !it.1.is_obsolete);
    for (place, term) in in_use().filter(|it| !it.1.name.is_empty()) {
        by_name.entry(term.name.to_lowercase()).or_insert(place);
    }
    for (place, term) in in_use() {
        for it in term.synonyms.iter().filter(|it| it.scope == SynonymScope::Exact) {
            by_name.entry(it.text.to_lowercase()).or_insert(place);
        }
    }
    by_name
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Obo> {
        let dir = tempfile::tempdir().expect("temporary folder");
        let path = dir.path().join("o.obo");
        std::fs::write(&path, text).expect("written");
        read_obo(&path)
    }

    const SMALL: &str = r#"format-version: 1.2
data-version: small/1
! a comment

[Term]
id: X:1
name: root

[Term]
id: X:2
name: left \{really\} ! the left one
synonym: "l\"eft" EXACT abbreviation [Y:1, Y:2]
synonym: "gone left" []
is_a: X:1 {is_inferred="true"} ! root
is_a: X:1
alt_id: X:7
relationship: part_of X:3
intersection_of: X:4 ! too
intersection_of: part_of X:3

[Typedef]
id: part_of
name: part of

[Term]
id: X:3
name: obsolete right
is_obsolete: true
replaced_by: X:4

[Term]
id: X:4
name: obsolete too
is_obsolete: true
replaced_by: X:2

[Term]
id: X:5
is_obsolete: true
"#;

    #[test]
    fn terms_synonyms_and_edges() {
        let obo = read(SMALL).expect("valid");
        assert_eq!(obo.version(), Some("small/1"));
        assert_eq!(obo.terms().len(), 5, "a Typedef is no term");
        let left = &obo.terms()[1];
        assert_eq!((left.name.as_str(), left.is_a.as_slice()), ("left {really}", &["X:1".to_owned()][..]));
        assert_eq!(left.parents(), ["X:1", "X:4"]);
        assert_eq!(left.synonyms[0], Synonym { text: "l\"eft".into(), scope: SynonymScope::Exact });
        assert_eq!(left.synonyms[1].scope, SynonymScope::Related);
        assert_eq!(obo.find("L\"EFT").expect("by synonym").id, "X:2");
        assert!(obo.find("gone left").is_none() && obo.find("obsolete right").is_none());
    }

    #[test]
    fn old_ids_lead_to_terms_in_use() {
        let obo = read(SMALL).expect("valid");
        assert_eq!(obo.resolve("X:7").expect("merged").id, "X:2");
        assert_eq!(obo.resolve("X:3").expect("replaced twice").id, "X:2");
        let error = obo.resolve("X:5").expect_err("no replacement");
        assert!(error.to_string().contains("`X:5` (``) is obsolete"), "{error}");
        let error = obo.resolve("X:22").expect_err("unknown");
        assert!(error.to_string().contains("no term `X:22` among the 5"), "{error}");
        let circle = SMALL.replace("replaced_by: X:2", "replaced_by: X:3");
        let error = read(&circle).expect("valid").resolve("X:3").map(|it| it.id.clone()).expect_err("circle");
        assert!(error.to_string().contains("run in a circle"), "{error}");
    }

    #[test]
    fn bad_files_are_named() {
        let check = |text: &str, want: &str| {
            let error = read(text).expect_err("bad").to_string();
            assert!(error.ends_with(want), "{error}");
        };
        check("", "o.obo` holds no [Term] stanza");
        check("[Term]\nname: x\n", "o.obo` line 2: the [Term] of line 1 ends here without an id");
        check("[Term]\nid: a\n\n[Term]\nid: a\n", "o.obo` line 5: term `a` of line 4 stands twice");
        check("[Term]\nid: a\nnonsense\n", "o.obo` line 3: `nonsense` is no `tag: value`");
        check(
            "[Term]\nid: a\nsynonym: x EXACT\n",
            "o.obo` line 3: synonym `x EXACT` is no `\"text\" SCOPE [references]`",
        );
    }
}
