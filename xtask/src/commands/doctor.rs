//! `doctor`: what this machine has, and whether the basics compute the right numbers.

use crate::cli::Common;
use crate::terminal::out;
use cellstone_core::{Error, ErrorKind, Result};
use cellstone_model::{DeviceChoice, probe, select, self_test};

#[derive(serde::Serialize)]
struct Check {
    what: String,
    found: String,
    ok: bool,
}

/// Prints findings; fails if a self-test fails.
pub(super) fn doctor(common: &Common) -> Result<u8> {
    let mut checks = vec![
        fact("version", format!("cellstone {}", env!("CARGO_PKG_VERSION"))),
        fact("system", format!("{} {}", std::env::consts::OS, std::env::consts::ARCH)),
        fact("threads", rayon::current_num_threads().to_string()),
        fact(
            "memory",
            memory()
                .map_or_else(|| "unknown".to_owned(), |(total, free)| format!("{total:.1} GiB, {free:.1} GiB free")),
        ),
    ];
    let adapters = probe();
    if adapters.is_empty() {
        checks.push(fact("graphics adapter", "none".to_owned()));
    }
    for it in &adapters {
        let kind = if it.hardware { "hardware" } else { "software, used only when asked for" };
        checks.push(fact("graphics adapter", format!("{} ({}, {kind}; {})", it.name, it.api, it.driver)));
    }
    let choice = DeviceChoice::parse(&common.device)?;
    checks.push(match select(choice).and_then(|it| self_test(&it).map(|()| it.name().to_owned())) {
        Ok(name) => fact("device", format!("{name}, multiplies matrices right")),
        Err(error) if error.is_device() && choice == DeviceChoice::Wgpu => return Err(error),
        Err(error) => Check { what: "device".to_owned(), found: error.to_string(), ok: false },
    });
    checks.push(linear_algebra());
    let failed = checks.iter().filter(|it| !it.ok).count();
    if common.json {
        out(&serde_json::to_string_pretty(&checks).map_err(|error| Error::config(error.to_string()))?);
    } else {
        for it in &checks {
            out(&format!("{} {:<18} {}", if it.ok { "ok  " } else { "FAIL" }, it.what, it.found));
        }
    }
    if failed > 0 {
        return Err(Error::new(ErrorKind::Gate, format!("{failed} self-tests failed")));
    }
    Ok(0)
}

fn fact(what: &str, found: String) -> Check {
    Check { what: what.to_owned(), found, ok: true }
}

/// Principal components of a matrix whose variances are known.
fn linear_algebra() -> Check {
    let x = ndarray::array![[2.0, 0.0], [-2.0, 0.0], [0.0, 1.0], [0.0, -1.0]];
    let what = "linear algebra".to_owned();
    match cellstone_prep::pca_dense(&x.view(), 2, true) {
        Ok(pca) => {
            // Variances 8/3 and 2/3 with n − 1 = 3.
            let want = [8.0 / 3.0, 2.0 / 3.0];
            let ok = pca.explained_variance.iter().zip(want).all(|(a, b)| (a - b).abs() < 1e-12);
            Check { what, found: format!("variances {:.4?}", pca.explained_variance.to_vec()), ok }
        }
        Err(error) => Check { what, found: error.to_string(), ok: false },
    }
}

/// Total and free memory in GiB, where the system tells.
fn memory() -> Option<(f64, f64)> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let value = |key: &str| {
        let line = text.lines().find(|it| it.starts_with(key))?;
        line.split_whitespace().nth(1)?.parse::<f64>().ok().map(|kib| kib / f64::from(1 << 20))
    };
    Some((value("MemTotal:")?, value("MemAvailable:")?))
}
