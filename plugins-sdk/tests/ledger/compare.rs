//! A ledger against today's lines: what may grow, and what may not change.

use std::collections::BTreeMap;

/// A ledger as it was written.
#[derive(Debug)]
pub struct Ledger {
    released: bool,
    lines: Vec<Line>,
}

/// One thing and what is said of it: `field tkr_host emit`, `24 8 tkr_status (*)(…)`.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Line {
    key: String,
    said: String,
}

impl Line {
    fn read(line: &str) -> Result<Line, String> {
        let named = match line.split(' ').next() {
            Some("entry" | "type" | "const" | "struct") => 2,
            Some("field") => 3,
            _ => 0,
        };
        let words: Vec<&str> = line.splitn(named + 1, ' ').collect();
        match words.split_last() {
            Some((said, key)) if named > 0 && key.len() == named && !said.is_empty() => {
                let line = Line { key: key.join(" "), said: (*said).to_owned() };
                if line.numbers().is_none() {
                    Err(format!("no number where one belongs: {}", line.whole()))
                } else {
                    Ok(line)
                }
            }
            _ => Err(format!("not a line of a ledger: {line:?}")),
        }
    }

    /// Size and alignment of a struct, offset and size of a field, a constant's value; none for other lines.
    fn numbers(&self) -> Option<Vec<i64>> {
        let count = match self.key.split(' ').next() {
            Some("struct" | "field") => 2,
            Some("const") => 1,
            _ => 0,
        };
        let numbers: Vec<i64> =
            self.said.split(' ').take(count).map_while(|word| word.parse().ok()).collect();
        (numbers.len() == count).then_some(numbers)
    }

    fn whole(&self) -> String {
        format!("{} {}", self.key, self.said)
    }
}

/// How a new ledger begins.
pub fn opening(minor: u32) -> String {
    format!(
        "# tickerd's plugin ABI 1.{minor} on 64-bit machines; README.md beside this says what may change.\n\
         # struct NAME size align; field STRUCT NAME offset size type\nstatus open\n"
    )
}

impl Ledger {
    /// Reads a ledger's text.
    pub fn read(text: &str) -> Result<Ledger, String> {
        let mut lines = text.lines().filter(|line| !line.starts_with('#'));
        let released = match lines.next() {
            Some("status released") => true,
            Some("status open") => false,
            other => return Err(format!("it must begin with status open or status released, not {other:?}")),
        };
        let lines = lines.map(Line::read).collect::<Result<Vec<_>, _>>()?;
        if released && lines.is_empty() {
            return Err("it is released and promises nothing".to_owned());
        }
        Ok(Ledger { released, lines })
    }

    pub fn is_released(&self) -> bool {
        self.released
    }

    pub fn has(&self, line: &str) -> bool {
        self.lines.iter().any(|own| own.whole() == line)
    }
}

/// What of the ledger is not true of `today`. A struct may have grown at its end; nothing else may differ.
pub fn broken(ledger: &Ledger, today: &[String]) -> Vec<String> {
    let today: Vec<Line> =
        today.iter().map(|line| Line::read(line).expect("today's lines are lines")).collect();
    let by_key: BTreeMap<&str, &Line> = today.iter().map(|line| (line.key.as_str(), line)).collect();
    let mut problems = Vec::new();
    let mut promised = BTreeMap::new();
    for line in &ledger.lines {
        if promised.insert(line.key.as_str(), line).is_some() {
            problems.push(format!("{}: promised twice", line.key));
        }
        match by_key.get(line.key.as_str()) {
            None => problems.push(format!("{}: promised as {}, and gone", line.key, line.said)),
            Some(now) if now.said == line.said => {}
            Some(now) if line.key.starts_with("struct ") && has_grown(line, now) => {}
            Some(now) => problems.push(format!("{}: promised as {}, now {}", line.key, line.said, now.said)),
        }
    }
    for line in &today {
        let Some(name) = line.key.strip_prefix("field ").and_then(|rest| rest.split(' ').next()) else {
            continue;
        };
        let Some(whole) = promised.get(format!("struct {name}").as_str()) else { continue };
        let (size, offset) = (whole.numbers().unwrap()[0], line.numbers().unwrap()[0]);
        if !promised.contains_key(line.key.as_str()) && offset < size {
            problems.push(format!("{}: new at {offset}, inside what was {size} bytes; append it", line.key));
        }
    }
    problems
}

