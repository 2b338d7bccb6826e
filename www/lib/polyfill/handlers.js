// Event handler attributes, `onsomething`, as HTML has them: https://html.spec.whatwg.org/#event-handler-attributes

/**
 * Gives a class of event targets an attribute for each type of event.
 * @param {Function} Class
 * @param {readonly string[]} types
 */
export function handlers(Class, types) {
  for (const type of types) {
    /** @type {WeakMap<EventTarget, {handler: Function | object | null}>} */
    const slots = new WeakMap();
    Object.defineProperty(Class.prototype, `on${type}`, {
      configurable: true,
      enumerable: true,
      /** @this {EventTarget} */
      get() {
        return slots.get(this)?.handler ?? null;
      },
      /** @this {EventTarget} @param {unknown} value */
      set(value) {
        const handler = typeof value === "function" || (typeof value === "object" && value !== null) ? value : null;
        const slot = slots.get(this);
        // Its place among the listeners is that of the first handler that was set.
        if (slot) slot.handler = handler;
        else if (handler) {
          const fresh = { handler: /** @type {Function | object | null} */ (handler) };
          slots.set(this, fresh);
          this.addEventListener(type, (event) => {
            if (typeof fresh.handler === "function" && fresh.handler.call(this, event) === false) event.preventDefault();
          });
        }
      },
    });
  }
}
