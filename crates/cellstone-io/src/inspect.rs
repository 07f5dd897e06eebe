//! What is in a file: shapes, layouts, columns, what the numbers look like, and what will get in the way.

use crate::h5ad::{H5ad, Matrix, MatrixInfo, MatrixKind, Sample};
use cellstone_core::{Column, ObsTable, Result};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::path::Path;

/// Parts of column names that suggest a column of perturbations.
const PERTURBATION_NAMES: [&str; 8] =
    ["perturb", "condition", "guide", "sgrna", "grna", "target", "treatment", "knockdown"];
/// Labels, or parts of labels between separators, that suggest a control.
const CONTROL_LABELS: [&str; 14] = [
    "control",
    "ctrl",
    "nt",
    "non-targeting",
    "nontargeting",
    "non_targeting",
    "negctrl",
    "negative",
    "unperturbed",
    "untreated",
    "vehicle",
    "dmso",
    "mock",
    "safe-targeting",
];

/// What is in an `.h5ad` file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Inspection {
    /// Where the file is.
    pub path: String,
    /// Number of cells.
    pub n_obs: usize,
    /// Number of genes.
    pub n_vars: usize,
    /// `X`, the layers and `raw/X`, as far as they are there.
    pub matrices: Vec<MatrixReport>,
    /// Columns of the cells.
    pub obs: Vec<ColumnReport>,
    /// Columns of the genes.
    pub var: Vec<ColumnReport>,
    /// What the row names of `var` are.
    pub gene_ids: GeneIds,
    /// Names in `obsm`, `varm`, `obsp`, `varp` and `uns`, with their group.
    pub keys: Vec<String>,
    /// What will get in the way.
    pub problems: Vec<Problem>,
}

/// A matrix and what a sample of its values looks like.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MatrixReport {
    /// Its path in the file.
    pub name: String,
    /// Its layout.
    pub info: MatrixInfo,
    /// What the sampled values look like.
    pub looks: Looks,
    /// Smallest and largest finite sampled value; `None` where nothing was sampled.
    pub range: Option<(f64, f64)>,
    /// Number of values sampled.
    pub n_sampled: usize,
}

/// What sampled values look like. The scale of a matrix is declared, never guessed: this only helps to declare it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Looks {
    /// No value was sampled.
    Empty,
    /// Whole and non-negative: counts.
    Counts,
    /// Fractional and non-negative with a maximum that a logarithm may have.
    Logarithms,
    /// Fractional and non-negative with a larger maximum.
    Fractional,
    /// Some values are negative: scaled, or an effect.
    Negative,
    /// Some values are NaN or infinite.
    NotFinite,
}

/// A column of an annotation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ColumnReport {
    /// Its name.
    pub name: String,
    /// Its kind, in a word.
    pub kind: String,
    /// Number of categories or distinct texts, for those kinds.
    pub n_categories: Option<usize>,
    /// Number of rows without a value.
    pub n_missing: usize,
    /// The first few categories.
    pub examples: Vec<String>,
}

/// What the row names of `var` are, by their pattern.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GeneIds {
    /// `ENSG…`
    EnsemblHuman,
    /// `ENSMUSG…`
    EnsemblMouse,
    /// Names that begin with a letter and hold no space.
    Symbol,
    /// Anything else.
    Unknown,
}

/// Something that will get in the way, and what can be done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// What was found.
    pub what: String,
    /// What can be done.
    pub hint: String,
}

