/* Rows of a list dragged into order. Without it, each row has its arrows. */
(() => {
  let dragged = null;
  const row = (e) => e.target.closest?.("[data-reorder] > tr");

  // only the grip drags, so that names can still be selected
  document.addEventListener("pointerdown", (e) => {
    const tr = row(e);
    if (tr) tr.draggable = Boolean(e.target.closest(".grip"));
  });
  document.addEventListener("dragstart", (e) => {
    dragged = row(e);
    if (!dragged) return;
    e.dataTransfer.effectAllowed = "move";
    e.dataTransfer.setData("text/plain", "");
    dragged.classList.add("dragged");
  });
  document.addEventListener("dragover", (e) => {
    const over = row(e);
    if (!dragged || !over || over.parentNode !== dragged.parentNode) return;
    e.preventDefault();
    if (over === dragged) return;
    const box = over.getBoundingClientRect();
    over.parentNode.insertBefore(dragged, e.clientY < box.top + box.height / 2 ? over : over.nextSibling);
  });
  document.addEventListener("drop", (e) => dragged && e.preventDefault());
  document.addEventListener("dragend", () => {
    if (!dragged) return;
    const order = document.getElementById(dragged.parentNode.dataset.reorder);
    dragged.classList.remove("dragged");
    dragged.draggable = false;
    dragged = null;
    order?.requestSubmit();
  });
})();
