//! The exit codes of the command line, as scripts may rely on them.

/// Everything worked.
pub const OK: u8 = 0;
/// Something unexpected.
pub const UNEXPECTED: u8 = 1;
/// Bad usage or configuration.
pub const BAD_USAGE: u8 = 2;
/// Bad data.
pub const BAD_DATA: u8 = 3;
/// The run is incomplete: some scores failed, or it was not finished.
pub const INCOMPLETE: u8 = 4;
/// A gate failed.
pub const GATE_FAILED: u8 = 5;
/// The device asked for is not available.
pub const DEVICE_UNAVAILABLE: u8 = 6;
/// Interrupted; the state is saved.
pub const INTERRUPTED: u8 = 130;
