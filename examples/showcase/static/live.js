import {$, element, socketTo} from "page";

const panel = $("#live"), form = $("form", panel), route = $("#route"), here = $("#here");
let socket = null, waiting = 250;

function draw(counts) {
  const whole = Object.values(counts).reduce((sum, one) => sum + one, 0);
  let before = 0;
  for (const [flavour, count] of Object.entries(counts)) {
    const share = 100 * count / whole, slice = $(`[data-slice=${flavour}]`, panel);
    slice.setAttribute("stroke-dasharray", `${share} ${100 - share}`);
    slice.setAttribute("stroke-dashoffset", -before);
    before += share;
    $(`[value=${flavour}] b`, form).textContent = count;
  }
}

function tell({flavour, took, told, ms}) {
  if (route.firstElementChild.matches(".soft")) route.firstElementChild.remove();
  const way = took === told ? `worker ${took} took it and told you` : `worker ${took} took it, worker ${told} told you`;
  route.prepend(element("li", {}, element("i", {class: flavour}), element("span", {}, `${flavour}: ${way}`), element("small", {}, `${ms.toFixed(1)} ms`)));
  while (route.children.length > 5) route.lastElementChild.remove();
}

function connect() {
  socket = socketTo(panel.dataset.socket);
  socket.onopen = () => { waiting = 250; panel.classList.add("connected"); };
  socket.onmessage = ({data}) => {
    const news = JSON.parse(data);
    if (news.counts) { draw(news.counts); tell(news); }
    if (news.windows) here.textContent = `${news.windows} ${news.windows === 1 ? "window" : "windows"} open, on ${news.workers} ${news.workers === 1 ? "worker" : "workers"}`;
  };
  socket.onclose = () => {
    panel.classList.remove("connected");
    here.textContent = "Connecting again";
    setTimeout(connect, waiting * (0.5 + Math.random()));
    waiting = Math.min(2 * waiting, 5000);
  };
}

form.addEventListener("submit", (event) => {
  if (socket.readyState !== WebSocket.OPEN) return; // the form itself works, too
  event.preventDefault();
  socket.send(event.submitter.value);
});
draw(Object.fromEntries([...form.querySelectorAll("button")].map((one) => [one.value, Number(one.dataset.count)])));
connect();
