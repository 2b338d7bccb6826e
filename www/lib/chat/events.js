// An element whose events have types.

/** @typedef {import("./types.js").ChatEvents} ChatEvents */

export class TellingElement extends HTMLElement {
  /**
   * As every element's; of its own events it knows the type.
   * @template {keyof ChatEvents} Name
   * @overload
   * @param {Name} type
   * @param {(event: CustomEvent<ChatEvents[Name]>) => void} listener
   * @param {boolean | AddEventListenerOptions} [listenerOptions]
   * @returns {void}
   */
  /**
   * @overload
   * @param {string} type
   * @param {EventListenerOrEventListenerObject | null} listener
   * @param {boolean | AddEventListenerOptions} [listenerOptions]
   * @returns {void}
   */
  /**
   * @param {string} type
   * @param {any} listener
   * @param {boolean | AddEventListenerOptions} [listenerOptions]
   */
  addEventListener(type, listener, listenerOptions) {
    super.addEventListener(type, listener, listenerOptions);
  }

  /**
   * For the element itself.
   * @protected
   * @template {keyof ChatEvents} Name
   * @param {Name} name
   * @param {ChatEvents[Name]} detail
   */
  tell(name, detail) {
    this.dispatchEvent(new CustomEvent(name, { detail, bubbles: true, composed: true }));
  }
}
