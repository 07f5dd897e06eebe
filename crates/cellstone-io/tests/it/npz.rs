//! NumPy files: what Python wrote, round trips, and broken ones.

use crate::common::{folder, golden, message, shared};
use cellstone_io::{NpyArray, NpyData, Npz, read_npy, write_npz};
use ndarray::Array2;
use proptest::prelude::*;

#[test]
fn arrays_as_numpy_wrote_them() {
    let mut file = Npz::open(&golden("tenx/numpy.npz")).expect("opens");
    let mut check = |name: &str, shape: &[usize], data: NpyData| {
        let array = file.array(name).expect(name);
        assert_eq!((array.shape(), array.data()), (shape, &data), "{name}");
    };
    check("f8_fortran", &[2, 3], NpyData::F64((0..6).map(f64::from).collect()));
    check("f2", &[3], NpyData::F32(vec![1.0, -0.5, 65504.0]));
    check("i4_big_endian", &[3], NpyData::I32(vec![1, -2, 1 << 30]));
    check("i8", &[2], NpyData::I64(vec![1 << 40, -1]));
    check("i1", &[2], NpyData::I32(vec![-128, 127]));
    check("u1", &[1, 2], NpyData::U8(vec![0, 255]));
    check("u2", &[1], NpyData::U32(vec![65535]));
    check("u4", &[1], NpyData::U32(vec![u32::MAX]));
    check("b1", &[3], NpyData::Bool(vec![true, false, true]));
    check("unicode", &[4], NpyData::Str(["control", "AHR+FEV", "µ🧬", ""].map(str::to_owned).to_vec()));
    check("fixed_bytes", &[2], NpyData::Str(["AAC-1", "A"].map(str::to_owned).to_vec()));
    check("scalar", &[], NpyData::F64(vec![3.5]));
    check("empty", &[0, 5], NpyData::F32(vec![]));
    check("cube", &[2, 3, 4], NpyData::I32((0..24).collect()));
    // numpy.random.default_rng(0).normal: the published first values of the generator, in 32 bits.
    let first = file.array("f4").expect("there").to_matrix().expect("two axes");
    assert_eq!((first.dim(), first[[0, 0]]), ((3, 4), f64::from(0.125_730_22_f32)));
}

#[test]
fn arrays_that_cannot_be_read_are_named() {
    let path = golden("tenx/numpy.npz");
    let folder = path.parent().expect("has one").to_owned();
    let mut file = Npz::open(&path).expect("opens");
    let mut check = |name: &str, want: &str, hint: Option<&str>| {
        let error = file.array(name).expect_err(name);
        assert_eq!(message(&error, &folder), want);
        assert_eq!(error.hints().first().map(String::as_str), hint);
    };
    check(
        "objects",
        "`numpy.npz` array `objects` holds Python objects (dtype `object`)",
        Some("in Python: save it as numbers or text, for instance array.astype(str)"),
    );
    check(
        "complex",
        "`numpy.npz` array `complex` has element type `c16`, expected floats, integers, truth values or text",
        None,
    );
    check("record", "`numpy.npz` array `record` is a structured array, expected plain numbers or text", None);
    let error = file.array("unicod").expect_err("absent");
    assert!(message(&error, &folder).starts_with("array `unicod` not found in `numpy.npz` (arrays: `f4`, "), "{error}");
    assert_eq!(error.hints(), ["did you mean `unicode`?"]);
    let error = file.array("unicode").expect("there").to_f64().expect_err("text");
    assert_eq!(message(&error, &folder), "`numpy.npz` array `unicode` holds text, expected numbers");
    let error = file.array("cube").expect("there").to_matrix().expect_err("three axes");
    assert_eq!(message(&error, &folder), "`numpy.npz` array `cube` holds 3 axes, expected 2");
}

