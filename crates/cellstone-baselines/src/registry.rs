//! The one table of baselines: what each is, what it takes, how to make it.

use crate::additive::{Additive, AdditivePartial, MatchingMean};
use crate::knn::{self, Knn};
use crate::linear::{JOINT_PARAMS, Joint, PUBLISHED_PARAMS, Published};
use crate::means::{MEAN_PARAMS, Mean, NoChange, OtherContexts, Weighing};
use crate::method::method;
use crate::params::{ParamInfo, Params, Reader};
use crate::ridge::{self, Ridge};
use crate::shrunk::{self, Shrunk};
use cellstone_core::{Error, PerturbationPredictor, PredictorInfo, Result, Role, nearest, quoted};
use std::borrow::Cow;
use std::sync::Arc;

/// One baseline of the registry.
#[derive(Debug, Clone, Copy)]
pub struct BaselineEntry {
    /// What it says about itself.
    pub info: fn() -> PredictorInfo,
    /// Its hyper-parameters.
    pub params: &'static [ParamInfo],
    /// Makes it; values out of range fail here, before any data are read.
    pub make: fn(&Params) -> Result<Arc<dyn PerturbationPredictor>>,
}

/// Every baseline, floors first.
///
/// # Examples
/// ```
/// let ids: Vec<String> = cellstone_baselines::entries().iter().map(|it| (it.info)().id.into_owned()).collect();
/// assert_eq!(ids[0], "no_change");
/// assert!(ids.contains(&"shrunk_additive".to_owned()));
/// ```
pub fn entries() -> &'static [BaselineEntry] {
    ENTRIES
}

/// The baseline of that id with those hyper-parameters.
///
/// # Errors
/// If the id or a parameter is unknown, or a value is out of its range; the hint has the nearest name.
///
/// # Examples
/// ```
/// use cellstone_baselines::{Params, make};
/// let error = make("adittive", &Params::new()).err().expect("no such baseline");
/// assert_eq!(error.hints(), ["did you mean `additive`?"]);
/// ```
pub fn make(id: &str, params: &Params) -> Result<Arc<dyn PerturbationPredictor>> {
    let ids: Vec<Cow<'static, str>> = ENTRIES.iter().map(|it| (it.info)().id).collect();
    if let Some(at) = ids.iter().position(|it| it == id) {
        return (ENTRIES[at].make)(params);
    }
    let names: Vec<String> = ids.iter().map(|it| it.clone().into_owned()).collect();
    let error = Error::config(format!("no baseline `{id}` (baselines: {})", quoted(&names)));
    Err(match nearest(id, ids.iter().map(AsRef::as_ref)) {
        Some(it) => error.with_hint(format!("did you mean `{it}`?")),
        None => error,
    })
}

/// Declares an entry: id, name, role, whether it needs singles, summary, source, parameters, and how it is made.
macro_rules! entry {
    ($id:literal, $name:literal, $role:ident, $needs_singles:literal, $summary:literal, $source:literal, $params:expr,
     |$reader:ident| $make:expr) => {{
        fn info() -> PredictorInfo {
            PredictorInfo {
                id: Cow::Borrowed($id),
                name: Cow::Borrowed($name),
                role: Role::$role,
                summary: Cow::Borrowed($summary),
                source: Cow::Borrowed($source),
                needs_singles: $needs_singles,
            }
        }
        fn make(params: &Params) -> Result<Arc<dyn PerturbationPredictor>> {
            let $reader = Reader::new($id, params, $params)?;
            Ok(method(info(), $make))
        }
        BaselineEntry { info, params: $params, make }
    }};
}

const NONE: &[ParamInfo] = &[];

