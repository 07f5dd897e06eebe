//! Condition names: from what a file says to control or a set of targets with one canonical spelling.
//!
//! Which cells carry which name is the business of [`crate::CellLabels`].

use cellstone_core::{Condition, Error, Perturbation, Result};
use unicode_normalization::UnicodeNormalization;

/// Words for "nothing was done", compared after case folding and removal of `-`, `_`, `.` and spaces.
const CONTROL_ALIASES: [&str; 16] = [
    "ctrl",
    "control",
    "nontargeting",
    "nt",
    "ntc",
    "negctrl",
    "negativecontrol",
    "neg",
    "scramble",
    "scrambled",
    "untreated",
    "unperturbed",
    "mock",
    "dmso",
    "dmsotf",
    "vehicle",
];

/// What may stand between a control word and the number of a guide.
const GUIDE_MARKS: [&str; 5] = ["sgrna", "grna", "guide", "sg", "g"];

/// Names of cells that cannot be assigned to a condition.
const UNASSIGNED: [&str; 6] = ["", "nan", "none", "unassigned", "multiplet", "doublet"];

/// Separators that count only where every piece is known; `+` always counts.
const WEAK_SEPARATORS: [char; 5] = ['_', '|', '&', ';', ','];

/// How condition names are read.
///
/// | name | default | meaning |
/// |---|---|---|
/// | `control_labels` | none | further names of the control, compared exactly after trimming |
/// | `extra_controls` | no | whether `AAVS1`, `safe*` and `intergenic*` are control: they cut DNA, so they are another class |
/// | `allow_repeat` | no | whether `A+A` is `A` instead of an error |
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ParseOptions {
    /// Further names of the control, compared exactly after trimming.
    pub control_labels: Vec<String>,
    /// Whether guides that cut outside genes count as control.
    pub extra_controls: bool,
    /// Whether a repeated target is dropped instead of refused.
    pub allow_repeat: bool,
}

/// What a condition name says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Parsed {
    /// The cell cannot be assigned: it is dropped and counted.
    Unassigned,
    /// Control or a perturbation.
    Condition(Condition),
}

/// Reads one condition name.
///
/// `+` separates targets; `_`, `|`, `&`, `;` and `,` do so only if the whole is not itself a gene and every piece is
/// a gene (`is_target`) or a word for control. Control pieces are removed; nothing left is control. Targets are sorted
/// by code point, so `B+A`, `A_B` and `A+B` are one condition. Guide suffixes are never guessed.
///
/// # Errors
/// If a piece is empty, a target repeats (see [`ParseOptions::allow_repeat`]), or weak separators can be read in two ways.
///
/// # Examples
/// ```
/// use cellstone_prep::{ParseOptions, Parsed, parse_condition};
/// let genes = ["KLF1", "MAP2K3", "SLC38A2"];
/// let read = |raw: &str| match parse_condition(raw, &|it| genes.contains(&it), &ParseOptions::default()) {
///     Ok(Parsed::Condition(it)) => it.to_string(),
///     Ok(Parsed::Unassigned) => "unassigned".to_owned(),
///     Err(error) => error.to_string(),
/// };
/// assert_eq!(read("ctrl+KLF1"), "KLF1");
/// assert_eq!(read("SLC38A2_MAP2K3"), "MAP2K3+SLC38A2");
/// assert_eq!(read("non-targeting_00012"), "control");
/// assert_eq!(read("NKX2-5"), "NKX2-5");
/// assert_eq!(read("KLF1+KLF1"), "condition `KLF1+KLF1` names target `KLF1` twice");
/// ```
pub fn parse_condition(raw: &str, is_target: &dyn Fn(&str) -> bool, options: &ParseOptions) -> Result<Parsed> {
    let name: String = raw.trim().nfc().collect();
    if is_control(&name, is_target, options) {
        return Ok(Parsed::Condition(Condition::Control));
    }
    if is_unassigned(&name) {
        return Ok(Parsed::Unassigned);
    }
    let mut targets: Vec<String> = Vec::new();
    for piece in name.split('+').map(str::trim) {
        if is_unassigned(piece) {
            let what = if piece.is_empty() { "an empty piece".to_owned() } else { format!("the piece `{piece}`") };
            return Err(Error::invalid_input(format!("condition `{raw}` has {what}, expected a gene or a control")));
        }
        targets.extend(split_weak(piece, raw, is_target, options)?);
    }
    targets.retain(|it| !is_control(it, is_target, options));
    targets.sort();
    if let Some(pair) = targets.windows(2).find(|it| it[0] == it[1])
        && !options.allow_repeat
    {
        return Err(Error::invalid_input(format!("condition `{raw}` names target `{}` twice", pair[0]))
            .with_hint("set allow_repeat if two guides of one gene are meant"));
    }
    targets.dedup();
    Ok(Parsed::Condition(Perturbation::new(targets).map_or(Condition::Control, Condition::Perturbed)))
}

