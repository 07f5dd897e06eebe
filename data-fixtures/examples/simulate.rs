//! Streams a simulated experiment and says what is in it: `cargo run -p cellstone-fixtures --example simulate norman`.

use cellstone_core::{CountSource, Result, Seed};
use cellstone_fixtures::{PerturbSeq, PerturbSeqSpec};
use std::io::Write;

fn main() -> Result<()> {
    let preset = std::env::args().nth(1).unwrap_or_else(|| "demo".to_owned());
    let data = PerturbSeq::new(PerturbSeqSpec::preset(&preset)?, Seed::new(1))?;
    let (mut genes, mut molecules) = (0_usize, 0.0_f64);
    for block in data.blocks(0)? {
        let block = block?;
        genes += block.x.nnz();
        molecules += block.x.data().iter().map(|it| f64::from(*it)).sum::<f64>();
    }
    let n_obs = data.n_obs() as f64;
    let line = format!(
        "{data:?}, {} conditions, {:.0} genes and {:.0} molecules per cell",
        data.truth().conditions().len(),
        genes as f64 / n_obs,
        molecules / n_obs
    );
    writeln!(std::io::stdout(), "{line}").map_err(|it| cellstone_core::Error::io("stdout".as_ref(), it))
}
