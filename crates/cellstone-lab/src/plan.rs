//! What an experiment would do: its inputs, splits, methods, metrics and cost, without doing it.

use crate::config::Config;
use crate::data::{label_cells, label_facts, open_cells};
use cellstone_core::{Result, Scale};
use std::fmt::Write as _;

/// Describes a resolved experiment. Reads the annotation of the input, not its values.
///
/// # Errors
/// If the input cannot be opened or its labels are wrong: a plan that could not run says so.
pub fn plan(config: &Config) -> Result<String> {
    let mut text = String::new();
    let mut line = |key: &str, value: String| {
        let _ = writeln!(text, "{key:<12} {value}");
    };
    line("experiment", config.id.clone());
    line("question", config.question.clone());
    line("input", config.data.path.display().to_string());
    line("scale", config.data.scale.to_string());
    if config.data.scale == Scale::Effect {
        line("conditions", format!("array `{}`, vectors `{}`", config.data.names_key, config.data.values_key));
    } else {
        let source = open_cells(config)?;
        let labels = label_cells(config, source.as_ref())?;
        line("cells", format!("{} × {} genes", source.n_obs(), source.var().len()));
        for fact in label_facts(&labels) {
            line("", fact);
        }
        for warning in &labels.warnings {
            line("warning", warning.clone());
        }
        let bytes = labels.groups.len() * source.var().len() * 8 * (3 + 2 * config.prep.n_replicates);
        line("memory", format!("about {} MiB for condition means", bytes / (1 << 20) + 1));
    }
    line(
        "averaging",
        serde_json::to_value(config.prep.averaging)
            .ok()
            .and_then(|it| it.as_str().map(str::to_owned))
            .unwrap_or_default(),
    );
    line("split", format!("{}, seeds {:?}", config.split.protocol, config.seeds));
    line("methods", config.method.iter().map(|it| it.label.as_str()).collect::<Vec<_>>().join(", "));
    line("metrics", config.metrics.ids.join(", "));
    line("headline", format!("{}, against {}", config.metrics.headline, config.metrics.reference));
    Ok(text)
}
