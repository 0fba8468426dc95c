//! Draws `tickerd top`.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style, Stylize};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Paragraph, Row, Table, TableState, Wrap};

use super::super::look::{feed_cells, feed_names, topic_cells, topic_names};
use super::{Screen, Tab};
use crate::cli::connections;
use crate::cli::operator::table;
use tickerd_host::printable;

/// The widest that a column may be, but for the last.
const WIDE: usize = 32;

/// All of it. Also says how many rows there is room for.
pub fn draw(frame: &mut Frame<'_>, screen: &mut Screen) {
    let [head, tabs, body, foot] = Layout::vertical([
        Constraint::Length(2),
        Constraint::Length(1),
        Constraint::Min(0),
        Constraint::Length(2),
    ])
    .areas(frame.area());
    frame.render_widget(Paragraph::new(status(screen)), head);
    frame.render_widget(Paragraph::new(Line::from(names(screen))), tabs);
    screen.page = usize::from(body.height.saturating_sub(1));
    rows(frame, screen, body);
    frame.render_widget(Paragraph::new(last(screen)).wrap(Wrap { trim: true }), foot);
}

fn status(screen: &Screen) -> Vec<Line<'static>> {
    let Some(status) = &screen.view.status else { return vec![Line::from("asking the daemon…")] };
    let ready = match status.ready {
        true => "ready".into(),
        false => "NOT READY".fg(Color::Red).bold(),
    };
    let wrong: Vec<String> =
        status.checks.iter().filter(|check| !check.ok).map(|check| printable(&check.name)).collect();
    let wrong = match wrong.is_empty() {
        true => Span::default(),
        false => format!(" but not well: {}", wrong.join(", ")).fg(Color::Yellow),
    };
    let up = table::span(status.uptime_s * 1_000);
    vec![
        Line::from(vec![
            "tickerd ".bold(),
            Span::from(printable(&status.version)),
            ", ".into(),
            ready,
            wrong,
            format!(", up {up}, process {}, {}", status.pid, printable(&status.listen.join(" "))).into(),
        ]),
        Line::from(format!(
            "{} clients ({} lag), {} topics, {} ticks/s, feeds: {}",
            status.clients,
            status.clients_lagging,
            status.topics,
            table::rate(status.ticks_per_s),
            status
                .feeds
                .iter()
                .map(|(state, count)| format!("{count} {state}"))
                .collect::<Vec<_>>()
                .join(", ")
        )),
    ]
}

fn names(screen: &Screen) -> Vec<Span<'static>> {
    let counts = [screen.feeds().len(), screen.topics().len(), screen.clients().len()];
    let words = ["1 feeds", "2 topics by rate", "3 clients by lag"];
    let mut spans = Vec::new();
    for ((tab, word), count) in Tab::ALL.into_iter().zip(words).zip(counts) {
        let more = if screen.view.cut && tab != Tab::Feeds { "+" } else { "" };
        let text = format!(" {word} ({count}{more}) ");
        spans.push(if tab == screen.tab { text.reversed() } else { text.into() });
        spans.push(" ".into());
    }
    spans
}

