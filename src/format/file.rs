//! Native files and directories. Files are read by position, so that readers do not share a place in them.

use std::{
    fs::File,
    future::ready,
    io,
    path::{Path, PathBuf},
    rc::Rc,
};

use super::{
    AdapterFiles, Checkpoint, LocalFuture, Place, Source, folder::stands_for_folder, open_adapter,
    open_adapter_folder, open_folder, split,
};
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

/// A directory on disk.
pub struct Directory {
    path: PathBuf,
}

impl Directory {
    /// The directory at `path`, which need not exist: then no file is found in it.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Directory { path: path.into() }
    }
}

impl Place for Directory {
    fn title(&self) -> String {
        // A path such as `.` has a name only once it is made absolute.
        let whole = self.path.canonicalize().unwrap_or_else(|_| self.path.clone());
        whole.file_name().map_or_else(|| self.address(""), |name| name.to_string_lossy().into_owned())
    }

    fn address(&self, path: &str) -> String {
        match path {
            "" => self.path.display().to_string(),
            path => self.path.join(path).display().to_string(),
        }
    }

    fn open<'a>(&'a self, path: &'a str) -> LocalFuture<'a, Result<Option<Rc<dyn Source>>>> {
        let path = self.path.join(path);
        let result = match path.try_exists() {
            Ok(false) => Ok(None),
            _ => FileSource::open(path).map(|file| Some(Rc::new(file) as Rc<dyn Source>)),
        };
        Box::pin(ready(result))
    }

    fn has<'a>(&'a self, path: &'a str) -> LocalFuture<'a, Result<bool>> {
        Box::pin(ready(Ok(self.path.join(path).exists())))
    }
}

/// Opens the model at `path`: a GGUF file, where any part of a split model stands for the whole; a Hugging Face folder,
/// or its `config.json`, a `.safetensors` file or their index.
///
/// # Errors
/// Those of [`FileSource::open`], [`super::open`] and [`open_folder`].
pub async fn open_path(path: impl AsRef<Path>) -> Result<Checkpoint> {
    let path = path.as_ref();
    if path.is_dir() {
        return open_folder(&Directory::new(path), None).await;
    }
    let name = path.file_name().and_then(|name| name.to_str());
    if let Some(name) = name.filter(|name| stands_for_folder(name)) {
        // The file itself is looked at first, so that a wrong path is told as such.
        FileSource::open(path)?;
        let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty());
        return open_folder(&Directory::new(directory.unwrap_or(Path::new("."))), Some(name)).await;
    }
    let paths: Vec<PathBuf> = match name.and_then(split::siblings) {
        Some(names) => names.iter().map(|name| path.with_file_name(name)).collect(),
        None => vec![path.to_path_buf()],
    };
    let sources = paths.iter().map(|path| Ok(Rc::new(FileSource::open(path)?) as Rc<dyn Source>));
    super::open(sources.collect::<Result<_>>()?).await
}

/// Opens the adapter at `path`: a GGUF file, or PEFT's folder, its `adapter_config.json` or its `.safetensors` file.
///
/// # Errors
/// Those of [`FileSource::open`], [`open_adapter`] and [`open_adapter_folder`].
pub async fn open_adapter_path(path: impl AsRef<Path>) -> Result<AdapterFiles> {
    let path = path.as_ref();
    if path.is_dir() {
        return open_adapter_folder(&Directory::new(path), None).await;
    }
    let source = FileSource::open(path)?;
    let name = path.file_name().and_then(|name| name.to_str());
    if let Some(name) = name.filter(|name| stands_for_folder(name)) {
        let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty());
        let directory = Directory::new(directory.unwrap_or(Path::new(".")));
        return open_adapter_folder(&directory, Some(name)).await;
    }
    open_adapter(Rc::new(source)).await
}
