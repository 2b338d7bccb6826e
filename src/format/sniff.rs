//! What a file looks like by its first bytes, so that a wrong file gets a message that helps.

/// First bytes and what they mean. Text is compared without regard to case.
const MAGICS: &[(&[u8], &str)] = &[
    (b"<!doctype html", HTML),
    (b"<html", HTML),
    (b"<head", HTML),
    (b"<?xml", "an XML document, probably an error message of the server"),
    (b"version https://git-lfs", "a Git LFS pointer: the model itself was not downloaded"),
    (b"PK\x03\x04", "a zip archive, as PyTorch checkpoints are"),
    (b"\x1f\x8b", "a gzip archive: unpack it first"),
    (b"\x28\xb5\x2f\xfd", "a zstd archive: unpack it first"),
    (b"\xfd7zXZ\x00", "an xz archive: unpack it first"),
    (b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive: unpack it first"),
    (b"\x80\x02", PICKLE),
    (b"\x80\x03", PICKLE),
    (b"\x80\x04", PICKLE),
    (b"\x80\x05", PICKLE),
    (b"\x89HDF", "an HDF5 file, as Keras writes"),
    (b"lmgg", OLD_GGML),
    (b"fmgg", OLD_GGML),
    (b"tjgg", OLD_GGML),
    (b"algg", OLD_GGML),
    (b"GGUF", "a GGUF file"),
    (b"FUGG", "a GGUF file with its bytes swapped"),
];
const HTML: &str = "an HTML page, probably a download page or an error message instead of the file";
const PICKLE: &str = "a Python pickle, as PyTorch checkpoints are";
const OLD_GGML: &str = "a GGML file from before GGUF: convert the model again";

/// Names the kind of file that starts with `head`, where it is a kind that people mistake for another.
pub fn looks_like(head: &[u8]) -> Option<&'static str> {
    let text = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head).trim_ascii_start();
    let starts = |bytes: &[u8], magic: &[u8]| {
        bytes.get(..magic.len()).is_some_and(|start| start.eq_ignore_ascii_case(magic))
    };
    if let Some((_, what)) = MAGICS.iter().find(|(magic, _)| starts(head, magic) || starts(text, magic)) {
        return Some(what);
    }
    if head.get(4..8) == Some(b"TFL3") {
        return Some("a TensorFlow Lite model");
    }
    // safetensors: the length of a JSON header as 8 bytes, then the header.
    if let Some((length, [b'{', ..])) = head.split_first_chunk::<8>()
        && u64::from_le_bytes(*length) < 1 << 32
    {
        return Some("a safetensors file: name the folder that it lies in, beside its config.json");
    }
    match text.first() {
        Some(b'{' | b'[') => Some("JSON text, a configuration or an error message of the server"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn common_mistakes_are_named() {
        let of = |bytes: &[u8]| looks_like(bytes).unwrap_or_default();
        assert!(of(b"\n <!DOCTYPE html><html>").contains("HTML"));
        assert!(of(b"\xef\xbb\xbf<HTML>").contains("HTML"));
        assert!(of(b"PK\x03\x04....").contains("zip"));
        assert!(of(b"\x1f\x8b\x08").contains("gzip"));
        assert!(of(b"\x80\x02ccollections").contains("pickle"));
        assert!(of(b"\x40\x01\0\0\0\0\0\0{\"__metadata__\"").contains("safetensors"));
        assert!(of(b"{\"error\":\"not found\"}").contains("JSON"));
        assert!(of(b"version https://git-lfs.github.com/spec/v1").contains("LFS"));
        assert_eq!(looks_like(b"\0\0\0\0"), None);
        assert_eq!(looks_like(b""), None);
    }
}
