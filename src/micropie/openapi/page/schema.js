// JSON Schemas: looked up, told in words, and made into an example.

let components = {};

/** From now on references are looked up in this document. */
export const useComponents = (openapi) => (components = openapi.components ?? {});

/** The schema or response itself, where there is a reference to it; what stands beside the reference stays. */
export function resolve(one = {}) {
  if (!one.$ref) return one;
  const { $ref, ...beside } = one;
  const [, , kind, name] = $ref.split("/");
  return { ...resolve(components[kind]?.[name]), ...beside };
}

/** The alternative that matters for a form: a schema without null. */
export function main(schema) {
  const one = resolve(schema);
  const other = one.anyOf?.find((alternative) => resolve(alternative).type !== "null");
  return other ? { ...main(other), ...one, anyOf: undefined } : one;
}

/** A schema in a few words: "integer, at least 1". */
export function describe(schema) {
  const one = main(schema);
  return [one.enum ? null : kindOf(one), ...limits(one)].filter(Boolean).join(", ");
}

function kindOf(one) {
  if (one.type === "array" && one.items) return `list of ${describe(one.items) || "values"}`;
  if (one.format === "binary") return "file";
  return one.format ?? (one.type === "string" ? "text" : one.type);
}

const LIMITS = {
  minimum: "at least", exclusiveMinimum: "more than", maximum: "at most", exclusiveMaximum: "less than",
  multipleOf: "a multiple of", minItems: "items at least", maxItems: "items at most",
  maxLength: "characters at most", pattern: "matching",
};

function limits(one) {
  const said = Object.entries(LIMITS).filter(([key]) => one[key] != null).map(([key, words]) => `${words} ${one[key]}`);
  if (one.minLength > 1) said.push(`characters at least ${one.minLength}`);
  return said;
}

const SAMPLES = {
  integer: 0, number: 0, boolean: true, null: null, string: "text",
  uuid: "123e4567-e89b-12d3-a456-426614174000", date: "2030-01-31", "date-time": "2030-01-31T12:00:00",
  time: "12:00:00", duration: "PT1H", decimal: "1.50",
};

/** A value that fits the schema, as far as an example goes; what contains itself ends at the second time. */
export function sample(schema = {}, within = []) {
  if (schema.$ref) {
    if (within.includes(schema.$ref)) return null;
    within = [...within, schema.$ref];
  }
  const one = resolve(schema);
  if (one.examples?.length) return one.examples[0];
  if (one.default !== undefined) return one.default;
  if (one.enum) return one.enum[0];
  if (one.const !== undefined) return one.const;
  return structured(one, within) ?? plain(one);
}

function structured(one, within) {
  if (one.allOf) return Object.assign({}, ...one.allOf.map((part) => sample(part, within)));
  const alternatives = one.anyOf ?? one.oneOf;
  if (alternatives) return sample(alternatives[0], within);
  if (one.properties) {
    return Object.fromEntries(Object.entries(one.properties).map(([name, part]) => [name, sample(part, within)]));
  }
  if (one.prefixItems) return one.prefixItems.map((part) => sample(part, within));
  if (one.type === "array") return one.items ? [sample(one.items, within)].filter((item) => item !== null) : [];
  return one.type === "object" ? {} : undefined;
}

function plain(one) {
  if (one.minimum != null || one.exclusiveMinimum != null) return one.minimum ?? one.exclusiveMinimum + 1;
  return SAMPLES[one.format] ?? SAMPLES[one.type] ?? null;
}
