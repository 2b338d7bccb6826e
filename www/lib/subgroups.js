// wgpu 30 knows no feature called "subgroups" and so never asks a browser for it. To be removed when it does.

/**
 * From now on every device of this worker has subgroups, where its adapter has them.
 * @param {any} [scope] Where the adapters' class is.
 */
export function askForSubgroups({ GPUAdapter } = /** @type {any} */ (globalThis)) {
  if (!GPUAdapter) return; // no WebGPU here
  const { requestDevice } = GPUAdapter.prototype;
  GPUAdapter.prototype.requestDevice = function ask(/** @type {any} */ descriptor = {}) {
    const more = this.features.has("subgroups") ? ["subgroups"] : [];
    const requiredFeatures = [...(descriptor.requiredFeatures ?? []), ...more];
    return requestDevice.call(this, { ...descriptor, requiredFeatures });
  };
}
