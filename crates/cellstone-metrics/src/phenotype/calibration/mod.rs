//! Whether probabilities mean what they say: temperature, removal of label smoothing, proper scores, calibration
//! errors.
//!
//! Order of use: remove the smoothing on the full softmax, restrict to the candidates, then divide by the temperature.

mod desmooth;
mod ece;
mod murphy;
mod proper;
mod reliability;
mod report;
mod temperature;

pub use desmooth::{Desmoothed, desmooth_restrict};
pub use ece::{Binning, classwise_ece, ece, max_calibration_error};
pub use murphy::{BrierParts, brier_parts};
pub use proper::{brier, log_of, nll};
pub use reliability::{ReliabilityRow, reliability};
pub use report::{CalibrationParams, CalibrationReport, calibration};
pub use temperature::{Temperature, fit_temperature, scale_temperature};
