// The page of wsss review.
import { View, palette } from "./view.js";
import { paintChange, repaint, unpack } from "./pixels.js";
import { Histories } from "./history.js";
import { Store } from "./store.js";
import { path, tools } from "./tools.js";

const $ = id => document.getElementById(id);
const el = (tag, props = {}, ...kids) => { const e = Object.assign(document.createElement(tag), props); e.append(...kids); return e };
const say = text => { $("spoken").textContent = text };

const view = new View($("canvas"));
const app = {
  view, im: null, list: null, at: -1, class: 1, active: null, brush: 16, tool: "select", cursor: null, held: false,
  prompt(id) { return this.im?.prompts.find(q => q.id === id) },
  newID() { return "r" + crypto.getRandomValues(new Uint32Array(2)).join("-") },
  choose(id) { this.active = id; objects(); view.draw() },
  // change edits the list of prompts.
  change(edit) {
    const c = promptChange(this.im.prompts, edit(structuredClone(this.im.prompts)));
    if (c) this.did([c]);
  },
  // did takes up a new step: changes that are undone together, or, without any,
  // a verdict.
  did(changes, verdict = "") {
    if (!this.im || this.blocked) return;
    const step = { changes, verdict: [this.im.verdict, verdict] };
    this.histories.push(this.im.id, step);
    apply(step, true);
  },
};
window.wsss = app; // for tests, and for the curious

// promptChange is what differs between two lists of prompts; null for nothing.
const promptChange = (before, after) => {
  const items = [], by = (list, id) => list.find(q => q.id === id) || null;
  after.forEach((q, at) => {
    const old = by(before, q.id);
    if (!old || JSON.stringify(old) !== JSON.stringify(q)) items.push({ id: q.id, at, before: structuredClone(old), after: structuredClone(q) });
  });
  before.forEach((q, at) => { if (!by(after, q.id)) items.push({ id: q.id, at, before: structuredClone(q), after: null }) });
  return items.length ? { kind: "prompts", items } : null;
};

// Each kind of change is done, or taken back, here; what it returns goes to the
// server.
const kinds = {
  paint: (im, c, forward) => [repaint(im, c, forward)],
  prompts: (im, c, forward) => c.items.map(({ id, at, before, after }) => {
    const want = forward ? after : before, now = im.prompts.findIndex(q => q.id === id);
    if (now >= 0) im.prompts.splice(now, 1);
    if (want) im.prompts.splice(now >= 0 ? now : at, 0, structuredClone(want));
    im.own = true; // unless the server finds that these are the image's own again
    if (!want && app.active === id) app.active = null;
    return want ? { prompt: want } : now >= 0 ? { remove: id } : null;
  }),
  tag: (im, c, forward) => {
    const on = forward === c.on;
    im.tags = im.tags.filter(t => t !== c.class).concat(on ? [c.class] : []).sort((a, b) => a - b);
    return [{ tag: { class: c.class, on } }];
  },
};

// apply does a step, or takes it back, here and on the server.
const apply = (step, forward) => {
  const im = app.im;
  const ops = (forward ? step.changes : step.changes.toReversed()).flatMap(c => kinds[c.kind](im, c, forward)).filter(Boolean);
  im.verdict = step.verdict[forward ? 1 : 0];
  if (!ops.length || im.verdict) ops.push({ verdict: im.verdict });
  store.send(im.id, ops);
  refresh();
};

const undo = () => { const s = app.im && !app.blocked && app.histories.undo(app.im.id); if (s) { apply(s, false); say("undone") } };
const redo = () => { const s = app.im && !app.blocked && app.histories.redo(app.im.id); if (s) { apply(s, true); say("done again") } };

const store = new Store({
  saved(text) { $("saved").textContent = text },
  trouble(text) { $("trouble").hidden = !text; $("trouble").textContent = text; app.blocked = Boolean(text) },
  answered(id, body) {
    if (app.im?.id !== id || store.pending(id)) return;
    Object.assign(app.im, { version: body.version, own: body.own, tagged: body.tagged, tags: body.tags });
    if (body.base) { setBase(body.base); app.millis = body.millis; note(body.note) }
    if (app.im.verdict !== body.verdict || body.stale) load(app.at, true);
    refresh();
  },
  failed(id, text, status) {
    say(text);
    const told = status === 409 ? "Corrected in another window, too: look again, then accept." : text;
    const item = app.list.images.find(i => i.id === id);
    item.state = item.state && "corrected";
    if (app.im?.id === id) load(app.at, true).then(() => note(told));
    else note(id + ": " + told);
  },
});

