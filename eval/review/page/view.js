// View draws the photo, the labels and the prompts on a canvas. Labels are
// looked up for the pixels of the screen alone, so that large photos cost no
// more than small ones.

export const VOID = 256; // as a pixel's value, 1 + 255

export class View {
  constructor(canvas) {
    this.canvas = canvas;
    this.ctx = canvas.getContext("2d");
    this.over = document.createElement("canvas");
    this.under = document.createElement("canvas"); // the photo as it is in view
    this.scale = 1; this.x = 0; this.y = 0; // canvas pixel = image pixel · scale + x, y
    this.opacity = .55;
    this.photoOnly = false;
    this.im = null;
    this.colours = [];
    this.marks = () => {};
    new ResizeObserver(() => this.resize()).observe(canvas);
    this.resize();
  }

  resize() {
    const r = devicePixelRatio || 1, c = this.canvas;
    const w = Math.max(1, Math.round(c.clientWidth * r)), h = Math.max(1, Math.round(c.clientHeight * r));
    if (c.width !== w || c.height !== h) { c.width = this.over.width = w; c.height = this.over.height = h }
    this.ratio = r;
    if (this.im && this.fitted) this.fit();
    this.draw();
  }

  show(im, photo) {
    this.im = im;
    this.photo = photo;
    this.small = null;
    if (im.w * im.h > 4e6) { // a copy for the whole view: drawing the photo itself would be slow
      const f = 2048 / Math.max(im.w, im.h), c = document.createElement("canvas");
      c.width = Math.round(im.w * f); c.height = Math.round(im.h * f);
      c.getContext("2d").drawImage(photo, 0, 0, c.width, c.height);
      this.small = c;
    }
    this.fit();
  }

  fit() {
    const c = this.canvas, { w, h } = this.im;
    this.scale = Math.min(c.width / w, c.height / h) * .97;
    this.x = (c.width - w * this.scale) / 2;
    this.y = (c.height - h * this.scale) / 2;
    this.fitted = true;
    this.draw();
  }

  zoom(f, cx = this.canvas.width / 2, cy = this.canvas.height / 2) {
    const s = Math.min(60 * this.ratio, Math.max(.02, this.scale * f));
    this.x = cx - (cx - this.x) * s / this.scale;
    this.y = cy - (cy - this.y) * s / this.scale;
    this.scale = s;
    this.fitted = false;
    this.draw();
  }

  pan(dx, dy) { this.x += dx; this.y += dy; this.fitted = false; this.draw() }

  // at is the image's point, in pixels, under a place of the page.
  at(clientX, clientY) {
    const b = this.canvas.getBoundingClientRect();
    return { x: ((clientX - b.left) * this.ratio - this.x) / this.scale, y: ((clientY - b.top) * this.ratio - this.y) / this.scale };
  }

  // reveal moves the view so that a point is in it.
  reveal(p) {
    const m = 30 * this.ratio, px = p.x * this.scale + this.x, py = p.y * this.scale + this.y, c = this.canvas;
    const dx = px < m ? m - px : px > c.width - m ? c.width - m - px : 0;
    const dy = py < m ? m - py : py > c.height - m ? c.height - m - py : 0;
    if (dx || dy) this.pan(dx, dy);
  }

  draw() {
    if (this.asked) return;
    this.asked = true;
    requestAnimationFrame(() => { this.asked = false; this.paint() });
  }

  paint() {
    const { ctx, canvas: c, im } = this;
    ctx.setTransform(1, 0, 0, 1, 0, 0);
    ctx.clearRect(0, 0, c.width, c.height);
    if (!im) return;
    this.place();
    ctx.drawImage(this.under, 0, 0);
    if (!this.photoOnly) { this.labels(); this.marks(ctx, this) }
    this.painted = (this.painted || 0) + 1;
  }

  // place draws the photo, which is scaled again only where the view has moved.
  place() {
    const { canvas: c, under: u, im } = this, now = [this.photo, this.scale, this.x, this.y, c.width, c.height];
    if (this.placed?.every((v, k) => v === now[k])) return;
    this.placed = now;
    u.width = c.width; u.height = c.height;
    const ctx = u.getContext("2d");
    ctx.imageSmoothingEnabled = this.scale < 3;
    const from = this.small && im.w * this.scale <= 1.2 * this.small.width ? this.small : this.photo;
    ctx.drawImage(from, this.x, this.y, im.w * this.scale, im.h * this.scale);
  }

  labels() {
    const { canvas: c, im, scale: s } = this, b = im.base;
    const x0 = Math.max(0, Math.ceil(this.x - .5)), x1 = Math.min(c.width, Math.floor(this.x + im.w * s + .5));
    const y0 = Math.max(0, Math.ceil(this.y - .5)), y1 = Math.min(c.height, Math.floor(this.y + im.h * s + .5));
    const w = x1 - x0, h = y1 - y0;
    if (w <= 0 || h <= 0) return;
    const ix = new Int32Array(w), bx = new Int32Array(w);
    for (let k = 0; k < w; k++) {
      ix[k] = Math.min(im.w - 1, Math.max(0, Math.floor((x0 + k + .5 - this.x) / s)));
      bx[k] = Math.floor((ix[k] + .5) * b.w / im.w);
    }
    const octx = this.over.getContext("2d"), data = octx.createImageData(w, h), out = new Uint32Array(data.data.buffer);
    const full = this.colours.full, soft = this.colours.soft(this.opacity);
    const dim = Math.round(255 * this.opacity) << 24 >>> 0;
    let above = new Uint16Array(w);
    for (let y = 0; y < h; y++) {
      const iy = Math.min(im.h - 1, Math.max(0, Math.floor((y0 + y + .5 - this.y) / s)));
      const row = iy * im.w, brow = Math.floor((iy + .5) * b.h / im.h) * b.w, line = new Uint16Array(w);
      for (let x = 0; x < w; x++) {
        const v = im.layer[row + ix[x]] || b.pix[brow + bx[x]] + 1;
        line[x] = v;
        const edge = y && v !== above[x] || x && v !== line[x - 1];
        if (edge) out[y * w + x] = full[v === 1 ? (y && v !== above[x] ? above[x] : line[x - 1]) : v];
        else if (v === VOID) out[y * w + x] = (x + y & 8 ? 0xffffff : 0x777777) + dim;
        else out[y * w + x] = soft[v];
      }
      above = line;
    }
    octx.putImageData(data, 0, 0);
    this.ctx.drawImage(this.over, 0, 0, w, h, x0, y0, w, h);
  }
}

// palette gives colours by a pixel's value.
export const palette = hexes => {
  const full = new Uint32Array(258);
  hexes.forEach((hex, c) => {
    const n = parseInt(hex.slice(1), 16);
    full[c + 1] = (0xff000000 | (n & 255) << 16 | n & 0xff00 | n >> 16) >>> 0;
  });
  full[VOID] = 0xffffffff;
  let cache = null, of = -1;
  return {
    full,
    soft(opacity) {
      if (of === opacity) return cache;
      of = opacity;
      cache = full.map(v => (v & 0xffffff | Math.round(255 * opacity) << 24) >>> 0);
      cache[0] = cache[1] = 0;
      return cache;
    },
  };
};
