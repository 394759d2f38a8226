//! A reader of Prometheus text, exposition format 0.0.4, that takes nothing malformed.

use std::collections::BTreeMap;

/// Sample, as name and labels as written, → value. Panics at the first thing that the format, or its
/// conventions on names, do not allow.
pub(crate) fn parse(text: &str) -> BTreeMap<String, f64> {
    assert!(text.is_empty() || text.ends_with('\n'), "the last line has no end");
    let mut samples = BTreeMap::new();
    let mut seen = Vec::new();
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next() {
        let (name, help) = comment(line, "HELP");
        assert!(is_name(name), "{line}");
        check_escapes(help, false);
        assert!(!seen.contains(&name), "{name} comes twice");
        seen.push(name);

        let (typed, kind) = comment(lines.next().expect("a type follows"), "TYPE");
        assert_eq!(typed, name, "HELP and TYPE are of one family");
        assert!(["counter", "gauge"].contains(&kind), "{kind}");
        assert_eq!(name.ends_with("_total"), kind == "counter", "{name} is a {kind}");

        let before = samples.len();
        while let Some(line) = lines.next_if(|line| !line.starts_with('#')) {
            let (series, value) = sample(line, name);
            assert!(kind == "gauge" || value >= 0.0, "{line}");
            assert!(samples.insert(series, value).is_none(), "{line} comes twice");
        }
        assert!(samples.len() > before, "{name} has no sample");
    }
    samples
}

/// `# WORD name rest`
fn comment<'a>(line: &'a str, word: &str) -> (&'a str, &'a str) {
    let rest = line.strip_prefix("# ").and_then(|rest| rest.strip_prefix(word));
    let rest = rest.and_then(|rest| rest.strip_prefix(' ')).unwrap_or_else(|| panic!("{line}"));
    rest.split_once(' ').unwrap_or_else(|| panic!("{line}"))
}

/// `name value` or `name{label="text",...} value`
fn sample(line: &str, family: &str) -> (String, f64) {
    let (series, value) = line.rsplit_once(' ').unwrap_or_else(|| panic!("{line}"));
    let labels = series.strip_prefix(family).unwrap_or_else(|| panic!("{line} is not of {family}"));
    if !labels.is_empty() {
        let inner = labels.strip_prefix('{').and_then(|labels| labels.strip_suffix('}'));
        check_labels(inner.unwrap_or_else(|| panic!("{line}")));
    }
    let value = match value {
        "+Inf" => f64::INFINITY,
        "-Inf" => f64::NEG_INFINITY,
        "NaN" => f64::NAN,
        _ => value.parse().unwrap_or_else(|_| panic!("{line}")),
    };
    (series.to_owned(), value)
}

fn check_labels(mut labels: &str) {
    loop {
        let (name, rest) = labels.split_once("=\"").unwrap_or_else(|| panic!("{labels}"));
        assert!(is_name(name) && !name.contains(':'), "{labels}");
        let mut escaped = false;
        let end = rest.find(|character| {
            let ends = character == '"' && !escaped;
            escaped = character == '\\' && !escaped;
            ends
        });
        let end = end.unwrap_or_else(|| panic!("{labels}"));
        check_escapes(&rest[..end], true);
        match &rest[end + 1..] {
            "" => return,
            more => labels = more.strip_prefix(',').unwrap_or_else(|| panic!("{labels}")),
        }
    }
}

fn check_escapes(text: &str, quoted: bool) {
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        if character == '\\' {
            let next = characters.next();
            let allowed = matches!(next, Some('\\' | 'n')) || (quoted && next == Some('"'));
            assert!(allowed, "{text}");
        }
    }
}

fn is_name(name: &str) -> bool {
    let letter = |character: char| character.is_ascii_alphabetic() || "_:".contains(character);
    name.starts_with(letter)
        && name.chars().all(|character| letter(character) || character.is_ascii_digit())
}
