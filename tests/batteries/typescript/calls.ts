// Calls the running applications by the types that openapi-typescript has made of their documents, and prints the replies.

import createClient from "openapi-fetch";
import type { components as ShopComponents, paths as ShopPaths } from "./shop.js";
import type { paths as TodoPaths } from "./todo.js";

declare const process: { argv: string[] };

type Item = ShopComponents["schemas"]["Item"];

const [todoUrl, shopUrl] = process.argv.slice(2);
const headers = { Accept: "application/json" };
const todo = createClient<TodoPaths>({ baseUrl: todoUrl, headers });
const shop = createClient<ShopPaths>({ baseUrl: shopUrl, headers });

async function lifeOfTodo() {
  const added = await todo.POST("/todos", { body: { title: "Bake a pie", due: "2030-01-31" } });
  const id: number = added.data!.id;
  const path = { id };
  const listed = await todo.GET("/todos", { params: { query: { state: "open", before: "2030-02-01" } } });
  const replaced = await todo.PUT("/todos/{id}", { params: { path }, body: { title: "Eat it" } });
  const changed = await todo.PATCH("/todos/{id}", { params: { path }, body: { state: "done" } });
  const count: Record<string, number> = (await todo.GET("/todos/count")).data!;
  const removed = await todo.DELETE("/todos/{id}", { params: { path } });
  return [added.data, listed.data, replaced.data, changed.data, count, removed.response.status];
}

async function items() {
  const body = { name: "Kite", price: 12.5, colours: ["red" as const], since: "2030-01-31T12:00:00Z" };
  const added = await shop.POST("/items", { body });
  const item: Item = added.data!;
  const query = { colours: ["red" as const, "blue" as const], most: "20" };
  const page = await shop.GET("/items", { params: { query } });
  const first: string = page.data!.items[0].price;
  return [added.response.status, item, page.data!.total, first];
}

async function desk() {
  const order = await shop.POST("/desk/order", { body: { item_id: "00000000-0000-0000-0000-000000000001", secret: "x" } });
  const label: string = order.data!.label;
  const finish = (await shop.POST("/desk/finish", { body: { kind: "wrap", layers: 3 } })).data!;
  const layers = finish.kind === "wrap" ? finish.layers : finish.colour;
  return [order.response.status, label, layers];
}

async function bodies() {
  const form = { "Content-Type": "application/x-www-form-urlencoded" };
  const login = await shop.POST("/desk/login", { body: { user: "ann", password: "secret", remember: true }, headers: form });
  const attached = await shop.POST("/desk/attach", {
    body: { picture: "12345", title: "Five" },
    bodySerializer: ({ picture, title }) => {
      const parts = new FormData();
      parts.append("picture", new Blob([picture]), "five.txt");
      parts.append("title", title!);
      return parts;
    },
  });
  const stored = await shop.PUT("/desk/store", {
    body: "bytes",
    bodySerializer: (body) => new Blob([body], { type: "application/octet-stream" }),
    headers: { "Content-Type": "application/octet-stream" },
  });
  return [login.data, attached.data, stored.data];
}

async function replies() {
  const picture = await shop.GET("/desk/picture", { parseAs: "arrayBuffer" });
  const news: string = (await shop.GET("/desk/news", { parseAs: "text" })).data!;
  const now: string = (await shop.GET("/desk/now")).data!;
  const wrong = await shop.POST("/items", { body: { name: "x".repeat(21), price: "1" } });
  const problem = wrong.error && typeof wrong.error !== "string" ? wrong.error.errors![0].name : null;
  return [picture.data!.byteLength, news, now, wrong.response.status, problem];
}

/** What the types refuse. It is compiled, and never called. */
export async function refused() {
  // @ts-expect-error - there is no green
  await shop.GET("/items", { params: { query: { colours: ["green"] } } });
  // @ts-expect-error - a draft has a name
  await shop.POST("/items", { body: { price: "1" } });
  // @ts-expect-error - an order is one of an item
  await shop.POST("/desk/order", { body: { count: 1 } });
  // @ts-expect-error - a wrap has no colour
  await shop.POST("/desk/finish", { body: { kind: "wrap", colour: "red" } });
  // @ts-expect-error - its secret stays inside
  (await shop.POST("/desk/order", { body: { item_id: "1" } })).data!.secret;
  // @ts-expect-error - a removed todo has no body
  (await todo.DELETE("/todos/{id}", { params: { path: { id: 1 } } })).data!.title;
}

console.log(JSON.stringify([await lifeOfTodo(), await items(), await desk(), await bodies(), await replies()]));
