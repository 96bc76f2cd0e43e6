// A handler's parameters as fields of a form, and what the user wrote into them.
//
// A field: { place, name, schema, element, control, values() }; the values are texts or files, none if left blank.

import { h, newId } from "./dom.js";
import { describe, main, sample } from "./schema.js";

const INPUTS = {
  date: "date", "date-time": "datetime-local", time: "time", email: "email", uri: "url",
  integer: "number", number: "number",
};

/** The field of a Parameter Object; those of its members, where it is an object that has the whole query. */
export function parameterFields(parameter) {
  const { in: place, schema } = parameter;
  if (place === "query" && main(schema).properties) return formFields(schema).map((one) => ({ ...one, place }));
  return [field({ ...parameter, place })];
}

/** The fields of a form's schema. */
export function formFields(schema) {
  const one = main(schema);
  return Object.entries(one.properties ?? {}).map(([name, member]) =>
    field({ place: "body", name, schema: member, required: one.required?.includes(name), description: main(member).description }));
}

/** The field of a body that is neither JSON nor a form: a text, or a file. */
export function plainField(schema, required) {
  const { control, values } = isFile(schema) ? fileControl(schema) : textControl(h("textarea", { rows: 4 }), schema);
  return complete({ place: "body", name: "", label: isFile(schema) ? "File" : "Text", schema, required, control, values });
}

/** The field of a whole JSON body. */
export function jsonField(schema, required) {
  const text = JSON.stringify(sample(schema), null, 2);
  const control = h("textarea", { rows: Math.min(text.split("\n").length + 1, 16), spellcheck: "false" });
  control.value = text;
  return complete({ place: "body", name: "", label: "JSON", schema, required, control, values: () => written(control) });
}

function field(told) {
  const schema = main(told.schema);
  const { control, values } = controlOf(schema, told);
  return complete({ ...told, schema, control, values });
}

/** The control, the label that belongs to it, a hint, and the place where an error is shown. */
function complete(told) {
  const { control, required, name, label = name } = told;
  const [id, hint, error] = [newId("field"), newId("hint"), newId("error")];
  control.id = id;
  control.name = name;
  control.setAttribute("aria-describedby", `${hint} ${error}`);
  if (required) control.setAttribute("aria-required", "true");
  const element = h("div", { class: "field" },
    h("label", { for: id }, label, required && h("span", { class: "required" }, " required")),
    control,
    h("p", { class: "hint", id: hint }, hintOf(told)),
    h("p", { class: "error", id: error }));
  return { ...told, element };
}

function hintOf({ schema, description, place }) {
  const preset = schema.default === undefined ? null : `default ${JSON.stringify(schema.default)}`;
  const lines = schema.type === "array" && !isFile(schema.items) && !main(schema.items).enum ? "one a line" : null;
  const sent = place === "cookie" ? "set as a cookie of this site" : null;
  return [description, place === "body" && !schema.type ? null : describe(schema), lines, preset, sent].filter(Boolean).join(" · ");
}

// -- controls -------------------------------------------------------------------------------------

const isFile = (schema) => main(schema).format === "binary";

function controlOf(schema, told) {
  if (isFile(schema) || (schema.type === "array" && isFile(schema.items))) return fileControl(schema);
  if (schema.enum || schema.type === "boolean") return choice(schema.enum ?? [true, false], schema, told);
  if (schema.type === "array") return listControl(schema);
  if (schema.type === "object") return textControl(h("textarea", { rows: 4 }), schema);
  return textControl(inputOf(schema), schema);
}

function inputOf(schema) {
  const type = INPUTS[schema.format] ?? INPUTS[schema.type] ?? "text";
  const step = schema.type === "number" ? "any" : type === "datetime-local" || type === "time" ? 1 : null;
  return h("input", { type, step, min: schema.minimum, max: schema.maximum, autocomplete: "off", spellcheck: "false" });
}

function textControl(control, schema) {
  control.value = schema.examples?.[0] ?? "";
  return { control, values: () => written(control) };
}

const written = (control) => (control.value === "" ? [] : [control.value]);

function choice(values, schema, { required }) {
  const blank = required ? "choose" : "not sent";
  const options = values.map((value) => h("option", { value: String(value) }, String(value)));
  const control = h("select", {}, h("option", { value: "" }, `– ${blank} –`), options);
  return textControl(control, schema);
}

function listControl(schema) {
  const values = main(schema.items ?? {}).enum;
  if (!values) {
    const control = h("textarea", { rows: 2, spellcheck: "false" });
    return { control, values: () => control.value.split("\n").filter(Boolean) };
  }
  const options = values.map((value) => h("option", { value: String(value) }, String(value)));
  const control = h("select", { multiple: true, size: Math.min(values.length, 5) }, options);
  return { control, values: () => [...control.selectedOptions].map((option) => option.value) };
}

function fileControl(schema) {
  const control = h("input", { type: "file", multiple: schema.type === "array" });
  return { control, values: () => [...control.files] };
}

// -- errors ---------------------------------------------------------------------------------------

/** Show each error of a reply beside the field that it is about; those that are about none are returned. */
export function showErrors(fields, errors) {
  for (const one of fields) mark(one, "");
  return errors.filter((error) => {
    const one = fieldOf(fields, error);
    if (one) mark(one, one.name === error.name ? error.message : `${error.name}: ${error.message}`);
    return !one;
  });
}

/** The field of that place and name; else of the member's root ("tags" for "tags[3]"); else the whole body. */
function fieldOf(fields, { in: place, name = "" }) {
  const root = name.split(/[.[]/)[0];
  const near = fields.filter((one) => one.place === place || (place === "file" && one.place === "body"));
  return near.find((one) => one.name === name) ?? near.find((one) => one.name === root) ?? near.find((one) => one.name === "");
}

function mark({ element, control }, message) {
  const shown = element.querySelector(".error");
  shown.textContent = message && shown.textContent ? `${shown.textContent}; ${message}` : message;
  if (message) control.setAttribute("aria-invalid", "true");
  else control.removeAttribute("aria-invalid");
}
