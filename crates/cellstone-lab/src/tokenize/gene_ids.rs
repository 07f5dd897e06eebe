//! Cells whose row names of `var` are symbols, while a column holds the Ensembl ids that a vocabulary asks for.

use cellstone_core::{CountSource, Error, ObsTable, Result, RowBlock, Scale, Var};

/// Columns that tools write Ensembl ids to: Geneformer's own name first, then scanpy's, and others.
const COLUMNS: [&str; 5] = ["ensembl_id", "gene_ids", "ensembl_ids", "gene_id", "feature_id"];

/// A source whose genes go by the ids of a column of `var`; the names they had become their symbols.
struct ByColumn {
    inner: Box<dyn CountSource>,
    var: Var,
}

/// The source, its genes named by a column of `var`, and the name of that column if one was taken.
///
/// With `column` that one is taken. Without, the row names stay if half of them look like Ensembl ids; else the first of
/// `ensembl_id`, `gene_ids`, `ensembl_ids`, `gene_id`, `feature_id` of which half do; else the row names stay.
/// A gene without a value in the column keeps its name.
///
/// # Errors
/// If `column` is not there, or an id stands for two genes.
pub fn with_gene_ids(
    source: Box<dyn CountSource>,
    var: &ObsTable,
    column: Option<&str>,
) -> Result<(Box<dyn CountSource>, Option<String>)> {
    let named = match column {
        Some(name) => Some((name, ids_of(var, var.column(name)?))),
        None if mostly_ensembl(source.var().ids()) => None,
        None => {
            let mut held = COLUMNS.iter().filter_map(|name| Some((*name, ids_of(var, var.get(name)?))));
            held.find(|it| mostly_ensembl(&it.1))
        }
    };
    let Some((name, ids)) = named else { return Ok((source, None)) };
    if ids.len() != source.var().len() {
        return Err(Error::invalid_input(format!(
            "column `{name}` of var has {} rows, the matrix has {} genes",
            ids.len(),
            source.var().len()
        )));
    }
    let var = Var::new(ids, Some(source.var().ids().to_vec()))
        .map_err(|it| it.context(format!("column `{name}` of var as gene ids")))?;
    Ok((Box::new(ByColumn { inner: source, var }), Some(name.to_owned())))
}

fn ids_of(var: &ObsTable, column: &cellstone_core::Column) -> Vec<String> {
    let text = |row: usize| column.text(row).map(|it| it.trim().to_owned()).filter(|it| !it.is_empty());
    (0..var.n_rows()).map(|row| text(row).unwrap_or_else(|| var.index()[row].clone())).collect()
}

/// Whether half of the names look like Ensembl ids of genes: `ENS`, a species, `G`, eleven digits.
fn mostly_ensembl(ids: &[String]) -> bool {
    let looks = |it: &&String| {
        let stem = it.split_once('.').map_or(it.as_str(), |it| it.0);
        let digits = stem.len() - stem.trim_end_matches(|c: char| c.is_ascii_digit()).len();
        digits == 11 && stem.starts_with("ENS") && stem[..stem.len() - 11].ends_with('G')
    };
    ids.iter().filter(looks).count() * 2 >= ids.len().max(1)
}

impl CountSource for ByColumn {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn n_obs(&self) -> usize {
        self.inner.n_obs()
    }

    fn var(&self) -> &Var {
        &self.var
    }

    fn obs(&self) -> &ObsTable {
        self.inner.obs()
    }

    fn scale(&self) -> Scale {
        self.inner.scale()
    }

    fn blocks(&self, start_row: usize) -> Result<Box<dyn Iterator<Item = Result<RowBlock>> + Send + '_>> {
        self.inner.blocks(start_row)
    }
}

#[cfg(test)]
mod tests {
    use super::mostly_ensembl;

    #[test]
    fn what_an_ensembl_id_looks_like() {
        let owned = |ids: &[&str]| ids.iter().map(|it| (*it).to_owned()).collect::<Vec<_>>();
        assert!(mostly_ensembl(&owned(&["ENSG00000000003", "ENSMUSG00000000001.4", "MT-CO1"])));
        assert!(!mostly_ensembl(&owned(&["TP53", "ENST00000000003", "ENSG3"])));
        assert!(!mostly_ensembl(&[]));
    }
}
