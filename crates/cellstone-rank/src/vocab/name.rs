//! How names of features are spelled: Ensembl ids, names that stand for nothing, dates that once were genes.

/// An Ensembl gene id taken apart.
///
/// `ENS`, up to four letters of the species, `G` and eleven digits, with a version behind a full stop and `_PAR_Y`
/// behind that; or `ENSGR` and ten digits, which is how old releases wrote the copy on Y of a gene of the
/// pseudoautosomal regions. Case does not matter.
///
/// # Examples
/// ```
/// use cellstone_rank::EnsemblName;
/// let name = EnsemblName::parse("ensg00000182378.15_PAR_Y").expect("an id");
/// assert_eq!((name.stem(), name.has_version(), name.is_copy_on_y()), ("ENSG00000182378", true, true));
/// let old = EnsemblName::parse("ENSGR0000182378").expect("an id");
/// assert_eq!((old.stem(), old.on_x()), ("ENSGR0000182378", "ENSG00000182378".to_owned()));
/// assert!(EnsemblName::parse("ENSG000001").is_none());
/// ```
///
/// # References
/// <https://www.ensembl.org/info/genome/stable_ids/index.html>, <https://www.gencodegenes.org/pages/data_format.html>.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EnsemblName {
    stem: String,
    version: bool,
    par_y: bool,
}

impl EnsemblName {
    /// The parts of `name`, if it is an Ensembl gene id.
    pub fn parse(name: &str) -> Option<Self> {
        // Nothing else starts like this: most names are sent away before anything is copied.
        if !name.get(..3)?.eq_ignore_ascii_case("ENS") {
            return None;
        }
        let upper = name.to_ascii_uppercase();
        let (body, par_y) = match upper.strip_suffix("_PAR_Y") {
            Some(body) => (body, true),
            None => (upper.as_str(), false),
        };
        let (stem, version) = match body.split_once('.') {
            Some((stem, digits)) => (stem, Some(digits)),
            None => (body, None),
        };
        let version_is_number = version.is_none_or(|it| !it.is_empty() && it.bytes().all(|it| it.is_ascii_digit()));
        (is_stem(stem) && version_is_number).then(|| Self { stem: stem.to_owned(), version: version.is_some(), par_y })
    }

    /// The id in capitals, without version and `_PAR_Y`.
    pub fn stem(&self) -> &str {
        &self.stem
    }

    /// Whether a version was cut off.
    pub fn has_version(&self) -> bool {
        self.version
    }

    /// Whether it stands for a copy on Y, by either spelling.
    pub fn is_copy_on_y(&self) -> bool {
        self.par_y || self.stem.starts_with("ENSGR")
    }

    /// The id of the gene on X that a copy on Y repeats; the id itself for any other gene.
    pub fn on_x(&self) -> String {
        match self.stem.strip_prefix("ENSGR") {
            Some(digits) => format!("ENSG0{digits}"),
            None => self.stem.clone(),
        }
    }
}

/// Whether an id in capitals is letters and digits as they must be.
fn is_stem(stem: &str) -> bool {
    let Some(rest) = stem.strip_prefix("ENS") else { return false };
    let letters = rest.bytes().take_while(u8::is_ascii_uppercase).count();
    let (letters, digits) = rest.split_at(letters);
    let all_digits = digits.bytes().all(|it| it.is_ascii_digit());
    let modern = (1..=5).contains(&letters.len()) && letters.ends_with('G') && digits.len() == 11;
    all_digits && (modern || (letters == "GR" && digits.len() == 10))
}

/// Whether a name stands for nothing: empty, `nan`, `none`, `na`, `null`, `-` or `.`, in any case, spaces aside.
pub fn is_null_name(name: &str) -> bool {
    let name = name.trim();
    ["", "nan", "none", "na", "null", "-", "."].iter().any(|it| name.eq_ignore_ascii_case(it))
}

/// Whether a spreadsheet has turned a symbol into a date: `1-Mar`, `Sep-7`. Which gene it was cannot be told.
///
/// # References
/// Ziemann, Eren, El-Osta 2016, doi:10.1186/s13059-016-1044-7.
pub fn is_excel_mangled(name: &str) -> bool {
    const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let is_day = |it: &str| (1..=2).contains(&it.len()) && it.bytes().all(|it| it.is_ascii_digit());
    let is_month = |it: &str| MONTHS.iter().any(|month| month.eq_ignore_ascii_case(it));
    let Some((left, right)) = name.split_once('-') else { return false };
    (is_day(left) && is_month(right)) || (is_month(left) && is_day(right))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_taken_apart() {
        let check = |name: &str, stem: &str, version: bool, on_y: bool, on_x: &str| {
            let found = EnsemblName::parse(name).unwrap_or_else(|| panic!("{name} is an id"));
            assert_eq!((found.stem(), found.has_version(), found.is_copy_on_y()), (stem, version, on_y), "{name}");
            assert_eq!(found.on_x(), on_x, "{name}");
        };
        check("ENSG00000141510", "ENSG00000141510", false, false, "ENSG00000141510");
        check("ENSG00000141510.20", "ENSG00000141510", true, false, "ENSG00000141510");
        check("ensmusg00000059552", "ENSMUSG00000059552", false, false, "ENSMUSG00000059552");
        check("ENSG00000182378_PAR_Y", "ENSG00000182378", false, true, "ENSG00000182378");
        check("ENSG00000182378.15_PAR_Y", "ENSG00000182378", true, true, "ENSG00000182378");
        check("ENSGR0000002586", "ENSGR0000002586", false, true, "ENSG00000002586");
        for name in [
            "ENS",
            "ENSG",
            "ENSG0000014151",
            "ENSG000001415100",
            "ENST00000141510",
            "ENSG00000141510.",
            "ENSG00000141510.x",
            "ENSG00000141510.1.2",
            "ENSGR00000025860",
            "ENSABCDEG00000141510",
            "TP53",
            "é",
            "日本語",
        ] {
            assert_eq!(EnsemblName::parse(name), None, "{name}");
        }
    }

    #[test]
    fn names_of_nothing_and_dates() {
        for name in ["", " ", "nan", "NaN", "None", "NA", "null", "-", "."] {
            assert!(is_null_name(name), "{name}");
        }
        for name in ["1-Mar", "12-dec", "Sep-7", "MAR-01"] {
            assert!(is_excel_mangled(name), "{name}");
        }
        for name in ["NAT1", "A.1", "HLA-A", "1-March", "123-Mar", "-Mar", "Mar-", "NKX2-1"] {
            assert!(!is_null_name(name) && !is_excel_mangled(name), "{name}");
        }
    }
}
