// What a session has said and heard, and what of it is dropped when the context is full.

import { quotaExceeded } from "./errors.js";

/**
 * @typedef {import("./types.js").Message} Message
 * @typedef {import("./render.js").Renderer} Renderer
 */

export class Conversation {
  #renderer;
  /** What is never dropped: the initial prompts, and a system message. @type {readonly Message[]} */
  #kept;
  /** What a call added, and its answer: dropped together. @type {readonly (readonly Message[])[]} */
  #turns;

  /** Tokens that all of it takes. */
  #own = 0;
  /** The same with the turn that is under way. @type {number | null} */
  #pending = null;

  /**
   * @param {Renderer} renderer
   * @param {number} window Tokens that fit.
   * @param {readonly Message[]} kept
   * @param {readonly (readonly Message[])[]} [turns]
   */
  constructor(renderer, window, kept, turns = []) {
    this.#renderer = renderer;
    this.window = window;
    this.#kept = kept;
    this.#turns = turns;
  }

  /** Counts what there is at first. @throws {DOMException} `QuotaExceededError` where that is too much. */
  async begin() {
    this.#own = await this.#count(this.messages());
    if (this.#own > this.window) throw quotaExceeded(this.#own, this.window);
  }

  /** A copy that goes its own way. */
  fork() {
    const copy = new Conversation(this.#renderer, this.window, this.#kept, this.#turns);
    copy.#own = this.#own;
    return copy;
  }

  /** Tokens that all of it takes, with the turn that is under way. */
  get usage() {
    return this.#pending ?? this.#own;
  }

  get isEmpty() {
    return this.#kept.length === 0 && this.#turns.length === 0;
  }

  /** @param {readonly Message[]} [pending] What is not a part of it yet. */
  messages(pending = []) {
    // A system message among them is the first of all.
    return [...this.#kept, ...this.#turns.flat(), ...pending];
  }

  /** @param {readonly Message[]} pending @returns {Promise<number>} How many tokens more they would take. */
  async measure(pending) {
    const [all, now] = await Promise.all([this.#count(this.messages(pending)), this.#count(this.messages())]);
    return Math.max(0, all - now);
  }

  /**
   * Makes room for a turn: drops the oldest ones until it fits.
   * @param {readonly Message[]} pending
   * @returns {Promise<boolean>} Whether some were dropped.
   * @throws {DOMException} `QuotaExceededError` where that would not be enough; nothing is dropped then.
   */
  async fit(pending) {
    let requested = await this.#count(this.messages(pending));
    if (requested > this.window) {
      const least = await this.#count([...this.#kept, ...pending]);
      if (least > this.window) throw quotaExceeded(least, this.window);
    }
    let dropped = false;
    while (requested > this.window && (await this.drop())) {
      dropped = true;
      requested = await this.#count(this.messages(pending));
    }
    this.#pending = requested;
    return dropped;
  }

  /** Drops the oldest turn. @returns {Promise<boolean>} Whether there was one. */
  async drop() {
    const [oldest, ...rest] = this.#turns;
    if (oldest === undefined) return false;
    this.#turns = rest;
    this.#own = await this.#count(this.messages());
    return true;
  }

  /** Makes the turn that is under way, with its answer, a part of it. @param {readonly Message[]} turn */
  async add(turn) {
    this.#kept = [...this.#kept, ...turn.filter(({ role }) => role === "system")];
    this.#turns = [...this.#turns, turn.filter(({ role }) => role !== "system")];
    this.#own = await this.#count(this.messages());
    this.#pending = null;
  }

  /** Forgets the turn that is under way. */
  withdraw() {
    this.#pending = null;
  }

  /** @param {readonly Message[]} messages */
  #count(messages) {
    return this.#renderer.count(messages);
  }
}
