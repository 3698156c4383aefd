//! How values compare: the text under which a value is indexed, filtered and sorted.
//!
//! One rule for the in-memory evaluator, the SQL filter and the sort, so that they cannot differ:
//! byte order of the key is the order of the values (RFC 7644 §3.4.2.2, §3.4.2.3).

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::fmt::temporal::DateTimePrinter;
use serde_json::Value;

use super::schema::{Attribute, Kind};

/// A text without case, for attributes with `caseExact: false` (RFC 7643 §2.2). Unicode, not ASCII.
pub fn fold(text: &str) -> String {
    text.to_lowercase()
}

/// The key of a value of this attribute; `None` where the value is not of the attribute's type.
///
/// Texts are their own key, folded where case does not count; numbers and times become hexadecimal
/// digits of fixed width that sort as the values do.
pub fn key(attribute: &Attribute, value: &Value) -> Option<String> {
    match (attribute.kind, value) {
        (Kind::String, Value::String(s)) if !attribute.case_exact => Some(fold(s)),
        (Kind::String | Kind::Reference | Kind::Binary, Value::String(s)) => Some(s.clone()),
        (Kind::Boolean, Value::Bool(b)) => Some(b.to_string()),
        (Kind::DateTime, Value::String(s)) => date_time(s).map(|t| ordered(t.as_microsecond())),
        (Kind::Integer, Value::Number(n)) => n.as_i64().map(ordered),
        (Kind::Decimal, Value::Number(n)) => n.as_f64().map(ordered_float),
        _ => None,
    }
}

/// The key of a moment, as [`key`] gives it for a dateTime.
pub fn time_key(time: Timestamp) -> String {
    ordered(time.as_microsecond())
}

/// The moment of a key that [`time_key`] made.
pub fn time_of_key(key: &str) -> Option<Timestamp> {
    let sortable = u64::from_str_radix(key, 16).ok()?;
    Timestamp::from_microsecond((sortable ^ (1 << 63)).cast_signed()).ok()
}

/// Reads an `xsd:dateTime` (RFC 7643 §2.3.5); without an offset it is UTC.
pub fn date_time(text: &str) -> Option<Timestamp> {
    if !text.contains(['T', 't']) {
        return None;
    }
    let zoned = text.parse::<Timestamp>();
    zoned.ok().or_else(|| {
        text.parse::<DateTime>().ok()?.to_zoned(jiff::tz::TimeZone::UTC).ok().map(|z| z.timestamp())
    })
}

/// A moment as answers show it: UTC, microseconds, `Z`.
pub fn format_time(time: Timestamp) -> String {
    static PRINTER: DateTimePrinter = DateTimePrinter::new().precision(Some(6));
    PRINTER.timestamp_to_string(&time)
}

fn ordered(number: i64) -> String {
    format!("{:016x}", number.cast_unsigned() ^ (1 << 63))
}

fn ordered_float(number: f64) -> String {
    // -0.0 and 0.0 are one number.
    let bits = (number + 0.0).to_bits();
    let sortable = if bits >> 63 == 0 { bits ^ (1 << 63) } else { !bits };
    format!("{sortable:016x}")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn times_compare_as_moments() {
        let early = date_time("2026-01-01T00:30:00+01:00").unwrap();
        assert_eq!(early, date_time("2025-12-31T23:30:00Z").unwrap());
        assert_eq!(date_time("2026-01-01T00:00:00"), date_time("2026-01-01T00:00:00Z"));
        assert_eq!(date_time("2026-01-01"), None);
        assert_eq!(date_time("yesterday at Two"), None);
        assert_eq!(time_of_key(&time_key(early)), Some(early));
        assert_eq!(format_time(early), "2025-12-31T23:30:00.000000Z");
    }

    #[test]
    fn a_value_of_another_type_has_no_key() {
        let schema = crate::scim::ResourceSchema::user([]);
        let active = schema.attribute("active").unwrap();
        assert_eq!(key(active, &json!(true)).as_deref(), Some("true"));
        assert_eq!(key(active, &json!("yes")), None);
        let name = schema.attribute("userName").unwrap();
        assert_eq!(key(name, &json!("ÄRA")).as_deref(), Some("ära"));
        assert_eq!(key(name, &json!(1)), None);
    }

    proptest! {
        #[test]
        fn integer_keys_sort_as_integers(a: i64, b: i64) {
            prop_assert_eq!(ordered(a).cmp(&ordered(b)), a.cmp(&b));
        }

        #[test]
        fn decimal_keys_sort_as_decimals(a in -1e300..1e300_f64, b in -1e300..1e300_f64) {
            prop_assert_eq!(ordered_float(a).cmp(&ordered_float(b)), a.partial_cmp(&b).unwrap());
        }
    }
}
