//! Native files, read by position so that readers do not share a place in the file.

use std::{
    fs::File,
    future::ready,
    io,
    path::{Path, PathBuf},
    rc::Rc,
};

use super::{Checkpoint, LocalFuture, Source, split};
use crate::error::{Error, Result};

/// A file on disk.
pub struct FileSource {
    name: String,
    file: File,
    len: u64,
}

impl FileSource {
    /// Opens a file for reading; its length is taken now.
    ///
    /// # Errors
    /// [`Error::Source`] where it does not exist, may not be read or is a directory.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let name = path.display().to_string();
        let opened = File::open(path).and_then(|file| {
            let facts = file.metadata()?;
            if facts.is_dir() { Err(io::ErrorKind::IsADirectory.into()) } else { Ok((file, facts.len())) }
        });
        match opened {
            Ok((file, len)) => Ok(FileSource { name, file, len }),
            Err(error) => Err(Error::Source { source_name: name, problem: error.to_string() }),
        }
    }
}

impl Source for FileSource {
    fn name(&self) -> &str {
        &self.name
    }

    fn len(&self) -> u64 {
        self.len
    }

    fn read(&self, offset: u64, len: usize) -> LocalFuture<'_, Result<Vec<u8>>> {
        let error = |problem| Error::Source { source_name: self.name.clone(), problem };
        let result = match offset.checked_add(len as u64) {
            Some(end) if end <= self.len => {
                let mut bytes = vec![0; len];
                match read_exact_at(&self.file, &mut bytes, offset) {
                    Ok(()) => Ok(bytes),
                    Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => {
                        Err(error(format!("it became shorter than {} bytes while being read", self.len)))
                    }
                    Err(e) => Err(error(e.to_string())),
                }
            }
            _ => Err(error(format!("bytes {offset}..+{len} are past its end at {}", self.len))),
        };
        Box::pin(ready(result))
    }
}

#[cfg(unix)]
fn read_exact_at(file: &File, bytes: &mut [u8], offset: u64) -> io::Result<()> {
    std::os::unix::fs::FileExt::read_exact_at(file, bytes, offset)
}

#[cfg(windows)]
fn read_exact_at(file: &File, mut bytes: &mut [u8], mut offset: u64) -> io::Result<()> {
    while !bytes.is_empty() {
        match std::os::windows::fs::FileExt::seek_read(file, bytes, offset) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(n) => {
                bytes = &mut bytes[n..];
                offset += n as u64;
            }
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
    Ok(())
}

/// Opens the model at `path`; any part of a split model stands for the whole.
///
/// # Errors
/// Those of [`FileSource::open`] and [`super::open`].
pub async fn open_path(path: impl AsRef<Path>) -> Result<Checkpoint> {
    let path = path.as_ref();
    let names = path.file_name().and_then(|name| name.to_str()).and_then(split::siblings);
    let paths: Vec<PathBuf> = match names {
        Some(names) => names.iter().map(|name| path.with_file_name(name)).collect(),
        None => vec![path.to_path_buf()],
    };
    let sources = paths.iter().map(|path| Ok(Rc::new(FileSource::open(path)?) as Rc<dyn Source>));
    super::open(sources.collect::<Result<_>>()?).await
}
