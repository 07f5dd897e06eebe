//! The one list of metrics: parsers, help, tables and documentation are made from it.

use crate::per_row::{self, PerRow};
use crate::retrieval::{self, Retrieval};
use cellstone_core::{Error, Metric, Result, nearest};
use std::sync::{Arc, LazyLock};

/// Every built-in metric, in the order in which lists and reports show them. Ids are stable and unique.
///
/// Ids of cell-eval 0.8 (`mse`, `mae`, `mse_delta`, `mae_delta`, `pearson_delta`, `discrimination_score_*`) follow its
/// convention: each side is compared with its own control, which is that of the truth where a prediction brings none.
/// Ids of cell-eval2 0.20 (`expr_*`, `delta_*`, `pds_l1`, `pds_l2`, `pds_cosine`) use the control of the truth.
///
/// # Examples
/// ```
/// let ids: Vec<String> = cellstone_metrics::builtin().iter().map(|it| it.info().id.to_string()).collect();
/// assert_eq!(&ids[..4], ["l2", "mse", "rmse", "mae"]);
/// assert!(ids.iter().any(|it| it == "pds_v2_cosine"));
/// ```
pub fn builtin() -> Vec<Arc<dyn Metric>> {
    LIST.iter().map(Kind::metric).collect()
}

/// A built-in metric as the crate knows it.
pub(crate) enum Kind {
    PerRow(Arc<PerRow>),
    Retrieval(Arc<Retrieval>),
}

impl Kind {
    fn metric(&self) -> Arc<dyn Metric> {
        match self {
            Self::PerRow(it) => Arc::<PerRow>::clone(it),
            Self::Retrieval(it) => Arc::<Retrieval>::clone(it),
        }
    }

    /// The built-in metric behind an entry of a registry; `None` for those of others.
    pub(crate) fn of(metric: &Arc<dyn Metric>) -> Option<&'static Self> {
        LIST.iter().find(|it| std::ptr::addr_eq(Arc::as_ptr(&it.metric()), Arc::as_ptr(metric)))
    }
}

/// Made once, so that an entry of a registry can be known for a built-in metric.
static LIST: LazyLock<Vec<Kind>> = LazyLock::new(|| {
    let mut all: Vec<Kind> = per_row::errors().into_iter().map(Kind::PerRow).collect();
    all.extend(per_row::agreements().into_iter().map(Kind::PerRow));
    all.extend(retrieval::metrics().into_iter().map(Kind::Retrieval));
    all.extend(per_row::top_effect().into_iter().map(Kind::PerRow));
    all
});

/// The built-in metric of that id.
///
/// # Errors
/// If there is none; the hint names the nearest.
///
/// # Examples
/// ```
/// let error = cellstone_metrics::by_id("pearson_dleta").err().unwrap();
/// assert_eq!(error.hints(), ["did you mean `pearson_delta`?"]);
/// ```
pub fn by_id(id: &str) -> Result<Arc<dyn Metric>> {
    let all = builtin();
    if let Some(found) = all.iter().find(|it| it.info().id == id) {
        return Ok(Arc::clone(found));
    }
    let error = Error::config(format!("unknown metric `{id}`"));
    Err(match nearest(id, all.iter().map(|it| it.info().id.as_ref())) {
        Some(near) => error.with_hint(format!("did you mean `{near}`?")),
        None => error.with_hint("list metrics prints every id"),
    })
}