const ENTRIES: &[BaselineEntry] = &[
    entry!(
        "no_change",
        "No change",
        Floor,
        false,
        "the control of the context",
        "doi:10.1038/s41592-025-02772-6",
        NONE,
        |_reader| NoChange
    ),
    entry!(
        "mean_pb",
        "Train mean",
        Floor,
        false,
        "unweighted mean profile of the perturbed train conditions of the context, control excluded",
        "",
        MEAN_PARAMS,
        |reader| Mean::new(&reader, Weighing::Conditions)?
    ),
    entry!(
        "mean_pb_ctrl",
        "Train mean with control",
        Floor,
        false,
        "mean profile of the train conditions and the control: the mean delta times n/(n+1)",
        "const-ae/linear_perturbation_prediction-Paper benchmark/src/run_mean_prediction.R",
        MEAN_PARAMS,
        |reader| Mean::new(&reader, Weighing::WithControl)?
    ),
    entry!(
        "mean_delta",
        "Mean delta",
        Floor,
        false,
        "control plus the mean delta of the train conditions of the context (mean_pb, as there is one control a context)",
        "",
        MEAN_PARAMS,
        |reader| Mean::new(&reader, Weighing::Conditions)?
    ),
    entry!(
        "mean_cells",
        "Mean perturbed cell",
        Floor,
        false,
        "mean over perturbed train cells: conditions weighted by their numbers of cells",
        "",
        MEAN_PARAMS,
        |reader| Mean::new(&reader, Weighing::Cells)?
    ),
    entry!(
        "mean_other_context",
        "Same perturbation elsewhere",
        Baseline,
        false,
        "control plus the mean delta of the same perturbation in the other contexts",
        "",
        NONE,
        |_reader| OtherContexts
    ),
    entry!(
        "additive",
        "Additive",
        Baseline,
        true,
        "control plus the sum of the single deltas; no combination is used",
        "const-ae/linear_perturbation_prediction-Paper benchmark/src/run_additive_model.R",
        NONE,
        |_reader| Additive
    ),
    entry!(
        "additive_partial",
        "Additive, unseen as mean",
        Baseline,
        true,
        "as additive; an unseen constituent contributes the mean delta of the train singles",
        "",
        NONE,
        |_reader| AdditivePartial
    ),
    entry!(
        "matching_mean",
        "Matching mean",
        Baseline,
        true,
        "mean of the constituents' profiles; the mean perturbed cell stands in for an unseen one",
        "",
        NONE,
        |_reader| MatchingMean
    ),
    entry!(
        "shrunk_additive",
        "Shrunk additive",
        Baseline,
        true,
        "control plus a fitted fraction of the sum of the single deltas, fitted on train combinations alone",
        "",
        shrunk::PARAMS,
        |reader| Shrunk::new(&reader)?
    ),
    entry!(
        "random_embedding",
        "kNN on random vectors",
        Floor,
        false,
        "k nearest neighbors on seeded uniform vectors: what a head does without knowledge",
        "",
        knn::RANDOM_PARAMS,
        |reader| Knn::random(&reader)?
    ),
    entry!(
        "linear_published",
        "Linear G W Pᵀ + b",
        Baseline,
        false,
        "(GᵀG + λI)⁻¹ Gᵀ(Y − b)P (PᵀP + λI)⁻¹ between gene and perturbation vectors, as published",
        "doi:10.1038/s41592-025-02772-6; const-ae/linear_perturbation_prediction-Paper \
         benchmark/src/run_linear_pretrained_model.R",
        PUBLISHED_PARAMS,
        |reader| Published::new(&reader)?
    ),
    entry!(
        "linear_joint",
        "Linear G W Pᵀ + b, joint",
        Baseline,
        false,
        "minimizer of ‖Y − b − GWPᵀ‖² + λ‖W‖² with λ and K by exact leave-one-out",
        "",
        JOINT_PARAMS,
        |reader| Joint::new(&reader)?
    ),
    entry!(
        "knn",
        "k nearest neighbors",
        Baseline,
        false,
        "mean delta of the k nearest train conditions by perturbation vector",
        "",
        knn::PARAMS,
        |reader| Knn::new(&reader)?
    ),
    entry!(
        "ridge",
        "Kernel ridge",
        Baseline,
        false,
        "kernel ridge regression of deltas on perturbation vectors, the penalty by exact leave-one-out",
        "",
        ridge::PARAMS,
        |reader| Ridge::new(&reader)?
    ),
];
