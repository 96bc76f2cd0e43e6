// Calls the running applications by the functions that @hey-api/openapi-ts has made of their documents.

import { deskAttach, deskFinish, deskLogin, itemsIndex, itemsOfficeTicks, itemsPost } from "./sdk/shop/index.js";
import { client as shop } from "./sdk/shop/client.gen.js";
import { todosDelete, todosGet, todosIndex, todosPatch, todosPost } from "./sdk/todo/index.js";
import { client as todo } from "./sdk/todo/client.gen.js";
import type { Item, Problem } from "./sdk/shop/index.js";

declare const process: { argv: string[] };

const [todoUrl, shopUrl] = process.argv.slice(2);
const headers = { Accept: "application/json" };
todo.setConfig({ baseUrl: todoUrl, headers });
shop.setConfig({ baseUrl: shopUrl, headers });

async function lifeOfTodo() {
  const added = await todosPost({ body: { title: "Bake a pie", due: "2030-01-31" }, throwOnError: true });
  const path = { id: added.data.id };
  const listed = await todosIndex({ query: { state: "open" }, throwOnError: true });
  const changed = await todosPatch({ path, body: { state: "done" }, throwOnError: true });
  const removed = await todosDelete({ path });
  const gone = await todosGet({ path });
  return [added.data.title, listed.data.length, changed.data.state, removed.response?.status, gone.response?.status];
}

async function items() {
  const body = { name: "Kite", price: "12.50", colours: ["blue" as const] };
  const item: Item = (await itemsPost({ body, throwOnError: true })).data;
  const page = await itemsIndex({ query: { colours: ["red", "blue"] }, throwOnError: true });
  const wrong = await itemsPost({ body: { name: "x".repeat(21), price: "1" } });
  const problem = wrong.error as Problem;
  return [item.price, page.data.items[0].price, problem.status, problem.errors?.[0].name];
}

async function desk() {
  const finish = (await deskFinish({ body: { kind: "wrap", layers: 3 }, throwOnError: true })).data;
  const login = await deskLogin({ body: { user: "ann", password: "secret", remember: true } });
  const attached = await deskAttach({ body: { picture: new Blob(["12345"]), title: "Five" } });
  return [finish.kind === "wrap" ? finish.layers : finish.colour, login.data, attached.data];
}

async function ticks() {
  const path = { item_id: "00000000-0000-0000-0000-000000000001" };
  const auth = () => "kite";
  const { stream } = await itemsOfficeTicks({ path, auth, headers: { Accept: "text/event-stream" } });
  const found: unknown[] = [];
  for await (const tick of stream) found.push(tick);
  return found;
}

/** What the types refuse. It is compiled, and never called. */
export async function refused() {
  // @ts-expect-error - there is no green
  await itemsIndex({ query: { colours: ["green"] } });
  // @ts-expect-error - a draft has a name
  await itemsPost({ body: { price: "1" } });
}

console.log(JSON.stringify([await lifeOfTodo(), await items(), await desk(), await ticks()]));
