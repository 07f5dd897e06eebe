//! The two ridge solutions for W from two small eigen-decompositions.

use cellstone_core::Result;
use cellstone_prep::{matmul, sym_eig};
use ndarray::{Array1, Array2};

/// `GᵀG`, `PᵀP` and `GᵀYP` in eigen form: every penalty is then elementwise.
///
/// With `GᵀG = U diag(a) Uᵀ`, `PᵀP = V diag(c) Vᵀ`, `M = Uᵀ (GᵀYP) V`, the solution is `W = U [M_ij / d_ij] Vᵀ` with
/// `d_ij = (a_i + λ_G)(c_j + λ_P)` for the published two-sided form and `d_ij = a_i c_j + λ` for the joint ridge.
///
/// # Examples
/// ```
/// use cellstone_baselines::LinearSystem;
/// use ndarray::array;
/// // One gene vector and one condition vector of length 2: GᵀG = 4, PᵀP = 4, GᵀYP = 8.
/// let system = LinearSystem::new(&array![[4.0]], &array![[4.0]], &array![[8.0]])?;
/// assert!((system.two_sided(1.0, 0.0)[[0, 0]] - 8.0 / (5.0 * 4.0)).abs() < 1e-15);
/// assert!((system.joint(4.0)[[0, 0]] - 8.0 / 20.0).abs() < 1e-15);
/// # Ok::<(), cellstone_core::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct LinearSystem {
    u: Array2<f64>,
    a: Array1<f64>,
    v: Array2<f64>,
    c: Array1<f64>,
    m: Array2<f64>,
}

impl LinearSystem {
    /// Decomposes `gtg` `[k, k]`, `ptp` `[d, d]` and `gtyp` `[k, d]`.
    ///
    /// # Errors
    /// If a decomposition fails.
    pub fn new(gtg: &Array2<f64>, ptp: &Array2<f64>, gtyp: &Array2<f64>) -> Result<Self> {
        let (a, u) = sym_eig(gtg)?;
        let (c, v) = sym_eig(ptp)?;
        let m = matmul(&matmul(&u.t(), &gtyp.view()).view(), &v.view());
        // Both matrices are positive semi-definite: what is below zero is rounding.
        let (a, c) = (a.mapv(|it| it.max(0.0)), c.mapv(|it| it.max(0.0)));
        Ok(Self { u, a, v, c, m })
    }

    /// `(GᵀG + λ_G I)⁻¹ GᵀYP (PᵀP + λ_P I)⁻¹`, `[k, d]`: the minimiser of
    /// `‖Y − GWPᵀ‖² + λ_P‖GW‖² + λ_G‖WPᵀ‖² + λ_G λ_P‖W‖²`.
    pub fn two_sided(&self, lambda_g: f64, lambda_p: f64) -> Array2<f64> {
        self.solve(|a, c| (a + lambda_g) * (c + lambda_p))
    }

    /// The solution of `GᵀG W PᵀP + λW = GᵀYP`, `[k, d]`: the minimiser of `‖Y − GWPᵀ‖² + λ‖W‖²`.
    pub fn joint(&self, lambda: f64) -> Array2<f64> {
        self.solve(|a, c| a * c + lambda)
    }

    fn solve(&self, denominator: impl Fn(f64, f64) -> f64) -> Array2<f64> {
        let mut inner = self.m.clone();
        for ((i, j), it) in inner.indexed_iter_mut() {
            let d = denominator(self.a[i], self.c[j]);
            // Without penalty a direction that neither G nor P has carries no weight.
            *it = if d > 0.0 { *it / d } else { 0.0 };
        }
        matmul(&matmul(&self.u.view(), &inner.view()).view(), &self.v.t())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use cellstone_core::Seed;
    use cellstone_prep::solve_spd;
    use rand::RngExt;

    fn random(n: usize, m: usize, name: &str) -> Array2<f64> {
        let mut rng = Seed::new(3).derive(name).rng();
        Array2::from_shape_simple_fn((n, m), || rng.random::<f64>() - 0.5)
    }

    fn largest(m: &Array2<f64>) -> f64 {
        m.iter().fold(0.0, |acc, it| acc.max(it.abs()))
    }

    struct Problem {
        g: Array2<f64>,
        p: Array2<f64>,
        y: Array2<f64>,
    }

    impl Problem {
        fn new() -> Self {
            Self { g: random(40, 6, "g"), p: random(25, 4, "p"), y: random(40, 25, "y") }
        }

        fn parts(&self) -> (Array2<f64>, Array2<f64>, Array2<f64>) {
            (self.g.t().dot(&self.g), self.p.t().dot(&self.p), self.g.t().dot(&self.y).dot(&self.p))
        }
    }

    #[test]
    fn two_sided_equals_the_direct_formula() {
        let (gtg, ptp, gtyp) = Problem::new().parts();
        let w = LinearSystem::new(&gtg, &ptp, &gtyp).expect("decomposes").two_sided(0.1, 0.3);
        let left = solve_spd(&(&gtg + &(Array2::<f64>::eye(6) * 0.1)), &gtyp).expect("positive definite");
        let right = solve_spd(&(&ptp + &(Array2::<f64>::eye(4) * 0.3)), &left.t().to_owned());
        let direct = right.expect("positive definite").t().to_owned();
        assert!(largest(&(&w - &direct)) < 1e-12);
    }

    #[test]
    fn joint_satisfies_its_normal_equation() {
        let (gtg, ptp, gtyp) = Problem::new().parts();
        let system = LinearSystem::new(&gtg, &ptp, &gtyp).expect("decomposes");
        for lambda in [1e-6, 0.1, 50.0] {
            let w = system.joint(lambda);
            let rest = gtg.dot(&w).dot(&ptp) + &w * lambda - &gtyp;
            assert!(largest(&rest) < 1e-10, "{lambda}: {}", largest(&rest));
        }
    }

    #[test]
    fn planted_weights_are_recovered_without_penalty() {
        let Problem { g, p, .. } = Problem::new();
        let planted = random(6, 4, "w");
        let y = g.dot(&planted).dot(&p.t());
        let system = LinearSystem::new(&g.t().dot(&g), &p.t().dot(&p), &g.t().dot(&y).dot(&p)).expect("decomposes");
        for w in [system.two_sided(1e-12, 1e-12), system.joint(1e-12), system.joint(0.0)] {
            assert!(largest(&(&w - &planted)) < 1e-8);
        }
    }
}
