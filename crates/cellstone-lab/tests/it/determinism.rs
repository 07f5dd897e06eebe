//! The same seed gives the same bytes, with any number of threads.

use crate::common::{EXPERIMENT, assert_same_tables, cells, config, run_into};
use cellstone_lab::Registry;

#[test]
fn threads_do_not_change_a_byte() {
    let dir = tempfile::tempdir().expect("folder");
    cells(dir.path());
    let config = config(dir.path(), EXPERIMENT, &[]).expect("resolves");
    let registry = Registry::builtin();
    for threads in [1, 3] {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("pool");
        let out = dir.path().join(format!("run{threads}"));
        pool.install(|| run_into(&config, &registry, &out, false)).expect("runs");
    }
    assert_same_tables(&dir.path().join("run1"), &dir.path().join("run3"));
}
