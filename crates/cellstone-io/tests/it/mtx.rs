//! Matrix Market text: what is written is read, in any order, plain or gzipped.

use crate::common::{folder, put};
use cellstone_core::Csr;
use cellstone_io::read_mtx;
use ndarray::Array2;
use proptest::prelude::*;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn round_trip(
        values in prop::collection::vec(prop_oneof![3 => Just(0_u32), 1 => 1_u32..2_000_000], 35),
        turn in 0_usize..35,
        gzipped: bool,
        crlf: bool,
    ) {
        let dense = Array2::from_shape_vec((5, 7), values.iter().map(|it| *it as f32).collect()).expect("shape");
        let mut entries: Vec<String> = dense
            .indexed_iter()
            .filter(|it| *it.1 != 0.0)
            .map(|((row, col), value)| format!("{} {} {value}", row + 1, col + 1))
            .collect();
        let n = entries.len();
        entries.rotate_left(turn.checked_rem(n).unwrap_or(0));
        let end = if crlf { "\r\n" } else { "\n" };
        let text = format!(
            "%%MatrixMarket matrix coordinate real general{end}% a comment{end}5 7 {n}{end}{}",
            entries.join(end)
        );
        let dir = folder();
        let path = dir.path().join(if gzipped { "m.mtx.gz" } else { "m.mtx" });
        put(&path, &text);
        prop_assert_eq!(read_mtx(&path).expect("valid"), Csr::from_dense(&dense));
    }

    #[test]
    fn noise_is_an_error_and_no_panic(bytes in prop::collection::vec(any::<u8>(), 0..200), banner: bool) {
        let dir = folder();
        let path = dir.path().join("m.mtx");
        let mut text = if banner { b"%%MatrixMarket matrix coordinate real general\n9 9 3\n".to_vec() } else { Vec::new() };
        text.extend(bytes);
        std::fs::write(&path, &text).expect("written");
        if let Err(error) = read_mtx(&path) {
            prop_assert!(error.to_string().contains("m.mtx"), "{}", error);
        } else {
            prop_assert!(banner);
        }
    }
}

#[test]
fn files_longer_than_a_chunk() {
    let n = 400_000_u32;
    let mut text = format!("%%MatrixMarket matrix coordinate integer general\n1000 400 {n}\n");
    for at in 0..n {
        text.push_str(&format!("{} {} {}\n", at % 1000 + 1, at / 1000 + 1, at % 97 + 1));
    }
    assert!(text.len() > 4 << 20);
    let dir = folder();
    let path = dir.path().join("m.mtx");
    put(&path, &text);
    let x = read_mtx(&path).expect("valid");
    assert_eq!(x.nnz(), n as usize);
    let total: f64 = x.data().iter().map(|it| f64::from(*it)).sum();
    assert_eq!(total, (0..n).map(|at| f64::from(at % 97 + 1)).sum::<f64>());
    put(&path, &text.replace("\n500 399 ", "\n500 x99 "));
    let error = read_mtx(&path).expect_err("bad line").to_string();
    assert!(error.contains("m.mtx` line 398502: `500 x99 "), "{error}");
}
