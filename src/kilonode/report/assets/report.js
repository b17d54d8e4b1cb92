/* Theme, sorting, and charts that fit their places. */
"use strict";
(() => {
  const root = document.documentElement;
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const isDark = () => (root.dataset.theme || (dark.matches ? "dark" : "light")) === "dark";

  document.getElementById("theme").addEventListener("click", () => {
    root.dataset.theme = isDark() ? "light" : "dark";
    Charts.draw();
  });
  dark.addEventListener("change", () => Charts.draw());

  const value = (body, place) => {
    const row = body.rows[0], cell = [...row.cells][place];
    const text = cell?.dataset.value ?? cell?.textContent.trim() ?? "";
    return text === "" ? null : Number.isNaN(Number(text)) ? text : Number(text);
  };
  const compare = (one, other) => typeof one === "number" && typeof other === "number" ? one - other : String(one).localeCompare(String(other));

  for (const table of document.querySelectorAll("table")) {
    const heads = [...table.querySelectorAll("thead th")], first = [...table.tBodies];
    heads.forEach((head, place) => head.querySelector("button")?.addEventListener("click", () => {
      const now = head.getAttribute("aria-sort"), next = now === "none" ? "ascending" : now === "ascending" ? "descending" : "none";
      heads.forEach((other) => other.hasAttribute("aria-sort") && other.setAttribute("aria-sort", "none"));
      head.setAttribute("aria-sort", next);
      const sign = next === "descending" ? -1 : 1;
      const bodies = next === "none" ? first : first.map((body) => [value(body, place), body]).sort(([one], [other]) =>
        one === null ? (other === null ? 0 : 1) : other === null ? -1 : sign * compare(one, other)).map(([, body]) => body);
      table.append(...bodies);
    }));
  }

  let waiting = 0;
  const fit = () => { cancelAnimationFrame(waiting); waiting = requestAnimationFrame(() => Charts.resize()); };
  new ResizeObserver(fit).observe(document.querySelector("main"));

  /* Paper is light and narrow. */
  let before;
  addEventListener("beforeprint", () => {
    before = root.dataset.theme;
    root.dataset.theme = "light";
    Charts.draw();
    Charts.resize((element) => element.closest(".wide, .beside") ? 670 : 325);
  });
  addEventListener("afterprint", () => {
    if (before === undefined) delete root.dataset.theme; else root.dataset.theme = before;
    Charts.draw();
  });

  Charts.draw();
})();
