// What every page has: the theme without a reload, the time that the page took, buttons that copy.

export const $ = (selector, root = document) => root.querySelector(selector);

/** An element with text and children; text is never HTML. */
export function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

/** A WebSocket of this site. */
export const socketTo = (path) => new WebSocket(new URL(path, location.href.replace(/^http/, "ws")));

$(".theme").addEventListener("submit", (event) => {
  event.preventDefault();
  const chosen = event.submitter;
  document.documentElement.dataset.theme = chosen.value;
  for (const button of chosen.form.querySelectorAll("button")) button.setAttribute("aria-pressed", button === chosen);
  fetch(chosen.form.action, {method: "POST", body: new URLSearchParams({theme: chosen.value}), redirect: "manual"});
});

const took = performance.getEntriesByType("navigation")[0]?.serverTiming.find((one) => one.name === "app");
if (took) $("#made span").textContent = ` in ${took.duration.toFixed(1)} ms`;

for (const button of document.querySelectorAll("[data-copy]")) {
  if (!navigator.clipboard) break;
  button.hidden = false;
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(button.dataset.copy);
    button.textContent = "Copied";
    setTimeout(() => { button.textContent = "Copy"; }, 1500);
  });
}

// On a phone the tour is a strip: show where we are.
const here = $(".tour [aria-current]"), strip = $(".tour");
if (here) strip.scrollLeft = here.offsetLeft - (strip.clientWidth - here.offsetWidth) / 2;
