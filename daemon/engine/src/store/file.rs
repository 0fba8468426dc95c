//! The file: topics and ticks as an earlier run left them, and batches of what changed, each written as a whole or not at
//! all.

use std::fmt;
use std::io;
use std::path::Path;

use redb::{
    Builder, Database, DatabaseError, ReadableDatabase, ReadableTable, StorageBackend, TableDefinition,
};

use super::row::{self, TopicRow};
use super::{Saved, SavedTopic, bars};
use tickerd_model::history::Batch;
use tickerd_model::tick::Tick;

/// Memory for the file's pages.
const CACHE_BYTES: usize = 16 << 20;
/// The shape of the tables below; another number is another program's file.
const FORMAT: u64 = 1;

const TEXTS: TableDefinition<&str, &str> = TableDefinition::new("texts");
const NUMBERS: TableDefinition<&str, u64> = TableDefinition::new("numbers");
/// By name.
const TOPICS: TableDefinition<&str, &[u8]> = TableDefinition::new("topics");
/// By name and number.
const TICKS: TableDefinition<(&str, u64), &[u8]> = TableDefinition::new("ticks");

/// Why a file cannot be used.
#[derive(Debug)]
pub enum FileError {
    /// Another process has it.
    Taken,
    /// The system refuses; with what to change.
    Io(String),
    /// It is not what this program writes, or not any more.
    Damaged(String),
}

impl fmt::Display for FileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Taken => f.write_str("another process has it; stop that, or name another file"),
            Self::Io(why) => f.write_str(why),
            Self::Damaged(why) => write!(f, "it is damaged: {why}"),
        }
    }
}

/// An open file of topics and ticks.
#[derive(Debug)]
pub struct File {
    database: Database,
}

impl File {
    /// Opens it, or makes a new one. If that fails, no new one is left behind.
    pub fn open(path: &Path) -> Result<File, FileError> {
        let is_new =
            path.metadata().map_or_else(|e| e.kind() == io::ErrorKind::NotFound, |file| file.len() == 0);
        let opened = Builder::new().set_cache_size(CACHE_BYTES).create(path);
        if let (true, Err(DatabaseError::Storage(_))) = (is_new, &opened) {
            // Half of a new file would be taken for a damaged one.
            let _ = std::fs::remove_file(path);
        }
        let mut database = opened.map_err(why)?;
        if !is_new && !database.check_integrity().map_err(why)? {
            tracing::warn!(path = %path.display(), "the file of the past was not whole; what is whole of it is used");
        }
        Ok(File { database })
    }

    /// What lies there, without a file to write to.
    pub fn on(backend: impl StorageBackend) -> Result<File, FileError> {
        let database = Builder::new().set_cache_size(CACHE_BYTES).create_with_backend(backend);
        Ok(File { database: database.map_err(why)? })
    }

    /// Everything in it. Rows that nobody could have written are left out.
    pub fn load(&self) -> Result<Saved, FileError> {
        let read = self.database.begin_read().map_err(why)?;
        let mut saved = Saved::default();
        let numbers = match read.open_table(NUMBERS) {
            Err(redb::TableError::TableDoesNotExist(_)) => return Ok(saved),
            numbers => numbers.map_err(why)?,
        };
        let number = |key| numbers.get(key).map(|found| found.map_or(0, |n| n.value())).map_err(why);
        if number("format")? != FORMAT {
            return Err(FileError::Damaged(format!("its format is {}, not {FORMAT}", number("format")?)));
        }
        saved.n = number("n")?;
        saved.is_whole = number("whole")? == 1;
        let texts = read.open_table(TEXTS).map_err(why)?;
        saved.epoch = texts.get("epoch").map_err(why)?.map(|epoch| epoch.value().to_owned());
        let (topics, ticks) = match (read.open_table(TOPICS), read.open_table(TICKS)) {
            (Ok(topics), Ok(ticks)) => (topics, ticks),
            _ => return Ok(saved),
        };
        for found in topics.iter().map_err(why)? {
            let (name, bytes) = found.map_err(why)?;
            let name = name.value();
            let row = row::read_topic(name, bytes.value()).filter(|row| row.newest.n <= saved.n);
            let Some(TopicRow { newest, mut floor }) = row else {
                saved.left_out.note(|| format!("what it says of {name:?}"));
                continue;
            };
            let mut past: Vec<Tick> = Vec::new();
            for found in ticks.range((name, floor + 1)..=(name, newest.seq)).map_err(why)? {
                let (key, bytes) = found.map_err(why)?;
                let (seq, last) = (key.value().1, past.last().map_or(0, |tick| tick.n));
                match row::read_tick(&newest.topic, seq, bytes.value()).filter(|tick| tick.n > last) {
                    Some(tick) => past.push(tick),
                    // A past with a hole would be told as whole: what is before it goes as well.
                    None => {
                        saved.left_out.note(|| format!("tick {seq} of {name:?}"));
                        past.clear();
                        floor = seq;
                    }
                }
            }
            saved.topics.push(SavedTopic { newest, floor, past });
        }
        saved.bars = bars::load(&read, &mut saved.left_out).map_err(why)?;
        Ok(saved)
    }

