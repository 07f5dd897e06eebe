//! Metric variants: one metric on one gene set under one mask, with the id it has in tables.

use crate::{Registry, config::Metrics};
use cellstone_core::{Mask, Metric, Result};
use std::sync::Arc;

/// Genes of the headline set of the published comparison.
pub const TOP_CONTROL: usize = 1000;

/// A metric as it is tabulated.
#[derive(Clone)]
pub struct Variant {
    /// The metric.
    pub metric: Arc<dyn Metric>,
    /// `l2`, `l2_top1000`, `l2_self`.
    pub id: String,
    /// Whether the 1000 genes with the largest control mean are used instead of all.
    pub top_control: bool,
    /// Which genes are left out besides.
    pub mask: Mask,
    /// Whether it is the metric of the answer.
    pub headline: bool,
}

impl Variant {
    /// For people: no two variants of a metric have the same name.
    pub fn name(&self) -> String {
        let info = self.metric.info();
        let what = match self.id.strip_prefix(info.id.as_ref()) {
            Some("_top1000") => ", 1000 genes highest in control",
            Some("_self") => ", own targets left out",
            Some("_panel") => ", all targets left out",
            _ => "",
        };
        format!("{}{what}", info.name)
    }

    /// `all` or `top1000_ctrl`.
    pub fn genes(&self) -> &'static str {
        if self.top_control { "top1000_ctrl" } else { "all" }
    }

    /// `none`, `self` or `panel`.
    pub fn mask_name(&self) -> &'static str {
        match self.mask {
            Mask::None => "none",
            Mask::OwnTargets => "self",
            Mask::Panel => "panel",
        }
    }
}

/// The variants a configuration asks for.
///
/// Masks other than the metric's own apply to all genes only, so that the table does not multiply. A file with at most
/// 1000 genes has no `top1000_ctrl` variant: it would repeat the values of all genes.
///
/// # Errors
/// If a metric is unknown.
pub fn variants(metrics: &Metrics, n_vars: usize, maskable: bool, registry: &Registry) -> Result<Vec<Variant>> {
    let mut out = Vec::new();
    for id in &metrics.ids {
        let metric = registry.metric(id)?;
        let own = if maskable { metric.default_mask() } else { Mask::None };
        let mut push = |suffix: &str, top_control: bool, mask: Mask| {
            let headline = suffix.is_empty() && *id == metrics.headline;
            out.push(Variant { metric: Arc::clone(&metric), id: format!("{id}{suffix}"), top_control, mask, headline });
        };
        let all = metrics.genes.iter().any(|it| it == "all") || n_vars <= TOP_CONTROL;
        if all {
            push("", false, own);
        }
        if n_vars > TOP_CONTROL && metrics.genes.iter().any(|it| it == "top1000_ctrl") {
            push("_top1000", true, own);
        }
        if own == Mask::None && maskable && all {
            if metrics.masks.iter().any(|it| it == "self") {
                push("_self", false, Mask::OwnTargets);
            }
            if metrics.masks.iter().any(|it| it == "panel") {
                push("_panel", false, Mask::Panel);
            }
        }
    }
    if !out.iter().any(|it| it.headline)
        && let Some(first) = out.iter_mut().find(|it| it.metric.info().id == metrics.headline)
    {
        first.headline = true;
    }
    Ok(out)
}