#[test]
fn broken_files_are_named() {
    let dir = folder();
    let path = dir.path().join("a.npz");
    let bytes = std::fs::read(golden("tenx/numpy.npz")).expect("golden file");
    std::fs::write(&path, &bytes[..bytes.len() / 2]).expect("written");
    let error = Npz::open(&path).expect_err("truncated");
    assert!(message(&error, dir.path()).starts_with("`a.npz` is no readable npz file ("), "{error}");
    let path = dir.path().join("a.npy");
    std::fs::write(&path, "1,2\n").expect("written");
    let error = read_npy(&path).expect_err("no array");
    assert_eq!(message(&error, dir.path()), "`a.npy` does not begin as a NumPy array does");
    let mut npy = b"\x93NUMPY\x01\x00\x36\x00{'descr': '<f8', 'fortran_order': False, 'shape': (3,)}\n".to_vec();
    npy[8] = (npy.len() - 10) as u8;
    npy.extend([0; 17]);
    std::fs::write(&path, &npy).expect("written");
    let error = read_npy(&path).expect_err("short");
    assert_eq!(
        message(&error, dir.path()),
        "`a.npy` holds 17 bytes of data, expected 24 for shape [3]: the file is truncated"
    );
    let array = NpyArray::from_strings(["a"]);
    write_npz(&dir.path().join("b.npz"), false, &[("x", &array)]).expect("written");
    let error = write_npz(&dir.path().join("b.npz"), false, &[("x", &array)]).expect_err("exists");
    assert_eq!(message(&error, dir.path()), "`b.npz` exists already and is not overwritten");
    let error = write_npz(&dir.path().join("c.npz"), false, &[("x", &array), ("x", &array)]).expect_err("repeated");
    assert!(message(&error, dir.path()).starts_with("`c.npz`: "), "{error}");
    assert!(!dir.path().join("c.npz").exists());
}

#[test]
fn real_effect_vectors() {
    let Some(data) = shared("perturb_edist") else { return };
    let mut file = Npz::open(&data.join("norman19.npz")).expect("opens");
    assert_eq!(file.names(), ["condition", "edist_upper", "effect_pca50", "eigenvalues", "deg_count"]);
    let conditions = file.array("condition").expect("reads");
    let names = conditions.strings().expect("text");
    assert_eq!((names.len(), names[0].as_str()), (238, "control"));
    assert_eq!(names.iter().filter(|it| it.contains('+')).count(), 131);
    let effects = file.array("effect_pca50").expect("reads").to_matrix().expect("matrix");
    assert_eq!(effects.dim(), (238, 50));
    assert!(effects.row(0).iter().all(|it| *it == 0.0), "the control is the origin");
    // Squared distances between effects are half the E-distances they were recovered from (ORIGIN.txt).
    let edist = file.array("edist_upper").expect("reads").to_f64().expect("numbers");
    let from_control: Vec<f64> = effects.rows().into_iter().skip(1).map(|it| 2.0 * it.dot(&it)).collect();
    let (near, far) = edist[..237].iter().zip(&from_control).fold((0.0, 0.0), |acc, (stored, found)| {
        (acc.0 + (stored - found).powi(2), acc.1 + (stored - edist[..237].iter().sum::<f64>() / 237.0).powi(2))
    });
    assert!(near / far < 0.05, "share of variance not explained: {}", near / far);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn round_trip(
        floats in prop::collection::vec(-1e6_f64..1e6, 12),
        texts in prop::collection::vec("[^\0]{0,6}", 0..5),
        whole in prop::collection::vec(any::<i64>(), 0..5),
        flags in prop::collection::vec(any::<bool>(), 0..5),
    ) {
        let dir = folder();
        let path = dir.path().join("a.npz");
        let matrix = Array2::from_shape_vec((3, 4), floats).expect("shape");
        let arrays = [
            ("matrix", NpyArray::from_matrix(&matrix)),
            ("texts", NpyArray::from_strings(texts)),
            ("whole", NpyArray::new(vec![whole.len()], NpyData::I64(whole)).expect("fits")),
            ("flags", NpyArray::new(vec![flags.len(), 1], NpyData::Bool(flags)).expect("fits")),
        ];
        let named: Vec<(&str, &NpyArray)> = arrays.iter().map(|it| (it.0, &it.1)).collect();
        write_npz(&path, false, &named).expect("written");
        let first = std::fs::read(&path).expect("readable");
        write_npz(&path, true, &named).expect("written again");
        prop_assert_eq!(first, std::fs::read(&path).expect("readable"));
        let mut file = Npz::open(&path).expect("opens");
        for (name, array) in &arrays {
            let found = file.array(name).expect("reads");
            prop_assert_eq!(found.shape(), array.shape());
            prop_assert_eq!(found.data(), array.data());
        }
        prop_assert_eq!(file.array("matrix").expect("reads").to_matrix().expect("matrix"), matrix);
    }
}