    /// Says which history goes on from here. Until [`File::write`] says so, it is not whole.
    pub fn begin(&self, epoch: &str) -> Result<(), FileError> {
        self.note(epoch).map_err(why)
    }

    fn note(&self, epoch: &str) -> Result<(), redb::Error> {
        let write = self.database.begin_write()?;
        write.open_table(TEXTS)?.insert("epoch", epoch)?;
        {
            let mut numbers = write.open_table(NUMBERS)?;
            numbers.insert("format", FORMAT)?;
            numbers.insert("whole", 0)?;
        }
        Ok(write.commit()?)
    }

    /// Writes a batch; `is_last` says that nothing was told to anyone that it does not hold.
    pub fn write(&self, batch: &Batch, is_last: bool) -> Result<(), FileError> {
        self.put(batch, is_last).map_err(why)
    }

    fn put(&self, batch: &Batch, is_last: bool) -> Result<(), redb::Error> {
        let write = self.database.begin_write()?;
        if batch.all {
            write.delete_table(TOPICS)?;
            write.delete_table(TICKS)?;
        }
        {
            let mut topics = write.open_table(TOPICS)?;
            let mut ticks = write.open_table(TICKS)?;
            for name in &batch.gone {
                topics.remove(&**name)?;
                ticks.retain_in((&**name, 0)..=(&**name, u64::MAX), |_, _| false)?;
            }
            for topic in &batch.topics {
                let newest = topic.newest.tick();
                let name = newest.topic.name();
                topics.insert(name, row::write_topic(newest, topic.floor).as_slice())?;
                if !batch.all {
                    ticks.retain_in((name, 0)..=(name, topic.floor), |_, _| false)?;
                }
                for tick in topic.frames.iter().map(|frame| frame.tick()) {
                    ticks.insert((name, tick.seq), row::write_tick(tick).as_slice())?;
                }
            }
            let mut numbers = write.open_table(NUMBERS)?;
            numbers.insert("n", batch.n)?;
            numbers.insert("whole", u64::from(is_last))?;
        }
        bars::put(&write, &batch.bars)?;
        Ok(write.commit()?)
    }
}

/// Whether the system refused, or the file is at fault.
fn why(error: impl Into<redb::Error>) -> FileError {
    match error.into() {
        redb::Error::DatabaseAlreadyOpen => FileError::Taken,
        redb::Error::Io(e)
            if !matches!(e.kind(), io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof) =>
        {
            FileError::Io(refusal(&e))
        }
        // Something that was told before: what lies on disk need not be at fault.
        e @ (redb::Error::PreviousIo | redb::Error::DatabaseClosed | redb::Error::LockPoisoned(_)) => {
            FileError::Io(e.to_string())
        }
        other => FileError::Damaged(other.to_string()),
    }
}

/// What the system said, and what to change.
pub fn refusal(error: &io::Error) -> String {
    let change = match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => "make room there",
        io::ErrorKind::ReadOnlyFilesystem => "mount it for writing",
        io::ErrorKind::FileTooLarge => "raise the limit of this process's files",
        io::ErrorKind::NotFound | io::ErrorKind::PermissionDenied => {
            "the folder must exist and be writable to this process"
        }
        _ => "see the system's log",
    };
    format!("{error}; {change}")
}
