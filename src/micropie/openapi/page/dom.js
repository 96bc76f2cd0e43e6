// Elements. What comes from a server only ever becomes text.

let count = 0;

/** An id that no other element has. */
export const newId = (word) => `${word}-${++count}`;

/** An element with its attributes, its listeners ("onclick": …), and its children: elements, texts, or nothing. */
export function h(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else if (value === true) element.setAttribute(key, "");
    else if (value !== false && value != null) element.setAttribute(key, value);
  }
  element.append(...children.flat().filter((child) => child != null && child !== false && child !== ""));
  return element;
}

/** Paragraphs of a text; single line breaks stay. */
export const prose = (text) => (text ?? "").split(/\n{2,}/).filter(Boolean).map((part) => h("p", { class: "prose" }, part));

/** A block that scrolls sideways by itself, and is reached by the keyboard for that. */
export const block = (label, text = "") => h("pre", { tabindex: 0, role: "region", "aria-label": label }, text);

/** A button that copies what `text` gives; where the browser forbids that, it selects `shown`. */
export function copyButton(label, shown) {
  const button = h("button", { type: "button", class: "quiet", "aria-label": label, onclick: copy }, "Copy");
  async function copy() {
    try {
      await navigator.clipboard.writeText(shown.textContent);
      button.textContent = "Copied";
    } catch {
      getSelection().selectAllChildren(shown);
      button.textContent = "Selected";
    }
    setTimeout(() => (button.textContent = "Copy"), 2000);
  }
  return button;
}
