//! The numeric element types a file may store, and their conversion into the few types this crate works with.

use hdf5_pure::{Datatype, DatatypeByteOrder};

/// What kind of number an element is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Float,
    Int,
    Uint,
    /// An enumeration of `FALSE` and `TRUE`.
    Bool,
}

/// A numeric element type as stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NumType {
    pub(crate) kind: Kind,
    pub(crate) size: usize,
    pub(crate) big_endian: bool,
}

impl NumType {
    /// The type, unless it is not a number of a width that exists in NumPy.
    pub(crate) fn of(datatype: &Datatype) -> Option<Self> {
        let (kind, size, order) = match datatype {
            Datatype::FloatingPoint { size, byte_order, .. } if [2, 4, 8].contains(size) => {
                (Kind::Float, *size, byte_order)
            }
            Datatype::FixedPoint { size, byte_order, layout } if [1, 2, 4, 8].contains(size) => {
                (if layout.signed { Kind::Int } else { Kind::Uint }, *size, byte_order)
            }
            Datatype::Enumeration { base_type, members, .. } => {
                let base = Self::of(base_type)?;
                let truth = members.len() == 2 && members.iter().all(|it| matches!(&*it.name, "FALSE" | "TRUE"));
                return Some(Self { kind: if truth { Kind::Bool } else { base.kind }, ..base });
            }
            _ => return None,
        };
        let big_endian = match order {
            DatatypeByteOrder::LittleEndian => false,
            DatatypeByteOrder::BigEndian => true,
            DatatypeByteOrder::Vax => return None,
        };
        Some(Self { kind, size: size as usize, big_endian })
    }

    /// NumPy's name of the type.
    pub(crate) fn name(self) -> String {
        match self.kind {
            Kind::Float => format!("float{}", self.size * 8),
            Kind::Int => format!("int{}", self.size * 8),
            Kind::Uint => format!("uint{}", self.size * 8),
            Kind::Bool => "bool".to_owned(),
        }
    }

    /// Converts stored elements; on failure, the position of the first that `T` cannot hold.
    pub(crate) fn decode<T: Target>(self, bytes: &[u8], out: &mut [T]) -> Result<(), usize> {
        let big = self.big_endian;
        match (self.kind, self.size) {
            (Kind::Float, 2) => each(bytes, out, big, |it| T::from_f64(f16(u16::from_le_bytes(it)))),
            (Kind::Float, 4) => each(bytes, out, big, |it| T::from_f32(f32::from_le_bytes(it))),
            (Kind::Float, _) => each(bytes, out, big, |it| T::from_f64(f64::from_le_bytes(it))),
            (Kind::Uint | Kind::Bool, 1) => each(bytes, out, big, |it: [u8; 1]| T::from_i64(i64::from(it[0]))),
            (Kind::Uint, 2) => each(bytes, out, big, |it| T::from_i64(i64::from(u16::from_le_bytes(it)))),
            (Kind::Uint, 4) => each(bytes, out, big, |it| T::from_i64(i64::from(u32::from_le_bytes(it)))),
            (Kind::Uint, _) => {
                each(bytes, out, big, |it| i64::try_from(u64::from_le_bytes(it)).ok().and_then(T::from_i64))
            }
            (_, 1) => each(bytes, out, big, |it| T::from_i64(i64::from(i8::from_le_bytes(it)))),
            (_, 2) => each(bytes, out, big, |it| T::from_i64(i64::from(i16::from_le_bytes(it)))),
            (_, 4) => each(bytes, out, big, |it| T::from_i64(i64::from(i32::from_le_bytes(it)))),
            _ => each(bytes, out, big, |it| T::from_i64(i64::from_le_bytes(it))),
        }
    }
}

/// A type that stored numbers are converted into.
pub(crate) trait Target: Copy + Default + Send + Sync {
    /// What cannot be held, for messages.
    const EXPECTED: &'static str;
    fn from_f64(value: f64) -> Option<Self>;
    fn from_f32(value: f32) -> Option<Self> {
        Self::from_f64(f64::from(value))
    }
    fn from_i64(value: i64) -> Option<Self>;
}

