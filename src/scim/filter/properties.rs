//! Properties of filters, over random ones (I7).

use proptest::prelude::*;
use scim_v2::filter::{AttrPath, ValuePath};

use super::tests::{kari, user};
use super::*;
use crate::scim::schema::ENTERPRISE_URN;

fn name() -> impl Strategy<Value = String> {
    const WORDS: [&str; 6] = ["not", "and", "or", "true", "false", "null"];
    "[a-zA-Z][a-zA-Z0-9_-]{0,12}"
        .prop_filter("a word of the grammar", |n| !WORDS.iter().any(|w| n.eq_ignore_ascii_case(w)))
}

fn path() -> impl Strategy<Value = AttrPath> {
    let urn = prop_oneof![
        Just(ENTERPRISE_URN.to_owned()),
        "urn:[a-z]{2,8}:[a-z0-9]{1,8}:[0-9]\\.[0-9]:[A-Z][a-z]{1,6}",
    ];
    let sub = prop_oneof![name(), Just(quirks::without_dollar("$ref").into_owned())];
    (prop::option::of(urn), name(), prop::option::of(sub))
        .prop_map(|(uri, name, sub_attr)| AttrPath { uri, name, sub_attr })
}

fn operand() -> impl Strategy<Value = CompValue> {
    prop_oneof![
        Just(CompValue::True),
        Just(CompValue::False),
        Just(CompValue::Null),
        any::<i64>().prop_map(|n| CompValue::Number(n.into())),
        // Decimals that serde_json reads exactly without its feature `float_roundtrip`.
        (any::<i32>(), 0..9_i32).prop_filter_map("finite", |(digits, places)| {
            let number = f64::from(digits) / 10_f64.powi(places);
            serde_json::Number::from_f64(number).map(CompValue::Number)
        }),
        "\\PC{0,12}".prop_map(CompValue::Str),
        "[\"\\\\()\\[\\] a.$\n\t]{0,12}".prop_map(CompValue::Str),
    ]
}

fn operator() -> impl Strategy<Value = CompareOp> {
    use CompareOp::{Co, Eq, Ew, Ge, Gt, Le, Lt, Ne, Sw};
    prop::sample::select(vec![Eq, Ne, Co, Sw, Ew, Gt, Lt, Ge, Le])
}

fn term() -> impl Strategy<Value = AttrExp> {
    prop_oneof![
        path().prop_map(AttrExp::Present),
        (path(), operator(), operand()).prop_map(|(p, o, v)| AttrExp::Comparison(p, o, v)),
    ]
}

fn value_filter() -> impl Strategy<Value = ValFilter> {
    term().prop_map(ValFilter::Attr).prop_recursive(3, 6, 2, |inner| {
        prop_oneof![
            inner.clone().prop_map(|f| ValFilter::Not(Box::new(f))),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| ValFilter::and(a, b)),
            (inner.clone(), inner).prop_map(|(a, b)| ValFilter::or(a, b)),
        ]
    })
}

fn filter() -> impl Strategy<Value = Filter> {
    let leaf = prop_oneof![
        3 => term().prop_map(Filter::Attr),
        1 => (path(), value_filter())
            .prop_map(|(attr, f)| Filter::ValuePath(ValuePath { attr, filter: Box::new(f) })),
    ];
    leaf.prop_recursive(4, 12, 2, |inner| {
        prop_oneof![
            inner.clone().prop_map(|f| Filter::Not(Box::new(f))),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| Filter::and(a, b)),
            (inner.clone(), inner).prop_map(|(a, b)| Filter::or(a, b)),
        ]
    })
}

/// Texts that look like filters.
fn nearly() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "userName",
        "emails",
        "schemas",
        "meta.resourceType",
        "$ref",
        ".value",
        ".",
        ":",
        "not",
        "(",
        ")",
        "[",
        "]",
        " ",
        " ",
        " ",
        " eq ",
        " ne ",
        " pr",
        " and ",
        " or ",
        "\"x\"",
        "\"",
        "\\",
        "true",
        "Null",
        "1",
        "-1e9",
        "urn:x",
        "é",
        "active",
        "name",
        "type",
    ]);
    prop::collection::vec(piece, 0..30).prop_map(|pieces| pieces.concat())
}

/// 1,000 cases, unless `PROPTEST_CASES` moves proptest from its own default.
fn cases() -> ProptestConfig {
    match ProptestConfig::default() {
        config if config.cases == 256 => ProptestConfig { cases: 1_000, ..config },
        config => config,
    }
}

proptest! {
    #![proptest_config(cases())]

    /// What is printed is read again as the same filter.
    #[test]
    fn printing_and_parsing_agree(filter in filter()) {
        let text = filter.to_string();
        if text.len() <= MAX_BYTES {
            prop_assert_eq!(parse(&text), Ok(filter), "{}", text);
        }
    }

    /// I7: no text makes the core panic, and what compiles can be evaluated.
    #[test]
    fn no_text_panics(text in prop_oneof![any::<String>(), nearly()]) {
        let schema = user();
        if let Ok(filter) = parse(&text) {
            let condition = resolve(&schema, &filter);
            prop_assert_eq!(parse(&filter.to_string()), Ok(filter));
            if let Ok(condition) = condition {
                let holds = matches(&schema, &condition, &kari());
                let not = Condition::Not(Box::new(condition));
                prop_assert_eq!(matches(&schema, &not, &kari()), !holds);
            }
        }
        let _ = parse_value_path(&text);
    }
}