app.store = store;

const setBase = b => {
  app.im.base = { w: b.w, h: b.h, pix: unpack(b.runs, new Uint8Array(b.w * b.h)) };
  view.draw();
};
const note = text => { $("hint").textContent = text || tools[app.tool].hint };

// load shows an image; again = the one that is shown, as it is on the server.
const load = async (n, again) => {
  if (n < 0 || n >= app.list.images.length) return say(n < 0 ? "the first image" : "the last image");
  const turn = app.turn = (app.turn || 0) + 1;
  const id = app.list.images[n].id;
  try {
    const url = "api/photo?id=" + encodeURIComponent(id);
    const photo = again && app.im?.id === id ? Promise.resolve(view.photo) : decoded(url);
    const [raw, img] = await Promise.all([store.image(id), photo, app.histories.read(id)]);
    if (turn !== app.turn || again && store.pending(id)) return;
    const im = { ...raw, layer: unpack(raw.painted, new Uint16Array(raw.w * raw.h)) };
    im.base = { w: raw.base.w, h: raw.base.h, pix: unpack(raw.base.runs, new Uint8Array(raw.base.w * raw.base.h)) };
    const same = app.im?.id === id;
    app.im = im;
    app.at = n;
    if (!same) { app.active = null; app.cursor = null; app.held = false }
    if (same) { view.im = im; view.draw() } else view.show(im, img);
    location.replace("#" + encodeURIComponent(id));
    note(raw.note);
    refresh();
    document.documentElement.dataset.shown = id;
    if (n + 1 < app.list.images.length) decoded("api/photo?id=" + encodeURIComponent(app.list.images[n + 1].id)).catch(() => {});
  } catch (e) {
    if (turn !== app.turn) return;
    app.at = n;
    note(id + ": " + e.message);
    say(e.message);
  }
};
let ahead = { url: "", photo: null };
const decoded = url => {
  if (ahead.url === url) return ahead.photo;
  const img = new Image();
  img.src = url;
  ahead = { url, photo: img.decode().then(() => img, () => { throw new Error("the browser cannot show the photo") }) };
  return ahead.photo;
};

const painted = layer => { for (let i = 0; i < layer.length; i++) if (layer[i]) return true; return false };
const stateOf = im => im.verdict || (im.own || im.tagged || painted(im.layer) ? "corrected" : "");
const refresh = () => {
  const im = app.im;
  if (!im) return;
  const item = app.list.images[app.at];
  item.state = stateOf(im);
  $("name").textContent = im.id;
  const done = app.list.images.filter(i => i.state === "accepted" || i.state === "rejected").length;
  $("place").textContent = (app.at + 1) + " of " + app.list.images.length + ", " + done + " judged";
  $("state").textContent = item.state;
  $("state").className = "chip " + item.state;
  $("why").textContent = item.why;
  $("why").title = item.why;
  const h = app.histories.of(im.id);
  $("undo").disabled = !h.at;
  $("redo").disabled = h.at === h.steps.length;
  objects();
  tags();
  view.draw();
};

