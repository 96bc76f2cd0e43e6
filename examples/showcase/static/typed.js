import {$, element} from "page";

const pies = $("#typed").dataset.pies, verb = $("#verb"), path = $("#path"), body = $("#body");
const examples = {
  fits: ["POST", pies, '{"name": "Friday plum", "slices": 8, "price": "21.50", "contains": ["gluten", "nuts"]}'],
  faults: ["POST", pies, '{"name": "", "slices": 99, "price": "21.50", "contains": ["gluten", "sand"]}'],
  broken: ["POST", pies, '{"name": "Friday plum"'],
  missing: ["GET", `${pies}/1000000`, ""],
  verb: ["PUT", pies, '{"name": "Friday plum"}'],
  list: ["GET", pies, ""],
};

async function ask() {
  const began = performance.now();
  const answer = await fetch(path.value, {
    method: verb.value,
    headers: {"Accept": "application/json", ...(body.value && {"Content-Type": "application/json"})},
    body: verb.value === "GET" ? undefined : body.value,
  });
  const text = await answer.text(), took = performance.now() - began;
  const about = [answer.headers.get("location") && `Location: ${answer.headers.get("location")}`, answer.headers.get("allow") && `Allow: ${answer.headers.get("allow")}`, answer.headers.get("content-type")];
  $("#status").replaceChildren(
    element("b", {class: answer.ok ? "good" : "bad"}, String(answer.status)),
    element("span", {}, [...about.filter(Boolean), `${took.toFixed(0)} ms`].join(" · ")),
  );
  const shown = $("#answer");
  shown.hidden = false;
  try { shown.textContent = JSON.stringify(JSON.parse(text), null, 2); } catch { shown.textContent = text || "(no body)"; }
  shown.scrollIntoView({block: "nearest"});
}

for (const button of document.querySelectorAll("[data-try]")) {
  button.addEventListener("click", () => { [verb.value, path.value, body.value] = examples[button.dataset.try]; ask(); });
}
$("#request").addEventListener("submit", (event) => { event.preventDefault(); ask(); });
