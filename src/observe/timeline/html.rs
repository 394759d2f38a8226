//! A timeline as one page that needs nothing else.

use super::Timeline;

/// The page around the data: style and script, with places for both of these.
const PAGE: &str = include_str!("picture.html");
const TITLE: &str = "%TITLE%";
const DATA: &str = "%DATA%";

impl Timeline {
    /// As an HTML page, with the [trace JSON](Self::to_chrome) in it.
    #[must_use]
    pub fn to_html(&self, title: &str) -> String {
        let (before, after) = PAGE.split_once(DATA).unwrap_or((PAGE, ""));
        let title_text = title.replace('&', "&amp;").replace('<', "&lt;");
        let before = before.replace(TITLE, &title_text);
        [before.as_str(), &self.to_chrome(title), after].concat()
    }
}
