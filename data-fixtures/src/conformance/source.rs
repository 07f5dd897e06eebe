//! What every source of counts must do.

use super::Failure;
use super::harness::{Check, Harness, ensure, unexpected, with_threads};
use cellstone_core::{CountSource, check_values};

/// Which checks to leave out.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Names of checks that do not apply.
    pub skip: Vec<&'static str>,
}

/// Checks a source of counts. It is read several times, so hand over a small one.
///
/// Checks: `shape` (annotation and genes have the shape of the matrix, the name is not empty), `coverage` (blocks hold
/// every row once, in order, none of them empty), `values` (columns in range, values on the declared scale), `restart`
/// (from any row on the same rows come), `repeat` (reading twice gives the same bits), `threads` (so does another number
/// of threads), `past_the_end` (starting at the end yields nothing).
///
/// # Examples
/// ```
/// use cellstone_core::{Scale, Seed};
/// use cellstone_fixtures::{conformance, small_counts};
/// use cellstone_io::MemorySource;
/// let (x, var, obs) = small_counts(20, 6, Seed::new(1));
/// let source = MemorySource::new("example", x, var, obs, Scale::Counts)?.with_block_rows(7);
/// conformance::assert_conforms("memory", &conformance::source::check(&source, &Default::default()));
/// # Ok::<(), cellstone_core::Error>(())
/// ```
pub fn check(source: &dyn CountSource, options: &Options) -> Vec<Failure> {
    let mut harness = Harness::new(&options.skip);
    harness.check("shape", || shape(source));
    harness.check("coverage", || coverage(source));
    harness.check("values", || values(source));
    harness.check("restart", || restart(source));
    harness.check("repeat", || ensure(read(source, 0)? == read(source, 0)?, || "two readings differ".into()));
    harness.check("threads", || {
        let one = with_threads(1, || read(source, 0))??;
        let three = with_threads(3, || read(source, 0))??;
        ensure(one == three, || "one thread and three read different rows".into())
    });
    harness.check("past_the_end", || {
        let rows = read(source, source.n_obs())?;
        ensure(rows.is_empty(), || format!("starting at row {} yields {} rows", source.n_obs(), rows.len()))
    });
    harness.finish()
}

/// Columns and bit patterns of the values of each row.
type Rows = Vec<(Vec<u32>, Vec<u32>)>;

fn read(source: &dyn CountSource, start: usize) -> Result<Rows, String> {
    let mut rows = Vec::new();
    for block in source.blocks(start).map_err(|it| unexpected("opening", &it))? {
        let block = block.map_err(|it| unexpected("reading a block", &it))?;
        for row in 0..block.x.shape().0 {
            let (cols, values) = block.x.row(row);
            rows.push((cols.to_vec(), values.iter().map(|it| it.to_bits()).collect()));
        }
    }
    Ok(rows)
}

fn shape(source: &dyn CountSource) -> Check {
    ensure(!source.name().is_empty(), || "the name is empty".into())?;
    let (n_obs, n_rows) = (source.n_obs(), source.obs().n_rows());
    ensure(n_obs == n_rows, || format!("n_obs is {n_obs} but obs has {n_rows} rows"))
}

fn coverage(source: &dyn CountSource) -> Check {
    let mut next = 0;
    for block in source.blocks(0).map_err(|it| unexpected("opening", &it))? {
        let block = block.map_err(|it| unexpected("reading a block", &it))?;
        ensure(block.start == next, || format!("a block starts at row {}, expected {next}", block.start))?;
        ensure(block.x.shape().0 > 0, || format!("the block at row {next} is empty"))?;
        next += block.x.shape().0;
    }
    ensure(next == source.n_obs(), || format!("blocks hold {next} rows, expected {}", source.n_obs()))
}

fn values(source: &dyn CountSource) -> Check {
    let n_vars = source.var().len();
    for block in source.blocks(0).map_err(|it| unexpected("opening", &it))? {
        let block = block.map_err(|it| unexpected("reading a block", &it))?;
        let width = block.x.shape().1;
        ensure(width == n_vars, || format!("a block has {width} columns, expected {n_vars}"))?;
        check_values(&block.x, block.start, source.scale()).map_err(|it| it.to_string())?;
    }
    Ok(())
}

fn restart(source: &dyn CountSource) -> Check {
    let all = read(source, 0)?;
    let n = source.n_obs();
    for start in [1, n / 3, n / 2, n.saturating_sub(1)].into_iter().filter(|it| *it < n) {
        let mut blocks = source.blocks(start).map_err(|it| unexpected("opening", &it))?;
        if let Some(Ok(first)) = blocks.next() {
            ensure(first.start == start, || format!("asked to start at row {start}, started at {}", first.start))?;
        }
        drop(blocks);
        let rest = read(source, start)?;
        ensure(all.get(start..) == Some(&rest[..]), || format!("starting at row {start} yields other rows"))?;
    }
    Ok(())
}