/// Whether the name says that the cell has no known condition.
pub(crate) fn is_unassigned(name: &str) -> bool {
    UNASSIGNED.contains(&name.to_lowercase().as_str())
}

/// Whether the name holds a separator of any kind.
pub(crate) fn has_separator(name: &str) -> bool {
    name.contains('+') || name.contains(WEAK_SEPARATORS)
}

/// Whether the name, as a whole, is a word for control.
pub(crate) fn is_control(name: &str, is_target: &dyn Fn(&str) -> bool, options: &ParseOptions) -> bool {
    if options.control_labels.iter().any(|it| it.trim().nfc().eq(name.chars())) {
        return true;
    }
    let folded: String =
        name.chars().filter(|it| !matches!(it, '-' | '_' | '.' | ' ')).flat_map(char::to_lowercase).collect();
    if options.extra_controls && is_extra_control(&folded) {
        return true;
    }
    if CONTROL_ALIASES.contains(&folded.as_str()) {
        return true;
    }
    // A numbered word is a guide of the control class unless a gene is spelled that way.
    without_guide_number(&folded).any(|it| CONTROL_ALIASES.contains(&it)) && !is_target(name)
}

fn is_extra_control(folded: &str) -> bool {
    let aavs1 = folded == "aavs1"
        || folded.strip_prefix("aavs1").is_some_and(|rest| {
            let digits = rest.trim_start_matches(|it: char| it.is_ascii_alphabetic());
            GUIDE_MARKS.contains(&&rest[..rest.len() - digits.len()]) && !digits.is_empty()
        });
    aavs1 || folded.starts_with("safe") || folded.starts_with("intergenic")
}

/// The word before a trailing number, with and without a guide mark; nothing where there is no number.
fn without_guide_number(folded: &str) -> impl Iterator<Item = &str> {
    let stem = folded.trim_end_matches(|it: char| it.is_ascii_digit());
    let numbered = stem.len() < folded.len();
    let marked = GUIDE_MARKS.iter().filter_map(move |mark| stem.strip_suffix(mark));
    std::iter::once(stem).chain(marked).filter(move |_| numbered)
}

