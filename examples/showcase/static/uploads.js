import {$, element} from "page";

const form = $("#upload"), input = $("#file"), drop = $(".drop"), status = $("#status"), receipt = $("#receipt");
const megabytes = (bytes) => `${(bytes / 1e6).toFixed(1)} MB`;

function show(which, bytes, whole) {
  const percent = whole ? Math.min(100, 100 * bytes / whole) : 100;
  $(`#gauges circle.${which}`).setAttribute("stroke-dasharray", `${percent} ${100 - percent}`);
  $(`#${which}`).value = percent;
  $(`#${which} + span`).textContent = megabytes(bytes);
}

function send(file) {
  if (file.size > Number(form.dataset.largest)) { status.textContent = `${megabytes(file.size)} are too many: ${megabytes(form.dataset.largest)} are the most.`; return; }
  const data = new FormData(), request = new XMLHttpRequest(); // fetch tells nothing of what it has sent
  data.append("file", file);
  receipt.hidden = true;
  status.textContent = `Sending ${file.name}`;
  show("sent", 0, file.size);
  show("read", 0, file.size);
  const progress = new EventSource(form.dataset.progress);
  progress.onmessage = ({data}) => show("read", JSON.parse(data).bytes, file.size);
  request.upload.onprogress = (event) => show("sent", Math.min(event.loaded, file.size), file.size);
  request.onloadend = () => {
    progress.close();
    if (request.status !== 200) { status.textContent = request.status ? `${request.status}: ${request.responseText}` : "The connection broke off."; return; }
    const answer = JSON.parse(request.responseText);
    show("sent", file.size, file.size);
    show("read", answer.bytes, file.size);
    status.textContent = `Weighed: ${megabytes(answer.bytes)} in ${answer.seconds} s`;
    receipt.replaceChildren(...Object.entries(answer).map(([name, value]) => element("div", {}, element("dt", {}, name), element("dd", {}, String(value)))));
    receipt.hidden = false;
  };
  progress.onopen = () => {
    progress.onopen = null;
    request.open("POST", form.action);
    request.setRequestHeader("Accept", "application/json");
    request.send(data);
  };
}

function made() {
  const piece = new Uint8Array(1 << 16).map((_, at) => at * 31);
  return new File(Array(1024).fill(piece), "pie.bin", {type: "application/octet-stream"});
}

form.addEventListener("submit", (event) => { event.preventDefault(); send(input.files[0]); });
input.addEventListener("change", () => { $("span", drop).textContent = input.files[0]?.name ?? "Choose a file"; });
$("#make").hidden = false;
$("#make").addEventListener("click", () => send(made()));
for (const name of ["dragover", "dragleave", "drop"]) {
  drop.addEventListener(name, (event) => { event.preventDefault(); drop.classList.toggle("over", name === "dragover"); });
}
drop.addEventListener("drop", (event) => { if (event.dataTransfer.files[0]) send(event.dataTransfer.files[0]); });
