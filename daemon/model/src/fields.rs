//! What the fields of a kind's values mean, as the JSON Schema of the kind says it.
//!
//! A schema marks its fields by words that begin with `x-tickerd-`: `main` (the figure to show, chart and aggregate), `unit`,
//! `role`, `decimals`, `simulated`. Marks that are wrong are left out, and told to the feed's author.

mod iso4217;
mod marks;
mod parts;
mod unit;

#[cfg(test)]
mod tests;

use serde_json::Value;

/// What begins every mark.
pub const MARK: &str = "x-tickerd-";
/// What can be marked, without [`MARK`].
pub const MARKS: [&str; 5] = ["main", "unit", "role", "decimals", "simulated"];
/// Most decimals that a field may name.
pub const DECIMALS_MAX: u8 = 18;

/// What a field is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// What something costs.
    Price,
    /// The best price that a buyer offers.
    Bid,
    /// The best price that a seller asks for.
    Ask,
    /// How far the price is from the one that the source compares it with.
    Change,
    /// The same in percent.
    ChangePct,
    /// How much was traded since the day began: it grows through the day, and is not to be summed.
    Volume,
    /// The first price of the day.
    Open,
    /// The highest price of the day.
    High,
    /// The lowest price of the day.
    Low,
    /// The last price of the day before.
    PreviousClose,
    /// How much this one trade was for: it may be summed.
    Size,
    /// Who took the other's offer: a buyer or a seller.
    Side,
    /// A point in time.
    Time,
    /// What must be shown beside the values.
    Attribution,
    /// What the value is of, and who says so.
    Identity,
    /// A number that goes up and down.
    Gauge,
    /// A number that only grows, but for a new start.
    Counter,
    /// Words for people.
    Text,
}

/// One top-level field of a kind's values. The name is empty for a value that is no object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    /// Its name.
    pub name: Box<str>,
    /// What it is.
    pub role: Option<Role>,
    /// A UCUM code, an ISO 4217 code, or `{field:NAME}`: the field NAME holds an ISO 4217 code.
    pub unit: Option<Box<str>>,
    /// How many decimals to show.
    pub decimals: Option<u8>,
    /// Its values are made up.
    pub is_simulated: bool,
}

/// The fields of one kind.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Fields {
    /// The figure to show, chart and aggregate. Empty: the value itself.
    pub main: Option<Box<str>>,
    /// Every field that the schema names, marked or not.
    pub all: Vec<Field>,
    /// All values of the kind are made up.
    pub is_simulated: bool,
}

impl Role {
    /// All of them.
    pub const ALL: [Role; 18] = [
        Role::Price,
        Role::Bid,
        Role::Ask,
        Role::Change,
        Role::ChangePct,
        Role::Volume,
        Role::Open,
        Role::High,
        Role::Low,
        Role::PreviousClose,
        Role::Size,
        Role::Side,
        Role::Time,
        Role::Attribution,
        Role::Identity,
        Role::Gauge,
        Role::Counter,
        Role::Text,
    ];

    /// Its word in a schema.
    pub fn word(self) -> &'static str {
        match self {
            Role::Price => "price",
            Role::Bid => "bid",
            Role::Ask => "ask",
            Role::Change => "change",
            Role::ChangePct => "change_pct",
            Role::Volume => "volume",
            Role::Open => "open",
            Role::High => "high",
            Role::Low => "low",
            Role::PreviousClose => "previous_close",
            Role::Size => "size",
            Role::Side => "side",
            Role::Time => "time",
            Role::Attribution => "attribution",
            Role::Identity => "identity",
            Role::Gauge => "gauge",
            Role::Counter => "counter",
            Role::Text => "text",
        }
    }

    /// The role of this word.
    pub fn of_word(word: &str) -> Option<Role> {
        Role::ALL.into_iter().find(|role| role.word() == word)
    }

    /// Whether it can be a number.
    fn is_figure(self) -> bool {
        !matches!(self, Role::Side | Role::Time | Role::Attribution | Role::Identity | Role::Text)
    }
}

impl Fields {
    /// Reads the marks of a schema. Answers as well what is wrong with them, in words that say what to change.
    pub fn of_schema(schema: &Value) -> (Fields, Vec<String>) {
        marks::read(schema)
    }

    /// The field of this name.
    pub fn by_name(&self, name: &str) -> Option<&Field> {
        self.all.iter().find(|field| &*field.name == name)
    }

    /// The field that has this role. Of several it is the main one, if that is among them, and else the first by name.
    pub fn by_role(&self, role: Role) -> Option<&Field> {
        let main = self.main_field().into_iter();
        main.chain(&self.all).find(|field| field.role == Some(role))
    }

    /// The field that is marked as the main one.
    pub fn main_field(&self) -> Option<&Field> {
        self.by_name(self.main.as_deref()?)
    }
}

/// Whether a text is a number without an exponent, such as `-189.30`.
pub fn is_decimal(text: &str) -> bool {
    let text = text.strip_prefix('-').unwrap_or(text);
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    [whole, fraction].iter().all(|part| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit()))
}
