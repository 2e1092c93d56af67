// Pixels as they travel: pairs of unsigned varints, value and number of
// pixels, row by row, in base64.

const bytesOf = text => {
  const raw = atob(text);
  const out = new Uint8Array(raw.length);
  for (let i = 0; i < raw.length; i++) out[i] = raw.charCodeAt(i);
  return out;
};

export const textOf = bytes => {
  const parts = [];
  for (let i = 0; i < bytes.length; i += 0x8000) parts.push(String.fromCharCode.apply(null, bytes.subarray(i, i + 0x8000)));
  return btoa(parts.join(""));
};

export const unpack = (text, into) => {
  const b = bytesOf(text);
  let p = 0, at = 0;
  const varint = () => {
    let v = 0, f = 1;
    for (;;) {
      const c = b[p++];
      v += (c & 127) * f;
      if (c < 128) return v;
      f *= 128;
    }
  };
  while (p < b.length) {
    const v = varint(), n = varint();
    into.fill(v, at, at + n);
    at += n;
  }
  return into;
};

export const pack = pix => {
  let out = new Uint8Array(1024), n = 0;
  const varint = v => {
    if (n + 8 > out.length) { const more = new Uint8Array(2 * out.length); more.set(out); out = more }
    while (v > 127) { out[n++] = (v & 127) | 128; v = Math.floor(v / 128) }
    out[n++] = v;
  };
  for (let i = 0; i < pix.length;) {
    let j = i + 1;
    while (j < pix.length && pix[j] === pix[i]) j++;
    varint(pix[i]);
    varint(j - i);
    i = j;
  }
  return textOf(out.subarray(0, n));
};

// Stroke collects the pixels that one gesture changes, each once.
export class Stroke {
  constructor(im, value) {
    this.im = im;
    this.value = value;
    this.seen = new Set();
    this.idx = [];
    this.before = [];
  }

  set(i) {
    if (this.seen.has(i)) return;
    this.seen.add(i);
    this.idx.push(i);
    this.before.push(this.im.layer[i]);
    this.im.layer[i] = this.value;
  }

  // disc paints the pixels whose centres lie within r of a point.
  disc(cx, cy, r) {
    const { w, h } = this.im;
    for (let y = Math.max(0, Math.floor(cy - r)); y <= Math.min(h - 1, Math.floor(cy + r)); y++) {
      const dy = y + .5 - cy, half = Math.sqrt(Math.max(0, r * r - dy * dy));
      if (Math.abs(dy) > r) continue;
      const x1 = Math.min(w - 1, Math.ceil(cx + half - .5) - (Number.isInteger(cx + half - .5) ? 0 : 1));
      for (let x = Math.max(0, Math.ceil(cx - half - .5)); x <= x1; x++) this.set(y * w + x);
    }
    const x = Math.floor(cx), y = Math.floor(cy);
    if (x >= 0 && y >= 0 && x < w && y < h) this.set(y * w + x);
  }

  line(x0, y0, x1, y1, r) {
    const n = Math.max(1, Math.ceil(Math.hypot(x1 - x0, y1 - y0) / Math.max(.5, r / 2)));
    for (let k = 0; k <= n; k++) this.disc(x0 + (x1 - x0) * k / n, y0 + (y1 - y0) * k / n, r);
  }

  // fill paints the connected pixels of the label at a point.
  fill(x, y) {
    const { w, h } = this.im;
    const want = valueAt(this.im, x, y);
    const done = new Uint8Array(w * h);
    const stack = [y * w + x];
    while (stack.length) {
      const i = stack.pop();
      if (done[i]) continue;
      const row = i - i % w;
      const same = j => !done[j] && valueAt(this.im, j % w, (j - j % w) / w) === want;
      let a = i, b = i;
      while (a > row && same(a - 1)) a--;
      while (b < row + w - 1 && same(b + 1)) b++;
      const ups = [];
      for (const d of [-w, w]) {
        if (row + d < 0 || row + d >= w * h) continue;
        let open = false;
        for (let j = a + d; j <= b + d; j++) {
          const s = same(j);
          if (s && !open) ups.push(j);
          open = s;
        }
      }
      for (let j = a; j <= b; j++) done[j] = 1;
      stack.push(...ups);
    }
    for (let i = 0; i < done.length; i++) if (done[i]) this.set(i);
  }

  // change is what the gesture did, as a part of a step.
  change() { return paintChange(this.im, this.idx, this.before, this.idx.map(() => this.value)) }
}

// valueAt is what a pixel shows: 1 + label value.
export const valueAt = (im, x, y) => {
  const v = im.layer[y * im.w + x];
  if (v) return v;
  const b = im.base;
  return b.pix[Math.floor((y + .5) * b.h / im.h) * b.w + Math.floor((x + .5) * b.w / im.w)] + 1;
};

// paintChange is pixels of a rectangle before and after a change, packed: 0 is
// none of it, 1 untouched, 2 + label value.
export const paintChange = (im, idx, before, after) => {
  let x0 = im.w, y0 = im.h, x1 = 0, y1 = 0;
  for (const i of idx) {
    const x = i % im.w, y = (i - x) / im.w;
    if (x < x0) x0 = x;
    if (x >= x1) x1 = x + 1;
    if (y < y0) y0 = y;
    if (y >= y1) y1 = y + 1;
  }
  const w = x1 - x0, h = y1 - y0;
  const packed = values => {
    const pix = new Uint16Array(w * h);
    idx.forEach((i, k) => { const x = i % im.w; pix[((i - x) / im.w - y0) * w + x - x0] = values[k] + 1 });
    return pack(pix);
  };
  return { kind: "paint", x: x0, y: y0, w, h, before: packed(before), after: packed(after) };
};

// repaint brings the pixels of a change to what they were before or after it,
// and returns the operation for the server; null where there is nothing to do.
// What was painted elsewhere in the meantime stays.
export const repaint = (im, c, forward) => {
  const { x, y, w, h } = c, [from, to] = forward ? [c.before, c.after] : [c.after, c.before];
  const was = unpack(from, new Uint16Array(w * h)), want = unpack(to, new Uint16Array(w * h));
  let left = 0, skipped = 0;
  for (let k = 0; k < want.length; k++) {
    if (!want[k]) continue;
    const i = (y + Math.floor(k / w)) * im.w + x + k % w, now = im.layer[i] + 1;
    if (now === want[k] || now === was[k]) { im.layer[i] = want[k] - 1; left++ } else { want[k] = 0; skipped++ }
  }
  return left ? { paint: { x, y, w, h, runs: skipped ? pack(want) : to } } : null;
};
