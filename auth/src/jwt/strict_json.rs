//! JSON as a token may hold it: one object, no member named twice, not deep.
//!
//! RFC 7519 leaves duplicate names to the parser: one takes the first, another the last, and what was checked is then
//! not what is used. Here they are refused at every depth. Numbers, texts and UTF-8 are as strict as `serde_json` is.

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};
use std::cell::Cell;
use std::fmt;

/// The members of an object.
pub(super) type Members = Map<String, Value>;

/// How deep arrays and objects may lie in one another.
const DEPTH: usize = 16;

/// Why it is not taken.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub(super) enum JsonError {
    /// Not JSON; the position is of the first byte that cannot be read.
    #[error("not JSON at line {line}, column {column}")]
    Syntax {
        /// From 1.
        line: usize,
        /// From 1, in bytes.
        column: usize,
    },
    /// Something else than an object.
    #[error("not a JSON object")]
    NoObject,
    /// A name occurs twice in an object.
    #[error("a member is named twice in one object")]
    Duplicate,
    /// Deeper than [`DEPTH`].
    #[error("nested more than {DEPTH} deep")]
    Deep,
}

/// Reads an object.
pub(super) fn object(bytes: &[u8]) -> Result<Members, JsonError> {
    let fault = Cell::new(None);
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let read = Strict { fault: &fault, depth: DEPTH }.deserialize(&mut reader);
    let read = read.and_then(|value| reader.end().map(|()| value));
    match read {
        Ok(Value::Object(members)) => Ok(members),
        Ok(_) => Err(JsonError::NoObject),
        Err(error) => Err(fault.get().unwrap_or(JsonError::Syntax { line: error.line(), column: error.column() })),
    }
}

/// Reads one value, and tells through `fault` what `serde_json` cannot.
#[derive(Clone, Copy)]
struct Strict<'f> {
    fault: &'f Cell<Option<JsonError>>,
    /// How many more levels there may be.
    depth: usize,
}

impl Strict<'_> {
    fn fail<E: Error>(self, fault: JsonError) -> E {
        self.fault.set(Some(fault));
        E::custom(fault)
    }

    fn below<E: Error>(self) -> Result<Self, E> {
        match self.depth.checked_sub(1) {
            Some(depth) => Ok(Self { depth, ..self }),
            None => Err(self.fail(JsonError::Deep)),
        }
    }
}

impl<'de> DeserializeSeed<'de> for Strict<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<Value, D::Error> {
        reader.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict<'_> {
    type Value = Value;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("JSON")
    }

    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        Ok(Number::from_f64(value).map_or(Value::Null, Value::Number))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_string<E: Error>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Value, A::Error> {
        let below = self.below()?;
        let mut values = Vec::new();
        while let Some(value) = elements.next_element_seed(below)? {
            values.push(value);
        }
        Ok(Value::Array(values))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let below = self.below()?;
        let mut members = Members::new();
        while let Some(name) = entries.next_key::<String>()? {
            if members.contains_key(&name) {
                return Err(self.fail(JsonError::Duplicate));
            }
            let value = entries.next_value_seed(below)?;
            members.insert(name, value);
        }
        Ok(Value::Object(members))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn an_object_is_read_as_serde_json_reads_it() {
        let text = r#"{"a":[1,-2,1.5,null,true,"x\u00e9"],"b":{"c":{}}} "#;
        let expected: Value = serde_json::from_str(text).unwrap();
        assert_eq!(Value::Object(object(text.as_bytes()).unwrap()), expected);
    }

    #[test]
    fn duplicates_are_refused_at_every_depth_and_in_every_spelling() {
        for text in [
            r#"{"sub":"a","sub":"b"}"#,
            r#"{"sub":"a","s\u0075b":"a"}"#,
            r#"{"a":{"b":1,"b":1}}"#,
            r#"{"a":[{"b":1},{"b":1,"c":2,"b":3}]}"#,
            r#"{"":1,"":1}"#,
        ] {
            assert_eq!(object(text.as_bytes()), Err(JsonError::Duplicate), "{text}");
        }
        assert!(object(br#"{"a":[{"b":1},{"b":1}],"b":1}"#).is_ok());
    }

    #[test]
    fn what_is_no_object_is_refused() {
        for text in ["1", "[]", "\"{}\"", "null"] {
            assert_eq!(object(text.as_bytes()), Err(JsonError::NoObject), "{text}");
        }
        for text in ["", "{", "{}x", "{}{}", "{\"a\":}", "{'a':1}", "{\"a\":1,}", "{\"a\":NaN}", "{\"a\":\"\\ud800\"}"]
        {
            assert!(matches!(object(text.as_bytes()), Err(JsonError::Syntax { .. })), "{text}");
        }
        assert!(matches!(object(b"{\"a\":\"\xff\"}"), Err(JsonError::Syntax { .. })));
    }

    #[test]
    fn depth_is_bounded() {
        let deep = |levels: usize| format!("{{\"a\":{}1{}}}", "[".repeat(levels), "]".repeat(levels));
        assert!(object(deep(DEPTH - 1).as_bytes()).is_ok());
        assert_eq!(object(deep(DEPTH).as_bytes()), Err(JsonError::Deep));
        assert!(object(deep(100_000).as_bytes()).is_err());
    }

    proptest! {
        #[test]
        fn any_bytes_are_judged(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = object(&bytes);
        }

        /// Nothing is accepted that `serde_json` would read otherwise.
        #[test]
        fn what_is_accepted_is_what_serde_json_reads(text in "[{}\\[\\]\":,a-c0-2. ]{0,40}") {
            if let Ok(members) = object(text.as_bytes()) {
                let same: Value = serde_json::from_str(&text).unwrap();
                prop_assert_eq!(Value::Object(members), same);
            }
        }
    }
}