const nameOf = c => c === 255 ? "void" : app.list.classes[c];
const swatch = c => {
  const s = el("span", { className: "swatch" + (c === 255 ? " void" : "") });
  if (c !== 255) s.style.background = app.list.colours[c];
  return s;
};
const setClass = c => {
  app.class = c;
  $("current").replaceChildren(nameOf(c));
  for (const o of $("classes").children) {
    const on = +o.dataset.class === c;
    o.setAttribute("aria-selected", on);
    if (on) o.scrollIntoView({ block: "nearest" });
  }
  const q = app.prompt(app.active);
  if (q && q.class !== c && app.tool === "select") app.change(list => list.map(o => o.id === q.id ? { ...o, class: c } : o));
  tags();
  say(nameOf(c));
};
const classList = () => {
  const find = $("find").value.trim().toLowerCase();
  const all = [...app.list.classes.keys(), 255].filter(c => nameOf(c).toLowerCase().includes(find));
  $("classes").replaceChildren(...all.map(c => {
    const key = c < 10 ? c : c === 255 ? "x" : "";
    const o = el("div", { role: "option", title: "Class " + nameOf(c) }, swatch(c), el("span", { textContent: nameOf(c) }), el("kbd", { textContent: key }));
    o.setAttribute("role", "option");
    o.dataset.class = c;
    o.setAttribute("aria-selected", c === app.class);
    o.onclick = () => setClass(c);
    return o;
  }));
  return all;
};
const objects = () => {
  if (!app.im) return;
  $("objects").replaceChildren(...app.im.prompts.map(q => {
    const parts = [q.box && "box", q.points?.length && q.points.length + (q.points.length > 1 ? " points" : " point"), q.strokes?.length && q.strokes.length + (q.strokes.length > 1 ? " strokes" : " stroke")];
    const o = el("div", {}, swatch(q.class), el("span", { textContent: nameOf(q.class) + ", " + parts.filter(Boolean).join(", ") }));
    o.setAttribute("role", "listitem");
    if (q.id === app.active) { o.setAttribute("aria-current", "true"); o.style.outline = "2px solid var(--accent)"; o.style.outlineOffset = "-2px" }
    o.onclick = () => { setTool("select"); app.choose(q.id === app.active ? null : q.id) };
    return o;
  }));
};
// tags lists the classes that the image shows, each with a button that takes it
// back, and one that adds the chosen class.
const tags = () => {
  const im = app.im;
  if (!im) return;
  const chips = im.tags.map(c => {
    const drawn = im.prompts.some(q => q.class === c);
    const b = el("button", { type: "button", className: "tag", disabled: drawn, title: drawn ? "There are objects of it" : "Not in the image (i)" }, swatch(c), nameOf(c), drawn ? "" : " ×");
    b.setAttribute("aria-label", drawn ? nameOf(c) : "Take back the tag " + nameOf(c));
    b.onclick = () => tag(c);
    return b;
  });
  if (app.class > 0 && app.class !== 255 && !im.tags.includes(app.class)) {
    const b = el("button", { type: "button", className: "tag add", title: "It is in the image (i)" }, "+ ", nameOf(app.class));
    b.setAttribute("aria-label", "Tag the image with " + nameOf(app.class));
    b.onclick = () => tag(app.class);
    chips.push(b);
  }
  const on = $("tags").contains(document.activeElement);
  $("tags").replaceChildren(...chips);
  if (on) ($("tags").querySelector("button:not([disabled])") || canvas).focus();
};
// tag says that the image shows a class, or that it does not after all.
const tag = c => {
  const im = app.im, on = !im.tags.includes(c);
  if (c < 1 || c === 255) return note("Background and void are no tags.");
  if (!on && im.prompts.some(q => q.class === c)) return note(nameOf(c) + " has objects in the image: remove these first.");
  app.did([{ kind: "tag", class: c, on }]);
  say(on ? nameOf(c) + " is in the image" : nameOf(c) + " is not in the image");
};
const setTool = name => {
  app.tool = name;
  app.held = false;
  for (const b of document.querySelectorAll(".tools button")) b.setAttribute("aria-pressed", b.dataset.tool === name);
  note("");
  view.draw();
};
for (const [name, t] of Object.entries(tools)) {
  const b = el("button", { type: "button", title: t.hint + " (" + t.key + ")" }, el("span", { textContent: t.name }), el("kbd", { textContent: t.key }));
  b.dataset.tool = name;
  b.onclick = () => setTool(name);
  document.querySelector(".tools").append(b);
}

