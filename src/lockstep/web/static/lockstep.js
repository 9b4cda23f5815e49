/* Lockstep — the only script beside htmx. Everything works without it except the theme switch and the shortcuts. */
(() => {
  const root = document.documentElement;
  const saved = localStorage.getItem("theme");
  if (saved) root.dataset.theme = saved;
  document.addEventListener("click", (e) => {
    const t = e.target.closest("[data-theme-to]");
    if (t) {
      const to = t.dataset.themeTo;
      if (to === "auto") {
        delete root.dataset.theme;
        localStorage.removeItem("theme");
      } else {
        root.dataset.theme = to;
        localStorage.setItem("theme", to);
      }
    }
    // <button commandfor command="show-modal|close"> is native in current browsers; this covers older ones
    const c = e.target.closest("[commandfor]");
    if (c && !("commandForElement" in c)) {
      const d = document.getElementById(c.getAttribute("commandfor"));
      if (c.getAttribute("command") === "show-modal") d?.showModal();
      else if (c.getAttribute("command") === "close") d?.close();
    }
  });
  document.addEventListener("keydown", (e) => {
    const typing = e.target.closest("input, textarea, select, [contenteditable]");
    if (e.metaKey || e.ctrlKey || e.altKey) return;
    if (e.key === "/" && !typing) {
      const s = document.querySelector("main [type=search], [data-find]");
      if (s) {
        e.preventDefault();
        s.focus();
      }
    }
    // arrow keys walk the rows of a list, Enter opens the row, e opens it for editing
    if (!typing && (e.key === "ArrowDown" || e.key === "ArrowUp" || e.key === "j" || e.key === "k")) {
      const links = [...document.querySelectorAll("main .table a.main")];
      if (!links.length) return;
      const at = links.indexOf(document.activeElement),
        step = e.key === "ArrowDown" || e.key === "j" ? 1 : -1;
      if (at < 0 && (e.key === "ArrowDown" || e.key === "ArrowUp")) return;
      e.preventDefault();
      links[Math.max(0, Math.min(links.length - 1, at + step))].focus();
    }
    if (typing || e.target.closest("dialog[open]")) return;
    // of the row that has the focus: x chooses it, e edits it; on a page of one thing, e edits that
    const row = document.activeElement.closest?.("main .table tr");
    const press = (found) => {
      if (!found) return;
      e.preventDefault();
      found.click();
    };
    if (e.key === "x") press(row?.querySelector("input[name=pick]"));
    else if (e.key === "e") press((row ?? document).querySelector("[data-edit]"));
    else if (e.key === "n") press(document.querySelector("main [data-new]"));
    else if (e.key === "?") document.getElementById("keys")?.showModal();
  });

  document.addEventListener("click", (e) => {
    const gone = e.target.closest("[data-dismiss]");
    if (gone) gone.closest(".toast")?.remove();
    // "Done" sends the filter form where there is no htmx; with it the list has changed already
    const done = e.target.closest("[data-done]");
    if (done && window.htmx) {
      e.preventDefault();
      done.closest("[popover]")?.hidePopover();
    }
  });
  // a row that opens in place: htmx fetches its contents once, this shows and hides them
  document.addEventListener("click", (e) => {
    const twist = e.target.closest("[data-twist]");
    if (!twist) return;
    const open = twist.getAttribute("aria-expanded") !== "true";
    twist.setAttribute("aria-expanded", open);
    twist.closest("tr").classList.toggle("open", open);
    document.getElementById(twist.dataset.twist).hidden = !open;
  });
  // a search field inside a picker narrows its choices and never reaches the server
  document.addEventListener("change", (e) => e.target.closest("[data-find-in]") && e.stopPropagation(), true);
  document.addEventListener("input", (e) => {
    const find = e.target.closest("[data-find-in]");
    if (!find) return;
    e.stopPropagation();
    const words = find.value.trim().toLowerCase();
    for (const choice of document.querySelectorAll(`#${CSS.escape(find.dataset.findIn)} .list label`))
      choice.hidden = !choice.textContent.toLowerCase().includes(words);
  }, true);
  // Esc leaves an edit in a row, as its Cancel does
  document.addEventListener("keydown", (e) => {
    if (e.key === "Escape") e.target.closest("form")?.querySelector("[data-cancel]")?.click();
  });
  // choosing rows of a list: the boxes belong to the form #pick, whose bar shows as soon as one is ticked
  const boxes = () => [...document.querySelectorAll("input[name=pick][form=pick]")];
  const choosing = (everything) => {
    const form = document.getElementById("pick");
    if (!form) return;
    const all = boxes(), chosen = all.filter((box) => box.checked).length;
    const whole = form.querySelector("[data-everything]"), button = form.querySelector("[data-choose-all]");
    whole.disabled = !everything;
    button?.setAttribute("aria-pressed", String(everything));
    form.querySelector("[data-count]").textContent = everything ? "All that match" : chosen;
    for (const few of form.querySelectorAll("[data-few]")) few.disabled = everything || chosen < 2 || chosen > 10;
    const page = document.querySelector("[data-choose-page]");
    if (page) {
      page.checked = chosen > 0 && chosen === all.length;
      page.indeterminate = chosen > 0 && chosen < all.length;
    }
  };
  document.addEventListener("change", (e) => {
    if (e.target.matches("[data-choose-page]")) for (const box of boxes()) box.checked = e.target.checked;
    else if (!e.target.matches("input[name=pick][form=pick]")) return;
    e.stopPropagation();
    choosing(false);
  });
  document.addEventListener("click", (e) => {
    if (e.target.closest("[data-choose-all]")) {
      for (const box of boxes()) box.checked = true;
      choosing(true);
    } else if (e.target.closest("[data-choose-none]")) {
      for (const box of boxes()) box.checked = false;
      choosing(false);
    }
  });
  window.addEventListener("pageshow", () => choosing(false)); // the browser may have kept the ticks
  // toasts leave after six seconds, unless pointed at or focused
  const STAY = 6000;
  const leave = (toast) => {
    if (toast.matches(":hover, :focus-within")) setTimeout(leave, STAY, toast);
    else toast.remove();
  };
  document.addEventListener("DOMContentLoaded", () => {
    const box = document.getElementById("toasts");
    if (!box) return;
    for (const toast of box.children) setTimeout(leave, STAY, toast);
    new MutationObserver((changes) => {
      for (const change of changes)
        for (const node of change.addedNodes) if (node.classList?.contains("toast")) setTimeout(leave, STAY, node);
    }).observe(box, { childList: true });
  });
})();
