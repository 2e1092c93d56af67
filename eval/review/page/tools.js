// Tools turn gestures into changes. Each has down, move and up, called with a
// point of the image in pixels; the mouse and the keyboard drive them alike.
import { Stroke } from "./pixels.js";

const clamp = (v, lo, hi) => Math.max(lo, Math.min(hi, v));
const pixel = (im, p) => [clamp(Math.floor(p.x), 0, im.w - 1), clamp(Math.floor(p.y), 0, im.h - 1)];
const inside = (im, p) => p.x >= 0 && p.y >= 0 && p.x < im.w && p.y < im.h;
const copy = v => structuredClone(v);

// near finds the prompt at a point, and the edges of its box that are held.
const near = (app, p) => {
  const r = 9 * app.view.ratio / app.view.scale;
  const order = app.im.prompts.map((q, i) => i).reverse();
  const first = order.findIndex(i => app.im.prompts[i].id === app.active);
  if (first > 0) order.unshift(...order.splice(first, 1));
  for (const i of order) {
    const q = app.im.prompts[i];
    for (const [k, m] of (q.points || []).entries()) if (Math.hypot(m[0] + .5 - p.x, m[1] + .5 - p.y) < r) return { q, point: k };
    if (!q.box) continue;
    const [x0, y0, x1, y1] = q.box;
    const edges = [Math.abs(p.x - x0) < r, Math.abs(p.y - y0) < r, Math.abs(p.x - x1) < r, Math.abs(p.y - y1) < r];
    const within = p.x > x0 - r && p.x < x1 + r && p.y > y0 - r && p.y < y1 + r;
    if (within && edges.some(Boolean)) return { q, edges };
  }
  const around = app.im.prompts.filter(q => q.box && p.x > q.box[0] && p.x < q.box[2] && p.y > q.box[1] && p.y < q.box[3]);
  around.sort((a, b) => (a.box[2] - a.box[0]) * (a.box[3] - a.box[1]) - (b.box[2] - b.box[0]) * (b.box[3] - b.box[1]));
  return around.length ? { q: around[0] } : null;
};

const boxOf = (im, a, b) => [
  clamp(Math.round(Math.min(a.x, b.x)), 0, im.w - 1), clamp(Math.round(Math.min(a.y, b.y)), 0, im.h - 1),
  clamp(Math.round(Math.max(a.x, b.x)), 1, im.w), clamp(Math.round(Math.max(a.y, b.y)), 1, im.h)];

const select = {
  name: "Select", key: "s", hint: "Choose an object; drag its box, an edge or a point of it. Delete removes it.",
  down(app, p) {
    const hit = near(app, p);
    app.choose(hit ? hit.q.id : null);
    this.hit = hit && { ...hit, from: p, was: copy(hit.q) };
  },
  move(app, p) {
    const h = this.hit;
    if (!h) return;
    const q = app.prompt(h.q.id), { w, h: high } = app.im;
    if (!q) return;
    let dx = Math.round(p.x - h.from.x), dy = Math.round(p.y - h.from.y);
    if (h.point !== undefined) {
      q.points[h.point] = [...pixel(app.im, p), h.was.points[h.point][2]];
    } else if (h.edges) {
      const b = h.was.box.slice();
      h.edges.forEach((held, k) => { if (held) b[k] = clamp(b[k] + (k % 2 ? dy : dx), 0, k % 2 ? high : w) });
      if (b[2] - b[0] >= 1 && b[3] - b[1] >= 1) q.box = b;
    } else {
      const b = h.was.box;
      dx = clamp(dx, -b[0], w - b[2]); dy = clamp(dy, -b[1], high - b[3]);
      q.box = [b[0] + dx, b[1] + dy, b[2] + dx, b[3] + dy];
    }
    app.view.draw();
  },
  up(app) {
    const h = this.hit;
    this.hit = null;
    const q = h && app.prompt(h.q.id);
    if (!q || JSON.stringify(q) === JSON.stringify(h.was)) return;
    const now = copy(q);
    Object.assign(q, h.was);
    app.change(list => list.map(o => o.id === now.id ? now : o));
  },
};

