//! `cargo xtask serve`: the web server for `www/`, for people and for the browser tests.
//!
//! It serves files as they are on disk, checked anew at each request, under the headers that intab needs:
//! cross-origin isolation (for `SharedArrayBuffer`) and a strict Content-Security-Policy.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::thread::JoinHandle;

use anyhow::{Context, Result, anyhow, bail};
use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::get;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tower_http::services::ServeDir;
use tower_http::set_header::SetResponseHeaderLayer;

use crate::offline;

/// What a page served here may do: run its own scripts and WebAssembly, start workers, and fetch models from
/// anywhere; nothing inline, nothing evaluated, no framing.
pub const CONTENT_SECURITY_POLICY: &str = "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; \
     worker-src 'self' blob:; connect-src 'self' http: https: blob: data:; img-src 'self' data: blob:; \
     style-src 'self'; object-src 'none'; base-uri 'none'; frame-ancestors 'none'";

/// Sent with every response.
const HEADERS: [(HeaderName, &str); 7] = [
    (header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-embedder-policy"), "require-corp"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::REFERRER_POLICY, "no-referrer"),
    // Kept, but asked about each time: with the ETag an unchanged file costs one small answer.
    (header::CACHE_CONTROL, "no-cache"),
];

/// The first port tried when none is asked for, and how many after it.
const DEFAULT_PORT: u16 = 8080;
const PORTS_TRIED: u16 = 100;

/// Bytes read from disk at a time.
const READ_SIZE: usize = 256 << 10;

/// A running server; it stops when dropped.
pub struct Server {
    address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    /// Starts to serve `root`'s `www/` on 127.0.0.1, with `models/` beside it under `/models/`.
    ///
    /// `port`: `Some(0)` takes any free one, `Some(n)` only that one; `None` takes 8080 or the next free one.
    pub fn start(root: &Path, port: Option<u16>) -> Result<Server> {
        let listener = listen(port)?;
        let address = listener.local_addr().context("asking for the server's address")?;
        let router = router(root);
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_io()
            .build()
            .context("starting the server's runtime")?;
        let listener = {
            let _inside = runtime.enter();
            TcpListener::from_std(listener).context("starting the server")?
        };
        let (stop, stopped) = oneshot::channel();
        let thread = std::thread::Builder::new()
            .name("serve".to_owned())
            .spawn(move || {
                runtime.block_on(async {
                    tokio::select! {
                        result = axum::serve(listener, router) => if let Err(error) = result {
                            eprintln!("the server stopped: {error}");
                        },
                        _ = stopped => {}
                    }
                });
                // Downloads under way are cut off rather than waited for.
                runtime.shutdown_background();
            })
            .context("starting the server's thread")?;
        Ok(Server { address, stop: Some(stop), thread: Some(thread) })
    }

    /// The address that it listens on.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The URL of its root, ending in a slash.
    pub fn url(&self) -> String {
        format!("http://{}/", self.address)
    }

    /// Serves until the process ends.
    pub fn wait(mut self) -> Result<()> {
        match self.thread.take().map(JoinHandle::join) {
            Some(Err(_)) => Err(anyhow!("the server's thread panicked")),
            _ => Ok(()),
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // A panic there has been printed already.
            let _ = thread.join();
        }
    }
}

fn listen(port: Option<u16>) -> Result<std::net::TcpListener> {
    let bind = |port: u16| std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, port));
    let listener = match port {
        Some(port) => match bind(port) {
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
                bail!(
                    "port {port} is in use; name another with --port, or leave it out to take the next free one"
                )
            }
            result => result.with_context(|| format!("listening on port {port}"))?,
        },
        None => (DEFAULT_PORT..=DEFAULT_PORT + PORTS_TRIED)
            .find_map(|port| match bind(port) {
                Err(error) if error.kind() == io::ErrorKind::AddrInUse => None,
                result => Some(result),
            })
            .unwrap_or_else(|| bind(0))
            .context("listening on 127.0.0.1")?,
    };
    listener.set_nonblocking(true).context("preparing the server's socket")?;
    Ok(listener)
}

fn router(root: &Path) -> Router {
    let offline_root = root.to_owned();
    let files = |directory: &str| {
        ServeDir::new(root.join(directory)).with_buf_chunk_size(READ_SIZE).ignore_multi_range_requests(true)
    };
    let router = Router::new()
        .route("/", get(|| async { Redirect::temporary("/app/") }))
        // Browsers ask for it unasked, and a 404 would show as an error in a clean console.
        .route("/favicon.ico", get(|| async { StatusCode::NO_CONTENT }))
        // Of the files as they are now, whatever was built.
        .route(&format!("/{}", offline::FILE), get(move || async move { offline_list(&offline_root) }))
        .nest_service("/models", files("models"))
        .fallback_service(files("www"))
        .layer(middleware::from_fn(whole_where_no_part_fits));
    HEADERS.into_iter().fold(router, |router, (name, value)| {
        router.layer(SetResponseHeaderLayer::overriding(name, HeaderValue::from_static(value)))
    })
}

fn offline_list(root: &Path) -> Response {
    match offline::script(root) {
        Ok(script) => ([(header::CONTENT_TYPE, "text/javascript")], script).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, format!("{error:#}")).into_response(),
    }
}

/// Sends the whole file where `ServeDir` would answer a range but a part is not right (RFC 9110, 13.1.5 and 14.1.2):
/// the file is not the one that `If-Range` names, or its last N bytes are wanted and it is shorter than N.
async fn whole_where_no_part_fits(request: Request, next: Next) -> Response {
    let Some(range) = request.headers().get(header::RANGE).cloned() else {
        return next.run(request).await;
    };
    let mut whole = Request::new(Body::empty());
    *whole.method_mut() = request.method().clone();
    *whole.uri_mut() = request.uri().clone();
    *whole.headers_mut() = request.headers().clone();
    whole.headers_mut().remove(header::RANGE);

    let response = next.clone().run(request).await;
    let is_wanted_file = whole.headers().get(header::IF_RANGE).is_none_or(|wanted| {
        [header::ETAG, header::LAST_MODIFIED].iter().any(|name| response.headers().get(name) == Some(wanted))
    });
    let fits = match response.status() {
        StatusCode::PARTIAL_CONTENT => is_wanted_file,
        StatusCode::RANGE_NOT_SATISFIABLE => is_wanted_file && !is_suffix(&range),
        _ => true,
    };
    if fits { response } else { next.run(whole).await }
}

/// Whether the range is "the last N bytes", N being at least one.
fn is_suffix(range: &HeaderValue) -> bool {
    range
        .to_str()
        .ok()
        .and_then(|range| range.trim().strip_prefix("bytes=-")?.trim().parse::<u64>().ok())
        .is_some_and(|bytes| bytes > 0)
}

/// Opens the address in the system's browser; failing that, says so and goes on.
pub fn open_browser(url: &str) {
    if let Err(error) = open::that_detached(url) {
        eprintln!("could not open a browser ({error}); open {url} yourself");
    }
}

/// Ends this process when standard input does, so that the server goes with the test that started it.
pub fn stop_with_stdin() {
    std::thread::spawn(|| {
        // However reading ends, there is nobody left to serve.
        let _ = io::copy(&mut io::stdin(), &mut io::sink());
        std::process::exit(0);
    });
}

#[cfg(test)]
mod tests;
