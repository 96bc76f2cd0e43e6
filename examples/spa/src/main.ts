// The front end: two pages, "/" and "/pies/<id>". Paths, parameters, replies and errors have the types of the document:
// when the API changes, this no longer compiles.
import createClient from "openapi-fetch";
import type { components, paths } from "./api.js";

type Pie = components["schemas"]["Pie"];
type Problem = components["schemas"]["Problem"];

const api = createClient<paths>({ baseUrl: location.origin });
const main = document.querySelector("main")!;

function element(name: string, properties: Record<string, unknown> = {}, ...children: (Node | string)[]): HTMLElement {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
}

function form(faults: Record<string, string> = {}, sent: { name?: string; slices?: string } = {}): HTMLElement {
  const name = element("input", { name: "name", value: sent.name ?? "", ariaLabel: "Name", ariaInvalid: String("name" in faults) });
  const slices = element("input", { name: "slices", value: sent.slices ?? "8", ariaLabel: "Slices", inputMode: "numeric" });
  const said = Object.entries(faults).map(([field, fault]) => element("span", { role: "alert" }, `${field}: ${fault}`));
  const made = element("form", {}, name, slices, element("button", {}, "Bake"), ...said) as HTMLFormElement;
  made.onsubmit = async (event) => {
    event.preventDefault();
    const fields = Object.fromEntries(new FormData(made)) as { name: string; slices: string };
    const { error } = await api.POST("/api/pies", { body: { name: fields.name, slices: Number(fields.slices) } });
    if (error) made.replaceWith(form(faultsOf(error), fields));
    else await show();
  };
  return made;
}

function faultsOf(problem: Problem): Record<string, string> {
  const faults = problem.errors?.map(({ name, message }) => [name, message] as const);
  return Object.fromEntries(faults ?? [["", problem.detail ?? problem.title]]);
}

async function list(): Promise<Node[]> {
  const { data = [] } = await api.GET("/api/pies");
  const items = data.map((pie: Pie) => element("li", {}, element("a", { href: `/pies/${pie.id}` }, pie.name)));
  return [form(), element("ul", {}, ...items)];
}

async function details(id: number): Promise<Node[]> {
  const { data, error } = await api.GET("/api/pies/{id}", { params: { path: { id } } });
  if (error) return [element("p", { role: "alert" }, error.title)];
  const eat = element("button", {}, "Eat it");
  eat.onclick = async () => {
    await api.DELETE("/api/pies/{id}", { params: { path: { id } } });
    go("/");
  };
  return [element("h1", {}, data.name), element("p", {}, `${data.slices} slices`), eat];
}

async function show(): Promise<void> {
  const id = /^\/pies\/(\d+)$/.exec(location.pathname)?.[1];
  main.replaceChildren(...(id ? await details(Number(id)) : await list()));
}

function go(path: string): void {
  history.pushState(null, "", path);
  void show();
}

// A link of ours changes the page without loading one.
document.addEventListener("click", (event) => {
  const link = (event.target as Element).closest("a");
  if (link?.origin !== location.origin || event.metaKey || event.ctrlKey) return;
  event.preventDefault();
  go(link.pathname);
});
window.onpopstate = () => void show();
void show();
