//! What several paths have in common.

use serde_json::{Map, Value, json};

use super::{JSON, header, problems};

/// One error more, of GET and HEAD.
pub fn also(methods: &mut Map<String, Value>, status: &str) {
    for method in ["get", "head"] {
        let told = methods.get_mut(method).and_then(|method| method.get_mut("responses"));
        if let Some(responses) = told.and_then(Value::as_object_mut) {
            problems(responses, &[status]);
        }
    }
}

/// JSON with a tag.
pub fn kept(id: &str, summary: &str, about: &str, schema: &Value) -> Map<String, Value> {
    let mut responses = Map::new();
    tagged(&mut responses, about, schema);
    problems(&mut responses, &["400", "403", "405", "429", "503"]);
    both(id, summary, &json!([if_none_match()]), &responses)
}

/// A 200 of JSON with a tag, and the 304 that says that it is the same.
pub fn tagged(responses: &mut Map<String, Value>, about: &str, schema: &Value) {
    let etag = json!({ "ETag": { "schema": { "type": "string" }, "description": "For If-None-Match." } });
    responses.insert("200".into(), answer(about, schema, etag.clone()));
    let mut same = answer("As before.", schema, etag);
    same.as_object_mut().map(|same| same.remove("content"));
    responses.insert("304".into(), same);
}

/// Names of topics in a query, which must be there.
pub fn needed(mut query: Value) -> Value {
    query.as_object_mut().map(|query| query.insert("required".into(), true.into()));
    query
}

/// The tag that who asks has already.
pub fn if_none_match() -> Value {
    header("If-None-Match", false, json!({ "type": "string" }))
}

/// A 200 of JSON that is kept and asked for again each time.
pub fn answer(about: &str, schema: &Value, headers: Value) -> Value {
    let mut headers = headers;
    let fresh = json!({ "required": true, "schema": { "const": "no-cache" } });
    headers.as_object_mut().map(|headers| headers.insert("Cache-Control".into(), fresh));
    json!({ "description": about, "headers": headers, "content": { JSON: { "schema": schema } } })
}

/// GET, and HEAD, which is the same without a body.
pub fn both(id: &str, about: &str, parameters: &Value, responses: &Map<String, Value>) -> Map<String, Value> {
    let get =
        json!({ "operationId": id, "summary": about, "parameters": parameters, "responses": responses });
    let mut head = get.clone();
    if let Some(head) = head.as_object_mut() {
        head.insert("operationId".into(), format!("{id}Head").into());
        head.insert("summary".into(), format!("{about} Its headers alone.").into());
    }
    Map::from_iter([("get".into(), get), ("head".into(), head)])
}