/// Splits at weak separators if every piece is known, with as few pieces as possible; otherwise the whole is one name.
fn split_weak(piece: &str, raw: &str, is_target: &dyn Fn(&str) -> bool, options: &ParseOptions) -> Result<Vec<String>> {
    let known = |it: &str| is_target(it) || is_control(it, is_target, options);
    if known(piece) || !piece.contains(WEAK_SEPARATORS) {
        return Ok(vec![piece.to_owned()]);
    }
    // Cut positions: start of the text, every separator, end of the text. `best[k]` is the fewest pieces that end
    // at cut k, the cut before the last of them, and in how many ways that many pieces are reached.
    let mut starts = vec![0];
    let mut ends = Vec::new();
    for (at, separator) in piece.char_indices().filter(|(_, it)| WEAK_SEPARATORS.contains(it)) {
        ends.push(at);
        starts.push(at + separator.len_utf8());
    }
    ends.push(piece.len());
    let mut best: Vec<Option<(usize, usize, usize)>> = vec![Some((0, 0, 1))];
    for end in &ends {
        let mut here: Option<(usize, usize, usize)> = None;
        for (from, start) in starts.iter().enumerate().filter(|(_, it)| *it <= end) {
            let Some((n, _, ways)) = best.get(from).copied().flatten() else { continue };
            if !known(piece[*start..*end].trim()) {
                continue;
            }
            here = match here {
                Some((fewest, _, _)) if fewest < n + 1 => here,
                Some((fewest, cut, old)) if fewest == n + 1 => Some((fewest, cut, old + ways)),
                _ => Some((n + 1, from, ways)),
            };
        }
        best.push(here);
    }
    let mut at = ends.len();
    match best[at] {
        None => return Ok(vec![piece.to_owned()]),
        Some((_, _, ways)) if ways > 1 => {
            return Err(Error::invalid_input(format!(
                "condition `{raw}` can be split into known genes in {ways} ways"
            ))
            .with_hint("separate the targets with `+`"));
        }
        Some(_) => {}
    }
    let mut names = Vec::new();
    while at > 0 {
        let from = best[at].map_or(0, |it| it.1);
        names.push(piece[starts[from]..ends[at - 1]].trim().to_owned());
        at = from;
    }
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_with(raw: &str, genes: &[&str], options: &ParseOptions) -> String {
        match parse_condition(raw, &|it| genes.contains(&it), options) {
            Ok(Parsed::Condition(it)) => it.to_string(),
            Ok(Parsed::Unassigned) => "unassigned".to_owned(),
            Err(error) => format!("error: {error}"),
        }
    }

    const GENES: [&str; 12] =
        ["KLF1", "MAP2K3", "SLC38A2", "TSC22D1", "HLA-A", "B2M", "NKX2-5", "A", "B", "C", "A_B", "NT3"];

    fn read(raw: &str) -> String {
        read_with(raw, &GENES, &ParseOptions::default())
    }

    #[test]
    fn the_table_of_names() {
        for raw in ["ctrl", "ctrl+ctrl", "NT", "non-targeting", "NTg3", "non-targeting_00012", "DMSO_TF", "Neg. Ctrl"] {
            assert_eq!(read(raw), "control", "{raw}");
        }
        for raw in ["", "  ", "nan", "None", "unassigned", "Multiplet", "doublet"] {
            assert_eq!(read(raw), "unassigned", "{raw}");
        }
        assert_eq!(read("KLF1+ctrl"), "KLF1");
        assert_eq!(read("ctrl+KLF1"), "KLF1");
        assert_eq!(read("MAP2K3+SLC38A2"), "MAP2K3+SLC38A2");
        assert_eq!(read("SLC38A2_MAP2K3"), "MAP2K3+SLC38A2");
        assert_eq!(read("TSC22D1_ctrl"), "TSC22D1");
        assert_eq!(read("HLA-A+B2M"), "B2M+HLA-A");
        assert_eq!(read("NKX2-5"), "NKX2-5");
    }

    #[test]
    fn weak_separators_need_known_pieces() {
        assert_eq!(read("A_B"), "A_B", "a gene wins over its pieces");
        assert_eq!(read("A_C"), "A+C");
        assert_eq!(read("A_B_ctrl"), "A_B");
        assert_eq!(read("A_B_C"), "A_B+C", "fewest pieces");
        assert_eq!(read("XX_YY"), "XX_YY", "unknown pieces are one name");
        assert_eq!(read("A|C"), "A+C");
        assert_eq!(read("A; C & B"), "A+B+C");
        assert_eq!(
            read_with("A_B_C", &["A_B", "C", "A", "B_C"], &ParseOptions::default()),
            "error: condition `A_B_C` can be split into known genes in 2 ways"
        );
    }

    #[test]
    fn repeats_and_holes_are_errors() {
        assert_eq!(read("A+A"), "error: condition `A+A` names target `A` twice");
        let repeat = ParseOptions { allow_repeat: true, ..ParseOptions::default() };
        assert_eq!(read_with("A+A", &GENES, &repeat), "A");
        assert_eq!(read("A+"), "error: condition `A+` has an empty piece, expected a gene or a control");
        assert_eq!(read("A+nan"), "error: condition `A+nan` has the piece `nan`, expected a gene or a control");
    }

    #[test]
    fn numbered_control_words_yield_to_genes() {
        assert_eq!(read("NT3"), "NT3");
        assert_eq!(read("NT4"), "control");
    }

    #[test]
    fn other_controls_are_opt_in() {
        assert_eq!(read("AAVS1"), "AAVS1");
        assert_eq!(read("WT"), "WT");
        let options =
            ParseOptions { control_labels: vec!["WT".to_owned()], extra_controls: true, ..ParseOptions::default() };
        for raw in ["AAVS1", "AAVS1_g2", "safe-harbor", "intergenic_7", "WT", "WT+ctrl"] {
            assert_eq!(read_with(raw, &GENES, &options), "control", "{raw}");
        }
        assert_eq!(read_with("wt", &GENES, &options), "wt", "extra labels are exact");
    }
}
