//! Wall time and peak memory of a piece of work.

use std::time::Instant;

/// What a piece of work cost.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Cost {
    /// Wall time.
    pub seconds: f64,
    /// Largest resident memory of the process so far, in bytes; `None` where the system does not say.
    pub peak_bytes: Option<u64>,
}

/// Runs `work` and says what it cost.
///
/// The peak is that of the process since it started: measure one thing per process.
#[expect(clippy::disallowed_methods, reason = "measuring time is what a bench is for")]
pub fn measure<T>(work: impl FnOnce() -> T) -> (T, Cost) {
    let start = Instant::now();
    let value = work();
    let seconds = start.elapsed().as_secs_f64();
    (value, Cost { seconds, peak_bytes: peak_memory() })
}

/// Largest resident memory of this process so far, in bytes, from `VmHWM` of `/proc/self/status`.
///
/// `None` where there is no such file, as on systems other than Linux.
pub fn peak_memory() -> Option<u64> {
    parse_peak(&std::fs::read_to_string("/proc/self/status").ok()?)
}

/// Processor time of this process so far, all threads together, in seconds, from `/proc/self/stat`.
///
/// On a machine that others use as well it says more than wall time. `None` on systems other than Linux.
pub fn cpu_time() -> Option<f64> {
    parse_cpu(&std::fs::read_to_string("/proc/self/stat").ok()?)
}

/// The 14th and 15th field, in hundredths of a second; the name of the program before them may hold anything.
fn parse_cpu(stat: &str) -> Option<f64> {
    let mut fields = stat.get(stat.rfind(')')? + 1..)?.split_whitespace().skip(11);
    let user: f64 = fields.next()?.parse().ok()?;
    let system: f64 = fields.next()?.parse().ok()?;
    Some((user + system) / 100.0)
}

fn parse_peak(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|it| it.strip_prefix("VmHWM:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_peak_is_read_from_the_status() {
        assert_eq!(parse_peak("Name:\tx\nVmPeak:\t  9 kB\nVmHWM:\t   2048 kB\nVmRSS:\t 1 kB\n"), Some(2 << 20));
        assert_eq!(parse_peak("Name:\tx\n"), None);
        assert_eq!(parse_peak("VmHWM:\tmuch\n"), None);
    }

    #[test]
    fn processor_time_is_read_from_the_fields() {
        let stat = "7 (a) b) R 1 2 3 4 5 6 7 8 9 10 250 50 0 0 20 0 3 0 1 2 3";
        assert_eq!(parse_cpu(stat), Some(3.0));
        assert_eq!(parse_cpu("7 (a"), None);
        assert_eq!(parse_cpu(""), None);
    }

    #[test]
    fn the_peak_does_not_fall_and_covers_what_was_touched() {
        let before = peak_memory();
        let (sum, cost) = measure(|| vec![1_u8; 64 << 20].iter().map(|it| u64::from(*it)).sum::<u64>());
        assert_eq!(sum, 64 << 20);
        if let (Some(before), Some(after)) = (before, cost.peak_bytes) {
            assert!(after >= before && after > 32 << 20, "{before} then {after}");
        }
    }
}
