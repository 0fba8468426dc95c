//! Units: UCUM codes such as `m/s`, currencies such as `USD`, and `{field:NAME}`: the field NAME holds a currency's code.

use super::iso4217;
use crate::basics::near::near;

/// Longest unit, in bytes.
const BYTES_MAX: usize = 64;
/// What begins the name of the field that holds a currency's code.
const FIELD: &str = "{field:";

/// UCUM's units that take prefixes.
const METRIC: &str = "m s g rad K C cd mol sr Hz N Pa J W A V F Ohm S Wb Cel T H lm lx Bq Gy Sv kat L l ar t bar u eV pc \
G Mx G P St Bi Ci R RAD REM Oe Gb sb Lmb ph Ky bit By Bd st mho cal cal_th cal_IT tex eq osm Np B[SPL] B[V] B[mV] B[uV] B[W] \
B[kW] dyn erg Gal m[H2O] m[Hg] bit_s U [iU] [IU] g%";
/// UCUM's units that take none.
const PLAIN: &str = "% [ppth] [ppm] [ppb] [pptr] [pi] min h d wk mo mo_j mo_g mo_s a a_j a_g a_t deg gon ' '' circ AU [ly] dB \
[c] [h] [k] [G] [g] [e] [m_e] [m_p] [eps_0] [mu_0] [degF] [degR] [degRe] [pH] \
[in_i] [ft_i] [yd_i] [mi_i] [fth_i] [nmi_i] [kn_i] [sin_i] [sft_i] [syd_i] [cin_i] [cft_i] [cyd_i] [bf_i] [cr_i] [mil_i] \
[cml_i] [hd_i] [ft_us] [yd_us] [in_us] [rd_us] [ch_us] [fur_us] [mi_us] [acr_us] [srd_us] [smi_us] [sct] [twp] [mil_us] \
[in_br] [ft_br] [yd_br] [mi_br] [nmi_br] [kn_br] [acr_br] [gal_us] [bbl_us] [qt_us] [pt_us] [gil_us] [foz_us] [fdr_us] \
[cup_us] [tbs_us] [tsp_us] [cup_m] [tbs_m] [tsp_m] [foz_m] [gal_wi] [bu_us] [pk_us] [dqt_us] [dpt_us] [gal_br] [qt_br] \
[pt_br] [foz_br] [bu_br] [gr] [lb_av] [oz_av] [dr_av] [scwt_av] [lcwt_av] [ston_av] [lton_av] [stone_av] [lb_tr] [oz_tr] \
[pwt_tr] [lb_ap] [oz_ap] [lbf_av] [psi] [in_i'Hg] [in_i'H2O] [HP] [Btu] [Btu_th] [Btu_IT] [Cal] [CFU] [HPF] [PRU] [diop] \
atm att [pnt] [pca] [bbl] b att";
/// SI's prefixes and those of powers of 1024.
const PREFIXES: &str = "Y Z E P T G M k h da d c m u n p f a z y Ki Mi Gi Ti";

/// What people write, and what UCUM has for it.
const ALIASES: [(&str, &str); 34] = [
    ("°C", "Cel"),
    ("degC", "Cel"),
    ("celsius", "Cel"),
    ("°F", "[degF]"),
    ("degF", "[degF]"),
    ("fahrenheit", "[degF]"),
    ("°", "deg"),
    ("degrees", "deg"),
    ("percent", "%"),
    ("pct", "%"),
    ("B", "By"),
    ("byte", "By"),
    ("bytes", "By"),
    ("kB", "kBy"),
    ("KB", "kBy"),
    ("MB", "MBy"),
    ("GB", "GBy"),
    ("TB", "TBy"),
    ("KiB", "KiBy"),
    ("MiB", "MiBy"),
    ("GiB", "GiBy"),
    ("TiB", "TiBy"),
    ("B/s", "By/s"),
    ("bps", "bit/s"),
    ("bits", "bit"),
    ("sec", "s"),
    ("seconds", "s"),
    ("hours", "h"),
    ("mph", "[mi_i]/h"),
    ("km/hr", "km/h"),
    ("knots", "[kn_i]"),
    ("ft", "[ft_i]"),
    ("inHg", "[in_i'Hg]"),
    ("Wh", "W.h"),
];

/// Holds a unit to the three forms. The others of the value's fields are its `siblings`.
///
/// # Errors
/// What it is instead, and what to write.
pub fn check<'a>(unit: &str, siblings: impl Iterator<Item = &'a str> + Clone) -> Result<(), String> {
    let short: String = unit.chars().take(40).collect();
    let shown = format!("{short:?}");
    if let Some(name) = unit.strip_prefix(FIELD).and_then(|rest| rest.strip_suffix('}')) {
        if siblings.clone().any(|sibling| sibling == name) {
            return Ok(());
        }
        return Err(match near(name, siblings) {
            Some(meant) => format!("{shown}, and there is no such field; did you mean {FIELD}{meant}}}?"),
            None => format!("{shown}, and there is no such field; name a field beside it"),
        });
    }
    if unit.is_empty() || unit.len() > BYTES_MAX {
        return Err(format!("a text of {} bytes; write a unit of 1 to {BYTES_MAX}", unit.len()));
    }
    if iso4217::is_code(unit) || Term::reads(unit) {
        return Ok(());
    }
    let alias = ALIASES.iter().find(|(written, _)| written.eq_ignore_ascii_case(unit)).map(|(_, code)| *code);
    let hint = if siblings.clone().any(|sibling| sibling == unit) {
        format!("did you mean {FIELD}{unit}}}?")
    } else if let Some(meant) = alias.or_else(|| near_code(unit)) {
        format!("did you mean {meant}?")
    } else {
        format!(
            "write a UCUM code (Cel, m/s, %, By), a currency (USD), {FIELD}NAME}} for the field that holds the \
             currency, or words in braces ({{shares}})"
        )
    };
    Err(format!("{shown}, which is no unit that is known; {hint}"))
}

