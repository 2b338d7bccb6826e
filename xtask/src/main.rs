//! `cargo xtask …`: build, serve, test and measure intab.

use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};
use xtask::{bench, bundle, docs, licences, offline, package, process, serve, sizes, test, wasm};

/// Build, serve, test and measure intab.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Compile the crate to WebAssembly and write it with its JavaScript to www/pkg (see wasm-pack.toml)
    Build {
        /// Compile faster, with assertions and names, without optimising
        #[arg(long)]
        dev: bool,
    },
    /// Build, then serve www on 127.0.0.1 and print the address
    Serve {
        /// The port [default: 8080, or the next free one]
        #[arg(long)]
        port: Option<u16>,
        /// Open the page in the system's browser
        #[arg(long)]
        open: bool,
        /// Build as with `build --dev`
        #[arg(long, conflicts_with = "no_build")]
        dev: bool,
        /// Serve what was built before
        #[arg(long)]
        no_build: bool,
        /// End when standard input ends
        #[arg(long, hide = true)]
        stop_with_stdin: bool,
    },
    /// Write one HTML file that holds intab and a model, and runs from a disk by a double click
    Bundle(bundle::Options),
    /// Build, then write the npm package to dist, ready for `npm pack`
    Package {
        /// Package what was built before
        #[arg(long)]
        no_build: bool,
    },
    /// Check everything: format, lints, types, and the tests, natively and in Chromium
    Test(test::Options),
    /// Measure speed natively and in Chromium, and sizes; prints JSON lines
    Bench {
        /// Passed on to both benchmarks
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
    /// Print the sizes of what a page downloads, raw, gzip and brotli, as JSON lines
    Sizes,
    /// Build the documentation as a site of static pages in dist/docs
    Docs,
    /// Write THIRD-PARTY.md: what is a part of what a page downloads, and its licences
    Licences,
}

fn main() -> ExitCode {
    match run(Arguments::parse().task) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(task: Task) -> Result<ExitCode> {
    let root = process::repository()?;
    match task {
        Task::Build { dev } => {
            wasm::build(&root, dev)?;
            offline::write(&root)?;
        }
        Task::Serve { port, open, dev, no_build, stop_with_stdin } => {
            if no_build {
                wasm::require_built(&root)?;
            } else {
                wasm::build(&root, dev)?;
            }
            let server = serve::Server::start(&root, port)?;
            println!("intab is served at {}", server.url());
            if open {
                serve::open_browser(&server.url());
            }
            if stop_with_stdin {
                serve::stop_with_stdin();
            }
            server.wait()?;
        }
        Task::Bundle(options) => bundle::run(&root, &options)?,
        Task::Package { no_build } => {
            if !no_build {
                wasm::build(&root, false)?;
            }
            package::make(&root)?;
            println!("the package is in {0}: npm pack ./{0}", package::FOLDER);
        }
        Task::Test(options) => return test::run(&root, &options),
        Task::Bench { arguments } => bench::run(&root, &arguments)?,
        Task::Sizes => sizes::print(&root)?,
        Task::Docs => docs::build(&root)?,
        Task::Licences => licences::write(&root)?,
    }
    Ok(ExitCode::SUCCESS)
}
