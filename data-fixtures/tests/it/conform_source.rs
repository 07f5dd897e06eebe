//! A broken source fails the check that is meant for its fault, and a sound one none.

use cellstone_core::{CountSource, Csr, Error, ObsTable, Result, RowBlock, Scale, Seed, Var};
use cellstone_fixtures::conformance::source::{Options, check};
use cellstone_fixtures::small_counts;
use std::sync::atomic::{AtomicUsize, Ordering};

#[derive(Debug, Clone, Copy, PartialEq)]
enum Fault {
    None,
    NoName,
    SkipsARow,
    WrongStart,
    Fractions,
    IgnoresStart,
    Drifts,
    Fails,
}

struct Source {
    fault: Fault,
    x: Csr<f32>,
    var: Var,
    obs: ObsTable,
    readings: AtomicUsize,
}

impl CountSource for Source {
    fn name(&self) -> &'static str {
        if self.fault == Fault::NoName { "" } else { "test" }
    }

    fn n_obs(&self) -> usize {
        self.x.shape().0
    }

    fn var(&self) -> &Var {
        &self.var
    }

    fn obs(&self) -> &ObsTable {
        &self.obs
    }

    fn scale(&self) -> Scale {
        Scale::Counts
    }

    fn blocks(&self, start: usize) -> Result<Box<dyn Iterator<Item = Result<RowBlock>> + Send + '_>> {
        let reading = self.readings.fetch_add(1, Ordering::Relaxed);
        let (start, fault) = if self.fault == Fault::IgnoresStart { (0, self.fault) } else { (start, self.fault) };
        let n_obs = self.n_obs();
        Ok(Box::new((start..n_obs).step_by(6).map(move |at| {
            let mut rows: Vec<usize> = (at..(at + 6).min(n_obs)).collect();
            if fault == Fault::SkipsARow && rows.len() > 1 {
                rows.pop();
            }
            let mut x = self.x.select_rows(&rows);
            match fault {
                Fault::Fractions => x.data_mut()[0] = 0.5,
                Fault::Drifts => x.data_mut()[0] += reading as f32,
                Fault::Fails => return Err(Error::invalid_input("a broken block")),
                _ => {}
            }
            Ok(RowBlock { start: if fault == Fault::WrongStart { at + 1 } else { at }, x })
        })))
    }
}

fn failed(fault: Fault) -> Vec<&'static str> {
    let (x, var, obs) = small_counts(20, 8, Seed::new(2));
    let source = Source { fault, x, var, obs, readings: AtomicUsize::new(0) };
    check(&source, &Options::default()).iter().map(|it| it.check).collect()
}

#[test]
fn every_fault_is_caught_by_its_check() {
    assert_eq!(failed(Fault::None), [""; 0]);
    for (fault, want) in [
        (Fault::NoName, "shape"),
        (Fault::SkipsARow, "coverage"),
        (Fault::WrongStart, "coverage"),
        (Fault::Fractions, "values"),
        (Fault::IgnoresStart, "restart"),
        (Fault::IgnoresStart, "past_the_end"),
        (Fault::Drifts, "repeat"),
        (Fault::Drifts, "threads"),
        (Fault::Fails, "coverage"),
    ] {
        let found = failed(fault);
        assert!(found.contains(&want), "{fault:?}: failed {found:?}, expected `{want}` among them");
    }
}
