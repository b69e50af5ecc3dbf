//! How a run treats the servers it changes: which goes first, when, how fast, and what is told to the balancer.

use jiff::civil::{Date, Time, Weekday};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan as _};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How a run treats the servers it changes. A journal carries it, so that going on and taking back need no policy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct ApplyPolicy {
    /// The server that goes first, by name; null: the first by name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub canary: Option<String>,
    /// Minutes the canary is left alone and looked at again before the next server is begun.
    pub soak_minutes: u32,
    /// Seconds between two servers.
    pub pause_seconds: u32,
    /// When servers may be begun; null: at any time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub window: Option<Window>,
    /// A program and its arguments that take a server out of the balancer; `{server}` stands for its name. Empty: none.
    pub drain: Vec<String>,
    /// The same for putting it back.
    pub undrain: Vec<String>,
    /// What is set on a server before its steps and set back after them; null: nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub maintenance: Option<Maintenance>,
    /// MiB that have to be free on each server's system drive, and where the journal is written, before anything is begun; 0: it is
    /// not looked at.
    pub free_disk_mib: u32,
}

impl Default for ApplyPolicy {
    /// No canary, no soak, no pause, no window, no drain, no maintenance; 100 MiB.
    fn default() -> Self {
        Self {
            canary: None,
            soak_minutes: 0,
            pause_seconds: 0,
            window: None,
            drain: Vec::new(),
            undrain: Vec::new(),
            maintenance: None,
            free_disk_mib: 100,
        }
    }
}

impl ApplyPolicy {
    /// What is wrong with it: the key, and the words.
    pub(crate) fn wrong(&self) -> Option<(&'static str, String)> {
        if self.drain.is_empty() != self.undrain.is_empty() {
            let key = if self.drain.is_empty() { "undrain" } else { "drain" };
            let words = "expected drain and undrain together, found one of them: a server would stay drained";
            return Some((key, words.to_owned()));
        }
        if let Some(words) = self.maintenance.as_ref().and_then(Maintenance::wrong) {
            return Some(("maintenance", words));
        }
        let window = self.window.as_ref()?;
        if window.from == window.to {
            return Some((
                "window",
                "expected a window with a length, found from and to the same".to_owned(),
            ));
        }
        None
    }
}

/// Exchange's own maintenance of a server, as Microsoft documents it for members of a DAG ("Manage database availability
/// groups", performing maintenance): components out of service, no active database copies. The cluster node is not paused and
/// queued messages are not redirected: no step of a plan restarts a machine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct Maintenance {
    /// Server components, in the order in which they are set: Inactive by the requester Maintenance, HubTransport Draining. One
    /// that is not Active before is somebody else's and stays as it is.
    pub components: Vec<String>,
    /// On a member of a DAG active database copies are moved away, and none may come, before components are set.
    pub dag: bool,
    /// Minutes within which the databases that can be elsewhere have to be there; a server that keeps some is not begun.
    pub minutes: u32,
}

impl Default for Maintenance {
    /// `ServerWideOffline`, databases elsewhere within ten minutes.
    fn default() -> Self {
        Self {
            components: vec!["ServerWideOffline".to_owned()],
            dag: true,
            minutes: 10,
        }
    }
}

impl Maintenance {
    fn wrong(&self) -> Option<String> {
        if self.components.is_empty() && !self.dag {
            return Some("expected components or dag = true, found neither".to_owned());
        }
        let strange =
            |name: &&String| name.is_empty() || !name.chars().all(|own| own.is_ascii_alphanumeric());
        if let Some(name) = self.components.iter().find(strange) {
            return Some(format!("expected names like ServerWideOffline, found {name:?}"));
        }
        let mut seen = Vec::new();
        for name in &self.components {
            if seen.iter().any(|own: &&String| own.eq_ignore_ascii_case(name)) {
                return Some(format!("expected each component once, found {name} twice"));
            }
            seen.push(name);
        }
        None
    }
}

/// A time of day at which servers may be begun; over midnight where `to` is before `from`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Window {
    /// It opens: `22:00`.
    #[schemars(with = "String")]
    pub from: Time,
    /// It closes: `04:00`.
    #[schemars(with = "String")]
    pub to: Time,
    /// The days on which it opens; empty: every day.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub days: Vec<Day>,
    /// The zone of these times (IANA); null: that of the machine exseal runs on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zone: Option<String>,
}

/// A day of the week.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Day {
    /// Monday.
    Mon,
    /// Tuesday.
    Tue,
    /// Wednesday.
    Wed,
    /// Thursday.
    Thu,
    /// Friday.
    Fri,
    /// Saturday.
    Sat,
    /// Sunday.
    Sun,
}

