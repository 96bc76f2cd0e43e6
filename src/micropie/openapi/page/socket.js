// One WebSocket handler: a console to talk to it.

import { address } from "./call.js";
import { h, newId, prose } from "./dom.js";
import { parameterFields } from "./form.js";
import { entry, groups } from "./handler.js";

const SENDABLE = ["path", "query"]; // no page can set the headers of a handshake

/** The handler, closed: a line that opens. */
export function socketView(described) {
  const content = h("div", { class: "inside" });
  const view = entry({ badge: "WS", path: described.path, operation: described, content });
  view.addEventListener("toggle", () => content.hasChildNodes() || content.append(...prose(described.description), socketConsole(described)));
  return view;
}

function socketConsole({ path, parameters = [] }) {
  const fields = parameters.filter((one) => SENDABLE.includes(one.in)).flatMap(parameterFields);
  const log = h("ol", { class: "log", role: "log", tabindex: 0, "aria-label": "Conversation" });
  const state = h("p", { class: "status", role: "status" }, "Not connected");
  const link = h("button", { type: "submit" }, "Connect");
  const { form: sender, enable } = senderForm((text) => socket.send(text) ?? note(log, "sent", text));
  let socket = null;

  function toggle(event) {
    event.preventDefault();
    if (socket) return socket.close(1000);
    socket = open(address(path, fields), { log, opened, closed });
    link.textContent = "Disconnect";
    state.textContent = "Connecting …";
  }
  function opened() {
    state.textContent = "Connected";
    enable(true);
  }
  function closed({ code, reason }) {
    socket = null;
    link.textContent = "Connect";
    state.textContent = `Closed with ${[code, reason].filter(Boolean).join(": ")}`;
    enable(false);
  }
  const connector = h("form", { novalidate: true, onsubmit: toggle }, groups(fields), h("div", { class: "actions" }, link, state));
  return h("div", { class: "try" }, connector, sender, log);
}

/** The connection; what comes over it is listed. */
function open(url, { log, opened, closed }) {
  url.protocol = url.protocol.replace("http", "ws");
  const socket = new WebSocket(url);
  socket.binaryType = "arraybuffer";
  socket.onopen = opened;
  socket.onmessage = ({ data }) => note(log, "received", typeof data === "string" ? data : `${data.byteLength} bytes`);
  socket.onclose = (event) => {
    note(log, "closed", [event.code, event.reason].filter(Boolean).join(": "));
    closed(event);
  };
  return socket;
}

function senderForm(send) {
  const id = newId("message");
  const text = h("textarea", { id, rows: 2, spellcheck: "false", disabled: true, onkeydown: sendOnEnter });
  const button = h("button", { type: "submit", disabled: true }, "Send");
  const hint = h("p", { class: "hint" }, "Enter sends, Shift+Enter breaks the line");
  const form = h("form", { onsubmit: submit }, h("div", { class: "field" }, h("label", { for: id }, "Message"), text, hint), button);
  function submit(event) {
    event.preventDefault();
    send(text.value);
    text.value = "";
  }
  function sendOnEnter(event) {
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    form.requestSubmit();
  }
  return { form, enable: (on) => (text.disabled = button.disabled = !on) };
}

const SIGNS = { sent: "↑", received: "↓", closed: "×" };

function note(log, kind, text) {
  const time = new Date().toLocaleTimeString([], { hour12: false });
  log.append(h("li", { class: kind },
    h("time", {}, time), h("span", { class: "sign", title: kind, role: "img", "aria-label": kind }, SIGNS[kind]), h("span", { class: "text" }, text)));
  log.scrollTop = log.scrollHeight;
}
