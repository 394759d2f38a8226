//! One self-contained HTML file: charts, the table, and the data that both are made of.

use std::{fmt::Write as _, io};

use super::{
    chart,
    row::Row,
    table::{HEADINGS, cells},
};

const STYLE: &str = include_str!("page.css");

/// The whole page. It loads nothing and runs nothing.
pub(super) fn page(rows: &[Row]) -> io::Result<String> {
    let data = serde_json::to_string(rows)?;
    // No text of the data can end the element that it stands in.
    let data = data.replace('<', "\\u003c");
    let mut text = String::new();
    let heading: String = HEADINGS.iter().map(|heading| format!("<th>{heading}</th>")).collect();
    let body: String = rows.iter().map(line).collect();
    let charts = [
        (
            "Ratio to sequential",
            "Median of paired runs with its 95 % interval; the mark is what the block's dependencies allow.",
            chart::ratios(rows),
        ),
        (
            "Ratio by number of threads",
            "Each line is a scenario at one size.",
            chart::by_threads(rows),
        ),
        (
            "Cost per transaction by size of the block",
            "Each line is a scenario on one number of threads; dashed: one transaction after another. Both axes are logarithmic.",
            chart::by_size(rows),
        ),
    ];
    let mut figures = String::new();
    for (title, caption, svg) in charts {
        let _ = writeln!(
            figures,
            "<section><h2>{title}</h2><p>{caption}</p><figure>{svg}</figure></section>"
        );
    }
    let _ = write!(
        text,
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n\
         <title>chorus bench</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n<main>\n\
         <h1>chorus bench</h1>\n<p>{}</p>\n{figures}\
         <section><h2>All figures</h2><div class=\"wide\"><table><thead><tr>{heading}</tr></thead>\
         <tbody>{body}</tbody></table></div></section>\n</main>\n\
         <script type=\"application/json\" id=\"data\">{data}</script>\n</body>\n</html>\n",
        summary(rows),
    );
    Ok(text)
}

fn summary(rows: &[Row]) -> String {
    let wrong = rows.iter().filter(|row| !row.equals_sequential).count();
    let verdict = match wrong {
        0 => "every run equals the sequential one".to_owned(),
        _ => format!("<strong>{wrong} do NOT equal the sequential run</strong>"),
    };
    let pairs = rows.iter().map(|row| row.repeat).max().unwrap_or(0);
    let pause = match rows.first().map_or(0, |row| row.pause_ms) {
        0 => String::new(),
        pause => format!(" after {pause} ms of sleep each"),
    };
    format!("{} rows of {pairs} interleaved pairs{pause}: {verdict}.", rows.len())
}

fn line(row: &Row) -> String {
    let class = if row.equals_sequential { "" } else { " class=\"wrong\"" };
    let cells: String =
        cells(row).iter().map(|cell| format!("<td>{}</td>", escape(cell))).collect();
    format!("<tr{class}>{cells}</tr>\n")
}

/// Text as HTML has it.
pub(super) fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
