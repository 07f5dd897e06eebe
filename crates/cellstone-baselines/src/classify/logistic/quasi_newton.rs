//! Limited-memory BFGS, with an L1 term by orthants (OWL-QN).

use std::collections::VecDeque;

/// Pairs of steps and gradient changes that are kept.
const MEMORY: usize = 12;

/// When to stop.
#[derive(Debug, Clone, Copy)]
pub(super) struct Stop {
    /// Largest entry of the gradient, or with L1 of the steepest slope.
    pub(super) tolerance: f64,
    /// Evaluations of the loss.
    pub(super) max_evaluations: usize,
}

/// Where the search ended.
#[derive(Debug, Clone)]
pub(super) struct Minimum {
    pub(super) x: Vec<f64>,
    pub(super) converged: bool,
    pub(super) n_evaluations: usize,
}

/// Minimises `f(x) + Σ l1_i |x_i|` for convex f from `x`; `curvature` is a diagonal near its second derivatives.
///
/// # References
/// Nocedal and Wright 2006, *Numerical Optimization*, algorithm 7.4; Andrew and Gao 2007, doi:10.1145/1273496.1273501.
pub(super) fn minimize(
    f: &dyn Fn(&[f64], &mut [f64]) -> f64,
    mut x: Vec<f64>,
    l1: &[f64],
    curvature: &[f64],
    stop: Stop,
) -> Minimum {
    let n = x.len();
    let penalty = |x: &[f64]| x.iter().zip(l1).map(|(x, l)| l * x.abs()).sum::<f64>();
    let mut gradient = vec![0.0; n];
    let mut loss = f(&x, &mut gradient) + penalty(&x);
    let mut n_evaluations = 1;
    let mut memory: VecDeque<(Vec<f64>, Vec<f64>, f64)> = VecDeque::new();
    loop {
        let slope = pseudo_gradient(&x, &gradient, l1);
        if largest(&slope) <= stop.tolerance {
            return Minimum { x, converged: true, n_evaluations };
        }
        let mut direction = direction(&slope, &memory, curvature);
        // A step may not leave downhill, nor, with L1, point against the pseudo-gradient.
        direction.iter_mut().zip(&slope).zip(l1).for_each(|((d, g), l)| {
            if *l > 0.0 && *d * *g >= 0.0 {
                *d = 0.0;
            }
        });
        if dot(&direction, &slope) >= 0.0 {
            memory.clear();
            direction = slope.iter().zip(curvature).map(|(g, c)| -g / c).collect();
        }
        let orthant: Vec<f64> =
            x.iter().zip(&slope).map(|(x, g)| if *x == 0.0 { -g.signum() } else { x.signum() }).collect();
        let mut step = 1.0;
        let mut fresh = vec![0.0; n];
        loop {
            let trial: Vec<f64> = (0..n)
                .map(|it| {
                    let moved = x[it] + step * direction[it];
                    if l1[it] > 0.0 && moved * orthant[it] <= 0.0 { 0.0 } else { moved }
                })
                .collect();
            let found = f(&trial, &mut fresh) + penalty(&trial);
            n_evaluations += 1;
            let moved: Vec<f64> = trial.iter().zip(&x).map(|(a, b)| a - b).collect();
            let expected = dot(&moved, &slope);
            // Near the minimum the loss has no digits left to fall by, but its slope has.
            let level = found <= loss + 1e-13 * loss.abs()
                && dot(&moved, &pseudo_gradient(&trial, &fresh, l1)) <= -0.9 * expected;
            if found <= loss + 1e-4 * expected - 1e-15 * loss.abs() || level {
                remember(&mut memory, &trial, &x, &fresh, &gradient);
                (x, loss) = (trial, found);
                std::mem::swap(&mut gradient, &mut fresh);
                break;
            }
            step *= 0.5;
            // Nothing smaller changes the loss: this is as low as the digits go.
            if step < 1e-12 || n_evaluations >= stop.max_evaluations {
                let converged = step < 1e-12 && largest(&slope) <= 1e3 * stop.tolerance;
                return Minimum { x, converged, n_evaluations };
            }
        }
        if n_evaluations >= stop.max_evaluations {
            let converged = largest(&pseudo_gradient(&x, &gradient, l1)) <= stop.tolerance;
            return Minimum { x, converged, n_evaluations };
        }
    }
}