/// Looks into an `.h5ad` file: all annotation, and of each matrix three windows of values.
///
/// # Errors
/// If the file cannot be opened or its annotation cannot be read; a matrix that cannot is a [`Problem`].
pub fn inspect(path: impl AsRef<Path>) -> Result<Inspection> {
    let file = H5ad::open(path)?;
    let (obs, obs_skipped) = file.annotation("obs")?;
    let (var, var_skipped) = file.annotation("var")?;
    let mut problems = Vec::new();
    let mut problem = |what: String, hint: &str| problems.push(Problem { what, hint: hint.to_owned() });
    for (name, table, skipped) in [("obs", &obs, obs_skipped), ("var", &var, var_skipped)] {
        if let Some((label, first, second)) = table.first_duplicate() {
            problem(
                format!("{name} name `{label}` stands at rows {first} and {second}"),
                &format!("in Python: adata.{name}_names_make_unique()"),
            );
        }
        for column in skipped {
            problem(
                format!("{name} column `{column}` has an encoding that is not read"),
                "drop it, or store it as text",
            );
        }
    }
    let mut chosen = vec![Matrix::X];
    chosen.extend(file.keys("layers").into_iter().map(Matrix::Layer));
    chosen.push(Matrix::RawX);
    if !file.has(&Matrix::X) {
        problem("there is no X".to_owned(), "name a layer to read, if there is one");
    }
    let mut matrices = Vec::new();
    for matrix in chosen.into_iter().filter(|it| file.has(it)) {
        match file.sample(&matrix) {
            Ok((info, sample)) => {
                let genes = if matrix == Matrix::RawX { info.n_vars } else { var.n_rows() };
                if (info.n_obs, info.n_vars) != (obs.n_rows(), genes) {
                    problem(
                        format!(
                            "{matrix} has shape {} × {}, expected {} × {genes}",
                            info.n_obs,
                            info.n_vars,
                            obs.n_rows()
                        ),
                        "the file was put together from parts that do not fit",
                    );
                }
                if let Some(error) = &sample.broken {
                    let hint = error.hints().first().map_or("write the file again", String::as_str);
                    problem(format!("{matrix}: {error}"), hint);
                }
                matrices.push(report(&matrix, info, &sample));
            }
            Err(error) => {
                let hint = error.hints().first().map_or("write it again in an encoding that is read", String::as_str);
                problem(error.to_string(), hint);
            }
        }
    }
    for name in obs.names() {
        let column = obs.get(name).expect("invariant: a table has the columns it names");
        for it in perturbation_problems(name, column) {
            problem(it.what, &it.hint);
        }
    }
    let groups = ["obsm", "varm", "obsp", "varp", "uns"];
    Ok(Inspection {
        path: file.path().display().to_string(),
        n_obs: obs.n_rows(),
        n_vars: var.n_rows(),
        matrices,
        gene_ids: gene_ids(var.index()),
        obs: columns(&obs),
        var: columns(&var),
        keys: groups.iter().flat_map(|g| file.keys(g).into_iter().map(move |it| format!("{g}/{it}"))).collect(),
        problems,
    })
}

fn report(matrix: &Matrix, info: MatrixInfo, sample: &Sample) -> MatrixReport {
    let finite = || sample.values.iter().copied().filter(|it| it.is_finite());
    let (min, max) = finite().fold((f64::INFINITY, f64::NEG_INFINITY), |(a, b), it| (a.min(it), b.max(it)));
    let looks = if sample.values.is_empty() {
        Looks::Empty
    } else if sample.values.iter().any(|it| !it.is_finite()) {
        Looks::NotFinite
    } else if min < 0.0 {
        Looks::Negative
    } else if finite().all(|it| it.fract() == 0.0) {
        Looks::Counts
    } else if max < 20.0 {
        // ln(1 + 1e6) is 13.8: no usual library size reaches 20.
        Looks::Logarithms
    } else {
        Looks::Fractional
    };
    let range = (min <= max).then_some((min, max));
    MatrixReport { name: matrix.to_string(), info, looks, range, n_sampled: sample.values.len() }
}

fn columns(table: &ObsTable) -> Vec<ColumnReport> {
    let one = |name: &String| {
        let column = table.get(name).expect("invariant: a table has the columns it names");
        let countable = matches!(column, Column::Categorical { .. } | Column::Str(_));
        let categories = if countable { column.to_codes().1 } else { Vec::new() };
        ColumnReport {
            name: name.clone(),
            kind: column.kind().to_owned(),
            n_categories: countable.then_some(categories.len()),
            n_missing: (0..column.len()).filter(|row| is_missing(column, *row)).count(),
            examples: categories.into_iter().take(5).collect(),
        }
    };
    table.names().iter().map(one).collect()
}

fn is_missing(column: &Column, row: usize) -> bool {
    match column {
        Column::Categorical { codes, .. } => codes[row].is_none(),
        Column::Str(it) => it[row].is_none(),
        Column::Int(it) => it[row].is_none(),
        Column::Float(it) => it[row].is_nan(),
        Column::Bool(it) => it[row].is_none(),
    }
}

/// What is missing from a column whose name suggests perturbations.
fn perturbation_problems(name: &str, column: &Column) -> Vec<Problem> {
    let lower = name.to_lowercase();
    let mut problems = Vec::new();
    if !matches!(column, Column::Categorical { .. } | Column::Str(_))
        || !PERTURBATION_NAMES.iter().any(|it| lower.contains(it))
    {
        return problems;
    }
    let (codes, categories) = column.to_codes();
    let mut n_cells = vec![0_usize; categories.len()];
    for code in codes.iter().flatten() {
        n_cells[*code as usize] += 1;
    }
    let used = || categories.iter().zip(&n_cells).filter(|it| *it.1 > 0);
    if used().count() > 2 && !used().any(|(label, _)| is_control(label)) {
        problems.push(Problem {
            what: format!("obs column `{name}` has no label that looks like a control"),
            hint: "name the label of the control cells, if this column holds the perturbations".to_owned(),
        });
    }
    let single: Vec<String> = used().filter(|it| *it.1 == 1).map(|it| it.0.clone()).collect();
    if !single.is_empty() && single.len() * 2 < categories.len() {
        problems.push(Problem {
            what: format!("obs column `{name}` has labels with one cell: {}", cellstone_core::quoted(&single)),
            hint: "a mean of one cell is noise: ask for a least number of cells".to_owned(),
        });
    }
    problems
}

