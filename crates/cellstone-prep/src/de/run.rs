//! The entry points and the passes over the values.

use super::columns::{Columns, Held};
use super::design::Design;
use super::finish::Output;
use super::groups::DeGroups;
use super::input::{DeValues, Feed};
use super::moments::{self, Moments};
use super::params::{DeMethod, DeParams, Level};
use super::ranks::{self, Ranks};
use super::spill::Spill;
use super::table::DeTable;
use crate::normalize::Normalize;
use cellstone_core::{CountSource, Error, Result, Scale, Var};
use std::ops::Range;
use std::path::Path;

/// Bytes of statistics between the two steps of the rank tests: they stay near the cores.
const STEP_BYTES: usize = 4 << 20;

/// Values that are written to temporary files at once.
const SPILL_WORDS: usize = 1 << 23;

/// Fewest genes of a step for each thread.
const STEP_GENES: usize = 64;

/// Tests every gene between groups of cells of a matrix in memory.
///
/// With `n` cells in the group, `m` in the reference, `N = n + m`, `W` the sum of the group's average ranks among both:
///
/// | method | statistic | p |
/// |---|---|---|
/// | Wilcoxon | `z = (W − n(N+1)/2) / √(T n m (N+1)/12)`, `T = 1 − Σ(t³ − t)/(N³ − N)` over runs of `t` equal values (1 without tie correction); with continuity the numerator moves 1/2 towards 0 | `2 sf(\|z\|)` |
/// | Welch | `t = (x̄ − ȳ) / √(s²/n + r²/m)`, variances with n − 1 | t with Satterthwaite's degrees of freedom |
/// | Welch, overestimated variance | the same with `m := n` | the same |
///
/// A gene that is constant over both has z = 0, p = 1. Without variance on either side t is 0 (p 1) for equal means and
/// infinite (p 0) otherwise. p-values are adjusted after Benjamini and Hochberg. Cells without a label take no part.
/// Same bits for any number of threads, any order of the cells (rank tests) and any format of the matrix.
///
/// Rank tests sort the non-zero values of a gene once for all groups: time grows with the stored values, not with the
/// number of groups times cells.
///
/// # Errors
/// If labels, genes and matrix differ in length; a value is not finite; a name is not a group; a group has fewer than
/// two cells (unless they are to be skipped) or its reference has; or the fold change does not fit the scale.
///
/// # Examples
/// ```
/// use cellstone_core::{Csr, Scale, Var};
/// use cellstone_prep::{DeGroups, DeParams, de};
/// use ndarray::array;
/// let x = Csr::from_dense(&array![[0.0_f32], [0.0], [1.0], [2.0], [3.0], [0.0], [0.0], [0.0], [1.0], [0.0]]);
/// let groups = DeGroups::from_labels(&[["a"; 5], ["b"; 5]].concat().into_iter().map(Some).collect::<Vec<_>>());
/// let scale = Scale::LogNorm { target_sum: None };
/// let table = de(&x, scale, &Var::from_ids(["G"])?, &groups, &DeParams::default())?;
/// assert!((table.statistic[[0, 0]] - 1.4175).abs() < 1e-4 && (table.pvalue[[0, 0]] - 0.1563).abs() < 1e-4);
/// assert_eq!(table.statistic[[1, 0]], -table.statistic[[0, 0]]);
/// # Ok::<(), cellstone_core::Error>(())
/// ```
/// # References
/// Golden: `scanpy.tl.rank_genes_groups` of scanpy, `mannwhitneyu` and `ttest_ind` of SciPy. Speed is compared with
/// illico.
pub fn de<'a>(
    x: impl Into<DeValues<'a>>,
    scale: Scale,
    var: &Var,
    groups: &DeGroups,
    params: &DeParams,
) -> Result<DeTable> {
    let x = x.into();
    if x.shape().1 != var.len() {
        return Err(Error::invalid_input(format!(
            "matrix has {} columns but var has {} genes",
            x.shape().1,
            var.len()
        )));
    }
    x.check_finite()?;
    test(&Feed::Memory(x), scale, var, groups, params)
}

/// Tests every gene between groups of cells of a stream, as [`de`] does.
///
/// `normalize` says how counts become the tested values; `None` tests the values of the source. Rank tests need all
/// values of a gene at once: they hold as many genes as fit `params.memory` (8 bytes for each stored value) and read the
/// source again for the others, so a file of 12 GB of values takes 12 passes at 1 GiB. With a folder in `params.spill`
/// there is one pass: what does not fit goes to temporary files by ranges of genes, 6 bytes for each value. t-tests hold sums only, 48 bytes
/// for each pair of group and gene: mostly one pass. The table itself takes 48 bytes for each pair as well.
/// `progress` hears the cells done in the current pass.
///
/// # Errors
/// As [`de`], and whatever the source fails with; normalizing anything but counts.
pub fn de_stream(
    source: &dyn CountSource,
    groups: &DeGroups,
    normalize: Option<Normalize>,
    params: &DeParams,
    progress: &(dyn Fn(usize) + Sync),
) -> Result<DeTable> {
    let (feed, scale) = Feed::stream(source, groups.group_of(), normalize, progress)?;
    test(&feed, scale, source.var(), groups, params).map_err(|error| {
        // What the source fails with names it already.
        let named = error.to_string().contains(&format!("`{}`", source.name()));
        if named { error } else { error.context(format!("`{}`", source.name())) }
    })
}

