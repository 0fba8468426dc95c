//! `tickerd top` on a terminal. Who asks the daemon is a thread of its own, so that keys are heard at once.

mod draw;
mod keys;

use std::io;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use ratatui::crossterm::event::{self, Event};

use self::keys::{Deed, Then};
use super::look::{EVERY, look};
use crate::cli::operator::Reach;
use crate::signals::Signals;
use tickerd_engine::control::{Answer, Command, ConnectionRow, FeedRow, TopicRow};

/// How long a key is waited for before what came from the daemon is looked at.
const LOOK: Duration = Duration::from_millis(100);

/// Which table is shown.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Tab {
    #[default]
    Feeds,
    Topics,
    Clients,
}

impl Tab {
    const ALL: [Tab; 3] = [Tab::Feeds, Tab::Topics, Tab::Clients];
}

/// What is shown.
#[derive(Debug, Default)]
pub struct Screen {
    tab: Tab,
    /// What the daemon said last.
    view: Answer,
    /// Why it does not answer now.
    trouble: Option<String>,
    /// In each table the row that is selected, by its name, since rows change their places.
    selected: [Option<String>; 3],
    /// What is done if the answer is yes.
    question: Option<Deed>,
    /// What became of the last deed.
    said: String,
    /// Rows that the table has room for.
    page: usize,
}

/// What comes from the threads that ask.
enum News {
    View(Box<Answer>),
    Trouble(String),
    Said(String),
}

impl Screen {
    fn feeds(&self) -> &[FeedRow] {
        self.view.feeds.as_deref().unwrap_or_default()
    }

    fn topics(&self) -> &[TopicRow] {
        self.view.topics.as_deref().unwrap_or_default()
    }

    fn clients(&self) -> &[ConnectionRow] {
        self.view.connections.as_deref().unwrap_or_default()
    }

    /// The names of the rows of the table that is shown.
    fn names(&self) -> Vec<&str> {
        match self.tab {
            Tab::Feeds => self.feeds().iter().map(|row| row.feed.as_str()).collect(),
            Tab::Topics => self.topics().iter().map(|row| row.topic.as_str()).collect(),
            Tab::Clients => self.clients().iter().map(|row| row.conn.as_str()).collect(),
        }
    }

    /// Which row is selected: the first, if the one that was is gone.
    fn at(&self) -> Option<usize> {
        let names = self.names();
        let selected = self.selected[self.tab as usize].as_deref();
        names.iter().position(|name| Some(*name) == selected).or((!names.is_empty()).then_some(0))
    }

    /// Takes in what came.
    fn hear(&mut self, news: News) {
        match news {
            News::View(view) => (self.view, self.trouble) = (*view, None),
            News::Trouble(why) => self.trouble = Some(why),
            News::Said(said) => self.said = said,
        }
    }
}

/// Shows it until `q` or a signal. The terminal is as before then, also if this panics.
pub fn run(reach: &Reach) -> io::Result<ExitCode> {
    let is_over = Arc::new(AtomicBool::new(false));
    let (stop, hangup) = (is_over.clone(), is_over.clone());
    let stop = move || stop.store(true, Ordering::Release);
    Signals::catch()?.watch(stop, move || hangup.store(true, Ordering::Release))?;
    let (tell, told) = channel();
    watch(reach.clone(), tell.clone())?;
    let mut terminal = ratatui::try_init()?;
    let shown = show(&mut terminal, reach, &is_over, (&tell, &told));
    ratatui::restore();
    shown.map(|()| ExitCode::SUCCESS)
}

fn show(
    terminal: &mut ratatui::DefaultTerminal,
    reach: &Reach,
    is_over: &AtomicBool,
    (tell, told): (&Sender<News>, &Receiver<News>),
) -> io::Result<()> {
    let mut screen = Screen::default();
    while !is_over.load(Ordering::Acquire) {
        terminal.draw(|frame| draw::draw(frame, &mut screen))?;
        if event::poll(LOOK)?
            && let Event::Key(key) = event::read()?
        {
            match screen.press(key) {
                Then::Nothing => {}
                Then::End => break,
                Then::Do(deed) => {
                    screen.said = format!("{}…", deed.words());
                    act(reach.clone(), deed, tell.clone())?;
                }
            }
        }
        told.try_iter().for_each(|news| screen.hear(news));
    }
    Ok(())
}

/// Looks again and again, also while the daemon is away.
fn watch(reach: Reach, tell: Sender<News>) -> io::Result<()> {
    let watching = move || {
        loop {
            let news = match look(&reach) {
                Ok(view) => News::View(Box::new(view)),
                Err(why) => News::Trouble(why.to_string()),
            };
            if tell.send(news).is_err() {
                return;
            }
            std::thread::sleep(EVERY);
        }
    };
    std::thread::Builder::new().name("look".into()).spawn(watching).map(drop)
}

/// Does what was pressed; a reload takes its time.
fn act(reach: Reach, deed: Deed, tell: Sender<News>) -> io::Result<()> {
    let acting = move || {
        let (command, done) = match &deed {
            Deed::Reload(feed) => (Command::FeedReload { feed: Some(feed.clone()) }, "reloaded"),
            Deed::Disconnect(conn) => {
                let conn = Some(conn.clone());
                let command =
                    Command::Disconnect { conn, user: None, token: None, jti: None, issued_before: None };
                (command, "closed; its client may come back")
            }
        };
        let said = match reach.ask(&command) {
            Ok(Answer { error: Some(why), .. }) => why,
            Ok(Answer { reloads: Some(rows), .. }) => {
                let rows = rows.iter().map(|row| format!("{}: {}, {}", row.feed, row.result, row.detail));
                rows.collect::<Vec<_>>().join("; ")
            }
            Ok(_) => format!("{}: {done}", deed.words()),
            Err(why) => why.to_string(),
        };
        // The screen may be over.
        let _ = tell.send(News::Said(said));
    };
    std::thread::Builder::new().name("act".into()).spawn(acting).map(drop)
}
