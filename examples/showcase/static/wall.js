// The page works without this file; with it, the wall is live.
"use strict";

const find = (id) => document.getElementById(id);

// Server-sent events: the numbers in the header.
const live = new EventSource("/live");
live.onmessage = (event) => {
  find("live").hidden = false;
  for (const [name, value] of Object.entries(JSON.parse(event.data))) {
    document.querySelector(`[data-live="${name}"]`).textContent = value;
  }
};

// A WebSocket: the chat. It connects again after a while when it was lost.
let socket;
function connect() {
  socket = new WebSocket(location.origin.replace(/^http/, "ws") + "/chat");
  socket.onopen = () => say("", "You are in the chat.");
  socket.onclose = () => setTimeout(connect, 3000);
  socket.onmessage = (event) => {
    const { name, text } = JSON.parse(event.data);
    say(name, text);
  };
}
function say(name, text) {
  const line = document.createElement("li");
  if (name) {
    const who = document.createElement("strong");
    who.textContent = name;
    line.append(who, " ");
  } else {
    line.className = "note";
  }
  line.append(text); // text, never HTML: it comes from other people
  find("chat").append(line);
  find("chat").scrollTop = find("chat").scrollHeight;
}
find("chat-form").addEventListener("submit", (event) => {
  event.preventDefault();
  if (socket.readyState !== WebSocket.OPEN) return;
  socket.send(event.target.text.value);
  event.target.reset();
});
connect();

// An upload with a progress bar.
find("weigh-form").addEventListener("submit", (event) => {
  event.preventDefault();
  const upload = new XMLHttpRequest();
  const bar = find("weigh-progress");
  const result = find("weigh-result");
  bar.hidden = false;
  result.textContent = "";
  upload.upload.onprogress = ({ loaded, total }) => { bar.value = loaded / total; };
  upload.onloadend = () => {
    bar.hidden = true;
    if (upload.status !== 200) {
      result.textContent = upload.status === 413 ? "That is too heavy for our scales." : "That did not work.";
      return;
    }
    const { filename, bytes, sha256 } = JSON.parse(upload.responseText);
    result.textContent = `${filename}: ${bytes.toLocaleString("en")} bytes, SHA-256 ${sha256}`;
  };
  upload.open("POST", event.target.action);
  upload.send(new FormData(event.target));
});

// A slow reply.
find("bake-form").addEventListener("submit", async (event) => {
  event.preventDefault();
  const button = event.target.querySelector("button");
  button.disabled = true;
  find("bake-result").textContent = "In the oven …";
  try {
    const { baked, minutes } = await (await fetch(event.target.action, { method: "POST" })).json();
    find("bake-result").textContent = `One ${baked}, done in what felt like ${minutes} minutes.`;
  } catch {
    find("bake-result").textContent = "The oven went out.";
  } finally {
    button.disabled = false;
  }
});
