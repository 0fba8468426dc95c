//! What the keys of `tickerd top` do.

use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

use super::{Screen, Tab};

/// What the daemon is to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Deed {
    /// A feed, by its name.
    Reload(String),
    /// A connection, by its number.
    Disconnect(String),
}

impl Deed {
    pub fn words(&self) -> String {
        match self {
            Deed::Reload(feed) => format!("reload of {feed}"),
            Deed::Disconnect(conn) => format!("connection {conn}"),
        }
    }
}

/// What follows from a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Then {
    Nothing,
    End,
    Do(Deed),
}

impl Screen {
    /// A key was pressed.
    pub fn press(&mut self, key: KeyEvent) -> Then {
        if key.kind == KeyEventKind::Release {
            return Then::Nothing;
        }
        let is_control = key.modifiers.contains(KeyModifiers::CONTROL);
        if is_control && matches!(key.code, KeyCode::Char('c' | 'd')) {
            return Then::End;
        }
        if let Some(deed) = self.question.take() {
            return match key.code {
                KeyCode::Char('y' | 'Y') => Then::Do(deed),
                _ => Then::Nothing,
            };
        }
        let page = self.page.max(1) as isize;
        match key.code {
            KeyCode::Char('q') | KeyCode::Esc => return Then::End,
            KeyCode::Tab | KeyCode::Right => self.turn(1),
            KeyCode::BackTab | KeyCode::Left => self.turn(Tab::ALL.len() - 1),
            KeyCode::Char('1') => self.tab = Tab::Feeds,
            KeyCode::Char('2') => self.tab = Tab::Topics,
            KeyCode::Char('3') => self.tab = Tab::Clients,
            KeyCode::Down | KeyCode::Char('j') => self.select(1),
            KeyCode::Up | KeyCode::Char('k') => self.select(-1),
            KeyCode::PageDown => self.select(page),
            KeyCode::PageUp => self.select(-page),
            KeyCode::Home => self.select(isize::MIN / 2),
            KeyCode::End => self.select(isize::MAX / 2),
            KeyCode::Char('r') if self.tab == Tab::Feeds => {
                if let Some(feed) = self.at().and_then(|at| self.feeds().get(at)) {
                    return Then::Do(Deed::Reload(feed.feed.clone()));
                }
            }
            KeyCode::Char('d') if self.tab == Tab::Clients => {
                let client = self.at().and_then(|at| self.clients().get(at));
                self.question = client.map(|client| Deed::Disconnect(client.conn.clone()));
            }
            _ => {}
        }
        Then::Nothing
    }

    fn turn(&mut self, by: usize) {
        let at = (self.tab as usize + by) % Tab::ALL.len();
        self.tab = Tab::ALL.get(at).copied().unwrap_or_default();
    }

    fn select(&mut self, by: isize) {
        let Some(at) = self.at() else { return };
        let names = self.names();
        let to = at.saturating_add_signed(by).min(names.len().saturating_sub(1));
        let name = names.get(to).map(|name| (*name).to_owned());
        self.selected[self.tab as usize] = name;
    }
}

#[cfg(test)]
mod tests {
    use tickerd_engine::control::{Answer, ConnectionRow, FeedRow};

    use super::*;

    fn press(screen: &mut Screen, code: KeyCode) -> Then {
        screen.press(KeyEvent::new(code, KeyModifiers::NONE))
    }

    pub fn client(conn: &str) -> ConnectionRow {
        serde_json::from_value(serde_json::json!({
            "conn": conn, "transport": "tcp", "encoding": "json", "state": "open", "age_s": 5, "lag_ms": 0,
            "waiting_bytes": 0, "sent_bytes": 1, "skipped": 0, "subscriptions": 0, "subscribed": [],
        }))
        .unwrap()
    }

    fn screen() -> Screen {
        let feed = |name: &str| FeedRow { feed: name.into(), ..FeedRow::default() };
        let view = Answer {
            feeds: Some(vec![feed("a"), feed("b"), feed("c")]),
            connections: Some(vec![client("0-1"), client("0-2")]),
            ..Answer::default()
        };
        Screen { view, ..Screen::default() }
    }

    #[test]
    fn a_row_stays_selected_when_it_moves() {
        let mut screen = screen();
        assert_eq!(press(&mut screen, KeyCode::Char('r')), Then::Do(Deed::Reload("a".into())));
        press(&mut screen, KeyCode::Down);
        screen.view.feeds.as_mut().unwrap().reverse();
        screen.view.feeds.as_mut().unwrap().remove(0);
        assert_eq!(press(&mut screen, KeyCode::Char('r')), Then::Do(Deed::Reload("b".into())));
        press(&mut screen, KeyCode::End);
        assert_eq!(press(&mut screen, KeyCode::Char('r')), Then::Do(Deed::Reload("a".into())));
        press(&mut screen, KeyCode::PageUp);
        assert_eq!(screen.at(), Some(0));
        screen.view = Answer::default();
        for code in
            [KeyCode::Down, KeyCode::Up, KeyCode::Home, KeyCode::Char('r'), KeyCode::Tab, KeyCode::Char('d')]
        {
            assert_eq!(press(&mut screen, code), Then::Nothing);
        }
    }

    #[test]
    fn a_client_is_closed_after_a_question_alone() {
        let mut screen = screen();
        assert_eq!(press(&mut screen, KeyCode::Char('d')), Then::Nothing);
        assert_eq!(screen.question, None, "feeds are not disconnected");
        press(&mut screen, KeyCode::BackTab);
        for (answer, then) in
            [('n', Then::Nothing), ('q', Then::Nothing), ('y', Then::Do(Deed::Disconnect("0-2".into())))]
        {
            press(&mut screen, KeyCode::Down);
            press(&mut screen, KeyCode::Char('d'));
            assert!(screen.question.is_some());
            assert_eq!(press(&mut screen, KeyCode::Char(answer)), then, "{answer}");
        }
        press(&mut screen, KeyCode::Char('d'));
        assert_eq!(screen.press(KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL)), Then::End);
        assert_eq!(press(&mut Screen::default(), KeyCode::Char('q')), Then::End);
    }
}
