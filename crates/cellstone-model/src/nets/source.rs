//! Where parameters come from: a checkpoint or a seed. One constructor of each network serves both.

use crate::weights::Weights;
use cellstone_core::{Error, Result, Seed};
use rand::RngExt as _;

/// How a parameter begins where no checkpoint gives it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Init {
    /// Normal with this standard deviation.
    Normal(f32),
    /// Uniform between minus and plus this.
    Uniform(f32),
    /// All the same.
    Constant(f32),
}

/// Gives parameters by name and shape, in the layout of PyTorch.
pub(crate) trait Source {
    /// The values of a parameter.
    fn values(&mut self, name: &str, shape: &[usize], init: Init) -> Result<Vec<f32>>;

    /// Whether a checkpoint holds a tensor of this name; a seed holds none.
    fn has(&self, name: &str) -> bool;
}

impl Source for Weights {
    fn values(&mut self, name: &str, shape: &[usize], _: Init) -> Result<Vec<f32>> {
        self.take(name, shape).map(|it| it.data.clone())
    }

    fn has(&self, name: &str) -> bool {
        Weights::has(self, name)
    }
}

/// Draws every parameter from a stream of its own, named as the parameter.
#[derive(Debug)]
pub(crate) struct Fresh(pub(crate) Seed);

impl Source for Fresh {
    fn values(&mut self, name: &str, shape: &[usize], init: Init) -> Result<Vec<f32>> {
        let n: usize = shape.iter().product();
        let mut rng = self.0.derive("parameter").derive(name).rng();
        Ok(match init {
            Init::Constant(value) => vec![value; n],
            Init::Uniform(width) => (0..n).map(|_| (rng.random::<f32>() * 2.0 - 1.0) * width).collect(),
            Init::Normal(sd) => {
                let pair = |rng: &mut cellstone_core::SeedRng| {
                    // Box and Muller; 1 - u keeps the logarithm finite.
                    let radius = (-2.0 * (1.0 - rng.random::<f64>()).ln()).sqrt();
                    let (sin, cos) = (std::f64::consts::TAU * rng.random::<f64>()).sin_cos();
                    [(radius * cos) as f32 * sd, (radius * sin) as f32 * sd]
                };
                let mut values: Vec<f32> = (0..n.div_ceil(2)).flat_map(|_| pair(&mut rng)).collect();
                values.truncate(n);
                values
            }
        })
    }

    fn has(&self, _: &str) -> bool {
        false
    }
}

/// An error that names the network.
pub(crate) fn in_network(what: &str) -> impl Fn(Error) -> Error + '_ {
    move |error| error.context(format!("weights of {what}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn draws_are_named_and_of_the_stated_spread() {
        let mut fresh = Fresh(Seed::new(1));
        let a = fresh.values("a", &[100, 101], Init::Normal(0.02)).expect("a draw");
        assert_eq!(a, fresh.values("a", &[100, 101], Init::Normal(0.02)).expect("the same draw"));
        assert_ne!(a, fresh.values("b", &[100, 101], Init::Normal(0.02)).expect("another draw"));
        let sd = (a.iter().map(|it| f64::from(*it).powi(2)).sum::<f64>() / a.len() as f64).sqrt();
        assert!((sd - 0.02).abs() < 5e-4, "{sd}");
        let b = fresh.values("b", &[999], Init::Uniform(0.1)).expect("a draw");
        assert!(b.iter().all(|it| it.abs() <= 0.1) && b.iter().any(|it| it.abs() > 0.09));
    }
}