fn near_code(unit: &str) -> Option<&'static str> {
    // In a unit of one or two letters, any other is near.
    let codes = PLAIN.split(' ').chain(METRIC.split(' ')).chain(iso4217::CODES.split(' '));
    near(unit, codes.filter(|code| code.len() > 2))
}

/// A reader of UCUM's terms: units with prefixes and exponents, joined by `.` and `/`, with notes in braces.
struct Term<'a> {
    rest: &'a str,
}

impl<'a> Term<'a> {
    /// Whether all of `text` is a term.
    fn reads(text: &'a str) -> bool {
        let mut term = Term { rest: text };
        term.take("/");
        term.term().is_some() && term.rest.is_empty()
    }

    fn term(&mut self) -> Option<()> {
        self.component()?;
        while self.take(".") || self.take("/") {
            self.component()?;
        }
        Some(())
    }

    /// Parentheses nest at most as deep as a unit is long.
    fn component(&mut self) -> Option<()> {
        if self.take("(") {
            self.term()?;
            return self.take(")").then_some(());
        }
        if self.rest.starts_with('{') {
            return self.note();
        }
        let digits = self.while_in(|c| c.is_ascii_digit());
        if digits.is_empty() {
            let symbol = self.symbol()?;
            if !is_unit(symbol) {
                return None;
            }
            self.exponent()?;
        } else if digits == "10" && (self.take("*") || self.take("^")) {
            self.exponent()?;
        }
        if self.rest.starts_with('{') { self.note() } else { Some(()) }
    }

    /// A note in braces, which says nothing to machines.
    fn note(&mut self) -> Option<()> {
        let (note, rest) = self.rest.strip_prefix('{')?.split_once('}')?;
        self.rest = rest;
        note.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'{').then_some(())
    }

    /// Letters and the like, with what is in brackets.
    fn symbol(&mut self) -> Option<&'a str> {
        let all = self.rest;
        loop {
            self.while_in(|c| c.is_ascii_alphabetic() || "_%'".contains(c));
            match self.rest.strip_prefix('[') {
                Some(inside) => self.rest = inside.split_once(']')?.1,
                None => break,
            }
        }
        all.strip_suffix(self.rest).filter(|symbol| !symbol.is_empty())
    }

    fn exponent(&mut self) -> Option<()> {
        let has_sign = self.take("-") || self.take("+");
        let digits = self.while_in(|c| c.is_ascii_digit());
        (digits.len() <= 2 && (!has_sign || !digits.is_empty())).then_some(())
    }

    fn while_in(&mut self, is_in: impl Fn(char) -> bool) -> &'a str {
        let end = self.rest.find(|c| !is_in(c)).unwrap_or(self.rest.len());
        let (taken, rest) = self.rest.split_at(end);
        self.rest = rest;
        taken
    }

    fn take(&mut self, text: &str) -> bool {
        let after = self.rest.strip_prefix(text);
        self.rest = after.unwrap_or(self.rest);
        after.is_some()
    }
}

fn is_unit(symbol: &str) -> bool {
    let is_metric = |symbol: &str| METRIC.split(' ').any(|unit| unit == symbol);
    PLAIN.split(' ').any(|unit| unit == symbol)
        || is_metric(symbol)
        || PREFIXES.split(' ').any(|prefix| symbol.strip_prefix(prefix).is_some_and(is_metric))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(unit: &str) -> String {
        check(unit, ["currency", "price"].into_iter()).err().unwrap_or_default()
    }

    #[test]
    fn ucum_currencies_and_fields_are_units() {
        for unit in [
            "Cel",
            "m/s",
            "%",
            "By",
            "KiBy",
            "By/s",
            "hPa",
            "mm",
            "kW.h",
            "/s",
            "10*3/uL",
            "m/s2",
            "m.s-2",
            "deg",
            "[degF]",
            "[kn_i]",
            "mm[Hg]",
            "kg/(m.s)",
            "1",
            "{shares}",
            "%{load}",
            "cm3",
            "s",
            "min",
            "bit/s",
            "dB",
            "USD",
            "EUR",
            "XAU",
            "{field:currency}",
            "W/m2",
            "ug/m3",
            "ms",
            "B[SPL]",
            "MiBy",
            "GHz",
            "cal_th",
            "10*-6",
        ] {
            assert_eq!(told(unit), "", "{unit}");
        }
    }

    #[test]
    fn what_is_none_is_told_with_what_was_meant() {
        for (unit, says) in [
            ("°C", "did you mean Cel?"),
            ("cel", "did you mean Cel?"),
            ("celsius", "did you mean Cel?"),
            ("MB", "did you mean MBy?"),
            ("usd", "did you mean USD?"),
            ("currency", "did you mean {field:currency}?"),
            ("{field:curency}", "no such field; did you mean {field:currency}?"),
            ("{field:x}", "name a field beside it"),
            ("furlongs per fortnight", "write a UCUM code"),
            ("m/", "no unit"),
            ("m//s", "no unit"),
            ("(m", "no unit"),
            ("m)", "no unit"),
            ("{", "no unit"),
            ("{a b}", "no unit"),
            ("m-", "no unit"),
            ("m123", "no unit"),
            ("[", "no unit"),
            ("ZZZ", "no unit"),
            ("", "0 bytes"),
            (&"m.".repeat(40), "80 bytes"),
        ] {
            assert!(told(unit).contains(says), "{unit}: {}", told(unit));
        }
    }
}
