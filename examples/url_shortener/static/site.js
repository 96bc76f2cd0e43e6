// The page's links and their keys are in this browser only. What the API says is shown as text, never as HTML.
const form = document.getElementById("make");
const news = document.getElementById("news");
const yours = document.getElementById("yours");
const template = document.getElementById("link");
const { api } = form.dataset;

const kept = () => JSON.parse(localStorage.getItem("links") ?? "[]");
const keep = (links) => localStorage.setItem("links", JSON.stringify(links));

async function ask(method, path, { body, key } = {}) {
    const headers = { Accept: "application/json" };
    if (body) headers["Content-Type"] = "application/json";
    if (key) headers.Authorization = `Bearer ${key}`;
    const reply = await fetch(api + path, { method, headers, body: body && JSON.stringify(body) });
    const text = await reply.text();
    return { ok: reply.ok, status: reply.status, data: text ? JSON.parse(text) : null };
}

// An error is problem details (RFC 9457): what is wrong with a field stands beside it, all else above the list.
function show(problem) {
    for (const name of ["url", "name"]) {
        const fault = problem?.errors?.find((error) => error.name === name)?.message ?? "";
        document.getElementById(`${name}-wrong`).textContent = fault && `This ${fault}.`.replace("This expected", "We expected");
        form[name].toggleAttribute("aria-invalid", Boolean(fault));
    }
    form.querySelector("[aria-invalid]")?.focus();
    news.textContent = problem && !problem.errors ? [problem.title, problem.detail].filter(Boolean).join(": ") : "";
}

function draw({ name, key, short, url }) {
    const item = template.content.cloneNode(true).firstElementChild;
    const anchor = item.querySelector(".short");
    anchor.href = short;
    anchor.textContent = short.replace(/^https?:\/\//, "");
    item.querySelector(".target").textContent = url;
    item.querySelector(".copy").addEventListener("click", async () => {
        await navigator.clipboard.writeText(short);
        news.textContent = `${anchor.textContent} is copied.`;
    });
    item.querySelector(".delete").addEventListener("click", async () => {
        const { ok, status } = await ask("DELETE", `/${name}`, { key });
        if (!ok && status !== 404) return;
        keep(kept().filter((link) => link.name !== name));
        item.remove();
        yours.hidden = !kept().length;
        news.textContent = `${anchor.textContent} is deleted.`;
    });
    yours.querySelector("ul").prepend(item);
    yours.hidden = false;
    return item;
}

async function count(item, { name, key }) {
    const { ok, data } = await ask("GET", `/${name}`, { key });
    item.querySelector(".clicks").textContent = ok ? `${data.clicks} click${data.clicks === 1 ? "" : "s"}` : "gone";
}

form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const { ok, data } = await ask("POST", "", { body: Object.fromEntries(new FormData(form)) });
    show(ok ? null : data);
    if (!ok) return;
    keep([...kept(), data]);
    form.reset();
    const item = draw(data);
    await count(item, data);
    item.querySelector(".copy").focus();
});

const items = kept().map((link) => [draw(link), link]);
const recount = () => items.forEach(([item, link]) => item.isConnected && count(item, link));
recount();
addEventListener("focus", recount);
