use std::collections::HashMap;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;

use super::*;

/// A folder with `www/` and `models/` that is removed at the end.
struct Site(PathBuf);

impl Site {
    fn new(name: &str) -> Site {
        let root = std::env::temp_dir().join(format!("intab-serve-{}-{name}", std::process::id()));
        for folder in ["www/app", "www/pkg", "models"] {
            std::fs::create_dir_all(root.join(folder)).unwrap();
        }
        std::fs::write(root.join("www/app/index.html"), "<!doctype html>").unwrap();
        std::fs::write(root.join("www/app/app.js"), "export {};").unwrap();
        std::fs::write(root.join("www/pkg/intab_bg.wasm"), b"\0asm").unwrap();
        std::fs::write(root.join("models/digits.gguf"), b"0123456789").unwrap();
        std::fs::write(root.join("secret.txt"), "not for the web").unwrap();
        Site(root)
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

struct Answer {
    status: u16,
    headers: HashMap<String, String>,
    body: Vec<u8>,
}

fn request(server: &Server, method: &str, path: &str, headers: &[(&str, &str)]) -> Answer {
    let mut stream = TcpStream::connect(server.address()).unwrap();
    let mut text = format!("{method} {path} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n");
    for (name, value) in headers {
        text += &format!("{name}: {value}\r\n");
    }
    stream.write_all(format!("{text}\r\n").as_bytes()).unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    let end = answer.windows(4).position(|window| window == b"\r\n\r\n").unwrap();
    let head = std::str::from_utf8(&answer[..end]).unwrap();
    let mut lines = head.lines();
    let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
    let headers = lines
        .map(|line| line.split_once(": ").unwrap())
        .map(|(name, value)| (name.to_lowercase(), value.to_owned()))
        .collect();
    Answer { status, headers, body: answer[end + 4..].to_vec() }
}

fn get(server: &Server, path: &str, headers: &[(&str, &str)]) -> Answer {
    request(server, "GET", path, headers)
}

#[test]
fn the_root_leads_to_the_app() {
    let site = Site::new("root");
    let server = Server::start(&site.0, Some(0)).unwrap();
    let answer = get(&server, "/", &[]);
    assert_eq!((answer.status, answer.headers["location"].as_str()), (307, "/app/"));
    assert_eq!(get(&server, "/app/", &[]).body, b"<!doctype html>");
}

#[test]
fn every_answer_isolates_the_page_and_carries_the_policy() {
    let site = Site::new("headers");
    let server = Server::start(&site.0, Some(0)).unwrap();
    for path in ["/", "/app/", "/models/digits.gguf", "/nothing"] {
        let headers = get(&server, path, &[]).headers;
        assert_eq!(headers["cross-origin-opener-policy"], "same-origin", "{path}");
        assert_eq!(headers["cross-origin-embedder-policy"], "require-corp", "{path}");
        assert_eq!(headers["cross-origin-resource-policy"], "same-origin", "{path}");
        assert_eq!(headers["content-security-policy"], CONTENT_SECURITY_POLICY, "{path}");
        assert_eq!(headers["cache-control"], "no-cache", "{path}");
    }
}

#[test]
fn files_have_their_media_types() {
    let site = Site::new("types");
    let server = Server::start(&site.0, Some(0)).unwrap();
    for (path, media_type) in [
        ("/app/", "text/html"),
        ("/app/app.js", "text/javascript"),
        ("/pkg/intab_bg.wasm", "application/wasm"),
        ("/models/digits.gguf", "application/octet-stream"),
    ] {
        assert_eq!(get(&server, path, &[]).headers["content-type"], media_type, "{path}");
    }
}

#[test]
fn a_range_is_sent_with_its_place_in_the_file() {
    let site = Site::new("ranges");
    let server = Server::start(&site.0, Some(0)).unwrap();
    for (range, body, place) in [
        ("bytes=2-4", "234", "bytes 2-4/10"),
        ("bytes=7-", "789", "bytes 7-9/10"),
        ("bytes=-3", "789", "bytes 7-9/10"),
        ("bytes=0-0", "0", "bytes 0-0/10"),
        ("bytes=8-99", "89", "bytes 8-9/10"),
    ] {
        let answer = get(&server, "/models/digits.gguf", &[("Range", range)]);
        assert_eq!(answer.status, 206, "{range}");
        assert_eq!(answer.body, body.as_bytes(), "{range}");
        assert_eq!(answer.headers["content-range"], place, "{range}");
        assert_eq!(answer.headers["content-length"], body.len().to_string(), "{range}");
    }
}

#[test]
fn a_range_past_the_end_is_refused_with_the_length() {
    let site = Site::new("unsatisfiable");
    let server = Server::start(&site.0, Some(0)).unwrap();
    let answer = get(&server, "/models/digits.gguf", &[("Range", "bytes=10-12")]);
    assert_eq!((answer.status, answer.headers["content-range"].as_str()), (416, "bytes */10"));
}

#[test]
fn the_end_of_a_file_that_is_shorter_is_the_whole_file() {
    let site = Site::new("suffix");
    let server = Server::start(&site.0, Some(0)).unwrap();
    let answer = get(&server, "/models/digits.gguf", &[("Range", "bytes=-99")]);
    assert_eq!((answer.status, &answer.body[..]), (200, &b"0123456789"[..]));
    assert_eq!(get(&server, "/models/digits.gguf", &[("Range", "bytes=-0")]).status, 416);
}

#[test]
fn a_range_of_a_changed_file_gets_the_whole_file() {
    let site = Site::new("if-range");
    let server = Server::start(&site.0, Some(0)).unwrap();
    let tag = get(&server, "/models/digits.gguf", &[]).headers["etag"].clone();
    let part = |tag: &str| get(&server, "/models/digits.gguf", &[("Range", "bytes=2-4"), ("If-Range", tag)]);
    assert_eq!(part(&tag).status, 206);
    std::fs::write(site.0.join("models/digits.gguf"), b"abcdefghij0").unwrap();
    let answer = part(&tag);
    assert_eq!((answer.status, &answer.body[..]), (200, &b"abcdefghij0"[..]));
}

#[test]
fn an_unchanged_file_is_not_sent_again_and_a_changed_one_is() {
    let site = Site::new("etag");
    let server = Server::start(&site.0, Some(0)).unwrap();
    let first = get(&server, "/app/app.js", &[]).headers;
    let again = |name: &str, value: &str| get(&server, "/app/app.js", &[(name, value)]);
    assert_eq!(again("If-None-Match", &first["etag"]).status, 304);
    assert_eq!(again("If-Modified-Since", &first["last-modified"]).status, 304);
    std::fs::write(site.0.join("www/app/app.js"), "export { };").unwrap();
    let changed = again("If-None-Match", &first["etag"]);
    assert_eq!((changed.status, &changed.body[..]), (200, &b"export { };"[..]));
}

#[test]
fn head_tells_the_length_and_sends_nothing() {
    let site = Site::new("head");
    let server = Server::start(&site.0, Some(0)).unwrap();
    let answer = request(&server, "HEAD", "/models/digits.gguf", &[]);
    assert_eq!((answer.status, answer.body.len()), (200, 0));
    assert_eq!(answer.headers["content-length"], "10");
    assert_eq!(answer.headers["accept-ranges"], "bytes");
}

#[test]
fn nothing_outside_the_served_folders_can_be_read() {
    let site = Site::new("outside");
    let server = Server::start(&site.0, Some(0)).unwrap();
    for path in [
        "/secret.txt",
        "/../secret.txt",
        "/%2e%2e/secret.txt",
        "/app/..%2f..%2fsecret.txt",
        "/models/../secret.txt",
    ] {
        assert_eq!(get(&server, path, &[]).status, 404, "{path}");
    }
}

#[test]
fn a_taken_port_is_an_error_only_when_it_was_asked_for() {
    let site = Site::new("port");
    let first = Server::start(&site.0, None).unwrap();
    let Err(error) = Server::start(&site.0, Some(first.address().port())) else { panic!("bound twice") };
    assert!(error.to_string().contains("--port"), "{error}");
    let second = Server::start(&site.0, None).unwrap();
    assert_ne!(first.address().port(), second.address().port());
}

#[test]
fn a_stopped_server_gives_its_port_back() {
    let site = Site::new("stop");
    let server = Server::start(&site.0, Some(0)).unwrap();
    let address = server.address();
    drop(server);
    assert!(TcpStream::connect(address).is_err());
}
