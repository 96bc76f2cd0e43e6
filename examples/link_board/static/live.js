// The numbers of all links that the page shows, as they change.
for (const board of document.querySelectorAll("[data-live]")) {
    new EventSource(board.dataset.live).addEventListener("message", ({ data }) => {
        const { id, score, comments } = JSON.parse(data);
        const link = board.querySelector(`[data-link="${id}"]`);
        if (!link) return;
        link.querySelector(".score").textContent = score;
        link.querySelector(".count").textContent = comments;
    });
}
