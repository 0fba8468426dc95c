//! The file: topics and ticks as an earlier run left them, and batches of what changed, each written as a whole or not at
//! all.

use std::path::Path;

use redb::{
    Builder, Database, DatabaseError, ReadableDatabase, ReadableTable, StorageError, TableDefinition,
};

use super::row::{self, TopicRow};
use super::{Saved, SavedTopic};
use crate::model::history::Batch;

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
    /// The system refuses.
    Io(String),
    /// It is not what this program writes, or not any more.
    Damaged(String),
}

/// See the module.
#[derive(Debug)]
pub struct File {
    database: Database,
}

impl File {
    /// Opens it, or makes a new one.
    pub fn open(path: &Path) -> Result<File, FileError> {
        let is_new = !path.exists();
        let mut database = Builder::new().set_cache_size(CACHE_BYTES).create(path).map_err(|e| match e {
            DatabaseError::DatabaseAlreadyOpen => FileError::Taken,
            DatabaseError::Storage(StorageError::Io(e)) if e.kind() != std::io::ErrorKind::InvalidData => {
                FileError::Io(e.to_string())
            }
            other => FileError::Damaged(other.to_string()),
        })?;
        if !is_new && !database.check_integrity().map_err(damaged)? {
            tracing::warn!(path = %path.display(), "the file of the past was not whole; what is whole of it is used");
        }
        Ok(File { database })
    }

    /// Everything in it.
    pub fn load(&self) -> Result<Saved, FileError> {
        let read = self.database.begin_read().map_err(damaged)?;
        let mut saved = Saved::default();
        let numbers = match read.open_table(NUMBERS) {
            Err(redb::TableError::TableDoesNotExist(_)) => return Ok(saved),
            numbers => numbers.map_err(damaged)?,
        };
        let number = |key| numbers.get(key).map(|found| found.map_or(0, |n| n.value())).map_err(damaged);
        if number("format")? != FORMAT {
            return Err(FileError::Damaged(format!("its format is {}, not {FORMAT}", number("format")?)));
        }
        saved.n = number("n")?;
        saved.is_whole = number("whole")? == 1;
        let texts = read.open_table(TEXTS).map_err(damaged)?;
        saved.epoch = texts.get("epoch").map_err(damaged)?.map(|epoch| epoch.value().to_owned());
        let (topics, ticks) = match (read.open_table(TOPICS), read.open_table(TICKS)) {
            (Ok(topics), Ok(ticks)) => (topics, ticks),
            _ => return Ok(saved),
        };
        for found in topics.iter().map_err(damaged)? {
            let (name, bytes) = found.map_err(damaged)?;
            let name = name.value();
            let bad = || FileError::Damaged(format!("what it says of {name:?} is not usable"));
            let TopicRow { newest, floor } = row::read_topic(name, bytes.value()).ok_or_else(bad)?;
            let mut past = Vec::new();
            for found in ticks.range((name, floor + 1)..=(name, newest.seq)).map_err(damaged)? {
                let (key, bytes) = found.map_err(damaged)?;
                past.push(row::read_tick(&newest.topic, key.value().1, bytes.value()).ok_or_else(bad)?);
            }
            if newest.n > saved.n || !past.is_sorted_by(|one, next| one.n < next.n) {
                return Err(bad());
            }
            saved.topics.push(SavedTopic { newest, floor, past });
        }
        Ok(saved)
    }

    /// Says which history goes on from here. Until [`File::write`] says so, it is not whole.
    pub fn begin(&self, epoch: &str) -> Result<(), redb::Error> {
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
    pub fn write(&self, batch: &Batch, is_last: bool) -> Result<(), redb::Error> {
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
        Ok(write.commit()?)
    }
}

fn damaged(error: impl Into<redb::Error>) -> FileError {
    match error.into() {
        redb::Error::Io(e) if e.kind() != std::io::ErrorKind::InvalidData => FileError::Io(e.to_string()),
        other => FileError::Damaged(other.to_string()),
    }
}