const box = {
  name: "Box", key: "b", drags: true, hint: "Drag a box around an object of the chosen class.",
  down(app, p) { this.from = p; this.to = p },
  move(app, p) { this.to = p; app.view.draw() },
  up(app, p) {
    const b = boxOf(app.im, this.from, p);
    this.from = null;
    if (b[2] - b[0] < 2 || b[3] - b[1] < 2) return app.view.draw();
    const id = app.newID();
    app.choose(id);
    app.change(list => [...list, { id, class: app.class, box: b }]);
  },
  draw(ctx, v) {
    if (!this.from) return;
    ctx.strokeRect(this.from.x * v.scale + v.x, this.from.y * v.scale + v.y, (this.to.x - this.from.x) * v.scale, (this.to.y - this.from.y) * v.scale);
  },
};

const click = {
  name: "Click", key: "c", hint: "Click into the object; with the right button or Alt, out of it. Enter begins another object.",
  down() {},
  move() {},
  up(app, p, out) {
    if (!inside(app.im, p)) return;
    const mark = [...pixel(app.im, p), out ? 1 : 0], q = app.prompt(app.active);
    if (q && (out || q.class === app.class)) {
      return app.change(list => list.map(o => o.id === q.id ? { ...o, points: [...(o.points || []), mark] } : o));
    }
    const id = app.newID();
    app.choose(id);
    // A click out of nothing shows background.
    app.change(list => [...list, { id, class: out ? 0 : app.class, points: [[mark[0], mark[1], 0]] }]);
  },
};

const scribble = {
  name: "Scribble", key: "l", drags: true, hint: "Draw a line along the object; with the right button or Alt, out of it.",
  down(app, p, out) { this.line = pixel(app.im, p); this.out = out },
  move(app, p) {
    const at = pixel(app.im, p), n = this.line.length;
    if (Math.hypot(at[0] - this.line[n - 2], at[1] - this.line[n - 1]) * app.view.scale > 3) this.line.push(...at);
    app.view.draw();
  },
  up(app, p) {
    this.move(app, p);
    const stroke = { line: this.line, out: this.out }, q = app.prompt(app.active);
    this.line = null;
    if (q && (stroke.out || q.class === app.class)) {
      return app.change(list => list.map(o => o.id === q.id ? { ...o, strokes: [...(o.strokes || []), stroke] } : o));
    }
    const id = app.newID();
    app.choose(id);
    app.change(list => [...list, { id, class: stroke.out ? 0 : app.class, strokes: [{ line: stroke.line, out: false }] }]);
  },
  draw(ctx, v) { if (this.line) path(ctx, v, this.line) },
};

const brushLike = (name, key, hint, value) => ({
  name, key, hint, drags: true, brush: true,
  down(app, p, out) {
    this.stroke = new Stroke(app.im, out ? 1 : value(app));
    this.last = p;
    this.stroke.disc(p.x, p.y, app.brush / 2);
    app.view.draw();
  },
  move(app, p) {
    this.stroke.line(this.last.x, this.last.y, p.x, p.y, app.brush / 2);
    this.last = p;
    app.view.draw();
  },
  up(app) {
    const s = this.stroke;
    this.stroke = null;
    if (s.idx.length) app.did([s.change()]);
  },
});

const brush = brushLike("Brush", "d", "Paint the chosen class; with the right button or Alt, background.", app => app.class + 1);
const erase = brushLike("Erase", "e", "Paint background.", () => 1);
const unpaint = brushLike("Unpaint", "u", "Take painted pixels back: the label below shows again.", () => 0);

const fill = {
  name: "Fill", key: "f", hint: "Give the connected pixels under the click the chosen class.",
  down() {},
  move() {},
  up(app, p, out) {
    if (!inside(app.im, p)) return;
    const s = new Stroke(app.im, out ? 1 : app.class + 1);
    s.fill(...pixel(app.im, p));
    if (s.idx.length) app.did([s.change()]);
  },
};

export const path = (ctx, v, line) => {
  ctx.beginPath();
  for (let k = 0; k < line.length; k += 2) ctx.lineTo((line[k] + .5) * v.scale + v.x, (line[k + 1] + .5) * v.scale + v.y);
  ctx.stroke();
};

export const tools = { select, box, click, scribble, brush, erase, fill, unpaint };
