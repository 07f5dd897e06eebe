//! Everything that keeps weights from being those of a network, not only the first thing.

use crate::nets::source::{Init, Source};
use crate::nets::{bert::BertNet, polygene::PolyGeneNet, scgpt::ScGptNet};
use crate::{NetworkConfig, Selected, Weights};
use cellstone_core::{Error, Result, quoted};

/// Names that a message holds at most.
const SHOWN: usize = 8;

/// Gives zeros for what a checkpoint lacks and remembers the name.
struct Probe<'a> {
    weights: &'a mut Weights,
    missing: Vec<String>,
    others: Vec<Error>,
}

impl Source for Probe<'_> {
    fn values(&mut self, name: &str, shape: &[usize], _: Init) -> Result<Vec<f32>> {
        if !self.weights.has(name) {
            self.missing.push(name.to_owned());
        } else if let Err(error) = self.weights.take(name, shape) {
            self.others.push(error);
        }
        Ok(vec![0.0; shape.iter().product()])
    }

    fn has(&self, name: &str) -> bool {
        self.weights.has(name)
    }
}

/// The error for a checkpoint that did not load: `first` is what stopped it.
pub(super) fn all(config: &NetworkConfig, weights: &mut Weights, first: Error, on: &Selected) -> Error {
    let mut probe = Probe { weights, missing: Vec::new(), others: Vec::new() };
    let made = match config {
        NetworkConfig::Bert(it) => BertNet::new(&mut probe, it, on.device()).map(drop),
        NetworkConfig::ScGpt(it) => ScGptNet::new(&mut probe, it, on.device()).map(drop),
        NetworkConfig::PolyGene(it) => PolyGeneNet::new(&mut probe, it, on.device()).map(drop),
    };
    let Probe { weights, missing, others } = probe;
    if made.is_err() || missing.len() + others.len() < 2 {
        return first;
    }
    let mut said = Vec::new();
    if !missing.is_empty() {
        said.push(format!("{} tensors are missing: {}", missing.len(), some(&missing)));
    }
    let shapes: Vec<String> = others.iter().take(SHOWN).map(ToString::to_string).collect();
    if others.len() > SHOWN {
        said.push(format!("{}; {} more do not fit", shapes.join("; "), others.len() - SHOWN));
    } else if !shapes.is_empty() {
        said.push(shapes.join("; "));
    }
    let unused = weights.unused();
    if !unused.is_empty() {
        said.push(format!("{} tensors of the file are unknown: {}", unused.len(), some(&unused)));
    }
    Error::invalid_input(said.join("; ")).with_hint("the configuration beside the weights may be of another model")
}

fn some(names: &[String]) -> String {
    match names.len() {
        n if n > SHOWN => format!("{} and {} more", quoted(&names[..SHOWN]), n - SHOWN),
        _ => quoted(names),
    }
}
