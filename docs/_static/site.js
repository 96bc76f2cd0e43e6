// Code and tables that scroll within themselves can be reached by the keyboard.
function reach() {
  for (const element of document.querySelectorAll("pre, .table-wrapper")) {
    if (element.scrollWidth > element.clientWidth) element.tabIndex = 0;
    else element.removeAttribute("tabindex");
  }
}

addEventListener("load", reach);
addEventListener("resize", reach);
