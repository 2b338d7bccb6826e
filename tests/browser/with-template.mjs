// Models with chat templates that their files lack.

/**
 * A GGUF file with a chat template. Its bytes stay where they are modulo the alignment of the tensors, 32.
 * @param {Buffer} file Without one.
 * @param {string} template
 * @returns {Buffer}
 */
export function withTemplate(file, template) {
  const key = Buffer.from("tokenizer.chat_template");
  const fixed = 8 + key.length + 4 + 8;
  const text = Buffer.from(template);
  const padding = (32 - ((fixed + text.length) % 32)) % 32;
  // A comment in front says nothing; it needs four bytes.
  const room = padding === 0 ? 0 : padding < 4 ? padding + 32 : padding;
  const comment = room === 0 ? "" : `{#${" ".repeat(room - 4)}#}`;
  const value = Buffer.concat([Buffer.from(comment), text]);
  const entry = Buffer.alloc(fixed);
  entry.writeBigUInt64LE(BigInt(key.length), 0);
  key.copy(entry, 8);
  entry.writeUInt32LE(8, 8 + key.length); // a string
  entry.writeBigUInt64LE(BigInt(value.length), 12 + key.length);
  const head = Buffer.from(file.subarray(0, 24));
  head.writeBigUInt64LE(head.readBigUInt64LE(16) + 1n, 16);
  return Buffer.concat([head, entry, value, file.subarray(24)]);
}