fn rows(frame: &mut Frame<'_>, screen: &Screen, area: Rect) {
    let Some(at) = screen.at() else {
        return frame.render_widget(Paragraph::new("none"), area);
    };
    // Only those near the selected row: there may be thousands.
    let room = usize::from(area.height.saturating_sub(1)).max(1);
    let first = (at + 1).saturating_sub(room);
    let window = |rows: usize| first..(first + room).min(rows);
    let (names, cells): (table::Row, Vec<(table::Row, bool)>) = match screen.tab {
        Tab::Feeds => {
            let rows = screen.feeds().get(window(screen.feeds().len())).unwrap_or_default();
            (feed_names(), rows.iter().map(|row| (feed_cells(row), row.state != "up")).collect())
        }
        Tab::Topics => {
            let rows = screen.topics().get(window(screen.topics().len())).unwrap_or_default();
            (topic_names(), rows.iter().map(|row| (topic_cells(row), row.stale)).collect())
        }
        Tab::Clients => {
            let rows = screen.clients().get(window(screen.clients().len())).unwrap_or_default();
            (connections::names(), rows.iter().map(|row| (connections::cells(row), row.lag_ms > 0)).collect())
        }
    };
    let clean = |row: &table::Row| -> table::Row { row.iter().map(|cell| printable(cell)).collect() };
    let cells: Vec<(table::Row, bool)> = cells.iter().map(|(row, bad)| (clean(row), *bad)).collect();
    let width = |column: usize| {
        let all = cells.iter().map(|(row, _)| row).chain([&names]);
        all.filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max().unwrap_or_default()
    };
    let last = names.len().saturating_sub(1);
    let widths = (0..names.len()).map(|column| match column == last {
        true => Constraint::Fill(1),
        false => Constraint::Length(width(column).min(WIDE) as u16),
    });
    let bad = |is_bad: bool| if is_bad { Style::new().fg(Color::Red) } else { Style::new() };
    let shown = cells.iter().map(|(row, is_bad)| Row::new(row.clone()).style(bad(*is_bad)));
    let table = Table::new(shown, widths)
        .header(Row::new(names.clone()).bold())
        .column_spacing(2)
        .row_highlight_style(Style::new().add_modifier(Modifier::REVERSED));
    let mut state = TableState::new().with_selected(Some(at - first));
    frame.render_stateful_widget(table, area, &mut state);
}

fn last(screen: &Screen) -> Vec<Line<'static>> {
    if let Some(deed) = &screen.question {
        return vec![Line::from(format!("Close {}? Its client may come back. y / n", deed.words())).bold()];
    }
    let keys = match screen.tab {
        Tab::Feeds => "Tab other table  arrows select  r reload this feed  q end",
        Tab::Topics => "Tab other table  arrows select  q end",
        Tab::Clients => "Tab other table  arrows select  d close this connection  q end",
    };
    let says = match &screen.trouble {
        Some(why) => Line::from(format!("trying again: {}", printable(why))).fg(Color::Red),
        None => Line::from(printable(&screen.said)),
    };
    vec![Line::from(keys).dim(), says]
}

#[cfg(test)]
mod tests {
    use ratatui::Terminal;
    use ratatui::backend::TestBackend;
    use tickerd_engine::control::{Answer, FeedRow, Status};

    use super::*;

    fn drawn(screen: &mut Screen, width: u16, height: u16) -> String {
        let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
        terminal.draw(|frame| draw(frame, screen)).unwrap();
        terminal.backend().to_string()
    }

    fn screen(feeds: usize) -> Screen {
        let feed = |n: usize| FeedRow {
            feed: format!("feed-{n}"),
            state: "down".into(),
            reason: "\u{1b}[2Jwhy\u{9b}".into(),
            ..FeedRow::default()
        };
        let feeds = Some((0..feeds).map(feed).collect());
        Screen {
            view: Answer { feeds, status: Some(Status::default()), ..Answer::default() },
            ..Screen::default()
        }
    }

    #[test]
    fn the_selected_row_is_in_sight_and_nothing_is_raw() {
        let mut screen = screen(100);
        let text = drawn(&mut screen, 80, 12);
        assert!(text.contains("feed-0") && text.contains("NOT READY") && text.contains("[2Jwhy"), "{text}");
        assert!(!text.chars().any(|c| c.is_control() && c != '\n'), "{text:?}");
        screen.selected[0] = Some("feed-99".into());
        let text = drawn(&mut screen, 80, 12);
        assert!(text.contains("feed-99") && !text.contains("feed-0 "), "{text}");
        screen.trouble = Some("it is away".into());
        assert!(drawn(&mut screen, 80, 12).contains("trying again: it is away"));
    }

    #[test]
    fn any_size_is_drawn() {
        for (width, height) in [(1, 1), (2, 3), (10, 5), (300, 6)] {
            for tab in Tab::ALL {
                let mut screen = Screen { tab, ..screen(5) };
                drawn(&mut screen, width, height);
            }
        }
    }
}
