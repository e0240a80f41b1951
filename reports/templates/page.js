// Everything is on the page without this: it sorts and filters tables, and opens what an address leads into.
(() => {
  const number = text => {
    const found = text.replace(/−/g, "-").replace(/,/g, "").match(/^[^\d\w]*?([-+]?\d+(?:\.\d+)?)/);
    return found ? parseFloat(found[1]) : NaN;
  };

  const sortable = table => {
    const heads = [...table.tHead.rows[0].cells];
    heads.forEach((head, column) => {
      const button = document.createElement("button");
      button.type = "button";
      button.append(...head.childNodes);
      head.append(button);
      button.addEventListener("click", () => {
        const way = head.getAttribute("aria-sort") === "ascending" ? -1 : 1;
        heads.forEach(other => other.removeAttribute("aria-sort"));
        head.setAttribute("aria-sort", way > 0 ? "ascending" : "descending");
        const body = table.tBodies[0];
        const of = row => row.cells[column].textContent.trim();
        const rows = [...body.rows];
        const numeric = rows.some(row => of(row)) && rows.every(row => !of(row) || !isNaN(number(of(row))));
        const compared = (one, other) => {
          const [a, b] = [of(one), of(other)];
          if (!a || !b) return !a - !b;  // what is empty stays last
          return way * (numeric ? number(a) - number(b) : a.localeCompare(b));
        };
        body.append(...rows.sort(compared));
      });
    });
  };

  const KEYS = { data: "data set", augmentations: "augmentation" };
  const filterable = (place, items, what) => {
    const selects = {};
    const said = document.createElement("span");
    said.setAttribute("role", "status");
    const bar = document.createElement("div");
    bar.className = "filter";
    const show = () => {
      let shown = 0;
      for (const item of items) {
        item.hidden = Object.entries(selects).some(
          ([key, select]) => select.value && !item.dataset[key].split("|").includes(select.value));
        shown += !item.hidden;
      }
      said.textContent = shown < items.length ? `${shown} of ${items.length} ${what}` : "";
    };
    for (const [key, words] of Object.entries(KEYS)) {
      const values = new Set(items.flatMap(item => (item.dataset[key] || "").split("|")));
      values.delete("");
      if (values.size < 2 || items.some(item => !(key in item.dataset))) continue;
      const select = document.createElement("select");
      select.add(new Option("all", ""));
      for (const value of [...values].sort()) select.add(new Option(value, value));
      select.addEventListener("change", show);
      selects[key] = select;
      const name = document.createElement("label");
      name.append(`${words}: `, select);
      bar.append(name);
    }
    if (!Object.keys(selects).length) return;
    bar.append(said);
    place.before(bar);
    return () => {
      for (const select of Object.values(selects)) select.value = "";
      show();
    };
  };

  const undo = new Map();
  for (const table of document.querySelectorAll("table.sort")) {
    sortable(table);
    undo.set(table, filterable(table.closest(".scroll"), [...table.tBodies[0].rows], "lines"));
  }
  for (const section of document.querySelectorAll("section.exhibits")) {
    const exhibits = [...section.querySelectorAll("[data-exhibit]")];
    if (exhibits.length > 1) undo.set(section, filterable(exhibits[0], exhibits, "exhibits"));
  }

  const reveal = () => {
    const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (!target) return;
    for (let around = target; around; around = around.parentElement) {
      if (around.tagName === "DETAILS") around.open = true;
      if (around.hidden) (undo.get(around.closest("table")) || undo.get(around.closest("section")))?.();
    }
    target.scrollIntoView();
  };
  addEventListener("hashchange", reveal);
  if (location.hash) reveal();

  const links = [...document.querySelectorAll(".contents a")];
  const mark = () => {
    const at = links.map(link => document.getElementById(link.hash.slice(1)).getBoundingClientRect().top);
    const end = innerHeight + scrollY >= document.documentElement.scrollHeight - 2;
    const now = end ? links.at(-1) : links[Math.max(at.findLastIndex(top => top < innerHeight / 3), 0)];
    if (now.hasAttribute("aria-current")) return;
    links.forEach(link => link.removeAttribute("aria-current"));
    now.setAttribute("aria-current", "true");
    now.closest("ul").scrollLeft = now.offsetLeft - 40;
  };
  addEventListener("scroll", mark, { passive: true });
  mark();
})();
