// What a device was found to work best with, kept from visit to visit. Where a browser has no storage for this page, or refuses
// it, every visit measures anew: that is no error.

const STORE = "intab-tuning";
/** A name for the one entry; nothing is ever requested from there. */
const ENTRY = "https://intab.invalid/tuning";

/** @returns {Promise<string | undefined>} */
export async function keptTuning() {
  try {
    const store = await caches.open(STORE);
    const entry = await store.match(ENTRY);
    return await entry?.text();
  } catch {
    return undefined;
  }
}

/** @param {string} tuning */
export async function keepTuning(tuning) {
  try {
    const store = await caches.open(STORE);
    await store.put(ENTRY, new Response(tuning));
  } catch {
    // The next visit measures again.
  }
}
