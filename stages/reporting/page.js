"use strict";
// The page's two needs: tables that sort, and lists of many rows that filter, search, sort and show one row whole.
// Only the rows in view are drawn; the rows come compressed in the page and are unpacked after it is shown.

const ROW_HEIGHT = 52, MAX_OPTIONS = 200;

function makeSortable(table) {
  const heads = [...table.querySelectorAll("th")];
  heads.forEach((head, column) => {
    const button = element("button", head.textContent, {type: "button"});
    head.replaceChildren(button);
    head.addEventListener("click", () => {
      const down = head.getAttribute("aria-sort") !== "descending";
      heads.forEach(other => other.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", down ? "descending" : "ascending");
      const key = row => { const cell = row.cells[column]; return cell?.dataset.key ?? cell?.textContent ?? ""; };
      const rows = [...table.tBodies[0].rows];
      rows.sort((a, b) => compare(key(a), key(b)) * (down ? -1 : 1));
      table.tBodies[0].append(...rows);
    });
  });
}

// On a narrow screen a row is a card, and each cell stands below its column's heading (page.css).
function makeFolding(table) {
  const [first, ...rows] = table.rows, heads = [...first?.cells ?? []];
  if (heads.length < 3 || heads.some(cell => cell.tagName !== "TH")) return;
  table.classList.add("folding");
  first.classList.add("heads");
  for (const row of rows) {
    let column = 0;
    for (const cell of row.cells) {
      cell.dataset.label = heads[column].textContent;
      column += cell.colSpan;
    }
  }
}

function compare(a, b) {
  const x = Number(a), y = Number(b);
  if (a !== "" && b !== "" && !Number.isNaN(x) && !Number.isNaN(y)) return x - y;
  return String(a).localeCompare(String(b), undefined, {numeric: true});
}

async function unpack(line) {
  const packed = await fetch(`data:application/octet-stream;base64,${line}`);
  return new Response(packed.body.pipeThrough(new DecompressionStream("gzip"))).json();
}

function element(name, text, attributes = {}) {
  const made = document.createElement(name);
  if (text !== undefined && text !== null) made.textContent = text;
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  return made;
}

const MARKS = /([\x02\x05][^\x03]*\x03)/;  // around formulas and code (stages/reporting/drawn_formulas.py)
const plain = text => text.replace(/[\x02\x03\x05]/g, "");

// Formulas and code whole, other text word by word.
function tokensOf(text) {
  return text.split(MARKS).flatMap((part, i) => i % 2 ? [part] : part.split(/(\s+)/)).filter(Boolean);
}

function drawn(token, formulas) {
  if (token[0] === "\x05") return element("code", plain(token));
  if (token[0] !== "\x02") return token;
  const holder = document.createElement("template");
  holder.innerHTML = formulas[plain(token)];  // made and checked when the page was written
  return holder.content;
}

// A text with its formulas drawn, what stands between two tokens marked; below it, where there are formulas, the text as typed.
function prose(text, formulas, [start, end] = [0, 0]) {
  const nodes = tokensOf(text).map(token => drawn(token, formulas)), block = element("div", null, {class: "prose"});
  const mark = element("mark");
  mark.append(...nodes.slice(start, end));
  block.append(...nodes.slice(0, start), ...(end > start ? [mark] : []), ...nodes.slice(end));
  if (!text.includes("\x02")) return [block];
  const typed = element("details", null, {class: "typed"});
  typed.append(element("summary", "As typed"), element("pre", plain(text)));
  return [block, typed];
}

// Where the tokens of one differ from the other's: [first, behind the last].
function difference(one, other) {
  [one, other] = [tokensOf(one), tokensOf(other)];
  let start = 0;
  while (start < one.length && start < other.length && one[start] === other[start]) start++;
  let end = 0;
  while (end < one.length - start && end < other.length - start && one[one.length - 1 - end] === other[other.length - 1 - end]) end++;
  return [start, one.length - end];
}

class Browser {
  constructor(place, table, {filters, sorts, search, title, tags, detail}) {
    Object.assign(this, {table, title, tags, detail, search});
    this.at = Object.fromEntries(table.columns.map((name, i) => [name, i]));
    this.chosen = {};
    this.order = table.rows.map((_, i) => i);
    const bar = place.appendChild(element("div", null, {class: "filters"}));
    this.selects = filters.map(name => [name, bar.appendChild(this.filter(name))]);
    bar.append(this.sorting(sorts));
    this.words = bar.appendChild(element("input", null, {type: "search", placeholder: "Search", "aria-label": "Search"}));
    this.words.addEventListener("input", () => { clearTimeout(this.timer); this.timer = setTimeout(() => this.apply(), 150); });
    this.count = place.appendChild(element("p", "", {class: "note", "aria-live": "polite"}));
    this.view = place.appendChild(element("div", null, {class: "view", role: "group", "aria-label": "Rows; arrow keys move from one to the next"}));
    this.inner = this.view.appendChild(element("div"));
    this.view.addEventListener("scroll", () => requestAnimationFrame(() => this.draw()));
    this.view.addEventListener("keydown", event => this.move(event));
    new ResizeObserver(() => this.draw()).observe(this.view);
    this.apply();
  }

  filter(name) {
    const select = element("select", null, {"aria-label": name});
    this.fill(select, name);
    select.addEventListener("change", () => {
      const option = select.selectedOptions[0];
      if (select.value === "") delete this.chosen[name]; else this.chosen[name] = option.of;
      this.apply();
    });
    return select;
  }

  fill(select, name) {
    const counts = new Map(), had = this.chosen[name];
    for (const row of this.table.rows) counts.set(row[this.at[name]], (counts.get(row[this.at[name]]) || 0) + 1);
    select.replaceChildren(element("option", `any ${name}`, {value: ""}));
    [...counts].sort((a, b) => b[1] - a[1]).slice(0, MAX_OPTIONS).forEach(([value, count], i) => {
      const option = element("option", `${value === "" ? "none" : value} (${count.toLocaleString("en")})`, {value: String(i + 1)});
      option.of = value;
      option.selected = had === value;
      select.append(option);
    });
  }

  // More rows, while the first are read: the place stays.
  add(rows, isLast) {
    this.table.rows.push(...rows);
    if (isLast) this.selects.forEach(([name, select]) => this.fill(select, name));
    const place = this.view.scrollTop;
    this.apply();
    this.view.scrollTop = place;
    this.draw();
  }

  sorting(sorts) {
    const select = element("select", null, {"aria-label": "sort"});
    select.append(element("option", "as written", {value: ""}));
    for (const name of sorts) for (const way of ["ascending", "descending"]) select.append(element("option", `${name}, ${way}`, {value: `${name} ${way}`}));
    select.addEventListener("change", () => { this.sorted = select.value; this.apply(); });
    return select;
  }

  apply() {
    const wanted = Object.entries(this.chosen).map(([name, value]) => [this.at[name], value]);
    const words = this.words.value.toLowerCase().split(/\s+/).filter(Boolean);
    const places = this.search.map(name => this.at[name]);
    this.order = [];
    this.table.rows.forEach((row, i) => {
      if (!wanted.every(([place, value]) => row[place] === value)) return;
      if (words.length) {
        const text = plain(places.map(place => row[place]).join(" ")).toLowerCase();
        if (!words.every(word => text.includes(word))) return;
      }
      this.order.push(i);
    });
    if (this.sorted) {
      const [name, way] = this.sorted.split(" "), place = this.at[name], sign = way === "ascending" ? 1 : -1;
      this.order.sort((a, b) => compare(this.table.rows[a][place] ?? "", this.table.rows[b][place] ?? "") * sign || a - b);
    }
    this.count.textContent = `${this.order.length.toLocaleString("en")} of ${this.table.rows.length.toLocaleString("en")}`;
    this.inner.style.height = `${this.order.length * ROW_HEIGHT}px`;
    this.view.style.height = this.order.length < 8 ? `${Math.max(1, this.order.length) * ROW_HEIGHT + 2}px` : "";
    this.view.scrollTop = 0;
    this.draw();
  }

  // The arrow keys: the row before or after the one in focus, drawn first where it is out of view.
  move(event) {
    const step = {ArrowDown: 1, ArrowUp: -1}[event.key], row = document.activeElement;
    if (!step || row.parentElement !== this.inner) return;
    event.preventDefault();
    const place = Math.min(this.order.length - 1, Math.max(0, Number(row.dataset.place) + step)), top = place * ROW_HEIGHT;
    if (top < this.view.scrollTop) this.view.scrollTop = top;
    if (top + ROW_HEIGHT > this.view.scrollTop + this.view.clientHeight) this.view.scrollTop = top + ROW_HEIGHT - this.view.clientHeight;
    this.draw(place);
  }

  draw(focused = document.activeElement.parentElement === this.inner ? Number(document.activeElement.dataset.place) : null) {
    const first = Math.max(0, Math.floor(this.view.scrollTop / ROW_HEIGHT) - 3);
    const last = Math.min(this.order.length, first + Math.ceil(this.view.clientHeight / ROW_HEIGHT) + 7);
    const lines = [];
    for (let i = first; i < last; i++) {
      const row = this.table.rows[this.order[i]];
      const line = element("button", null, {class: "row", type: "button", style: `top:${i * ROW_HEIGHT}px`, "data-place": i});
      const title = element("span");
      title.append(...tokensOf(this.title(row, this.at)).map(token => drawn(token, this.table.formulas)));
      line.append(title, element("span", this.tags(row, this.at), {class: "tags"}));
      line.addEventListener("click", () => show(this.detail(row, this.at)));
      lines.push(line);
    }
    this.inner.replaceChildren(...lines);
    if (focused !== null) lines.find(line => line.dataset.place === String(focused))?.focus({preventScroll: true});
  }
}

function show(parts) {
  const dialog = document.getElementById("whole");
  const close = element("button", "Close", {class: "close", type: "button"});
  close.addEventListener("click", () => dialog.close());
  dialog.replaceChildren(close, ...parts);
  dialog.showModal();
}

function facts(pairs) {
  const table = element("table");
  for (const [name, value] of pairs) if (value !== "" && value !== null && value !== undefined) {
    const row = table.insertRow();
    row.append(element("th", name), element("td", String(value)));
  }
  return table;
}

function problemBrowser(place, table) {
  return new Browser(place, table, {
    filters: ["round", "verdict", "source", "level", "mode"], sorts: ["source", "level", "verdict", "value"], search: ["problem", "solution", "detail", "id"],
    title: (row, at) => row[at.problem] || row[at.solution] || "(empty)",
    tags: (row, at) => [row[at.round], row[at.verdict], row[at.source], row[at.level], row[at.mode], row[at.detail]].filter(Boolean).join(" · "),
    detail: (row, at) => {
      const text = table.texts[row[at.text]] || [];
      return [
        element("h2", "Problem"), ...prose(row[at.problem] || "(none was read)", table.formulas), element("h2", "Solution"), ...prose(row[at.solution], table.formulas),
        element("h2", "Lineage"),
        facts([["verdict", row[at.verdict]], ["detail", row[at.detail]], ["answer", row[at.answer]], ["round", row[at.round]], ["model", row[at.synthesizer]],
               ["level", row[at.level]], ["mode", row[at.mode]], ["value", row[at.value] === null ? "" : Number(row[at.value]).toFixed(4)], ["problem id", row[at.id]],
               ["source", text[1]], ["title", text[2]], ["address", text[3]], ["license", text[4]], ["text id", text[0]]]),
        element("h2", "Text that it was made of"), ...prose(text[5] || "", table.formulas),
      ];
    },
  });
}

function flipBrowser(place, table) {
  return new Browser(place, table, {
    filters: ["student", "benchmark", "mode", "change", "cause"], sorts: ["benchmark", "index", "rule_b"], search: ["question", "response_a", "response_b"],
    title: (row, at) => row[at.question] || "(question)",
    tags: (row, at) => [row[at.benchmark], row[at.index], row[at.mode], row[at.change], row[at.cause], `expected ${row[at.answer]}, ${row[at.extracted_a] || "nothing"} became ${row[at.extracted_b] || "nothing"}`].join(" · "),
    detail: (row, at) => {
      const sides = element("div", null, {class: "two"});
      for (const [side, other, name] of [["a", "b", "without pre-training"], ["b", "a", "with pre-training"]]) {
        const column = sides.appendChild(element("div"));
        const [own, its] = [row[at[`response_${side}`]], row[at[`response_${other}`]]];
        column.append(element("h3", name), facts([["extracted", row[at[`extracted_${side}`]] || "nothing"], ["rule", row[at[`rule_${side}`]]]]), ...prose(own, table.formulas, difference(own, its)));
      }
      return [element("h2", `${row[at.benchmark]} ${row[at.index]}, ${row[at.mode]}: ${row[at.change]} (${row[at.cause]})`), ...prose(row[at.question], table.formulas), facts([["expected", row[at.answer]]]), sides];
    },
  });
}

async function start() {
  document.querySelectorAll("table.sortable").forEach(makeSortable);
  document.querySelectorAll("table").forEach(makeFolding);
  for (const [id, build] of [["flips", flipBrowser], ["problems", problemBrowser]]) {
    const place = document.getElementById(`${id}-browser`);
    await new Promise(resolve => setTimeout(resolve));
    try {
      const [head, first, ...others] = document.getElementById(`${id}-data`).textContent.trim().split("\n");
      const table = {rows: [], ...await unpack(head)};
      const more = async line => {
        const block = await unpack(line);
        Object.assign(table.formulas, block.formulas);
        return block.rows;
      };
      if (first) table.rows = await more(first);
      place.replaceChildren();
      const browser = build(place, table);
      place.dataset.usable = "yes";
      for (const [i, line] of others.entries()) {
        browser.add(await more(line), i === others.length - 1);
        await new Promise(resolve => setTimeout(resolve));
      }
      place.dataset.ready = "yes";
    } catch (error) {
      place.textContent = `These rows cannot be unpacked by this browser: ${error}`;
    }
  }
}

document.addEventListener("DOMContentLoaded", start);
