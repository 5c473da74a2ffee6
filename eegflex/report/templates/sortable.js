{
  // A click on the head of a column sorts the table by it, a second one the other way round; what is not known comes last.
  const key = (row, column) => {
    const cell = row.cells[column];
    return cell.classList.contains("num") ? Number(cell.dataset.key ?? NaN) : cell.textContent;
  };
  const order = (a, b) => {
    if (typeof a === "string") return a.localeCompare(b, "en", { numeric: true });
    return Number.isNaN(a) ? (Number.isNaN(b) ? 0 : Infinity) : Number.isNaN(b) ? -Infinity : a - b;
  };
  for (const table of document.querySelectorAll("table.sortable")) {
    const heads = [...table.tHead.rows[0].cells];
    heads.forEach((head, column) =>
      head.firstElementChild.addEventListener("click", () => {
        const down = head.getAttribute("aria-sort") === "ascending";
        heads.forEach((one) => one.removeAttribute("aria-sort"));
        head.setAttribute("aria-sort", down ? "descending" : "ascending");
        const body = table.tBodies[0];
        const rows = [...body.rows].map((row) => [key(row, column), row]);
        rows.sort(([a], [b]) => {
          const found = order(a, b);
          return Math.abs(found) === Infinity || !down ? found : -found;
        });
        body.append(...rows.map(([, row]) => row));
      })
    );
  }
}
