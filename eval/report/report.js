"use strict";
(() => {
  const $ = id => document.getElementById(id);
  const root = document.documentElement;

  // Dark mode: the system's choice until the reader makes one.
  const stored = (() => { try { return localStorage.getItem("wsss-theme") } catch { return null } })();
  if (stored) root.dataset.theme = stored;
  const toggleTheme = () => {
    const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
    root.dataset.theme = dark ? "light" : "dark";
    try { localStorage.setItem("wsss-theme", root.dataset.theme) } catch { /* a page from disk may have no storage */ }
  };
  $("theme").onclick = toggleTheme;

  // Tables sort by a click on a column's name; the row of means stays last.
  const numberOf = cell => { const m = /-?[0-9]+(\.[0-9]+)?(e[-+]?[0-9]+)?/.exec(cell.textContent); return m ? +m[0] : NaN };
  for (const table of document.querySelectorAll("table.sortable")) {
    const body = table.tBodies[0];
    [...table.tHead.rows[0].cells].forEach((th, at) => {
      const b = document.createElement("button");
      b.type = "button";
      b.className = "sort";
      b.textContent = th.textContent;
      th.replaceChildren(b);
      b.onclick = () => {
        const number = th.classList.contains("n"), up = th.getAttribute("aria-sort") === (number ? "descending" : "ascending") === number;
        for (const o of table.tHead.rows[0].cells) o.removeAttribute("aria-sort");
        th.setAttribute("aria-sort", up ? "ascending" : "descending");
        const last = [...body.rows].filter(r => r.classList.contains("total"));
        const rows = [...body.rows].filter(r => !r.classList.contains("total"));
        rows.sort((r, s) => {
          const a = r.cells[at], z = s.cells[at];
          if (!number) return (up ? 1 : -1) * a.textContent.localeCompare(z.textContent);
          const x = numberOf(a), y = numberOf(z);
          return isNaN(x) || isNaN(y) ? isNaN(x) - isNaN(y) : (up ? 1 : -1) * (x - y);
        });
        body.append(...rows, ...last);
      };
    });
  }
  for (const select of document.querySelectorAll(".classorder")) {
    const list = select.closest("p").nextElementSibling, items = [...list.children];
    const value = (li, k) => { const v = +li.querySelectorAll(".meter")[k].dataset.v; return v < 0 ? 1000 : v };
    select.onchange = () => {
      const k = +select.value, rest = items.filter(li => !li.classList.contains("total"));
      if (k === -2) rest.sort((a, b) => a.firstChild.textContent.localeCompare(b.firstChild.textContent));
      else if (k >= 0) rest.sort((a, b) => value(a, k) - value(b, k));
      list.append(...rest, ...items.filter(li => li.classList.contains("total")));
    };
  }

  const ready = () => { root.dataset.ready = Math.round(performance.now()) };
  const raw = $("data");
  if (!raw) {
    addEventListener("keydown", e => { if (e.key === "t" && !e.metaKey && !e.ctrlKey) toggleTheme() });
    return ready();
  }
  const data = JSON.parse(raw.textContent);
  const PAGE = 24; // cards made at once while scrolling
  const el = (tag, props = {}, ...kids) => {
    const e = Object.assign(document.createElement(tag), props);
    e.append(...kids);
    return e;
  };
  const percent = m => m < 0 ? "–" : (m / 10).toFixed(1);
  const url = (folder, id, ext) => folder + "/" + id.split("/").map(encodeURIComponent).join("/") + ext;

  // Without true masks there is nothing to sort by but doubt.
  const scored = s => s.images.some(im => im.s.some(v => v.m >= 0));
  const state = { split: 0, layer: 0, class: -1, min: 0, max: 100, order: scored(data.splits[0]) ? "worst" : "quality", other: -1, find: "", opacity: 60, diff: false };
  let shown = [];  // images that pass the filters, in order
  let made = 0;    // cards in the page
  let at = -1;     // selected card
  let solo = 0;    // tile shown alone in the viewer; 0 = all
  const split = () => data.splits[state.split];

  // IoU that the filters and the order look at: of the chosen class, or the mean.
  const iou = (im, layer) => {
    const s = im.s[layer];
    if (!s) return -1;
    if (state.class < 0) return s.m;
    const i = s.i || [];
    for (let k = 0; k < i.length; k += 2) if (i[k] === state.class) return i[k + 1];
    return -1;
  };

  // The filters live in the address, so that a view can be bookmarked or sent.
  const fields = ["split", "layer", "class", "min", "max", "order", "other", "find", "opacity"];
  const initial = { ...state };
  const readHash = () => {
    if (!location.hash.includes("=")) return false;
    const q = new URLSearchParams(location.hash.slice(1));
    Object.assign(state, initial, { diff: q.get("diff") === "1" });
    const named = (key, list) => { const i = list.indexOf(q.get(key)); if (i >= 0) state[key] = i };
    named("split", data.splits.map(s => s.name));
    const names = split().layers.map(l => l.name);
    state.layer = firstLayer();
    named("layer", names); named("other", names); named("class", data.classes);
    for (const k of ["min", "max", "opacity"]) if (q.has(k) && isFinite(q.get(k))) state[k] = Math.min(100, Math.max(0, +q.get(k)));
    for (const k of ["order", "find"]) if (q.has(k)) state[k] = q.get(k);
    return q.get("open") || true;
  };
  const writeHash = () => {
    const q = new URLSearchParams();
    for (const k of fields) {
      if (state[k] === initial[k] && k !== "layer") continue;
      if (k === "layer" && state[k] === firstLayer()) continue;
      const list = { split: data.splits.map(s => s.name), class: data.classes, layer: split().layers.map(l => l.name), other: split().layers.map(l => l.name) }[k];
      q.set(k, list ? list[state[k]] : state[k]);
    }
    if (state.diff) q.set("diff", "1");
    const text = q.toString();
    history.replaceState(null, "", text ? "#" + text : location.pathname + location.search);
  };
  const firstLayer = () => {
    for (const kind of ["network", "pseudo-label"]) {
      const i = split().layers.findIndex(l => l.kind === kind);
      if (i >= 0) return i;
    }
    return 0;
  };

  const fill = (select, names, chosen, none) => {
    select.replaceChildren();
    if (none) select.append(el("option", { value: -1, textContent: none }));
    names.forEach((n, i) => select.append(el("option", { value: i, textContent: n })));
    select.value = chosen;
  };
  const showControls = () => {
    const s = split();
    const names = s.layers.map(l => l.name);
    fill($("split"), data.splits.map(x => x.name), state.split);
    fill($("layer"), names, state.layer);
    fill($("other"), names, state.other, "–");
    $("byquality").hidden = $("byquality").disabled = !s.images.some(im => im.q !== undefined);
    const some = scored(s);
    $("otherlabel").hidden = names.length < 2 || !some;
    for (const id of ["layer", "min"]) $(id).closest("label").hidden = !some;
    $("split").closest("label").hidden = data.splits.length < 2;
    for (const o of $("order").options) if (["worst", "best", "gain", "loss"].includes(o.value)) o.hidden = o.disabled = !some;
    if (!some && $("order").querySelector('[value="' + state.order + '"]').disabled) state.order = $("byquality").disabled ? "name" : "quality";
    const present = new Set(s.images.flatMap(im => im.c));
    fill($("class"), data.classes, state.class, "all");
    for (const o of $("class").options) if (+o.value > 0 && !present.has(+o.value)) o.disabled = true;
    for (const k of ["min", "max", "order", "find", "opacity"]) $(k).value = state[k];
    root.style.setProperty("--opacity", state.opacity / 100);
    root.classList.toggle("diff", state.diff);
  };

  const apply = () => {
    const find = state.find.toLowerCase();
    shown = split().images.filter(im => {
      if (find && !im.id.toLowerCase().includes(find)) return false;
      const v = iou(im, state.layer);
      if (state.class > 0 && v < 0 && !im.c.includes(state.class)) return false;
      if (v < 0) return state.class < 1 && state.min <= 0 && state.max >= 100 || im.c.includes(state.class);
      return v >= 10 * state.min && v <= 10 * state.max;
    });
    const other = state.other >= 0 ? state.other : state.layer;
    const gain = im => iou(im, state.layer) - iou(im, other);
    const key = {
      worst: im => { const v = iou(im, state.layer); return v < 0 ? 2000 : v },
      best: im => -iou(im, state.layer),
      gain: im => -gain(im),
      loss: gain,
      quality: im => im.q ?? 2000,
    }[state.order];
    if (key) shown.sort((a, b) => key(a) - key(b));
    else shown.sort((a, b) => a.id < b.id ? -1 : a.id > b.id ? 1 : 0);
    const s = split();
    const all = s.images.length;
    $("count").textContent = shown.length + " of " + all + " images" + (s.hidden ? " (" + s.hidden + " better ones are not in this report)" : "");
    legend();
    $("cards").replaceChildren();
    made = 0;
    at = -1;
    more();
  };

  // The colours of the classes in this split.
  const legend = () => {
    const present = [...new Set(split().images.flatMap(im => im.c))].sort((a, b) => a - b);
    const rim = el("i");
    rim.style.background = "#e0e0c0";
    const also = split().truth ? [el("span", { className: "void" }, rim, "void, not scored")] : [];
    if (state.diff && split().truth) also.push(el("span", { className: "void", textContent: "black: as in the truth, any other colour: wrong" }));
    $("colours").replaceChildren(...present.map(c => {
      const i = el("i");
      i.style.background = data.colours[c];
      const b = el("button", { type: "button", title: "Show only this class", className: c === state.class ? "on" : "" }, i, data.classes[c]);
      b.onclick = () => { state.class = state.class === c ? -1 : c; refresh() };
      return b;
    }), ...also);
  };

  const tile = (im, label, score, overlay, lazy) => {
    const pic = el("div", { className: "pic" });
    pic.style.aspectRatio = im.w + "/" + im.h;
    pic.style.setProperty("--ratio", im.w / im.h);
    const img = (src, cls) => {
      const i = el("img", { alt: cls === "photo" ? im.id + ": " + label : "", className: cls });
      if (lazy) i.loading = "lazy";
      i.decoding = "async";
      i.onerror = () => i.classList.add("gone");
      i.src = src;
      return i;
    };
    pic.append(img(url(split().photos, im.id, ".jpg"), "photo"));
    if (overlay) {
      if (split().truth && overlay !== split().truth && state.diff) pic.append(img(url(split().truth, im.id, ".png"), "mask"));
      pic.append(img(url(overlay, im.id, ".png"), "over"));
    }
    if (label === "image" && im.k) pic.append(weak(im.k));
    return el("figure", { className: "tile" }, pic, el("figcaption", {}, el("span", { textContent: label }), el("span", { textContent: score })));
  };
  // The weak labels, in thousandths of the picture's sides.
  const svgNames = Object.assign(document.createElement("template"), { innerHTML: "<svg></svg>" }).content.firstChild.namespaceURI;
  const weak = k => {
    const svg = (tag, attributes) => {
      const e = document.createElementNS(svgNames, tag);
      for (const [n, v] of Object.entries(attributes)) e.setAttribute(n, v);
      return e;
    };
    const top = svg("svg", { class: "weak", viewBox: "0 0 1000 1000", preserveAspectRatio: "none", "aria-hidden": "true" });
    const twice = (tag, attributes, c) => {
      top.append(svg(tag, attributes));
      const e = svg(tag, attributes);
      e.style.stroke = c > 0 && c < 255 ? data.colours[c] : "#fff";
      top.append(e);
    };
    for (const [c, x0, y0, x1, y1] of k.b || []) twice("rect", { x: x0, y: y0, width: x1 - x0, height: y1 - y0 }, c);
    for (const [c, ...line] of k.s || []) twice("polyline", { points: line.join(" ") }, c);
    for (const [c, x, y] of k.p || []) twice("path", { class: "dot", d: "M" + x + " " + y + "h0" }, c);
    return top;
  };
  // Columns that leave no tile alone in a row.
  const columns = n => Math.ceil(n / Math.ceil(n / 6));
  const tiles = (im, lazy) => {
    const s = split();
    const tags = im.k?.t ? "tags: " + im.k.t.map(c => data.classes[c]).join(", ") : "";
    const photo = tile(im, "image", tags, "", lazy), l = s.layers[state.layer];
    // The mask shows while the pointer rests on the photo.
    photo.onpointerenter = () => {
      if (photo.querySelector(".over")) return;
      const i = el("img", { alt: "", className: "over hover", src: url(l.files, im.id, ".png") });
      i.onerror = () => i.remove();
      photo.firstChild.append(i);
    };
    photo.onpointerleave = () => photo.querySelector(".hover")?.remove();
    return [photo].concat(s.truth ? [tile(im, "truth", "", s.truth, lazy)] : [], s.layers.map((l, i) => {
      const v = iou(im, i);
      return tile(im, l.name, v < 0 ? "" : percent(v), l.files, lazy);
    }));
  };
  const card = (im, n) => {
    const head = el("p", {}, el("b", { textContent: im.id }),
      el("span", { className: "score", textContent: split().truth ? "IoU " + percent(iou(im, state.layer)) : "" }),
      el("span", { className: "muted quality", textContent: im.q === undefined ? "" : "quality " + (im.q / 1000).toFixed(2) }),
      el("span", { className: "muted why", textContent: im.y || "" }),
      el("span", { className: "muted", textContent: im.c.map(c => data.classes[c]).join(", ") }));
    const row = el("div", { className: "tiles" }, ...tiles(im, true));
    row.style.setProperty("--columns", columns(row.children.length));
    const c = el("article", { className: "card" }, head, row);
    head.firstChild.replaceWith(el("button", { type: "button", className: "name", title: "Open (Enter)" }, el("b", { textContent: im.id })));
    c.onclick = () => open(n);
    return c;
  };
  const more = () => {
    const end = Math.min(shown.length, made + PAGE);
    const cards = [];
    for (; made < end; made++) cards.push(card(shown[made], made));
    $("cards").append(...cards);
    $("more").textContent = made < shown.length ? "…" : "";
  };
  const tail = new IntersectionObserver(seen => {
    if (!seen.some(e => e.isIntersecting) || made >= shown.length) return;
    more();
    // Observing anew reports again where the end is still in view.
    tail.unobserve($("more"));
    tail.observe($("more"));
  }, { rootMargin: "1200px" });
  tail.observe($("more"));

  const select = n => {
    if (!shown.length) return;
    n = Math.max(0, Math.min(shown.length - 1, n));
    while (made <= n) more();
    const cards = $("cards").children;
    if (cards[at]) cards[at].classList.remove("at");
    at = n;
    cards[at].classList.add("at");
    cards[at].scrollIntoView({ block: "nearest" });
  };
  const viewer = $("viewer");
  const open = n => {
    select(n);
    if (at < 0) return;
    const im = shown[at];
    $("vname").textContent = im.id;
    $("vscore").textContent = (at + 1) + " of " + shown.length + " · " + split().layers.map((l, i) => l.name + " " + percent(im.s[i].m)).join(" · ");
    const stage = $("vstage");
    stage.replaceChildren(...tiles(im, false));
    stage.style.setProperty("--ratio", im.w / im.h);
    [...stage.children].forEach((t, i) => { t.onclick = () => showSolo(solo === i + 1 ? 0 : i + 1) });
    showSolo(solo > stage.children.length ? 0 : solo);
    const seen = new Set(im.c);
    for (const s of im.s) for (let k = 0; k < (s.i || []).length; k += 2) seen.add(s.i[k]);
    const names = el("span", { className: "muted", textContent: "IoU of " + split().layers.map(l => l.name).join(" / ") + ":" });
    $("vlegend").replaceChildren(names, ...[...seen].sort((a, b) => a - b).filter(c => c > 0).map(c => {
      const i = el("i");
      i.style.background = data.colours[c];
      const scores = im.s.map(s => { const k = (s.i || []).findIndex((v, j) => j % 2 === 0 && v === c); return k < 0 ? "–" : percent(s.i[k + 1]) });
      return el("span", {}, i, data.classes[c] + " " + scores.join(" / "));
    }));
    zoom(1, 0, 0);
    if (!viewer.open) viewer.showModal();
  };
  const showSolo = n => {
    solo = n;
    $("vstage").classList.toggle("solo", n > 0);
    [...$("vstage").children].forEach((t, i) => t.classList.toggle("shown", i + 1 === n));
  };
  // Zoom is of all pictures together: the same place side by side.
  let z = { f: 1, x: 0, y: 0 };
  const zoom = (f, x, y) => {
    f = Math.max(1, Math.min(16, f));
    z = { f, x: Math.max(0, Math.min(1 - 1 / f, x)), y: Math.max(0, Math.min(1 - 1 / f, y)) };
    for (const pic of $("vstage").querySelectorAll(".pic")) for (const i of pic.children) {
      i.style.transformOrigin = "0 0";
      i.style.transform = f === 1 ? "" : "scale(" + f + ") translate(" + -100 * z.x + "%," + -100 * z.y + "%)";
    }
  };
  $("vstage").addEventListener("wheel", e => {
    const pic = e.target.closest(".pic");
    if (!pic) return;
    e.preventDefault();
    const b = pic.getBoundingClientRect(), u = (e.clientX - b.left) / b.width, v = (e.clientY - b.top) / b.height;
    const f = Math.max(1, Math.min(16, z.f * Math.exp(-e.deltaY / 300)));
    zoom(f, z.x + u / z.f - u / f, z.y + v / z.f - v / f);
  }, { passive: false });
  let held = null;
  $("vstage").addEventListener("pointerdown", e => { if (z.f > 1 && e.target.closest(".pic")) { held = { x: e.clientX, y: e.clientY, moved: false }; e.preventDefault() } });
  $("vstage").addEventListener("pointermove", e => {
    const pic = held && e.target.closest(".pic");
    if (!pic) return;
    const b = pic.getBoundingClientRect();
    zoom(z.f, z.x - (e.clientX - held.x) / b.width / z.f, z.y - (e.clientY - held.y) / b.height / z.f);
    held.moved = held.moved || Math.hypot(e.clientX - held.x, e.clientY - held.y) > 2;
    held.x = e.clientX; held.y = e.clientY;
  });
  addEventListener("pointerup", () => { if (held?.moved) addEventListener("click", e => e.stopPropagation(), { capture: true, once: true }); held = null });
  $("vprev").onclick = () => open(at - 1);
  $("vnext").onclick = () => open(at + 1);
  $("vclose").onclick = () => viewer.close();

  const opacity = v => {
    state.opacity = Math.max(0, Math.min(100, v));
    $("opacity").value = state.opacity;
    root.style.setProperty("--opacity", state.opacity / 100);
    writeHash();
  };
  const refresh = () => { showControls(); apply(); writeHash() };
  const number = id => { const v = parseFloat($(id).value); return isFinite(v) ? v : initial[id] };
  for (const id of ["split", "layer", "class", "other", "order"]) $(id).onchange = () => {
    state[id] = id === "order" ? $(id).value : +$(id).value;
    if (id === "split") Object.assign(state, { layer: firstLayer(), other: -1, order: scored(split()) ? "worst" : "quality" });
    refresh();
  };
  for (const id of ["min", "max", "find"]) $(id).oninput = () => {
    state[id] = id === "find" ? $(id).value : number(id);
    apply();
    writeHash();
  };
  $("opacity").oninput = () => opacity(+$("opacity").value);
  for (const a of document.querySelectorAll("a.open")) a.onclick = e => {
    e.preventDefault();
    goto(a.dataset.split, a.dataset.id);
  };
  const goto = (splitName, id) => {
    const s = data.splits.findIndex(x => x.name === splitName);
    if (s < 0) return;
    Object.assign(state, initial, { split: s });
    state.layer = firstLayer();
    refresh();
    const n = shown.findIndex(im => im.id === id);
    if (n >= 0) open(n);
  };

  addEventListener("keydown", e => {
    if (e.ctrlKey || e.metaKey || e.altKey) return;
    const typing = /^(INPUT|SELECT|TEXTAREA)$/.test(e.target.tagName);
    if (typing) {
      if (e.key === "Escape") e.target.blur();
      return;
    }
    const step = n => viewer.open ? open(at + n) : select(at + n);
    const keys = {
      ArrowRight: () => step(1), j: () => step(1), ArrowLeft: () => step(-1), k: () => step(-1),
      Enter: () => open(Math.max(at, 0)), "+": () => viewer.open && zoom(z.f * 1.5, z.x + .5 / z.f - .5 / (z.f * 1.5), z.y + .5 / z.f - .5 / (z.f * 1.5)), "-": () => viewer.open && zoom(z.f / 1.5, z.x, z.y), "[": () => opacity(state.opacity - 10), "]": () => opacity(state.opacity + 10),
      "/": () => { viewer.close(); $("find").focus() }, t: toggleTheme,
      d: () => { state.diff = !state.diff; const n = at, was = viewer.open; refresh(); if (was) open(n) },
    };
    if (/^[0-9]$/.test(e.key) && viewer.open) showSolo(+e.key <= $("vstage").children.length ? +e.key : 0);
    else if (e.key === "Enter" && /^(A|BUTTON|SUMMARY)$/.test(e.target.tagName)) return;
    else if (keys[e.key]) keys[e.key]();
    else return;
    e.preventDefault();
  });
  addEventListener("beforeprint", () => { for (const i of document.querySelectorAll("img[loading]")) i.loading = "eager" });
  addEventListener("hashchange", () => { if (readHash()) { showControls(); apply() } });

  state.layer = firstLayer();
  const asked = readHash();
  showControls();
  apply();
  if (asked && asked !== true) { const n = shown.findIndex(im => im.id === asked); if (n >= 0) open(n) }
  ready();
})();
