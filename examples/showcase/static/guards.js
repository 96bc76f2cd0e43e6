import {$, socketTo} from "page";

const answer = $("#answer");

function tell(row, status, good, text) {
  const output = $("output", row);
  output.textContent = status;
  output.className = good ? "good" : "bad";
  answer.hidden = false;
  answer.textContent = text;
}

async function knock(row) {
  const reply = await fetch(row.dataset.path, {headers: {Accept: "application/json"}});
  tell(row, reply.status, reply.ok, JSON.stringify(await reply.json(), null, 2));
}

function ring(row) {
  const socket = socketTo(row.dataset.socket);
  let said = "";
  socket.onmessage = ({data}) => { said = data; };
  socket.onclose = ({code}) => tell(row, said ? "101" : "shut", Boolean(said), said ? `It said: ${said}` : `Refused before it was open (${code})`);
}

for (const row of document.querySelectorAll("#knocks li")) {
  const button = $("button", row);
  button.hidden = false;
  button.addEventListener("click", () => (row.dataset.socket ? ring(row) : knock(row)));
}
