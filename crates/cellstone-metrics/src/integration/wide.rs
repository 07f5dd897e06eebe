//! Loops run with the widest vectors of the machine.

#![expect(clippy::inline_always, reason = "loops must be inside the function that has the vector instructions")]

use pulp::{Arch, Simd, WithSimd};

/// Runs `body` compiled for the widest instruction set that is there.
///
/// `body` must be `#[inline(always)]` down to its loops. No products are fused with sums, so the results are the same
/// on every machine.
#[inline(always)]
pub(super) fn wide<B: Body>(body: B) -> B::Output {
    Arch::new().dispatch(Wide(body))
}

/// Work for [`wide`]. A trait and not a closure: the shim of a closure would not be inlined.
pub(super) trait Body {
    type Output;
    fn run(self) -> Self::Output;
}

struct Wide<B>(B);

impl<B: Body> WithSimd for Wide<B> {
    type Output = B::Output;

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) -> B::Output {
        self.0.run()
    }
}
