//! Cookies of a session: Exchange's front end keeps the chosen back end in one.

use hyper::header::{self, HeaderMap, HeaderValue};
use jiff::Timestamp;
use jiff::fmt::rfc2822;

/// Cookies kept; Exchange's front end sets a handful.
const MOST_COOKIES: usize = 32;

/// They go to the one server they came from, all of them, over whatever leads there: a path or `secure` changes nothing.
#[derive(Clone, Default)]
pub(super) struct Cookies(Vec<(String, String)>);

impl Cookies {
    /// Takes those an answer sets, and forgets those it takes back.
    pub(super) fn take(&mut self, headers: &HeaderMap, now: Timestamp) {
        for set in headers
            .get_all(header::SET_COOKIE)
            .iter()
            .filter_map(|value| value.to_str().ok())
        {
            let mut parts = set.split(';');
            let Some((name, value)) = parts.next().and_then(|pair| pair.split_once('=')) else {
                continue;
            };
            let (name, value) = (name.trim().to_owned(), value.trim().to_owned());
            self.0.retain(|(known, _)| *known != name);
            if !is_taken_back(parts, now) && self.0.len() < MOST_COOKIES {
                self.0.push((name, value));
            }
        }
    }

    /// All of them; none: there are none.
    pub(super) fn header(&self) -> Option<HeaderValue> {
        let all: Vec<String> = self
            .0
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        if all.is_empty() {
            return None;
        }
        let mut value = HeaderValue::from_str(&all.join("; ")).ok()?;
        value.set_sensitive(true);
        Some(value)
    }
}

/// Whether the attributes of a cookie say that it is over: `Max-Age` first, as RFC 6265 5.3 has it, then `Expires`.
fn is_taken_back<'a>(attributes: impl Iterator<Item = &'a str>, now: Timestamp) -> bool {
    let mut has_age = false;
    let mut is_over = false;
    for (name, value) in attributes.filter_map(|attribute| attribute.split_once('=')) {
        let (name, value) = (name.trim(), value.trim());
        if name.eq_ignore_ascii_case("Max-Age") {
            if let Ok(seconds) = value.parse::<i64>() {
                is_over = seconds <= 0;
                has_age = true;
            }
        } else if name.eq_ignore_ascii_case("Expires") && !has_age {
            // ASP.NET writes `Thu, 27-Nov-2025 10:00:00 GMT`.
            if let Ok(until) = rfc2822::parse(&value.replace('-', " ")) {
                is_over = until.timestamp() <= now;
            }
        }
    }
    is_over
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(sets: &[&str]) -> Option<String> {
        let mut cookies = Cookies::default();
        for set in sets {
            let mut headers = HeaderMap::new();
            headers.append(header::SET_COOKIE, HeaderValue::from_str(set).unwrap());
            cookies.take(&headers, "2026-11-27T12:00:00Z".parse().unwrap());
        }
        cookies.header().map(|value| value.to_str().unwrap().to_owned())
    }

    #[test]
    fn a_cookie_comes_back_until_it_is_changed_or_taken_back() {
        let back_end =
            "X-BackEndCookie=one; expires=Sun, 27-Dec-2026 12:00:00 GMT; path=/PowerShell; secure; HttpOnly";
        assert_eq!(
            after(&["ClientId=a", back_end]),
            Some("ClientId=a; X-BackEndCookie=one".to_owned())
        );
        assert_eq!(
            after(&[back_end, "X-BackEndCookie=two; path=/PowerShell"]),
            Some("X-BackEndCookie=two".to_owned())
        );
        for back in [
            "X-BackEndCookie=; expires=Sat, 27-Nov-1993 12:00:00 GMT; path=/PowerShell",
            "X-BackEndCookie=x; Expires=Fri, 27 Nov 2026 11:59:59 GMT",
            "X-BackEndCookie=x; Max-Age=0",
            "X-BackEndCookie=x; Max-Age=-1; Expires=Sun, 27 Dec 2026 12:00:00 GMT",
        ] {
            assert_eq!(after(&[back_end, back]), None, "{back}");
        }
        // An age counts before a time, and what is none counts not at all.
        for kept in [
            "a=1; Max-Age=60; Expires=Fri, 27 Nov 2026 11:59:59 GMT",
            "a=1; Expires=yesterday",
            "a=1; Max-Age=soon",
        ] {
            assert_eq!(after(&[kept]), Some("a=1".to_owned()), "{kept}");
        }
    }

    #[test]
    fn what_is_no_cookie_and_what_is_too_many_is_not_kept() {
        assert_eq!(after(&["nothing", "; path=/"]), None);
        let many: Vec<String> = (0..100).map(|number| format!("c{number}=x")).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        assert_eq!(after(&many).unwrap().split(';').count(), MOST_COOKIES);
    }

    #[test]
    fn cookies_are_never_shown() {
        let mut cookies = Cookies::default();
        let mut headers = HeaderMap::new();
        headers.append(header::SET_COOKIE, HeaderValue::from_static("cadata=secret"));
        cookies.take(&headers, Timestamp::UNIX_EPOCH);
        assert!(cookies.header().unwrap().is_sensitive());
    }
}
