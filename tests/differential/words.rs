//! Random filters over every attribute of a schema, in the words of the directory at hand.
//!
//! Most of them are well formed and most operands are values, or parts of values, that some
//! resource has: a filter that matches nothing proves little.

use std::fmt::Write;
use std::sync::Arc;

use proptest::prelude::*;
use proptest::sample::Index;
use serde_json::{Map, Value, json};
use stagedoor::scim::schema::{Attribute, Kind};
use stagedoor::scim::{ResourceSchema, filter};

use super::values::{DECIMALS, FOREIGN_URN, INTEGERS, NESTED_URN, TEXTS, TIMES};

/// An attribute as a filter names it, with values to compare it with.
#[derive(Debug)]
pub struct Word {
    /// How it is written.
    pub text: String,
    /// Its parts, named without it.
    pub parts: Vec<Word>,
    /// Whether it is a list of complex values.
    listed: bool,
    kind: Kind,
    values: Vec<Value>,
}

/// All attributes of a type of resource.
#[derive(Debug)]
pub struct Vocabulary(pub Vec<Word>);

impl Vocabulary {
    /// The words of a schema, with the values that these resources have.
    pub fn new(schema: &ResourceSchema, resources: &[Map<String, Value>]) -> Self {
        let mut words = Vec::new();
        let common = ["schemas", "id", "externalId", "meta"];
        let core = common.iter().map(|name| schema.attribute(name).unwrap());
        for attribute in core.chain(&schema.core().attributes) {
            let values = resources.iter().filter_map(|r| r.get(&attribute.name)).collect();
            words.push(Word::new(attribute.name.clone(), attribute, values));
        }
        for extension in schema.extensions() {
            let held = || resources.iter().filter_map(|r| r.get(&extension.id));
            for attribute in &extension.attributes {
                let values: Vec<&Value> = held().filter_map(|e| e.get(&attribute.name)).collect();
                let text = format!("{}:{}", extension.id, attribute.name);
                words.push(Word::new(text, attribute, values.clone()));
                // Entra leaves the URN out.
                words.push(Word::new(attribute.name.clone(), attribute, values));
            }
            words.push(Word::bare(&extension.id));
        }
        words.push(Word::bare(&schema.core().id));
        let urns = schema.extensions().map(|e| e.id.as_str());
        let urns = urns.chain([&*schema.core().id, FOREIGN_URN, NESTED_URN, "schemas", "name"]);
        words[0].values = urns.map(Value::from).collect();
        // What may never be asked for is left to one word, lest most filters be refused.
        let known = |text: &str| filter::compile(schema, &format!("{text} pr")).is_ok();
        for word in &mut words {
            let whole = word.text.clone();
            word.parts.retain(|part| known(&format!("{whole}.{}", part.text)));
        }
        words.push(Word::bare("nope"));
        Self(words)
    }
}

impl Word {
    fn new(text: String, attribute: &Attribute, values: Vec<&Value>) -> Self {
        let values: Vec<&Value> = values.into_iter().flat_map(items).collect();
        let parts = attribute.sub_attributes.iter().map(|sub| {
            let values = values.iter().filter_map(|v| v.get(&sub.name)).collect();
            Word::new(sub.name.clone(), sub, values)
        });
        Self {
            text,
            listed: attribute.multi_valued && attribute.kind == Kind::Complex,
            kind: attribute.kind,
            parts: parts.collect(),
            values: values.into_iter().filter(|v| !v.is_object()).cloned().collect(),
        }
    }

    fn bare(text: &str) -> Self {
        let text = text.to_owned();
        Self { text, parts: Vec::new(), listed: false, kind: Kind::Complex, values: Vec::new() }
    }

    /// What the attribute's values are like; of a complex one, those of its `value`.
    fn comparable(&self) -> &Self {
        self.parts.iter().find(|p| p.text == "value").unwrap_or(self)
    }
}

fn items(value: &Value) -> Vec<&Value> {
    match value {
        Value::Array(items) => items.iter().collect(),
        single => vec![single],
    }
}

