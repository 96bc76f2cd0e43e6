// The page: the document is read, its handlers are listed by tag, and the filter and the address choose among them.

import { h, prose } from "./dom.js";
import { handlerView } from "./handler.js";
import { useComponents } from "./schema.js";
import { socketView } from "./socket.js";

const VERBS = ["get", "post", "put", "patch", "delete", "head", "options", "trace"];

const place = document.getElementById("handlers");
const state = document.getElementById("state");
const filter = document.getElementById("filter");

async function start() {
  const reply = await fetch(document.documentElement.dataset.document);
  if (!reply.ok) throw new Error(`${reply.status} ${reply.statusText}`);
  const openapi = await reply.json();
  useComponents(openapi);
  document.title = document.getElementById("title").textContent = openapi.info.title;
  document.getElementById("version").textContent = openapi.info.version;
  document.getElementById("about").textContent = openapi.info.description ?? "";
  place.append(...sections(openapi));
  filter.addEventListener("input", applyFilter);
  addEventListener("hashchange", openNamed);
  applyFilter();
  openNamed();
}

/** A section for each tag, with its handlers. */
function sections(openapi) {
  const entries = [...httpEntries(openapi), ...(openapi["x-websockets"] ?? []).map((one) => ({ tag: one.tags[0], view: socketView(one) }))];
  return openapi.tags?.map(({ name, description }) => {
    const views = entries.filter((one) => one.tag === name).map((one) => one.view);
    return h("section", { class: "tag", "aria-label": name }, h("h2", {}, name), prose(description), views);
  }) ?? [];
}

function* httpEntries({ paths }) {
  for (const [path, item] of Object.entries(paths)) {
    for (const verb of VERBS.filter((name) => item[name])) {
      yield { tag: item[verb].tags[0], view: handlerView(path, verb.toUpperCase(), item[verb]) };
    }
  }
}

/** Only what has all the words stays. */
function applyFilter() {
  const words = filter.value.toLowerCase().split(/\s+/).filter(Boolean);
  for (const one of place.querySelectorAll(".entry")) one.hidden = !words.every((word) => one.dataset.words.includes(word));
  for (const one of place.querySelectorAll(".tag")) one.hidden = !one.querySelector(".entry:not([hidden])");
  const count = place.querySelectorAll(".entry:not([hidden])").length;
  state.textContent = count === 1 ? "1 handler" : `${count} handlers`;
}

/** The handler that the address names is opened. */
function openNamed() {
  const named = [...place.querySelectorAll(".entry")].find((one) => `#${encodeURI(one.id)}` === location.hash);
  if (!named) return;
  named.open = true;
  named.scrollIntoView();
}

start().catch((error) => (state.textContent = `The document could not be read: ${error.message}`));
