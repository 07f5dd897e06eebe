//! The pickle reader against programs that CPython writes, programs that it would not, and noise.

use super::entries;
use super::machine::Machine;
use crate::vocab::convert::Scalar;
use proptest::prelude::*;
use std::path::Path;

#[track_caller]
fn read(bytes: &[u8]) -> Vec<(String, Scalar)> {
    entries(Path::new("a.pkl"), bytes).expect("a pickle of plain values")
}

#[track_caller]
fn refused(bytes: &[u8]) -> String {
    entries(Path::new("a.pkl"), bytes).expect_err("refused").to_string()
}

fn entry(name: &str, value: Scalar) -> (String, Scalar) {
    (name.to_owned(), value)
}

/// `{"a": 1, "b": -2, "c": 300, "d": 70000, "e": 0.5}` as CPython writes it at each protocol.
#[test]
fn every_protocol() {
    let want = [
        entry("a", Scalar::Int(1)),
        entry("b", Scalar::Int(-2)),
        entry("c", Scalar::Int(300)),
        entry("d", Scalar::Int(70_000)),
        entry("e", Scalar::Float(0.5)),
    ];
    let zero = b"(dp0\nVa\np1\nI1\nsVb\np2\nI-2\nsVc\np3\nI300\nsVd\np4\nI70000\nsVe\np5\nF0.5\ns.";
    let one = b"}q\x00(X\x01\x00\x00\x00aq\x01K\x01X\x01\x00\x00\x00bq\x02J\xfe\xff\xff\xffX\x01\x00\x00\x00cq\x03M\
        \x2c\x01X\x01\x00\x00\x00dq\x04Jp\x11\x01\x00X\x01\x00\x00\x00eq\x05G?\xe0\x00\x00\x00\x00\x00\x00u.";
    let four = b"\x80\x04\x95\x2b\x00\x00\x00\x00\x00\x00\x00}\x94(\x8c\x01a\x94K\x01\x8c\x01b\x94J\xfe\xff\xff\xff\
        \x8c\x01c\x94M\x2c\x01\x8c\x01d\x94Jp\x11\x01\x00\x8c\x01e\x94G?\xe0\x00\x00\x00\x00\x00\x00u.";
    let two = [b"\x80\x02".as_slice(), one].concat();
    for bytes in [zero.as_slice(), one, &two, four] {
        assert_eq!(read(bytes), want);
    }
}

#[test]
fn lists_tuples_longs_and_texts_of_python_2() {
    let lists = b"\x80\x02}U\x01k](X\x01\x00\x00\x00xX\x01\x00\x00\x00yes.";
    assert_eq!(read(lists), [entry("k", Scalar::Texts(vec!["x".into(), "y".into()]))]);
    assert_eq!(read(b"(lVg1\naVg2\na."), [entry("g1", Scalar::Int(0)), entry("g2", Scalar::Int(1))]);
    assert_eq!(read(b"\x80\x04\x8c\x01p\x8c\x01q\x86."), [entry("p", Scalar::Int(0)), entry("q", Scalar::Int(1))]);
    assert_eq!(
        read(b"}(U\x01a\x8a\x02\x00\x80U\x01b\x8a\x00u."),
        [entry("a", Scalar::Int(-32768)), entry("b", Scalar::Int(0))]
    );
    assert_eq!(
        read(b"(dS'it\\'s\\x41'\nL12L\nsV\\u00e9\nI01\ns."),
        [entry("it'sA", Scalar::Int(12)), entry("\u{e9}", Scalar::Other("a truth value"))]
    );
    // The same text twice, the second time from the memo.
    assert_eq!(
        read(b"\x80\x04}(\x8c\x01a\x94h\x00\x8c\x01bh\x00u."),
        [entry("a", Scalar::Text("a".into())), entry("b", Scalar::Text("a".into()))]
    );
}

