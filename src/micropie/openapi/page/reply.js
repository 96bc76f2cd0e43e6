// A reply, shown as it arrives: status, headers, body, time.

import { block, copyButton, h } from "./dom.js";

const SHOWN = 200_000; // characters of a body; more would make the page slow

const isText = (type) => !type || /^text\/|json|xml|javascript|urlencoded/.test(type);
const isJson = (type) => /[/+]json\b/.test(type);

/** An empty place for replies, whose status is read out. */
export function replyView() {
  const status = h("p", { class: "status", role: "status" });
  const rest = h("div");
  return { element: h("section", { class: "reply", "aria-label": "Reply" }, status, rest), status, rest };
}

/** What is seen while there is no reply yet: the command that does the same. */
export function showWaiting(view, command) {
  const shown = block("The same with curl", command);
  const label = h("h5", {}, "curl", copyButton("Copy the curl command", shown));
  view.curl = h("div", { class: "curl" }, label, shown);
  view.status.replaceChildren("Waiting …");
  view.rest.replaceChildren(view.curl);
}

/** The reply, chunk by chunk; its errors by field, where it has some. */
export async function showReply(view, reply, started) {
  const type = reply.headers.get("content-type") ?? "";
  const body = block("Body");
  view.rest.replaceChildren(h("h5", {}, "Body"), body, headersOf(reply), view.curl);
  showStatus(view, reply, started);
  const chunks = await read(reply, (text) => isText(type) && append(body, text));
  showStatus(view, reply, started, chunks);
  return isText(type) ? finishText(body, chunks, type) : finishFile(body, chunks, type);
}

/** Why there is no (whole) reply. */
export function showFailure(view, error) {
  const stopped = error.name === "AbortError";
  view.status.replaceChildren(h("strong", { class: stopped ? "" : "bad" }, stopped ? "Stopped" : `Failed: ${error.message}`));
}

function showStatus({ status }, reply, started, chunks) {
  const code = h("strong", { class: reply.ok ? "good" : "bad" }, `${reply.status} ${reply.statusText}`.trim());
  const time = `${Math.round(performance.now() - started)} ms`;
  const size = chunks ? `${sizeOf(chunks).toLocaleString()} bytes` : "arriving …";
  const redirected = reply.redirected ? `from ${reply.url}` : null;
  status.replaceChildren(code, ...[time, size, redirected].filter(Boolean).map((text) => h("span", {}, text)));
}

const sizeOf = (chunks) => chunks.reduce((sum, chunk) => sum + chunk.length, 0);

function headersOf(reply) {
  const rows = [...reply.headers].map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, value)));
  return h("details", {}, h("summary", {}, `Headers (${rows.length})`), h("dl", {}, rows));
}

/** All chunks; each is handed on as text the moment it is there. */
async function read(reply, onText) {
  const chunks = [];
  const decoder = new TextDecoder();
  const reader = reply.body?.getReader();
  for (let part = await reader?.read(); part && !part.done; part = await reader.read()) {
    chunks.push(part.value);
    onText(decoder.decode(part.value, { stream: true }));
  }
  return chunks;
}

function append(body, text) {
  const room = SHOWN - body.textContent.length;
  if (room > 0) body.append(text.slice(0, room));
}

/** JSON is laid out; what was too long to show can be saved. */
async function finishText(body, chunks, type) {
  const blob = new Blob(chunks, { type });
  const text = await blob.text();
  const value = isJson(type) ? parsed(text) : undefined;
  const pretty = value === undefined ? text : JSON.stringify(value, null, 2);
  body.textContent = pretty.slice(0, SHOWN);
  if (text.length > SHOWN) body.after(saveLink(blob));
  if (text === "") body.replaceChildren(h("em", {}, "empty"));
  return value?.errors ?? [];
}

function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function finishFile(body, chunks, type) {
  const blob = new Blob(chunks, { type });
  body.replaceChildren(h("em", {}, `${type}, no text`));
  body.after(saveLink(blob));
  return [];
}

function saveLink(blob) {
  const link = h("a", { href: URL.createObjectURL(blob), download: "reply" }, "Save the body");
  return h("p", {}, link);
}
