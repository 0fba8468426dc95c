//! Repeatable random numbers. Each simulated thing has a generator of its own, seeded with the seed and the thing's
//! name, so that adding a symbol changes nothing for the others.

use rand::rngs::Xoshiro256PlusPlus;
use rand::{Rng, RngExt, SeedableRng};

/// A stream of random numbers. xoshiro256++ is a named, portable generator: its numbers are the same on every machine
/// and in every version.
#[derive(Debug, Clone)]
pub(crate) struct Noise(Xoshiro256PlusPlus);

impl Noise {
    /// The stream of `name` under `seed`.
    pub(crate) fn new(seed: u64, name: &str) -> Self {
        // FNV-1a is used, since the standard library's hasher may change between releases.
        let hash = name.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        Noise(Xoshiro256PlusPlus::seed_from_u64(seed.rotate_left(32) ^ hash))
    }

    /// Uniform in 0..1.
    pub(crate) fn unit(&mut self) -> f64 {
        self.0.random()
    }

    /// Uniform in `min..=max`.
    pub(crate) fn between(&mut self, min: i64, max: i64) -> i64 {
        self.0.random_range(min..=max)
    }

    /// Mean 0, variance 1, roughly normal: the sum of four uniforms out of one draw. The tails end at 3.5, which suits
    /// prices that should not jump, and it costs no logarithm.
    pub(crate) fn normal(&mut self) -> f64 {
        let bits = self.0.next_u64();
        let sum: u64 = (0..4).map(|i| (bits >> (16 * i)) & 0xffff).sum();
        (sum as f64 / 65_536.0 - 2.0 + 4.0 / 131_072.0) * 3.0_f64.sqrt()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn normal_has_mean_zero_and_variance_one() {
        let mut noise = Noise::new(7, "x");
        let n = 100_000;
        let draws: Vec<f64> = (0..n).map(|_| noise.normal()).collect();
        let mean = draws.iter().sum::<f64>() / f64::from(n);
        let variance = draws.iter().map(|z| z * z).sum::<f64>() / f64::from(n);
        assert!(mean.abs() < 0.02 && (variance - 1.0).abs() < 0.02, "mean {mean}, variance {variance}");
    }

    #[test]
    fn streams_depend_on_seed_and_name() {
        let first = |seed, name| Noise::new(seed, name).unit();
        assert_eq!(first(1, "a"), first(1, "a"));
        assert_ne!(first(1, "a"), first(2, "a"));
        assert_ne!(first(1, "a"), first(1, "b"));
    }
}
