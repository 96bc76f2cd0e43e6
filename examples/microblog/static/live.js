// The timeline goes on by itself. What arrives is HTML that the server has made, and escaped, with its own template.
const list = document.getElementById("posts");
const live = document.getElementById("live");
const text = document.getElementById("text");
const left = document.getElementById("left");

const events = new EventSource(live.dataset.url);
events.addEventListener("message", ({ data }) => {
    const { id, html } = JSON.parse(data);
    const old = document.getElementById(`post-${id}`);
    if (!html) return old?.remove();
    if (old) return;
    list.insertAdjacentHTML("afterbegin", html);
    const post = list.firstElementChild;
    post.classList.add("new");
    live.textContent = `New: ${post.querySelector(".about a").textContent}`;
});
events.addEventListener("gap", () => (live.textContent = "Some posts are missing here: reload the page."));
events.addEventListener("error", () => (live.textContent = events.readyState === EventSource.CLOSED ? "Reload the page to see what is new." : "Connecting again …"));
events.addEventListener("open", () => (live.textContent = ""));

text.addEventListener("input", () => {
    const rest = text.maxLength - text.value.length;
    left.textContent = `${rest} character${rest === 1 ? "" : "s"} left`;
});
text.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) text.form.requestSubmit();
});
