// What the user wrote, made into a call; the same call for a shell.

const root = new URL(document.documentElement.dataset.root, location.href);

const FORM = "application/x-www-form-urlencoded";
const ACCEPT = "application/json, application/problem+json, */*;q=0.5";

/** The address of a handler with its path and query filled in. */
export function address(path, fields) {
  const url = new URL(root);
  const filled = path.replace(/\{(.+?)\}/g, (_, name) => pathValue(fields, name));
  url.pathname = root.pathname.replace(/\/$/, "") + filled;
  for (const { name, values } of inPlace(fields, "query")) {
    for (const value of values()) url.searchParams.append(name, value);
  }
  return url;
}

function pathValue(fields, name) {
  const one = fields.find((field) => field.place === "path" && field.name === name);
  const text = one?.values().join("/") ?? "";
  return one?.["x-segments"] ? text.split("/").map(encodeURIComponent).join("/") : encodeURIComponent(text);
}

const inPlace = (fields, place) => fields.filter((field) => field.place === place);

/** Everything that `fetch` and `curl` need. */
export function prepare(path, verb, fields, contentType) {
  const headers = [["accept", ACCEPT]];
  for (const { name, values } of inPlace(fields, "header")) {
    for (const value of values()) headers.push([name, value]);
  }
  const cookies = inPlace(fields, "cookie").flatMap(({ name, values }) => values().map((value) => [name, value]));
  const parts = inPlace(fields, "body").flatMap(({ name, values }) => values().map((value) => [name, value]));
  const hasBody = contentType != null && parts.length > 0;
  return { url: address(path, fields), verb, headers, cookies, parts, contentType: hasBody ? contentType : null };
}

/** Send it; the signal stops it. */
export function send(call, signal) {
  for (const [name, value] of call.cookies) document.cookie = `${name}=${value}; path=/; SameSite=Strict`;
  const headers = new Headers(call.headers);
  const type = call.contentType;
  if (type && type !== "multipart/form-data") headers.set("content-type", type); // the browser knows the boundary
  const init = { method: call.verb, headers, body: bodyOf(call), signal, cache: "no-store", redirect: "follow" };
  return fetch(call.url, init);
}

function bodyOf({ contentType, parts }) {
  if (contentType === FORM) return new URLSearchParams(parts);
  if (contentType !== "multipart/form-data") return contentType ? parts[0][1] : undefined;
  const form = new FormData();
  for (const [name, value] of parts) form.append(name, value);
  return form;
}

/** The same call as a command of a POSIX shell, an option a line. */
export function curl(call) {
  const { verb, contentType, url, headers, cookies } = call;
  const method = verb === "HEAD" ? ["-I"] : verb === "GET" && !contentType ? [] : ["-X", verb];
  const options = headers.map(([name, value]) => `-H ${quoted(`${name}: ${value}`)}`);
  if (cookies.length) options.push(`-b ${quoted(cookies.map((pair) => pair.join("=")).join("; "))}`);
  const first = ["curl", "-i", ...method, quoted(url.href)].join(" ");
  return [first, ...options, ...curlBody(call)].join(" \\\n  ");
}

function curlBody({ contentType, parts }) {
  if (!contentType) return [];
  if (contentType === "multipart/form-data") return parts.map(curlPart);
  const type = `-H ${quoted(`content-type: ${contentType}`)}`;
  const [, body] = contentType === FORM ? [null, new URLSearchParams(parts).toString()] : parts[0];
  return [type, body instanceof File ? `--data-binary ${quoted(`@${body.name}`)}` : `--data-raw ${quoted(body)}`];
}

/** A file by its name, in curl's own quotes; a text as it is, whatever it begins with. */
function curlPart([name, value]) {
  if (!(value instanceof File)) return `--form-string ${quoted(`${name}=${value}`)}`;
  return `-F ${quoted(`${name}=@"${value.name.replace(/["\\]/g, "\\$&")}"`)}`;
}

/** One word for the shell, whatever is in it. */
const quoted = (text) => `'${text.replaceAll("'", "'\\''")}'`;