fn test(feed: &Feed<'_>, scale: Scale, var: &Var, groups: &DeGroups, params: &DeParams) -> Result<DeTable> {
    let level = Level::new(params.lfc, scale)?;
    let (n_obs, n_genes) = feed.shape();
    let design = Design::new(groups, n_obs, params)?;
    let mut output = Output::new(design.k(), n_genes);
    match params.method {
        DeMethod::Wilcoxon => rank_tests(feed, &design, level, params, &mut output)?,
        DeMethod::TTest | DeMethod::TTestOverestimVar => t_tests(feed, &design, level, params, &mut output)?,
    }
    output.table(design, var.ids().to_vec(), params.adjust)
}

fn rank_tests(feed: &Feed<'_>, design: &Design, level: Level, params: &DeParams, output: &mut Output) -> Result<()> {
    let (n_obs, n_genes) = feed.shape();
    let step = (STEP_BYTES / (design.k() * ranks::PAIR_BYTES)).max(STEP_GENES * rayon::current_num_threads());
    let mut fill = |columns: &Columns<'_>, genes: Range<usize>| {
        for start in genes.clone().step_by(step) {
            let genes = start..genes.end.min(start + step);
            output.fill(genes.clone(), &Ranks::new(columns, genes, design, level, params));
        }
    };
    match (feed, &params.spill) {
        (Feed::Memory(DeValues::Csc(x)), _) => fill(&Columns::Csc(x, &design.codes), 0..n_genes),
        (Feed::Memory(DeValues::Dense(x)), _) => fill(&Columns::Dense(*x, &design.codes), 0..n_genes),
        (Feed::Stream { .. }, Some(dir)) => spilled(feed, design, params.memory, dir, fill)?,
        (Feed::Memory(DeValues::Csr(_)), _) | (Feed::Stream { .. }, None) => {
            let budget = (params.memory / size_of::<u64>()).max(1);
            let mut genes = 0..n_genes;
            while !genes.is_empty() {
                let mut held = Held::new(genes, budget, n_obs);
                feed.each(|x, start| {
                    held.push(x, &design.codes[start..start + x.shape().0]);
                    Ok(())
                })?;
                fill(&Columns::Held(&held), held.genes.clone());
                // Genes hold about equally much; a range that turns out too long shrinks again.
                let next = held.genes.end;
                genes = next..n_genes.min(next + held.genes.len() * 5 / 4 + 1);
            }
        }
    }
    Ok(())
}

/// One pass, with files for what does not fit; smaller inputs never touch the disc.
fn spilled(
    feed: &Feed<'_>,
    design: &Design,
    memory: usize,
    dir: &Path,
    mut fill: impl FnMut(&Columns<'_>, Range<usize>),
) -> Result<()> {
    let (n_obs, n_genes) = feed.shape();
    let budget = memory / size_of::<u64>();
    let mut held = Held::new(0..n_genes, usize::MAX, n_obs);
    let mut spill: Option<Spill> = None;
    feed.each(|x, start| {
        held.push(x, &design.codes[start..start + x.shape().0]);
        let room = if spill.is_some() { budget.min(SPILL_WORDS) } else { budget };
        if let Some(chunks) = held.take_beyond(room) {
            if spill.is_none() {
                spill = Some(Spill::new(dir, n_genes)?);
            }
            spill.as_mut().map_or(Ok(()), |it| it.append(&chunks))?;
        }
        Ok(())
    })?;
    let Some(mut spill) = spill else {
        fill(&Columns::Held(&held), 0..n_genes);
        return Ok(());
    };
    if let Some(chunks) = held.take_beyond(0) {
        spill.append(&chunks)?;
    }
    spill.each(|chunks, genes| fill(&Columns::Held(&Held::complete(chunks, genes.clone())), genes))
}

fn t_tests(feed: &Feed<'_>, design: &Design, level: Level, params: &DeParams, output: &mut Output) -> Result<()> {
    let n_genes = feed.shape().1;
    let step = (params.memory / ((design.k() + 1) * moments::PAIR_BYTES)).max(1);
    for start in (0..n_genes).step_by(step) {
        let genes = start..n_genes.min(start + step);
        let mut moments = Moments::new(genes.clone(), design, level, params.method);
        feed.each(|x, start| {
            moments.push(x, &design.codes[start..start + x.shape().0]);
            Ok(())
        })?;
        moments.close();
        output.fill(genes, &moments);
    }
    Ok(())
}