impl Target for f32 {
    const EXPECTED: &'static str = "a number that 32-bit floats hold exactly";
    fn from_f64(value: f64) -> Option<Self> {
        Some(value as f32)
    }
    fn from_f32(value: f32) -> Option<Self> {
        Some(value)
    }
    fn from_i64(value: i64) -> Option<Self> {
        ((value as f32) as i64 == value).then_some(value as f32)
    }
}

impl Target for f64 {
    const EXPECTED: &'static str = "a number that 64-bit floats hold exactly";
    fn from_f64(value: f64) -> Option<Self> {
        Some(value)
    }
    fn from_i64(value: i64) -> Option<Self> {
        ((value as f64) as i64 == value).then_some(value as f64)
    }
}

impl Target for i64 {
    const EXPECTED: &'static str = "a whole number below 2^63";
    fn from_f64(value: f64) -> Option<Self> {
        (value.fract() == 0.0 && value.abs() < 9e18).then_some(value as i64)
    }
    fn from_i64(value: i64) -> Option<Self> {
        Some(value)
    }
}

impl Target for u32 {
    const EXPECTED: &'static str = "an index from 0 to 2^32 - 1";
    fn from_f64(_: f64) -> Option<Self> {
        None
    }
    fn from_i64(value: i64) -> Option<Self> {
        u32::try_from(value).ok()
    }
}

impl Target for usize {
    const EXPECTED: &'static str = "an offset of 0 or more";
    fn from_f64(_: f64) -> Option<Self> {
        None
    }
    fn from_i64(value: i64) -> Option<Self> {
        usize::try_from(value).ok()
    }
}

fn each<const N: usize, T: Copy>(
    bytes: &[u8],
    out: &mut [T],
    big: bool,
    convert: impl Fn([u8; N]) -> Option<T>,
) -> Result<(), usize> {
    let (raws, _) = bytes.as_chunks::<N>();
    for (at, (raw, slot)) in raws.iter().zip(out).enumerate() {
        let mut raw = *raw;
        if big {
            raw.reverse();
        }
        *slot = convert(raw).ok_or(at)?;
    }
    Ok(())
}

/// IEEE 754 binary16.
fn f16(bits: u16) -> f64 {
    let (sign, exponent, mantissa) = (bits >> 15, i32::from(bits >> 10 & 31), f64::from(bits & 1023));
    let size = match exponent {
        0 => mantissa * 2f64.powi(-24),
        31 if mantissa == 0.0 => f64::INFINITY,
        31 => f64::NAN,
        _ => (1.0 + mantissa / 1024.0) * 2f64.powi(exponent - 15),
    };
    if sign == 1 { -size } else { size }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves_of_the_standard() {
        // Bit patterns from IEEE 754-2019, binary16.
        assert_eq!(f16(0x3c00), 1.0);
        assert_eq!(f16(0xc000), -2.0);
        assert_eq!(f16(0x7bff), 65504.0);
        assert_eq!(f16(0x0001), 5.960_464_477_539_063e-8);
        assert_eq!(f16(0x7c00), f64::INFINITY);
        assert!(f16(0x7e00).is_nan());
    }

    #[test]
    fn what_cannot_be_held_is_refused() {
        let int = NumType { kind: Kind::Int, size: 8, big_endian: false };
        let bytes: Vec<u8> = [3_i64, 16_777_217].iter().flat_map(|it| it.to_le_bytes()).collect();
        assert_eq!(int.decode::<f32>(&bytes, &mut [0.0; 2]), Err(1));
        assert_eq!(int.decode::<u32>(&(-1_i64).to_le_bytes(), &mut [0]), Err(0));
        let mut out = [0_u32; 2];
        int.decode(&bytes, &mut out).expect("fits");
        assert_eq!(out, [3, 16_777_217]);
        let big = NumType { kind: Kind::Uint, size: 2, big_endian: true };
        let mut out = [0.0_f32];
        big.decode(&[1, 2], &mut out).expect("fits");
        assert_eq!(out, [258.0]);
    }
}
