// Store talks to the server. Changes are sent one request at a time, in order,
// and again until they are answered: sending one twice changes nothing.

export class Store {
  constructor(tell) {
    this.tell = tell; // { saved(text), trouble(text), answered(id, answer), failed(id, text) }
    this.queue = [];
    this.busy = false;
    this.versions = new Map();
  }

  async get(path) {
    const r = await fetch(path, { cache: "no-store" });
    const body = await r.json();
    if (!r.ok) throw new Error(body.error);
    return body;
  }

  images() { return this.get("api/images") }
  async image(id) {
    const im = await this.get("api/image?id=" + encodeURIComponent(id));
    this.versions.set(id, im.version);
    return im;
  }
  async changed(id) {
    const v = await this.get("api/version?id=" + encodeURIComponent(id));
    return v.version !== this.versions.get(id);
  }

  send(id, ops) {
    const last = this.queue.at(-1);
    if (last && last.id === id && !last.sent) last.ops.push(...ops);
    else this.queue.push({ id, ops });
    this.tell.saved("saving …");
    this.run();
  }

  pending(id) { return this.queue.some(j => j.id === id) }
  idle() { return this.queue.length === 0 }

  async run() {
    if (this.busy) return;
    this.busy = true;
    while (this.queue.length) {
      const job = this.queue[0];
      job.sent = true;
      let r, body;
      try {
        r = await fetch("api/edit", {
          method: "POST", headers: { "Content-Type": "application/json" },
          body: JSON.stringify({ id: job.id, version: this.versions.get(job.id), ops: job.ops }),
        });
        body = await r.json();
      } catch {
        this.tell.trouble("The server does not answer: what was drawn last is not saved yet. Start wsss review again and open its new address; all else is kept.");
        await new Promise(done => setTimeout(done, 1000));
        continue;
      }
      this.tell.trouble("");
      this.queue.shift();
      if (r.ok) {
        this.versions.set(job.id, body.version);
        this.tell.answered(job.id, body);
      } else {
        this.tell.failed(job.id, body.error, r.status);
      }
    }
    this.busy = false;
    this.tell.saved("saved");
  }
}