// The marks over the labels: prompts, the tool at work, the keyboard's cross.
view.marks = (ctx, v) => {
  const px = (x, y) => [x * v.scale + v.x, y * v.scale + v.y];
  for (const q of app.im.prompts) {
    const on = q.id === app.active;
    for (const [width, colour] of [[(on ? 5 : 3) * v.ratio, "#000a"], [(on ? 3 : 1.5) * v.ratio, q.class === 255 ? "#fff" : q.class === 0 ? "#ddd" : app.list.colours[q.class]]]) {
      ctx.lineWidth = width;
      ctx.strokeStyle = colour;
      if (q.box) ctx.strokeRect(...px(q.box[0], q.box[1]), (q.box[2] - q.box[0]) * v.scale, (q.box[3] - q.box[1]) * v.scale);
      for (const s of q.strokes || []) { ctx.setLineDash(s.out ? [6, 5] : []); path(ctx, v, s.line) }
      ctx.setLineDash([]);
    }
    for (const [x, y, out] of q.points || []) {
      const [cx, cy] = px(x + .5, y + .5), r = 6 * v.ratio;
      ctx.lineWidth = 2 * v.ratio;
      ctx.fillStyle = out ? "#c22" : "#171";
      ctx.strokeStyle = "#fff";
      ctx.beginPath(); ctx.arc(cx, cy, r, 0, 7); ctx.fill(); ctx.stroke();
      ctx.beginPath(); ctx.moveTo(cx - r / 2, cy); ctx.lineTo(cx + r / 2, cy);
      if (!out) { ctx.moveTo(cx, cy - r / 2); ctx.lineTo(cx, cy + r / 2) }
      ctx.stroke();
    }
    if (on && q.box) {
      ctx.fillStyle = "#fff";
      for (const x of [q.box[0], q.box[2]]) for (const y of [q.box[1], q.box[3]]) { const [a, b] = px(x, y); ctx.fillRect(a - 4 * v.ratio, b - 4 * v.ratio, 8 * v.ratio, 8 * v.ratio) }
    }
  }
  ctx.lineWidth = 2 * v.ratio;
  ctx.strokeStyle = "#fff";
  tools[app.tool].draw?.(ctx, v);
  const at = app.cursor || app.mouse;
  if (at && tools[app.tool].brush) {
    const [cx, cy] = px(at.x, at.y), r = Math.max(2, app.brush / 2 * v.scale);
    for (const [w, c] of [[3, "#000"], [1.5, "#fff"]]) { ctx.lineWidth = w * v.ratio; ctx.strokeStyle = c; ctx.beginPath(); ctx.arc(cx, cy, r, 0, 7); ctx.stroke() }
  }
  if (app.cursor) {
    const [cx, cy] = px(app.cursor.x, app.cursor.y), r = 14 * v.ratio;
    for (const [w, c] of [[4, "#000"], [1.5, app.held ? "#fd0" : "#fff"]]) {
      ctx.lineWidth = w * v.ratio; ctx.strokeStyle = c;
      ctx.beginPath(); ctx.moveTo(cx - r, cy); ctx.lineTo(cx + r, cy); ctx.moveTo(cx, cy - r); ctx.lineTo(cx, cy + r); ctx.stroke();
    }
  }
};

const judge = async verdict => {
  if (!app.im) return;
  if (app.im.verdict !== verdict) app.did([], verdict);
  say(verdict);
  load(app.at + 1);
};
const removeActive = () => {
  const id = app.active;
  if (!app.prompt(id)) return;
  app.active = null;
  app.change(list => list.filter(q => q.id !== id));
};
// restore drops all that was corrected, as one step.
const restore = () => {
  const im = app.im, idx = [], changes = [];
  if (!im) return;
  im.layer.forEach((v, i) => { if (v) idx.push(i) });
  if (idx.length) changes.push(paintChange(im, idx, idx.map(i => im.layer[i]), idx.map(() => 0)));
  changes.push(promptChange(im.prompts, im.before.prompts));
  for (const c of im.tags) if (!im.before.tags.includes(c) && im.tagged) changes.push({ kind: "tag", class: c, on: false });
  for (const c of im.before.tags) if (!im.tags.includes(c) && im.tagged) changes.push({ kind: "tag", class: c, on: true });
  const some = changes.filter(Boolean);
  if (some.length || im.verdict) app.did(some);
};
const cycle = step => {
  const list = app.im.prompts, i = list.findIndex(q => q.id === app.active);
  if (!list.length) return;
  const q = list[(i < 0 ? (step > 0 ? 0 : list.length - 1) : (i + step + list.length) % list.length)];
  setTool("select");
  app.choose(q.id);
  say(nameOf(q.class));
};

