// Histories keeps what was done to each image, to be undone and done again
// without limit. Steps lie in the browser's own database too, so that they are
// there after the page was loaded again; each tab has its own.

const answered = request => new Promise((ok, no) => { request.onsuccess = () => ok(request.result); request.onerror = () => no(request.error) });
const days = 30; // that the steps of a tab are kept

const open = async () => {
  const asked = indexedDB.open("wsss review", 1);
  asked.onupgradeneeded = () => { asked.result.createObjectStore("steps"); asked.result.createObjectStore("places") };
  return answered(asked);
};

export class Histories {
  // book names the folder of corrections.
  constructor(book) {
    this.book = book;
    this.images = new Map(); // id → { steps, at }: steps before at are done, the others undone
    this.tab = sessionStorage.getItem("tab") || crypto.getRandomValues(new Uint32Array(2)).join("-");
    sessionStorage.setItem("tab", this.tab);
    this.db = open().then(db => { this.tidy(db); return db }, () => null); // without one, steps last as long as the page
  }

  key(id, ...more) { return [this.tab, this.book, id, ...more] }
  range(key, from = 0) { return IDBKeyRange.bound([...key, from], [...key, []]) }

  // read takes up the steps of an image.
  async read(id) {
    if (this.images.has(id)) return;
    const h = { steps: [], at: 0 }, db = await this.db;
    if (db) {
      try {
        const tx = db.transaction(["steps", "places"]);
        const [place, steps] = await Promise.all([answered(tx.objectStore("places").get(this.key(id))), answered(tx.objectStore("steps").getAll(this.range(this.key(id))))]);
        h.steps = steps;
        h.at = Math.min(place?.at ?? 0, steps.length);
      } catch { /* they are gone: the image is there without them */ }
    }
    if (!this.images.has(id)) this.images.set(id, h);
  }

  of(id) {
    if (!this.images.has(id)) this.images.set(id, { steps: [], at: 0 });
    return this.images.get(id);
  }

  // push adds a step that was done; what was undone before it is forgotten.
  push(id, step) {
    const h = this.of(id);
    h.steps.length = h.at;
    h.steps.push(step);
    h.at++;
    this.write(id, step);
  }

  // undo is the step to take back, redo the one to do again; undefined for none.
  undo(id) { return this.move(id, -1, h => h.steps[h.at - 1]) }
  redo(id) { return this.move(id, 1, h => h.steps[h.at]) }

  move(id, by, find) {
    const h = this.of(id), step = find(h);
    if (step) { h.at += by; this.write(id) }
    return step;
  }

  async write(id, step) {
    const { at } = this.of(id), db = await this.db;
    if (!db) return;
    try {
      const tx = db.transaction(["steps", "places"], "readwrite");
      if (step) {
        tx.objectStore("steps").delete(this.range(this.key(id), at - 1));
        tx.objectStore("steps").put(step, this.key(id, at - 1));
      }
      tx.objectStore("places").put({ at, used: Date.now() }, this.key(id));
    } catch { /* no room: the steps of this page are still in memory */ }
  }

  // tidy forgets the steps of tabs that are long gone.
  tidy(db) {
    const tx = db.transaction(["steps", "places"], "readwrite"), places = tx.objectStore("places").openCursor();
    places.onsuccess = () => {
      const c = places.result;
      if (!c) return;
      if (Date.now() - c.value.used > days * 24 * 3600e3) { tx.objectStore("steps").delete(this.range(c.key)); c.delete() }
      c.continue();
    };
  }
}
