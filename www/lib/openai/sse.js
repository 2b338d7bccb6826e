// Answers that come in parts, as server-sent events (HTML Living Standard, 9.2).

import { asApiError } from "./errors.js";

export const EVENT_STREAM = "text/event-stream";

/**
 * @typedef {{event?: string, data: unknown}} ServerEvent `data` is sent as JSON, or as it is where it is a string.
 */

/**
 * A body of events. What goes wrong after the first is told as a last event, `{error: {…}}`.
 * @param {AsyncIterator<ServerEvent, void, void>} events
 * @param {AbortController} request Is aborted when nobody reads on; where it was aborted, the body fails with its reason.
 * @param {(error: import("./errors.js").ApiError) => ServerEvent} [onError]
 * @returns {ReadableStream<Uint8Array<ArrayBuffer>>}
 */
export function eventStream(events, request, onError = (error) => ({ data: error.body })) {
  const encoder = new TextEncoder();
  let cancelled = false;
  /** @param {ReadableStreamDefaultController} controller */
  const pump = async (controller) => {
    try {
      for (;;) {
        const { done, value } = await events.next();
        if (cancelled) return;
        if (done) break;
        controller.enqueue(encoder.encode(write(value)));
      }
      controller.close();
    } catch (error) {
      if (cancelled) return;
      if (request.signal.aborted) return controller.error(request.signal.reason);
      controller.enqueue(encoder.encode(write(onError(asApiError(error)))));
      controller.close();
    }
  };
  return new ReadableStream({
    // Not at the reader's pace: who stops to read would hold up the requests behind.
    start: (controller) => void pump(controller),
    async cancel(reason) {
      cancelled = true;
      request.abort(reason);
      await events.return?.();
    },
  });
}

/** @param {ServerEvent} event */
function write({ event, data }) {
  const name = event === undefined ? "" : `event: ${event}\n`;
  return `${name}data: ${typeof data === "string" ? data : JSON.stringify(data)}\n\n`;
}
