(() => {
  "use strict";
  const root = document.documentElement;
  root.classList.add("js");
  const all = (selector, within) => Array.from((within || document).querySelectorAll(selector));

  // Light and dark: the system's choice until the reader makes one. Storage may be closed to local files.
  const remember = (value) => { try { localStorage.setItem("cellstone-theme", value); } catch (_) { /* not kept */ } };
  const recall = () => { try { return localStorage.getItem("cellstone-theme"); } catch (_) { return null; } };
  const kept = recall();
  if (kept === "dark" || kept === "light") root.dataset.theme = kept;
  const theme = document.getElementById("theme");
  theme.hidden = false;
  theme.addEventListener("click", () => {
    const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
    root.dataset.theme = dark ? "light" : "dark";
    remember(root.dataset.theme);
  });

  // Sorting: numbers by data-v, text by what is shown, nothing last in either direction.
  const key = (row, column) => {
    const cell = row.cells[column];
    if (cell.dataset.v === undefined) return cell.textContent.trim().toLowerCase();
    return cell.dataset.v === "" ? null : Number(cell.dataset.v);
  };
  const sort = (table, column, direction) => {
    const body = table.tBodies[0];
    const sign = direction === "descending" ? -1 : 1;
    const rows = Array.from(body.rows).map((row, at) => ({ row, at, key: key(row, column) }));
    rows.sort((a, b) => {
      if (a.key === null || b.key === null) return (a.key === null) - (b.key === null) || a.at - b.at;
      const order = typeof a.key === "number" ? a.key - b.key : a.key.localeCompare(b.key, "en", { numeric: true });
      return sign * order || a.at - b.at;
    });
    rows.forEach((it) => body.appendChild(it.row));
    all("th", table.tHead).forEach((th, at) => {
      if (at === column) th.setAttribute("aria-sort", direction); else th.removeAttribute("aria-sort");
    });
  };
  all("table.sortable").forEach((table) => {
    all("th", table.tHead).forEach((th, column) => {
      const button = document.createElement("button");
      button.type = "button";
      while (th.firstChild) button.appendChild(th.firstChild);
      th.appendChild(button);
      button.addEventListener("click", () => {
        sort(table, column, th.getAttribute("aria-sort") === "ascending" ? "descending" : "ascending");
      });
    });
  });

  // Filters: a select shows the rows whose data attribute has its value.
  const filter = (table) => {
    const chosen = all(`select[data-table="${table.id}"]`).filter((it) => it.value !== "");
    all("tbody tr", table).forEach((row) => {
      row.hidden = !chosen.every((it) => row.dataset[it.dataset.key] === it.value);
    });
  };
  all("select[data-table]").forEach((select) => {
    const table = document.getElementById(select.dataset.table);
    select.addEventListener("change", () => filter(table));
    filter(table);
  });

  // Contexts as tabs, with the arrow keys between them.
  const tabs = all("[role=tab]");
  const show = (tab) => tabs.forEach((it) => {
    const on = it === tab;
    it.setAttribute("aria-selected", String(on));
    it.tabIndex = on ? 0 : -1;
    document.getElementById(it.getAttribute("aria-controls")).hidden = !on;
  });
  tabs.forEach((tab, at) => {
    tab.addEventListener("click", () => show(tab));
    tab.addEventListener("keydown", (event) => {
      const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
      if (!step) return;
      const next = tabs[(at + step + tabs.length) % tabs.length];
      show(next);
      next.focus();
    });
  });
  if (tabs.length) show(tabs[0]);

  // Links may open a tab (#id of something inside it) or sort a table: #sort=TABLE,COLUMN,ascending|descending.
  const follow = () => {
    const hash = decodeURIComponent(location.hash.slice(1));
    const asked = /^sort=([^,]+),(\d+),(ascending|descending)$/.exec(hash);
    if (asked) {
      const table = document.getElementById(asked[1]);
      if (table) sort(table, Number(asked[2]), asked[3]);
      return;
    }
    const target = hash && document.getElementById(hash);
    const panel = target && target.closest("[role=tabpanel]");
    if (panel && panel.hidden) {
      show(tabs.find((it) => it.getAttribute("aria-controls") === panel.id));
      target.scrollIntoView();
    }
  };
  addEventListener("hashchange", follow);
  follow();
})();
