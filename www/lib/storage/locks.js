// Locks that all pages of an origin share. The browser frees those of a page that has gone.

/**
 * Takes a lock.
 * @param {string} name
 * @param {LockOptions} options
 * @returns {Promise<(() => Promise<void>) | null>} What gives it back; null where it was to be had at once and was not.
 *   Rejects with the reason of an aborted signal.
 */
export function hold(name, options) {
  return new Promise((resolve, reject) => {
    const request = navigator.locks.request(name, options, (lock) => {
      if (!lock) return resolve(null);
      return /** @type {Promise<void>} */ (
        new Promise((release) => {
          resolve(async () => {
            release();
            await request;
          });
        })
      );
    });
    request.catch(reject);
  });
}

/** @param {string} key Of a kept file. */
export function fileLock(key) {
  return `intab-file:${key}`;
}

/** @param {string} model The address of a model. */
export function modelLock(model) {
  return `intab-model:${model}`;
}
