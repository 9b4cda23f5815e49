// Keeps live parts of a page up to date. Two kinds: data-live takes new rows to the top; data-poll swaps its
// whole content, but not while somebody reads or writes in it. Without this script every page still works.
"use strict";

const PAUSE = 2000;
const ROWS = 300;

async function fetchText(url) {
  const answer = await fetch(url, { headers: { "X-Practice": "live" } });
  if (!answer.ok) throw new Error(String(answer.status));
  return answer.text();
}

async function live(part) {
  const separator = part.dataset.live.includes("?") ? "&" : "?";
  const text = await fetchText(`${part.dataset.live}${separator}after=${part.dataset.after || 0}`);
  const holder = document.createElement("template");
  holder.innerHTML = text; // made by the sandbox's own templates, which escape everything
  const rows = [...holder.content.querySelectorAll("[data-number]")];
  if (!rows.length) return;
  part.dataset.after = rows[0].dataset.number;
  part.querySelector(".nothing")?.remove();
  part.prepend(...rows);
  [...part.children].slice(ROWS).forEach((row) => row.remove());
}

async function poll(part) {
  if (part.contains(document.activeElement) || part.querySelector("details[open]")) return;
  part.innerHTML = await fetchText(part.dataset.poll);
}

async function turn() {
  const paused = document.querySelector("#pause")?.getAttribute("aria-checked") === "true";
  if (!document.hidden && !paused) {
    for (const part of document.querySelectorAll("[data-live], [data-poll]")) {
      try {
        await (part.dataset.live ? live(part) : poll(part));
      } catch {
        // The sandbox is away for a moment; the next turn asks again.
      }
    }
  }
  setTimeout(turn, PAUSE);
}

document.addEventListener("click", (event) => {
  const button = event.target.closest("#pause");
  if (button) button.setAttribute("aria-checked", button.getAttribute("aria-checked") !== "true");
});
const pause = document.querySelector("#pause");
if (pause) pause.hidden = false;
setTimeout(turn, PAUSE);
