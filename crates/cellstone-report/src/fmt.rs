//! Numbers for people: three significant digits, a true minus sign, no noise.

/// Three significant digits; `1235`, `12.3`, `0.00123`, `1.2e−7`.
pub(crate) fn sig3(value: f64) -> String {
    let size = value.abs();
    let text = if value == 0.0 {
        "0".to_owned()
    } else if !(1e-4..1e7).contains(&size) {
        format!("{value:.2e}")
    } else {
        // Rounding may carry into the next decade (9.996 → 10.0): take the decade after rounding.
        let rounded: f64 = format!("{value:.2e}").parse().unwrap_or(value);
        let decade = rounded.abs().log10().floor() as i32;
        format!("{value:.*}", (2 - decade).max(0) as usize)
    };
    text.replace('-', "−")
}

/// Three significant digits with a sign.
pub(crate) fn signed(value: f64) -> String {
    if value > 0.0 { format!("+{}", sig3(value)) } else { sig3(value) }
}

/// A number, or an en dash.
pub(crate) fn maybe(value: Option<f64>) -> String {
    value.map_or_else(|| "–".to_owned(), sig3)
}

/// A fraction as whole percent.
pub(crate) fn percent(value: f64) -> String {
    let text = format!("{:.0}", value * 100.0).replace('-', "−");
    format!("{}\u{a0}%", if text == "−0" { "0" } else { &text })
}

/// An interval in brackets.
pub(crate) fn interval(lo: Option<f64>, hi: Option<f64>) -> String {
    match (lo, hi) {
        (Some(lo), Some(hi)) => format!("[{}, {}]", sig3(lo), sig3(hi)),
        _ => "–".to_owned(),
    }
}

/// A p value: two digits, never zero.
pub(crate) fn p_value(value: f64) -> String {
    if value < 1e-4 {
        "< 0.0001".to_owned()
    } else if value < 0.01 {
        format!("{value:.4}")
    } else {
        format!("{value:.2}")
    }
}

/// A count with thin spaces between thousands.
pub(crate) fn count(value: u64) -> String {
    let digits = value.to_string();
    let mut out = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) && digits.len() > 4 {
            out.push('\u{202f}');
        }
        out.push(digit);
    }
    out
}

/// Cut to at most `max` characters, with an ellipsis.
pub(crate) fn shorten(text: &str, max: usize) -> String {
    if text.chars().count() <= max {
        return text.to_owned();
    }
    text.chars().take(max.saturating_sub(1)).chain(['…']).collect()
}

/// A stable id for HTML: lower-case letters, digits and single hyphens.
pub(crate) fn slug(text: &str) -> String {
    let mut out = String::new();
    for it in text.chars() {
        if it.is_ascii_alphanumeric() {
            out.push(it.to_ascii_lowercase());
        } else if !out.ends_with('-') {
            out.push('-');
        }
    }
    let out = out.trim_matches('-');
    if out.is_empty() { "x".to_owned() } else { out.to_owned() }
}

/// `a, b and c`.
pub(crate) fn list(items: &[String]) -> String {
    match items {
        [] => String::new(),
        [one] => one.clone(),
        [head @ .., last] => format!("{} and {last}", head.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_significant_digits() {
        let cases = [
            (0.0, "0"),
            (1.0, "1.00"),
            (9.996, "10.0"),
            (12.345, "12.3"),
            (1234.6, "1235"),
            (-0.001_234, "−0.00123"),
            (1.234e-7, "1.23e−7"),
            (99.96, "100"),
            (0.999_6, "1.00"),
            (1.5e9, "1.50e9"),
        ];
        for (value, expected) in cases {
            assert_eq!(sig3(value), expected, "{value}");
        }
    }

    #[test]
    fn counts_percent_lists_and_slugs() {
        assert_eq!(count(84_986), "84\u{202f}986");
        assert_eq!(count(1234), "1234");
        assert_eq!(percent(-0.001), "0\u{a0}%");
        assert_eq!(percent(-0.25), "−25\u{a0}%");
        assert_eq!(list(&["a".into(), "b".into(), "c".into()]), "a, b and c");
        assert_eq!(slug("K562 <day 3>"), "k562-day-3");
        assert_eq!(slug("…"), "x");
        assert_eq!(shorten("abcdef", 4), "abc…");
        assert_eq!(p_value(1e-6), "< 0.0001");
    }
}