/// A filter before it is words.
#[derive(Debug, Clone)]
enum Tree {
    Term(Term),
    Element(Index, Box<Tree>),
    Not(Box<Tree>),
    Both(Box<Tree>, &'static str, Box<Tree>),
}

#[derive(Debug, Clone)]
struct Term {
    word: Index,
    part: Option<Index>,
    operator: Index,
    operand: Operand,
}

#[derive(Debug, Clone)]
struct Operand {
    source: u8,
    value: Index,
    cut: (Index, Index),
    shape: u8,
    random: String,
    number: i64,
}

fn term() -> impl Strategy<Value = Term> {
    let operand = (
        any::<u8>(),
        any::<Index>(),
        any::<(Index, Index)>(),
        any::<u8>(),
        "\\PC{0,6}",
        any::<i64>(),
    );
    let operand = operand.prop_map(|(source, value, cut, shape, random, number)| Operand {
        source,
        value,
        cut,
        shape,
        random,
        number,
    });
    (any::<Index>(), prop::option::weighted(0.85, any::<Index>()), any::<Index>(), operand)
        .prop_map(|(word, part, operator, operand)| Term { word, part, operator, operand })
}

fn combined(leaf: BoxedStrategy<Tree>) -> BoxedStrategy<Tree> {
    let joined = leaf.prop_recursive(3, 8, 2, |inner| {
        let word = prop::sample::select(vec![" and ", " or "]);
        prop_oneof![
            1 => inner.clone().prop_map(|tree| Tree::Not(Box::new(tree))),
            3 => (inner.clone(), word, inner)
                .prop_map(|(a, word, b)| Tree::Both(Box::new(a), word, Box::new(b))),
        ]
    });
    joined.boxed()
}

/// Filters on the resources of this vocabulary.
pub fn filters(vocabulary: Arc<Vocabulary>) -> BoxedStrategy<String> {
    let inner = combined(term().prop_map(Tree::Term).boxed());
    let leaf = prop_oneof![
        3 => term().prop_map(Tree::Term),
        1 => (any::<Index>(), inner).prop_map(|(list, tree)| Tree::Element(list, Box::new(tree))),
    ];
    combined(leaf.boxed()).prop_map(move |tree| tree.text(&vocabulary.0)).boxed()
}

impl Tree {
    fn text(&self, words: &[Word]) -> String {
        match self {
            Self::Term(term) => term.text(words),
            Self::Element(list, tree) => {
                let lists: Vec<&Word> = words.iter().filter(|w| !w.parts.is_empty()).collect();
                let word = list.get(&lists);
                // Mostly lists: the other complex attributes are few and asked for by their parts.
                let lists: Vec<&Word> = lists.iter().copied().filter(|w| w.listed).collect();
                let word = if list.index(10) == 0 { word } else { list.get(&lists) };
                format!("{}[{}]", word.text, tree.text(&word.parts))
            }
            Self::Not(tree) => format!("not ({})", tree.text(words)),
            Self::Both(a, word, b) => format!("({}){word}({})", a.text(words), b.text(words)),
        }
    }
}

const ANY: [&str; 10] = ["pr", "eq", "ne", "co", "sw", "ew", "gt", "ge", "lt", "le"];

impl Term {
    fn text(&self, words: &[Word]) -> String {
        let mut word = self.word.get(words);
        let mut text = word.text.clone();
        if let Some(part) = self.part.filter(|_| !word.parts.is_empty()) {
            word = part.get(&word.parts);
            write!(text, ".{}", word.text).unwrap();
        }
        let word = word.comparable();
        let fitting: &[&str] = match word.kind {
            _ if self.operand.shape == 7 => &ANY,
            Kind::Complex => &["pr"],
            Kind::Boolean => &["pr", "eq", "eq", "ne"],
            Kind::Integer | Kind::Decimal | Kind::DateTime => {
                &["pr", "eq", "eq", "ne", "gt", "ge", "lt", "le"]
            }
            Kind::Binary => &["pr", "eq", "eq", "ne"],
            _ if word.text == "schemas" => &["pr", "eq", "eq", "ne"],
            Kind::String | Kind::Reference => {
                &["pr", "eq", "eq", "eq", "ne", "co", "sw", "sw", "ew", "gt", "ge", "lt", "le"]
            }
        };
        match *self.operator.get(fitting) {
            "pr" => format!("{text} pr"),
            operator => format!("{text} {operator} {}", self.operand.text(word)),
        }
    }
}

impl Operand {
    fn text(&self, word: &Word) -> String {
        let pool: Vec<Value> = match word.kind {
            _ if self.source < 5 => return "null".to_owned(),
            // A value of another type than the attribute's.
            _ if self.source < 8 => vec![json!(true), json!(1), json!("x"), json!(0.5)],
            _ if self.source < 170 && !word.values.is_empty() => word.values.clone(),
            Kind::Boolean => vec![json!(true), json!(false), json!("True"), json!("FALSE")],
            Kind::Integer if self.source < 220 => INTEGERS.map(Value::from).to_vec(),
            Kind::Integer => vec![json!(self.number), json!(self.number % 12)],
            Kind::Decimal => DECIMALS.map(Value::from).to_vec(),
            Kind::DateTime => TIMES.map(Value::from).to_vec(),
            _ if self.source > 240 => vec![json!(self.random)],
            _ => TEXTS.map(Value::from).to_vec(),
        };
        match self.value.get(&pool) {
            Value::String(text) if word.kind == Kind::DateTime => json!(self.moment(text)),
            Value::String(text) => json!(self.shaped(text)),
            other => other.clone(),
        }
        .to_string()
    }

    /// The text, a part of it, or it in another case.
    fn shaped(&self, text: &str) -> String {
        let ends: Vec<usize> = (0..=text.len()).filter(|i| text.is_char_boundary(*i)).collect();
        let (a, b) = (*self.cut.0.get(&ends), *self.cut.1.get(&ends));
        match self.shape {
            0..=99 => text.to_owned(),
            100..=129 => text[..a].to_owned(),
            130..=159 => text[a..].to_owned(),
            160..=189 => text[a.min(b)..a.max(b)].to_owned(),
            190..=209 => text.to_uppercase(),
            210..=229 => text.to_lowercase(),
            _ => format!("{text}{}", self.random),
        }
    }

    /// The same moment written with another offset, or a moment nearby.
    fn moment(&self, text: &str) -> String {
        let Some(time) = stagedoor::scim::value::date_time(text) else { return text.to_owned() };
        let micros = time.as_microsecond();
        let at = |micros: i64| jiff::Timestamp::from_microsecond(micros).unwrap();
        match self.shape {
            0..=99 => text.to_owned(),
            100..=169 => {
                let zone = jiff::tz::Offset::from_hours(i8::try_from(self.shape % 14).unwrap());
                format!("{:.6}", at(micros).display_with_offset(zone.unwrap()))
            }
            _ => format!("{:.6}", at(micros + self.number % 2)),
        }
    }
}