#[test]
fn what_would_run_code_is_refused_by_name() {
    let check = |bytes: &[u8], want: &str| assert!(refused(bytes).contains(want), "{}", refused(bytes));
    check(b"cos\nsystem\n(S'true'\ntR.", "byte 0: opcode GLOBAL (0x63) would run code");
    check(b"\x80\x04\x8c\x02os\x8c\x06system\x93.", "byte 14: opcode STACK_GLOBAL (0x93) would run code");
    check(b"\x80\x02)\x81.", "byte 3: opcode NEWOBJ (0x81)");
    check(b"NR.", "byte 1: opcode REDUCE (0x52)");
    check(b"\x80\x04C\x01a.", "byte 2: opcode SHORT_BINBYTES (0x43) builds no plain value");
    let error = entries(Path::new("a.pkl"), b"NR.").expect_err("refused");
    assert!(error.hints()[0].contains("json.dump"), "{error:?}");
}

#[test]
fn damage_is_named() {
    let check = |bytes: &[u8], want: &str| assert!(refused(bytes).contains(want), "{}", refused(bytes));
    check(b"", "byte 0: the pickle ends early");
    check(b"\x80\x04}\x94(\x8c\x09abc", "the pickle ends early");
    check(b"\x80\x04\x8d\xff\xff\xff\xff\xff\xff\xff\xffa.", "the pickle ends early");
    check(b"X\x02\x00\x00\x00\xff\xfe.", "byte 5: a text is not UTF-8");
    check(b"hello", "refers to a value that it has not kept");
    check(b"{\"a\": 1}", "byte 0: 0x7b is no opcode of a pickle");
    check(b"}(U\x01au.", "a key of a dictionary has no value");
    check(b"}K\x01K\x02s.", "a key of the dictionary is a whole number, expected text");
    check(b"K\x01.", "the pickle holds a whole number, expected a dictionary or a list");
    check(b"(.", "an instruction finds no value");
    check(b"\x80\x09.", "a protocol above 5");
}

/// Each list holds the one before twice: 2^40 values, were they copied.
#[test]
fn shared_values_are_kept_once() {
    let mut bytes = b"\x80\x04]\x94".to_vec();
    for at in 0..40_u8 {
        bytes.extend([b']', 0x94, b'(', b'h', at, b'h', at, b'e']);
    }
    bytes.push(b'.');
    assert!(refused(&bytes).contains("entry 0 of the list is a list"));
}

/// Many entries that lead to one long text.
#[test]
fn copies_are_counted() {
    let text = "x".repeat(10_000);
    let mut bytes = b"\x80\x04X".to_vec();
    bytes.extend(10_000_u32.to_le_bytes());
    bytes.extend(text.bytes());
    bytes.extend(b"\x940}(");
    for at in 0..5000_u32 {
        bytes.extend(b"U\x04");
        bytes.extend(format!("{at:04}").bytes());
        bytes.extend(b"h\x00");
    }
    bytes.extend(b"u.");
    assert!(refused(&bytes).contains("describes far more than it holds"));
}

proptest! {
    #[test]
    fn noise_never_panics(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = Machine::run(&bytes).is_ok();
    }

    /// Instructions that are known, in any order.
    #[test]
    fn any_program_of_known_opcodes_ends(
        at in prop::collection::vec(0_usize..35, 0..200), tail in prop::collection::vec(0_u8..4, 0..50)
    ) {
        let all = b"(dluseatNIJKMGFXUSV\x80\x85\x86\x87\x88\x89\x8a\x8c\x94\x95hqrjp0}]";
        let mut bytes: Vec<u8> = at.iter().flat_map(|it| [all[*it % all.len()], 0, b'\n']).collect();
        bytes.extend(tail);
        bytes.push(b'.');
        let _ = entries(Path::new("a.pkl"), &bytes);
        let bare: Vec<u8> = at.iter().map(|it| all[*it % all.len()]).collect();
        let _ = entries(Path::new("a.pkl"), &bare);
    }
}
