// What feeds say of their fields in `/v1/asyncapi.json`: the main one, units, decimals and roles. Loaded on use.

const DEPTH_MAX = 4;
const FIELDS_MAX = 200;
const WELL_FORMED = {
  role: (mark) => typeof mark === "string",
  unit: (mark) => typeof mark === "string" && mark !== "",
  decimals: (mark) => Number.isInteger(mark) && mark >= 0 && mark <= 18,
};

/** A schema with what it refers to and what it is made of. */
function whole(schema, document, depth = 0) {
  if (schema === null || typeof schema !== "object" || depth > DEPTH_MAX) return {};
  const path = typeof schema.$ref === "string" && schema.$ref.startsWith("#/") ? schema.$ref.slice(2).split("/") : [];
  const found = path.length > 0 ? path.reduce((node, key) => node?.[key], document) : undefined;
  const parts = [...(Array.isArray(schema.allOf) ? schema.allOf : []), found];
  return Object.assign({}, ...parts.map((part) => whole(part, document, depth + 1)), schema);
}

/** The marks of a feed's kind, as `figure.js` reads them: `name` is `feed.kind`. */
export function marksOf(document, name) {
  const schema = whole(document?.components?.schemas?.[name], document);
  const marks = { roles: {}, fields: {}, isSimulated: schema["x-tickerd-simulated"] === true };
  for (const [path, field] of [["", schema], ...Object.entries(schema.properties ?? {}).slice(0, FIELDS_MAX)]) {
    const said = whole(field, document);
    /** @type {any} */
    const marked = (marks.fields[path] = {});
    for (const [mark, isWellFormed] of Object.entries(WELL_FORMED)) {
      if (isWellFormed(said[`x-tickerd-${mark}`])) marked[mark] = said[`x-tickerd-${mark}`];
    }
    if (marked.role) marks.roles[marked.role] ??= path;
    if (said["x-tickerd-main"] !== true) continue;
    marks.main ??= path;
    marks.isSimulated ||= said["x-tickerd-simulated"] === true;
  }
  return marks;
}