impl Day {
    const fn weekday(self) -> Weekday {
        match self {
            Self::Mon => Weekday::Monday,
            Self::Tue => Weekday::Tuesday,
            Self::Wed => Weekday::Wednesday,
            Self::Thu => Weekday::Thursday,
            Self::Fri => Weekday::Friday,
            Self::Sat => Weekday::Saturday,
            Self::Sun => Weekday::Sunday,
        }
    }
}

impl Window {
    /// When it opens next, as seen from `now`; `None`: it is open. `zone` is the one that [`zone`](Self::zone) names.
    ///
    /// A time of day that the clock change leaves out counts as the moment behind the gap, one it repeats as the first of both.
    #[must_use]
    pub fn opens(&self, now: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
        let today = now.to_zoned(zone.clone()).date();
        let at = |day: Date, time: Time| {
            let zoned = day.to_datetime(time).to_zoned(zone.clone()).ok()?;
            Some(zoned.timestamp())
        };
        let mut next = None;
        // From yesterday, whose window may reach over midnight, to the same day next week.
        for ahead in -1..=8_i64 {
            let Ok(day) = today.checked_add(ahead.days()) else {
                continue;
            };
            let opens_on = self.days.is_empty() || self.days.iter().any(|own| own.weekday() == day.weekday());
            if !opens_on {
                continue;
            }
            let closing = if self.to > self.from {
                day
            } else {
                day.tomorrow().unwrap_or(day)
            };
            let (Some(from), Some(to)) = (at(day, self.from), at(closing, self.to)) else {
                continue;
            };
            if from <= now && now < to {
                return None;
            }
            if from > now && next.is_none() {
                next = Some(from);
            }
        }
        // A window that never opens is none that is open.
        Some(next.unwrap_or(Timestamp::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn window(text: &str) -> Window {
        toml::from_str(text).unwrap()
    }

    fn opens(window: &Window, now: &str) -> Option<String> {
        let zone = TimeZone::get(window.zone.as_deref().unwrap()).unwrap();
        window.opens(now.parse().unwrap(), &zone).map(|at| at.to_string())
    }

    #[test]
    fn a_window_over_midnight_belongs_to_the_day_it_opens_on() {
        let nightly = window("from = \"22:00\"\nto = \"04:00\"\nzone = \"Europe/Berlin\"\ndays = [\"sat\"]");
        // 28 November 2026 is a Saturday; Berlin is an hour ahead of UTC.
        assert_eq!(
            opens(&nightly, "2026-11-28T20:59:59Z").as_deref(),
            Some("2026-11-28T21:00:00Z")
        );
        assert_eq!(opens(&nightly, "2026-11-28T21:00:00Z"), None);
        assert_eq!(opens(&nightly, "2026-11-29T02:59:59Z"), None);
        assert_eq!(
            opens(&nightly, "2026-11-29T03:00:00Z").as_deref(),
            Some("2026-12-05T21:00:00Z")
        );
    }

    #[test]
    fn a_window_of_every_day_opens_again_today_or_tomorrow_also_when_clocks_change() {
        let noon = window("from = \"12:00\"\nto = \"13:00\"\nzone = \"UTC\"");
        assert_eq!(
            opens(&noon, "2026-11-28T11:00:00Z").as_deref(),
            Some("2026-11-28T12:00:00Z")
        );
        assert_eq!(
            opens(&noon, "2026-11-28T13:00:00Z").as_deref(),
            Some("2026-11-29T12:00:00Z")
        );
        // On 28 March 2027 there is no 02:30 in Berlin: it opens at 03:30, which is 01:30 in UTC.
        let gap = window("from = \"02:30\"\nto = \"05:00\"\nzone = \"Europe/Berlin\"");
        assert_eq!(
            opens(&gap, "2027-03-28T00:45:00Z").as_deref(),
            Some("2027-03-28T01:30:00Z")
        );
    }

    #[test]
    fn half_a_drain_and_a_window_without_length_are_refused() {
        let wrong = |text: &str| {
            toml::from_str::<ApplyPolicy>(text)
                .unwrap()
                .wrong()
                .map(|(key, _)| key)
        };
        assert_eq!(wrong("drain = [\"a\"]"), Some("drain"));
        assert_eq!(
            wrong("window = { from = \"01:00\", to = \"01:00\" }"),
            Some("window")
        );
        assert_eq!(wrong("window = { from = \"01:00\", to = \"02:00\" }"), None);
        for nothing in [
            "{ components = [], dag = false }",
            "{ components = [\"Server Wide\"] }",
            "{ components = [\"HubTransport\", \"hubtransport\"] }",
        ] {
            assert_eq!(
                wrong(&format!("maintenance = {nothing}")),
                Some("maintenance"),
                "{nothing}"
            );
        }
        assert_eq!(wrong("maintenance = { components = [\"HubTransport\"] }"), None);
    }
}
