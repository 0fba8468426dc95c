//! Schemas with marks, right and wrong.

use proptest::prelude::*;
use serde_json::json;

use super::*;

fn of(schema: Value) -> (Fields, String) {
    let (fields, remarks) = Fields::of_schema(&schema);
    (fields, remarks.join("\n"))
}

#[test]
fn every_role_has_its_own_word() {
    for role in Role::ALL {
        assert_eq!(Role::of_word(role.word()), Some(role));
    }
    assert_eq!(Role::of_word("Price"), None);
}

#[test]
fn marks_are_read_where_schemars_and_people_write_them() {
    let (fields, told) = of(json!({
        "type": "object", "x-tickerd-simulated": true, "required": ["price"],
        "properties": {
            "price": {"$ref": "#/$defs/Digits", "x-tickerd-main": true, "x-tickerd-role": "price",
                      "x-tickerd-unit": "{field:currency}", "x-tickerd-decimals": 2},
            "bid": {"anyOf": [{"$ref": "#/$defs/Digits"}, {"type": "null"}], "x-tickerd-role": "bid"},
            "volume": {"allOf": [{"$ref": "#/$defs/Whole"}], "x-tickerd-role": "volume"},
            "currency": {"type": "string"},
        },
        "$defs": {
            "Digits": {"type": "string", "pattern": "^[0-9.]+$", "x-tickerd-decimals": 4},
            "Whole": {"type": "string", "x-tickerd-decimals": 0, "x-tickerd-unit": "{shares}"},
        },
    }));
    assert_eq!(told, "");
    assert_eq!(fields.main.as_deref(), Some("price"));
    assert!(fields.is_simulated);
    let names: Vec<&str> = fields.all.iter().map(|field| &*field.name).collect();
    assert_eq!(names, ["bid", "currency", "price", "volume"]);
    let price = fields.by_role(Role::Price).unwrap();
    assert_eq!(
        (price.unit.as_deref(), price.decimals),
        (Some("{field:currency}"), Some(2)),
        "its own come first"
    );
    assert_eq!(fields.main_field(), Some(price));
    assert_eq!(fields.by_role(Role::Bid).unwrap().decimals, Some(4));
    let volume = fields.by_role(Role::Volume).unwrap();
    assert_eq!((volume.unit.as_deref(), volume.decimals), (Some("{shares}"), Some(0)));
    assert_eq!(fields.by_name("currency").unwrap().role, None);
    assert!(fields.all.iter().all(|field| field.is_simulated));
}

#[test]
fn of_several_fields_of_a_role_the_main_one_is_meant() {
    let price = |is_main: bool| json!({"x-tickerd-role": "price", "x-tickerd-main": is_main});
    let (fields, _) = of(json!({"properties": {"a": price(false), "b": price(true)}}));
    assert_eq!(&*fields.by_role(Role::Price).unwrap().name, "b");
    let (fields, _) = of(json!({"properties": {"a": price(false), "b": price(false)}}));
    assert_eq!(&*fields.by_role(Role::Price).unwrap().name, "a");
}

#[test]
fn the_fields_may_be_in_a_definition() {
    let quote = json!({"properties": {"price": {"type": "number", "x-tickerd-main": true}}});
    for root in [
        json!({"$ref": "#/$defs/Quote", "$defs": {"Quote": quote}}),
        json!({"$ref": "#/definitions/Quote", "definitions": {"Quote": quote}}),
        json!({"allOf": [{"$ref": "#/$defs/Quote"}, {"properties": {"id": {}}}], "$defs": {"Quote": quote}}),
        json!({"allOf": [quote, {"properties": {"price": {"x-tickerd-role": "price"}}}]}),
    ] {
        let (fields, told) = of(root.clone());
        assert_eq!((fields.main.as_deref(), told.as_str()), (Some("price"), ""), "{root}");
    }
}

#[test]
fn a_value_that_is_no_object_is_its_own_field() {
    let (fields, told) = of(json!({"type": "number", "x-tickerd-main": true, "x-tickerd-role": "gauge"}));
    assert_eq!((fields.main.as_deref(), told.as_str()), (Some(""), ""));
    assert_eq!(fields.main_field().unwrap().role, Some(Role::Gauge));
    let (fields, told) = of(json!({"type": "number"}));
    assert_eq!((fields.main, told.as_str()), (None, ""), "nothing is guessed");
    assert_eq!(of(json!(true)).0.main, None);
}

