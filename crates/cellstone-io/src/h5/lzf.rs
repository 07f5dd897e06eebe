//! Decompression of LZF, the fast filter of h5py.
//!
//! The format (LibLZF, Marc Lehmann): a control byte below 32 starts a run of that many plus one literal bytes; above,
//! its top three bits are a length (7 means one more length byte follows) and the rest the high bits of a distance.

/// Expands `input` to exactly `expect` bytes at the end of `out`.
pub(crate) fn expand(input: &[u8], expect: usize, out: &mut Vec<u8>) -> Result<(), String> {
    out.clear();
    out.reserve(expect);
    let mut at = 0;
    let next = |at: &mut usize| {
        *at += 1;
        input.get(*at - 1).copied().ok_or_else(|| "lzf stream ends early".to_owned())
    };
    while at < input.len() {
        let control = usize::from(next(&mut at)?);
        if control < 32 {
            let run = input.get(at..=at + control).ok_or("lzf stream ends inside a literal run")?;
            out.extend_from_slice(run);
            at += control + 1;
        } else {
            let mut length = control >> 5;
            if length == 7 {
                length += usize::from(next(&mut at)?);
            }
            let distance = ((control & 31) << 8) + usize::from(next(&mut at)?) + 1;
            let from = out.len().checked_sub(distance).ok_or("lzf stream refers to before its start")?;
            // Source and destination may overlap, so the copy goes byte by byte.
            for it in from..from + length + 2 {
                out.push(out[it]);
            }
        }
        if out.len() > expect {
            return Err(format!("lzf stream expands beyond {expect} bytes"));
        }
    }
    if out.len() == expect { Ok(()) } else { Err(format!("lzf stream expands to {} of {expect} bytes", out.len())) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn literals_then_an_overlapping_copy() {
        let mut out = Vec::new();
        // Two literals `ab`, then distance 2 and length 3 + 2.
        expand(&[1, b'a', b'b', 3 << 5, 1], 7, &mut out).expect("valid stream");
        assert_eq!(out, b"abababa");
        assert!(expand(&[1, b'a'], 2, &mut out).is_err());
        assert!(expand(&[1 << 5, 9], 3, &mut out).expect_err("bad distance").contains("before its start"));
        assert!(expand(&[1, b'a', b'b'], 3, &mut out).expect_err("short").contains("2 of 3"));
    }
}
