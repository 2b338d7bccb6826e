// The quantized types in a browser's engines: the vector dots in V8, the shaders in Chromium's WebGPU, both held to the
// scalar truth on random blocks.
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { before, test } from "node:test";
import { launchChromium, openPage, startServer } from "./harness.mjs";
import { output, startModule } from "./wasm.mjs";

const PARTS = ["name", "wgsl", "quants", "scales", "weights"];

/** What the module `tests/wasm` exports. */
let quants;
let seed;

before(async () => {
  seed = randomBytes(8).readBigInt64LE();
  console.log(`seed ${seed}`);
  quants = await startModule();
});

/** The bytes of a part of a type. */
function part(type, name) {
  return output(quants, quants.describe(type, PARTS.indexOf(name), seed));
}

const text = (type, name) => new TextDecoder().decode(part(type, name));
const types = () => Array.from({ length: quants.n_types() }, (_, type) => type);

test("products in vector instructions are as exact as their numbers for every type", () => {
  assert.ok(quants.has_vectors(), "the module was built without simd128");
  for (const type of types()) {
    for (const n of [256, 512, 4096]) {
      for (let i = 0n; i < 20n; i++) {
        // Of floats, of floats in a panel, of integers with 15 bits of each activation, of those in a panel.
        for (const [way, limit] of [1e-6, 1e-6, 3e-5, 3e-5].entries()) {
          const error = quants.dot_error(type, n, seed + i, way);
          assert.ok(error <= limit, `${text(type, "name")}, ${n} weights, way ${way}: ${error}`);
        }
      }
    }
  }
});

test("Chromium's WebGPU unpacks the same weights as the CPU for every type", async (t) => {
  const server = await startServer();
  t.after(() => server.stop());
  const browser = await launchChromium();
  t.after(() => browser.close());
  const { page } = await openPage(browser, `${server.url}lib/intab.js`);
  for (const type of types()) {
    const expected = new Float32Array(part(type, "weights").buffer);
    const arrays = ["quants", "scales"].map((name) => [...part(type, name)]);
    const weights = await page.evaluate(unpackOnGpu, [text(type, "wgsl"), ...arrays, expected.length]);
    for (let group = 0; group < expected.length; group += 32) {
      const largest = Math.max(...expected.subarray(group, group + 32).map(Math.abs));
      for (let i = group; i < group + 32; i++) {
        const near = Math.abs(weights[i] - expected[i]) <= 1e-6 * largest;
        assert.ok(near, `${text(type, "name")} weight ${i}: ${weights[i]} for ${expected[i]}`);
      }
    }
  }
});

/** In the page: writes down every group of 32 weights by a type's `load_block`. */
async function unpackOnGpu([wgsl, quants, scales, length]) {
  const adapter = await navigator.gpu.requestAdapter();
  const device = await adapter.requestDevice();
  device.pushErrorScope("validation");
  const code = `
    @group(0) @binding(0) var<storage, read> w_quants: array<vec4<u32>>;
    @group(0) @binding(1) var<storage, read> w_scales: array<u32>;
    @group(0) @binding(2) var<storage, read_write> weights: array<array<vec4<f32>, 8>>;
    ${wgsl}
    @compute @workgroup_size(1)
    fn main(@builtin(workgroup_id) group: vec3<u32>) {
      weights[group.x] = load_block(group.x);
    }`;
  const types = ["read-only-storage", "read-only-storage", "storage"];
  const layout = device.createBindGroupLayout({
    entries: types.map((type, binding) => ({ binding, visibility: GPUShaderStage.COMPUTE, buffer: { type } })),
  });
  const pipeline = device.createComputePipeline({
    layout: device.createPipelineLayout({ bindGroupLayouts: [layout] }),
    compute: { module: device.createShaderModule({ code }) },
  });
  const { STORAGE, COPY_DST, COPY_SRC, MAP_READ } = GPUBufferUsage;
  const poison = new Uint8Array(length * 4).fill(0xff); // NaN in every place
  const buffers = [quants, scales, poison].map((bytes) => {
    const buffer = device.createBuffer({ size: bytes.length, usage: STORAGE | COPY_DST | COPY_SRC });
    device.queue.writeBuffer(buffer, 0, Uint8Array.from(bytes));
    return buffer;
  });
  const staging = device.createBuffer({ size: length * 4, usage: MAP_READ | COPY_DST });
  const encoder = device.createCommandEncoder();
  const pass = encoder.beginComputePass();
  pass.setPipeline(pipeline);
  const entries = buffers.map((buffer, binding) => ({ binding, resource: { buffer } }));
  pass.setBindGroup(0, device.createBindGroup({ layout, entries }));
  pass.dispatchWorkgroups(length / 32);
  pass.end();
  encoder.copyBufferToBuffer(buffers[2], 0, staging, 0, length * 4);
  device.queue.submit([encoder.finish()]);
  const error = await device.popErrorScope();
  if (error) throw new Error(error.message);
  await staging.mapAsync(GPUMapMode.READ);
  const weights = [...new Float32Array(staging.getMappedRange())];
  device.destroy();
  return weights;
}
