//! Reads the marks of a schema.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::{DECIMALS_MAX, Field, Fields, MARK, MARKS, Role, is_decimal, parts, unit};
use crate::basics::near::near;

type Object = Map<String, Value>;

/// Most that is told about one schema.
const REMARKS_MAX: usize = 8;
/// Most characters that are shown of a name or a word.
const SHOWN_CHARS_MAX: usize = 40;

/// See [`Fields::of_schema`].
pub fn read(schema: &Value) -> (Fields, Vec<String>) {
    let mut reader = Reader { root: schema, counted: Vec::new(), remarks: Vec::new(), left_out: 0 };
    let fields = reader.fields();
    reader.look_deeper(schema);
    if reader.left_out > 0 {
        reader.remarks.push(format!("{} more of its marks are wrong", reader.left_out));
    }
    (fields, reader.remarks)
}

struct Reader<'a> {
    root: &'a Value,
    /// The objects whose marks count.
    counted: Vec<&'a Object>,
    remarks: Vec<String>,
    /// Remarks beyond [`REMARKS_MAX`].
    left_out: usize,
}

/// What is marked in one place.
#[derive(Default)]
struct Marked {
    is_main: bool,
    role: Option<Role>,
    unit: Option<Box<str>>,
    decimals: Option<u8>,
    is_simulated: bool,
}

impl<'a> Reader<'a> {
    fn fields(&mut self) -> Fields {
        let root = parts::of(self.root, self.root);
        let mut properties: BTreeMap<&'a str, Vec<&'a Object>> = BTreeMap::new();
        for part in &root {
            for (name, schema) in part.get("properties").and_then(Value::as_object).into_iter().flatten() {
                properties.entry(name).or_default().extend(parts::of_nullable(self.root, schema));
            }
        }
        let whole = self.marked("", &root, &properties);
        let mut fields = Fields { is_simulated: whole.is_simulated, ..Fields::default() };
        let mut mains: Vec<&str> = Vec::new();
        for (name, parts) in &properties {
            let marked = self.marked(name, parts, &properties);
            if marked.is_main && self.can_be_main(name, parts, &marked) {
                mains.push(name);
            }
            fields.all.push(marked.field(name, whole.is_simulated));
        }
        if whole.is_main && !properties.is_empty() {
            self.tell(format!("{MARK}main is on the whole value, which has fields; put it on one of them"));
        } else if whole.is_main && self.can_be_main("", &root, &whole) {
            mains.push("");
        }
        if properties.is_empty() {
            fields.all.push(whole.field("", false));
        }
        match mains.as_slice() {
            [] => {}
            [main] => fields.main = Some((*main).into()),
            several => {
                let names: Vec<String> = several.iter().take(4).map(|name| shown(name)).collect();
                self.tell(format!("{MARK}main is on {}; leave it on one field", names.join(" and ")));
            }
        }
        fields
    }

