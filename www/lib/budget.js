// Models that share a limit of memory: which are there, who uses them, and which goes when another needs its room.

import { wrong } from "./checks.js";
import { OutOfMemoryError } from "./errors.js";

/** The room that one load of a model takes. */
export class Place {
  bytes = 0;
  /** Told by a clock that counts uses. */
  lastUsed = 0;
  users = 0;
  #clock;
  #onDepart;
  #onGone;
  /** How the memory is given back; undefined before the load is through, null where it cannot be. @type {(() => unknown) | null | undefined} */
  #unload;
  /** @type {{promise: Promise<void>, resolve: () => void} | null} */
  #departure = null;
  isGone = false;

  /**
   * @param {() => number} clock
   * @param {() => void} onDepart Called when it is to go: who comes now has to load the model anew.
   * @param {() => void} onGone
   */
  constructor(clock, onDepart, onGone) {
    this.#clock = clock;
    this.#onDepart = onDepart;
    this.#onGone = onGone;
  }

  /** Whether it goes as soon as nobody uses it. */
  get isDeparting() {
    return this.#departure !== null;
  }

  /** Whether it can be made to go. */
  get canDepart() {
    return this.#unload !== null && !this.isDeparting;
  }

  /** @returns {() => void} To be called when the use ends; again, it does nothing. */
  enter() {
    this.users += 1;
    this.lastUsed = this.#clock();
    let isInside = true;
    return () => {
      if (!isInside) return;
      isInside = false;
      this.users -= 1;
      this.lastUsed = this.#clock();
      this.#goWhereIdle();
    };
  }

  /** The load is through. @param {(() => unknown) | null} unload null: it stays, whatever is asked. */
  settle(unload) {
    this.#unload = unload;
    if (unload !== null) return this.#goWhereIdle();
    this.#departure?.resolve();
    this.#departure = null;
  }

  /** @returns {Promise<void>} Resolves when its memory is given back, which waits for who uses it. */
  depart() {
    if (!this.#departure) {
      let resolve = () => {};
      const promise = /** @type {Promise<void>} */ (new Promise((done) => (resolve = done)));
      this.#departure = { promise, resolve };
      this.#onDepart();
      this.#goWhereIdle();
    }
    return this.#departure.promise;
  }

  /** Its memory is free already: the load failed, or the model went by itself. */
  drop() {
    if (this.isGone) return;
    this.isGone = true;
    this.#onGone();
    this.#departure?.resolve();
  }

  #goWhereIdle() {
    const unload = this.#unload;
    if (!this.isDeparting || this.users > 0 || !unload || this.isGone) return;
    this.#unload = undefined;
    // A model that cannot be unloaded any more has gone with its worker.
    void Promise.resolve()
      .then(unload)
      .catch(() => {})
      .then(() => this.drop());
  }
}

/** A limit of memory, and the places of the models under it. */
export class MemoryBudget {
  #bytes = Infinity;
  /** @type {Set<Place>} */
  #places = new Set();
  /** Who asks for room waits for who asked before. @type {Promise<void>} */
  #last = Promise.resolve();
  #time = 0;

  /** @param {number} [bytes] */
  constructor(bytes = Infinity) {
    this.bytes = bytes;
  }

  get bytes() {
    return this.#bytes;
  }

  set bytes(value) {
    if (typeof value !== "number" || !(value > 0)) {
      throw wrong("memoryBudget", "expected a number of bytes above 0, or Infinity for no limit");
    }
    this.#bytes = value;
    this.#trim();
  }

  /** Bytes that the models here take, with those that are being loaded. */
  get used() {
    return total(this.#places);
  }

  /** @param {() => void} [onDepart] @returns {Place} It takes no room yet. */
  place(onDepart = () => {}) {
    /** @type {Place} */
    const place = new Place(() => ++this.#time, onDepart, () => this.#places.delete(place));
    return place;
  }

  /**
   * Gives a place its room when there is some: idle models go, the one that was used longest ago first; where that is not
   * enough, those in use go when their requests have ended.
   * @param {Place} place
   * @param {number} bytes
   * @param {string} name The model's.
   * @returns {Promise<void>} Rejects with `OutOfMemoryError` where it will never fit.
   */
  async admit(place, bytes, name) {
    const before = this.#last;
    let done = () => {};
    this.#last = new Promise((resolve) => (done = resolve));
    await before;
    try {
      while (this.used + bytes > this.#bytes) {
        this.#requireRoom(bytes, name);
        const departing = this.#makeRoom(bytes);
        await Promise.all(departing.map((other) => other.depart()));
      }
      this.#keep(place, bytes);
    } finally {
      done();
    }
  }

  /**
   * What a model takes, when it is known for certain. Others go for it where that is more than was said before.
   * @param {Place} place
   * @param {number} bytes
   * @param {string} name
   * @throws {OutOfMemoryError} Where it does not fit; the model goes then.
   */
  correct(place, bytes, name) {
    this.#keep(place, bytes);
    try {
      this.#requireRoom(bytes, name, place);
    } catch (error) {
      void place.depart();
      throw error;
    }
    this.#trim(place);
  }

  /** A model that stays. @param {number} bytes @returns {Place} */
  pin(bytes) {
    const place = this.place();
    place.settle(null);
    this.#keep(place, bytes);
    this.#trim(place);
    return place;
  }

  /** @param {Place} place @param {number} bytes */
  #keep(place, bytes) {
    place.bytes = bytes;
    if (!place.isGone) this.#places.add(place);
  }

  /** @param {Place} [spared] */
  #trim(spared) {
    for (const place of this.#makeRoom(0, spared)) void place.depart();
  }

  /** @param {number} bytes @param {string} name @param {Place} [own] */
  #requireRoom(bytes, name, own) {
    const others = [...this.#places].filter((place) => place !== own);
    const fixed = total(others.filter((place) => !place.canDepart && !place.isDeparting));
    if (fixed + bytes <= this.#bytes) return;
    const rest = fixed > 0 ? `, of which ${megabytes(fixed)} are taken by models that stay loaded` : "";
    throw new OutOfMemoryError(
      `"${name}" takes ${megabytes(bytes)} of memory, and the memory budget is ${megabytes(this.#bytes)}${rest}: ` +
        "raise it, or load the model in a smaller type or with a shorter context",
      { device: "memory budget", what: name, bytes },
    );
  }

  /**
   * @param {number} bytes
   * @param {Place} [spared]
   * @returns {Place[]} Those that have to be gone before so much more fits, the ones that are going already among them.
   */
  #makeRoom(bytes, spared) {
    const places = [...this.#places];
    const going = places.filter(({ isDeparting }) => isDeparting);
    let over = this.used + bytes - this.#bytes - total(going);
    const order = places
      .filter((place) => place.canDepart && place !== spared)
      .sort((a, b) => Math.sign(a.users) - Math.sign(b.users) || a.lastUsed - b.lastUsed);
    for (const place of order) {
      if (over <= 0) break;
      over -= place.bytes;
      going.push(place);
    }
    return going;
  }
}

/** @param {Iterable<Place>} places */
function total(places) {
  let sum = 0;
  for (const { bytes } of places) sum += bytes;
  return sum;
}

/** @param {number} bytes */
function megabytes(bytes) {
  return bytes === Infinity ? "unlimited" : `${(bytes / 1e6).toFixed(1)} MB`;
}