fn is_control(label: &str) -> bool {
    let lower = label.to_lowercase();
    let parts = lower.split(['+', '_', ' ', '|', ',', ';', ':']);
    CONTROL_LABELS.contains(&&*lower)
        || parts.into_iter().any(|it| CONTROL_LABELS.contains(&it))
        || ["non-target", "nontarget", "non_target", "control"].iter().any(|it| lower.contains(it))
}

fn gene_ids(ids: &[String]) -> GeneIds {
    let most =
        |test: &dyn Fn(&str) -> bool| !ids.is_empty() && ids.iter().filter(|it| test(it)).count() * 10 >= ids.len() * 8;
    let numbered =
        |it: &str, stem: &str| it.strip_prefix(stem).is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()));
    if most(&|it| numbered(it, "ENSG")) {
        GeneIds::EnsemblHuman
    } else if most(&|it| numbered(it, "ENSMUSG")) {
        GeneIds::EnsemblMouse
    } else if most(&|it| it.starts_with(|c: char| c.is_ascii_alphabetic()) && !it.contains(' ')) {
        GeneIds::Symbol
    } else {
        GeneIds::Unknown
    }
}

impl fmt::Display for Inspection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}: {} cells × {} genes", self.path, self.n_obs, self.n_vars)?;
        let ids = match self.gene_ids {
            GeneIds::EnsemblHuman => "Ensembl, human",
            GeneIds::EnsemblMouse => "Ensembl, mouse",
            GeneIds::Symbol => "symbols",
            GeneIds::Unknown => "of no known kind",
        };
        writeln!(f, "gene ids: {ids}")?;
        for it in &self.matrices {
            writeln!(f, "{it}")?;
        }
        for (name, columns) in [("obs", &self.obs), ("var", &self.var)] {
            for it in columns {
                writeln!(f, "{name} {it}")?;
            }
        }
        if !self.keys.is_empty() {
            writeln!(f, "also: {}", self.keys.join(", "))?;
        }
        for it in &self.problems {
            writeln!(f, "problem: {}\n  hint: {}", it.what, it.hint)?;
        }
        Ok(())
    }
}

impl fmt::Display for MatrixReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.info.kind {
            MatrixKind::Dense => "dense",
            MatrixKind::Csr => "sparse rows",
            MatrixKind::Csc => "sparse columns",
        };
        write!(
            f,
            "{}: {kind}, {}, {}",
            self.name,
            self.info.dtype,
            self.info.compression.as_deref().unwrap_or("uncompressed")
        )?;
        if let Some(nnz) = self.info.nnz {
            let cells = (self.info.n_obs as f64 * self.info.n_vars as f64).max(1.0);
            write!(f, ", {nnz} values ({:.1} %)", nnz as f64 / cells * 100.0)?;
        }
        let looks = match self.looks {
            Looks::Empty => "no values",
            Looks::Counts => "whole numbers: counts",
            Looks::Logarithms => "fractional: logarithms, perhaps",
            Looks::Fractional => "fractional and large: normalized without a logarithm, perhaps",
            Looks::Negative => "some are negative: scaled, or an effect",
            Looks::NotFinite => "some are not finite",
        };
        write!(f, "; {looks}")?;
        match self.range {
            Some((min, max)) => write!(f, " ({min} to {max} in {} sampled)", self.n_sampled),
            None => Ok(()),
        }
    }
}

impl fmt::Display for ColumnReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`: {}", self.name, self.kind)?;
        if let Some(n) = self.n_categories {
            write!(f, ", {n} distinct ({})", cellstone_core::quoted(&self.examples))?;
        }
        if self.n_missing > 0 {
            write!(f, ", {} missing", self.n_missing)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_and_controls_by_pattern() {
        let of = |ids: &[&str]| gene_ids(&ids.iter().map(|it| (*it).to_owned()).collect::<Vec<_>>());
        assert_eq!(of(&["ENSG00000141510", "ENSG00000012048.5"]), GeneIds::EnsemblHuman);
        assert_eq!(of(&["ENSMUSG00000059552"]), GeneIds::EnsemblMouse);
        assert_eq!(of(&["TP53", "HLA-A", "7SK", "Trp53", "BRCA1"]), GeneIds::Symbol);
        assert_eq!(of(&["0", "1", "2"]), GeneIds::Unknown);
        assert_eq!(of(&[]), GeneIds::Unknown);
        for label in ["ctrl", "NT", "Non-Targeting", "KLF1+ctrl", "control_3", "DMSO"] {
            assert!(is_control(label), "{label}");
        }
        for label in ["NTRK1", "CEBPA", "CTRL9P"] {
            assert!(!is_control(label), "{label}");
        }
    }
}
