//! Loops run with the widest vectors of the machine.

#![expect(clippy::inline_always, reason = "loops must be inside the function that has the vector instructions")]

use pulp::{Arch, Simd, WithSimd};

/// Runs `body` compiled for the widest instruction set that is there.
///
/// `body` must be `#[inline(always)]` down to its loops. No products are fused with sums, so the results are the same
/// on every machine.
#[inline(always)]
pub(crate) fn wide<B: Body>(body: B) -> B::Output {
    Arch::new().dispatch(Wide(body))
}

/// Work for [`wide`]. A trait and not a closure: the shim of a closure would not be inlined.
pub(crate) trait Body {
    type Output;
    fn run<S: Simd>(self, simd: S) -> Self::Output;
}

struct Wide<B>(B);

impl<B: Body> WithSimd for Wide<B> {
    type Output = B::Output;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> B::Output {
        self.0.run(simd)
    }
}

/// Clears the upper halves of the vector registers of this thread.
///
/// faer's products leave them dirty on x86, and then every plain instruction on the same thread waits for the one before
/// that wrote its register. Whatever is compiled for wide vectors clears them at its end.
pub(crate) fn clear_vector_state() {
    struct Nothing;
    impl Body for Nothing {
        type Output = ();

        #[inline(always)]
        fn run<S: Simd>(self, _: S) {
            let mut lanes = std::hint::black_box([1.0_f64; 16]);
            lanes.iter_mut().for_each(|it| *it *= 0.5);
            std::hint::black_box(lanes);
        }
    }
    wide(Nothing);
}
