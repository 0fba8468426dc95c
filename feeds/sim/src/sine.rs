//! A sine over the steps. Its values are known in advance, so a reader sees at a glance whether any is lost.

use std::f64::consts::TAU;

use schemars::JsonSchema;
use serde::Serialize;
use tickerd_sdk::{Error, Host, Sample};

use crate::origin::Origin;

/// A sine's value at one step.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[schemars(extend("x-tickerd-simulated" = true))]
pub struct Sine {
    /// -1 to 1, to six decimals.
    #[schemars(extend("x-tickerd-main" = true, "x-tickerd-role" = "gauge", "x-tickerd-decimals" = 6))]
    pub value: f64,
    /// Counts the steps, from 0.
    #[schemars(extend("x-tickerd-role" = "counter", "x-tickerd-decimals" = 0))]
    pub step: u64,
    /// Who says so.
    #[serde(flatten)]
    pub origin: Origin,
}

#[derive(Debug)]
pub(crate) struct Wave {
    period_steps: u64,
    step: u64,
}

impl Wave {
    pub(crate) fn new(period_steps: u32) -> Self {
        Wave { period_steps: period_steps.max(1).into(), step: 0 }
    }

    fn next(&mut self) -> Sine {
        let step = self.step;
        self.step += 1;
        let phase = (step % self.period_steps) as f64 / self.period_steps as f64;
        // The last digits of a sine differ between machines; six decimals do not. `+ 0.0` turns -0.0 into 0.0.
        Sine { value: ((phase * TAU).sin() * 1e6).round() / 1e6 + 0.0, step, origin: Origin::SIM }
    }

    pub(crate) fn step(&mut self, host: &Host) -> Result<(), Error> {
        host.emit(Sample::new("sine", "sine", &self.next())).map(drop)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sine_repeats_with_its_period() {
        let mut wave = Wave::new(12);
        let values: Vec<f64> = (0..24).map(|_| wave.next().value).collect();
        assert_eq!(values[..12], values[12..]);
        assert_eq!((values[0], values[1], values[3], values[6], values[9]), (0.0, 0.5, 1.0, 0.0, -1.0));
    }
}