    /// The marks of one field, which `parts` describe.
    fn marked(
        &mut self,
        name: &str,
        parts: &[&'a Object],
        siblings: &BTreeMap<&'a str, Vec<&'a Object>>,
    ) -> Marked {
        let mut marked = Marked::default();
        for part in parts {
            // A definition that several fields refer to is looked at for each of them, and wrong once.
            let is_new = !self.counted.iter().any(|known| std::ptr::eq(*known, *part));
            if is_new {
                self.counted.push(part);
            }
            let said = self.remarks.len() + self.left_out;
            self.read_part(name, part, siblings, &mut marked);
            if !is_new {
                self.take_back(said);
            }
        }
        marked
    }

    fn read_part(
        &mut self,
        name: &str,
        part: &Object,
        siblings: &BTreeMap<&'a str, Vec<&'a Object>>,
        marked: &mut Marked,
    ) {
        let of = place(name);
        for word in ["main", "simulated"] {
            match part.get(&format!("{MARK}{word}")) {
                None | Some(Value::Bool(false)) => {}
                Some(Value::Bool(true)) if word == "main" => marked.is_main = true,
                Some(Value::Bool(true)) => marked.is_simulated = true,
                Some(_) => self.tell(format!("{MARK}{word} of {of} is neither true nor false; write true")),
            }
        }
        if let Some(said) = part.get(&format!("{MARK}role")) {
            let word = said.as_str().unwrap_or_default();
            match Role::of_word(word) {
                Some(role) => marked.role = marked.role.or(Some(role)),
                None => self.tell(format!("{MARK}role of {of} is {}", no_role(word))),
            }
        }
        if let Some(said) = part.get(&format!("{MARK}unit")) {
            match said.as_str().ok_or_else(|| "no text".to_owned()).and_then(|unit| {
                unit::check(unit, siblings.keys().copied())?;
                Ok(unit)
            }) {
                Ok(unit) => marked.unit = marked.unit.take().or_else(|| Some(unit.into())),
                Err(why) => self.tell(format!("{MARK}unit of {of} is {why}")),
            }
        }
        if let Some(said) = part.get(&format!("{MARK}decimals")) {
            match said.as_u64().and_then(|n| u8::try_from(n).ok()).filter(|n| *n <= DECIMALS_MAX) {
                Some(decimals) => marked.decimals = marked.decimals.or(Some(decimals)),
                None => self.tell(format!(
                    "{MARK}decimals of {of} is out of range; write a whole number from 0 to {DECIMALS_MAX}"
                )),
            }
        }
    }

    /// Whether a field's values can be numbers, as far as the schema says it.
    fn can_be_main(&mut self, name: &str, parts: &[&Object], marked: &Marked) -> bool {
        let of = place(name);
        let instead = "mark a number, or a text of digits";
        if let Some(role) = marked.role.filter(|role| !role.is_figure()) {
            self.tell(format!("{MARK}main is on {of}, whose role is {}; {instead}", role.word()));
            return false;
        }
        let kinds: Vec<&str> = parts
            .iter()
            .filter_map(|part| part.get("type"))
            .flat_map(|kind| kind.as_array().map_or(std::slice::from_ref(kind), Vec::as_slice))
            .filter_map(Value::as_str)
            .filter(|kind| *kind != "null")
            .collect();
        if !kinds.is_empty() && !kinds.iter().any(|kind| ["number", "integer", "string"].contains(kind)) {
            let kind: String = kinds.concat().chars().take(SHOWN_CHARS_MAX).collect();
            self.tell(format!("{MARK}main is on {of}, whose type is {kind}; {instead}"));
            return false;
        }
        let is_number = |value: &Value| value.is_number() || value.as_str().is_some_and(is_decimal);
        let words = parts.iter().filter_map(|part| part.get("enum")?.as_array()).flatten();
        let mut words = words.chain(parts.iter().filter_map(|part| part.get("const"))).peekable();
        if words.peek().is_some() && !words.any(is_number) {
            self.tell(format!("{MARK}main is on {of}, whose values are words; {instead}"));
            return false;
        }
        let is_text = kinds.contains(&"string") && parts.iter().any(|part| part.contains_key("format"));
        if is_text && !kinds.iter().any(|kind| ["number", "integer"].contains(kind)) {
            self.tell(format!("{MARK}main is on {of}, a text with a format of its own; {instead}"));
            return false;
        }
        true
    }

    /// Looks at every schema inside for marks that nobody knows, and for a main field that is too deep.
    fn look_deeper(&mut self, schema: &'a Value) {
        let Some(object) = schema.as_object() else { return };
        let is_counted = self.counted.iter().any(|known| std::ptr::eq(*known, object));
        for (key, value) in object {
            if let Some(word) = key.strip_prefix(MARK) {
                if !MARKS.contains(&word) {
                    self.tell(unknown_mark(word));
                } else if word == "main" && *value == Value::Bool(true) && !is_counted {
                    self.tell(format!("{MARK}main is too deep to count; put it on a field of the top level"));
                }
                continue;
            }
            match (key.as_str(), value) {
                ("const" | "enum" | "default" | "examples", _) => {}
                (
                    "properties" | "patternProperties" | "$defs" | "definitions" | "dependentSchemas",
                    Value::Object(named),
                ) => named.values().for_each(|schema| self.look_deeper(schema)),
                (_, Value::Array(schemas)) => schemas.iter().for_each(|schema| self.look_deeper(schema)),
                (_, schema) => self.look_deeper(schema),
            }
        }
    }

    fn tell(&mut self, remark: String) {
        if self.remarks.len() < REMARKS_MAX {
            self.remarks.push(remark);
        } else {
            self.left_out += 1;
        }
    }

    /// Forgets what was told since there were `said` remarks.
    fn take_back(&mut self, said: usize) {
        self.left_out = self.left_out.min(said.saturating_sub(self.remarks.len()));
        self.remarks.truncate(said);
    }
}

impl Marked {
    fn field(self, name: &str, is_simulated: bool) -> Field {
        let Marked { role, unit, decimals, .. } = self;
        Field { name: name.into(), role, unit, decimals, is_simulated: is_simulated || self.is_simulated }
    }
}

/// What is shown of a word that a feed said.
fn shown(word: &str) -> String {
    let short: String = word.chars().take(SHOWN_CHARS_MAX).collect();
    format!("{short:?}")
}

fn place(name: &str) -> String {
    if name.is_empty() { "the value".into() } else { shown(name) }
}

fn no_role(word: &str) -> String {
    let roles = Role::ALL.map(Role::word);
    match near(word, roles.into_iter()) {
        Some(meant) => format!("{}; did you mean {meant}?", shown(word)),
        None => format!("{}; use one of {}", shown(word), roles.join(", ")),
    }
}

fn unknown_mark(word: &str) -> String {
    let of = shown(&format!("{MARK}{word}"));
    match near(word, MARKS.into_iter()) {
        Some(meant) => format!("{of} is no mark; did you mean {MARK}{meant}?"),
        None => {
            format!("{of} is no mark; there are {}", MARKS.map(|word| format!("{MARK}{word}")).join(", "))
        }
    }
}
