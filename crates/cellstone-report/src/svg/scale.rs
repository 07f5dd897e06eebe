//! Mapping values to coordinates, and round tick values.

/// An axis.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scale {
    lo: f64,
    hi: f64,
    from: f64,
    to: f64,
    log: bool,
}

impl Scale {
    /// Maps `[lo, hi]` to `[from, to]`; an empty range is widened.
    pub(crate) fn linear(lo: f64, hi: f64, from: f64, to: f64) -> Self {
        let pad = if hi > lo { 0.0 } else { lo.abs().max(1.0) * 0.1 };
        Self { lo: lo - pad, hi: hi + pad, from, to, log: false }
    }

    /// The same in logarithms; `lo` must be positive.
    pub(crate) fn log(lo: f64, hi: f64, from: f64, to: f64) -> Self {
        let (lo, hi) = if hi > lo { (lo, hi) } else { (lo / 2.0, lo * 2.0) };
        Self { lo: lo.ln(), hi: hi.ln(), from, to, log: true }
    }

    /// The coordinate of a value, kept inside the axis.
    pub(crate) fn at(&self, value: f64) -> f64 {
        let value = if self.log { value.max(f64::MIN_POSITIVE).ln() } else { value };
        let t = ((value - self.lo) / (self.hi - self.lo)).clamp(0.0, 1.0);
        self.from + t * (self.to - self.from)
    }

    /// Whether a value lies on the axis.
    pub(crate) fn contains(&self, value: f64) -> bool {
        let value = if self.log { value.max(f64::MIN_POSITIVE).ln() } else { value };
        let slack = 1e-9 * (self.hi - self.lo);
        value >= self.lo - slack && value <= self.hi + slack
    }

    /// At most about `n` round values on the axis.
    pub(crate) fn ticks(&self, n: usize) -> Vec<f64> {
        if self.log { log_ticks(self.lo.exp(), self.hi.exp(), n) } else { linear_ticks(self.lo, self.hi, n) }
    }
}

fn linear_ticks(lo: f64, hi: f64, n: usize) -> Vec<f64> {
    let raw = (hi - lo) / n.max(1) as f64;
    let decade = 10f64.powf(raw.log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0].into_iter().map(|it| it * decade).find(|it| *it >= raw * 0.999).unwrap_or(raw);
    let first = (lo / step - 1e-9).ceil() as i64;
    let last = (hi / step + 1e-9).floor() as i64;
    (first..=last).map(|it| it as f64 * step).collect()
}

fn log_ticks(lo: f64, hi: f64, n: usize) -> Vec<f64> {
    let decades = lo.log10().floor() as i32..=hi.log10().ceil() as i32;
    let inside = |it: &f64| *it >= lo * 0.999 && *it <= hi * 1.001;
    let of = |steps: &[f64]| -> Vec<f64> {
        decades.clone().flat_map(|d| steps.iter().map(move |it| it * 10f64.powi(d))).filter(inside).collect()
    };
    let options = [of(&[1.0, 2.0, 5.0]), of(&[1.0, 3.0]), of(&[1.0])];
    options.iter().find(|it| it.len() <= n + 1 && it.len() >= 2).cloned().unwrap_or_else(|| {
        let finest = &options[0];
        if finest.len() >= 2 { finest.clone() } else { linear_ticks(lo, hi, n) }
    })
}

/// A tick as text with just the digits its step needs.
pub(crate) fn tick_label(value: f64, ticks: &[f64]) -> String {
    let step = ticks.windows(2).map(|it| it[1] - it[0]).fold(f64::INFINITY, f64::min);
    if !step.is_finite() || value.abs() >= 1e6 || (value != 0.0 && value.abs() < 1e-4) {
        return crate::fmt::sig3(value);
    }
    let digits = (-(step * 1.0001).log10().floor()).clamp(0.0, 6.0) as usize;
    let text = format!("{value:.digits$}");
    // A step such as 0.25 needs one digit more than its decade says.
    let exact = (text.parse::<f64>().unwrap_or(value) - value).abs() < step * 1e-6;
    let text = if exact { text } else { format!("{value:.*}", digits + 1) };
    if text.trim_start_matches(['-', '0', '.']).is_empty() { "0".to_owned() } else { text.replace('-', "−") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_inside() {
        let scale = Scale::linear(0.13, 0.97, 0.0, 100.0);
        let ticks = scale.ticks(5);
        let labels: Vec<String> = ticks.iter().map(|it| tick_label(*it, &ticks)).collect();
        assert_eq!(labels, ["0.2", "0.4", "0.6", "0.8"]);
        assert!((scale.at(0.55) - 50.0).abs() < 1e-9);
    }

    #[test]
    fn log_ticks_thin_out_over_decades() {
        assert_eq!(Scale::log(1.0, 1000.0, 0.0, 1.0).ticks(5), [1.0, 10.0, 100.0, 1000.0]);
        assert_eq!(Scale::log(2.0, 9.0, 0.0, 1.0).ticks(5), [2.0, 5.0]);
    }

    #[test]
    fn an_empty_range_is_widened() {
        let scale = Scale::linear(3.0, 3.0, 0.0, 10.0);
        assert!((scale.at(3.0) - 5.0).abs() < 1e-9);
        assert!(scale.ticks(4).len() >= 2);
    }
}