fn has_grown(was: &Line, is: &Line) -> bool {
    let (was, is) = (was.numbers().unwrap(), is.numbers().unwrap());
    is[0] > was[0] && is[1] == was[1]
}

#[cfg(test)]
mod tests {
    use super::*;

    const RELEASED: &str = "status released\nentry f int (*)(void)\ntype tkr_status int32_t\nconst TKR_OK 0\n\
        struct s 16 8\nfield s size 0 4 uint32_t\nfield s emit 8 8 void (*)(int32_t)\n";

    fn today() -> Vec<String> {
        RELEASED.lines().skip(1).map(str::to_owned).collect()
    }

    /// What is wrong when `was` reads `is` today; no `is`: it is gone.
    fn with(was: &str, is: &[&str]) -> Vec<String> {
        let mut today = today();
        let at = today.iter().position(|line| line == was).expect("a line of the ledger");
        today.splice(at..=at, is.iter().map(|line| (*line).to_owned()));
        broken(&Ledger::read(RELEASED).unwrap(), &today)
    }

    #[test]
    fn the_same_and_what_is_appended_are_fine() {
        let ledger = Ledger::read(RELEASED).unwrap();
        assert_eq!(broken(&ledger, &today()), [""; 0]);
        let mut grown = today();
        grown[3] = "struct s 24 8".to_owned();
        grown.extend(
            ["field s log 16 8 void (*)(void)", "const TKR_NEW 9", "struct t 8 4", "field t x 0 4 uint32_t"]
                .map(str::to_owned),
        );
        assert_eq!(broken(&ledger, &grown), [""; 0]);
    }

    #[test]
    fn every_other_change_is_told() {
        let emit = "field s emit 8 8 void (*)(int32_t)";
        for (was, is, told) in [
            (emit, &["field s emit 16 8 void (*)(int32_t)"][..], "field s emit: promised as 8 8"),
            (emit, &["field s emit 8 4 void (*)(int32_t)"], "now 8 4"),
            (emit, &["field s emit 8 8 void (*)(int64_t)"], "now 8 8 void (*)(int64_t)"),
            (emit, &[], "field s emit: promised as 8 8 void (*)(int32_t), and gone"),
            (emit, &["field s send 8 8 void (*)(int32_t)"], "field s send: new at 8, inside"),
            (emit, &[emit, "field s flags 4 4 uint32_t"], "field s flags: new at 4, inside"),
            ("const TKR_OK 0", &["const TKR_OK 1"], "const TKR_OK: promised as 0, now 1"),
            ("const TKR_OK 0", &[], "const TKR_OK: promised as 0, and gone"),
            ("entry f int (*)(void)", &["entry g int (*)(void)"], "entry f"),
            ("type tkr_status int32_t", &["type tkr_status int64_t"], "type tkr_status"),
            ("struct s 16 8", &["struct s 8 8"], "struct s: promised as 16 8, now 8 8"),
            ("struct s 16 8", &["struct s 32 16"], "struct s: promised as 16 8, now 32 16"),
        ] {
            let problems = with(was, is);
            assert!(problems.iter().any(|problem| problem.contains(told)), "{was} → {is:?}: {problems:?}");
        }
    }

    #[test]
    fn a_ledger_that_cannot_be_read_is_no_ledger() {
        for (bad, told) in [
            ("", "status"),
            ("const TKR_OK 0\n", "status"),
            ("status released\n", "promises nothing"),
            ("status open\nconts TKR_OK 0\n", "not a line"),
            ("status open\nconst TKR_OK\n", "not a line"),
            ("status open\nfield s emit eight 8 void\n", "no number"),
            ("status open\n\n", "not a line"),
        ] {
            assert!(Ledger::read(bad).is_err_and(|e| e.contains(told)), "{bad:?}");
        }
        let twice = RELEASED.to_owned() + "const TKR_OK 0\n";
        let problems = broken(&Ledger::read(&twice).unwrap(), &today());
        assert_eq!(problems, ["const TKR_OK: promised twice"]);
    }
}
