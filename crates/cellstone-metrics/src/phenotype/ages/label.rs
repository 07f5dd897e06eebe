//! From an id or, failing that, the text of a label to a stage.

use super::table::{Stage, StageKind, by_number};

/// Names of decades, from the first.
const DECADES: [&str; 11] =
    ["first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth", "eleventh"];

/// Labels of single terms, with the word "human" left out and in the form of [`plain`].
const LABELS: [(&str, u32); 56] = [
    ("life cycle", 1),
    ("life cycle stage", 0),
    ("adult", 258),
    ("prime adult", 226),
    ("mature", 204),
    ("postnatal", 10_000),
    ("embryonic", 2),
    ("cleavage", 4),
    ("blastula", 6),
    ("gastrula", 10),
    ("neurula", 12),
    ("organogenesis", 15),
    ("morula", 205),
    ("fetal", 37),
    ("prenatal", 45),
    ("38th week post fertilization and over", 75),
    ("newborn 0 28 days", 262),
    ("newborn", 262),
    ("infant", 261),
    ("nursing 0 11 months", 260),
    ("child 1 4 yo", 265),
    ("2 4 year old child", 270),
    ("2 5 year old child", 84),
    ("6 12 year old child", 85),
    ("juvenile 5 14 yo", 271),
    ("pediatric", 264),
    ("15 19 year old", 268),
    ("young adult", 266),
    ("middle aged", 267),
    ("60 79 year old", 272),
    ("65 79 year old", 94),
    ("25 44 year old", 90),
    ("late adult", 227),
    ("80 year old and over", 95),
    ("90 year old and over", 274),
    ("centenarian", 247),
    ("immature", 80),
    ("child", 81),
    ("adolescent", 86),
    ("early adulthood", 88),
    ("late adulthood", 91),
    ("aged", 93),
    ("under 1 year old", 256),
    ("carnegie 01", 3),
    ("carnegie 02", 5),
    ("carnegie 03", 7),
    ("carnegie 04", 8),
    ("carnegie 05", 9),
    ("carnegie 05a", 31),
    ("carnegie 05b", 32),
    ("carnegie 05c", 33),
    ("carnegie 06", 11),
    ("carnegie 06a", 34),
    ("carnegie 06b", 35),
    ("carnegie 07", 13),
    ("carnegie 08", 14),
];

/// The life stage of a term of HsapDv, by id, or else by the text of its label.
///
/// Labels are read without regard to case, brackets, underscores, hyphens and the words "stage" and "human", so that
/// `[43_year_old_human_stage]` is `43-year-old stage`. A label that a retired and a current term share (infant, young
/// adult, middle aged, adult, newborn, 1-month-old) is that of the current one: give ids where there are any. Empty
/// text, `unknown` and `na` are [`StageKind::NoAge`].
///
/// # Examples
/// ```
/// use cellstone_metrics::phenotype::{StageKind, stage};
/// assert_eq!(stage("HsapDv:0000137").kind, StageKind::Years { lo: 43.0, hi: Some(44.0) });
/// assert_eq!(stage("43-year-old stage"), stage("HsapDv:0000137"));
/// assert_eq!(stage("sixth decade stage").kind, StageKind::Years { lo: 50.0, hi: Some(60.0) });
/// assert!(stage("20th week post-fertilization stage").is_prenatal());
/// assert_eq!(stage("unknown").kind, StageKind::NoAge);
/// ```
pub fn stage(id_or_label: &str) -> Stage {
    let text = id_or_label.trim();
    if let Some(number) = text.strip_prefix("HsapDv:") {
        return number.parse().ok().and_then(by_number).unwrap_or(Stage::UNKNOWN);
    }
    let words = plain(text);
    if ["", "unknown", "na", "nan", "none"].contains(&words.as_str()) {
        return Stage { kind: StageKind::NoAge, retired: false };
    }
    numbered(&words).or_else(|| listed(&words)).unwrap_or(Stage::UNKNOWN)
}

/// Lower case words without "stage" and "human"; "life cycle stage" alone needs the word.
pub(super) fn plain(text: &str) -> String {
    let spaced: String =
        text.chars().map(|it| if it.is_alphanumeric() { it.to_ascii_lowercase() } else { ' ' }).collect();
    let words: Vec<&str> = spaced.split_whitespace().filter(|it| *it != "human").collect();
    if words == ["life", "cycle", "stage"] {
        return words.join(" ");
    }
    words.into_iter().filter(|it| *it != "stage").collect::<Vec<_>>().join(" ")
}

/// Labels with a number in a pattern: years, months, decades, weeks, months of gestation, later Carnegie stages.
fn numbered(words: &str) -> Option<Stage> {
    let number = |text: &str| text.parse::<u32>().ok();
    if let Some(k) = words.strip_suffix(" year old").and_then(number) {
        return (1..=114).contains(&k).then(|| Stage::years(f64::from(k), f64::from(k + 1)));
    }
    if let Some(k) = words.strip_suffix(" month old").and_then(number) {
        return (1..=23).contains(&k).then(|| Stage::month(k));
    }
    if let Some(name) = words.strip_suffix(" decade") {
        let n = DECADES.iter().position(|it| *it == name)?;
        return by_number(235 + n as u32);
    }
    if let Some(name) = words.strip_suffix(" lmp month") {
        let n = DECADES.iter().position(|it| *it == name)? as u32 + 1;
        return (3..=9).contains(&n).then(|| by_number(194 + n)).flatten();
    }
    if let Some(ordinal) = words.strip_suffix(" week post fertilization") {
        let k = number(ordinal.trim_end_matches(|it: char| it.is_alphabetic()))?;
        return (1..=38).contains(&k).then(|| Stage::week(k));
    }
    let k = words.strip_prefix("carnegie ").and_then(number)?;
    (9..=23).contains(&k).then(|| by_number(k + 7)).flatten()
}

fn listed(words: &str) -> Option<Stage> {
    let padded = words.strip_prefix("carnegie ").filter(|it| it.len() == 1).map(|it| format!("carnegie 0{it}"));
    let words = padded.as_deref().unwrap_or(words);
    LABELS.iter().find(|it| it.0 == words).and_then(|it| by_number(it.1))
}