// Mouse, pen and touch.
const canvas = $("canvas");
let drag = null;
canvas.oncontextmenu = e => e.preventDefault();
canvas.onpointerdown = e => {
  if (!app.im) return;
  canvas.focus();
  canvas.setPointerCapture(e.pointerId);
  app.cursor = null;
  const p = view.at(e.clientX, e.clientY);
  if (e.button === 1 || app.panning) drag = { pan: true, x: e.clientX, y: e.clientY };
  else if (!app.blocked) { drag = { out: e.button === 2 || e.altKey }; tools[app.tool].down(app, p, drag.out) }
  e.preventDefault();
};
canvas.onpointermove = e => {
  if (!app.im) return;
  const p = app.mouse = view.at(e.clientX, e.clientY);
  if (drag?.pan) { view.pan((e.clientX - drag.x) * view.ratio, (e.clientY - drag.y) * view.ratio); drag.x = e.clientX; drag.y = e.clientY }
  else if (drag) for (const c of e.getCoalescedEvents?.().length ? e.getCoalescedEvents() : [e]) tools[app.tool].move(app, view.at(c.clientX, c.clientY));
  else if (tools[app.tool].brush) { app.mouse = p; view.draw() }
};
const release = e => {
  if (drag && !drag.pan) tools[app.tool].up(app, view.at(e.clientX, e.clientY), drag.out);
  drag = null;
};
canvas.onpointerup = release;
canvas.onpointercancel = release;
canvas.onpointerleave = () => { app.mouse = null; if (!drag) view.draw() };
canvas.addEventListener("wheel", e => {
  e.preventDefault();
  const b = canvas.getBoundingClientRect();
  view.zoom(Math.exp(-e.deltaY / 400), (e.clientX - b.left) * view.ratio, (e.clientY - b.top) * view.ratio);
}, { passive: false });

// The keyboard drives a cross, which space presses.
const moveCross = (dx, dy, fine) => {
  const step = fine ? 1 : Math.max(1, 10 * view.ratio / view.scale), im = app.im;
  const c = app.cursor || view.at(...(() => { const b = canvas.getBoundingClientRect(); return [b.left + b.width / 2, b.top + b.height / 2] })());
  app.cursor = { x: Math.max(0, Math.min(im.w - .01, c.x + dx * step)), y: Math.max(0, Math.min(im.h - .01, c.y + dy * step)) };
  view.reveal(app.cursor);
  if (app.held) tools[app.tool].move(app, app.cursor);
  say(Math.floor(app.cursor.x) + ", " + Math.floor(app.cursor.y));
  view.draw();
};
const press = out => {
  if (!app.cursor) moveCross(0, 0);
  const t = tools[app.tool];
  if (app.blocked) return;
  if (app.held) { app.held = false; t.up(app, app.cursor, app.heldOut) }
  else if (t.drags || app.tool === "select") { t.down(app, app.cursor, out); app.held = true; app.heldOut = out }
  else { t.down(app, app.cursor, out); t.up(app, app.cursor, out) }
  view.draw();
};
const opacity = v => { view.opacity = Math.max(0, Math.min(100, v)) / 100; $("opacity").value = 100 * view.opacity; view.draw() };
const brushSize = v => { app.brush = Math.max(1, Math.min(400, Math.round(v))); $("brush").value = app.brush; view.draw() };
const photoOnly = on => { view.photoOnly = on; $("photoonly").checked = on; view.draw() };

