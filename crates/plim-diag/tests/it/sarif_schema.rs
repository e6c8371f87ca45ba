//! The SARIF output against the published JSON schema, by a checker for the part of JSON Schema draft 7 that the SARIF
//! schema uses.

use std::path::Path;

use plim_diag::render;
use serde_json::Value;

use crate::{RULES, SOURCE, sample};

#[test]
fn sarif_output_fits_the_published_schema() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/advisories/schemas/sarif-2.1.0.schema.json");
    let Ok(schema) = std::fs::read_to_string(&file) else {
        println!("skipped: {} is not there", file.display());
        return;
    };
    let schema: Value = serde_json::from_str(&schema).unwrap();
    let mut out = Vec::new();
    render::sarif(&sample(), &("Dockerfile", SOURCE), RULES, "0.1.0", &mut out).unwrap();
    let mut document: Value = serde_json::from_slice(&out).unwrap();
    let mut problems = Vec::new();
    check(&schema, &schema, &document, "$", &mut problems);
    assert!(problems.is_empty(), "{problems:#?}");

    // the checker does find something: an unknown field, a wrong type, a missing field, a number out of range
    document["runs"][0]["surprise"] = Value::Null;
    document["runs"][0]["results"][0]["level"] = "fatal".into();
    document["runs"][0]["results"][0]["locations"][0]["physicalLocation"]["region"]["startLine"] = 0.into();
    document["runs"][0]["tool"]["driver"].as_object_mut().unwrap().remove("name");
    check(&schema, &schema, &document, "$", &mut problems);
    assert_eq!(problems.len(), 4, "{problems:#?}");
}

fn check(root: &Value, schema: &Value, value: &Value, at: &str, problems: &mut Vec<String>) {
    if let Some(reference) = schema["$ref"].as_str() {
        let target = root.pointer(reference.trim_start_matches('#')).expect("the schema's references resolve");
        return check(root, target, value, at, problems);
    }
    if let Some(kind) = schema["type"].as_str() {
        let fits = match kind {
            "object" => value.is_object(),
            "array" => value.is_array(),
            "string" => value.is_string(),
            "integer" => value.is_i64() || value.is_u64(),
            "number" => value.is_number(),
            "boolean" => value.is_boolean(),
            other => panic!("the checker does not know the type {other}"),
        };
        if !fits {
            problems.push(format!("{at}: not of type {kind}"));
        }
    }
    if let Some(allowed) = schema["enum"].as_array()
        && !allowed.contains(value)
    {
        problems.push(format!("{at}: {value} is not allowed"));
    }
    if let (Some(minimum), Some(number)) = (schema["minimum"].as_f64(), value.as_f64())
        && number < minimum
    {
        problems.push(format!("{at}: {number} is below {minimum}"));
    }
    if let Some(choices) = schema["anyOf"].as_array() {
        let fits = choices.iter().any(|choice| {
            let mut inner = Vec::new();
            check(root, choice, value, at, &mut inner);
            inner.is_empty()
        });
        if !fits {
            problems.push(format!("{at}: fits none of the alternatives"));
        }
    }
    if let Some(fields) = value.as_object() {
        for name in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
            if !fields.contains_key(name) {
                problems.push(format!("{at}: {name} is missing"));
            }
        }
        for (name, field) in fields {
            let inner = match (&schema["properties"][name], &schema["additionalProperties"]) {
                (Value::Null, Value::Bool(false)) => {
                    problems.push(format!("{at}: {name} is unknown"));
                    continue;
                }
                (Value::Null, other) => other,
                (known, _) => known,
            };
            if inner.is_object() {
                check(root, inner, field, &format!("{at}.{name}"), problems);
            }
        }
    }
    if let Some(items) = value.as_array() {
        if items.len() < schema["minItems"].as_u64().unwrap_or_default() as usize {
            problems.push(format!("{at}: too few items"));
        }
        if schema["items"].is_object() {
            for (number, item) in items.iter().enumerate() {
                check(root, &schema["items"], item, &format!("{at}[{number}]"), problems);
            }
        }
    }
}
