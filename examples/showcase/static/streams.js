import {$} from "page";

const panel = $("#stream"), form = $("form", panel), told = $("#told"), wire = $("#wire-text"), start = $("#start"), stop = $("#stop"), status = $("#status");
let leaving = null;

new EventSource(panel.dataset.endings).onmessage = ({data}) => {
  const {words, worker} = JSON.parse(data);
  status.textContent = `Worker ${worker} closed the generator after ${words} words.`;
};

function hear(line) {
  if (!line.includes("{")) return; // an event's other lines, and comments
  told.append(`${JSON.parse(line.slice(line.indexOf("{"))).text} `);
}

async function listen() {
  leaving = new AbortController();
  const reply = await fetch(`${form.action}?${new URLSearchParams(new FormData(form))}`, {headers: {Accept: $("#accept").value}, signal: leaving.signal});
  const reader = reply.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "", text, done;
  while ({value: text, done} = await reader.read(), !done) {
    wire.append(text);
    wire.scrollTop = wire.scrollHeight;
    const lines = (rest + text).split("\n");
    rest = lines.pop();
    lines.forEach(hear);
  }
}

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  told.textContent = wire.textContent = status.textContent = "";
  start.disabled = true;
  stop.disabled = false;
  try {
    await listen();
  } catch (error) {
    if (error.name !== "AbortError") status.textContent = "The connection broke off.";
  }
  start.disabled = false;
  stop.disabled = true;
});
stop.addEventListener("click", () => leaving.abort());