const keys = [
  ["Page Down, n", "next image", ["PageDown", "n"], () => load(app.at + 1)],
  ["Page Up, p", "previous image", ["PageUp", "p"], () => load(app.at - 1)],
  ["a", "accept and go on", ["a"], () => judge("accepted")],
  ["r", "reject and go on", ["r"], () => judge("rejected")],
  ["z, Ctrl Z", "undo", ["z"], undo],
  ["y, Ctrl Y", "redo", ["y"], redo],
  ...Object.entries(tools).map(([name, t]) => [t.key, t.name.toLowerCase(), [t.key], () => setTool(name)]),
  ["1 … 9, 0", "class; 0 is background", [..."0123456789"], e => { if (+e.key < app.list.classes.length) setClass(+e.key) }],
  ["x", "void", ["x"], () => setClass(255)],
  ["i", "the chosen class is in the image, or not", ["i"], () => tag(app.class)],
  ["/", "find a class", ["/"], () => { $("find").focus(); $("find").select() }],
  ["arrows", "move the cross; with Shift by one pixel", ["ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown"], e => moveCross(({ ArrowLeft: -1, ArrowRight: 1 })[e.key] || 0, ({ ArrowUp: -1, ArrowDown: 1 })[e.key] || 0, e.shiftKey)],
  ["space", "press at the cross, and let go; with Alt or Shift out of the object", [" "], e => press(e.altKey || e.shiftKey)],
  ["Enter", "begin another object", ["Enter"], () => app.choose(null)],
  ["g, Shift G", "next, previous object", ["g", "G"], e => cycle(e.key === "g" ? 1 : -1)],
  ["Delete", "remove the object", ["Delete", "Backspace"], removeActive],
  ["Esc", "let go", ["Escape"], () => { app.held = false; app.cursor = null; app.choose(null) }],
  ["+, −", "zoom", ["+", "=", "-"], e => view.zoom(e.key === "-" ? .8 : 1.25, ...(app.cursor ? [app.cursor.x * view.scale + view.x, app.cursor.y * view.scale + view.y] : []))],
  ["h", "whole photo", ["h"], () => view.fit()],
  ["w, drag", "move the photo with the mouse", ["w"], () => { app.panning = !app.panning; canvas.style.cursor = app.panning ? "grab" : "" }],
  ["[, ]", "opacity", ["[", "]"], e => opacity(100 * view.opacity + (e.key === "[" ? -10 : 10))],
  [", .", "brush", [",", "."], e => brushSize(e.key === "," ? app.brush / 1.25 - 1 : app.brush * 1.25 + 1)],
  ["t", "photo only", ["t"], () => photoOnly(!view.photoOnly)],
  ["?", "this list", ["?"], () => $("help").showModal()],
];
$("keys").replaceChildren(...keys.map(([k, what]) => el("p", {}, el("kbd", { textContent: k }), " " + what)));
addEventListener("keydown", e => {
  if ($("help").open || !app.list) return;
  if (e.target === $("find")) {
    if (e.key === "Enter") { const all = classList(); if (all.length) setClass(all[0]) }
    if (e.key === "Enter" || e.key === "Escape") { $("find").value = ""; classList(); canvas.focus(); e.preventDefault() }
    return;
  }
  if ((e.ctrlKey || e.metaKey) && "zyZ".includes(e.key)) { e.preventDefault(); return e.key === "z" && !e.shiftKey ? undo() : redo() }
  if (e.ctrlKey || e.metaKey) return;
  const control = /^(BUTTON|INPUT|SELECT)$/.test(e.target.tagName);
  if (control && [" ", "Enter", "ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown"].includes(e.key)) return;
  const k = keys.find(([, , names]) => names.includes(e.key));
  if (!k || !app.im && !["n", "p", "PageDown", "PageUp", "?"].includes(e.key)) return;
  e.preventDefault();
  k[3](e);
});
$("prev").onclick = () => load(app.at - 1);
$("next").onclick = () => load(app.at + 1);
$("accept").onclick = () => judge("accepted");
$("reject").onclick = () => judge("rejected");
$("undo").onclick = undo;
$("redo").onclick = redo;
$("restore").onclick = restore;
$("opacity").oninput = () => opacity(+$("opacity").value);
$("brush").oninput = () => brushSize(+$("brush").value);
$("photoonly").onchange = () => photoOnly($("photoonly").checked);
$("find").oninput = classList;
$("helpbutton").onclick = () => $("help").showModal();
$("helpclose").onclick = () => $("help").close();
// Another window may have corrected the image while this one was away.
addEventListener("focus", async () => {
  if (app.im && store.idle() && await store.changed(app.im.id).catch(() => false) && store.idle()) load(app.at, true);
});
addEventListener("beforeunload", e => { if (!store.idle()) e.preventDefault() });

const start = async () => {
  app.list = await store.images();
  app.histories = new Histories(app.list.book);
  view.colours = palette(app.list.colours);
  classList();
  setClass(1);
  setTool("click");
  document.title = "wsss review, " + app.list.images.length + " images";
  const asked = decodeURIComponent(location.hash.slice(1));
  const at = app.list.images.findIndex(i => i.id === asked);
  const open = app.list.images.findIndex(i => !i.state || i.state === "corrected");
  await load(at >= 0 ? at : Math.max(0, open));
  canvas.focus();
  document.documentElement.dataset.ready = "1";
};
start().catch(e => { $("trouble").hidden = false; $("trouble").textContent = e.message });
