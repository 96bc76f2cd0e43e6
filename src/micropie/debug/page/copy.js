"use strict";
const button = document.getElementById("copy");
if (button && navigator.clipboard) {
  button.hidden = false;
  button.addEventListener("click", async () => {
    const said = document.getElementById("copied");
    try {
      await navigator.clipboard.writeText(document.getElementById("text").textContent);
      said.textContent = "Copied";
    } catch {
      said.textContent = "The browser does not allow it: take it from the end of the page";
    }
  });
}
