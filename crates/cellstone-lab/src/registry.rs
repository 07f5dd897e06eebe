//! The registry: which methods and metrics exist. A value, not a global, so that outsiders extend it in 20 lines.

use cellstone_core::{Error, Metric, PerturbationPredictor, PredictorInfo, Result, nearest};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Parameters of a method by name.
pub type Params = BTreeMap<String, serde_json::Value>;

type Make = Arc<dyn Fn(&Params) -> Result<Arc<dyn PerturbationPredictor>> + Send + Sync>;

/// One thing that can be registered.
#[derive(Clone)]
pub enum Entry {
    /// A method whose parameters come from the experiment file.
    Predictor(PredictorEntry),
    /// A metric.
    Metric(Arc<dyn Metric>),
}

/// A method and how it is made.
#[derive(Clone)]
pub struct PredictorEntry {
    /// What it says about itself.
    pub info: PredictorInfo,
    /// Its parameters: `(name, default, meaning)`.
    pub params: Vec<(String, String, String)>,
    make: Make,
}

impl PredictorEntry {
    /// A method made from parameters.
    pub fn new(
        info: PredictorInfo,
        make: impl Fn(&Params) -> Result<Arc<dyn PerturbationPredictor>> + Send + Sync + 'static,
    ) -> Self {
        Self { info, params: Vec::new(), make: Arc::new(make) }
    }

    /// A method without parameters.
    pub fn fixed(predictor: Arc<dyn PerturbationPredictor>) -> Self {
        let info = predictor.info().clone();
        let id = info.id.clone();
        Self::new(info, move |params| match params.keys().next() {
            None => Ok(Arc::clone(&predictor)),
            Some(key) => Err(Error::config(format!("method `{id}` has no parameter `{key}`"))),
        })
    }
}

/// Methods and metrics by id, in order.
#[derive(Clone, Default)]
pub struct Registry {
    predictors: Vec<PredictorEntry>,
    metrics: Vec<Arc<dyn Metric>>,
}

impl Registry {
    /// A registry without entries.
    pub fn empty() -> Self {
        Self::default()
    }

    /// Everything this version ships.
    pub fn builtin() -> Self {
        let mut registry = Self::empty();
        for entry in cellstone_baselines::entries() {
            let make = entry.make;
            let mut it = PredictorEntry::new((entry.info)(), make);
            it.params = entry
                .params
                .iter()
                .map(|it| (it.name.to_owned(), it.default.to_owned(), format!("{} ({})", it.meaning, it.range)))
                .collect();
            registry.predictors.push(it);
        }
        registry.metrics = cellstone_metrics::builtin();
        registry
    }

    /// Adds an entry; one with the same id is replaced.
    #[must_use]
    pub fn with(mut self, entry: Entry) -> Self {
        match entry {
            Entry::Predictor(it) => {
                self.predictors.retain(|old| old.info.id != it.info.id);
                self.predictors.push(it);
            }
            Entry::Metric(it) => {
                self.metrics.retain(|old| old.info().id != it.info().id);
                self.metrics.push(it);
            }
        }
        self
    }

    /// All methods.
    pub fn predictors(&self) -> &[PredictorEntry] {
        &self.predictors
    }

    /// All metrics.
    pub fn metrics(&self) -> &[Arc<dyn Metric>] {
        &self.metrics
    }

    /// What a method says about itself.
    ///
    /// # Errors
    /// If there is none of that id, with the nearest as a hint.
    pub fn predictor_info(&self, id: &str) -> Result<&PredictorInfo> {
        self.predictor(id).map(|it| &it.info)
    }

    fn predictor(&self, id: &str) -> Result<&PredictorEntry> {
        self.predictors
            .iter()
            .find(|it| it.info.id == id)
            .ok_or_else(|| unknown("method", id, self.predictors.iter().map(|it| it.info.id.as_ref()), "models"))
    }

    /// Makes a method.
    ///
    /// # Errors
    /// If there is none of that id, or a parameter is unknown or out of range.
    pub fn make_predictor(&self, id: &str, params: &Params) -> Result<Arc<dyn PerturbationPredictor>> {
        (self.predictor(id)?.make)(params)
    }

    /// A metric.
    ///
    /// # Errors
    /// If there is none of that id, with the nearest as a hint.
    pub fn metric(&self, id: &str) -> Result<Arc<dyn Metric>> {
        self.metrics
            .iter()
            .find(|it| it.info().id == id)
            .cloned()
            .ok_or_else(|| unknown("metric", id, self.metrics.iter().map(|it| it.info().id.as_ref()), "metrics"))
    }
}

fn unknown<'a>(what: &str, id: &str, known: impl Iterator<Item = &'a str>, list: &str) -> Error {
    let error = Error::config(format!("unknown {what} `{id}`"));
    match nearest(id, known) {
        Some(near) => error.with_hint(format!("did you mean `{near}`?")),
        None => error.with_hint(format!("`cargo xtask list {list}` names them")),
    }
}
