// One HTTP handler: what it is, its form, its replies.

import { curl, prepare, send } from "./call.js";
import { block, h, prose } from "./dom.js";
import { formFields, jsonField, parameterFields, plainField, showErrors } from "./form.js";
import { replyView, showFailure, showReply, showWaiting } from "./reply.js";
import { resolve, sample } from "./schema.js";

const PLACES = { path: "Path", query: "Query", header: "Headers", cookie: "Cookies" };
const JSON_TYPE = "application/json";
const FORM_TYPES = ["application/x-www-form-urlencoded", "multipart/form-data"];

/** The handler, closed: a line that opens. */
export function handlerView(path, verb, operation) {
  const content = h("div", { class: "inside" });
  const view = entry({ badge: verb, path, operation, content });
  view.addEventListener("toggle", () => content.hasChildNodes() || fill(content, path, verb, operation));
  return view;
}

/** What every entry of the page looks like. Its address is written when it is opened. */
export function entry({ badge, path, operation, content }) {
  const { operationId, summary, deprecated } = operation;
  const line = h("summary", {},
    h("span", { class: `badge ${badge.toLowerCase()}` }, badge),
    h("code", { class: deprecated ? "path old" : "path" }, path),
    deprecated && h("span", { class: "note" }, "deprecated"),
    h("span", { class: "what" }, summary));
  const words = `${badge} ${path} ${operationId} ${summary ?? ""} ${(operation.tags ?? []).join(" ")}`.toLowerCase();
  const view = h("details", { class: "entry", id: `/${operationId}`, "data-words": words }, line, content);
  view.addEventListener("toggle", () => view.open && history.replaceState(null, "", `#${view.id}`));
  return view;
}

function fill(content, path, verb, operation) {
  content.append(...prose(operation.description), callForm(path, verb, operation), replies(operation));
}

// -- the form -------------------------------------------------------------------------------------

function callForm(path, verb, operation) {
  const fields = [...(operation.parameters ?? []), ...authorization(operation)].flatMap(parameterFields);
  const body = bodyPart(operation.requestBody);
  const view = replyView();
  const stop = h("button", { type: "button", class: "quiet", hidden: true }, "Stop");
  const loose = h("p", { class: "error", role: "alert" });
  const actions = h("div", { class: "actions" }, h("button", { type: "submit" }, "Try it"), stop);
  const form = h("form", { novalidate: true, onsubmit: submit }, groups(fields), body.element, loose, actions);

  async function submit(event) {
    event.preventDefault();
    const all = [...fields, ...body.fields];
    const call = prepare(path, verb, all, body.type);
    const errors = await run({ call, view, stop });
    loose.textContent = showErrors(all, errors).map((error) => `${error.name}: ${error.message}`).join("; ");
  }
  return h("div", { class: "try" }, form, view.element);
}

/** The field of a handler that wants to know who is calling. */
function authorization({ security }) {
  const required = !security?.some((one) => Object.keys(one).length === 0);
  const described = { name: "Authorization", in: "header", required, schema: { type: "string" } };
  const schemes = (security ?? []).flatMap(Object.keys).map((name) => resolve({ $ref: `#/components/securitySchemes/${name}` }));
  return schemes.some(isInAuthorization) ? [described] : [];
}

/** True for a security scheme by which a client says in the header Authorization who it is. */
function isInAuthorization({ type, name, in: place }) {
  return type === "apiKey" ? place === "header" && name.toLowerCase() === "authorization" : type !== "mutualTLS";
}

/** Fields by the part of the request that they belong to. */
export function groups(fields) {
  const places = Object.keys(PLACES).filter((place) => fields.some((field) => field.place === place));
  return places.map((place) => group(PLACES[place], fields.filter((field) => field.place === place)));
}

const group = (title, fields, ...first) =>
  h("fieldset", {}, h("legend", {}, title), ...first, h("div", { class: "fields" }, fields.map((field) => field.element)));

/** The body's fields, under the type of its content. */
function bodyPart(requestBody) {
  if (!requestBody) return { element: null, fields: [], type: null };
  const [type] = Object.keys(requestBody.content);
  const fields = bodyFields(type, requestBody);
  return { element: group("Body", fields, h("p", { class: "hint" }, type)), fields, type };
}

function bodyFields(type, { content, required }) {
  const { schema } = content[type];
  if (FORM_TYPES.includes(type)) return formFields(schema);
  return [(type === JSON_TYPE ? jsonField : plainField)(schema, required)];
}

// -- the call -------------------------------------------------------------------------------------

/** Call, show what comes, and give the errors that the reply lists. */
async function run({ call, view, stop }) {
  const controller = new AbortController();
  const started = performance.now();
  stop.onclick = () => controller.abort();
  stop.hidden = false;
  showWaiting(view, curl(call));
  try {
    return await showReply(view, await send(call, controller.signal), started);
  } catch (error) {
    showFailure(view, error);
    return [];
  } finally {
    stop.hidden = true;
  }
}

// -- what it answers ------------------------------------------------------------------------------

function replies({ responses }) {
  const rows = Object.entries(responses).map(([status, response]) => answer(status, resolve(response)));
  return h("section", { class: "answers", "aria-label": "Documented replies" }, h("h4", {}, "Replies"), rows);
}

function answer(status, { description, content = {} }) {
  const [type, media] = Object.entries(content)[0] ?? [];
  const title = [h("strong", {}, status), " ", description, type && h("span", { class: "note" }, type)];
  if (!media?.schema || resolve(media.schema).type === "string") return h("p", {}, title);
  const example = JSON.stringify(sample(media.schema), null, 2);
  return h("details", {}, h("summary", {}, title), block(`Example of ${status}`, example));
}