/// The steepest slope of the loss with its L1 term: 0 where the term holds a zero in place.
fn pseudo_gradient(x: &[f64], gradient: &[f64], l1: &[f64]) -> Vec<f64> {
    let one = |((x, g), l): ((&f64, &f64), &f64)| {
        if *x != 0.0 {
            g + l * x.signum()
        } else if g + l < 0.0 {
            g + l
        } else if g - l > 0.0 {
            g - l
        } else {
            0.0
        }
    };
    x.iter().zip(gradient).zip(l1).map(one).collect()
}

/// The two-loop recursion, from the diagonal scaled to the last step.
fn direction(slope: &[f64], memory: &VecDeque<(Vec<f64>, Vec<f64>, f64)>, curvature: &[f64]) -> Vec<f64> {
    let mut q: Vec<f64> = slope.iter().map(|it| -it).collect();
    let mut alphas = Vec::with_capacity(memory.len());
    for (s, y, rho) in memory.iter().rev() {
        let alpha = rho * dot(s, &q);
        q.iter_mut().zip(y).for_each(|(q, y)| *q -= alpha * y);
        alphas.push(alpha);
    }
    let scale = memory.back().map_or(1.0, |(s, y, _)| {
        let scaled: f64 = y.iter().zip(curvature).map(|(y, c)| y * y / c).sum();
        dot(s, y) / scaled
    });
    q.iter_mut().zip(curvature).for_each(|(q, c)| *q *= scale / c);
    for ((s, y, rho), alpha) in memory.iter().zip(alphas.into_iter().rev()) {
        let beta = rho * dot(y, &q);
        q.iter_mut().zip(s).for_each(|(q, s)| *q += (alpha - beta) * s);
    }
    q
}

fn remember(
    memory: &mut VecDeque<(Vec<f64>, Vec<f64>, f64)>,
    x: &[f64],
    old_x: &[f64],
    gradient: &[f64],
    old_gradient: &[f64],
) {
    let s: Vec<f64> = x.iter().zip(old_x).map(|(a, b)| a - b).collect();
    let y: Vec<f64> = gradient.iter().zip(old_gradient).map(|(a, b)| a - b).collect();
    let product = dot(&s, &y);
    // Rounding alone can break the curvature of a convex loss.
    if product > 1e-14 * (dot(&s, &s) * dot(&y, &y)).sqrt() {
        if memory.len() == MEMORY {
            memory.pop_front();
        }
        memory.push_back((s, y, 1.0 / product));
    }
}

fn largest(values: &[f64]) -> f64 {
    values.iter().fold(0.0, |acc, it| acc.max(it.abs()))
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    // Four sums, so that an addition need not wait for the one before; their order is fixed.
    let mut lanes = [0.0; 4];
    let ((left, left_rest), (right, right_rest)) = (a.as_chunks::<4>(), b.as_chunks::<4>());
    for (x, y) in left.iter().zip(right) {
        (0..4).for_each(|it| lanes[it] += x[it] * y[it]);
    }
    let rest: f64 = left_rest.iter().zip(right_rest).map(|(x, y)| x * y).sum();
    (lanes[0] + lanes[1]) + (lanes[2] + lanes[3]) + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quadratic_with_and_without_l1() {
        // ½ Σ c (x − t)²: soft thresholding at l/c.
        let (c, t) = ([4.0, 1.0, 0.5, 2.0], [1.0, -2.0, 0.3, 0.1]);
        let f = |x: &[f64], g: &mut [f64]| {
            (0..4).for_each(|it| g[it] = c[it] * (x[it] - t[it]));
            (0..4).map(|it| 0.5 * c[it] * (x[it] - t[it]).powi(2)).sum()
        };
        let stop = Stop { tolerance: 1e-12, max_evaluations: 200 };
        for l in [0.0, 0.4] {
            let it = minimize(&f, vec![0.0; 4], &[l; 4], &[1.0; 4], stop);
            assert!(it.converged);
            for at in 0..4 {
                let want = t[at].signum() * (t[at].abs() - l / c[at]).max(0.0);
                assert!((it.x[at] - want).abs() < 1e-9, "{l} {at}: {} {want}", it.x[at]);
            }
        }
    }
}
