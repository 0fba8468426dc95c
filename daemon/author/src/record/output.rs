//! Where a recording goes: a file that is not written over by mistake, or standard output.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// The output of one recording. Every write goes straight to the system, so that nothing is lost when the process is killed.
#[derive(Debug)]
pub struct Output {
    /// None: standard output.
    path: Option<PathBuf>,
    file: Option<File>,
    /// True if the file was made here, so that it may be removed again.
    is_new: bool,
}

impl Output {
    /// Opens `path`, where `-` is standard output. A file that exists is refused without `force`, and keeps its content until
    /// the first write.
    pub fn open(path: &Path, force: bool) -> Result<Output, String> {
        if path == Path::new("-") {
            return Ok(Output { path: None, file: None, is_new: false });
        }
        let shown = path.display();
        let create = OpenOptions::new().write(true).create_new(true).open(path);
        let (file, is_new) = match create {
            Ok(file) => (file, true),
            // Writing into a pipe or a device destroys nothing.
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists && (force || !path.is_file()) => {
                let file = OpenOptions::new().write(true).open(path);
                (file.map_err(|e| format!("{shown} cannot be written: {e}; name another with -o"))?, false)
            }
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {
                return Err(format!(
                    "{shown} is there already; name another with -o, or add --force to write over it"
                ));
            }
            Err(e) => return Err(format!("{shown} cannot be written: {e}; name another with -o")),
        };
        Ok(Output { path: Some(path.to_owned()), file: Some(file), is_new })
    }

    /// Empties the file. Call this before the first write.
    pub fn begin(&mut self) -> io::Result<()> {
        match &self.file {
            Some(file) if file.metadata()?.is_file() => file.set_len(0),
            _ => Ok(()),
        }
    }

    /// Writes all bytes, unbuffered.
    pub fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        match &mut self.file {
            Some(file) => file.write_all(bytes),
            None => {
                let mut stdout = io::stdout().lock();
                stdout.write_all(bytes)?;
                stdout.flush()
            }
        }
    }

    /// Removes the file, if it was made here.
    pub fn discard(self) {
        if let (Some(path), true) = (self.path, self.is_new) {
            let _ = std::fs::remove_file(path);
        }
    }

    /// Its name for people.
    pub fn name(&self) -> String {
        self.path.as_ref().map_or("standard output".to_owned(), |path| path.display().to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_written_over_by_mistake() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("day.ndjson");
        let mut output = Output::open(&path, false).unwrap();
        output.begin().unwrap();
        output.write(b"first\n").unwrap();
        assert!(Output::open(&path, false).unwrap_err().contains("--force"));

        Output::open(&path, true).unwrap().discard();
        assert_eq!(std::fs::read(&path).unwrap(), b"first\n", "what was there is kept when nothing comes");
        let mut output = Output::open(&path, true).unwrap();
        output.begin().unwrap();
        output.write(b"2\n").unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"2\n");

        let other = folder.path().join("none.ndjson");
        Output::open(&other, false).unwrap().discard();
        assert!(!other.exists());
        assert!(Output::open(folder.path(), false).unwrap_err().contains("cannot be written"));
    }
}
