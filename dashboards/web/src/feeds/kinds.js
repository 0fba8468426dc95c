// The kinds of values that a feed has, with their fields and units, as `/v1/asyncapi.json` tells them.

const KINDS_MAX = 64;
const FIELDS_MAX = 64;
const DEPTH_MAX = 4;
const WORDS_MAX = 400;
const CHOICES_MAX = 8;

/** Units as a person writes them; others stand as they are. */
const UNITS = { "%": "%", By: "bytes", "By/s": "bytes per second", Cel: "°C", Fah: "°F", deg: "°" };

const text = (value) => (typeof value === "string" ? value.slice(0, WORDS_MAX) : "");
const isObject = (value) => value !== null && typeof value === "object" && !Array.isArray(value);

/**
 * @typedef {{path: string, unit: string, type: string, about: string, isMain: boolean}} Field
 * @returns {{kind: string, className: string, about: string, fields: Field[]}[]}
 */
export function kindsOf(document, feed) {
  const messages = document?.components?.messages;
  const found = [];
  for (const [name, message] of Object.entries(isObject(messages) ? messages : {})) {
    if (!name.startsWith(`tick.${feed}.`) || found.length >= KINDS_MAX) continue;
    const { properties } = message?.payload ?? {};
    const kind = properties?.event?.const;
    if (typeof kind !== "string") continue;
    const about = text(message.payload.description);
    const [, className = ""] = /of class (\w+)/.exec(about) ?? [];
    const fields = [];
    walk(properties.data?.properties?.value, document, "", 0, fields);
    found.push({ kind, className, about: about.replace(/ A tick of the feed .*$/, ""), fields });
  }
  return found;
}

function walk(schema, document, path, depth, fields) {
  const node = resolved(schema, document, 0);
  if (node === null || fields.length >= FIELDS_MAX || depth > DEPTH_MAX) return;
  const members = Object.entries(isObject(node.properties) ? node.properties : {});
  if (members.length === 0 || (depth === 0 && node["x-tickerd-main"] === true)) {
    if (path !== "" || members.length === 0) fields.push(fieldOf(node, path));
    return;
  }
  const first = ([, member]) => (resolved(member, document, 0)?.["x-tickerd-main"] === true ? 0 : 1);
  for (const [name, member] of members.sort((a, b) => first(a) - first(b))) {
    walk(member, document, path ? `${path}.${name}` : name, depth + 1, fields);
  }
}

function fieldOf(node, path) {
  const unit = text(node["x-tickerd-unit"]);
  const [, of] = /^\{field:(.+)\}$/.exec(unit) ?? [];
  return {
    path: path || "value",
    unit:
      of === undefined ? (Object.hasOwn(UNITS, unit) ? UNITS[unit] : unit.replaceAll(/[{}]/g, "")) : `as ${of} says`,
    type: typeOf(node),
    about: text(node.description),
    isMain: node["x-tickerd-main"] === true,
  };
}

/** A type in words; of a field that has a few fixed values, these. */
function typeOf(node) {
  const choices = Array.isArray(node.enum)
    ? node.enum
    : (Array.isArray(node.oneOf) ? node.oneOf : []).map((part) => part?.const);
  const words = choices.filter((choice) => typeof choice === "string");
  if (words.length > 0 && words.length <= CHOICES_MAX) return text(words.join(" or "));
  return [node.type]
    .flat()
    .filter((type) => typeof type === "string" && type !== "null")
    .join(" or ");
}

/** A schema with what it refers to and what it is made of; its own words go first. Null where there is none. */
function resolved(schema, document, depth) {
  if (!isObject(schema) || depth > DEPTH_MAX) return null;
  const parts = [schema];
  if (typeof schema.$ref === "string") parts.push(resolved(at(schema.$ref, document), document, depth + 1));
  for (const name of ["allOf", "anyOf"]) {
    for (const part of Array.isArray(schema[name]) ? schema[name].slice(0, 8) : [])
      parts.push(resolved(part, document, depth + 1));
  }
  return Object.assign({}, ...parts.filter((part) => part !== null).reverse());
}

function at(reference, document) {
  if (!reference.startsWith("#/")) return undefined;
  const keys = reference
    .slice(2)
    .split("/")
    .map((key) => key.replaceAll("~1", "/").replaceAll("~0", "~"));
  return keys.reduce((node, key) => (isObject(node) && Object.hasOwn(node, key) ? node[key] : undefined), document);
}