#[test]
fn wrong_marks_are_told_and_left_out() {
    let price = |mark: &str, value: Value| json!({"properties": {"price": {"type": "number", mark: value}}});
    let main = |schema: Value| {
        let mut schema = schema;
        schema["x-tickerd-main"] = true.into();
        json!({"properties": {"price": schema}})
    };
    for (schema, says) in [
        (price("x-tickerd-man", json!(true)), "\"x-tickerd-man\" is no mark; did you mean x-tickerd-main?"),
        (price("x-tickerd-colour", json!("red")), "there are x-tickerd-main, x-tickerd-unit"),
        (
            price("x-tickerd-role", json!("prize")),
            "x-tickerd-role of \"price\" is \"prize\"; did you mean price?",
        ),
        (price("x-tickerd-role", json!("colour")), "use one of price, bid"),
        (price("x-tickerd-role", json!(7)), "use one of"),
        (price("x-tickerd-unit", json!("°C")), "x-tickerd-unit of \"price\" is \"°C\", which is no unit"),
        (price("x-tickerd-unit", json!(["m"])), "is no text"),
        (price("x-tickerd-decimals", json!(19)), "write a whole number from 0 to 18"),
        (price("x-tickerd-decimals", json!(-1)), "write a whole number from 0 to 18"),
        (price("x-tickerd-decimals", json!(2.5)), "write a whole number from 0 to 18"),
        (price("x-tickerd-main", json!("yes")), "is neither true nor false; write true"),
        (price("x-tickerd-simulated", json!(1)), "is neither true nor false; write true"),
        (main(json!({"type": "object"})), "main is on \"price\", whose type is object"),
        (main(json!({"type": ["boolean", "null"]})), "whose type is boolean"),
        (main(json!({"enum": ["buy", "sell"]})), "whose values are words"),
        (main(json!({"const": "sim"})), "whose values are words"),
        (main(json!({"type": "string", "format": "date-time"})), "a text with a format of its own"),
        (main(json!({"type": "string", "x-tickerd-role": "side"})), "whose role is side"),
        (
            json!({"properties": {"a": {"x-tickerd-main": true}, "b": {"x-tickerd-main": true}}}),
            "x-tickerd-main is on \"a\" and \"b\"; leave it on one field",
        ),
        (
            json!({"x-tickerd-main": true, "properties": {"a": {"type": "number"}}}),
            "is on the whole value, which has fields",
        ),
        (
            json!({"properties": {"a": {"properties": {"b": {"type": "number", "x-tickerd-main": true}}}}}),
            "x-tickerd-main is too deep to count",
        ),
    ] {
        let (fields, told) = of(schema.clone());
        assert!(told.contains(says) && !told.contains('\n'), "{schema}: {told}");
        assert_eq!(fields.main, None, "{schema}");
        let field = fields.all.first().unwrap();
        let marks = (field.unit.is_some(), field.decimals.is_some(), field.is_simulated);
        assert_eq!(marks, (false, false, false), "{schema}");
    }
}

#[test]
fn a_main_field_may_be_any_number_or_text_of_digits() {
    for kind in [
        json!({"type": "integer"}),
        json!({"type": ["number", "null"]}),
        json!({"type": "string", "pattern": "^[0-9]+$"}),
        json!({"enum": ["1.5", "2"]}),
        json!({"type": ["string", "number"], "format": "decimal"}),
        json!({}),
    ] {
        let mut schema = json!({"properties": {"x": kind}});
        schema["properties"]["x"]["x-tickerd-main"] = true.into();
        let (fields, told) = of(schema.clone());
        assert_eq!((fields.main.as_deref(), told.as_str()), (Some("x"), ""), "{schema}");
    }
}

#[test]
fn what_several_fields_refer_to_is_wrong_once_and_many_remarks_are_counted() {
    let (_, told) = of(json!({
        "properties": {"a": {"$ref": "#/$defs/D"}, "b": {"$ref": "#/$defs/D"}, "x-tickerd-odd": {"type": "number"}},
        "$defs": {"D": {"x-tickerd-unit": "nope"}}, "default": {"x-tickerd-none": 1},
    }));
    assert_eq!(told.lines().count(), 1, "{told}");
    let wrong = |n: u32| (format!("f{n:03}"), json!({"x-tickerd-unit": "nope"}));
    let (_, told) = of(json!({"properties": (0..100).map(wrong).collect::<serde_json::Map<_, _>>()}));
    assert_eq!(told.lines().count(), 9, "{told}");
    assert!(told.ends_with("92 more of its marks are wrong"), "{told}");
}

#[test]
fn decimals_are_digits_with_a_point_at_most() {
    for text in ["0", "-1", "189.30", "00.5", "-0.0"] {
        assert!(is_decimal(text), "{text}");
    }
    for text in ["", "-", ".", "1.", ".5", "+1", "1e3", "NaN", "1,5", " 1", "--1", "1.2.3", "١"] {
        assert!(!is_decimal(text), "{text}");
    }
}

fn any_schema() -> impl Strategy<Value = Value> {
    let word = prop_oneof![
        Just("x-tickerd-main"),
        Just("x-tickerd-role"),
        Just("x-tickerd-unit"),
        Just("x-tickerd-decimals"),
        Just("x-tickerd-simulated"),
        Just("x-tickerd-"),
        Just("properties"),
        Just("$defs"),
        Just("$ref"),
        Just("allOf"),
        Just("anyOf"),
        Just("type"),
        Just("enum"),
        Just("const"),
        Just("a"),
        Just("definitions"),
    ];
    let leaf = prop_oneof![
        Just(json!(true)),
        Just(json!(null)),
        any::<i64>().prop_map(Value::from),
        ".{0,12}".prop_map(Value::from),
        Just(json!("#/$defs/a")),
        Just(json!("#")),
        Just(json!("object")),
        Just(json!("price")),
        Just(json!("{field:a}")),
    ];
    leaf.prop_recursive(6, 64, 6, move |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::vec((word.clone(), inner), 0..6).prop_map(|members| {
                Value::Object(members.into_iter().map(|(key, value)| (key.to_owned(), value)).collect())
            }),
        ]
    })
}

proptest! {
    /// Whatever a feed says is read, and what is kept is within its bounds.
    #[test]
    fn any_json_is_read(schema in any_schema()) {
        let (fields, remarks) = Fields::of_schema(&schema);
        prop_assert!(remarks.len() <= 9);
        if let Some(main) = &fields.main {
            prop_assert!(fields.by_name(main).is_some());
        }
        for field in &fields.all {
            prop_assert!(field.decimals.is_none_or(|decimals| decimals <= DECIMALS_MAX));
            prop_assert!(field.unit.as_ref().is_none_or(|unit| unit.len() <= 512));
        }
        prop_assert_eq!(Fields::of_schema(&schema), (fields, remarks));
    }
}
